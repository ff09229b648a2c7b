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

// Expiration says when KMS deletes the material.
// +kubebuilder:validation:XValidation:rule="has(self.validTo)",message="expiration is empty: set validTo, or remove expiration for material that does not expire"
type Expiration struct {
	// validTo is the fixed time at which KMS deletes the material, at least 5 minutes and at most 365 days ahead when
	// it is imported. Fractions of a second are dropped.
	// +optional
	ValidTo *metav1.Time `json:"validTo,omitempty"`
}

// KMSKeyImportStatus is what the operator last found and did. It is a copy for people and tools: nothing the operator
// does to a key relies on it.
type KMSKeyImportStatus struct {
	// observedGeneration is the generation of the spec that was last settled, stalled or suspended: -1 before the
	// operator has seen the object, 0 while the first is still under way.
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready always; Reconciling, Stalled and the warnings Suspended, Expiring, SourceMissing,
	// OtherMaterialExpires and RenewalNeedsInterruption only while they are True. docs/runbook.md explains each reason.
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

	// renewalTime is when the same material is imported again to move its expiry. Absent when none is planned: a fixed
	// validTo is never renewed.
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
