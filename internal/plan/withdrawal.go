package plan

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// A withdrawal is in the record from before it is asked for until the material is back. Until KMS has confirmed it, its
// outcome is unknown, and a look tells: what KMS does not show after propagationLimit, it has not done.

// withdrawal is that of this object's key; nil when there is none.
func (o Observed) withdrawal() *v1alpha1.MaterialWithdrawal {
	if o.Ownership != Mine {
		return nil
	}
	return o.Record.Withdrawal
}

// Withdrawn reports whether this object's key was emptied by this operator, as far as is known.
func (o Observed) withdrawn() bool { return o.withdrawal() != nil && o.withdrawal().CompletedAt != nil }

// withdrawalRecent reports whether looks may still show the time before the withdrawal.
func withdrawalRecent(o Observed) bool {
	age := o.Now.Sub(o.withdrawal().Time.Time)
	return -propagationLimit < age && age < propagationLimit
}

// withdrawalUncertain finds out what a withdrawal came to whose answer was lost.
func withdrawalUncertain(_ Desired, o Observed) *Step {
	switch {
	case o.withdrawal() == nil || o.withdrawn():
		return nil
	case o.Look.Key.State == kms.KeyStatePendingImport:
		return do(ConfirmWithdrawal{})
	case withdrawalRecent(o):
		return progress("the answer to the deletion of the key's material was lost; looking whether KMS has done it", withdrawalPoll(o))
	default:
		return do(ForgetWithdrawal{})
	}
}

// withdrawalUndone is a key that KMS said it has emptied, and shows with material. An import whose answer was lost is
// judged as such.
func withdrawalUndone(d Desired, o Observed) *Step {
	switch {
	case !o.withdrawn(), o.Look.Key.State == kms.KeyStatePendingImport:
		return nil
	case withdrawalRecent(o):
		return progress("the key's material was deleted in KMS; waiting for KMS to show that", withdrawalPoll(o))
	case o.importsOverMaterial():
		return importDue(d, o, v1alpha1.CauseMaterialWithdrawn)
	default:
		return stall(v1alpha1.ReasonMaterialUnverifiable,
			"KMS confirmed that it deleted the key's material, and shows the key with material: if somebody has imported some since, whether "+
				"it is the Secret's cannot be told; "+deleteByHand)
	}
}

// sealedRefill brings back the material that was sealed before it was withdrawn: it needs no Secret, and no turn.
func sealedRefill(d Desired, o Observed) *Step {
	if !o.withdrawn() || o.Look.Key.State != kms.KeyStatePendingImport || o.Attempt != nil || !usable(o.withdrawal().Sealed, o.Now) {
		return nil
	}
	if step := invalidExpiry(d, o); step != nil {
		return step
	}
	sealed := o.withdrawal().Sealed
	return do(ImportMaterial{
		Operation: v1alpha1.OperationReimport,
		Cause:     v1alpha1.CauseMaterialWithdrawn,
		Expiry:    d.expiryAt(o.Now),
		ValidFor:  d.ValidFor,
		Wrapping: kms.Wrapping{
			Algorithm: kms.WrappingAlgorithm(sealed.WrappingAlgorithm),
			KeySpec:   kms.WrappingKeySpec(sealed.WrappingKeySpec),
		},
		Expect: o.imported().Fingerprint,
		Sealed: true,
	})
}

// refillOutcome decides about an import into an emptied key whose answer was lost, or that failed with what was sealed.
// The Secret as it is now has no part in that.
func refillOutcome(d Desired, o Observed) *Step {
	switch {
	case !o.withdrawn():
		return nil
	case o.Record.Intent != nil && !o.mayImport():
		return confirmIntent(o)
	case o.withdrawal().Sealed != nil:
		return attemptFailed(d, o)
	default:
		return nil
	}
}

// usable reports whether KMS still takes what was sealed.
func usable(sealed *v1alpha1.SealedMaterial, now time.Time) bool {
	return sealed != nil && (sealed.ParametersValidTo == nil || sealed.ParametersValidTo.After(now))
}

// interruptionDue empties a key that is to be imported again where this KMS does that into an empty key only: when
// everything is there to fill it again at once, and it is evident what it holds.
func interruptionDue(d Desired, o Observed) *Step {
	if !mayInterrupt(d, o) || !importOverdue(d, o) {
		return nil
	}
	if o.Withdrawal != nil && o.Withdrawal.Err != nil {
		return failedInterruption(o.Withdrawal.Err)
	}
	if o.Secret.Leaving {
		return wait(v1alpha1.ReasonSecretNotFound, "the key is to be emptied and imported again, and its Secret is being deleted: create it anew")
	}
	step := importDue(d, o, v1alpha1.CauseMaterialWithdrawn)
	if refill, ready := step.Action.(ImportMaterial); ready {
		return do(InterruptKey{Refill: refill})
	}
	return step
}

// failedInterruption is one that failed before anything was deleted.
func failedInterruption(err *kms.Error) *Step {
	if err.Operation == "GetParametersForImport" {
		return failedImport(err)
	}
	return failedCall(err)
}

// MayInterrupt reports whether the key, as it was seen in this pass, may be emptied for a re-import.
func MayInterrupt(d Desired, o Observed) bool { return o.seen() && mayInterrupt(d, o) }

func mayInterrupt(d Desired, o Observed) bool {
	return d.AllowInterruption && !o.importsOverMaterial() && o.vouched() && o.imported().Adopted == nil &&
		o.Record.Intent == nil && o.Look.Key.State == kms.KeyStateEnabled && evident(o)
}

// withdrawalPoll looks as after an import.
func withdrawalPoll(o Observed) time.Duration { return pollAt(o.Now.Sub(o.withdrawal().Time.Time)) }
