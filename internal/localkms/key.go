package localkms

import (
	"maps"
	"slices"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/policy"
)

// keyState is what DescribeKey shows as KeyState.
type keyState string

const (
	stateCreating               keyState = "Creating"
	stateEnabled                keyState = "Enabled"
	stateDisabled               keyState = "Disabled"
	statePendingImport          keyState = "PendingImport"
	statePendingDeletion        keyState = "PendingDeletion"
	statePendingReplicaDeletion keyState = "PendingReplicaDeletion"
)

// Where key material comes from.
const (
	originKMS      = "AWS_KMS"
	originExternal = "EXTERNAL"
	originQKMS     = "QKMS" // in the examples of the QKMS pages
)

// A key is one KMS key at one moment: a small state machine whose methods are the events. It knows no clock and no lock.
// The store hands out snapshots to read and copies to change.
type key struct {
	id          string
	region      string
	arn         string
	spec        material.Spec
	usage       string
	origin      string
	description string
	created     time.Time
	creatingTo  time.Time // a replica is Creating until then
	tags        map[string]string
	policy      *policyText // nil is the default policy

	disabled  bool
	scheduled *scheduledDeletion // nil unless scheduled for deletion
	materials materials
	rotation  *rotation // nil unless one is under way
	rotations int       // how many there were
	family    *family   // nil for a single-Region key; shared by primary and replicas

	// tokens is shared by all snapshots of a key and locks itself.
	tokens *tokenLedger

	now time.Time // the moment of a settled snapshot
}

// policyText is a key policy as it was put, and what it means.
type policyText struct {
	text     string
	document *policy.Document
}

// scheduledDeletion is what ScheduleKeyDeletion said.
type scheduledDeletion struct {
	at   time.Time
	days int
}

func (k *key) place() place { return place{k.region, k.id} }

func (k *key) isExternal() bool { return k.origin == originExternal }

// settled is the key brought up to a moment: material past its date is gone, a rotation past its time is done.
func (k *key) settled(now time.Time, lateExpiry time.Duration) *key {
	settled := *k
	settled.now = now
	if r := k.rotation; r != nil && !now.Before(r.done) {
		settled.expire(r.done.Add(-lateExpiry)) // what expires before the rotation is done does not take part in it
		settled.finishRotation()
	}
	settled.expire(now.Add(-lateExpiry))
	return &settled
}

// expire drops the material whose date is not after a moment.
func (k *key) expire(moment time.Time) {
	expired := k.materials.expired(moment)
	if len(expired) == 0 {
		return
	}
	k.materials = slices.Clone(k.materials)
	for _, id := range expired {
		k.dropMaterial(id)
	}
}

// clone is a copy to change.
func (k *key) clone() *key {
	c := *k
	c.materials = slices.Clone(k.materials)
	c.tags = maps.Clone(k.tags)
	return &c
}

// state derives KeyState from what is known about the key.
func (k *key) state() keyState {
	switch {
	case k.now.Before(k.creatingTo):
		return stateCreating
	case k.scheduled != nil && k.deletionDate().IsZero():
		return statePendingReplicaDeletion
	case k.scheduled != nil:
		return statePendingDeletion
	case k.disabled:
		return stateDisabled
	case !k.materials.complete():
		return statePendingImport
	default:
		return stateEnabled
	}
}

// deletionDate is when the waiting period ends: zero unless it has begun, which for a primary key it does when the last
// replica is gone.
func (k *key) deletionDate() time.Time {
	if k.scheduled == nil {
		return time.Time{}
	}
	begin := k.scheduled.at
	if k.isPrimary() {
		last, all := k.family.gone(k.now)
		if !all {
			return time.Time{}
		}
		if last.After(begin) {
			begin = last
		}
	}
	return begin.Add(time.Duration(k.scheduled.days) * 24 * time.Hour)
}

// gone tells whether the key's waiting period is over.
func (k *key) gone() bool {
	date := k.deletionDate()
	return !date.IsZero() && !k.now.Before(date)
}

// dropMaterial deletes a material. A key that lacks one it needs is PendingImport rather than Disabled, and one that is
// scheduled for deletion stays so. A material that waits for its rotation is forgotten, and its rotation with it if that is
// under way; the key goes on.
func (k *key) dropMaterial(id string) {
	i := k.materials.index(id)
	if i < 0 || k.materials[i].key == nil && !k.materials[i].isPending() {
		return
	}
	if k.materials[i].isPending() && !k.isReplica() {
		k.materials, k.rotation = slices.Delete(k.materials, i, i+1), nil
		return
	}
	k.materials[i].key, k.materials[i].expiry = nil, expiry{}
	if !k.materials[i].isPending() {
		k.disabled = false
	}
}

// setDisabled disables or enables the key.
func (k *key) setDisabled(disabled bool, r rules) error {
	switch k.state() {
	case stateEnabled, stateDisabled:
		k.disabled = disabled
		return nil
	case statePendingImport, statePendingDeletion, statePendingReplicaDeletion, stateCreating:
	}
	return r.stateError(k)
}

// cancelDeletion leaves the key Disabled, whatever it was before.
func (k *key) cancelDeletion() error {
	if k.scheduled == nil {
		return errNotPendingDeletion(k.arn)
	}
	k.scheduled, k.disabled = nil, true
	return nil
}
