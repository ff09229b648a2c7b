package plan

import (
	"fmt"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func keyNotImportable(_ Desired, o Observed) *Step {
	key := o.Look.Key
	if key.Origin != kms.OriginExternal {
		return stall(v1alpha1.ReasonKeyNotImportable, fmt.Sprintf(
			"the key's Origin is %s: only a key created with Origin EXTERNAL takes imported material; create one, and a new KMSKeyImport for it", key.Origin))
	}
	switch key.Spec {
	case kms.KeySpecSymmetricDefault, kms.KeySpecHMAC256:
		return nil
	default:
		return stall(v1alpha1.ReasonKeyNotImportable, fmt.Sprintf(
			"the key's KeySpec is %s: this version imports SYMMETRIC_DEFAULT and HMAC_256", key.Spec))
	}
}

// keyState lets only Enabled and PendingImport pass: in every other state an import would fail, or undo what somebody
// did on purpose.
func keyState(d Desired, o Observed) *Step {
	switch state := o.Look.Key.State; state {
	case kms.KeyStateEnabled:
		return nil
	case kms.KeyStatePendingImport:
		return heldAfterDisable(d, o)
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

// heldAfterDisable waits for a person when a key that was last seen disabled or about to be deleted turns up without
// material: whoever did that may have meant it, and an import would enable the key.
func heldAfterDisable(d Desired, o Observed) *Step {
	if o.imported() == nil || o.Attempt != nil || requested(d, o) || !lastSeenDisabled(o.Status) {
		return nil
	}
	return stall(v1alpha1.ReasonHeldAfterDisable,
		"the key lost its material while it was disabled or scheduled for deletion: annotate this object with a new "+
			v1alpha1.AnnotationReconcileRequestedAt+" to import the material again, which enables the key")
}

func lastSeenDisabled(status v1alpha1.KMSKeyImportStatus) bool {
	for _, condition := range status.Conditions {
		if condition.Type == v1alpha1.ConditionStalled && condition.Reason == v1alpha1.ReasonHeldAfterDisable {
			return true
		}
	}
	if status.Key == nil {
		return false
	}
	switch kms.KeyState(status.Key.State) {
	case kms.KeyStateDisabled, kms.KeyStatePendingDeletion, kms.KeyStatePendingReplicaDeletion:
		return true
	case kms.KeyStateCreating, kms.KeyStateEnabled, kms.KeyStatePendingImport, kms.KeyStateUnavailable, kms.KeyStateUpdating:
		return false
	default:
		return false
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
func UsabilityOf(o Observed) Usability {
	state, expiry, known := lastKnownKey(o)
	switch {
	case !known:
		return UsabilityUnknown
	case state != kms.KeyStateEnabled && state != kms.KeyStateUpdating, // KMS: Updating permits cryptography
		expiry.Model == "", // no material
		o.Ownership != Mine,
		o.imported() == nil,
		o.expired(expiry):
		return Unusable
	case o.Look == nil || o.Look.Err != nil:
		return lastUsability(o.Status)
	default:
		return Usable
	}
}

// lastUsability is what the last status said. Without a look nothing gets better: the object may have been stalled over
// its material while its key was enabled.
func lastUsability(status v1alpha1.KMSKeyImportStatus) Usability {
	for _, condition := range status.Conditions {
		if condition.Type != v1alpha1.ConditionReady {
			continue
		}
		switch condition.Status {
		case "True":
			return Usable
		case "False":
			return Unusable
		case "Unknown":
			return UsabilityUnknown
		}
	}
	return UsabilityUnknown
}

// lastKnownKey is the key of this pass's look or, when that failed or was not made, of the last status.
func lastKnownKey(o Observed) (state kms.KeyState, expiry kms.Expiry, known bool) {
	if o.Look != nil && o.Look.Err == nil {
		return o.Look.Key.State, o.Look.Key.Expiry, true
	}
	if o.Look != nil && o.Look.Err.Class == kms.ClassNotFound {
		return "", kms.Expiry{}, true
	}
	lastSeen := o.Memory.LastLook
	if lastSeen.IsZero() {
		lastSeen = o.Memory.FirstSeen
	}
	if o.Status.Key == nil || (o.Look != nil && o.Now.Sub(lastSeen) > failedLooksTolerated*o.Resync) {
		return "", kms.Expiry{}, false
	}
	expiry = kms.Expiry{Model: kms.ExpirationModel(o.Status.ExpirationModel)}
	if o.Status.ValidTo != nil {
		expiry.ValidTo = o.Status.ValidTo.UTC()
	}
	return kms.KeyState(o.Status.Key.State), expiry, true
}
