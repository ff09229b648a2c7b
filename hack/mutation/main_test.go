package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// every is all the mutants of a checkout.
func every(t *testing.T) []mutant {
	t.Helper()
	var mutants []mutant
	for _, path := range packages {
		files, err := filepath.Glob(filepath.Join("../..", path, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			if _, err := rewrite(file, &mutants); err != nil {
				t.Fatal(err)
			}
		}
	}
	return mutants
}

// The document has each check of the plan, in order, and a table or a story that notices when it is gone.
func TestDocumentIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../docs/mutations.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, m := range every(t) {
		if m.check {
			want = append(want, m.function)
		}
	}
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(strings.TrimSpace(line), " | ")
		if name := strings.TrimPrefix(columns[0], "| "); len(columns) == 3 && name != "check" {
			got = append(got, name)
			if !strings.HasPrefix(columns[1], "Test") {
				t.Errorf("no test notices that %s is gone", name)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("the checks that docs/mutations.md names (-want +got): run make mutation\n%s", diff)
	}
}

func TestEquivalentMutantsExist(t *testing.T) {
	names := map[string]bool{}
	for _, m := range every(t) {
		if names[m.String()] {
			t.Errorf("two mutants are named %s", m)
		}
		names[m.String()] = true
	}
	for name := range equivalent {
		if !names[name] {
			t.Errorf("there is no mutant %s", name)
		}
	}
}

func TestRewrite(t *testing.T) {
	const before = `package plan

var checks = []check{
	first,
	second,
}

var deletionChecks = []check{second}

func decide(a, b, c bool, state int) int {
	if a && (b || !c) {
		return 1
	}
	switch {
	case a, b && c:
		return 2
	}
	switch state {
	case 1:
		return 3
	}
	return 4
}
`
	const after = `package plan

var checks = []check{
	withoutCheck(1, first),
	withoutCheck(2, second),
}

var deletionChecks = []check{withoutCheck(3, second)}

func decide(a, b, c bool, state int) int {
	if (mutant != 4 && ((mutant == 5 || (a)) && (mutant == 6 || (((mutant != 7 && (b)) || (mutant != 8 && (!c))))))) {
		return 1
	}
	switch {
	case (mutant != 9 && (a)), (mutant != 10 && ((mutant == 11 || (b)) && (mutant == 12 || (c)))):
		return 2
	}
	switch state {
	case 1:
		return 3
	}
	return 4
}
`
	want := []string{
		"check first", "check second", "check deletion: second",
		"example.go decide: `a && (b || !c)` never",
		"example.go decide: `a` dropped from `a && (b || !c)`", "example.go decide: `(b || !c)` dropped from `a && (b || !c)`",
		"example.go decide: `b` dropped from `b || !c`", "example.go decide: `!c` dropped from `b || !c`",
		"example.go decide: case `a` never", "example.go decide: case `b && c` never",
		"example.go decide: `b` dropped from `b && c`", "example.go decide: `c` dropped from `b && c`",
	}
	file := filepath.Join(t.TempDir(), "example.go")
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	var mutants []mutant
	text, err := rewrite(file, &mutants)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, string(text)); diff != "" {
		t.Errorf("rewritten (-want +got):\n%s", diff)
	}
	var got []string
	for _, m := range mutants {
		got = append(got, m.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mutants (-want +got):\n%s", diff)
	}
}
