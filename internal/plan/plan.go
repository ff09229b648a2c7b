package plan

import (
	"fmt"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// lateExpiryPoll is how often to look at a key that should have lost its material by now.
const lateExpiryPoll = time.Minute

// check returns a Step when it applies and nil when the next check is to be asked.
type check func(Desired, Observed) *Step

// checks in the order in which they are asked: nothing that comes later can overrule what comes earlier.
var checks = []check{
	obstructed,
	finalizerDiffers,
	deleting,
	suspended,
	firstSight,
	lookNeeded,
	lookFailed,
	keyTargetChanged,
	keyNotImportable,
	holdNeeded,
	holdEnded,
	keyState,
	keyConflict,
	withdrawalUncertain,
	sealedRefill,
	refillOutcome,
	secretUnavailable,
	materialInvalid,
	materialDiffers,
	takeOver,
	secretVersionChanged,
	materialSuperseded,
	attemptFailed,
	withdrawalUndone,
	outcomeUnknown,
	adoptionDue,
	confirmationChanged,
	materialMissing,
	reimportAsked,
	expiryDiffers,
	renewalDue,
	interruptionDue,
	settled,
}

// Next decides the next step. It is a pure function of its arguments.
func Next(desired Desired, observed Observed) Step {
	step := first(checks, desired, observed) // never nil: settled always applies
	if _, last := step.Action.(Finish); last {
		complete(desired, observed, step)
	}
	return *step
}

// first is the step of the first check that applies; nil when none does.
func first(checks []check, d Desired, o Observed) *Step {
	for _, applies := range checks {
		if step := applies(d, o); step != nil {
			return step
		}
	}
	return nil
}

// complete adds to the end of a pass what does not depend on which check ended it.
func complete(d Desired, o Observed, step *Step) {
	if step.Outcome != OutcomeUntouched {
		step.Warnings = append(step.Warnings, warnings(d, o, *step)...)
	}
	schedule(d, o, step)
}

func suspended(d Desired, _ Observed) *Step {
	if !d.Suspended {
		return nil
	}
	step := finish(OutcomeSuspended, v1alpha1.ReasonSuspended, "spec.suspend is true: the key is left as it is; remove spec.suspend to resume")
	step.Warnings = []Warning{{v1alpha1.ConditionSuspended, v1alpha1.ReasonSuspended, step.Message}}
	return step
}

// firstSight spreads the first looks after a restart: an object that its record says is settled can wait its turn
// within the resync interval. A clock that was set back does not make it longer.
func firstSight(d Desired, o Observed) *Step {
	due := o.Memory.FirstSeen.Add(spread(d.UID, o.Resync))
	early := o.Now.Before(due) && !o.Now.Before(o.Memory.FirstSeen)
	if !o.Memory.LastLook.IsZero() || !early || requested(d, o) || !settledByRecord(d, o) {
		return nil
	}
	step := finish(OutcomeUntouched, "", "")
	step.After = earliest(d, o, due.Sub(o.Now))
	return step
}

func lookNeeded(_ Desired, o Observed) *Step {
	if o.Look != nil {
		return nil
	}
	return do(Look{})
}

func lookFailed(d Desired, o Observed) *Step {
	if o.Look.Err == nil {
		return nil
	}
	if o.gone() {
		return wait(v1alpha1.ReasonKeyNotFound, fmt.Sprintf(
			"KMS has no key %q in this region and account: create it with Origin EXTERNAL, or create a new KMSKeyImport with the right keyID", d.KeyID))
	}
	return failedCall(o.Look.Err)
}

func keyTargetChanged(d Desired, o Observed) *Step {
	if !o.elsewhere() {
		return nil
	}
	return stall(v1alpha1.ReasonKeyTargetChanged, fmt.Sprintf(
		"keyID %q now leads to another key than %s, which this object owns: point it back, or create a new KMSKeyImport for the other key", d.KeyID, o.Record.KeyARN))
}

func keyConflict(_ Desired, o Observed) *Step {
	if o.Ownership != Foreign {
		return nil
	}
	return stall(v1alpha1.ReasonKeyConflict,
		"another KMSKeyImport owns this key: a key has one owner; delete the other object or this one")
}

func settled(d Desired, o Observed) *Step {
	if UsabilityOf(d, o) != Usable {
		return progress("the expiry that KMS reports has passed; waiting for KMS to delete the material", lateExpiryPoll)
	}
	return finish(OutcomeSettled, "", "")
}
