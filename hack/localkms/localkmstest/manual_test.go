package localkmstest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	module = "github.com/keyimport-dev/kms-key-import-operator"
	root   = "../../.."
	manual = root + "/docs/localkms.md"
)

// TestManual puts each Go program and Go test of the manual into a package of another module, which finds this one by a
// replace directive, and has the go command build and test them: what the manual shows works, from outside.
func TestManual(t *testing.T) {
	elsewhere := t.TempDir()
	copyFile(t, root+"/go.mod", elsewhere+"/go.mod")
	copyFile(t, root+"/go.sum", elsewhere+"/go.sum")
	checkout, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	goCommand(t, elsewhere, "mod", "edit", "-module=example.com/elsewhere", "-require="+module+"@v0.0.0", "-replace="+module+"="+checkout)

	tests := 0
	for i, block := range goBlocks(t) {
		name := "program.go"
		if strings.Contains(block, "testing.T") {
			name = "manual_test.go"
			tests++
		}
		folder := filepath.Join(elsewhere, fmt.Sprintf("block%d", i+1))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if tests == 0 {
		t.Errorf("%s shows no Go test", manual)
	}
	goCommand(t, elsewhere, "test", "-count=1", "./...")
}

// goBlocks are the Go code blocks of the manual.
func goBlocks(t *testing.T) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	for _, rest := range strings.Split(string(text), "\n```go\n")[1:] {
		block, _, closed := strings.Cut(rest, "\n```\n")
		if !closed {
			t.Fatalf("%s has a Go block without an end", manual)
		}
		blocks = append(blocks, block+"\n")
	}
	return blocks
}

// goCommand runs the go command in a folder. What this module needs was fetched for this test already.
func goCommand(t *testing.T, folder string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
