package v1alpha1_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// etcd takes requests of 1.5 MiB. A record that grew beyond that could not be written any more: no claim, no intent, no
// evidence. So one with the longest value that the schema has for each field is created here, in characters that JSON
// writes in six bytes, and keeps far from it.
func TestTheLongestRecordIsStored(t *testing.T) {
	longest := longestValue(recordSchema(t)).(map[string]any)
	longest["apiVersion"], longest["kind"] = "kms.keyimport.dev/v1alpha1", "KMSKeyRecord"
	record := &unstructured.Unstructured{Object: longest}
	record.SetNamespace("default")
	record.SetName("key-longest")
	create(t, record)
	stored, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	entries, _, _ := unstructured.NestedSlice(record.Object, "history")
	if len(entries) != 20 {
		t.Errorf("%d entries, want 20", len(entries))
	}
	if len(stored) < 300_000 || len(stored) > 750_000 {
		t.Errorf("the longest record has %d bytes, want at most half of the 1.5 MiB that etcd takes", len(stored))
	}
}

// recordSchema is the schema of the CRD.
func recordSchema(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "crd", "bases", "kms.keyimport.dev_kmskeyrecords.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	crd := map[string]any{}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	versions, _, err := unstructured.NestedSlice(crd, "spec", "versions")
	if err != nil {
		t.Fatal(err)
	}
	schema, _, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"apiVersion", "kind", "metadata"} { // which have rules of their own
		unstructured.RemoveNestedField(schema, "properties", name)
	}
	return schema
}

// longestValue is the longest that a schema allows. A list or a text without a limit has no longest: it panics.
func longestValue(schema map[string]any) any {
	switch schema["type"] {
	case "object":
		object := map[string]any{}
		properties, _ := schema["properties"].(map[string]any)
		for name, property := range properties {
			object[name] = longestValue(property.(map[string]any))
		}
		return object
	case "array":
		list := []any{}
		for range int(schema["maxItems"].(float64)) {
			list = append(list, longestValue(schema["items"].(map[string]any)))
		}
		return list
	case "boolean":
		return false
	default:
		return longestText(schema)
	}
}

func longestText(schema map[string]any) string {
	if values, found := schema["enum"].([]any); found {
		longest := ""
		for _, value := range values {
			if text := value.(string); len(text) > len(longest) {
				longest = text
			}
		}
		return longest
	}
	switch schema["format"] {
	case "date-time":
		return "2027-01-22T09:00:00Z"
	case "byte":
		return strings.Repeat("AAAA", int(schema["maxLength"].(float64))/4)
	default:
		return strings.Repeat("<", int(schema["maxLength"].(float64)))
	}
}
