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

// longestBackoff is the most that the work queue waits between two tries.
const longestBackoff = 5 * time.Minute

// expiringSoon makes a key urgent, or half of the time that is kept for its renewal, if that is less.
const expiringSoon = 24 * time.Hour

// schedule says when to wake up again and how urgent that is.
func schedule(d Desired, o Observed, step *Step) {
	step.Priority = priority(d, o, step.Outcome)
	switch step.Outcome {
	case OutcomeSettled, OutcomeStalled:
		step.After = earliest(d, o, resyncAfter(d.UID, o.Resync))
		if step.Reason == v1alpha1.ReasonKeyConflict && o.Status.Key == nil { // by which whoever gives the key up finds this object
			step.After = firstPoll
		}
	case OutcomeWaiting:
		step.After = earliest(d, o, slowPoll(o))
	case OutcomeSuspended:
		step.After = earliest(d, o, 0)
	case OutcomeProgressing, OutcomeUntouched: // set where the step was made
	case OutcomeRetry: // by backoff, unless that might sleep past the expiry
		step.After = beforeExpiry(o)
	}
	if d.Deleting {
		step.After = min(step.After, deletionPoll)
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

// earliest brings a wake-up forward to the renewal, and to the moment at which the expiry last reported passes or is to
// be warned of. Zero means no wake-up.
func earliest(d Desired, o Observed, after time.Duration) time.Duration {
	var candidates []time.Duration
	if !d.Suspended { // a warning is due then, if not the renewal
		candidates = append(candidates, renewalAt(d, o).Sub(o.Now)) // long ago where there is none
	}
	if _, expiry, _ := lastKnownKey(o); expiry.Model == kms.KeyMaterialExpires {
		left := expiry.ValidTo.Sub(o.Now)
		candidates = append(candidates, left)
		for _, warning := range expiryWarnings {
			candidates = append(candidates, left-warning.before)
		}
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
	_, expiry, _ := lastKnownKey(o)
	left := expiry.ValidTo.Sub(o.Now) // long ago where there is none
	if left <= 0 || left > longestBackoff {
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
	switch {
	case urgent(d, o):
		return PriorityUrgent
	case outcome == OutcomeSettled:
		return PriorityRoutine
	case ObservedGeneration(o.Status) != d.Generation || requested(d, o):
		return PriorityEdit
	case o.vouched() && importOverdue(d, o):
		return PriorityRenewal
	default:
		return PriorityRoutine
	}
}

// urgent is a key without material, or one that is about to be.
func urgent(d Desired, o Observed) bool {
	soon := expiringSoon
	if d.ValidFor > 0 {
		soon = min(soon, d.RenewBefore/2)
	}
	state, expiry, _ := lastKnownKey(o)
	expires := expiry.Model == kms.KeyMaterialExpires && expiry.ValidTo.Sub(o.Now) < soon && !o.expired(expiry)
	return state == kms.KeyStatePendingImport || expires
}

// settledByRecord reports whether, as far as the record tells, there is nothing to do for this object.
func settledByRecord(d Desired, o Observed) bool {
	imported := o.imported()
	if !o.vouched() || o.Record.Intent != nil || ObservedGeneration(o.Status) != d.Generation {
		return false
	}
	done := !importOverdue(d, o) && !o.expired(RecordedExpiry(imported.MaterialImport))
	return done && UsabilityOf(d, o) == Usable && quiet(o.Status) &&
		(sameSecretVersion(d, o, imported.Secret) || sourceStillMissing(o))
}

// sourceStillMissing reports whether the Secret is gone and the last status says so.
func sourceStillMissing(o Observed) bool {
	return o.Secret.Presence != SecretPresent && conditionOf(o.Status, v1alpha1.ConditionSourceMissing) != nil
}

// quiet reports whether the last status, if it was Ready, was that of a settled object.
func quiet(status v1alpha1.KMSKeyImportStatus) bool {
	return conditionOf(status, v1alpha1.ConditionReconciling) == nil && conditionOf(status, v1alpha1.ConditionStalled) == nil
}
