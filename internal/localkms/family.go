package localkms

import (
	"slices"
	"time"
)

// A family is a primary key and its replicas: keys with one ID in several Regions. It is a snapshot that all of them
// share; a change replaces it in each.
type family struct {
	primary  string // the Region
	replicas []replica
}

type replica struct {
	region string
	goneAt time.Time // when it will be gone, or was; zero unless it is scheduled for deletion
}

func (k *key) isPrimary() bool { return k.family != nil && k.family.primary == k.region }

func (k *key) isReplica() bool { return k.family != nil && k.family.primary != k.region }

// gone tells when the last replica was gone, and whether all are.
func (f *family) gone(now time.Time) (last time.Time, all bool) {
	for _, r := range f.replicas {
		if r.goneAt.IsZero() || now.Before(r.goneAt) {
			return time.Time{}, false
		}
		if r.goneAt.After(last) {
			last = r.goneAt
		}
	}
	return last, true
}

// alive are the Regions of the replicas that there are.
func (f *family) alive(now time.Time) (regions []string) {
	for _, r := range f.replicas {
		if r.goneAt.IsZero() || now.Before(r.goneAt) {
			regions = append(regions, r.region)
		}
	}
	return regions
}

// with is the family with a replica added or changed.
func (f *family) with(changed replica) *family {
	others := slices.DeleteFunc(slices.Clone(f.replicas), func(r replica) bool { return r.region == changed.region })
	return &family{primary: f.primary, replicas: append(others, changed)}
}

// relatives are the other keys of a family, as copies to change.
func (t tx) relatives(k *key) (relatives []*key) {
	if k.family == nil {
		return nil
	}
	for _, region := range append(k.family.alive(t.now), k.family.primary) {
		if region == k.region {
			continue
		}
		if relative := t.latest(place{region, k.id}); relative != nil {
			relatives = append(relatives, relative.clone())
		}
	}
	return relatives
}

// putChanged stores a key that was changed, and what the change means for its family.
func (t tx) putChanged(k *key) {
	relatives := t.relatives(k)
	for _, relative := range relatives {
		relative.family = k.family
		if k.isPrimary() {
			relative.rotation, relative.rotations = k.rotation, k.rotations
		}
	}
	alignMaterials(append(relatives, k))
	for _, member := range append(relatives, k) {
		t.put(member)
	}
}

// align brings what a settled key shows of its materials in line with the rest of its family at the same moment: what
// waits for its rotation may have expired elsewhere.
func (t tx) align(k *key) {
	if k.family == nil {
		return
	}
	members := []*key{k}
	for _, region := range append(k.family.alive(k.now), k.family.primary) {
		e, found := t.entries[place{region, k.id}]
		if !found || region == k.region {
			continue
		}
		if relative, found := e.history.at(k.now); found {
			members = append(members, relative.settled(k.now, t.lateExpiry))
		}
	}
	alignMaterials(members)
}

// alignMaterials gives replicas a place for each material of their primary, whose bytes each must be given apart. A
// material that waits for its rotation waits for all of them to have it first.
func alignMaterials(members []*key) {
	i := slices.IndexFunc(members, func(k *key) bool { return k.isPrimary() })
	if i < 0 {
		return
	}
	primary := members[i]
	everywhere := true
	for _, member := range members {
		if !primary.isExternal() { // KMS brings what it made itself
			member.materials = slices.Clone(primary.materials)
			continue
		}
		member.materials = member.materials.like(primary.materials)
		if p := member.materials.pending(); p >= 0 && member.materials[p].key == nil {
			everywhere = false
		}
	}
	for _, member := range members {
		if p := member.materials.pending(); p >= 0 && member.rotation == nil {
			member.materials[p].state = pendingState(everywhere)
		}
	}
}

func pendingState(everywhere bool) materialState {
	if everywhere {
		return materialPendingRotation
	}
	return materialPendingMultiRegion
}

// like is the materials of a replica as its primary's are, with what the replica holds of them.
func (m materials) like(primary materials) materials {
	aligned := slices.Clone(primary)
	for i := range aligned {
		own := keyMaterial{}
		if j := m.index(aligned[i].id); j >= 0 {
			own = m[j]
		}
		aligned[i].key, aligned[i].expiry, aligned[i].description = own.key, own.expiry, own.description
	}
	return aligned
}
