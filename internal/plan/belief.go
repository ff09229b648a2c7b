package plan

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// KMS is eventually consistent: a look may show the time before our own import. So our own answer is believed until a
// look confirms it, and what contradicts a confirmed import is acted on only when two looks have seen it.
const (
	propagationLimit   = 5 * time.Minute
	contradictionDelay = 5 * time.Second
)

// belief is what to make of a look after an import.
type belief string

const (
	agreed             belief = "agreed"
	propagating        belief = "propagating"        // not confirmed yet: wait
	firstContradiction belief = "firstContradiction" // confirmed before, seen once: look again
	fact               belief = "fact"               // to be acted on
	unconverged        belief = "unconverged"        // never confirmed: importing once more would not help
)

// Agrees reports whether a look shows the key as it was imported. An enabled key has material; a KMS that leaves its
// expiry out of the answer contradicts nothing.
func Agrees(imported v1alpha1.ImportedMaterial, key kms.Key) bool {
	if key.State == kms.KeyStateEnabled && key.Expiry.Model == "" {
		return true
	}
	return key.State != kms.KeyStatePendingImport && key.Expiry.Equal(RecordedExpiry(imported.MaterialImport))
}

// believe weighs the look of this pass against the last import on record, which must exist.
func believe(d Desired, o Observed) belief {
	at := o.imported().Time.Time
	age := o.Now.Sub(at)
	confirmed := o.Memory.Confirmed.Equal(at)
	switch {
	case Agrees(*o.imported(), o.Look.Key):
		return agreed
	case requested(d, o) && o.mayImport():
		return fact
	case !confirmed && age < propagationLimit:
		return propagating
	case !confirmed && (o.Memory.ImportedHere.Equal(at) || saidUnconverged(o.Status)):
		return unconverged
	case o.Memory.ContradictedSince.IsZero(), o.Now.Sub(o.Memory.ContradictedSince) < contradictionDelay:
		return firstContradiction
	default:
		return fact
	}
}

// saidUnconverged reports whether an earlier process came to that: a restart is no reason to import again.
func saidUnconverged(status v1alpha1.KMSKeyImportStatus) bool {
	stalled := conditionOf(status, v1alpha1.ConditionStalled)
	return conditionOf(status, v1alpha1.ConditionOtherMaterialExpires) != nil ||
		stalled != nil && (stalled.Reason == v1alpha1.ReasonOtherMaterialMissing || stalled.Reason == v1alpha1.ReasonImportIneffective)
}

// propagationPoll looks after 5 s, again at 20 s, then every minute.
func propagationPoll(o Observed) time.Duration {
	switch age := o.Now.Sub(o.imported().Time.Time); {
	case age < 5*time.Second:
		return 5 * time.Second
	case age < 20*time.Second:
		return 15 * time.Second
	default:
		return time.Minute
	}
}

// FirstImport reports whether this key is still on its way to its first import: none succeeded yet, or the first may
// still be propagating and has not been confirmed by a look.
func FirstImport(o Observed) bool {
	imported := o.imported()
	return imported == nil ||
		imported.Operation == v1alpha1.OperationImport && !o.Memory.Confirmed.Equal(imported.Time.Time) &&
			o.Now.Sub(imported.Time.Time) < propagationLimit
}
