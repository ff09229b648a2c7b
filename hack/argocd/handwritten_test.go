package argocd_test

import (
	"testing"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// object is one that nothing is known of, with the status that the CRD gives it by default.
func object() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kms.keyimport.dev/v1alpha1",
		"kind":       "KMSKeyImport",
		"metadata":   map[string]any{"name": "payments", "namespace": "payments", "generation": int64(3)},
		"spec": map[string]any{
			"keyID":    "alias/payments",
			"material": map[string]any{"secretRef": map[string]any{"name": "payments-material", "key": "material"}},
		},
		"status": map[string]any{"observedGeneration": int64(-1)},
	}}
}

type change func(*unstructured.Unstructured)

// set puts a value where a path leads to.
func set(value any, path ...string) change {
	return func(object *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
			panic(err)
		}
	}
}

func observed(generation int64) change { return set(generation, "status", "observedGeneration") }

// has adds a condition.
func has(conditionType, status, reason string) change {
	return func(object *unstructured.Unstructured) {
		present, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		added := map[string]any{"type": conditionType, "status": status, "reason": reason, "message": "about " + reason}
		set(append(present, added), "status", "conditions")(object)
	}
}

// Reasons that take long to provoke are met all the same.
func TestHealthOfEveryReason(t *testing.T) {
	check := lua.ResourceHealthOverrides(customizations(t))
	for reason, condition := range catalogue(t) {
		made, want := object(), specified[reason]
		observed(3)(made)
		switch condition {
		case "Reconciling", "Stalled":
			has("Ready", "False", reason)(made)
			has(condition, "True", reason)(made)
		case "Ready":
			has("Ready", map[bool]string{true: "True", false: "Unknown"}[reason == "Imported"], reason)(made)
			if reason == "Suspended" {
				has("Suspended", "True", reason)(made)
			}
		default:
			has("Ready", "True", "Imported")(made)
			has(condition, "True", reason)(made)
			want = healthy
		}
		got := healthOf(t, check, made)
		if string(got.Status) != want {
			t.Errorf("%s: %s, want %s", reason, got.Status, want)
		}
	}
}

func TestHealthOfWhatNoRunShows(t *testing.T) {
	ready, suspends := has("Ready", "True", "Imported"), set(true, "spec", "suspend")
	cases := map[string]struct {
		reason  string
		changes []change
		want    string
		message string
	}{
		"no status": {
			"a CRD of an older version has no default",
			[]change{func(o *unstructured.Unstructured) { unstructured.RemoveNestedField(o.Object, "status") }},
			progressing, "the operator has not seen this object yet",
		},
		"default status":       {"nobody has looked", nil, progressing, "the operator has not seen this object yet"},
		"suspended, not seen":  {"that it is suspended nobody has confirmed", []change{suspends}, progressing, "the operator has not seen this object yet"},
		"edited while ready":   {"the change may break it", []change{observed(2), ready}, progressing, "the operator has not acted on the latest change of the spec yet"},
		"edited while stalled": {"the change may mend it", []change{observed(2), has("Ready", "False", "InvalidWrapping"), has("Stalled", "True", "InvalidWrapping")}, progressing, "the operator has not acted on the latest change of the spec yet"},
		"just suspended":       {"an import may be under way", []change{observed(2), ready, suspends}, progressing, "the operator has not acted on the latest change of the spec yet"},
		"just resumed":         {"nobody has looked since", []change{observed(2), ready, has("Suspended", "True", "Suspended")}, progressing, "the operator has not acted on the latest change of the spec yet"},
		"edited while denied":  {"no change of the spec gives access", []change{observed(2), ready, has("Reconciling", "True", "AccessDenied")}, degraded, "about AccessDenied"},
		"suspended while unusable": {
			"a person should know both", []change{observed(3), suspends, has("Ready", "False", "KeyDisabled"), has("Suspended", "True", "Suspended")},
			suspended, "about Suspended; when it was last looked at: about KeyDisabled",
		},
		"suspended for good": {"it was never looked at", []change{observed(3), suspends, has("Ready", "Unknown", "Suspended"), has("Suspended", "True", "Suspended")}, suspended, "about Suspended"},
		"stalled while ready": {
			"stalled outweighs it", []change{observed(3), ready, has("Stalled", "True", "KeyConflict")}, degraded, "about KeyConflict",
		},
		"unusable, nobody at work": {
			"only a person can help", []change{observed(3), has("Ready", "False", "KeyDisabled")}, degraded, "about KeyDisabled",
		},
		"unknown, nobody at work": {"nothing says that it is broken", []change{observed(3), has("Ready", "Unknown", "KMSUnreachable")}, progressing, "about KMSUnreachable"},
		"a condition that is not": {"only True counts", []change{observed(3), ready, has("Stalled", "False", "Imported"), has("Reconciling", "Unknown", "AccessDenied")}, healthy, "about Imported"},
		"several warnings": {
			"each of them, and the date", []change{observed(3), ready, has("SourceMissing", "True", "SecretNotFound"), has("Expiring", "True", "ExpiresSoon"), set("2027-06-01T00:00:00Z", "status", "validTo")},
			healthy, "about Imported; Expiring: about ExpiresSoon; SourceMissing: about SecretNotFound (it expires at 2027-06-01T00:00:00Z)",
		},
		"renewed in time": {
			"then the expiry is no news", []change{observed(3), ready, set("2027-06-01T00:00:00Z", "status", "validTo"), set("2027-05-01T00:00:00Z", "status", "renewalTime")},
			healthy, "about Imported; it is renewed at 2027-05-01T00:00:00Z",
		},
		"a fixed date": {"a person sees how long it lasts", []change{observed(3), ready, set("2027-06-01T00:00:00Z", "status", "validTo")}, healthy, "about Imported; it expires at 2027-06-01T00:00:00Z"},
	}
	check := lua.ResourceHealthOverrides(customizations(t))
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			made := object()
			for _, change := range tc.changes {
				change(made)
			}
			got := healthOf(t, check, made)
			if string(got.Status) != tc.want || got.Message != tc.message {
				t.Errorf("%s %q, want %s %q: %s", got.Status, got.Message, tc.want, tc.message, tc.reason)
			}
		})
	}
}
