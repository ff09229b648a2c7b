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
	err := o.Attempt.Err
	switch err.Class {
	case kms.ClassTokenRefused, kms.ClassCiphertextRefused:
		if o.Attempt.Tries < maxAttempts {
			return importDue(d, o)
		}
	case kms.ClassNotFound, kms.ClassAccessDenied, kms.ClassThrottled, kms.ClassUnreachable, kms.ClassServerFault,
		kms.ClassInvalidState, kms.ClassUnsupported, kms.ClassInvalidRequest, kms.ClassMaterialRefused,
		kms.ClassRedirected, kms.ClassUnexpectedResponse, kms.ClassOther:
	}
	return failed(err)
}

// failed is the one table from an error class to an outcome.
func failed(err *kms.Error) *Step {
	switch err.Class {
	case kms.ClassAccessDenied:
		return retry(v1alpha1.ReasonAccessDenied, explain(err, "correct the credentials, the IAM policy or the key policy"))
	case kms.ClassThrottled:
		return retry(v1alpha1.ReasonThrottled, explain(err, "trying again more slowly"))
	case kms.ClassUnreachable, kms.ClassServerFault:
		return retry(v1alpha1.ReasonKMSUnreachable, explain(err, "trying again"))
	case kms.ClassMaterialRefused:
		return stall(v1alpha1.ReasonMaterialMismatch, explain(err,
			"KMS refuses the Secret's bytes, most likely because the key has had other material; put the key's own material into the Secret, or use a new key"))
	case kms.ClassCiphertextRefused:
		return stall(v1alpha1.ReasonInvalidWrapping, explain(err,
			"KMS could not unwrap the material, twice; choose another spec.wrapping, or remove it"))
	case kms.ClassUnsupported:
		return stall(v1alpha1.ReasonKeyNotImportable, explain(err, "this key takes no imported material"))
	case kms.ClassInvalidRequest:
		return refused(err)
	case kms.ClassNotFound, kms.ClassInvalidState, kms.ClassTokenRefused, kms.ClassRedirected,
		kms.ClassUnexpectedResponse, kms.ClassOther:
		return retry(v1alpha1.ReasonKMSError, explain(err, "trying again"))
	default:
		return retry(v1alpha1.ReasonKMSError, explain(err, "trying again"))
	}
}

// explain is one sentence of what KMS said and what follows.
func explain(err *kms.Error, what string) string {
	return strings.TrimRight(err.Error(), ". ") + ": " + what
}

// refused is a request that KMS found invalid. GetParametersForImport takes nothing but the wrapping.
func refused(err *kms.Error) *Step {
	if err.Operation == "GetParametersForImport" {
		return stall(v1alpha1.ReasonInvalidWrapping, explain(err, "choose another spec.wrapping, or remove it"))
	}
	return retry(v1alpha1.ReasonKMSError, explain(err, "trying again"))
}
