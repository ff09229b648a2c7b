package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// HistoryLimit is how many entries KMSKeyRecord.history keeps; older ones are dropped.
const HistoryLimit = 20

// KMSKeyRecord is the operator's own account of one KMS key: who owns it, what was imported into it, and what is being
// imported right now. There is one per key ARN, in the operator's namespace, named by a hash of the ARN. Creating it is
// the claim on the key. Only the operator writes it; it outlives its owner and is the evidence of custody.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:categories=kms
// +kubebuilder:printcolumn:name="Owner-Namespace",type=string,JSONPath=`.owner.namespace`
// +kubebuilder:printcolumn:name="Owner",type=string,JSONPath=`.owner.name`
// +kubebuilder:printcolumn:name="Imported",type=string,JSONPath=`.imported.time`,description="When material was last imported, RFC 3339 UTC"
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.imported.validTo`,description="The expiry it was imported with, RFC 3339 UTC"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Key-ARN",type=string,JSONPath=`.keyARN`,priority=1
type KMSKeyRecord struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// keyARN is the key this record is about.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="keyARN is immutable: each key has a record of its own"
	// +required
	KeyARN string `json:"keyARN,omitempty"`

	// owner is the KMSKeyImport that the key belongs to; absent after that object was deleted.
	// +optional
	Owner *RecordOwner `json:"owner,omitempty"`

	// imported is the last import whose success is known; absent before the first.
	// +optional
	Imported *ImportedMaterial `json:"imported,omitempty"`

	// intent is an import that was about to be made. One that is still here after a crash or a lost answer says that
	// the outcome is unknown.
	// +optional
	Intent *ImportIntent `json:"intent,omitempty"`

	// withdrawal is the deletion of the key's material by this operator: from before it was asked for until the material
	// is imported again. imported then says what was deleted, and can be imported again.
	// +optional
	Withdrawal *MaterialWithdrawal `json:"withdrawal,omitempty"`

	// hold says that the key was last seen disabled or scheduled for deletion, or that its material was deleted while the
	// owner's onMaterialDeleted said Hold. A person then decides whether material is imported again. Absent once the key
	// was seen enabled, or a person has decided.
	// +optional
	Hold *KeyHold `json:"hold,omitempty"`

	// history is what happened to the key, oldest first, the last 20 entries.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	// +optional
	History []HistoryEntry `json:"history,omitempty"`
}

// RecordOwner identifies a KMSKeyImport.
type RecordOwner struct {
	// namespace of the KMSKeyImport.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Namespace string `json:"namespace,omitempty"`

	// name of the KMSKeyImport.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`

	// uid of the KMSKeyImport: an object made again under the same name is another owner.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	UID types.UID `json:"uid,omitempty"`
}

// ImportOperation is what an import does to the key.
// +kubebuilder:validation:Enum=Import;Reimport
type ImportOperation string

// The operations.
const (
	// OperationImport brings material into a key that this operator has not imported before.
	OperationImport ImportOperation = "Import"
	// OperationReimport brings the same material again: to heal the key or to move the expiry.
	OperationReimport ImportOperation = "Reimport"
)

// ImportCause is why an import was made.
// +kubebuilder:validation:Enum=FirstImport;Adoption;MaterialMissing;MaterialWithdrawn;ExpiryChanged;Renewal;Requested;OutcomeUnknown
type ImportCause string

// The causes.
const (
	// CauseFirstImport: the key had no material and this operator had never imported any.
	CauseFirstImport ImportCause = "FirstImport"
	// CauseAdoption: the key held material that this operator had not imported, or whose fingerprint could not be compared
	// any more; the same bytes, with the expiry that KMS reported, prove what it is.
	CauseAdoption ImportCause = "Adoption"
	// CauseMaterialMissing: the material expired or somebody deleted it.
	CauseMaterialMissing ImportCause = "MaterialMissing"
	// CauseMaterialWithdrawn: this operator had deleted the material itself.
	CauseMaterialWithdrawn ImportCause = "MaterialWithdrawn"
	// CauseExpiryChanged: the spec asked for another expiry, or somebody had changed it in KMS.
	CauseExpiryChanged ImportCause = "ExpiryChanged"
	// CauseRenewal: the renewal was due.
	CauseRenewal ImportCause = "Renewal"
	// CauseRequested: the annotation reimport-requested-at asked for it.
	CauseRequested ImportCause = "Requested"
	// CauseOutcomeUnknown: the answer to the import before was lost.
	CauseOutcomeUnknown ImportCause = "OutcomeUnknown"
)

