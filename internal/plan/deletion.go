package plan

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// An object goes as soon as what it asked for is done, and at the latest after withdrawalLimit. Where anything says that
// the key may still be wanted, or that its material could not be brought back, the key keeps it.
const (
	// withdrawalLimit is for how long an object is kept that cannot be released as it asked to be.
	withdrawalLimit = time.Hour
	// leastTries is how much of that this process takes at least: it may have been down for most of it.
	leastTries = 5 * time.Minute
	// pruneDelay is how long a deletion is let stand, so that what is deleted or made together with the object is seen: a
	// Secret that is pruned too, a namespace, the same manifest under another name.
	pruneDelay = 15 * time.Second
	// deletionPoll is the longest wait of an object that is being deleted.
	deletionPoll = time.Minute
)

// deletionChecks stand before a withdrawal in the order in which they are asked.
var deletionChecks = []check{
	nothingToWithdraw,
	deletionSuspended,
	withdrawalSent,
	notOursToTake,
	stillWanted,
	pruneAwaited,
	lookNeeded,
	keyUnseen,
	nothingLeft,
	holdNeeded,
	keyBusy,
	otherMaterial,
	sourceGone,
	materialCompared,
	withdrawalFailed,
	withdrawalDue,
}

// finalizerDiffers has an object carry the finalizer for as long as its deletion may ask something of KMS.
func finalizerDiffers(d Desired, o Observed) *Step {
	wanted := d.DeleteMaterial || d.AllowInterruption && !o.importsOverMaterial() || interrupted(o)
	if d.Deleting || d.Finalizer == wanted {
		return nil
	}
	return do(SetFinalizer{Wanted: wanted})
}

// deleting lets an object go, with or without its key's material. One that only some other finalizer keeps is left alone.
func deleting(d Desired, o Observed) *Step {
	switch {
	case !d.Deleting:
		return nil
	case !d.Finalizer:
		return finish(OutcomeUntouched, "", "")
	case interrupted(o):
		return refillFirst(d, o)
	default:
		return asFarAsKnown(o, bounded(d, o, first(deletionChecks, d, o)))
	}
}

// refillFirst does not leave a key empty that was to be so for a moment only. Nil: it is filled as if the object stayed.
func refillFirst(d Desired, o Observed) *Step {
	reason, message := missingSource(d, o)
	switch {
	case d.Suspended:
		return leave(o, "spec.suspend is true")
	case overdue(d, o):
		return leave(o, tooLateToFill)
	case o.gone():
		return leave(o, "KMS has no such key")
	case o.seen() && pendingDeletion(o.Look.Key.State):
		return leave(o, "the key is scheduled for deletion")
	case reason != "" && o.withdrawn() && !usable(o.withdrawal().Sealed, o.Now):
		return leave(o, message)
	default:
		return nil
	}
}

// leave lets an object go whose key stays empty, as far as is known.
func leave(o Observed, why string) *Step {
	if !o.withdrawn() {
		return release()
	}
	return do(ReleaseObject{Interrupted: why})
}

const (
	tooLate       = "it could not be deleted within an hour of the object's deletion"
	tooLateToFill = "it could not be imported again within an hour of the object's deletion"
	wayOut        = "; until then, an hour at most, this object stays: set spec.deletionPolicy to Retain to let it go with the material left in KMS"
)

// bounded ends what cannot be brought to its end in time, and tells how to end it earlier.
func bounded(d Desired, o Observed, step *Step) *Step {
	_, last := step.Action.(Finish)
	switch {
	case last && overdue(d, o):
		return retain(tooLate + ": " + step.Message)
	case last && step.Outcome != OutcomeProgressing:
		step.Message += wayOut
	}
	return step
}

// asFarAsKnown does not have a key keep its material that a withdrawal may have taken: the record says what is known.
func asFarAsKnown(o Observed, step *Step) *Step {
	if _, last := step.Action.(ReleaseObject); last && o.withdrawal() != nil && !filledSince(o) {
		return release()
	}
	return step
}

// filledSince reports whether the look of this pass shows material that was not there after a withdrawal.
func filledSince(o Observed) bool {
	return o.withdrawn() && !withdrawalRecent(o) && o.seen() && o.Look.Key.State != kms.KeyStatePendingImport
}

// overdue reports whether an object has been kept for as long as it may be.
func overdue(d Desired, o Observed) bool {
	return o.Now.Sub(d.DeletedAt) >= withdrawalLimit && o.Now.Sub(o.Memory.DeletionSeen) >= leastTries
}

func release() *Step             { return do(ReleaseObject{}) }
func retain(reason string) *Step { return do(ReleaseObject{Retained: reason}) }

// nothingToWithdraw is an object that asks for nothing, or never brought anything into a key.
func nothingToWithdraw(d Desired, o Observed) *Step {
	if d.DeleteMaterial && o.Ownership == Mine && (o.imported() != nil || o.Record.Intent != nil) {
		return nil
	}
	return release()
}

func deletionSuspended(d Desired, _ Observed) *Step {
	if !d.Suspended {
		return nil
	}
	return retain("spec.suspend is true")
}

// withdrawalSent finds out what a withdrawal came to before anything is said of the material: whatever speaks against one
// since, it may have been done.
func withdrawalSent(d Desired, o Observed) *Step {
	switch {
	case o.withdrawal() == nil:
		return nil
	case !o.withdrawn():
		return first([]check{lookNeeded, keyUnseen, withdrawalUncertain}, d, o)
	case withdrawalRecent(o): // whatever a look still shows
		return release()
	default:
		return nil
	}
}

