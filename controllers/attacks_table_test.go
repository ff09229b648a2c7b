package controllers_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What docs/security.md says was tried is what these specs try.
func TestAttackTable(t *testing.T) {
	_, section, _ := strings.Cut(read(t, filepath.Join("..", "docs", "security.md")), "\n## What was tried, and what it got\n")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := firsts(regexp.MustCompile(`(?m)^\| ([A-Z][^|]+?) \|`), section)

	files, err := filepath.Glob("attacks*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tried []string
	for _, file := range files {
		tried = append(tried, firsts(regexp.MustCompile(`(?m)^\tIt\("([^"]+)"`), read(t, file))...)
	}
	slices.Sort(documented)
	slices.Sort(tried)
	if len(tried) < 30 {
		t.Errorf("found %d attacks only: is the search broken?", len(tried))
	}
	if diff := cmp.Diff(tried, documented); diff != "" {
		t.Errorf("the table in docs/security.md differs from the specs (-specs +table):\n%s", diff)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func firsts(pattern *regexp.Regexp, text string) []string {
	var found []string
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}
