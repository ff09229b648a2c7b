package plan

import (
	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Whoever disables a key or schedules its deletion, and then takes its material, may have meant it; an import would
// enable the key. And where the spec says Hold, whoever takes the material of any key has meant it. So the record keeps
// that the key was seen so, across failed looks, restarts and owners, until the key is seen enabled or a person decides.
// It also keeps what a person had asked for by then: only a request that is newer is about the empty key.

// holdNeeded notes a key that was disabled or scheduled for deletion, that was emptied after this, or whose material was
// deleted where the spec says Hold.
func holdNeeded(d Desired, o Observed) *Step {
	if o.Ownership != Mine {
		return nil
	}
	empty := o.Look.Key.State == kms.KeyStatePendingImport
	switch {
	case disabledByHand(o.Look.Key.State) && (!heldDisabled(o) || lifted(o)), // which outweighs that the material was deleted
		empty && heldDisabled(o) && o.Record.Hold.Request == nil,
		empty && d.HoldDeleted && o.Record.Hold == nil && materialDeleted(d, o):
		return do(HoldKey{})
	default:
		return nil
	}
}

// materialDeleted reports whether the material of an empty key was deleted before its time.
func materialDeleted(d Desired, o Observed) bool {
	imported := o.imported()
	if imported == nil || o.withdrawal() != nil || o.expired(RecordedExpiry(imported.MaterialImport)) || superseded(*imported, o.Look.Key) {
		return false
	}
	if neverShown(o) { // where the key has one material, that may have been deleted before anyone looked
		return !o.hasOtherMaterials() && !importedTwice(o.Record.History)
	}
	return believe(d, o) == fact
}

// holdEnded lifts it when the key is enabled again, or a person asked for the import. While the key is empty, the record
// keeps that it was lifted, or the next look would hold the key again. A spec that no longer says Hold lifts nothing: what
// it says counts when the import is made, and not when it could not be made yet.
func holdEnded(d Desired, o Observed) *Step {
	if o.Ownership != Mine || o.Record.Hold == nil {
		return nil
	}
	state := o.Look.Key.State
	if state == kms.KeyStateEnabled || state == kms.KeyStatePendingImport && !lifted(o) && askedToFill(d, o) {
		return do(LiftHold{})
	}
	return nil
}

// held waits for a person at a key without material.
func held(d Desired, o Observed) *Step {
	switch {
	case o.Ownership == Foreign, lifted(o), o.Ownership != Mine && reimportRequested(d, o):
		return nil
	case heldDeleted(o) && d.HoldDeleted:
		return stallDeleted()
	case heldDisabled(o), o.Ownership != Mine && lastSeenDisabled(o.Status):
		return stall(v1alpha1.ReasonHeldAfterDisable,
			"the key lost its material while it was disabled or scheduled for deletion: annotate this object with a new "+
				v1alpha1.AnnotationReimportRequestedAt+" to import the material again, which enables the key")
	default:
		return nil
	}
}

func stallDeleted() *Step {
	return stall(v1alpha1.ReasonMaterialDeleted,
		"somebody deleted the key's material in KMS, which onMaterialDeleted: Hold respects: annotate this object with a new "+
			v1alpha1.AnnotationReimportRequestedAt+", or set spec.onMaterialDeleted to Reimport, to import the material again")
}

// askedToFill reports whether a person has asked for an import since the key was seen without material.
func askedToFill(d Desired, o Observed) bool {
	before := ""
	if request := o.Record.Hold.Request; request != nil {
		before = *request
	}
	return reimportRequested(d, o) && before != Abridged(d.Requests.Reimport)
}

// lifted reports whether the hold of an empty key has ended.
func lifted(o Observed) bool {
	return o.Record != nil && o.Record.Hold != nil && o.Record.Hold.Lifted != nil
}

// heldDeleted reports whether the record holds the key because its material was deleted.
func heldDeleted(o Observed) bool {
	return o.Record != nil && o.Record.Hold != nil && kms.KeyState(o.Record.Hold.KeyState) == kms.KeyStatePendingImport
}

// heldDisabled reports whether it holds it because the key was disabled or scheduled for deletion.
func heldDisabled(o Observed) bool {
	return o.Record != nil && o.Record.Hold != nil && !heldDeleted(o)
}

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
