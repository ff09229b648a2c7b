package plan_test

import (
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// The table from an error class to an outcome, for a look and for both calls of an import.
func TestFailures(t *testing.T) {
	// again is an import that is made once more, with fresh parameters.
	again := does(firstImportAction())
	table := map[kms.ErrorClass]struct {
		look       want
		parameters want // GetParametersForImport
		imported   want // ImportKeyMaterial, the first try
		secondTry  want
	}{
		"NotFound":           {waits("KeyNotFound"), retries("KMSError"), retries("KMSError"), retries("KMSError")},
		"AccessDenied":       {retries("AccessDenied"), retries("AccessDenied"), retries("AccessDenied"), retries("AccessDenied")},
		"Throttled":          {retries("Throttled"), retries("Throttled"), retries("Throttled"), retries("Throttled")},
		"Unreachable":        {retries("KMSUnreachable"), retries("KMSUnreachable"), retries("KMSUnreachable"), retries("KMSUnreachable")},
		"ServerFault":        {retries("KMSUnreachable"), retries("KMSUnreachable"), retries("KMSUnreachable"), retries("KMSUnreachable")},
		"InvalidState":       {retries("KMSError"), retries("KMSError"), retries("KMSError"), retries("KMSError")},
		"Unsupported":        {stalls("KeyNotImportable"), stalls("KeyNotImportable"), stalls("KeyNotImportable"), stalls("KeyNotImportable")},
		"InvalidRequest":     {retries("KMSError"), stalls("InvalidWrapping"), retries("KMSError"), retries("KMSError")},
		"TokenRefused":       {retries("KMSError"), again, again, retries("KMSError")},
		"CiphertextRefused":  {stalls("InvalidWrapping"), again, again, stalls("InvalidWrapping")},
		"MaterialRefused":    {stalls("MaterialMismatch"), stalls("MaterialMismatch"), stalls("MaterialMismatch"), stalls("MaterialMismatch")},
		"Redirected":         {retries("KMSError"), retries("KMSError"), retries("KMSError"), retries("KMSError")},
		"UnexpectedResponse": {retries("KMSError"), retries("KMSError"), retries("KMSError"), retries("KMSError")},
		"Other":              {retries("KMSError"), retries("KMSError"), retries("KMSError"), retries("KMSError")},
		"a class of later":   {retries("KMSError"), retries("KMSError"), retries("KMSError"), retries("KMSError")},
	}
	failing := func(class kms.ErrorClass, operation string, tries int) change {
		err := &kms.Error{Operation: operation, Class: class, Code: "SomeException", Message: "Something happened."}
		return all(firstImport, attempt(tries, err))
	}
	for class, tc := range table {
		t.Run(string(class), func(t *testing.T) {
			assertStep(t, "a look", changed(lookError(class)).next(), tc.look)
			assertStep(t, "parameters", changed(failing(class, "GetParametersForImport", 1)).next(), tc.parameters)
			assertStep(t, "import", changed(failing(class, "ImportKeyMaterial", 1)).next(), tc.imported)
			assertStep(t, "second try", changed(failing(class, "ImportKeyMaterial", 2)).next(), tc.secondTry)
		})
	}
}

func TestFailuresSayWhatKMSSaidAndWhatToDo(t *testing.T) {
	cases := map[string]struct {
		reason string
		err    kms.Error
		want   string
	}{
		"code and message": {
			"KMS's own words, then ours",
			kms.Error{Operation: "ImportKeyMaterial", Class: "AccessDenied", Code: "AccessDeniedException", Message: "Not you."},
			"ImportKeyMaterial: AccessDeniedException: Not you: correct the credentials, the IAM policy or the key policy",
		},
		"no message": {
			"the code alone",
			kms.Error{Operation: "ImportKeyMaterial", Class: "Throttled", Code: "ThrottlingException"},
			"ImportKeyMaterial: ThrottlingException: trying again more slowly",
		},
		"no answer": {
			"the class alone",
			kms.Error{Operation: "ImportKeyMaterial", Class: "Unreachable"},
			"ImportKeyMaterial: Unreachable: trying again",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := changed(firstImport, attempt(1, &tc.err)).next().Message; got != tc.want {
				t.Errorf("%s: got  %q\nwant %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestFailedAttemptMeetsChangedFacts(t *testing.T) {
	tokenRefused := attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "TokenRefused"})
	reimporting := all(wantsExpiry(30*day), tokenRefused)
	reimport := reimportUntil(30 * day)
	cases{
		"nothing has changed":    {"a second try", all(reimporting, sameMaterial), does(reimport)},
		"other bytes":            {"the second try read others than the first", all(reimporting, rewritten, otherMaterial), stalls("MaterialChanged")},
		"Secret gone":            {"the second try found none", all(reimporting, secret("Absent")), waits("SecretNotFound")},
		"bad bytes, first try":   {"the second try read others than the first", all(firstImport, tokenRefused, badMaterial), stalls("InvalidKeyMaterial")},
		"key disabled":           {"the look after a refusal over the key's state", all(reimporting, state("Disabled")), waits("KeyDisabled")},
		"key pending deletion":   {"likewise", all(reimporting, state("PendingDeletion")), stalls("KeyPendingDeletion")},
		"look is to be repeated": {"the key's state may be the cause", all(reimporting, noLook), does(plan.Look{})},
		"the answer was lost": {
			"the intent is on record, and the next pass does it again, not this one",
			all(intent, attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "Unreachable"})), retries("KMSUnreachable"),
		},
	}.run(t)
}
