package plan

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const (
	// minValidity is less than what ImportKeyMaterial needs, and more than nothing: material that expires while it is
	// being imported helps nobody.
	minValidity = 5 * time.Minute
	// maxValidity is KMS's own limit
	// (https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html, ValidTo).
	maxValidity = 365 * 24 * time.Hour
)

// expiryWarnings are the times before a fixed expiry at which the Expiring warning appears and its message changes.
var expiryWarnings = []struct {
	before  time.Duration
	message string
}{
	{24 * time.Hour, "the material expires within 1 day and will not be renewed: set a later spec.expiration.validTo, or remove expiration"},
	{2 * 24 * time.Hour, "the material expires within 2 days and will not be renewed: set a later spec.expiration.validTo, or remove expiration"},
	{14 * 24 * time.Hour, "the material expires within 14 days and will not be renewed: set a later spec.expiration.validTo, or remove expiration"},
}

// expiryDiffers moves the expiry when the spec asks for another, or when somebody else moved it.
func expiryDiffers(d Desired, o Observed) *Step {
	if !o.importsOverMaterial() {
		return expiryStands(d, o)
	}
	recorded := RecordedExpiry(o.imported().MaterialImport)
	if !d.Expiry.Equal(recorded) || o.expired(recorded) {
		return importDue(d, o)
	}
	switch believe(d, o) {
	case agreed, unconverged: // unconverged is a warning, see warnings
		return nil
	case propagating:
		return progress("the import succeeded; waiting for KMS to show the new expiry", propagationPoll(o))
	case firstContradiction:
		return progress("KMS reports another expiry than was imported; looking again before acting on it", contradictionDelay)
	case fact:
		return importDue(d, o)
	default:
		return nil
	}
}

// invalidExpiry refuses an import whose expiry KMS would refuse or that would not last.
func invalidExpiry(d Desired, o Observed) *Step {
	if d.Expiry.Model != kms.KeyMaterialExpires {
		return nil
	}
	ahead := d.Expiry.ValidTo.Sub(o.Now)
	switch imported := o.imported(); {
	case ahead <= 0 && imported != nil && d.Expiry.Equal(RecordedExpiry(imported.MaterialImport)):
		return stall(v1alpha1.ReasonMaterialExpired,
			"spec.expiration.validTo has passed, when KMS deletes the material: set a later validTo, or remove expiration")
	case ahead <= 0:
		return stall(v1alpha1.ReasonInvalidExpiration,
			"spec.expiration.validTo is in the past: set it at least 5 minutes and at most 365 days ahead, or remove expiration")
	case ahead < minValidity:
		return stall(v1alpha1.ReasonInvalidExpiration,
			"spec.expiration.validTo is less than 5 minutes ahead: set it at least 5 minutes and at most 365 days ahead, or remove expiration")
	case ahead > maxValidity:
		return stall(v1alpha1.ReasonInvalidExpiration,
			"spec.expiration.validTo is more than 365 days ahead, which KMS refuses: set it nearer, or remove expiration")
	default:
		return nil
	}
}

// warnings are what a person should know whatever the outcome.
func warnings(d Desired, o Observed) []Warning {
	var found []Warning
	vouched := o.Ownership == Mine && o.imported() != nil
	if reason, message := missingSource(d, o); reason != "" && vouched {
		found = append(found, Warning{v1alpha1.ConditionSourceMissing, reason,
			"without its Secret the key could not be healed: " + message})
	}
	if vouched && otherMaterialExpires(d, o) {
		found = append(found, Warning{v1alpha1.ConditionOtherMaterialExpires, v1alpha1.ReasonEarlierExpiry, earlierExpiry(o)})
	}
	if vouched && needsInterruption(d, o) {
		found = append(found, Warning{v1alpha1.ConditionRenewalNeedsInterruption, v1alpha1.ReasonNoImportOverMaterial,
			"spec.expiration asks for another expiry than the key has, which this KMS sets only when it imports into an empty key: " + emptyIt(o)})
	}
	if message := expiring(o); vouched && message != "" {
		found = append(found, Warning{v1alpha1.ConditionExpiring, v1alpha1.ReasonExpiresSoon, message})
	}
	return found
}

// emptyIt says how a key comes to be empty.
func emptyIt(o Observed) string {
	const remedy = "delete the key's material in KMS when an interruption does no harm"
	if RecordedExpiry(o.imported().MaterialImport).Model == kms.KeyMaterialExpires {
		return remedy + ", or wait for its expiry"
	}
	return remedy
}

func earlierExpiry(o Observed) string {
	if !o.hasOtherMaterials() {
		return "KMS reports another expiry than was imported: it writes it in its own way, or somebody has imported since; see status.validTo"
	}
	return "KMS reports another expiry than was imported: most likely another material of the same key expires first; import that one by hand with a later expiry"
}

// otherMaterialExpires stands, once it is known, until a look shows the expiry that was imported.
func otherMaterialExpires(d Desired, o Observed) bool {
	if o.Look == nil || o.Look.Err != nil || o.elsewhere() {
		return conditionOf(o.Status, v1alpha1.ConditionOtherMaterialExpires) != nil
	}
	return o.Look.Key.State != kms.KeyStatePendingImport && believe(d, o) == unconverged
}

func expiring(o Observed) string {
	_, expiry, known := lastKnownKey(o)
	if !known || expiry.Model != kms.KeyMaterialExpires {
		return ""
	}
	if o.expired(expiry) {
		return "" // which is no longer a warning
	}
	for _, warning := range expiryWarnings {
		if expiry.ValidTo.Sub(o.Now) <= warning.before {
			return warning.message
		}
	}
	return ""
}
