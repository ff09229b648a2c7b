package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KMSKeyImport brings the key material of a Secret into a KMS key of Origin EXTERNAL and keeps it there.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=kki,categories=kms
// +kubebuilder:printcolumn:name="Key-State",type=string,JSONPath=`.status.key.state`,description="State of the key as KMS reports it"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the key is usable with the Secret's material"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Why it is or is not, see docs/runbook.md"
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.validTo`,description="When KMS deletes the material, RFC 3339 UTC; empty when it does not expire"
// +kubebuilder:printcolumn:name="Renewal",type=string,JSONPath=`.status.renewalTime`,description="When the material is imported again, RFC 3339 UTC; empty when no renewal is planned"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Key-ARN",type=string,JSONPath=`.status.key.arn`,priority=1,description="The key this object has settled on"
type KMSKeyImport struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec names the key and the material.
	// +required
	Spec KMSKeyImportSpec `json:"spec,omitempty,omitzero"`

	// status is what the operator last found. Its observedGeneration is -1 until the operator has seen the object.
	// +kubebuilder:default:={"observedGeneration":-1}
	// +optional
	Status KMSKeyImportStatus `json:"status,omitempty,omitzero"`
}

// KMSKeyImportSpec names a key, its material and how it is imported.
type KMSKeyImportSpec struct {
	// keyID is the KMS key to import into: a key ID, key ARN, alias name (alias/...) or alias ARN. The key must have
	// been created with Origin EXTERNAL. It cannot be changed; an alias that comes to point elsewhere is not followed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.size() > 0",message="keyID is empty: set it to a key ID, key ARN, alias name (alias/...) or alias ARN"
	// +kubebuilder:validation:XValidation:rule="!self.matches('\\\\s')",message="keyID contains white space: remove it"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="keyID is immutable: to import into another key, create a new KMSKeyImport"
	// +required
	KeyID string `json:"keyID,omitempty"`

	// material says where the key material is and how it is written down.
	// +required
	Material KeyMaterialSource `json:"material,omitempty,omitzero"`

	// wrapping fixes how the material is encrypted on its way to KMS. What is left out is chosen: the strongest that
	// the key and its material take.
	// +optional
	Wrapping *Wrapping `json:"wrapping,omitempty"`

	// expiration says when KMS deletes the material. Without it the material does not expire.
	// +optional
	Expiration *Expiration `json:"expiration,omitempty"`

	// onMaterialDeleted says what happens when somebody deleted the material in KMS, or shortened its expiry there.
	// Reimport imports it again. Hold respects that as a revocation: the object is stalled, or a shortened expiry is left,
	// until the annotation kms.keyimport.dev/reimport-requested-at has a new value, or this field says Reimport. Material
	// that expired at its own time is imported again in either case.
	// +kubebuilder:default=Reimport
	// +optional
	OnMaterialDeleted DeletionResponse `json:"onMaterialDeleted,omitempty"`

	// reimportPolicy says what happens when a re-import is due, for a renewal or another expiry, and this KMS refuses one
	// over material that is there (QKMS). InPlace leaves the key as it is and warns (RenewalNeedsInterruption).
	// AllowInterruption deletes the material in KMS and imports it again at once; in between the key is unusable, for a
	// second or less, or longer if something fails, which docs/kmskeyimport.md explains. Where KMS takes a re-import over material
	// (AWS), both are the same.
	// +kubebuilder:default=InPlace
	// +optional
	ReimportPolicy ReimportPolicy `json:"reimportPolicy,omitempty"`

	// deletionPolicy says what happens to the key's material when this object is deleted. Retain leaves it in KMS.
	// DeleteKeyMaterial takes it out again, if the operator imported it itself, the Secret still holds the same bytes, and
	// nothing says that the key is still wanted; otherwise it stays, and an event MaterialRetained says why.
	// docs/kmskeyimport.md lists the conditions.
	// +kubebuilder:default=Retain
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// suspend stops, when true, all calls to KMS for this object until it is removed or false. What was imported stays.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`
}

