package plan_test

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// modelKMS is KMS as far as one key goes, by its documents and apart from the plan. Where these leave something open it
// does the worst: an import enables a disabled key, and on QKMS an emptied key takes any bytes.
type modelKMS struct {
	fixed kms.Key // what never changes: ARN, spec, usage, origin
	qkms  bool
	state kms.KeyState // the state while all of the material is there
	// materials are all that belong to the key; the last is the current one.
	materials []modelMaterial

	lag     time.Duration // how long looks show what was before an import
	late    time.Duration // how late expired material is deleted
	before  kms.Key
	shownAt time.Time
}

// modelMaterial is one material of the key.
type modelMaterial struct {
	id, fingerprint string
	present         bool
	validTo         time.Time // zero: it does not expire
}

// look is DescribeKey.
func (m *modelKMS) look(at time.Time) kms.Key {
	if m.hides(at) {
		return m.before
	}
	return m.truth(at)
}

// hides reports whether looks do not show the last import yet.
func (m *modelKMS) hides(at time.Time) bool { return m.lag > 0 && at.Before(m.shownAt) }

// truth is the key as it is, shown or not.
func (m *modelKMS) truth(at time.Time) kms.Key {
	m.expire(at)
	key := m.fixed
	key.State = m.state
	if last := len(m.materials) - 1; last >= 0 {
		key.CurrentKeyMaterialID = m.materials[last].id
	}
	if !m.complete() {
		if m.state == "Enabled" || m.state == "Disabled" {
			key.State = "PendingImport"
		}
		return key
	}
	key.Expiry.Model = "KEY_MATERIAL_DOES_NOT_EXPIRE"
	for _, material := range m.materials {
		if !material.validTo.IsZero() && (key.Expiry.ValidTo.IsZero() || material.validTo.Before(key.Expiry.ValidTo)) {
			key.Expiry = until(material.validTo)
		}
	}
	return key
}

// expire deletes what has expired.
func (m *modelKMS) expire(at time.Time) {
	for i := range m.materials {
		if validTo := m.materials[i].validTo; !validTo.IsZero() && !at.Before(validTo.Add(m.late)) {
			m.materials[i].present = false
		}
	}
}

func (m *modelKMS) complete() bool {
	for _, material := range m.materials {
		if !material.present {
			return false
		}
	}
	return len(m.materials) > 0
}

// usable reports whether the key can be used at all.
func (m *modelKMS) usable(at time.Time) bool {
	state := m.truth(at).State
	return m.complete() && (state == "Enabled" || state == "Updating")
}

// holds reports whether the current material is this one.
func (m *modelKMS) holds(fingerprint string) bool {
	last := len(m.materials) - 1
	return last >= 0 && m.materials[last].present && m.materials[last].fingerprint == fingerprint
}

// takeMaterial is ImportKeyMaterial. It returns the material's ID, or the class of the error.
func (m *modelKMS) takeMaterial(at time.Time, fingerprint string, action plan.ImportMaterial) (string, kms.ErrorClass) {
	before := m.truth(at)
	ahead := action.Expiry.ValidTo.Sub(at)
	switch {
	case before.State != "Enabled" && before.State != "Disabled" && before.State != "PendingImport", m.qkms && before.State != "PendingImport":
		return "", "InvalidState"
	case action.Expiry.Model == "KEY_MATERIAL_EXPIRES" && (ahead <= 0 || ahead > 365*day):
		return "", "InvalidRequest"
	}
	if m.qkms || len(m.materials) == 0 {
		m.materials = []modelMaterial{{id: m.id(), fingerprint: fingerprint}}
	}
	for i := range m.materials {
		material := &m.materials[i]
		if material.fingerprint != fingerprint || action.ReimportOf != "" && action.ReimportOf != material.id {
			continue
		}
		material.present, material.validTo = true, action.Expiry.ValidTo
		m.state, m.before, m.shownAt = "Enabled", before, at.Add(m.lag)
		return material.id, ""
	}
	return "", "MaterialRefused"
}

// id is that of a first material; only AWS's symmetric keys show one.
func (m *modelKMS) id() string {
	if m.qkms || m.fixed.Spec != "SYMMETRIC_DEFAULT" {
		return ""
	}
	return "material-1"
}

// withdraw is DeleteImportedKeyMaterial by this operator, of the current material.
func (m *modelKMS) withdraw(at time.Time) {
	m.before, m.shownAt = m.truth(at), at.Add(m.lag)
	m.materials[len(m.materials)-1].present = false
}

// empty is DeleteImportedKeyMaterial by somebody else, of every material.
func (m *modelKMS) empty() {
	for i := range m.materials {
		m.materials[i].present = false
	}
}

// moveExpiry is an import of the same material by somebody else.
func (m *modelKMS) moveExpiry(validTo time.Time) {
	last := len(m.materials) - 1
	m.materials[last].present, m.materials[last].validTo = true, validTo
}
