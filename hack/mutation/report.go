package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// line says what noticed a mutant.
func line(m mutant, found verdict) string {
	why := equivalent[m.String()]
	switch {
	case found.noticed() && why != "":
		return fmt.Sprintf("NOT EQUIVALENT  %s -> %s", m, found)
	case found.noticed():
		return fmt.Sprintf("noticed         %s -> %s", m, found)
	case why != "":
		return fmt.Sprintf("equivalent      %s: %s", m, why)
	default:
		return fmt.Sprintf("NOT NOTICED     %s", m)
	}
}

const preface = `# Mutations

What would go unnoticed if it were missing is not tested. ` + "`make mutation`" + ` takes each check out of the plan, one at
a time, and demands that a test of ` + "`internal/plan` or `internal/status`" + ` fails. It does the same with every condition
in these packages: each operand of && and ||, each if, each case of a switch without a tag. It writes this page, and a
test asks for it to be complete. Run it after a change to the plan; ` + "`go run ./hack/mutation -only holdNeeded`" + ` tries
those alone whose name contains that.

The first column is the check that was taken out, the others which test failed first: of the tables and stories, and of
the tests that go through very many cases, most of them on a model of KMS.

| check | tables and stories | very many cases |
|---|---|---|
`

const rest = `
No test can notice these, because nothing depends on them:

| mutant | why |
|---|---|
`

// table is the document.
func table(mutants []mutant, verdicts []verdict) string {
	var text strings.Builder
	text.WriteString(preface)
	for i, m := range mutants {
		if m.check {
			fmt.Fprintf(&text, "| %s | %s | %s |\n", m.function, orDash(verdicts[i].table), orDash(verdicts[i].property))
		}
	}
	if len(equivalent) > 0 {
		text.WriteString(rest)
	}
	for _, name := range slices.Sorted(maps.Keys(equivalent)) {
		fmt.Fprintf(&text, "| %s | %s |\n", strings.ReplaceAll(name, "|", `\|`), equivalent[name])
	}
	return text.String()
}

func orDash(name string) string {
	if name == "" {
		return "-"
	}
	return name
}
