package plan

import (
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// firstPoll is where polling for something that must appear begins.
const firstPoll = 10 * time.Second

// expiringSoon makes a key urgent.
const expiringSoon = 24 * time.Hour

// schedule says when to wake up again and how urgent that is.
func schedule(d Desired, o Observed, step *Step) {
	step.Priority = priority(d, o)
	switch step.Outcome {
	case OutcomeSettled, OutcomeStalled:
		step.After = earliest(o, resyncAfter(d.UID, o.Resync))
	case OutcomeWaiting:
		step.After = earliest(o, slowPoll(o))
	case OutcomeSuspended:
		step.After = earliest(o, 0)
	case OutcomeProgressing, OutcomeUntouched: // set where the step was made
	case OutcomeRetry: // by backoff
	}
}

// resyncAfter spreads looks by at most a tenth to either side, so that objects created together drift apart.
func resyncAfter(uid types.UID, resync time.Duration) time.Duration {
	return resync - resync/10 + spread(uid, resync/5)
}

// slowPoll doubles from firstPoll to the resync interval with the time that has been spent waiting.
func slowPoll(o Observed) time.Duration {
	for _, condition := range o.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReconciling {
			waited := o.Now.Sub(condition.LastTransitionTime.Time)
			return min(max(waited, firstPoll), max(o.Resync, firstPoll))
		}
	}
	return firstPoll
}

// earliest brings a wake-up forward to the moment at which the expiry last reported passes or is to be warned of.
// Zero means no wake-up.
func earliest(o Observed, after time.Duration) time.Duration {
	_, expiry, known := lastKnownKey(o)
	if !known || expiry.Model != kms.KeyMaterialExpires {
		return after
	}
	left := expiry.ValidTo.Sub(o.Now)
	candidates := []time.Duration{left}
	for _, warning := range expiryWarnings {
		candidates = append(candidates, left-warning.before)
	}
	for _, candidate := range candidates {
		if candidate > 0 && (after == 0 || candidate < after) {
			after = candidate
		}
	}
	return after
}

// spread is a duration below the interval that is fixed for each object.
func spread(uid types.UID, interval time.Duration) time.Duration {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(uid)) // never fails
	const steps = 1 << 20
	return time.Duration(float64(interval) * float64(hash.Sum64()%steps) / steps)
}

func priority(d Desired, o Observed) Priority {
	state, expiry, known := lastKnownKey(o)
	switch {
	case known && state == kms.KeyStatePendingImport,
		known && expiry.Model == kms.KeyMaterialExpires && expiry.ValidTo.Sub(o.Now) < expiringSoon && !o.expired(expiry):
		return PriorityUrgent
	case ObservedGeneration(o.Status) != d.Generation || requested(d, o):
		return PriorityEdit
	case known && !expiry.Equal(d.Expiry):
		return PriorityRenewal
	default:
		return PriorityRoutine
	}
}

// settledByRecord reports whether, as far as the record tells, there is nothing to do for this object.
func settledByRecord(d Desired, o Observed) bool {
	imported := o.imported()
	if o.Ownership != Mine || imported == nil || o.Record.Intent != nil || ObservedGeneration(o.Status) != d.Generation {
		return false
	}
	recorded := RecordedExpiry(imported.MaterialImport)
	return d.Expiry.Equal(recorded) && !o.expired(recorded) && UsabilityOf(o) == Usable && readyAndQuiet(o.Status) &&
		sameSecretVersion(d, o, imported.Secret)
}

// readyAndQuiet reports whether the last status was that of a settled object.
func readyAndQuiet(status v1alpha1.KMSKeyImportStatus) bool {
	ready := false
	for _, condition := range status.Conditions {
		switch condition.Type {
		case v1alpha1.ConditionReady:
			ready = condition.Status == "True"
		case v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled:
			return false
		}
	}
	return ready
}
