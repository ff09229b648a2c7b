package argocd_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What each reason is to Argo CD, where it is the reason of Reconciling, Suspended or Stalled, or else of Ready. The
// reasons of warnings decide nothing.
const (
	healthy     = "Healthy"
	progressing = "Progressing"
	degraded    = "Degraded"
	suspended   = "Suspended"
	nothing     = ""
)

var specified = map[string]string{
	"Imported":  healthy,
	"Suspended": suspended,

	"Progressing":         progressing,
	"SecretNotFound":      progressing,
	"SecretKeyMissing":    progressing,
	"SecretNotConsenting": progressing,
	"KeyNotFound":         progressing,
	"KeyCreating":         progressing,
	"KeyUpdating":         progressing,
	"KeyUnavailable":      progressing,
	"KeyDisabled":         progressing,
	"KMSUnreachable":      progressing,
	"Throttled":           progressing,
	"KMSError":            progressing,
	"ReconcileError":      progressing,

	"AccessDenied":              degraded,
	"KeyNotImportable":          degraded,
	"OperationNotSupported":     degraded,
	"KeyPendingDeletion":        degraded,
	"KeyPendingReplicaDeletion": degraded,
	"KeyConflict":               degraded,
	"KeyTargetChanged":          degraded,
	"InvalidKeyMaterial":        degraded,
	"InvalidWrapping":           degraded,
	"InvalidExpiration":         degraded,
	"MaterialExpired":           degraded,
	"MaterialChanged":           degraded,
	"MaterialMismatch":          degraded,
	"MaterialUnverifiable":      degraded,
	"MaterialSuperseded":        degraded,
	"OtherMaterialMissing":      degraded,
	"ImportIneffective":         degraded,
	"MaterialDeleted":           degraded,
	"HeldAfterDisable":          degraded,

	"ExpiresSoon":          nothing,
	"ExpiryShortened":      nothing,
	"EarlierExpiry":        nothing,
	"NoImportOverMaterial": nothing,
	"KeyInterrupted":       nothing,

	// Of events alone.
	"MaterialWithdrawn": nothing,
	"MaterialRetained":  nothing,
}

func TestEveryReasonIsSpecified(t *testing.T) {
	if diff := cmp.Diff(slices.Sorted(maps.Keys(catalogue(t))), slices.Sorted(maps.Keys(specified))); diff != "" {
		t.Errorf("reasons (-api/v1alpha1/conditions.go +specified here):\n%s", diff)
	}
}

// healthOf is what Argo CD says.
func healthOf(t *testing.T, check lua.ResourceHealthOverrides, object *unstructured.Unstructured) health.HealthStatus {
	t.Helper()
	found, err := health.GetResourceHealth(object, check)
	if err != nil {
		t.Fatal(err)
	}
	if found == nil {
		t.Fatal("no health check was found")
	}
	return *found
}

// decisive is the condition that says what the operator does now; Ready where it does nothing.
func decisive(conditions map[string]condition) condition {
	for _, name := range []string{"Reconciling", "Suspended", "Stalled"} {
		if found, ok := conditions[name]; ok {
			return found
		}
	}
	return conditions["Ready"]
}

// upToDate reports whether the status is about the present spec.
func upToDate(object *unstructured.Unstructured) bool {
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	return observed == object.GetGeneration()
}

func TestHealthOfRealObjects(t *testing.T) {
	check := lua.ResourceHealthOverrides(customizations(t))
	statuses, reasons, stale := map[string]int{}, map[string]int{}, 0
	for name, one := range seen(t) {
		conditions := conditionsOf(t, one.Object)
		deciding := decisive(conditions)
		got := healthOf(t, check, one.Object)
		statuses[string(got.Status)]++
		for _, each := range conditions {
			reasons[each.Reason]++
		}

		want := specified[deciding.Reason]
		switch {
		case one.Object.GetDeletionTimestamp() != nil, len(conditions) == 0:
			want = progressing
		case deciding.Type != "Reconciling" && !upToDate(one.Object):
			want, stale = progressing, stale+1
		default:
			messageTells(t, name, one.Object, got.Message)
		}
		if string(got.Status) != want {
			t.Errorf("%s: %s, want %s for %s %s: %s", name, got.Status, want, deciding.Type, deciding.Reason, got.Message)
		}
		if !agree(one, conditions, string(got.Status)) {
			t.Errorf("%s: %s, and kstatus says %s for %v", name, got.Status, one.KStatus, conditions)
		}
	}
	for _, status := range []string{healthy, progressing, degraded, suspended} {
		if statuses[status] == 0 {
			t.Errorf("no object was %s: the suite shows too little", status)
		}
	}
	if stale == 0 {
		t.Error("no object was seen between a change of its spec and the pass that answers it")
	}
	for reason := range reasons {
		if _, known := specified[reason]; !known {
			t.Errorf("reason %s occurred and is not specified", reason)
		}
	}
	t.Logf("%v; %d of %d reasons occurred: %v", statuses, len(reasons), len(specified), reasons)
}

// messageTells checks that a person finds in Argo CD what the conditions say.
func messageTells(t *testing.T, name string, object *unstructured.Unstructured, message string) {
	t.Helper()
	conditions := conditionsOf(t, object)
	told := []string{decisive(conditions).Message}
	for _, warning := range []string{"Interrupted", "Expiring", "SourceMissing", "OtherMaterialExpires", "RenewalNeedsInterruption"} {
		if conditions[warning].Message != "" {
			told = append(told, warning+": "+conditions[warning].Message)
		}
	}
	validTo, _, _ := unstructured.NestedString(object.Object, "status", "validTo")
	renewal, _, _ := unstructured.NestedString(object.Object, "status", "renewalTime")
	switch deciding := decisive(conditions).Type; {
	case conditions["Expiring"].Message != "":
		told = append(told, validTo)
	case deciding == "Ready" && renewal != "":
		told = append(told, renewal)
	case deciding == "Ready":
		told = append(told, validTo)
	case deciding == "Suspended" && conditions["Ready"].Status != "True":
		told = append(told, conditions["Ready"].Message)
	}
	for _, text := range told {
		if !strings.Contains(message, text) {
			t.Errorf("%s: message %q does not say %q", name, message, text)
		}
	}
}

// agree compares with kstatus, by which Flux goes. It knows neither of access that was denied, where waiting does not
// help, nor of suspension.
func agree(one seenObject, conditions map[string]condition, status string) bool {
	switch one.KStatus {
	case "Current":
		return status == healthy || status == suspended
	case "Failed":
		return status == degraded
	case "InProgress":
		denied := conditions["Reconciling"].Reason == "AccessDenied"
		return denied && status == degraded || !denied && status == progressing ||
			status == suspended && conditions["Ready"].Status != "True"
	case "Terminating":
		return status == progressing
	default:
		return false
	}
}
