package plan

import (
	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// A KMS that takes the same material again over itself proves by that what it holds, and moves its expiry. QKMS documents
// that it does not: there an import is for a key without material. So what a key holds is known from the answer to the
// import alone, and where that was lost, from an expiry that somebody else is unlikely to have chosen to the second.

// importsOverMaterial reports whether an import into a key that holds material can succeed.
func (o Observed) importsOverMaterial() bool { return o.Dialect != kms.DialectQKMS }

// hasOtherMaterials reports whether the key can have several materials: only symmetric keys are rotated, and QKMS
// documents no rotation.
func (o Observed) hasOtherMaterials() bool {
	return o.Dialect != kms.DialectQKMS && o.keySpec() == kms.KeySpecSymmetricDefault
}

// keySpec is the key's as this pass's look says or, failing that, the last status.
func (o Observed) keySpec() kms.KeySpec {
	switch {
	case o.seen():
		return o.Look.Key.Spec
	case o.Status.Key != nil:
		return kms.KeySpec(o.Status.Key.Spec)
	default:
		return ""
	}
}

// mayImport reports whether this KMS takes an import into the key as it was seen.
func (o Observed) mayImport() bool {
	return o.importsOverMaterial() || o.Look.Key.State == kms.KeyStatePendingImport
}

// confirmIntent decides about an import whose answer was lost where the key now holds material and the import cannot be
// made once more.
func confirmIntent(o Observed) *Step {
	intent := o.Record.Intent
	was, is := kms.KeyState(intent.KeyState), o.Look.Key.Expiry
	if o.withdrawn() && withdrawalRecent(o) && is.Equal(RecordedExpiry(o.imported().MaterialImport)) { // from before the withdrawal
		return progress("the answer to an import was lost; waiting for KMS to show it", withdrawalPoll(o))
	}
	if was == kms.KeyStatePendingImport && is.Model == kms.KeyMaterialExpires && is.Equal(RecordedExpiry(intent.MaterialImport)) {
		return do(ConfirmImport{})
	}
	return stall(v1alpha1.ReasonMaterialUnverifiable,
		"the answer to an import was lost, and the key holds material of which it cannot be told whether it is the Secret's: "+deleteByHand)
}

// expiryStands is expiryDiffers where the expiry of material that is there cannot be moved. What the spec asks for is
// imported when the key is empty, and until then a warning says so.
func expiryStands(d Desired, o Observed) *Step {
	imported := o.imported().MaterialImport
	if d.asksForAnother(imported) || o.expired(RecordedExpiry(imported)) {
		if step := invalidExpiry(d, o); step != nil {
			return step
		}
	}
	switch believe(d, o) {
	case agreed, unconverged:
		return nil
	case propagating:
		return progress("the import succeeded; waiting for KMS to show the new expiry", propagationPoll(o))
	case firstContradiction:
		return progress("KMS reports another expiry than was imported; looking again before acting on it", contradictionDelay)
	case fact:
		return stall(v1alpha1.ReasonMaterialUnverifiable,
			"KMS reports another expiry than was imported, so somebody has imported material since, and whether it is the Secret's cannot be told: "+deleteByHand)
	default:
		return nil
	}
}
