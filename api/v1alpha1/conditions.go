package v1alpha1

// The condition types of a KMSKeyImport. Ready is always present once the operator has seen the object; the others are
// present only while they are True.
const (
	// ConditionReady is True when KMS last said that the key is usable, the operator's record vouches that its material
	// is the Secret's, and the material has not expired.
	ConditionReady = "Ready"

	// ConditionReconciling is True while the operator is working towards the spec or waiting for something to appear.
	ConditionReconciling = "Reconciling"

	// ConditionStalled is True when nothing will change until a person acts. Ready is False then.
	ConditionStalled = "Stalled"

	// ConditionSuspended is True while spec.suspend is true. Remedy: remove spec.suspend.
	ConditionSuspended = "Suspended"

	// ConditionExpiring is True when the material expires within 14 days and no renewal will prevent it, or when somebody
	// shortened its expiry in KMS and onMaterialDeleted is Hold.
	ConditionExpiring = "Expiring"

	// ConditionSourceMissing is True when the Secret is gone, no longer consenting, or without its key, after the
	// material was imported. A key that works goes on working, but can be neither healed nor renewed.
	ConditionSourceMissing = "SourceMissing"

	// ConditionOtherMaterialExpires is True when KMS goes on reporting another expiry than the one imported: most likely
	// another material of the same key expires first.
	ConditionOtherMaterialExpires = "OtherMaterialExpires"

	// ConditionRenewalNeedsInterruption is True when the spec asks for another expiry than the key has, or the material is
	// to be renewed within 14 days or is overdue for it, and this KMS sets an expiry only when it imports into a key without
	// material (QKMS), unless reimportPolicy AllowInterruption sees to it.
	ConditionRenewalNeedsInterruption = "RenewalNeedsInterruption"

	// ConditionInterrupted is True while the key is without material because this operator deleted it in order to import it
	// again (reimportPolicy AllowInterruption), and has not been able to.
	ConditionInterrupted = "Interrupted"
)

// Reasons of Ready that are not also reasons of Reconciling or Stalled.
const (
	// ReasonImported (Ready True): the key holds the Secret's material and is usable. Remedy: none needed.
	ReasonImported = "Imported"

	// ReasonSuspended (Ready Unknown, Suspended True): spec.suspend is true and the key has never been looked at.
	// Remedy: remove spec.suspend.
	ReasonSuspended = "Suspended"
)

// Reasons of the outcome "progressing" and "waiting": Reconciling is True, Ready follows the facts about the key.
const (
	// ReasonProgressing (Reconciling True; Ready Unknown at a first import): the import is under way, waiting for its
	// turn or for KMS to show it. Remedy: none needed.
	ReasonProgressing = "Progressing"

	// ReasonSecretNotFound (Reconciling True): the Secret does not exist. Remedy: create it.
	ReasonSecretNotFound = "SecretNotFound"

	// ReasonSecretKeyMissing (Reconciling True): the Secret has no such key in its data. Remedy: add it, or correct
	// spec.material.secretRef.key.
	ReasonSecretKeyMissing = "SecretKeyMissing"

	// ReasonSecretNotConsenting (Reconciling True): the Secret lacks the label that lets the operator read it. Remedy:
	// label it kms.keyimport.dev/key-material=true.
	ReasonSecretNotConsenting = "SecretNotConsenting"

	// ReasonKeyNotFound (Reconciling True): KMS knows no such key or alias. Remedy: create it with Origin EXTERNAL, or
	// make a new KMSKeyImport with the right keyID, and check region and account.
	ReasonKeyNotFound = "KeyNotFound"

	// ReasonKeyCreating (Reconciling True): KMS is still creating the key. Remedy: wait.
	ReasonKeyCreating = "KeyCreating"

	// ReasonKeyUpdating (Reconciling True): KMS is changing the key's primary Region. Remedy: wait.
	ReasonKeyUpdating = "KeyUpdating"

	// ReasonKeyUnavailable (Reconciling True): KMS says that the key is temporarily unavailable. Remedy: wait, or look
	// into its custom key store.
	ReasonKeyUnavailable = "KeyUnavailable"

	// ReasonKeyDisabled (Reconciling True): someone disabled the key; importing might enable it, so nothing is done.
	// Remedy: enable the key when that is wanted.
	ReasonKeyDisabled = "KeyDisabled"
)

