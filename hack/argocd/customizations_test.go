package argocd_test

import (
	"os"
	"path/filepath"
	"testing"

	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"
)

const (
	folder = "../../config/argocd"
	kind   = "kms.keyimport.dev/KMSKeyImport"
)

// configMap is Argo CD's, with the patch in it.
func configMap(t *testing.T) *corev1.ConfigMap {
	t.Helper()
	patched := &corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict([]byte(file(t, "argocd-cm.yaml")), patched); err != nil {
		t.Fatal(err)
	}
	patched.Namespace = "argocd"
	patched.Labels = map[string]string{"app.kubernetes.io/part-of": "argocd"}
	return patched
}

// customizations are what Argo CD reads in its ConfigMap.
func customizations(t *testing.T, changes ...func(*corev1.ConfigMap)) map[string]appv1.ResourceOverride {
	t.Helper()
	patched := configMap(t)
	for _, change := range changes {
		change(patched)
	}
	secret := &corev1.Secret{}
	secret.Name, secret.Namespace, secret.Labels = "argocd-secret", "argocd", patched.Labels
	found, err := settings.NewSettingsManager(t.Context(), fake.NewClientset(patched, secret), "argocd").GetResourceOverrides()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPatchIsMadeOfTheScripts(t *testing.T) {
	found := customizations(t)[kind]
	if diff := cmp.Diff(file(t, "health.lua"), found.HealthLua); diff != "" {
		t.Errorf("health (-file +patch, run `make manifests`):\n%s", diff)
	}
	if found.UseOpenLibs {
		t.Error("the scripts are to run in the sandbox")
	}
	actions, err := found.GetActions()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(file(t, "actions/discovery.lua"), actions.ActionDiscoveryLua); diff != "" {
		t.Errorf("discovery (-file +patch):\n%s", diff)
	}
	var names []string
	for _, action := range actions.Definitions {
		names = append(names, action.Name)
		if diff := cmp.Diff(file(t, "actions/"+action.Name+".lua"), action.ActionLua); diff != "" {
			t.Errorf("%s (-file +patch):\n%s", action.Name, diff)
		}
	}
	if diff := cmp.Diff([]string{"reconcile", "reimport", "suspend", "resume"}, names); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	if got := len(configMap(t).Data); got != 2 {
		t.Errorf("the patch has %d keys, want the two of a KMSKeyImport", got)
	}
}
