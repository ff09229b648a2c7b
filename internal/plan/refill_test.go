package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// sealedMaterial is kept for the key since it was emptied.
func sealedMaterial(f *facts) {
	validTo := metav1.NewTime(now.Add(day))
	f.observed.Record.Withdrawal.Sealed = &v1alpha1.SealedMaterial{ParametersValidTo: &validTo, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048"}
}

// A key that was emptied is filled with what was sealed, or found out about, whatever has become of the Secret.
func TestRefillOutcome(t *testing.T) {
	emptied := all(onQKMS, empty, withdrawn(0))
	filled := all(onQKMS, withdrawn(10*time.Minute), intent, intendedExpiry(30*day), stateBefore("PendingImport"))
	shows := func(ahead time.Duration) change {
		return func(f *facts) { f.observed.Look.Key.Expiry = until(now.Add(ahead)) }
	}
	failed := func(class kms.ErrorClass) change {
		return attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: class})
	}
	otherBytes := all(rewritten, otherMaterial)
	cases{
		"sealed, denied, other bytes":     {"tried again with what was sealed", all(emptied, sealedMaterial, otherBytes, failed("AccessDenied")), retries("AccessDenied")},
		"sealed, throttled, no Secret":    {"it needs none", all(emptied, sealedMaterial, secret("Absent"), failed("Throttled")), retries("Throttled")},
		"spoilt, other bytes":             {"only the Secret is left", all(emptied, otherBytes, failed("TokenRefused")), stalls("MaterialChanged")},
		"not sealed, denied, other bytes": {"nothing is imported over other bytes", all(emptied, otherBytes, failed("AccessDenied")), stalls("MaterialChanged")},
		"lost, shown":                     {"by the new expiry", all(filled, shows(30*day)), does(plan.ConfirmImport{})},
		"lost, shown, other bytes":        {"the import was of others", all(filled, shows(30*day), otherBytes), does(plan.ConfirmImport{})},
		"lost, shown, no Secret":          {"the import is over", all(filled, shows(30*day), secret("Absent")), does(plan.ConfirmImport{})},
		"lost, something else, other bytes": {"somebody else's import", all(filled, shows(31*day), otherBytes),
			stalls("MaterialUnverifiable")},
		"lost, not withdrawn, other bytes": {"as for any import", all(onQKMS, intent, intendedExpiry(30*day), stateBefore("PendingImport"), shows(30*day), otherBytes),
			stalls("MaterialChanged")},
	}.run(t)
}

// What KMS says ahead of an interruption, or to the deletion itself, means what it means for any import or call.
func TestFailedInterruption(t *testing.T) {
	due := all(onQKMS, wantsExpiry(30*day), withFinalizer, func(f *facts) { f.desired.AllowInterruption = true })
	failed := func(operation string, class kms.ErrorClass) change {
		return func(f *facts) {
			f.observed.Withdrawal = &plan.WithdrawalAttempt{Err: &kms.Error{Operation: operation, Class: class}}
		}
	}
	cases{
		"parameters, wrapping": {"as ahead of any import", all(due, failed("GetParametersForImport", "InvalidRequest")), stalls("InvalidWrapping")},
		"parameters, denied":   {"tried again", all(due, failed("GetParametersForImport", "AccessDenied")), retries("AccessDenied")},
		"deletion, denied":     {"tried again", all(due, failed("DeleteImportedKeyMaterial", "AccessDenied")), retries("AccessDenied")},
		"deletion, request":    {"it has no wrapping", all(due, failed("DeleteImportedKeyMaterial", "InvalidRequest")), retries("KMSError")},
		"deletion, kind":       {"that the key takes no import is not said", all(due, failed("DeleteImportedKeyMaterial", "Unsupported")), retries("KMSError")},
		"leaving":              {"without its Secret the key could not be filled", all(due, func(f *facts) { f.observed.Secret.Leaving = true }), waits("SecretNotFound")},
	}.run(t)
}

// Between its first look and its last a key may be found in another state, or another key.
func TestMayInterrupt(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		changes change
		want    bool
	}{
		"as it was":   {"nothing speaks against it", unchanged, true},
		"in place":    {"nobody allows it", func(f *facts) { f.desired.AllowInterruption = false }, false},
		"AWS":         {"it is not needed there", func(f *facts) { f.observed.Dialect = "AWS" }, false},
		"unanswered":  {"what it holds is not known", intent, false},
		"not mine":    {"it is another's", foreign, false},
		"claim only":  {"nothing is known to have been imported", nothingImported, false},
		"disabled":    {"somebody takes it out of use", state("Disabled"), false},
		"another key": {"the alias was moved", otherKey, false},
		"look failed": {"it was not seen", lookError("Throttled"), false},
		"expiry":      {"somebody imported", func(f *facts) { f.observed.Look.Key.Expiry = until(now.Add(31 * day)) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := changed(onQKMS, func(f *facts) { f.desired.AllowInterruption = true }, c.changes)
			if got := plan.MayInterrupt(f.desired, f.observed); got != c.want {
				t.Errorf("%s: got %t", c.reason, got)
			}
		})
	}
}

// What KMS will never take of sealed material is of no use any more, and the Secret's is taken.
func TestSpoilt(t *testing.T) {
	for class, want := range map[kms.ErrorClass]bool{
		"TokenRefused": true, "CiphertextRefused": true, "MaterialRefused": true, "InvalidRequest": true, "Other": true,
		"AccessDenied": false, "Throttled": false, "Unreachable": false, "ServerFault": false, "InvalidState": false,
	} {
		if got := plan.Spoilt(&kms.Error{Operation: "ImportKeyMaterial", Class: class}); got != want {
			t.Errorf("%s: got %t", class, got)
		}
	}
}
