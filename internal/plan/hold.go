package plan

import (
	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Whoever disables a key or schedules its deletion, and then takes its material, may have meant it; an import would
// enable the key. So the record keeps that the key was seen so, across failed looks, restarts and owners, until the key
// is seen enabled or a person decides.

// holdNeeded notes a key that was disabled or scheduled for deletion.
func holdNeeded(_ Desired, o Observed) *Step {
	if o.Ownership != Mine || o.Record.Hold != nil || !disabledByHand(o.Look.Key.State) {
		return nil
	}
	return do(HoldKey{})
}

// holdEnded forgets it when the key is enabled again, or a person asked for a look at the empty key.
func holdEnded(d Desired, o Observed) *Step {
	if o.Ownership != Mine || o.Record.Hold == nil {
		return nil
	}
	switch state := o.Look.Key.State; {
	case state == kms.KeyStateEnabled, state == kms.KeyStatePendingImport && requested(d, o):
		return do(LiftHold{})
	default:
		return nil
	}
}

// heldAfterDisable waits for a person.
func heldAfterDisable(d Desired, o Observed) *Step {
	if o.Ownership == Foreign || requested(d, o) || !heldByRecord(o) && (o.Ownership == Mine || !lastSeenDisabled(o.Status)) {
		return nil
	}
	return stall(v1alpha1.ReasonHeldAfterDisable,
		"the key lost its material while it was disabled or scheduled for deletion: annotate this object with a new "+
			v1alpha1.AnnotationReconcileRequestedAt+" to import the material again, which enables the key")
}

func heldByRecord(o Observed) bool { return o.Record != nil && o.Record.Hold != nil }

// lastSeenDisabled is the same as far as the status tells, for a key whose record is not this object's yet.
func lastSeenDisabled(status v1alpha1.KMSKeyImportStatus) bool {
	stalled := conditionOf(status, v1alpha1.ConditionStalled)
	if stalled != nil && stalled.Reason == v1alpha1.ReasonHeldAfterDisable {
		return true
	}
	return status.Key != nil && disabledByHand(kms.KeyState(status.Key.State))
}

func disabledByHand(state kms.KeyState) bool {
	return state == kms.KeyStateDisabled || state == kms.KeyStatePendingDeletion || state == kms.KeyStatePendingReplicaDeletion
}
