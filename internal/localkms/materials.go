package localkms

import (
	"slices"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// materialState is what ListKeyRotations shows as KeyMaterialState.
type materialState string

// The states of key material: https://docs.aws.amazon.com/kms/latest/APIReference/API_RotationsListEntry.html
const (
	materialCurrent            materialState = "CURRENT"
	materialNonCurrent         materialState = "NON_CURRENT"
	materialPendingRotation    materialState = "PENDING_ROTATION"
	materialPendingMultiRegion materialState = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
)

// keyMaterial is a material that a key has, had, or waits for.
type keyMaterial struct {
	id          string
	state       materialState
	key         *material.Key // nil while it is not there
	expiry      expiry
	description string
	rotatedAt   time.Time // zero for the first and for those that wait for their rotation
}

// expiry is how an import was told to end. For keys that KMS made the material of, it is the zero value.
type expiry struct {
	model   string
	validTo time.Time // zero unless the model is KEY_MATERIAL_EXPIRES
}

// isPending tells whether the material waits for its rotation: it is not yet permanently associated with the key.
func (m keyMaterial) isPending() bool {
	return m.state == materialPendingRotation || m.state == materialPendingMultiRegion
}

// materials are all of a key's, oldest first: those permanently associated, which no deletion makes the key forget, and
// at the end perhaps one that waits for its rotation.
type materials []keyMaterial

func (m materials) index(id string) int {
	return slices.IndexFunc(m, func(one keyMaterial) bool { return one.id == id })
}

// current is the index of the material that encrypts; -1 while there never was one.
func (m materials) current() int {
	return slices.IndexFunc(m, func(one keyMaterial) bool { return one.state == materialCurrent })
}

// currentID is the ID of that material, there or not.
func (m materials) currentID() string {
	if i := m.current(); i >= 0 {
		return m[i].id
	}
	return ""
}

// pending is the index of the material that waits for its rotation, -1 if there is none.
func (m materials) pending() int {
	return slices.IndexFunc(m, keyMaterial.isPending)
}

// complete tells whether the key has all the material it needs.
func (m materials) complete() bool {
	missing := func(one keyMaterial) bool { return !one.isPending() && one.key == nil }
	return m.current() >= 0 && !slices.ContainsFunc(m, missing)
}

// holdsCurrent tells whether the current material is there.
func (m materials) holdsCurrent() bool {
	i := m.current()
	return i >= 0 && m[i].key != nil
}

// expired lists the materials whose date is not after a moment.
func (m materials) expired(now time.Time) (ids []string) {
	for _, one := range m {
		if one.key != nil && !one.expiry.validTo.IsZero() && !now.Before(one.expiry.validTo) {
			ids = append(ids, one.id)
		}
	}
	return ids
}

// expiry is what the metadata of a key say: of the associated materials that are there, the earliest date, and no expiry
// only if none expires.
func (m materials) expiry() (earliest expiry) {
	for _, one := range m {
		if one.key == nil || one.isPending() {
			continue
		}
		sooner := earliest.validTo.IsZero() || one.expiry.validTo.Before(earliest.validTo)
		if earliest.model == "" || !one.expiry.validTo.IsZero() && sooner {
			earliest = one.expiry
		}
	}
	return earliest
}
