package argocd_test

import (
	"testing"
	"time"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// offered are the actions that Argo CD shows, and whether they can be clicked.
func offered(t *testing.T, vm lua.VM, object *unstructured.Unstructured) map[string]bool {
	t.Helper()
	scripts, err := vm.GetResourceActionDiscovery(object)
	if err != nil {
		t.Fatal(err)
	}
	actions, err := vm.ExecuteResourceActionDiscovery(object, scripts)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, action := range actions {
		found[action.Name] = !action.Disabled
		if action.DisplayName == "" || action.IconClass == "" {
			t.Errorf("%s has no name or no icon: %+v", action.Name, action)
		}
	}
	return found
}

// acted is what Argo CD writes when an action is clicked.
func acted(t *testing.T, vm lua.VM, object *unstructured.Unstructured, name string) *unstructured.Unstructured {
	t.Helper()
	action, err := vm.GetResourceAction(object, name)
	if err != nil {
		t.Fatal(err)
	}
	impacted, err := vm.ExecuteResourceAction(object.DeepCopy(), action.ActionLua, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(impacted) != 1 || impacted[0].K8SOperation != lua.PatchOperation {
		t.Fatalf("%s makes %v, want one patch", name, impacted)
	}
	return impacted[0].UnstructuredObj
}

func TestActionsOnRealObjects(t *testing.T) {
	vm := lua.VM{ResourceOverrides: customizations(t)}
	count := map[string]int{}
	for name, one := range seen(t) {
		for action, enabled := range offered(t, vm, one.Object) {
			if !enabled {
				continue
			}
			count[action]++
			made := acted(t, vm, one.Object, action)
			if diff := cmp.Diff(intended(t, one.Object, action, made.GetAnnotations()), made.Object); diff != "" {
				t.Errorf("%s: %s (-intended +made):\n%s", name, action, diff)
			}
		}
	}
	for _, action := range []string{"reconcile", "reimport", "suspend", "resume"} {
		if count[action] == 0 {
			t.Errorf("no object offered %s", action)
		}
	}
	t.Log(count)
}

// intended is the object with the one change that an action is for. The time of a request is taken from what was made.
func intended(t *testing.T, object *unstructured.Unstructured, action string, made map[string]string) map[string]any {
	t.Helper()
	want := object.DeepCopy()
	switch action {
	case "suspend":
		set(true, "spec", "suspend")(want)
	case "resume":
		unstructured.RemoveNestedField(want.Object, "spec", "suspend")
	default:
		name := map[string]string{
			"reconcile": "kms.keyimport.dev/reconcile-requested-at", "reimport": "kms.keyimport.dev/reimport-requested-at",
		}[action]
		value := made[name]
		if _, err := time.Parse("2006-01-02T15:04:05Z", value); err != nil {
			t.Errorf("%s asks with %q: %v", action, value, err)
		}
		set(value, "metadata", "annotations", name)(want)
	}
	return want.Object
}

func TestActionsThatAreOffered(t *testing.T) {
	ready, suspends := has("Ready", "True", "Imported"), set(true, "spec", "suspend")
	deleted := set("2027-06-01T00:00:00Z", "metadata", "deletionTimestamp")
	cases := map[string]struct {
		reason  string
		changes []change
		want    map[string]bool
	}{
		"not seen":             {"no request is acted on yet", nil, map[string]bool{"reconcile": false, "reimport": false, "suspend": true, "resume": false}},
		"ready":                {"all but to resume", []change{ready}, map[string]bool{"reconcile": true, "reimport": true, "suspend": true, "resume": false}},
		"suspended":            {"a request would stand until it resumes", []change{ready, suspends}, map[string]bool{"reconcile": false, "reimport": false, "suspend": false, "resume": true}},
		"suspend: false":       {"as without it", []change{ready, set(false, "spec", "suspend")}, map[string]bool{"reconcile": true, "reimport": true, "suspend": true, "resume": false}},
		"suspended, not seen":  {"it can be resumed all the same", []change{suspends}, map[string]bool{"reconcile": false, "reimport": false, "suspend": false, "resume": true}},
		"being deleted":        {"nothing makes sense", []change{ready, deleted}, map[string]bool{"reconcile": false, "reimport": false, "suspend": false, "resume": false}},
		"suspended, and going": {"nothing makes sense", []change{ready, suspends, deleted}, map[string]bool{"reconcile": false, "reimport": false, "suspend": false, "resume": false}},
	}
	vm := lua.VM{ResourceOverrides: customizations(t)}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			made := object()
			for _, change := range tc.changes {
				change(made)
			}
			if diff := cmp.Diff(tc.want, offered(t, vm, made)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestResumeUndoesSuspend(t *testing.T) {
	vm := lua.VM{ResourceOverrides: customizations(t)}
	before := object()
	suspended := acted(t, vm, before, "suspend")
	if diff := cmp.Diff(before.Object, acted(t, vm, suspended, "resume").Object); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
