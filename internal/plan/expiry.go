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

// expiryDiffers moves the expiry when the spec asks for another, or when somebody else moved it. Where the material is
// valid for a duration, a later one stands until the renewal, and where the spec says Hold, an earlier one stands.
func expiryDiffers(d Desired, o Observed) *Step {
	if !o.importsOverMaterial() {
		return expiryStands(d, o)
	}
	imported := o.imported().MaterialImport
	if d.asksForAnother(imported) || o.expired(RecordedExpiry(imported)) {
		return importDue(d, o, v1alpha1.CauseExpiryChanged)
	}
	switch what := believe(d, o); {
	case what == propagating:
		return progress("the import succeeded; waiting for KMS to show the new expiry", propagationPoll(o))
	case what == agreed, what == unconverged, d.ValidFor > 0 && !shortened(o), expiryHeld(d, o):
		return nil // unconverged and held are warnings
	case what == firstContradiction:
		return progress("KMS reports another expiry than was imported; looking again before acting on it", contradictionDelay)
	default:
		return importDue(d, o, v1alpha1.CauseExpiryChanged)
	}
}

// shortened reports whether KMS reports that the material expires earlier than it was imported to.
func shortened(o Observed) bool {
	is, was := o.Look.Key.Expiry, RecordedExpiry(o.imported().MaterialImport)
	return is.Model == kms.KeyMaterialExpires && (was.Model != kms.KeyMaterialExpires || is.ValidTo.Before(was.ValidTo))
}

// expiryHeld reports whether somebody shortened the expiry and the spec respects that. It stands, once it is known, until
// a look shows another.
func expiryHeld(d Desired, o Observed) bool {
	if !d.HoldDeleted || !o.importsOverMaterial() || !o.vouched() {
		return false
	}
	if !o.seen() {
		return saidToExpire(o.Status, v1alpha1.ReasonExpiryShortened)
	}
	if o.Look.Key.State == kms.KeyStatePendingImport || !shortened(o) || neverShown(o) {
		return false
	}
	what := believe(d, o)
	return what == fact || what == firstContradiction && saidToExpire(o.Status, v1alpha1.ReasonExpiryShortened)
}

// saidToExpire reports whether the last status has the warning Expiring for this reason.
func saidToExpire(status v1alpha1.KMSKeyImportStatus, reason string) bool {
	expiring := conditionOf(status, v1alpha1.ConditionExpiring)
	return expiring != nil && expiring.Reason == reason
}

// invalidExpiry refuses an import whose expiry KMS would refuse or that would not last.
func invalidExpiry(d Desired, o Observed) *Step {
	if d.Expiry.Model != kms.KeyMaterialExpires || d.ValidFor > 0 {
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
