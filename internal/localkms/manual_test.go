package localkms_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// manualChapter is what docs/localkms.md says under a heading.
func manualChapter(t *testing.T, title string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/localkms.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, found := strings.Cut(string(text), "\n## "+title+"\n")
	if !found {
		t.Fatalf("docs/localkms.md has no chapter %q", title)
	}
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	return chapter
}

// sdkOperations is every operation that the SDK knows.
func sdkOperations() (names []string) {
	for method := range reflect.TypeFor[*kms.Client]().Methods() {
		if method.Type.NumIn() == 4 && method.Type.NumOut() == 2 {
			names = append(names, method.Name)
		}
	}
	return names
}

// TestManualOperations compares the list of the manual with what the server does of all that the SDK can ask for.
func TestManualOperations(t *testing.T) {
	f := newFixture(t)
	var listed []string
	for _, match := range regexp.MustCompile("`([A-Z][A-Za-z]+)`").FindAllStringSubmatch(manualChapter(t, "Operations"), -1) {
		listed = append(listed, match[1])
	}
	operations := sdkOperations()
	for _, name := range operations {
		known := f.call(name, "{}").code != "UnknownOperationException"
		if known != slices.Contains(listed, name) {
			t.Errorf("%s: the server knows it: %t; the manual lists it: %t", name, known, !known)
		}
	}
	for _, name := range listed {
		if !slices.Contains(operations, name) {
			t.Errorf("the manual lists %s, which is no operation of the SDK", name)
		}
	}
}

// TestManualAssumptions compares the table of the manual with Assumptions.
func TestManualAssumptions(t *testing.T) {
	want := "| `--assume` | dialect | the server then assumes that | otherwise |\n|---|---|---|---|\n"
	for _, info := range localkms.Assumptions() {
		var dialects []string
		for _, dialect := range info.Dialects {
			dialects = append(dialects, string(dialect))
		}
		want += fmt.Sprintf("| `%s` | %s | %s | %s |\n", info.Assumption, strings.Join(dialects, ", "), info.Meaning, info.Otherwise)
	}
	want = strings.ReplaceAll(want, "<", `\<`) // or Markdown takes it for HTML
	if chapter := manualChapter(t, "Assumptions"); !strings.Contains(chapter+"\n", "\n\n"+want+"\n") {
		t.Errorf("the table of the manual should read:\n%s", want)
	}
}
