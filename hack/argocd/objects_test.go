// Package argocd_test runs what Argo CD runs for a KMSKeyImport, with Argo CD's own code, over objects that the operator
// has made: health check, actions and diff. See test.sh for where the objects come from.
package argocd_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const catalogueFile = "../../api/v1alpha1/conditions.go"

// seenObject is an object as it was at one time, and what kstatus makes of it.
type seenObject struct {
	KStatus string                     `json:"kstatus"`
	Object  *unstructured.Unstructured `json:"object"`
}

// appliedObject is a manifest as it is in Git, and what has become of it.
type appliedObject struct {
	Manifest *unstructured.Unstructured `json:"manifest"`
	Object   *unstructured.Unstructured `json:"object"`
}

// seen are all objects that the controllers' suite has made, in every status that they had.
func seen(t *testing.T) map[string]seenObject { return read[seenObject](t, "seen") }

// applied are those of them that were applied as GitOps tools do.
func applied(t *testing.T) map[string]appliedObject { return read[appliedObject](t, "applied") }

func read[T any](t *testing.T, folder string) map[string]T {
	t.Helper()
	directory := os.Getenv("OBJECTS_DIR")
	if _, err := os.Stat(filepath.Join(directory, "complete")); directory == "" || err != nil {
		t.Fatalf("OBJECTS_DIR=%q holds no complete set of objects: run `make argocd`", directory)
	}
	files, err := filepath.Glob(filepath.Join(directory, folder, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("%s/%s is empty: the controllers' suite has made no objects", directory, folder)
	}
	found := make(map[string]T, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var content T
		if err := json.Unmarshal(text, &content); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		found[filepath.Base(file)] = content
	}
	return found
}

// condition is one of an object's; its zero value is one that is absent.
type condition struct {
	Type, Status, Reason, Message string
}

func conditionsOf(t *testing.T, object *unstructured.Unstructured) map[string]condition {
	t.Helper()
	var content struct {
		Status struct{ Conditions []condition }
	}
	text, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &content); err != nil {
		t.Fatal(err)
	}
	found := map[string]condition{}
	for _, one := range content.Status.Conditions {
		found[one.Type] = one
	}
	return found
}

// catalogue are the reasons that the API knows, each with the first condition that its comment names.
func catalogue(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), catalogueFile, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		_, explanation, _ := strings.Cut(spec.Doc.Text(), "(")
		found[reason], _, _ = strings.Cut(explanation, " ")
		return true
	})
	return found
}
