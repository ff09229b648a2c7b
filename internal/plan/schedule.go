package plan

import (
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// firstPoll is where polling for something that must appear begins.
const firstPoll = 10 * time.Second

// longestBackoff is the most that the work queue waits between two tries.
const longestBackoff = 5 * time.Minute

// expiringSoon makes a key urgent.
const expiringSoon = 24 * time.Hour

// schedule says when to wake up again and how urgent that is.
func schedule(d Desired, o Observed, step *Step) {
	step.Priority = priority(d, o, step.Outcome)
	switch step.Outcome {
	case OutcomeSettled, OutcomeStalled:
		step.After = earliest(o, resyncAfter(d.UID, o.Resync))
	case OutcomeWaiting:
		step.After = earliest(o, slowPoll(o))
	case OutcomeSuspended:
		step.After = earliest(o, 0)
	case OutcomeProgressing, OutcomeUntouched: // set where the step was made
	case OutcomeRetry: // by backoff, unless that might sleep past the expiry
		step.After = beforeExpiry(o)
	}
}

// resyncAfter spreads looks by at most a tenth to either side, so that objects created together drift apart.
func resyncAfter(uid types.UID, resync time.Duration) time.Duration {
	return resync - resync/10 + spread(uid, resync/5)
}

// slowPoll doubles from firstPoll to the resync interval with the time that has been spent waiting.
func slowPoll(o Observed) time.Duration {
	since := conditionOf(o.Status, v1alpha1.ConditionReconciling)
	if since == nil {
		return firstPoll
	}
	return min(max(o.Now.Sub(since.LastTransitionTime.Time), firstPoll), max(o.Resync, firstPoll))
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

// beforeExpiry replaces the backoff, which may take as long as longestBackoff, when the expiry last reported is nearer.
// Zero leaves it.
func beforeExpiry(o Observed) time.Duration {
	_, expiry, known := lastKnownKey(o)
	left := expiry.ValidTo.Sub(o.Now)
	if !known || expiry.Model != kms.KeyMaterialExpires || left <= 0 || left > longestBackoff {
		return 0
	}
	return min(left, firstPoll)
}

// spread is a duration below the interval that is fixed for each object.
func spread(uid types.UID, interval time.Duration) time.Duration {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(uid)) // never fails
	const steps = 1 << 20
	return time.Duration(float64(interval) * float64(hash.Sum64()%steps) / steps)
}

// priority of the next pass. One that a person must act on first is routine until that person does, which is an event.
func priority(d Desired, o Observed, outcome Outcome) Priority {
	if outcome == OutcomeStalled || outcome == OutcomeSuspended {
		return PriorityRoutine
	}
	_, expiry, known := lastKnownKey(o)
	switch {
	case urgent(o):
		return PriorityUrgent
	case outcome == OutcomeSettled:
		return PriorityRoutine
	case ObservedGeneration(o.Status) != d.Generation || requested(d, o):
		return PriorityEdit
	case known && !expiry.Equal(d.Expiry):
		return PriorityRenewal
	default:
		return PriorityRoutine
	}
}

// urgent is a key without material, or one that is about to be.
func urgent(o Observed) bool {
	state, expiry, known := lastKnownKey(o)
	expires := expiry.Model == kms.KeyMaterialExpires && expiry.ValidTo.Sub(o.Now) < expiringSoon && !o.expired(expiry)
	return known && (state == kms.KeyStatePendingImport || expires)
}

// settledByRecord reports whether, as far as the record tells, there is nothing to do for this object.
func settledByRecord(d Desired, o Observed) bool {
	imported := o.imported()
	if o.Ownership != Mine || imported == nil || o.Record.Intent != nil || ObservedGeneration(o.Status) != d.Generation {
		return false
	}
	recorded := RecordedExpiry(imported.MaterialImport)
	return d.Expiry.Equal(recorded) && !o.expired(recorded) && UsabilityOf(d, o) == Usable && readyAndQuiet(o.Status) &&
		(sameSecretVersion(d, o, imported.Secret) || sourceStillMissing(o))
}

// sourceStillMissing reports whether the Secret is gone and the last status says so.
func sourceStillMissing(o Observed) bool {
	return o.Secret.Presence != SecretPresent && conditionOf(o.Status, v1alpha1.ConditionSourceMissing) != nil
}

// readyAndQuiet reports whether the last status was that of a settled object.
func readyAndQuiet(status v1alpha1.KMSKeyImportStatus) bool {
	return meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) &&
		conditionOf(status, v1alpha1.ConditionReconciling) == nil && conditionOf(status, v1alpha1.ConditionStalled) == nil
}
