package localkms

import (
	"time"
)

// keyState is what DescribeKey shows as KeyState.
type keyState string

const (
	stateEnabled         keyState = "Enabled"
	stateDisabled        keyState = "Disabled"
	statePendingImport   keyState = "PendingImport"
	statePendingDeletion keyState = "PendingDeletion"
)

// A key is the record of one KMS key: a small state machine whose methods are the events. It knows no clock
// and no lock; the store brings both.
type key struct {
	id          string
	arn         string
	number      int // counts keys in the order of their creation
	spec        keySpec
	origin      string
	description string
	created     time.Time

	disabled     bool
	deletionDate time.Time // zero unless scheduled for deletion
	material     *material // nil while there is none
	// materialID identifies the material that is permanently associated with the key. It is set by the first
	// material and stays when that is deleted or expires: no other will ever be accepted.
	materialID string

	// lastWrappingKey is the wrapping key of the last answer of GetParametersForImport.
	lastWrappingKey wrappingKeyID
	// spentTokens are the import tokens that have imported, with their expiry.
	spentTokens map[tokenSerial]time.Time
}

// material is raw key material and how long it lasts.
type material struct {
	secret []byte
	expiry expiry
}

// expiry is how an import was told to end. For keys that KMS made the material of, it is the zero value.
type expiry struct {
	model   string
	validTo time.Time // zero unless the model is KEY_MATERIAL_EXPIRES
}

// state derives KeyState from what is known about the key.
func (k *key) state() keyState {
	switch {
	case !k.deletionDate.IsZero():
		return statePendingDeletion
	case k.disabled:
		return stateDisabled
	case k.material == nil:
		return statePendingImport
	default:
		return stateEnabled
	}
}

// settle brings the key up to now: material past its date is gone.
func (k *key) settle(now time.Time) {
	if k.material != nil && !k.material.expiry.validTo.IsZero() && !now.Before(k.material.expiry.validTo) {
		k.dropMaterial()
	}
}

// gone tells whether the key's waiting period is over.
func (k *key) gone(now time.Time) bool {
	return !k.deletionDate.IsZero() && !now.Before(k.deletionDate)
}

// checkUsable returns why cryptographic operations are refused, if they are.
func (k *key) checkUsable() error {
	switch k.state() {
	case stateDisabled:
		return errDisabled(k.arn)
	case statePendingImport:
		return errPendingImport(k.arn)
	case statePendingDeletion:
		return errPendingDeletion(k.arn)
	case stateEnabled:
	}
	return nil
}

// checkNotPendingDeletion refuses what is possible in every other state.
func (k *key) checkNotPendingDeletion() error {
	if k.state() == statePendingDeletion {
		return errPendingDeletion(k.arn)
	}
	return nil
}

// checkExternal refuses the operations of imported keys for keys that KMS made the material of.
func (k *key) checkExternal() error {
	if k.origin != originExternal {
		return errOrigin(k.arn, k.origin)
	}
	return nil
}

// checkImportable returns why import parameters and imports are refused, if they are. As AWS does, it looks at
// the state before it looks at whether the key is of the right kind.
func (k *key) checkImportable() error {
	if err := k.checkNotPendingDeletion(); err != nil {
		return err
	}
	return k.checkExternal()
}

// putMaterial gives the key its material and enables it, from whatever state allowed the import.
func (k *key) putMaterial(id string, m *material) {
	k.dropMaterial()
	k.materialID, k.material = id, m
}

// dropMaterial deletes the material. A key without it is PendingImport rather than Disabled, and one that is
// PendingDeletion stays so.
func (k *key) dropMaterial() {
	if k.material != nil {
		clear(k.material.secret)
	}
	k.material, k.disabled = nil, false
}

// setDisabled disables or enables the key.
func (k *key) setDisabled(disabled bool) error {
	switch k.state() {
	case statePendingImport:
		return errPendingImport(k.arn)
	case statePendingDeletion:
		return errPendingDeletion(k.arn)
	case stateEnabled, stateDisabled:
	}
	k.disabled = disabled
	return nil
}

func (k *key) scheduleDeletion(date time.Time) error {
	if err := k.checkNotPendingDeletion(); err != nil {
		return err
	}
	k.deletionDate = date
	return nil
}

// cancelDeletion leaves the key Disabled, whatever it was before.
func (k *key) cancelDeletion() error {
	if k.state() != statePendingDeletion {
		return errNotPendingDeletion(k.arn)
	}
	k.deletionDate, k.disabled = time.Time{}, true
	return nil
}

// tokenSpent tells whether a token has imported into this key.
func (k *key) tokenSpent(serial tokenSerial) bool {
	_, spent := k.spentTokens[serial]
	return spent
}

// spendToken remembers that a token has imported, until it would be refused for its age anyway.
func (k *key) spendToken(serial tokenSerial, expires, now time.Time) {
	for old, expires := range k.spentTokens {
		if !now.Before(expires) {
			delete(k.spentTokens, old)
		}
	}
	if k.spentTokens == nil {
		k.spentTokens = map[tokenSerial]time.Time{}
	}
	k.spentTokens[serial] = expires
}

// publicMaterialID is the ID of the associated material where KMS shows it.
func (k *key) publicMaterialID() string {
	if !k.spec.showsMaterialID {
		return ""
	}
	return k.materialID
}
