package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one change to the source.
type mutant struct {
	number   int // from 1
	file     string
	function string // in which it is; for a check, the check
	what     string // what is changed, and how
	check    bool
}

// String names a mutant, the same as long as what it changes stays the same.
func (m mutant) String() string {
	if m.check {
		return "check " + m.function
	}
	return fmt.Sprintf("%s %s: %s", m.file, m.function, m.what)
}

// source is a file that is being mutated.
type source struct {
	name     string // base name
	text     []byte
	function string
	inserts  []insert
	mutants  *[]mutant
}

// insert is text to be put in at an offset. What encloses something comes before it at its start, and after it at its
// end.
type insert struct {
	offset int
	text   string
	rank   int
}

// rewrite returns a file with all of its mutants, which it adds to mutants. A file without any stays as it is.
func rewrite(path string, mutants *[]mutant) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := &source{name: filepath.Base(path), text: text, mutants: mutants}
	base := files.File(parsed.Pos()).Base()
	for _, declaration := range parsed.Decls {
		s.declaration(declaration, base)
	}
	return s.result(), nil
}

func (s *source) declaration(declaration ast.Decl, base int) {
	if function, ok := declaration.(*ast.FuncDecl); ok {
		s.function = function.Name.Name
	}
	ast.Inspect(declaration, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.ValueSpec:
			s.checks(node, base)
		case *ast.IfStmt:
			s.change(node.Cond, base, "never", "%s", false)
		case *ast.SwitchStmt:
			s.cases(node, base)
		case *ast.BinaryExpr:
			s.operands(node, base)
		}
		return true
	})
}

// lists are the plan's lists of checks, and what goes before the names of theirs: some checks are in both.
var lists = map[string]string{"checks": "", "deletionChecks": "deletion: "} //nolint:gochecknoglobals // nothing assigns to it

// checks are the elements of a list of checks.
func (s *source) checks(spec *ast.ValueSpec, base int) {
	before, found := lists[spec.Names[0].Name]
	if !found || len(spec.Values) != 1 {
		return
	}
	list, ok := spec.Values[0].(*ast.CompositeLit)
	if !ok {
		return
	}
	for _, element := range list.Elts {
		number := s.add(mutant{function: before + s.textOf(element, base), check: true})
		s.enclose(element, base, fmt.Sprintf("withoutCheck(%d, ", number), ")")
	}
}

// cases are the conditions of a switch that has nothing but conditions.
func (s *source) cases(statement *ast.SwitchStmt, base int) {
	if statement.Tag != nil {
		return
	}
	for _, clause := range statement.Body.List {
		for _, condition := range clause.(*ast.CaseClause).List {
			s.change(condition, base, "never", "case %s", false)
		}
	}
}

// operands are both sides of a conjunction or a disjunction.
func (s *source) operands(expression *ast.BinaryExpr, base int) {
	if expression.Op != token.LAND && expression.Op != token.LOR {
		return
	}
	for _, operand := range []ast.Expr{expression.X, expression.Y} {
		if inner, ok := operand.(*ast.BinaryExpr); ok && inner.Op == expression.Op {
			continue // a longer chain, whose operands come by themselves
		}
		s.change(operand, base, "dropped from `"+s.textOf(expression, base)+"`", "%s", expression.Op == token.LAND)
	}
}

// change makes a condition be what it is not to depend on.
func (s *source) change(condition ast.Expr, base int, how, format string, becomes bool) {
	number := s.add(mutant{function: s.function, what: fmt.Sprintf("%s %s", fmt.Sprintf(format, "`"+s.textOf(condition, base)+"`"), how)})
	opening := fmt.Sprintf("(mutant != %d && (", number)
	if becomes {
		opening = fmt.Sprintf("(mutant == %d || (", number)
	}
	s.enclose(condition, base, opening, "))")
}

func (s *source) add(m mutant) int {
	m.number, m.file = len(*s.mutants)+1, s.name
	for same := 2; slices.ContainsFunc(*s.mutants, func(other mutant) bool { return other.String() == m.String() }); same++ {
		m.what = fmt.Sprintf("%s (%d)", strings.TrimSuffix(m.what, fmt.Sprintf(" (%d)", same-1)), same)
	}
	*s.mutants = append(*s.mutants, m)
	return m.number
}

func (s *source) textOf(node ast.Node, base int) string {
	return strings.Join(strings.Fields(string(s.text[int(node.Pos())-base:int(node.End())-base])), " ")
}

func (s *source) enclose(node ast.Node, base int, opening, closing string) {
	rank := len(s.inserts) + 1
	s.inserts = append(s.inserts,
		insert{int(node.Pos()) - base, opening, rank}, insert{int(node.End()) - base, closing, -rank})
}

// result is the source with what was put in.
func (s *source) result() []byte {
	slices.SortStableFunc(s.inserts, func(a, b insert) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.rank, b.rank))
	})
	var text []byte
	from := 0
	for _, i := range s.inserts {
		text = append(append(text, s.text[from:i.offset]...), i.text...)
		from = i.offset
	}
	return append(text, s.text[from:]...)
}
