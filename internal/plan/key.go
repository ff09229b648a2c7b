package plan

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// keyState lets only Enabled and PendingImport pass: in every other state an import would fail, or undo what somebody
// did on purpose.
func keyState(d Desired, o Observed) *Step {
	switch state := o.Look.Key.State; state {
	case kms.KeyStateEnabled:
		return nil
	case kms.KeyStatePendingImport:
		return held(d, o)
	case kms.KeyStateCreating:
		return wait(v1alpha1.ReasonKeyCreating, "KMS is still creating the key: nothing to do but wait")
	case kms.KeyStateUpdating:
		return wait(v1alpha1.ReasonKeyUpdating, "KMS is updating the key's primary Region: nothing to do but wait")
	case kms.KeyStateUnavailable:
		return wait(v1alpha1.ReasonKeyUnavailable, "KMS says that the key is unavailable: wait, or look into its key store")
	case kms.KeyStateDisabled:
		return wait(v1alpha1.ReasonKeyDisabled,
			"the key is disabled, and an import might enable it: enable the key when that is wanted")
	case kms.KeyStatePendingDeletion:
		return stall(v1alpha1.ReasonKeyPendingDeletion,
			"the key is scheduled for deletion: cancel the deletion and enable the key, or delete this object")
	case kms.KeyStatePendingReplicaDeletion:
		return stall(v1alpha1.ReasonKeyPendingReplicaDeletion,
			"the multi-Region primary key is scheduled for deletion after its replicas: cancel the deletion, or delete this object")
	default:
		return retry(v1alpha1.ReasonKMSError, fmt.Sprintf("KMS reports the key state %q, which this version does not know", state))
	}
}

// Usability is what the last known facts say about the key.
type Usability string

// The usabilities.
const (
	UsabilityUnknown Usability = "Unknown"
	Usable           Usability = "Usable"
	Unusable         Usability = "Unusable"
)

// failedLooksTolerated is for how many resync intervals failing looks leave the last known facts standing.
const failedLooksTolerated = 3

// UsabilityOf says whether the key is usable with the Secret's material: as far as KMS last said, as far as the record
// vouches, and only until the material expires.
func UsabilityOf(d Desired, o Observed) Usability {
	state, expiry, known := lastKnownKey(o)
	switch {
	case o.withdrawal() != nil:
		return afterWithdrawal(o, state)
	case !known && o.vouched() && o.expired(RecordedExpiry(o.imported().MaterialImport)):
		return Unusable
	case !known:
		return UsabilityUnknown
	case !o.vouched(), !permitsUse(state, expiry), o.expired(expiry):
		return Unusable
	case !o.seen() || !compared(d, o):
		return lastUsability(o.Status)
	case superseded(*o.imported(), o.Look.Key):
		return Unusable
	default:
		return Usable
	}
}

// afterWithdrawal is never usable: the key is empty, or may be.
func afterWithdrawal(o Observed, state kms.KeyState) Usability {
	if o.withdrawn() || state == kms.KeyStatePendingImport {
		return Unusable
	}
	return UsabilityUnknown
}

// permitsUse is KMS's table of states: Updating permits cryptography, to a key that holds material.
func permitsUse(state kms.KeyState, expiry kms.Expiry) bool {
	return state == kms.KeyStateEnabled || state == kms.KeyStateUpdating && expiry.Model != ""
}

// compared reports whether the Secret, as it stands, is known to hold what was imported, or is not there to differ.
func compared(d Desired, o Observed) bool {
	imported := o.imported()
	return o.Secret.Presence != SecretPresent || sameSecretVersion(d, o, imported.Secret) ||
		o.Material != nil && o.Material.Fingerprint == imported.Fingerprint
}

// lastUsability is what the last status said. Without a look and a comparison nothing gets better: the object may have
// been stalled over its material while its key was enabled.
func lastUsability(status v1alpha1.KMSKeyImportStatus) Usability {
	ready := conditionOf(status, v1alpha1.ConditionReady)
	switch {
	case ready == nil || ready.Status == metav1.ConditionUnknown:
		return UsabilityUnknown
	case ready.Status == metav1.ConditionTrue:
		return Usable
	default:
		return Unusable
	}
}

// lastKnownKey is the key as it was last reported. Where KMS leaves the expiry of an enabled key out, the one on record
// counts: what it vouches for lasts no longer.
func lastKnownKey(o Observed) (state kms.KeyState, expiry kms.Expiry, known bool) {
	state, expiry, known = lastReportedKey(o)
	if state == kms.KeyStateEnabled && expiry.Model == "" && o.vouched() {
		expiry = RecordedExpiry(o.imported().MaterialImport)
	}
	return state, expiry, known
}

// lastReportedKey is the key of this pass's look or, when that failed, was not made or led elsewhere, of the last status. That
// stands for some time only, unless nobody meant to look.
func lastReportedKey(o Observed) (state kms.KeyState, expiry kms.Expiry, known bool) {
	if o.seen() {
		return o.Look.Key.State, o.Look.Key.Expiry, true
	}
	if o.gone() {
		return "", kms.Expiry{}, true
	}
	lastSeen := o.Memory.LastLook
	if lastSeen.IsZero() {
		lastSeen = o.Memory.FirstSeen
	}
	if o.Status.Key == nil || (o.Look != nil || o.Obstacle != "") && o.Now.Sub(lastSeen) > failedLooksTolerated*o.Resync {
		return "", kms.Expiry{}, false
	}
	expiry = kms.Expiry{Model: kms.ExpirationModel(o.Status.ExpirationModel)}
	if o.Status.ValidTo != nil {
		expiry.ValidTo = o.Status.ValidTo.UTC()
	}
	return kms.KeyState(o.Status.Key.State), expiry, true
}