// KeyMaterialSource is a value in a Secret of the same namespace.
type KeyMaterialSource struct {
	// secretRef names the Secret and the key in it. The Secret must carry the label
	// kms.keyimport.dev/key-material: "true".
	// +required
	SecretRef SecretKeyReference `json:"secretRef,omitempty,omitzero"`

	// encoding is how the value is written: Raw (the bytes themselves: of a private key, PKCS#8 DER), Base64 (once more
	// than the Secret's own: standard or URL-safe alphabet, with or without padding), Hex (either case) or PEM (one
	// block of an unencrypted private key: PKCS#8, PKCS#1 or SEC 1). In Base64 and Hex, line breaks, and white space at
	// the ends, are ignored. It is never guessed.
	// +kubebuilder:default=Raw
	// +optional
	Encoding MaterialEncoding `json:"encoding,omitempty"`

	// weakMaterialPolicy says what happens at the first import to raw bytes that look like no key: all the same, a
	// counting sequence, printable text, or a private key in DER. Reject stalls the object; Allow imports them, for
	// tests. What goes into RSA and EC keys is not judged.
	// +kubebuilder:default=Reject
	// +optional
	WeakMaterialPolicy WeakMaterialPolicy `json:"weakMaterialPolicy,omitempty"`
}

// SecretKeyReference names a value in a Secret of the same namespace.
type SecretKeyReference struct {
	// name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.size() > 0",message="name is empty: set it to the name of the Secret that holds the key material"
	// +kubebuilder:validation:XValidation:rule="self.matches('^([-.a-z0-9]*)$')",message="name is not a name a Secret can have: use lower case letters, digits, '-' and '.'"
	// +required
	Name string `json:"name,omitempty"`

	// key in the Secret's data.
	// +kubebuilder:default=material
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key is not a key a Secret can have: use letters, digits, '-', '_' and '.'"
	// +optional
	Key string `json:"key,omitempty"`
}

// MaterialEncoding is how key material is written down in a Secret.
// +kubebuilder:validation:Enum=Raw;Base64;Hex;PEM
type MaterialEncoding string

// The encodings.
const (
	MaterialEncodingRaw    MaterialEncoding = "Raw"
	MaterialEncodingBase64 MaterialEncoding = "Base64"
	MaterialEncodingHex    MaterialEncoding = "Hex"
	MaterialEncodingPEM    MaterialEncoding = "PEM"
)

// WeakMaterialPolicy is what to do with material that looks like no key.
// +kubebuilder:validation:Enum=Reject;Allow
type WeakMaterialPolicy string

// The policies.
const (
	WeakMaterialReject WeakMaterialPolicy = "Reject"
	WeakMaterialAllow  WeakMaterialPolicy = "Allow"
)

// Wrapping is how material is encrypted under KMS's wrapping public key.
// +kubebuilder:validation:XValidation:rule="has(self.algorithm) || has(self.keySpec)",message="wrapping is empty: set algorithm or keySpec, or remove wrapping to have the strongest chosen"
type Wrapping struct {
	// algorithm is KMS's WrappingAlgorithm. RSA_AES_KEY_WRAP_SHA_1 and RSA_AES_KEY_WRAP_SHA_256 are for private keys;
	// RSA keys take no other. Default: RSAES_OAEP_SHA_256 where the material fits, else RSA_AES_KEY_WRAP_SHA_256.
	// +optional
	Algorithm WrappingAlgorithm `json:"algorithm,omitempty"`

	// keySpec is KMS's WrappingKeySpec. Default: RSA_4096, and RSA_2048 where KMS has no other.
	// +optional
	KeySpec WrappingKeySpec `json:"keySpec,omitempty"`
}

// WrappingAlgorithm is KMS's WrappingAlgorithm.
// +kubebuilder:validation:Enum=RSAES_OAEP_SHA_1;RSAES_OAEP_SHA_256;RSA_AES_KEY_WRAP_SHA_1;RSA_AES_KEY_WRAP_SHA_256
type WrappingAlgorithm string

