package plan

import (
	"fmt"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// missingSource says why the Secret cannot be read; empty reason when it can.
func missingSource(d Desired, o Observed) (reason, message string) {
	secret := d.Material.SecretRef
	switch o.Secret.Presence {
	case SecretPresent:
		return "", ""
	case SecretNotConsenting:
		return v1alpha1.ReasonSecretNotConsenting, fmt.Sprintf(
			"Secret %q does not carry the label %s=%s, without which it is not read: label it if it is meant to be imported",
			secret.Name, v1alpha1.LabelKeyMaterial, v1alpha1.LabelKeyMaterialConsent)
	case SecretKeyMissing:
		return v1alpha1.ReasonSecretKeyMissing, fmt.Sprintf(
			"Secret %q has no key %q: add it, or correct spec.material.secretRef.key", secret.Name, secret.Key)
	case SecretAbsent, SecretUnknown:
		return absent(secret.Name)
	default:
		return absent(secret.Name)
	}
}

func absent(name string) (reason, message string) {
	return v1alpha1.ReasonSecretNotFound, fmt.Sprintf("Secret %q does not exist in this namespace: create it", name)
}

// secretUnavailable waits for the Secret before the first import. Afterwards the key works without it, and only an
// import that is due asks for it.
func secretUnavailable(d Desired, o Observed) *Step {
	if o.vouched() || o.Ownership == Mine && o.Record.Intent != nil {
		return nil
	}
	if reason, message := missingSource(d, o); reason != "" {
		return wait(reason, message)
	}
	return nil
}

// materialInvalid applies before the first import only; afterwards other bytes are a change, whatever they are.
func materialInvalid(_ Desired, o Observed) *Step {
	if o.Material == nil || o.Material.Problem == "" || RecordedFingerprint(o.Record) != "" {
		return nil
	}
	return stall(v1alpha1.ReasonInvalidKeyMaterial, o.Material.Problem)
}

// materialDiffers compares the Secret's bytes, once they were read, with those on record. Nothing is ever imported over
// other bytes.
func materialDiffers(d Desired, o Observed) *Step {
	recorded := RecordedFingerprint(o.Record)
	switch {
	case o.Material == nil, recorded == "", o.Material.Fingerprint == recorded:
		return nil
	case unknownFingerprint(o):
		return provenAnew(d, o)
	case o.Ownership == Ownerless:
		return stall(v1alpha1.ReasonMaterialUnverifiable, fmt.Sprintf(
			"an earlier KMSKeyImport brought other material into this key than Secret %q holds: put that material into the Secret, or use a new key",
			d.Material.SecretRef.Name))
	default:
		return stall(v1alpha1.ReasonMaterialChanged, fmt.Sprintf(
			"Secret %q no longer holds the bytes that were imported, and nothing is imported over them: put the old bytes back, "+
				"or create a new key and KMSKeyImport for the new ones", d.Material.SecretRef.Name))
	}
}

// takeOver makes this object the owner of a key whose owner is gone, if its material is the same.
func takeOver(_ Desired, o Observed) *Step {
	if o.Ownership != Ownerless {
		return nil
	}
	if RecordedFingerprint(o.Record) != "" && o.Material == nil {
		return do(InspectMaterial{})
	}
	return do(ClaimRecord{})
}

// secretVersionChanged compares the bytes of a new version of the Secret with the record, once for each version.
func secretVersionChanged(d Desired, o Observed) *Step {
	if !o.vouched() || o.Secret.Presence != SecretPresent ||
		sameSecretVersion(d, o, o.imported().Secret) {
		return nil
	}
	if o.Material == nil {
		return do(InspectMaterial{})
	}
	return do(AcceptSecretVersion{})
}

// materialSuperseded recognises a key that was rotated elsewhere.
func materialSuperseded(_ Desired, o Observed) *Step {
	if o.imported() == nil || !superseded(*o.imported(), o.Look.Key) {
		return nil
	}
	return stall(v1alpha1.ReasonMaterialSuperseded,
		"the key was rotated elsewhere: its current material is not the one this operator imported; manage it where it was rotated, or use a new key")
}

func superseded(imported v1alpha1.ImportedMaterial, key kms.Key) bool {
	return imported.KeyMaterialID != "" && key.CurrentKeyMaterialID != "" && imported.KeyMaterialID != key.CurrentKeyMaterialID
}

// outcomeUnknown does an import again whose answer was lost: the same bytes again are harmless, and success is proof.
// Where the key holds material and KMS would refuse them, what it reports of the key has to do.
func outcomeUnknown(d Desired, o Observed) *Step {
	switch {
	case o.Ownership != Mine || o.Record.Intent == nil:
		return nil
	case d.HoldDeleted && o.Look.Key.State == kms.KeyStatePendingImport:
		return nil // it is empty because the material expired or was deleted: what that means comes first
	case !o.mayImport():
		return confirmIntent(o)
	default:
		return importDue(d, o, v1alpha1.CauseOutcomeUnknown)
	}
}

// materialMissing imports into an empty key: for the first time, or to heal it.
func materialMissing(d Desired, o Observed) *Step {
	if o.Look.Key.State != kms.KeyStatePendingImport {
		return nil
	}
	imported := o.imported()
	switch {
	case imported == nil:
		return importDue(d, o, v1alpha1.CauseFirstImport)
	case o.withdrawn():
		return importDue(d, o, v1alpha1.CauseMaterialWithdrawn)
	case o.expired(RecordedExpiry(imported.MaterialImport)), o.Record.Hold != nil: // that no longer counts
		return importDue(d, o, v1alpha1.CauseMaterialMissing)
	}
	switch believe(d, o) {
	case propagating:
		return progress("the import succeeded; waiting for KMS to show it", propagationPoll(o))
	case firstContradiction:
		return progress("KMS reports that the key's material is gone; looking again before acting on it", contradictionDelay)
	case unconverged:
		return importUnconverged(d, o)
	case agreed, fact:
		return importDue(d, o, v1alpha1.CauseMaterialMissing)
	default:
		return importDue(d, o, v1alpha1.CauseMaterialMissing)
	}
}

// importUnconverged is for an import that KMS answered with success and never showed. Where a key has one material, that
// may have been deleted before anyone looked, so it is imported again: once, since a second time is no accident.
func importUnconverged(d Desired, o Observed) *Step {
	switch {
	case o.hasOtherMaterials():
		return stall(v1alpha1.ReasonOtherMaterialMissing,
			"KMS took the material and still reports the key as pending import: another material of the same key is missing; import that one by hand")
	case importedTwice(o.Record.History):
		return stall(v1alpha1.ReasonImportIneffective,
			"KMS answered two imports in a row with success and still reports the key as pending import: look into the key in KMS; "+
				"annotate this object with a new "+v1alpha1.AnnotationReimportRequestedAt+" to import again")
	default:
		return importDue(d, o, v1alpha1.CauseMaterialMissing)
	}
}

// importedTwice reports whether the last two imports followed each other as closely as only this operator makes them.
func importedTwice(history []v1alpha1.HistoryEntry) bool {
	var imports []time.Time
	for _, entry := range history {
		if entry.Event == v1alpha1.HistoryImported {
			imports = append(imports, entry.Time.Time)
		}
	}
	last := len(imports) - 1
	return last > 0 && imports[last].Sub(imports[last-1]) <= 2*propagationLimit
}

// importDue is the import that is to be made now, or what stands in its way.
func importDue(d Desired, o Observed, cause v1alpha1.ImportCause) *Step {
	if o.Attempt != nil && o.Attempt.Err == nil { // one effect on the key in each pass
		return progress("an import was made, and another is due: waiting for its turn", max(o.TurnIn, time.Second))
	}
	if step := invalidExpiry(d, o); step != nil && !o.proving() { // which leaves the expiry as it is
		return step
	}
	wrapping, step := chooseWrapping(d, o)
	if step != nil {
		return step
	}
	if step := importAwaited(d, o); step != nil {
		return step
	}
	action := importOf(d, o, cause)
	action.Wrapping = wrapping
	if refusedAsItIs(d, o, action) && o.Attempt == nil && !requested(d, o) {
		return failedImport(o.Memory.Refusal.Err)
	}
	return do(action)
}

// importAwaited is what an import that is due waits for.
func importAwaited(d Desired, o Observed) *Step {
	if reason, message := missingSource(d, o); reason != "" {
		return wait(reason, message)
	}
	if o.TurnIn > 0 {
		return progress("waiting for its turn: GetParametersForImport is rationed for the whole account", o.TurnIn)
	}
	expiry := o.Look.Key.Expiry
	if o.proving() && expiry.Model == kms.KeyMaterialExpires && expiry.ValidTo.Sub(o.Now) < adoptionMargin {
		return progress("the material that the key holds is about to expire; waiting for KMS to delete it", lateExpiryPoll)
	}
	return nil
}

// importOf is the import that the spec asks for or, of material that the record does not know, the one that changes nothing.
func importOf(d Desired, o Observed, cause v1alpha1.ImportCause) ImportMaterial {
	expect := RecordedFingerprint(o.Record)
	action := ImportMaterial{
		Operation:  v1alpha1.OperationImport,
		Cause:      cause,
		Expiry:     d.expiryAt(o.Now),
		ValidFor:   d.ValidFor,
		Expect:     expect,
		RejectWeak: expect == "" && !o.proving() && d.Material.WeakMaterialPolicy != v1alpha1.WeakMaterialAllow,
	}
	if unknownFingerprint(o) {
		action.Expect = ""
	}
	of := ""
	if o.proving() {
		action.Cause, action.Expiry, action.ValidFor = v1alpha1.CauseAdoption, o.Look.Key.Expiry, 0
		of = o.Look.Key.CurrentKeyMaterialID
	}
	if imported := o.imported(); imported != nil {
		action.Operation, of = v1alpha1.OperationReimport, imported.KeyMaterialID
	}
	if o.Look.Key.Spec == kms.KeySpecSymmetricDefault { // KMS refuses to be told of other keys
		action.ReimportOf = of
	}
	return action
}
