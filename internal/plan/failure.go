package plan

import (
	"strings"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// maxAttempts is one import, and one more with fresh parameters where those were refused.
const maxAttempts = 2

// attemptFailed decides after an import that failed in this pass.
func attemptFailed(d Desired, o Observed) *Step {
	if o.Attempt == nil || o.Attempt.Err == nil {
		return nil
	}
	fresh := o.Attempt.Err.Class == kms.ClassTokenRefused || o.Attempt.Err.Class == kms.ClassCiphertextRefused
	if fresh && o.Attempt.Tries < maxAttempts && o.mayImport() {
		return importDue(d, o)
	}
	return failedImport(o.Attempt.Err)
}

// Refused reports whether an import that failed so would fail again, unless something about it changes.
func Refused(err *kms.Error) bool { return failedImport(err).Outcome == OutcomeStalled }

// Two tables lead from an error class to an outcome: what any call can meet, and what only an import can.

func failedCall(err *kms.Error) *Step {
	switch err.Class {
	case kms.ClassAccessDenied:
		return retry(v1alpha1.ReasonAccessDenied, explain(err, "correct the credentials, the IAM policy or the key policy"))
	case kms.ClassThrottled:
		return retry(v1alpha1.ReasonThrottled, explain(err, "trying again more slowly"))
	case kms.ClassUnreachable, kms.ClassServerFault:
		return retry(v1alpha1.ReasonKMSUnreachable, explain(err, "trying again"))
	case kms.ClassRedirected:
		return retry(v1alpha1.ReasonKMSError, explain(err, "correct --kms-endpoint; trying again"))
	case kms.ClassUnknownOperation:
		return retry(v1alpha1.ReasonKMSError, explain(err, "the endpoint does not have this operation, so it is no KMS, or one that lacks it; "+
			"check --kms-endpoint; trying again"))
	case kms.ClassNotFound, kms.ClassInvalidState, kms.ClassTokenRefused, kms.ClassMaterialRefused, kms.ClassCiphertextRefused,
		kms.ClassUnsupported, kms.ClassInvalidRequest, kms.ClassUnexpectedResponse, kms.ClassOther:
		return retry(v1alpha1.ReasonKMSError, explain(err, "check keyID and --kms-endpoint; trying again"))
	default:
		return retry(v1alpha1.ReasonKMSError, explain(err, "trying again"))
	}
}

func failedImport(err *kms.Error) *Step {
	switch {
	case err.Class == kms.ClassMaterialRefused:
		return stall(v1alpha1.ReasonMaterialMismatch, explain(err,
			"KMS refuses the Secret's bytes, most likely because the key has had other material; put the key's own material into the Secret, or use a new key"))
	case err.Class == kms.ClassCiphertextRefused:
		return stall(v1alpha1.ReasonInvalidWrapping, explain(err,
			"KMS could not unwrap the material, twice; choose another spec.wrapping, or remove it"))
	case err.Class == kms.ClassInvalidRequest && err.Operation == "GetParametersForImport": // which takes nothing but the wrapping
		return stall(v1alpha1.ReasonInvalidWrapping, explain(err, "choose another spec.wrapping, or remove it"))
	case err.Class == kms.ClassUnsupported:
		return stall(v1alpha1.ReasonKeyNotImportable, explain(err, "this key takes no imported material"))
	case err.Class == kms.ClassUnknownOperation:
		return stall(v1alpha1.ReasonOperationNotSupported, explain(err,
			"the endpoint does not have this operation, without which nothing is imported; use a KMS that has it, by --kms-endpoint"))
	default:
		return failedCall(err)
	}
}

// explain is one sentence of what KMS said and what follows.
func explain(err *kms.Error, what string) string {
	return strings.TrimRight(err.Error(), ". ") + ": " + what
}
