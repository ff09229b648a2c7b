package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

// properties are the tests that go through very many cases. They are run when the others have noticed nothing.
const properties = "^(TestNeverInAnyWorld|TestNeverWithdrawnInAnyWorld|TestNextIsPure|TestEveryPassEnds|TestNeverOverMaterialOnQKMS|TestLives)$"

// verdict is which tests noticed a mutant; empty where none did.
type verdict struct {
	table    string // of the tables and stories
	property string // of those that go through very many cases; of checks always, of other mutants if need be
}

func (v verdict) noticed() bool { return v.table != "" || v.property != "" }

func (v verdict) String() string { return strings.TrimSpace(v.table + " " + v.property) }

// tryAll tries mutants, as many at a time as there are processors, and prints what noticed each.
func (b *build) tryAll(ctx context.Context, mutants []mutant) []verdict {
	verdicts := make([]verdict, len(mutants))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for i := range next {
				verdicts[i] = b.try(ctx, mutants[i])
				fmt.Println(line(mutants[i], verdicts[i]))
			}
		})
	}
	for i := range mutants {
		next <- i
	}
	close(next)
	workers.Wait()
	return verdicts
}

func (b *build) try(ctx context.Context, m mutant) verdict {
	var found verdict
	for _, path := range b.packages {
		if found.table == "" {
			found.table = b.test(ctx, m, path, "-test.skip", properties)
		}
	}
	if found.table == "" || m.check {
		found.property = b.test(ctx, m, b.packages[0], "-test.run", properties)
	}
	return found
}

// endless is a test that did not end in time.
var endless = regexp.MustCompile(`(?m)^running tests:\n\s*([A-Za-z0-9_]+)`)

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: ([A-Za-z0-9_]+)`)

// test returns the first test that fails, or else what went wrong; empty when none does.
func (b *build) test(ctx context.Context, m mutant, path string, which ...string) string {
	command := exec.CommandContext(ctx, b.program(path), append(which, "-test.failfast", "-test.timeout=5m")...) //nolint:gosec // that it built
	command.Dir = path
	command.Env = append(os.Environ(), fmt.Sprintf("MUTANT=%d", m.number))
	output, err := command.CombinedOutput()
	if err == nil {
		return ""
	}
	for _, name := range []*regexp.Regexp{failed, endless} {
		if found := name.FindSubmatch(output); found != nil {
			return string(found[1])
		}
	}
	return err.Error()
}