// notOursToTake is material that the operator did not bring into the key, or does not know to have.
func notOursToTake(_ Desired, o Observed) *Step {
	switch {
	case o.imported() == nil:
		return retain("the outcome of its import is not known")
	case o.imported().Adopted != nil:
		return retain("the key held it before the operator first imported it")
	default:
		return nil
	}
}

// stillWanted is a key whose object goes for other reasons than that it is done with.
func stillWanted(_ Desired, o Observed) *Step {
	switch {
	case o.Surroundings.NamespaceTerminating:
		return retain("the whole namespace is being deleted")
	case o.Surroundings.NamespaceHidden:
		return retain("the operator may not read whether the whole namespace is being deleted")
	case o.Surroundings.Heir:
		return retain("another KMSKeyImport names the key")
	default:
		return nil
	}
}

func pruneAwaited(_ Desired, o Observed) *Step {
	left := pruneDelay - o.Now.Sub(o.Memory.DeletionSeen)
	if left <= 0 {
		return nil
	}
	return progress("the object was deleted; waiting for what is deleted with it, before the key's material is deleted in KMS", left)
}

// keyUnseen releases an object whose key is gone, and waits where KMS does not say what there is.
func keyUnseen(_ Desired, o Observed) *Step {
	switch {
	case o.gone():
		return release()
	case o.Look.Err != nil:
		return failedCall(o.Look.Err)
	case o.elsewhere():
		return retain("KMS shows another key than the one that it was imported into")
	default:
		return nil
	}
}

// nothingLeft is a key without material, or one that KMS will delete with it.
func nothingLeft(d Desired, o Observed) *Step {
	switch {
	case pendingDeletion(o.Look.Key.State):
		return release()
	case o.Look.Key.State != kms.KeyStatePendingImport:
		return nil
	case believe(d, o) == propagating:
		return progress("the import succeeded; waiting for KMS to show it, before the material is deleted in KMS", propagationPoll(o))
	case o.hasOtherMaterials() && neverShown(o):
		return retain("KMS reports the key as pending import because another material of it is missing, and whether it still holds this one cannot be told")
	default:
		return release()
	}
}

func pendingDeletion(state kms.KeyState) bool {
	return state == kms.KeyStatePendingDeletion || state == kms.KeyStatePendingReplicaDeletion
}

// keyBusy waits for a state in which KMS takes the deletion of material.
func keyBusy(d Desired, o Observed) *Step {
	if o.Look.Key.State == kms.KeyStateDisabled {
		return nil
	}
	return keyState(d, o)
}

// otherMaterial is a key that holds, or may hold, something else than the record vouches for.
func otherMaterial(d Desired, o Observed) *Step {
	current := o.Look.Key.CurrentKeyMaterialID
	switch {
	case o.withdrawn():
		return retain("the operator had deleted it, and somebody has imported material since")
	case current != "" && current != o.imported().KeyMaterialID:
		return retain("the key's current material is not known to be the one that was imported")
	case o.Record.Intent != nil && !o.importsOverMaterial():
		return retain("the outcome of its last import is not known")
	case !evident(o) && believe(d, o) == propagating:
		return progress("the import succeeded; waiting for KMS to show it, before the material is deleted in KMS", propagationPoll(o))
	case !evident(o):
		return retain("KMS does not report the expiry that was imported, so whether the material is the same cannot be told")
	default:
		return nil
	}
}

// evident reports whether the look of this pass shows that the key holds what the record says. A KMS that takes other
// material after a deletion has to show the very expiry that was imported.
func evident(o Observed) bool {
	return o.importsOverMaterial() || o.Look.Key.Expiry.Equal(RecordedExpiry(o.imported().MaterialImport))
}

// sourceGone is material that could not be brought back: its Secret is gone, or goes with the object.
func sourceGone(d Desired, o Observed) *Step {
	if reason, message := missingSource(d, o); reason != "" {
		return retain("it could not be imported again: " + message)
	}
	if o.Secret.Leaving {
		return retain("it could not be imported again: its Secret is being deleted, or belongs to the object and goes with it")
	}
	return nil
}

// materialCompared asks for the Secret's bytes, which are compared once more when the material is deleted.
func materialCompared(_ Desired, o Observed) *Step {
	switch {
	case o.Material == nil:
		return do(InspectMaterial{})
	case o.Material.Fingerprint != o.imported().Fingerprint:
		return retain("it could not be imported again: the Secret is not known to hold the bytes that were imported")
	default:
		return nil
	}
}

// withdrawalFailed decides after a withdrawal that failed in this pass.
func withdrawalFailed(_ Desired, o Observed) *Step {
	if o.Withdrawal == nil || o.Withdrawal.Err == nil {
		return nil
	}
	return failedCall(o.Withdrawal.Err)
}

func withdrawalDue(Desired, Observed) *Step { return do(WithdrawMaterial{}) }

// interrupted reports whether this object's key was emptied to be filled again, which has not been done.
func interrupted(o Observed) bool {
	return o.Ownership == Mine && o.Record.Withdrawal != nil && o.Record.Withdrawal.Cause == v1alpha1.WithdrawnForReimport
}
