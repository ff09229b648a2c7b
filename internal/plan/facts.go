package plan

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Desired is what a KMSKeyImport asks for.
type Desired struct {
	UID        types.UID
	Generation int64
	Deleting   bool
	DeletedAt  time.Time // zero unless Deleting
	Finalizer  bool      // whether the object carries this operator's
	Suspended  bool
	KeyID      string
	Material   v1alpha1.KeyMaterialSource
	Wrapping   kms.Wrapping // fields left out of the spec are empty

	// Expiry is whether the material expires, and the fixed date at which it does.
	Expiry kms.Expiry
	// ValidFor is in the place of a fixed date: how long after an import the material expires.
	ValidFor time.Duration
	// RenewBefore goes with ValidFor: how long before that the material is imported again.
	RenewBefore time.Duration

	// HoldDeleted respects that somebody deleted the material, or shortened its expiry, in KMS.
	HoldDeleted bool
	// DeleteMaterial asks for the material to be deleted in KMS with the object.
	DeleteMaterial bool
	// AllowInterruption permits to delete the material in KMS where it cannot be imported over itself.
	AllowInterruption bool
	Requests          Requests
}

// DesiredBy reads what an object asks for.
func DesiredBy(object *v1alpha1.KMSKeyImport) Desired {
	desired := Desired{
		UID:         object.UID,
		Generation:  object.Generation,
		Deleting:    !object.DeletionTimestamp.IsZero(),
		Finalizer:   slices.Contains(object.Finalizers, v1alpha1.FinalizerKeyMaterial),
		Suspended:   object.Spec.Suspend != nil && *object.Spec.Suspend,
		KeyID:       object.Spec.KeyID,
		Material:    object.Spec.Material,
		HoldDeleted: object.Spec.OnMaterialDeleted == v1alpha1.DeletionResponseHold,

		DeleteMaterial:    object.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDeleteKeyMaterial,
		AllowInterruption: object.Spec.ReimportPolicy == v1alpha1.ReimportAllowInterruption,
		Requests: Requests{
			Reconcile: object.Annotations[v1alpha1.AnnotationReconcileRequestedAt],
			Reimport:  object.Annotations[v1alpha1.AnnotationReimportRequestedAt],
		},
	}
	if desired.Deleting {
		desired.DeletedAt = object.DeletionTimestamp.UTC()
	}
	if wrapping := object.Spec.Wrapping; wrapping != nil {
		desired.Wrapping = kms.Wrapping{
			Algorithm: kms.WrappingAlgorithm(wrapping.Algorithm),
			KeySpec:   kms.WrappingKeySpec(wrapping.KeySpec),
		}
	}
	desired.expire(object.Spec.Expiration)
	return desired
}

// Observed is what is known at this moment of a pass.
type Observed struct {
	Now    time.Time
	Resync time.Duration
	// Dialect is what the KMS speaks; empty is AWS.
	Dialect kms.Dialect

	// Status is the last one written. It is anyone's to forge: it may only make the plan wait, never act.
	Status v1alpha1.KMSKeyImportStatus

	// Record is the one this object owns or, when it owns none, the one of the key that keyID leads to.
	Record    *v1alpha1.KMSKeyRecord
	Ownership Ownership

	Secret   Secret
	Look     *LookResult    // nil until DescribeKey was called in this pass, and again after an effect
	Material *Material      // nil until the Secret's value was read in this pass
	Attempt  *ImportAttempt // nil until an import was attempted in this pass
	TurnIn   time.Duration  // how long until the GetParametersForImport limiter lets this object through
	// Withdrawal is what the withdrawal of this pass came to; nil until one was attempted.
	Withdrawal *WithdrawalAttempt
	// Surroundings are observed of an object that is being deleted.
	Surroundings Surroundings
	Memory       Memory
	// Obstacle is the error of Kubernetes, or of the operator itself, that has ended this pass; empty until then.
	Obstacle string
	// Unreleasable says that a release of the object has failed in this pass.
	Unreleasable bool
}

// Ownership is whose the record is.
type Ownership string

// The ownerships.
const (
	Unclaimed Ownership = "Unclaimed" // there is no record
	Mine      Ownership = "Mine"
	Foreign   Ownership = "Foreign"   // another object's, and that object exists
	Ownerless Ownership = "Ownerless" // released, or the owner is gone
)

// Secret is what is known about the Secret without its content, or about the version whose content was read.
type Secret struct {
	Presence        Presence
	UID             types.UID
	ResourceVersion string
	// Leaving says that the Secret is being deleted, or will be with the object, which owns it.
	Leaving bool
}

// Presence is whether the Secret can be read.
type Presence string

// The presences.
const (
	SecretUnknown       Presence = "" // it could not be looked for
	SecretAbsent        Presence = "Absent"
	SecretNotConsenting Presence = "NotConsenting"
	SecretKeyMissing    Presence = "KeyMissing" // known only once the Secret was read
	SecretPresent       Presence = "Present"
)

// LookResult is the answer of DescribeKey: a key or an error.
type LookResult struct {
	Key kms.Key
	Err *kms.Error
}

// Material is what reading the Secret's value showed.
type Material struct {
	// Problem is a sentence that says why the value is not material for the key; empty when it is.
	Problem string
	// Fingerprint of the value; empty when there is a Problem.
	Fingerprint string
	// Bytes is the length of the value once it is decoded; 0 when there is a Problem.
	Bytes int
	// Comparable is false when the fingerprint on record was made under a fingerprint key that is lost.
	Comparable bool
}

