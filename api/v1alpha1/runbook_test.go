package v1alpha1_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	catalogueFile = "conditions.go"
	runbookFile   = "../../docs/runbook.md"
)

func TestRunbookExplainsEveryReason(t *testing.T) {
	_, catalogue := readCatalogue(t)
	_, runbook := readRunbook(t)
	for reason, want := range catalogue {
		got, found := runbook[reason]
		switch {
		case !found:
			t.Errorf("%s has no section %q under a heading that begins with Reasons", runbookFile, "### "+reason)
		case got != want:
			t.Errorf("%s and %s differ on %s\nrunbook:\n%s\ncatalogue:\n%s", runbookFile, catalogueFile, reason, got, want)
		}
	}
	for reason := range runbook {
		if _, found := catalogue[reason]; !found {
			t.Errorf("%s explains %s, which is no reason of %s", runbookFile, reason, catalogueFile)
		}
	}
}

func TestRunbookExplainsEveryCondition(t *testing.T) {
	catalogue, _ := readCatalogue(t)
	runbook, _ := readRunbook(t)
	for condition, want := range catalogue {
		if got := runbook[condition]; got != want {
			t.Errorf("%s and %s differ on %s\nrunbook:\n%s\ncatalogue:\n%s", runbookFile, catalogueFile, condition, got, want)
		}
	}
	for condition := range runbook {
		if _, found := catalogue[condition]; !found {
			t.Errorf("%s explains %s, which is no condition type of %s", runbookFile, condition, catalogueFile)
		}
	}
}

// reasonComment is how a constant explains itself: condition, meaning, remedy.
var reasonComment = regexp.MustCompile(`^\((.+?)\): (.+) Remedy: (.+)$`)

// readCatalogue reads the comments of the constants: those of reasons as the list that the runbook makes of them.
func readCatalogue(t *testing.T) (conditions, reasons map[string]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), catalogueFile, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	conditions, reasons = map[string]string{}, map[string]string{}
	for name, constant := range constants(file) {
		value, err := strconv.Unquote(constant.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		comment, named := strings.CutPrefix(oneLine(constant.Doc.Text()), name+" ")
		if !named {
			t.Errorf("the comment of %s does not begin with its name", name)
			continue
		}
		switch parts := reasonComment.FindStringSubmatch(comment); {
		case name == "Condition"+value:
			conditions[value] = comment
		case name != "Reason"+value:
			t.Errorf("%s has the value %q: it is named neither Condition%[2]s nor Reason%[2]s", name, value)
		case parts == nil:
			t.Errorf("the comment of %s is not of the form: %[1]s (condition): meaning. Remedy: remedy.", name)
		default:
			reasons[value] = fmt.Sprintf("Condition: %s\nMeaning: %s\nRemedy: %s", parts[1], parts[2], parts[3])
		}
	}
	if len(conditions) == 0 || len(reasons) == 0 {
		t.Fatalf("%s holds %d condition types and %d reasons", catalogueFile, len(conditions), len(reasons))
	}
	return conditions, reasons
}

func constants(file *ast.File) map[string]*ast.ValueSpec {
	found := map[string]*ast.ValueSpec{}
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			constant := spec.(*ast.ValueSpec)
			found[constant.Names[0].Name] = constant
		}
	}
	return found
}

// readRunbook reads the list under "## Conditions", and the list that begins each section under a heading
// "## Reasons...".
func readRunbook(t *testing.T) (conditions, reasons map[string]string) {
	t.Helper()
	text, err := os.ReadFile(runbookFile)
	if err != nil {
		t.Fatal(err)
	}
	conditions, reasons = map[string]string{}, map[string]string{}
	for _, chapter := range strings.Split("\n"+string(text), "\n## ")[1:] {
		title, body, _ := strings.Cut(chapter, "\n")
		switch {
		case title == "Conditions":
			for _, item := range listItems(body) {
				condition, explanation, _ := strings.Cut(item, " ")
				conditions[condition] = explanation
			}
		case strings.HasPrefix(title, "Reasons"):
			for _, section := range strings.Split(body, "\n### ")[1:] {
				reason, body, _ := strings.Cut(section, "\n")
				if _, twice := reasons[reason]; twice {
					t.Errorf("%s explains %s twice", runbookFile, reason)
				}
				reasons[reason] = strings.Join(listItems(body), "\n")
			}
		}
	}
	return conditions, reasons
}

// listItems are the items of the first list, each in one line and without its markup.
func listItems(markdown string) []string {
	var items []string
	for line := range strings.Lines(markdown) {
		item, begins := strings.CutPrefix(line, "* ")
		switch {
		case begins:
			items = append(items, item)
		case len(items) > 0 && strings.HasPrefix(line, "  "):
			items[len(items)-1] += line
		case len(items) > 0:
			return plain(items)
		}
	}
	return plain(items)
}

func plain(items []string) []string {
	for i, item := range items {
		items[i] = oneLine(strings.ReplaceAll(item, "`", ""))
	}
	return items
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
