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
		"Unsupported":        {retries("KMSError"), stalls("KeyNotImportable"), stalls("KeyNotImportable"), stalls("KeyNotImportable")},
		"UnknownOperation":   {retries("KMSError"), stalls("OperationNotSupported"), stalls("OperationNotSupported"), stalls("OperationNotSupported")},
		"InvalidRequest":     {retries("KMSError"), stalls("InvalidWrapping"), retries("KMSError"), retries("KMSError")},
		"TokenRefused":       {retries("KMSError"), again, again, retries("KMSError")},
		"CiphertextRefused":  {retries("KMSError"), again, again, stalls("InvalidWrapping")},
		"MaterialRefused":    {retries("KMSError"), stalls("MaterialMismatch"), stalls("MaterialMismatch"), stalls("MaterialMismatch")},
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
		"redirect": {
			"whose mistake it is",
			kms.Error{Operation: "DescribeKey", Class: "Redirected", Message: "the endpoint redirects to https://kms.example/"},
			"DescribeKey: the endpoint redirects to https://kms.example/: correct --kms-endpoint; trying again",
		},
		"operation unknown to the endpoint, look": {
			"what the endpoint lacks",
			kms.Error{Operation: "DescribeKey", Class: "UnknownOperation", Code: "UnknownOperationException"},
			"DescribeKey: UnknownOperationException: the endpoint does not have this operation, so it is no KMS, or one that lacks it; check --kms-endpoint; trying again",
		},
		"operation unknown to the endpoint, import": {
			"what the endpoint lacks",
			kms.Error{Operation: "GetParametersForImport", Class: "UnknownOperation", Code: "UnknownOperationException"},
			"GetParametersForImport: UnknownOperationException: the endpoint does not have this operation, without which nothing is imported; use a KMS that has it, by --kms-endpoint",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			apply := all(firstImport, attempt(1, &tc.err))
			if tc.err.Operation == "DescribeKey" {
				apply = func(f *facts) { f.observed.Look = &plan.LookResult{Err: &tc.err} }
			}
			if got := changed(apply).next().Message; got != tc.want {
				t.Errorf("%s: got  %q\nwant %q", tc.reason, got, tc.want)
			}
		})
	}
}

// What KMS has refused for good is not sent again as it was.
func TestRefusedImportIsNotRepeated(t *testing.T) {
	mismatch := &kms.Error{Operation: "ImportKeyMaterial", Class: "MaterialRefused", Code: "IncorrectKeyMaterialException"}
	refused := func(action plan.ImportMaterial, err *kms.Error) change {
		return func(f *facts) {
			f.observed.Memory.Refusal = plan.Refusal{
				Import: action, Secret: materialImport("Import").Secret, Err: err,
			}
		}
	}
	first := all(firstImport, refused(firstImportAction(), mismatch))
	wrapping := &kms.Error{Operation: "GetParametersForImport", Class: "InvalidRequest", Code: "ValidationException"}
	sha1 := firstImportAction()
	sha1.Wrapping.Algorithm = "RSAES_OAEP_SHA_1"
	expecting := firstImportAction()
	expecting.Expect, expecting.RejectWeak = "fingerprint-1", false
	inFuture := refused(reimportUntil(30*day), mismatch)
	cases{
		"as it was":           {"and it is said again", first, stalls("MaterialMismatch").saying("IncorrectKeyMaterialException")},
		"wrapping":            {"and it is said again", all(firstImport, refused(firstImportAction(), wrapping)), stalls("InvalidWrapping")},
		"key":                 {"and it is said again", all(firstImport, refused(firstImportAction(), &kms.Error{Class: "Unsupported"})), stalls("KeyNotImportable")},
		"re-import":           {"and it is said again", all(wantsExpiry(30*day), inFuture), stalls("MaterialMismatch")},
		"Secret rewritten":    {"it may hold the right bytes now", all(first, rewritten), does(firstImportAction())},
		"Secret made again":   {"it may hold the right bytes now", all(first, func(f *facts) { f.observed.Secret.UID = "secret-2" }), does(firstImportAction())},
		"other Secret":        {"it may hold the right bytes", all(first, func(f *facts) { f.desired.Material.SecretRef.Name = "other" }), does(firstImportAction())},
		"other key of it":     {"it may hold the right bytes", all(first, func(f *facts) { f.desired.Material.SecretRef.Key = "other" }), does(firstImportAction())},
		"other encoding":      {"it may mean the right bytes", all(first, func(f *facts) { f.desired.Material.Encoding = "Base64" }), does(firstImportAction())},
		"other wrapping":      {"KMS may take that", all(first, func(f *facts) { f.desired.Wrapping.Algorithm = "RSAES_OAEP_SHA_1" }), does(sha1)},
		"other expiry":        {"another import", all(first, wantsExpiry(30*day)), does(importUntil(30 * day))},
		"other expiry again":  {"another import", all(wantsExpiry(60*day), inFuture), does(reimportUntil(60 * day))},
		"requested":           {"a person may try again", all(first, requested), does(firstImportAction())},
		"request echoed":      {"once", all(first, requested, echoed), stalls("MaterialMismatch")},
		"request served":      {"once", all(first, requested, served), stalls("MaterialMismatch")},
		"claimed since":       {"what is compared before it is sent makes it no other import", all(firstImport, refused(expecting, mismatch)), stalls("MaterialMismatch")},
		"second try":          {"of the same pass", all(first, attempt(1, &kms.Error{Class: "CiphertextRefused"})), does(firstImportAction())},
		"no Secret":           {"what is missing is said first", all(first, secret("Absent")), waits("SecretNotFound")},
		"bad expiry":          {"what is wrong is said first", all(first, wantsExpiry(-day)), stalls("InvalidExpiration")},
		"nothing to import":   {"an old refusal stalls nobody", refused(reimportAction(), mismatch), settles()},
		"restarted":           {"a restart costs one more try", all(first, restarted), does(firstImportAction())},
		"nothing was refused": {"an empty memory is none", all(firstImport, refused(firstImportAction(), nil)), does(firstImportAction())},
	}.run(t)
}

