package argocd_test

import (
	"testing"

	appv1 "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// outOfSync is Argo CD's verdict on an object and what is in Git.
func outOfSync(t *testing.T, settings map[string]appv1.ResourceOverride, one appliedObject) bool {
	t.Helper()
	config, err := diff.NewDiffConfigBuilder().
		WithDiffSettings(nil, settings, false, normalizers.IgnoreNormalizerOpts{}).
		WithTracking("app.kubernetes.io/instance", string(appv1.TrackingMethodAnnotation)).
		WithNoCache().
		Build()
	if err != nil {
		t.Fatal(err)
	}
	result, err := diff.StateDiff(one.Object, one.Manifest, config)
	if err != nil {
		t.Fatal(err)
	}
	return result.Modified
}

// strict are the settings under which Argo CD compares the status too.
func strict(t *testing.T) map[string]appv1.ResourceOverride {
	t.Helper()
	return customizations(t, func(patched *corev1.ConfigMap) {
		patched.Data["resource.compareoptions"] = "ignoreResourceStatusField: none"
	})
}

func TestNothingThatTheOperatorWritesIsOutOfSync(t *testing.T) {
	usual, strict := customizations(t), strict(t)
	for name, one := range applied(t) {
		if outOfSync(t, usual, one) {
			t.Errorf("%s is OutOfSync", name)
		}
		if outOfSync(t, strict, one) {
			t.Errorf("%s is OutOfSync when status is compared", name)
		}
	}
}

// The comparison sees what it is to see.
func TestWhatIsOutOfSync(t *testing.T) {
	changes := map[string]func(one appliedObject){
		"another Secret in the object": func(one appliedObject) { set("other", "spec", "material", "secretRef", "name")(one.Object) },
		"another key in Git":           func(one appliedObject) { set("alias/other", "spec", "keyID")(one.Manifest) },
		"a new field in Git":           func(one appliedObject) { set("Allow", "spec", "material", "weakMaterialPolicy")(one.Manifest) },
		"a label gone from the object": func(one appliedObject) { one.Object.SetLabels(nil) },
		"suspended in Git alone": func(one appliedObject) {
			set(true, "spec", "suspend")(one.Manifest)
			unstructured.RemoveNestedField(one.Object.Object, "spec", "suspend")
		},
	}
	settings := customizations(t)
	for reason, change := range changes {
		for name, one := range applied(t) {
			change(one)
			if !outOfSync(t, settings, one) {
				t.Errorf("%s with %s is in sync", name, reason)
			}
		}
	}
}
