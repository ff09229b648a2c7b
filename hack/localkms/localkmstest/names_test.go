package localkmstest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestNames keeps a name here for each one of the package that other modules cannot import, and for no other.
func TestNames(t *testing.T) {
	hidden, offered := exported(t, "../../../internal/localkms"), exported(t, ".")
	for name := range hidden {
		if name != "Server" && !offered[name] { // Server is Handler here
			t.Errorf("%s of internal/localkms has no name here", name)
		}
	}
	for name := range offered {
		if name != "Handler" && name != "Start" && !hidden[name] {
			t.Errorf("%s is not a name of internal/localkms", name)
		}
	}
}

// exported are the exported types, constants, variables and functions of the package in a folder.
func exported(t *testing.T, folder string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			for _, name := range declared(declaration) {
				if name.IsExported() {
					names[name.Name] = true
				}
			}
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s exports nothing", folder)
	}
	return names
}

func declared(declaration ast.Decl) (names []*ast.Ident) {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names...)
			}
		}
	}
	return names
}