// Reasons of the outcome "retry": Reconciling is True, Ready follows the facts about the key, the operator tries again
// with backoff from a second to five minutes.
const (
	// ReasonKMSUnreachable (Reconciling True): KMS did not answer, or answered with a server error. Remedy: check
	// network, DNS, --kms-endpoint and the service's health.
	ReasonKMSUnreachable = "KMSUnreachable"

	// ReasonThrottled (Reconciling True): KMS refused the call because of its request rate. Remedy: lower
	// --get-parameters-rate or ask for a higher quota.
	ReasonThrottled = "Throttled"

	// ReasonAccessDenied (Reconciling True): the credentials are missing, refused, or not allowed to make the call.
	// Remedy: correct the credentials, IAM policy or key policy.
	ReasonAccessDenied = "AccessDenied"

	// ReasonKMSError (Reconciling True): KMS answered in a way the operator has no rule for. Remedy: read the message;
	// check --kms-endpoint; report it.
	ReasonKMSError = "KMSError"

	// ReasonReconcileError (Reconciling True): Kubernetes refused what the operator needs, or the operator itself failed.
	// Remedy: read the message; correct the operator's roles, or what else it names.
	ReasonReconcileError = "ReconcileError"
)

// Reasons of the outcome "stalled": Stalled is True and Ready False until a person acts.
const (
	// ReasonKeyNotImportable (Stalled True): the key's Origin is not EXTERNAL, or its KeySpec cannot be imported.
	// Remedy: create a key that can, and a new KMSKeyImport for it.
	ReasonKeyNotImportable = "KeyNotImportable"

	// ReasonOperationNotSupported (Stalled True): the endpoint does not have an operation that an import needs. Remedy:
	// point --kms-endpoint at a KMS that has it.
	ReasonOperationNotSupported = "OperationNotSupported"

	// ReasonKeyPendingDeletion (Stalled True): the key is scheduled for deletion. Remedy: cancel the deletion and enable
	// the key, or delete the KMSKeyImport.
	ReasonKeyPendingDeletion = "KeyPendingDeletion"

	// ReasonKeyPendingReplicaDeletion (Stalled True): the multi-Region primary key is scheduled for deletion after its
	// replicas. Remedy: cancel the deletion, or delete the KMSKeyImport.
	ReasonKeyPendingReplicaDeletion = "KeyPendingReplicaDeletion"

	// ReasonKeyConflict (Stalled True): another KMSKeyImport owns the key. Remedy: delete one of the two.
	ReasonKeyConflict = "KeyConflict"

	// ReasonKeyTargetChanged (Stalled True): keyID now leads to another key than the one this object owns. Remedy: point
	// the alias back, or create a new KMSKeyImport.
	ReasonKeyTargetChanged = "KeyTargetChanged"

	// ReasonInvalidKeyMaterial (Stalled True): the Secret's value is not material for this key. Remedy: correct the
	// value or spec.material.encoding.
	ReasonInvalidKeyMaterial = "InvalidKeyMaterial"

	// ReasonInvalidWrapping (Stalled True): spec.wrapping is impossible for this key, its material is too long for it, or
	// KMS refuses it or cannot unwrap. Remedy: remove spec.wrapping or choose another.
	ReasonInvalidWrapping = "InvalidWrapping"

	// ReasonInvalidExpiration (Stalled True): spec.expiration.validTo is past, less than 5 minutes or more than 365 days
	// ahead. Remedy: correct it.
	ReasonInvalidExpiration = "InvalidExpiration"

	// ReasonMaterialExpired (Stalled True): the fixed spec.expiration.validTo has passed and the key is unusable. Remedy:
	// set a later validTo, or remove expiration.
	ReasonMaterialExpired = "MaterialExpired"

	// ReasonMaterialChanged (Stalled True): the Secret's bytes are not those that were imported. Remedy: put the old
	// bytes back, or create a new key and KMSKeyImport for the new ones.
	ReasonMaterialChanged = "MaterialChanged"

	// ReasonMaterialMismatch (Stalled True): KMS refuses the Secret's bytes for this key: it has had others before.
	// Remedy: put the key's own material into the Secret, or use a new key.
	ReasonMaterialMismatch = "MaterialMismatch"

	// ReasonMaterialUnverifiable (Stalled True): whether the key's material is the Secret's cannot be told. Remedy: as
	// the message says.
	ReasonMaterialUnverifiable = "MaterialUnverifiable"

	// ReasonMaterialSuperseded (Stalled True): the key was rotated elsewhere; its current material is not the one this
	// operator imported. Remedy: use a new key, or manage this one where it was rotated.
	ReasonMaterialSuperseded = "MaterialSuperseded"

	// ReasonOtherMaterialMissing (Stalled True): KMS took the material and still asks for more: another material of the
	// same key is missing. Remedy: import that one by hand.
	ReasonOtherMaterialMissing = "OtherMaterialMissing"

	// ReasonImportIneffective (Stalled True): KMS answered two imports in a row with success and reports the key as pending
	// import all the same. Remedy: look into the key in KMS, then ask for another import by
	// kms.keyimport.dev/reimport-requested-at.
	ReasonImportIneffective = "ImportIneffective"

	// ReasonMaterialDeleted (Stalled True): somebody deleted the material in KMS, and onMaterialDeleted is Hold. Remedy:
	// annotate kms.keyimport.dev/reimport-requested-at, or set onMaterialDeleted to Reimport, to import it again.
	ReasonMaterialDeleted = "MaterialDeleted"

	// ReasonHeldAfterDisable (Stalled True): the key lost its material while it was disabled or scheduled for deletion;
	// that may have been meant. Remedy: annotate kms.keyimport.dev/reimport-requested-at to import again.
	ReasonHeldAfterDisable = "HeldAfterDisable"
)