// WrappingKeySpec is KMS's WrappingKeySpec.
// +kubebuilder:validation:Enum=RSA_2048;RSA_3072;RSA_4096
type WrappingKeySpec string

// Expiration says when KMS deletes the material: validFor for one that is moved on by renewals, validTo for a fixed date.
// +kubebuilder:validation:XValidation:rule="has(self.validFor) || has(self.validTo)",message="expiration is empty: set validFor or validTo, or remove expiration for material that does not expire"
// +kubebuilder:validation:XValidation:rule="!has(self.validFor) || !has(self.validTo)",message="validFor and validTo exclude each other: keep validFor for material that is renewed, validTo for a fixed date"
// +kubebuilder:validation:XValidation:rule="!has(self.renewBefore) || has(self.validFor)",message="renewBefore goes with validFor: a fixed validTo is not renewed"
// +kubebuilder:validation:XValidation:rule="!has(self.renewBefore) || !has(self.validFor) || !self.renewBefore.matches('^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$') || !self.validFor.matches('^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$') || duration(self.validFor) - duration(self.renewBefore) >= duration('1m')",message="renewBefore must be at least 1 minute shorter than validFor: otherwise each renewal would be due as soon as the last one is done"
type Expiration struct {
	// validFor is how long after each import KMS deletes the material, for example 2160h: at least 10 minutes and at
	// most 364 days (8736h). The same material is imported again before that, see renewBefore. Hours, minutes and
	// seconds, in this order.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$')",message="validFor is no duration: write hours, minutes and seconds, such as 2160h or 1h30m"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$') || duration(self) >= duration('10m')",message="validFor is under 10 minutes, which leaves no time to renew the material: set it to at least 10m"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$') || duration(self) <= duration('8736h')",message="validFor is over 364 days, and KMS refuses an expiry more than 365 days ahead: set it to at most 8736h"
	// +optional
	ValidFor *metav1.Duration `json:"validFor,omitempty"`

	// renewBefore is how long before the expiry the material is imported again: at least 1 minute, and at least 1 minute
	// less than validFor. Default: a third of validFor. A renewal comes earlier than this by at most a tenth of
	// renewBefore, so that objects made together are not renewed together; status.renewalTime says when.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$')",message="renewBefore is no duration: write hours, minutes and seconds, such as 720h or 1h30m"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$') || duration(self) >= duration('1m')",message="renewBefore is under 1 minute, which leaves no time to renew the material: set it to at least 1m"
	// +optional
	RenewBefore *metav1.Duration `json:"renewBefore,omitempty"`

	// validTo is the fixed time at which KMS deletes the material, at least 5 minutes and at most 365 days ahead when
	// it is imported. Fractions of a second are dropped. It is not renewed.
	// +optional
	ValidTo *metav1.Time `json:"validTo,omitempty"`
}

// DeletionResponse is what to do when somebody deleted the material in KMS.
// +kubebuilder:validation:Enum=Reimport;Hold
type DeletionResponse string

// The responses.
const (
	// DeletionResponseReimport imports the material again.
	DeletionResponseReimport DeletionResponse = "Reimport"
	// DeletionResponseHold respects the deletion as a revocation and waits for a person.
	DeletionResponseHold DeletionResponse = "Hold"
)

// ReimportPolicy is how material is imported again into a key that holds it.
// +kubebuilder:validation:Enum=InPlace;AllowInterruption
type ReimportPolicy string

// The policies.
const (
	// ReimportInPlace imports over the material that is there, or not at all.
	ReimportInPlace ReimportPolicy = "InPlace"
	// ReimportAllowInterruption deletes it first where KMS wants that.
	ReimportAllowInterruption ReimportPolicy = "AllowInterruption"
)

// DeletionPolicy is what the deletion of a KMSKeyImport does to the key's material.
// +kubebuilder:validation:Enum=Retain;DeleteKeyMaterial
type DeletionPolicy string

