package plan

import (
	"cmp"
	"strings"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// maxAttempts is one import, and one more with fresh parameters where those were refused.
const maxAttempts = 2

// failure is what a call comes to that fails with errors of one class.
type failure struct {
	call       verdict // any call
	importing  verdict // the two calls of an import, where that is something else
	parameters verdict // GetParametersForImport alone, which takes nothing but the wrapping, where that is something else

	// fresh parameters may help: the import is tried once more in the same pass.
	fresh bool
	// doubt says that the key may not be as the look of this pass showed it: before anything is decided, look again.
	doubt bool
}

// verdict is how a pass ends, and what follows KMS's own words.
type verdict struct {
	outcome Outcome
	reason  string
	advice  string
}

// failures has one row for each class of error. docs/runbook.md has one for each error code; a test compares the two.
var failures = map[kms.ErrorClass]failure{
	kms.ClassNotFound:     {call: unexplained},
	kms.ClassAccessDenied: {call: verdict{OutcomeRetry, v1alpha1.ReasonAccessDenied, "correct the credentials, the IAM policy or the key policy"}},
	kms.ClassThrottled:    {call: verdict{OutcomeRetry, v1alpha1.ReasonThrottled, "trying again more slowly"}},
	kms.ClassUnreachable:  {call: verdict{OutcomeRetry, v1alpha1.ReasonKMSUnreachable, "trying again"}},
	kms.ClassServerFault:  {call: verdict{OutcomeRetry, v1alpha1.ReasonKMSUnreachable, "trying again"}},
	kms.ClassInvalidState: {call: verdict{OutcomeRetry, v1alpha1.ReasonKMSError, "look into the key in KMS; trying again"}, doubt: true},
	kms.ClassUnsupported: {
		call:      unexplained,
		importing: verdict{OutcomeStalled, v1alpha1.ReasonKeyNotImportable, "this key takes no imported material"},
	},
	kms.ClassUnknownOperation: {
		call: verdict{OutcomeRetry, v1alpha1.ReasonKMSError,
			"the endpoint does not have this operation, so it is no KMS, or one that lacks it; check --kms-endpoint; trying again"},
		importing: verdict{OutcomeStalled, v1alpha1.ReasonOperationNotSupported,
			"the endpoint does not have this operation, without which nothing is imported; use a KMS that has it, by --kms-endpoint"},
	},
	kms.ClassInvalidRequest: {
		call:       unexplained,
		parameters: verdict{OutcomeStalled, v1alpha1.ReasonInvalidWrapping, "choose another spec.wrapping, or remove it"},
	},
	kms.ClassTokenRefused: {
		call:  verdict{OutcomeRetry, v1alpha1.ReasonKMSError, "trying again with fresh import parameters"},
		fresh: true, doubt: true,
	},
	kms.ClassCiphertextRefused: {
		call: unexplained,
		importing: verdict{OutcomeStalled, v1alpha1.ReasonInvalidWrapping,
			"KMS could not unwrap the material, twice; choose another spec.wrapping, or remove it"},
		fresh: true, doubt: true,
	},
	kms.ClassMaterialRefused: {
		call: unexplained,
		importing: verdict{OutcomeStalled, v1alpha1.ReasonMaterialMismatch, "KMS refuses the Secret's bytes, most likely because the key has had " +
			"other material; put the key's own material into the Secret, or use a new key"},
	},
	kms.ClassRedirected:         {call: verdict{OutcomeRetry, v1alpha1.ReasonKMSError, "correct --kms-endpoint; trying again"}},
	kms.ClassUnexpectedResponse: {call: unexplained},
	kms.ClassOther:              {call: unexplained},
}

var (
	unexplained = verdict{OutcomeRetry, v1alpha1.ReasonKMSError, "check keyID and --kms-endpoint; trying again"}
	unforeseen  = verdict{OutcomeRetry, v1alpha1.ReasonKMSError, "trying again"} // a class without a row
)

// attemptFailed decides after an import that failed in this pass.
func attemptFailed(d Desired, o Observed) *Step {
	if o.Attempt == nil || o.Attempt.Err == nil {
		return nil
	}
	if failures[o.Attempt.Err.Class].fresh && o.Attempt.Tries < maxAttempts && o.mayImport() {
		return importDue(d, o, o.Attempt.Cause)
	}
	return failedImport(o.Attempt.Err)
}

// Refused reports whether an import that failed so would fail again, unless something about it changes.
func Refused(err *kms.Error) bool { return failedImport(err).Outcome == OutcomeStalled }

// Spoilt reports whether sealed material that KMS refused so will never be taken.
func Spoilt(err *kms.Error) bool {
	found := failures[err.Class]
	return found.fresh || found.importing.outcome == OutcomeStalled || err.Class == kms.ClassInvalidRequest || err.Class == kms.ClassOther
}

// InDoubt reports whether, after an import that failed so, the key must be looked at again before anything is decided.
func InDoubt(err *kms.Error) bool { return failures[err.Class].doubt }

func failedCall(err *kms.Error) *Step {
	return cmp.Or(failures[err.Class].call, unforeseen).on(err)
}

func failedImport(err *kms.Error) *Step {
	found := failures[err.Class]
	come := cmp.Or(found.importing, found.call, unforeseen)
	if err.Operation == "GetParametersForImport" {
		come = cmp.Or(found.parameters, come)
	}
	return come.on(err)
}

func (v verdict) on(err *kms.Error) *Step {
	return finish(v.outcome, v.reason, explain(err, v.advice))
}

// explain is one sentence of what KMS said and what follows.
func explain(err *kms.Error, what string) string {
	return strings.TrimRight(err.Error(), ". ") + ": " + what
}