// Reasons of the warnings Expiring, SourceMissing (which uses the Secret's waiting reasons), OtherMaterialExpires,
// RenewalNeedsInterruption and Interrupted.
const (
	// ReasonExpiresSoon (Expiring True): the expiry is less than 14 days away, and either it is a fixed validTo or something
	// keeps the material from being renewed. Remedy: as the message says.
	ReasonExpiresSoon = "ExpiresSoon"

	// ReasonExpiryShortened (Expiring True): somebody shortened the expiry in KMS, and onMaterialDeleted is Hold. Remedy:
	// annotate kms.keyimport.dev/reimport-requested-at, or set onMaterialDeleted to Reimport, to have it corrected.
	ReasonExpiryShortened = "ExpiryShortened"

	// ReasonEarlierExpiry (OtherMaterialExpires True): KMS goes on reporting another expiry than the one imported. Remedy:
	// import the key's other material with a later expiry by hand.
	ReasonEarlierExpiry = "EarlierExpiry"

	// ReasonNoImportOverMaterial (RenewalNeedsInterruption True): the expiry that the spec asks for is not in force, or the
	// material is to be renewed within 14 days or is overdue for it, and this KMS imports only into a key without material.
	// Remedy: delete the key's material in KMS when
	// an interruption does no harm, or wait for its expiry if it has one.
	ReasonNoImportOverMaterial = "NoImportOverMaterial"

	// ReasonKeyInterrupted (Interrupted True): the operator deleted the material to import it again, and that has not
	// succeeded yet: the key is unusable. Remedy: do what Reconciling or Stalled says; the operator goes on trying.
	ReasonKeyInterrupted = "KeyInterrupted"
)

// Reasons of events that are no condition's: what became of material when its object was deleted, or a re-import was due.
const (
	// ReasonMaterialWithdrawn (event): the operator deleted the key's material in KMS, because the object was deleted and
	// its deletionPolicy is DeleteKeyMaterial, or in order to import it again with reimportPolicy AllowInterruption.
	// Remedy: none needed; importing the same material brings the key back.
	ReasonMaterialWithdrawn = "MaterialWithdrawn"

	// ReasonMaterialRetained (event): an object with deletionPolicy DeleteKeyMaterial was deleted, and the key keeps its
	// material, for the reason the message gives. Remedy: delete the material in KMS by hand if that is wanted.
	ReasonMaterialRetained = "MaterialRetained"
)