// ImportAttempt is what the imports of this pass came to.
type ImportAttempt struct {
	Cause v1alpha1.ImportCause // of the first
	Tries int
	Err   *kms.Error // of the last one; nil: it succeeded
}

// WithdrawalAttempt is what the withdrawal of this pass came to.
type WithdrawalAttempt struct {
	Err *kms.Error // nil: it succeeded
}

// Surroundings say whether the key is wanted after its object is gone.
type Surroundings struct {
	// NamespaceTerminating says that the whole namespace is being deleted.
	NamespaceTerminating bool
	// NamespaceHidden says that the operator may not read whether it is.
	NamespaceHidden bool
	// Heir says that another KMSKeyImport, which is not being deleted, names the same key or may name it.
	Heir bool
}

// Memory is what this process remembers of the object. It is lost at a restart, which must only cost time.
type Memory struct {
	// FirstSeen is when this process first saw the object.
	FirstSeen time.Time
	// DeletionSeen is when this process first saw that the object is being deleted.
	DeletionSeen time.Time
	// LastLook is when DescribeKey last succeeded.
	LastLook time.Time
	// ImportedHere is the time of the last import that this process made.
	ImportedHere time.Time
	// Confirmed is the time of the last import that a look has confirmed.
	Confirmed time.Time
	// Served are the request annotations' values at that import, which has served them whether or not they are echoed.
	Served Requests
	// Refusal is the last import that KMS refused in a way that trying again does not change.
	Refusal Refusal
	// ContradictedSince is when a look first contradicted a confirmed import; zero while looks agree.
	ContradictedSince time.Time
}

// Refusal is an import that KMS refused: what was sent, of which version of the Secret, and what KMS said.
type Refusal struct {
	Import ImportMaterial
	Secret v1alpha1.SecretVersion
	Err    *kms.Error // nil: there is none
}

// refusedAsItIs reports whether KMS has refused just this import of the Secret as it stands. An expiry that moves with
// the clock makes it no other, nor does what is checked before it is sent.
func refusedAsItIs(d Desired, o Observed, action ImportMaterial) bool {
	refused := o.Memory.Refusal.Import
	refused.Expect, refused.RejectWeak, refused.Cause = action.Expect, action.RejectWeak, action.Cause
	if action.ValidFor > 0 {
		refused.Expiry, action.Expiry = kms.Expiry{}, kms.Expiry{}
	}
	return o.Memory.Refusal.Err != nil && refused == action && sameSecretVersion(d, o, o.Memory.Refusal.Secret)
}

// ObservedGeneration is status.observedGeneration, -1 when absent.
func ObservedGeneration(status v1alpha1.KMSKeyImportStatus) int64 {
	if status.ObservedGeneration == nil {
		return -1
	}
	return *status.ObservedGeneration
}

// conditionOf finds a condition of the last status.
func conditionOf(status v1alpha1.KMSKeyImportStatus, conditionType string) *metav1.Condition {
	return meta.FindStatusCondition(status.Conditions, conditionType)
}

// elsewhere reports whether keyID led the look of this pass, which showed a key, to another one than this object owns.
func (o Observed) elsewhere() bool { return o.Ownership == Mine && o.Record.KeyARN != o.Look.Key.ARN }

// seen reports whether this pass has looked at the key, and at no other.
func (o Observed) seen() bool { return o.Look != nil && o.Look.Err == nil && !o.elsewhere() }

// gone reports whether KMS has answered that there is no such key.
func (o Observed) gone() bool {
	return o.Look != nil && o.Look.Err != nil && o.Look.Err.Class == kms.ClassNotFound
}

// imported is what the record of this object's key says was imported; nil when nothing is known to have been.
func (o Observed) imported() *v1alpha1.ImportedMaterial {
	if o.Record == nil {
		return nil
	}
	return o.Record.Imported
}

// RecordedFingerprint is the fingerprint that material for this record's key must have: of what was imported or, while
// the outcome of the first import is unknown, of what was about to be. Empty when there is neither.
func RecordedFingerprint(record *v1alpha1.KMSKeyRecord) string {
	switch {
	case record == nil:
		return ""
	case record.Imported != nil:
		return record.Imported.Fingerprint
	case record.Intent != nil:
		return record.Intent.Fingerprint
	default:
		return ""
	}
}

// RecordedExpiry is the expiry that an import was made with.
func RecordedExpiry(imported v1alpha1.MaterialImport) kms.Expiry {
	expiry := kms.Expiry{Model: kms.ExpirationModel(imported.ExpirationModel)}
	if imported.ValidTo != nil {
		expiry.ValidTo = imported.ValidTo.UTC()
	}
	return expiry
}

// vouched reports whether this object owns the key, and the record says what was imported into it.
func (o Observed) vouched() bool { return o.Ownership == Mine && o.imported() != nil }

func (o Observed) expired(expiry kms.Expiry) bool {
	return expiry.Model == kms.KeyMaterialExpires && !expiry.ValidTo.After(o.Now)
}

// sameSecretVersion reports whether the Secret stands as it was when its value was last compared with the key's.
func sameSecretVersion(d Desired, o Observed, version v1alpha1.SecretVersion) bool {
	return version == v1alpha1.SecretVersion{
		Name:            d.Material.SecretRef.Name,
		Key:             d.Material.SecretRef.Key,
		Encoding:        d.Material.Encoding,
		UID:             o.Secret.UID,
		ResourceVersion: o.Secret.ResourceVersion,
	}
}
