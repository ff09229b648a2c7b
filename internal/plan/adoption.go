package plan

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// A key may hold material that the record knows nothing of. Where KMS takes the same material again over itself, an
// import with the expiry that KMS reports at that moment changes nothing, and its acceptance is the proof that the Secret
// holds the same bytes.

// adoptionMargin is how near the reported expiry may be: one that passes under way would be refused.
const adoptionMargin = time.Minute

const deleteByHand = "delete the key's material in KMS if you are certain that the Secret holds the same bytes, and it is imported again; " +
	"if it does not, everything that was encrypted under the key is lost for good"

// adopting reports whether the key holds material of which the record says nothing.
func (o Observed) adopting() bool {
	if o.Look.Key.State == kms.KeyStatePendingImport || o.imported() != nil {
		return false
	}
	return o.Record == nil || o.Record.Intent == nil || kms.KeyState(o.Record.Intent.KeyState) != kms.KeyStatePendingImport
}

// adoptionDue proves what the key holds, or says that it cannot be told.
func adoptionDue(d Desired, o Observed) *Step {
	switch {
	case !o.adopting():
		return nil
	case !o.importsOverMaterial() || o.Look.Key.Expiry.Model == "":
		return stall(v1alpha1.ReasonMaterialUnverifiable,
			"the key already holds material that this operator has not imported, and this KMS gives no way to tell whether it is the Secret's: "+
				"use a key without material, or "+deleteByHand)
	default:
		return importDue(d, o, v1alpha1.CauseAdoption)
	}
}

// provenAnew is for a record whose fingerprint was made under a fingerprint key that is lost.
func provenAnew(d Desired, o Observed) *Step {
	switch {
	case !o.importsOverMaterial() || o.Look.Key.State != kms.KeyStatePendingImport && o.Look.Key.Expiry.Model == "":
		return stall(v1alpha1.ReasonMaterialUnverifiable,
			"the key's record was made under a fingerprint key that is lost, so the Secret cannot be compared with what was imported: "+
				"restore the operator's fingerprint Secret, or use a new key and KMSKeyImport")
	case o.Attempt != nil:
		return attemptFailed(d, o)
	case o.Look.Key.State == kms.KeyStatePendingImport && o.Ownership == Mine:
		return materialMissing(d, o)
	case deletedBefore(d, o):
		return stallDeleted()
	default:
		return importDue(d, o, v1alpha1.CauseAdoption)
	}
}

// deletedBefore reports whether a key whose owner is gone was emptied before its time, which the spec respects, until a
// person has asked for an import.
func deletedBefore(d Desired, o Observed) bool {
	imported := o.imported()
	return d.HoldDeleted && o.Look.Key.State == kms.KeyStatePendingImport && imported != nil &&
		!o.expired(RecordedExpiry(imported.MaterialImport)) && !reimportRequested(d, o) && o.Memory.Refusal.Err == nil
}

// unknownFingerprint reports whether the Secret was read and cannot be compared with the record.
func unknownFingerprint(o Observed) bool {
	return o.Material != nil && !o.Material.Comparable && o.Material.Problem == ""
}

// proving reports whether an import is to change nothing, and how its expiry then is: as KMS reports it.
func (o Observed) proving() bool {
	return o.Look.Key.State != kms.KeyStatePendingImport && (o.adopting() || unknownFingerprint(o))
}