// MaterialImport is what both an intended and a finished import consist of.
type MaterialImport struct {
	// operation is Import or Reimport.
	// +required
	Operation ImportOperation `json:"operation,omitempty"`

	// cause is why it is made.
	// +optional
	Cause ImportCause `json:"cause,omitempty"`

	// fingerprint of the material.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Fingerprint string `json:"fingerprint,omitempty"`

	// secret is where the material was read.
	// +required
	Secret SecretVersion `json:"secret,omitempty,omitzero"`

	// expirationModel sent to KMS.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	ExpirationModel string `json:"expirationModel,omitempty"`

	// validTo sent to KMS, in whole seconds; absent when the material does not expire.
	// +optional
	ValidTo *metav1.Time `json:"validTo,omitempty"`

	// validFor is the spec.expiration.validFor that validTo followed from; absent for a fixed date.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +optional
	ValidFor *metav1.Duration `json:"validFor,omitempty"`

	// wrappingAlgorithm used.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	WrappingAlgorithm string `json:"wrappingAlgorithm,omitempty"`

	// wrappingKeySpec used.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	WrappingKeySpec string `json:"wrappingKeySpec,omitempty"`
}

// SecretVersion is one version of a value in a Secret, and how it was read.
type SecretVersion struct {
	// name of the Secret, in the namespace of the owner.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`

	// uid of the Secret.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	UID types.UID `json:"uid,omitempty"`

	// resourceVersion of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	ResourceVersion string `json:"resourceVersion,omitempty"`

	// key in the Secret's data.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Key string `json:"key,omitempty"`

	// encoding it was decoded with.
	// +required
	Encoding MaterialEncoding `json:"encoding,omitempty"`
}

// ImportedMaterial is an import that KMS confirmed.
type ImportedMaterial struct {
	MaterialImport `json:",inline"`

	// time at which ImportKeyMaterial succeeded.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`

	// keyMaterialID is the KeyMaterialId that KMS answered; symmetric keys only.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	KeyMaterialID string `json:"keyMaterialID,omitempty"`

	// requestID is KMS's ID of the request, to find it in CloudTrail.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	RequestID string `json:"requestID,omitempty"`

	// adopted says, when true, that the key held this material before this operator first imported it. Adopted material is
	// never deleted by this operator.
	// +optional
	Adopted *bool `json:"adopted,omitempty"`

	// unconfirmed says, when true, that KMS has not shown this import within five minutes, so that another one for the
	// same observation would not help. Absent once a look has shown it.
	// +optional
	Unconfirmed *bool `json:"unconfirmed,omitempty"`
}

// ImportIntent is an import that is about to be made.
type ImportIntent struct {
	MaterialImport `json:",inline"`

	// time at which the intent was written.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`

	// keyState is the state the key was in before.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	KeyState string `json:"keyState,omitempty"`

	// notAfter is when the call may no longer be made.
	// +required
	NotAfter metav1.Time `json:"notAfter,omitempty,omitzero"`
}

// WithdrawalCause is why material was deleted.
// +kubebuilder:validation:Enum=ObjectDeleted;Interruption
type WithdrawalCause string

// The causes; there are no others.
const (
	// WithdrawnWithObject: the object was deleted, and its deletionPolicy was DeleteKeyMaterial.
	WithdrawnWithObject WithdrawalCause = "ObjectDeleted"
	// WithdrawnForReimport: a re-import was due that this KMS refuses over material, and reimportPolicy was
	// AllowInterruption.
	WithdrawnForReimport WithdrawalCause = "Interruption"
)

// MaterialWithdrawal is a deletion of key material by this operator.
type MaterialWithdrawal struct {
	// cause is why it was deleted.
	// +required
	Cause WithdrawalCause `json:"cause,omitempty"`

	// secret is the version that was found to hold the same material just before.
	// +required
	Secret SecretVersion `json:"secret,omitempty,omitzero"`

	// time at which it was written that the material is about to be deleted.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`

	// notAfter is when the call may no longer be made.
	// +required
	NotAfter metav1.Time `json:"notAfter,omitempty,omitzero"`

	// completedAt is when KMS confirmed the deletion, by its answer or by showing the key without material. Absent while
	// the outcome is unknown.
	// +optional
	CompletedAt *metav1.Time `json:"completedAt,omitempty"`

	// requestID is KMS's ID of the request, to find it in CloudTrail.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	RequestID string `json:"requestID,omitempty"`

	// sealed is the material for its way back, where KMS gave import parameters while the key still held it: with it the
	// key is filled again even if the Secret is gone by then.
	// +optional
	Sealed *SealedMaterial `json:"sealed,omitempty"`
}

// SealedMaterial is material wrapped under a public key of KMS, whose private half only KMS has, with the import token
// that belongs to it.
type SealedMaterial struct {
	// encryptedKeyMaterial is ImportKeyMaterial's EncryptedKeyMaterial.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	// +required
	EncryptedKeyMaterial []byte `json:"encryptedKeyMaterial,omitempty"`

	// importToken is its ImportToken.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=8192
	// +required
	ImportToken []byte `json:"importToken,omitempty"`

	// parametersValidTo is KMS's ParametersValidTo, when it stops taking the token; absent where it did not say.
	// +optional
	ParametersValidTo *metav1.Time `json:"parametersValidTo,omitempty"`

	// wrappingAlgorithm used.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	WrappingAlgorithm string `json:"wrappingAlgorithm,omitempty"`

	// wrappingKeySpec used.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	WrappingKeySpec string `json:"wrappingKeySpec,omitempty"`
}

