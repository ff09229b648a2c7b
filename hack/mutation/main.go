// Command mutation takes each check out of the plan, and each condition out of its functions and those of the status, one
// at a time, and demands that a test fails. It prints what noticed, and what nothing noticed.
//
// All mutants are in one build: a condition x becomes (mutant == 17 || x), and which mutant it is comes from the
// environment. So only the tests are run again for each.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// packages are what is mutated, and whose tests must notice.
var packages = []string{"internal/plan", "internal/status"} //nolint:gochecknoglobals // nothing assigns to it

func main() {
	document := flag.String("write", "", "write the table of checks into this file")
	only := flag.String("only", "", "try only mutants whose name contains this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *document, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, document, only string) error {
	start := time.Now()
	build, err := mutate(packages)
	if err != nil {
		return err
	}
	defer build.remove()
	if err := build.compile(ctx); err != nil {
		return err
	}
	if found := build.try(ctx, mutant{}); found.noticed() {
		return fmt.Errorf("the tests fail without any mutant: %s", found)
	}
	chosen := slices.DeleteFunc(build.mutants, func(m mutant) bool { return !strings.Contains(m.String(), only) })
	verdicts := build.tryAll(ctx, chosen)
	wrong := wrongs(chosen, verdicts)
	fmt.Printf("mutation: %d mutants in %s\n", len(chosen), time.Since(start).Round(time.Second))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case wrong > 0:
		return fmt.Errorf("%d mutants that no test notices, or that are no equivalents", wrong)
	case document == "" || only != "":
		return nil
	default:
		return os.WriteFile(document, []byte(table(chosen, verdicts)), 0o600)
	}
}

// wrongs counts mutants that no test notices, and those noticed that are said to be equivalent.
func wrongs(mutants []mutant, verdicts []verdict) int {
	count := 0
	for i, m := range mutants {
		if verdicts[i].noticed() == (equivalent[m.String()] != "") {
			count++
		}
	}
	return count
}
