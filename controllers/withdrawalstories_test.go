package controllers

import (
	"maps"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// withdrawalStories are those in which material is deleted in KMS, or is not although somebody might think so, and those
// of keys that hold material already.
var withdrawalStories = map[string]story{
	"withdrawal":           {before: steps(create(deletionOfMaterial), use), then: steps(remove), ends: "no object", emptied: true},
	"withdrawal, and back": {before: steps(create(deletionOfMaterial), use), then: steps(remove, create(deletionOfMaterial)), imports: 1},
	"withdrawal, key empty already": {
		before: steps(create(deletionOfMaterial), use), then: steps(after(deleteMaterial, remove)), ends: "no object", emptied: true,
	},
	"retained, Secret pruned too": {before: steps(create(deletionOfMaterial), use), then: steps(after(remove, removeSecret)), ends: "no object"},
	"retained, Secret overwritten": {
		before: steps(create(deletionOfMaterial), use), then: steps(after(remove, overwrite)), ends: "no object",
	},
	"retained, suspended":      {before: steps(create(deletionOfMaterial), use), then: steps(edit(suspend), remove), ends: "no object"},
	"retained, policy changed": {before: steps(create(deletionOfMaterial), use), then: steps(edit(permanent), remove), ends: "no object"},
	"retained, adopted":        {before: steps(importMaterial, use), then: steps(create(deletionOfMaterial), remove), imports: 2, ends: "no object"},
	"withdrawn while disabled": {
		before: steps(create(deletionOfMaterial), use), then: steps(disable, remove), ends: "no object", emptied: true,
	},
	"adoption":                  {before: steps(importMaterial, use), then: steps(create(fixed(20 * day))), imports: 2},
	"adoption, nothing to move": {before: steps(importMaterial, use), then: steps(create(fixed(30 * day))), imports: 1},

	"QKMS, interruption": {
		dialect: kms.DialectQKMS, before: steps(create(both(rolling, interrupting)), use), then: steps(untilRenewal), imports: 1,
	},
	"QKMS, interruption, sealed": {
		dialect: kms.DialectQKMS, assumed: overMaterial(),
		before: steps(create(both(rolling, interrupting)), use), then: steps(untilRenewal), imports: 1,
	},
	"QKMS, interruption for another expiry": {
		dialect: kms.DialectQKMS, before: steps(create(both(fixed(30*day), interrupting)), use), then: steps(edit(fixed(60 * day))), imports: 1,
	},
	"QKMS, interruption, then removed": {
		dialect: kms.DialectQKMS, before: steps(create(both(rolling, interrupting)), use), then: steps(untilRenewal, remove), imports: 1, ends: "no object",
	},
	"QKMS, withdrawal, and back": {
		dialect: kms.DialectQKMS, before: steps(create(both(fixed(30*day), withDeletion)), use), then: steps(remove, create(fixed(30*day))), imports: 1,
	},
}

// allStories are told by TestOneFailure.
func allStories() map[string]story {
	all := maps.Clone(stories)
	maps.Copy(all, withdrawalStories)
	return all
}

func overMaterial() []localkms.Assumption {
	return []localkms.Assumption{localkms.ParametersOverMaterial}
}

func deletionOfMaterial(spec *v1alpha1.KMSKeyImportSpec) {
	permanent(spec)
	withDeletion(spec)
}

func withDeletion(spec *v1alpha1.KMSKeyImportSpec) {
	spec.DeletionPolicy = v1alpha1.DeletionPolicyDeleteKeyMaterial
}

func interrupting(spec *v1alpha1.KMSKeyImportSpec) {
	spec.ReimportPolicy = v1alpha1.ReimportAllowInterruption
}

// importMaterial is what somebody did who had the same bytes.
func importMaterial(w *world) {
	importByHand(30 * day)(w)
}
