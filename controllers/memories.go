package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// memories is what this process remembers of the objects it has seen. A new process starts without, which costs time
// and never correctness.
type memories struct {
	mutex  sync.Mutex
	byName map[types.NamespacedName]*memory
}

type memory struct {
	uid types.UID
	plan.Memory
}

func newMemories() *memories {
	return &memories{byName: map[types.NamespacedName]*memory{}}
}

// of is the memory of an object; an object made again under the same name is a new one.
func (m *memories) of(name types.NamespacedName, uid types.UID, now time.Time) plan.Memory {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	found := m.byName[name]
	if found == nil || found.uid != uid {
		found = &memory{uid: uid, Memory: plan.Memory{FirstSeen: now}}
		m.byName[name] = found
	}
	return found.Memory
}

func (m *memories) forget(name types.NamespacedName) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	delete(m.byName, name)
}

// deleting remembers since when the object is known to be deleted.
func (m *memories) deleting(name types.NamespacedName, uid types.UID, now time.Time) {
	if seen := m.of(name, uid, now).DeletionSeen; seen.IsZero() || now.Before(seen) { // by a clock that was set back
		m.change(name, func(memory *plan.Memory) { memory.DeletionSeen = now })
	}
}

func (m *memories) looked(name types.NamespacedName, now time.Time) {
	m.change(name, func(memory *plan.Memory) { memory.LastLook = now })
}

// imported starts anew: what confirmed or contradicted an earlier import, even one of the same second, says nothing
// about this one.
func (m *memories) imported(name types.NamespacedName, at time.Time, served plan.Requests) {
	m.change(name, func(memory *plan.Memory) {
		memory.ImportedHere, memory.Served = at, served
		memory.Confirmed, memory.ContradictedSince = time.Time{}, time.Time{}
	})
}

func (m *memories) refused(name types.NamespacedName, refusal plan.Refusal) {
	m.change(name, func(memory *plan.Memory) { memory.Refusal = refusal })
}

// compared remembers whether a look confirmed or contradicted the last import. A contradiction from the future, by a
// clock that was set back, counts from now.
func (m *memories) compared(name types.NamespacedName, imported v1alpha1.ImportedMaterial, key kms.Key, now time.Time) {
	m.change(name, func(memory *plan.Memory) {
		switch {
		case plan.Agrees(imported, key):
			memory.Confirmed = imported.Time.Time
			memory.ContradictedSince = time.Time{}
		case memory.ContradictedSince.IsZero(), now.Before(memory.ContradictedSince):
			memory.ContradictedSince = now
		}
	})
}

func (m *memories) change(name types.NamespacedName, change func(*plan.Memory)) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if found := m.byName[name]; found != nil {
		change(&found.Memory)
	}
}
