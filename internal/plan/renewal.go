package plan

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Material that is valid for a duration is imported again ahead of its expiry. When, follows from the record: from the
// expiry that was imported, not from what somebody else has made of it since.

// expire reads spec.expiration.
func (d *Desired) expire(expiration *v1alpha1.Expiration) {
	d.Expiry.Model = kms.KeyMaterialDoesNotExpire
	if expiration == nil {
		return
	}
	if expiration.ValidTo != nil {
		d.Expiry = kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: expiration.ValidTo.UTC().Truncate(time.Second)}
	}
	if expiration.ValidFor != nil {
		d.Expiry.Model = kms.KeyMaterialExpires
		d.ValidFor = expiration.ValidFor.Duration
		d.RenewBefore = (d.ValidFor / 3).Truncate(time.Second)
	}
	if expiration.RenewBefore != nil {
		d.RenewBefore = expiration.RenewBefore.Duration
	}
}

// expiryAt is the expiry of an import that is made now.
func (d Desired) expiryAt(now time.Time) kms.Expiry {
	if d.ValidFor == 0 {
		return d.Expiry
	}
	return kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: now.UTC().Add(d.ValidFor).Truncate(time.Second)}
}

// asksForAnother reports whether the spec asks for another expiry than the material was imported with.
func (d Desired) asksForAnother(imported v1alpha1.MaterialImport) bool {
	if d.ValidFor == 0 {
		return !d.Expiry.Equal(RecordedExpiry(imported))
	}
	return imported.ValidFor == nil || imported.ValidFor.Duration != d.ValidFor
}

// renewalAt is when this object's material is to be imported again; zero when it is not valid for a duration.
func renewalAt(d Desired, o Observed) time.Time {
	if d.ValidFor == 0 || !o.vouched() || o.imported().ValidTo == nil {
		return time.Time{}
	}
	return o.imported().ValidTo.UTC().Add(-d.RenewBefore - renewalJitter(d))
}

// renewalJitter brings a renewal forward by at most a tenth of RenewBefore, so that objects made together are not renewed
// together, and never so far that the next one is due as soon as this one is done.
func renewalJitter(d Desired) time.Duration {
	return spread(d.UID, min(d.RenewBefore/10, (d.ValidFor-d.RenewBefore)/2)).Truncate(time.Second)
}

// renewalOverdue reports whether the time of a renewal has come.
func renewalOverdue(d Desired, o Observed) bool {
	at := renewalAt(d, o)
	return !at.IsZero() && !o.Now.Before(at)
}

// RenewalTime is when the material is imported again to move its expiry; zero when no renewal is planned.
func RenewalTime(d Desired, o Observed) time.Time {
	state, _, known := lastKnownKey(o)
	if d.Suspended || !o.importsOverMaterial() && !d.AllowInterruption || expiryHeld(d, o) || known && (state == "" || state == kms.KeyStatePendingImport) {
		return time.Time{}
	}
	return renewalAt(d, o)
}

// renewalDue moves the expiry of material that is there.
func renewalDue(d Desired, o Observed) *Step {
	if !renewalOverdue(d, o) || !o.importsOverMaterial() || expiryHeld(d, o) {
		return nil
	}
	return importDue(d, o, v1alpha1.CauseRenewal)
}