func TestRefused(t *testing.T) {
	cases := map[string]struct {
		reason string
		err    kms.Error
		want   bool
	}{
		"material":   {"the bytes are wrong", kms.Error{Operation: "ImportKeyMaterial", Class: "MaterialRefused"}, true},
		"ciphertext": {"the wrapping is wrong", kms.Error{Operation: "ImportKeyMaterial", Class: "CiphertextRefused"}, true},
		"key":        {"the key is of the wrong kind", kms.Error{Operation: "GetParametersForImport", Class: "Unsupported"}, true},
		"operation":  {"the endpoint does not have it", kms.Error{Operation: "GetParametersForImport", Class: "UnknownOperation"}, true},
		"wrapping":   {"KMS does not know it", kms.Error{Operation: "GetParametersForImport", Class: "InvalidRequest"}, true},
		"request":    {"of an import it may mean anything", kms.Error{Operation: "ImportKeyMaterial", Class: "InvalidRequest"}, false},
		"token":      {"the next is fresh", kms.Error{Operation: "ImportKeyMaterial", Class: "TokenRefused"}, false},
		"state":      {"it may pass", kms.Error{Operation: "ImportKeyMaterial", Class: "InvalidState"}, false},
		"denied":     {"IAM changes", kms.Error{Operation: "ImportKeyMaterial", Class: "AccessDenied"}, false},
		"throttled":  {"later", kms.Error{Operation: "ImportKeyMaterial", Class: "Throttled"}, false},
		"no answer":  {"the outcome is unknown", kms.Error{Operation: "ImportKeyMaterial", Class: "Unreachable"}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := plan.Refused(&tc.err); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
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
		"key disabled":           {"the look after a refusal over the key's state", all(reimporting, state("Disabled")), does(plan.HoldKey{})},
		"key disabled, noted":    {"no second try", all(reimporting, held, state("Disabled")), waits("KeyDisabled")},
		"key pending deletion":   {"likewise", all(reimporting, held, state("PendingDeletion")), stalls("KeyPendingDeletion")},
		"look is to be repeated": {"the key's state may be the cause", all(reimporting, noLook), does(plan.Look{})},
		"the answer was lost": {
			"the intent is on record, and the next pass does it again, not this one",
			all(intent, attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "Unreachable"})), retries("KMSUnreachable"),
		},
	}.run(t)
}