// The policies.
const (
	// DeletionPolicyRetain leaves the material in KMS.
	DeletionPolicyRetain DeletionPolicy = "Retain"
	// DeletionPolicyDeleteKeyMaterial takes it out.
	DeletionPolicyDeleteKeyMaterial DeletionPolicy = "DeleteKeyMaterial"
)

// KMSKeyImportStatus is what the operator last found and did. It is a copy for people and tools: nothing the operator
// does to a key relies on it.
type KMSKeyImportStatus struct {
	// observedGeneration is the generation of the spec that was last settled, stalled or suspended: -1 before the
	// operator has seen the object, 0 while the first is still under way.
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready always; Reconciling, Stalled and the warnings Suspended, Expiring, SourceMissing,
	// OtherMaterialExpires, RenewalNeedsInterruption and Interrupted only while they are True. docs/runbook.md explains each reason.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// key is the KMS key as DescribeKey last reported it.
	// +optional
	Key *KeyStatus `json:"key,omitempty"`

	// expirationModel as KMS reports it: KEY_MATERIAL_EXPIRES, KEY_MATERIAL_DOES_NOT_EXPIRE, or absent while the key
	// holds no material.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	ExpirationModel string `json:"expirationModel,omitempty"`

	// validTo is when KMS deletes the material, as KMS reports it.
	// +optional
	ValidTo *metav1.Time `json:"validTo,omitempty"`

	// renewalTime is when the same material is imported again to move its expiry, or was to be when that is in the past.
	// Absent when no renewal is planned: without validFor, while suspended, while the key holds no material, while a
	// shortened expiry is respected (onMaterialDeleted), or where KMS imports only into a key without material (QKMS).
	// +optional
	RenewalTime *metav1.Time `json:"renewalTime,omitempty"`

	// material is what this operator last imported.
	// +optional
	Material *MaterialStatus `json:"material,omitempty"`

	// lastHandledReconcileAt echoes the last value of the annotation kms.keyimport.dev/reconcile-requested-at that was
	// handled: KMS has answered the look it asked for.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=262144
	// +optional
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// lastHandledReimportAt echoes the last value of the annotation kms.keyimport.dev/reimport-requested-at that was
	// handled: the material was imported, or the object is settled or stalled without. While something is waited for, an
	// enabled key for example, it is not echoed, and carried out later.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=262144
	// +optional
	LastHandledReimportAt string `json:"lastHandledReimportAt,omitempty"`
}

// KeyStatus is a KMS key as DescribeKey reports it, in KMS's own words.
type KeyStatus struct {
	// arn is the key ARN.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	ARN string `json:"arn,omitempty"`

	// state is KMS's KeyState, for example Enabled or PendingImport.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	State string `json:"state,omitempty"`

	// spec is KMS's KeySpec, for example SYMMETRIC_DEFAULT.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Spec string `json:"spec,omitempty"`

	// usage is KMS's KeyUsage, for example ENCRYPT_DECRYPT.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Usage string `json:"usage,omitempty"`

	// multiRegion says whether this is a multi-Region key.
	// +optional
	MultiRegion *bool `json:"multiRegion,omitempty"`
}

// MaterialStatus is the material this operator last imported, copied from its record of the key.
type MaterialStatus struct {
	// fingerprint tells two materials apart without revealing them: a keyed hash that means something only to this
	// operator and this key.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Fingerprint string `json:"fingerprint,omitempty"`

	// keyMaterialID is KMS's KeyMaterialId; symmetric keys only.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	KeyMaterialID string `json:"keyMaterialID,omitempty"`

	// importedAt is when ImportKeyMaterial last succeeded.
	// +optional
	ImportedAt *metav1.Time `json:"importedAt,omitempty"`

	// wrappingAlgorithm is the one used.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	WrappingAlgorithm string `json:"wrappingAlgorithm,omitempty"`

	// wrappingKeySpec is the one used.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	WrappingKeySpec string `json:"wrappingKeySpec,omitempty"`
}

// KMSKeyImportList is a list of KMSKeyImport.
//
// +kubebuilder:object:root=true
type KMSKeyImportList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KMSKeyImport `json:"items"`
}