// KeyHold is a key state that somebody brought about on purpose.
type KeyHold struct {
	// keyState the key was seen in: Disabled, PendingDeletion or PendingReplicaDeletion, or PendingImport when its
	// material was deleted.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	KeyState string `json:"keyState,omitempty"`

	// time at which it was first seen so.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`

	// request is the value of the owner's annotation kms.keyimport.dev/reimport-requested-at, empty if there was none, when
	// the key was first seen without material, or the SHA-256 of a long one. Only another one is about that. Absent while the
	// key still had it.
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Request *string `json:"request,omitempty"`

	// lifted says, when true, that a person has decided that material is imported again, which has not been done yet.
	// +optional
	Lifted *bool `json:"lifted,omitempty"`
}

// HistoryEvent is what happened to a key.
// +kubebuilder:validation:Enum=Claimed;Imported;ImportRefused;ImportUnconfirmed;ImportConfirmed;SecretVersionChecked;Withdrawn;WithdrawalRefused;WithdrawalNotShown;Held;HoldLifted;Released
type HistoryEvent string

// The events.
const (
	// HistoryClaimed: the object named in owner became the owner of the key.
	HistoryClaimed HistoryEvent = "Claimed"
	// HistoryImported: ImportKeyMaterial succeeded.
	HistoryImported HistoryEvent = "Imported"
	// HistoryImportRefused: KMS answered ImportKeyMaterial with an error that says nothing was imported.
	HistoryImportRefused HistoryEvent = "ImportRefused"
	// HistoryImportUnconfirmed: KMS has not shown the last import within five minutes.
	HistoryImportUnconfirmed HistoryEvent = "ImportUnconfirmed"
	// HistoryImportConfirmed: it has shown it after all.
	HistoryImportConfirmed HistoryEvent = "ImportConfirmed"
	// HistorySecretVersionChecked: a new version of the Secret was read and holds the same material.
	HistorySecretVersionChecked HistoryEvent = "SecretVersionChecked"
	// HistoryWithdrawn: this operator deleted the material, or asked for that and then saw the key without it.
	HistoryWithdrawn HistoryEvent = "Withdrawn"
	// HistoryWithdrawalRefused: KMS answered DeleteImportedKeyMaterial with an error that says nothing was deleted.
	HistoryWithdrawalRefused HistoryEvent = "WithdrawalRefused"
	// HistoryWithdrawalNotShown: KMS still shows the material five minutes after a deletion whose answer was lost.
	HistoryWithdrawalNotShown HistoryEvent = "WithdrawalNotShown"
	// HistoryHeld: the key was seen disabled or scheduled for deletion, or without the material that somebody deleted.
	HistoryHeld HistoryEvent = "Held"
	// HistoryHoldLifted: the key was seen enabled again, or a person asked for the import.
	HistoryHoldLifted HistoryEvent = "HoldLifted"
	// HistoryReleased: the owner was deleted; the message says what became of the key's material.
	HistoryReleased HistoryEvent = "Released"
)

// HistoryEntry is one event in the life of a key.
type HistoryEntry struct {
	// time of the event.
	// +required
	Time metav1.Time `json:"time,omitempty,omitzero"`

	// event is what happened.
	// +required
	Event HistoryEvent `json:"event,omitempty"`

	// owner at that time, as namespace/name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=507
	// +optional
	Owner string `json:"owner,omitempty"`

	// cause is why an import or a deletion was made: one of ImportCause or WithdrawalCause.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Cause string `json:"cause,omitempty"`

	// secret is the version of the Secret that was imported, or compared with what was.
	// +optional
	Secret *SecretVersion `json:"secret,omitempty"`

	// fingerprint of the material.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Fingerprint string `json:"fingerprint,omitempty"`

	// keyMaterialID is KMS's KeyMaterialId; symmetric keys only.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	KeyMaterialID string `json:"keyMaterialID,omitempty"`

	// expirationModel that was sent to KMS.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ExpirationModel string `json:"expirationModel,omitempty"`

	// validTo that was sent to KMS.
	// +optional
	ValidTo *metav1.Time `json:"validTo,omitempty"`

	// wrappingAlgorithm used.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	WrappingAlgorithm string `json:"wrappingAlgorithm,omitempty"`

	// wrappingKeySpec used.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	WrappingKeySpec string `json:"wrappingKeySpec,omitempty"`

	// message gives the particulars in one line.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`

	// requestID is KMS's ID of the request, to find it in CloudTrail.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	RequestID string `json:"requestID,omitempty"`
}

// KMSKeyRecordList is a list of KMSKeyRecord.
//
// +kubebuilder:object:root=true
type KMSKeyRecordList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KMSKeyRecord `json:"items"`
}
