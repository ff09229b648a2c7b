package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// selector is in each mutated package: which mutant it is.
const selector = `package %s

import (
	"os"
	"strconv"
)

var mutant = func() int {
	number, _ := strconv.Atoi(os.Getenv("MUTANT"))
	return number
}()
`

// withoutCheck goes into the package that has lists of checks.
const withoutCheck = `
func withoutCheck(number int, applies check) check {
	return func(d Desired, o Observed) *Step {
		if mutant == number {
			return nil
		}
		return applies(d, o)
	}
}
`

// build is the packages with all of their mutants.
type build struct {
	folder   string // what is made for it; the checkout stays as it is
	packages []string
	mutants  []mutant
	replace  map[string]string
}

// mutate rewrites the packages' files into a folder of their own.
func mutate(packages []string) (*build, error) {
	folder, err := os.MkdirTemp("", "mutation-")
	if err != nil {
		return nil, err
	}
	b := &build{folder: folder, packages: packages, replace: map[string]string{}}
	for _, path := range packages {
		if err := b.mutatePackage(path); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *build) mutatePackage(path string) error {
	files, err := filepath.Glob(filepath.Join(path, "*.go"))
	if err != nil {
		return err
	}
	helper, lists := []byte(fmt.Sprintf(selector, filepath.Base(path))), false
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := rewrite(file, &b.mutants)
		if err != nil {
			return err
		}
		lists = lists || bytes.Contains(text, []byte("withoutCheck("))
		if err := b.overlay(file, text); err != nil {
			return err
		}
	}
	if lists {
		helper = append(helper, withoutCheck...)
	}
	return b.overlay(filepath.Join(path, "mutant.go"), helper)
}

// overlay puts text in the place of a file, for the compiler alone.
func (b *build) overlay(file string, text []byte) error {
	original, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	replacement := filepath.Join(b.folder, fmt.Sprintf("%d-%s", len(b.replace), filepath.Base(file)))
	b.replace[original] = replacement
	return os.WriteFile(replacement, text, 0o600)
}

// compile makes a test program of each package.
func (b *build) compile(ctx context.Context) error {
	text, err := json.Marshal(map[string]any{"Replace": b.replace})
	if err != nil {
		return err
	}
	overlay := filepath.Join(b.folder, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return err
	}
	for _, path := range b.packages {
		command := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", b.program(path), "./"+path) //nolint:gosec // its own packages
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("build tests of %s: %w\n%s", path, err, output)
		}
	}
	return nil
}

func (b *build) remove() { _ = os.RemoveAll(b.folder) }

func (b *build) program(path string) string {
	return filepath.Join(b.folder, strings.ReplaceAll(path, "/", "-")+".test")
}
