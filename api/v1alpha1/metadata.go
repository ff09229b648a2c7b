package v1alpha1

const (
	// LabelKeyMaterial on a Secret, with the value LabelKeyMaterialConsent, lets this operator read it. Without it,
	// whoever may create a KMSKeyImport could put any Secret of the namespace to use in a KMS key.
	LabelKeyMaterial = "kms.keyimport.dev/key-material"

	// LabelKeyMaterialConsent is the only value of LabelKeyMaterial that counts as consent.
	LabelKeyMaterialConsent = "true"

	// LabelOwnerUID on a KMSKeyRecord repeats owner.uid, so that the API server can select by it.
	LabelOwnerUID = "kms.keyimport.dev/owner-uid"

	// FinalizerKeyMaterial on a KMSKeyImport keeps it until the operator has done with the key's material what
	// spec.deletionPolicy says, and does not leave the key without material in the middle of an interruption.
	FinalizerKeyMaterial = "kms.keyimport.dev/key-material"

	// AnnotationReconcileRequestedAt on a KMSKeyImport asks for a look at the key at once. Any new value counts; a
	// time is customary. The value is echoed in status.lastHandledReconcileAt once KMS has
	// answered. One that an object was created with is echoed without an effect of its own.
	AnnotationReconcileRequestedAt = "kms.keyimport.dev/reconcile-requested-at"

	// AnnotationReimportRequestedAt on a KMSKeyImport asks for the same material to be imported again at once, also where
	// a deletion or a disabled key is otherwise left to a person. Any new value counts; it is echoed in
	// status.lastHandledReimportAt. One that an object was created with is echoed without an effect of its own.
	AnnotationReimportRequestedAt = "kms.keyimport.dev/reimport-requested-at"
)
