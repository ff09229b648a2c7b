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
	switch {
	case Agrees(*o.imported(), o.Look.Key):
		return agreed
	case insisted(d, o):
		return fact
	case neverShown(o):
		return unconverged
	case !o.confirmed() && recent(o):
		return propagating
	case !seenTwice(o):
		return firstContradiction
	default:
		return fact
	}
}

// insisted reports whether a person wants this look to be acted on. To import once more what was never shown takes a
// request for an import; and where the spec says Hold, no request makes it a fact that somebody deleted the material.
func insisted(d Desired, o Observed) bool {
	switch {
	case !o.mayImport():
		return false
	case neverShown(o):
		return reimportRequested(d, o)
	default:
		return requested(d, o) && (!d.HoldDeleted || o.Look.Key.State != kms.KeyStatePendingImport)
	}
}

// confirmed reports whether a look of this process has shown the last import.
func (o Observed) confirmed() bool { return o.Memory.Confirmed.Equal(o.imported().Time.Time) }

// neverShown reports whether KMS answered the last import with success and has not shown it in time. What an earlier
// process has found stands in the record: a restart is no reason to import again.
func neverShown(o Observed) bool {
	known := o.Memory.ImportedHere.Equal(o.imported().Time.Time) && contradictedInTime(o) || o.imported().Unconfirmed != nil
	return known && !o.confirmed() && !recent(o)
}

// contradictedInTime reports whether looks have contradicted the last import from the beginning. Where none could be made
// while it may have been propagating, it may well have been shown, and undone since.
func contradictedInTime(o Observed) bool {
	since := o.Memory.ContradictedSince
	return !since.IsZero() && since.Sub(o.imported().Time.Time) < propagationLimit
}

// seenTwice reports whether a look has contradicted the last import before this one did.
func seenTwice(o Observed) bool {
	since := o.Memory.ContradictedSince
	return !since.IsZero() && o.Now.Sub(since) >= contradictionDelay
}

// recent reports whether the last import may still be propagating. One from the future, by a clock that was set back,
// is taken for none that lasts.
func recent(o Observed) bool {
	age := o.Now.Sub(o.imported().Time.Time)
	return -propagationLimit < age && age < propagationLimit
}

// confirmationChanged keeps in the record that KMS does not show the last import, and takes it out again once it does.
func confirmationChanged(d Desired, o Observed) *Step {
	if !o.vouched() || o.withdrawal() != nil {
		return nil
	}
	marked := o.imported().Unconfirmed != nil
	switch what := believe(d, o); {
	case what == unconverged && !marked:
		return do(MarkUnconfirmed{})
	case what == agreed && marked:
		return do(MarkConfirmed{})
	default:
		return nil
	}
}

// propagationPoll is when to look again after an import.
func propagationPoll(o Observed) time.Duration { return pollAt(o.Now.Sub(o.imported().Time.Time)) }

// pollAt looks after 5 s, again at 20 s, then every minute.
func pollAt(age time.Duration) time.Duration {
	switch {
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
		imported.Operation == v1alpha1.OperationImport && !o.confirmed() && recent(o)
}
