package v1alpha1_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const samplesFolder = "../../config/samples"

// What people paste is taken as it is, every field of it.
func TestManifestsAreAccepted(t *testing.T) {
	payments := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "payments"},
	}}
	if err := k8s.Create(t.Context(), payments); err != nil {
		t.Fatal(err)
	}
	all := samples(t)
	maps.Copy(all, documented(t))
	for source, text := range all {
		t.Run(source, func(t *testing.T) {
			object := parsed(t, text)
			if object.GetNamespace() == "" {
				object.SetNamespace("default")
			}
			if err := k8s.Create(t.Context(), object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEverySampleIsInTheKustomization(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(samplesFolder, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	listed, _, err := unstructured.NestedStringSlice(parsed(t, string(text)).Object, "resources")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(listed)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(samples(t))), listed); diff != "" {
		t.Errorf("resources (-files +listed):\n%s", diff)
	}
}

// samples are the manifests in config/samples, by file.
func samples(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(samplesFolder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(file)] = string(text)
	}
	delete(found, "kustomization.yaml")
	return found
}

// manifest is one in a document: up to the end of its block, or of what a shell reads.
var manifest = regexp.MustCompile("(?s)\napiVersion: kms\\.keyimport\\.dev/.*?\n(```|MANIFEST)")

// documented are the manifests that the documents show, by document and number.
func documented(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, document := range []string{"README.md", "docs/kmskeyimport.md", "docs/gitops.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", document))
		if err != nil {
			t.Fatal(err)
		}
		blocks := manifest.FindAllString(string(text), -1)
		if len(blocks) == 0 {
			t.Errorf("%s shows no manifest: the expression does not find it", document)
		}
		for i, block := range blocks {
			found[document+" "+string(rune('1'+i))] = block[:strings.LastIndex(block, "\n")]
		}
	}
	return found
}

func parsed(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	return object
}
