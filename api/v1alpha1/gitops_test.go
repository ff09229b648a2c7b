package v1alpha1_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const gitOpsFolder = "../../config/samples/gitops"

// gitOps are the objects of the example for GitOps, by kind and name.
func gitOps(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(gitOpsFolder, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := unstructured.NestedStringSlice(parsed(t, string(text)).Object, "resources")
	if err != nil || len(files) == 0 {
		t.Fatalf("the kustomization lists no files: %v", err)
	}
	found := map[string]*unstructured.Unstructured{}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(gitOpsFolder, file))
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			object := parsed(t, document)
			found[object.GetKind()+" "+object.GetName()] = object
		}
	}
	return found
}

// Of kinds that are not Kubernetes' or ours the API server knows nothing here; what these say that matters to us is
// checked below.
func TestGitOpsExampleIsAccepted(t *testing.T) {
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"generateName": "gitops-"},
	}}
	if err := k8s.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	var unknown []string
	for name, object := range gitOps(t) {
		object.SetNamespace(namespace.GetName())
		err := k8s.Create(t.Context(), object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
		switch {
		case meta.IsNoMatchError(err):
			unknown = append(unknown, name)
		case err != nil:
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff([]string{"ExternalSecret payments-material"}, unknown); diff != "" {
		t.Errorf("kinds that were not checked (-want +got):\n%s", diff)
	}
}

func TestGitOpsExampleFitsTogether(t *testing.T) {
	objects := gitOps(t)
	waves := map[string]int{}
	for name, object := range objects {
		if object.GetNamespace() != "payments" {
			t.Errorf("%s is in namespace %q", name, object.GetNamespace())
		}
		wave, err := strconv.Atoi(object.GetAnnotations()["argocd.argoproj.io/sync-wave"])
		if err != nil {
			t.Errorf("%s is in no wave: %v", name, err)
		}
		waves[name] = wave
	}
	if diff := cmp.Diff(map[string]int{
		"ServiceAccount payments-key":      -1,
		"ServiceAccount payments":          -1,
		"ExternalSecret payments-material": 0,
		"Job payments-key":                 0,
		"KMSKeyImport payments":            1,
		"Deployment payments":              2,
	}, waves); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}

	source := objects["ExternalSecret payments-material"].Object["spec"].(map[string]any)
	target := source["target"].(map[string]any)
	imported := objects["KMSKeyImport payments"].Object["spec"].(map[string]any)
	if got := imported["material"].(map[string]any)["secretRef"].(map[string]any)["name"]; got != target["name"] {
		t.Errorf("Secret %v is made, %v is imported", target["name"], got)
	}
	labels := target["template"].(map[string]any)["metadata"].(map[string]any)["labels"]
	if diff := cmp.Diff(map[string]any{"kms.keyimport.dev/key-material": "true"}, labels); diff != "" {
		t.Errorf("labels of the Secret (-want +got):\n%s", diff)
	}
	data := source["data"].([]any)
	if len(data) != 1 || data[0].(map[string]any)["secretKey"] != "material" {
		t.Errorf("the Secret has %v, what is imported is under \"material\"", data)
	}
	for _, name := range []string{"Job payments-key", "Deployment payments"} {
		spec, _, err := unstructured.NestedMap(objects[name].Object, "spec", "template", "spec")
		if err != nil {
			t.Fatal(err)
		}
		script := spec["containers"].([]any)[0].(map[string]any)["args"].([]any)[0].(string)
		if keyID := imported["keyID"].(string); !strings.Contains(script, keyID) {
			t.Errorf("%s does not speak of %s:\n%s", name, keyID, script)
		}
	}
}

func TestGitOpsExampleIsWhole(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(gitOpsFolder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../docs/gitops.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"kustomization.yaml": true}
	text, err := os.ReadFile(filepath.Join(gitOpsFolder, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	resources, _, err := unstructured.NestedStringSlice(parsed(t, string(text)).Object, "resources")
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range resources {
		listed[resource] = true
		if !strings.Contains(string(manual), "config/samples/gitops/"+resource) {
			t.Errorf("docs/gitops.md does not lead to %s", resource)
		}
	}
	var present []string
	for _, file := range files {
		present = append(present, filepath.Base(file))
	}
	if diff := cmp.Diff(present, slices.Sorted(maps.Keys(listed))); diff != "" {
		t.Errorf("kustomization (-files +listed):\n%s", diff)
	}
}
