package status_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// onQKMS is an object on QKMS that permits to empty its key.
func onQKMS(e *end) {
	e.observed.Dialect = "QKMS"
	e.desired.AllowInterruption, e.desired.Finalizer = true, true
	e.observed.Look.Key.CurrentKeyMaterialID, e.observed.Record.Imported.KeyMaterialID = "", ""
}

// withdrawing is a deletion of the material by this operator whose answer was lost; withdrawn one that was confirmed.
func withdrawing(cause v1alpha1.WithdrawalCause, ago time.Duration) change {
	return func(e *end) {
		e.observed.Record.Withdrawal = &v1alpha1.MaterialWithdrawal{Cause: cause, Time: metav1.NewTime(now.Add(-ago))}
	}
}

func withdrawn(cause v1alpha1.WithdrawalCause, ago time.Duration) change {
	return func(e *end) {
		withdrawing(cause, ago)(e)
		e.observed.Record.Withdrawal.CompletedAt = &e.observed.Record.Withdrawal.Time
	}
}

// leaving is an object that was deleted a minute ago and asks for its material to be deleted with it.
func leaving(e *end) {
	e.desired.Deleting, e.desired.DeletedAt, e.desired.Finalizer, e.desired.DeleteMaterial = true, now.Add(-time.Minute), true, true
	e.observed.Memory.DeletionSeen = now.Add(-time.Minute)
	e.observed.Material = &plan.Material{Fingerprint: "fingerprint-1", Comparable: true}
}

// rollsSoon is material that this KMS renews by an interruption only, and that expires in a day.
func rollsSoon(e *end) {
	expires(day)(e)
	e.desired.Expiry, e.desired.ValidFor, e.desired.RenewBefore = kms.Expiry{Model: "KEY_MATERIAL_EXPIRES"}, 30*day, 10*day
	e.observed.Record.Imported.ValidFor = &metav1.Duration{Duration: 30 * day}
}

func denied(e *end) {
	e.observed.Withdrawal = &plan.WithdrawalAttempt{Err: &kms.Error{Operation: "DeleteImportedKeyMaterial", Class: "AccessDenied"}}
}

func fullFromElsewhere(e *end) { e.observed.Record, e.observed.Ownership = nil, "Unclaimed" }

// What people and their tools see while material is withdrawn, a key is interrupted or adopted: a key is never said to be
// ready that may be empty, and one that the operator itself has emptied is said to be interrupted.
func TestWithdrawals(t *testing.T) {
	interrupted := all(onQKMS, withdrawn("Interruption", time.Minute), empty)
	cases := map[string]struct {
		reason      string
		change      change
		ready       string
		reconciling string
		stalled     string
		interrupted string
		kstatus     string
	}{
		"answer lost":              {"it may be empty", all(onQKMS, withdrawing("Interruption", time.Minute)), "Unknown Progressing", "True Progressing", "", "", "InProgress"},
		"answer lost, suspended":   {"it may be empty", all(onQKMS, withdrawing("Interruption", time.Minute), suspended), "Unknown Suspended", "", "", "", "InProgress"},
		"answer lost, look failed": {"it may be empty", all(onQKMS, withdrawing("Interruption", time.Minute), lookError("Throttled")), "Unknown Throttled", "True Throttled", "", "", "InProgress"},
		"not shown yet":            {"it is empty, whatever KMS shows", all(onQKMS, withdrawn("Interruption", time.Minute)), "False Progressing", "True Progressing", "", "True KeyInterrupted", "InProgress"},
		"turn to wait for":         {"it is empty", all(interrupted, hisTurnIn(time.Second)), "False Progressing", "True Progressing", "", "True KeyInterrupted", "InProgress"},
		"no Secret":                {"it is empty, and cannot be filled", all(interrupted, noSecret), "False SecretNotFound", "True SecretNotFound", "", "True KeyInterrupted", "InProgress"},
		"other bytes":              {"it is empty, and is not filled with them", all(interrupted, otherBytes), "False MaterialChanged", "", "True MaterialChanged", "True KeyInterrupted", "Failed"},
		"throttled":                {"it is empty", all(interrupted, throttledImport), "False Throttled", "True Throttled", "", "True KeyInterrupted", "InProgress"},
		"KMS silent":               {"it is empty", all(interrupted, lookError("Unreachable")), "False KMSUnreachable", "True KMSUnreachable", "", "True KeyInterrupted", "InProgress"},
		"suspended":                {"it is empty, and stays so", all(interrupted, suspended), "False Suspended", "", "", "True KeyInterrupted", "InProgress"},
		"filled by somebody":       {"nobody knows with what", all(onQKMS, withdrawn("Interruption", time.Hour)), "False MaterialUnverifiable", "", "True MaterialUnverifiable", "True KeyInterrupted", "Failed"},
		"withdrawn with an object": {"the new owner fills it, and nobody was interrupted", all(withdrawn("ObjectDeleted", day), empty, hisTurnIn(time.Second)), "False Progressing", "True Progressing", "", "", "InProgress"},
		"renewal is due":           {"the key is usable, and will not be", all(onQKMS, rollsSoon, func(e *end) { e.desired.AllowInterruption, e.desired.Finalizer = false, false }), "True Imported", "", "", "", "Current"},
		"interruption denied":      {"the key is usable", all(onQKMS, rollsSoon, denied), "True Imported", "True AccessDenied", "", "", "InProgress"},

		"deleted just now":   {"the key is usable", all(leaving, func(e *end) { e.observed.Memory.DeletionSeen = now }), "True Imported", "True Progressing", "", "", "Terminating"},
		"deletion denied":    {"the key is usable", all(leaving, denied), "True Imported", "True AccessDenied", "", "", "Terminating"},
		"deleted, lost":      {"it may be empty", all(leaving, withdrawing("ObjectDeleted", time.Minute)), "Unknown Progressing", "True Progressing", "", "", "Terminating"},
		"deleted, let go":    {"nothing is said any more", all(leaving, func(e *end) { e.desired.Finalizer = false }), "True Imported", "", "", "", "Terminating"},
		"adoption, its turn": {"nothing is known yet", all(unseen, fullFromElsewhere, hisTurnIn(time.Second)), "Unknown Progressing", "True Progressing", "", "", "InProgress"},
		"adoption, refused": {
			"the Secret holds other bytes", all(unseen, fullFromElsewhere, func(e *end) {
				e.observed.Attempt = &plan.ImportAttempt{Tries: 1, Err: &kms.Error{Operation: "ImportKeyMaterial", Class: "MaterialRefused"}}
			}), "False MaterialMismatch", "", "True MaterialMismatch", "", "Failed",
		},
		"adoption on QKMS": {"it cannot be told", all(onQKMS, unseen, fullFromElsewhere), "False MaterialUnverifiable", "", "True MaterialUnverifiable", "", "Failed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := changed(tc.change)
			got := e.apply()
			for conditionType, want := range map[string]string{
				"Ready": tc.ready, "Reconciling": tc.reconciling, "Stalled": tc.stalled, "Interrupted": tc.interrupted,
			} {
				if is := condition(got, conditionType); is != want {
					t.Errorf("%s: %s is %q, want %q", tc.reason, conditionType, is, want)
				}
			}
			if is := kstatusOf(t, e); is != tc.kstatus {
				t.Errorf("%s: kstatus says %s, want %s", tc.reason, is, tc.kstatus)
			}
			if !e.desired.Deleting || e.desired.Finalizer {
				assertInvariants(t, e)
			}
		})
	}
}
