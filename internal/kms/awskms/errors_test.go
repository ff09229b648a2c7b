package awskms

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Every code of the table, and its class as a literal. KMS answers most of them with status 400.
func TestErrorCodes(t *testing.T) {
	cases := map[kms.ErrorClass]string{
		"NotFound": "NotFoundException InvalidArnException",
		"AccessDenied": "AccessDenied AccessDeniedException ExpiredToken ExpiredTokenException InvalidClientTokenId " +
			"MissingAuthenticationToken MissingAuthenticationTokenException NotAuthorized NotAuthorizedException OptInRequired " +
			"UnauthorizedException UnrecognizedClient UnrecognizedClientException",
		"Throttled": "RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown ThrottledException Throttling " +
			"ThrottlingException TooManyRequestsException",
		"ServerFault": "DependencyTimeoutException InternalError InternalFailure InternalServerError InternalServerException " +
			"KMSInternalException KeyUnavailableException RequestTimeout RequestTimeoutException ServiceUnavailable " +
			"ServiceUnavailableException",
		"InvalidState":      "DisabledException KMSInvalidStateException",
		"Unsupported":       "UnsupportedOperationException",
		"UnknownOperation":  "InvalidAction UnknownOperation UnknownOperationException",
		"InvalidRequest":    "InvalidKeyUsageException SerializationException TagException ValidationError ValidationException",
		"TokenRefused":      "ExpiredImportTokenException InvalidImportTokenException",
		"CiphertextRefused": "InvalidCiphertextException",
		"MaterialRefused":   "IncorrectKeyMaterialException",
		"Other": "AlreadyExistsException ConflictException DryRunOperationException KMSInvalidMacException " +
			"KMSInvalidSignatureException LimitExceededException NeverHeardOfException",
	}
	isolate(t)
	for class, codes := range cases {
		for code := range strings.FieldsSeq(codes) {
			t.Run(code, func(t *testing.T) {
				fake := newFakeKMS(t, answering(400, fmt.Sprintf(`{"__type":"com.amazonaws.kms#%s","message":"Because."}`, code)))
				_, err := build(t, Config{Endpoint: fake.URL}).ImportKeyMaterial(context.Background(), permanentImport(t))
				assertError(t, err, class, "ImportKeyMaterial: "+code+": Because.", class == "ServerFault")
				_, err = build(t, Config{Endpoint: fake.URL}).DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: testARN})
				assertError(t, err, class, "DeleteImportedKeyMaterial: "+code+": Because.", class == "ServerFault")
				if got := len(fake.exchanges()); got != 2 {
					t.Errorf("%d attempts at two calls", got)
				}
			})
		}
	}
}

// Messages with a time stamp or a canonical request would change a condition at every attempt.
func TestSignatureErrorsAreStable(t *testing.T) {
	isolate(t)
	for _, code := range []string{
		"AuthFailure", "IncompleteSignature", "IncompleteSignatureException", "InvalidSignature", "InvalidSignatureException",
		"RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch",
	} {
		message := "Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z (20260101T001000Z - 5 min.)"
		fake := newFakeKMS(t, answering(400, fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message)))
		_, err := build(t, Config{Endpoint: fake.URL}).ImportKeyMaterial(context.Background(), permanentImport(t))
		assertError(t, err, "AccessDenied", "ImportKeyMaterial: "+code+
			": the signature was refused: check the secret access key, the Region and this machine's clock", false)
	}
}

func TestErrorAnswers(t *testing.T) {
	const notKMS = "ImportKeyMaterial: the endpoint answered HTTP %d with something that is no answer of a KMS"
	cases := map[string]struct {
		reason string
		status int
		body   string
		class  kms.ErrorClass
		want   string
	}{
		"code over status": {
			"KMS declares 404, 409 and others, and sends 400", 500, `{"__type":"NotFoundException","message":"Key 'x' does not exist"}`,
			"NotFound", "ImportKeyMaterial: NotFoundException: Key 'x' does not exist",
		},
		"no message": {
			"KMS leaves it out at times", 400, `{"__type":"UnsupportedOperationException"}`,
			"Unsupported", "ImportKeyMaterial: UnsupportedOperationException",
		},
		"no message, code not modeled": {
			"the SDK makes one up", 400, `{"__type":"ThrottlingException"}`,
			"Throttled", "ImportKeyMaterial: ThrottlingException",
		},
		"capital Message": {
			"both spellings occur", 400, `{"__type":"AccessDeniedException","Message":"User: arn:aws:iam::111122223333:user/x is not authorized"}`,
			"AccessDenied", "ImportKeyMaterial: AccessDeniedException: User: arn:aws:iam::111122223333:user/x is not authorized",
		},
		"request ID in the message": {
			"it differs at every attempt", 400,
			`{"__type":"ValidationException","message":"Bad request b1e2c3d4-0000-4444-8888-aaaabbbbcccc, sorry"}`,
			"InvalidRequest", "ImportKeyMaterial: ValidationException: Bad request (request ID), sorry",
		},
		"control characters": {
			"they would break lines, or turn text around", 400,
			`{"__type":"ValidationException","message":"one\n\ttwo\u0000\u001b[31m\u202ethree\ufffd  four"}`,
			"InvalidRequest", "ImportKeyMaterial: ValidationException: one two[31mthree four",
		},
		"long message": {
			"512 runes at most", 400, `{"__type":"ValidationException","message":"` + strings.Repeat("é", 600) + `"}`,
			"InvalidRequest", "ImportKeyMaterial: ValidationException: " + strings.Repeat("é", 511) + "…",
		},
		"unknown code, 503": {
			"the status speaks where the code does not", 503, `{"__type":"OverloadedException","message":"later"}`,
			"ServerFault", "ImportKeyMaterial: OverloadedException: later",
		},
		"unknown code, 429": {
			"the status speaks where the code does not", 429, `{"__type":"OverloadedException","message":"later"}`,
			"Throttled", "ImportKeyMaterial: OverloadedException: later",
		},
		"code with a sentence": {
			"no service names an error so", 400, `{"__type":"Ready, all is well","message":"x"}`,
			"UnexpectedResponse", fmt.Sprintf(notKMS, 400),
		},
		"no code":        {"a KMS always names the error", 400, `{}`, "UnexpectedResponse", fmt.Sprintf(notKMS, 400)},
		"empty body":     {"not from a KMS", 404, ``, "UnexpectedResponse", fmt.Sprintf(notKMS, 404)},
		"page, 403":      {"a proxy's", 403, `<html>Forbidden`, "UnexpectedResponse", fmt.Sprintf(notKMS, 403)},
		"page, 502":      {"a gateway's", 502, `<html>Bad Gateway`, "ServerFault", fmt.Sprintf(notKMS, 502)},
		"page, 429":      {"a gateway's", 429, `slow down`, "Throttled", fmt.Sprintf(notKMS, 429)},
		"empty, 500":     {"a crash", 500, ``, "ServerFault", fmt.Sprintf(notKMS, 500)},
		"list":           {"JSON of another kind", 400, `[1,2]`, "UnexpectedResponse", fmt.Sprintf(notKMS, 400)},
		"endless error":  {"a MiB at most", 400, strings.Repeat(" ", 1<<20+1), "UnexpectedResponse", "ImportKeyMaterial: the answer is longer than 1048576 bytes"},
		"deeply nested":  {"no stack is the endpoint's to fill", 400, strings.Repeat("[", 1<<19), "UnexpectedResponse", fmt.Sprintf(notKMS, 400)},
		"message object": {"not a text", 400, `{"__type":"ValidationException","message":{"a":1}}`, "UnexpectedResponse", fmt.Sprintf(notKMS, 400)},
	}
	isolate(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fake := newFakeKMS(t, answering(tc.status, tc.body))
			_, err := build(t, Config{Endpoint: fake.URL}).ImportKeyMaterial(context.Background(), permanentImport(t))
			assertError(t, err, tc.class, tc.want, tc.class == "ServerFault" || tc.class == "UnexpectedResponse")
			if got := len(fake.exchanges()); got != 1 {
				t.Errorf("%s: %d attempts, want 1", tc.reason, got)
			}
		})
	}
}

// A service that repeats what it was sent must not bring wrapped material or a token into conditions and logs.
func TestMessagesRepeatNoBlob(t *testing.T) {
	blob := []byte(strings.Repeat("\xfb\xff\xbe\x00", 64)) // as long as what RSA_2048 wraps
	cases := map[string]string{
		"Base64":          base64.StdEncoding.EncodeToString(blob),
		"URL-safe Base64": base64.RawURLEncoding.EncodeToString(blob),
		"hex":             hex.EncodeToString(blob),
		"cut off":         base64.StdEncoding.EncodeToString(blob)[:128],
	}
	isolate(t)
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			fake := newFakeKMS(t, answering(400, fmt.Sprintf(`{"__type":"ValidationException","message":"Value '%s' at 'importToken' is bad"}`, text)))
			_, err := build(t, Config{Endpoint: fake.URL}).ImportKeyMaterial(context.Background(), permanentImport(t))
			assertError(t, err, "InvalidRequest", "ImportKeyMaterial: ValidationException: Value '(data)' at 'importToken' is bad", false)
		})
	}
}

// What no case thought of may have had an effect.
func TestUnforeseenErrorsLeaveTheOutcomeUnknown(t *testing.T) {
	err := &smithy.OperationError{ServiceID: "KMS", OperationName: "ImportKeyMaterial", Err: errors.New("clocks\nstruck thirteen")}
	assertError(t, classify(context.Background(), "ImportKeyMaterial", err),
		"Unreachable", "ImportKeyMaterial: the call failed: clocks struck thirteen", true)
	assertError(t, classify(context.Background(), "ImportKeyMaterial", err.Err),
		"Unreachable", "ImportKeyMaterial: the call failed: clocks struck thirteen", true)
}

// A 307 or 308 is what http.Client follows with the body, to another host too.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := newFakeKMS(t, answering(200, "{}"))
	const untold = "the endpoint answers with a redirect, which is not followed: the endpoint must be the URL that answers itself"
	told := func(url string) string {
		return "the endpoint redirects to " + url + ", which is not followed: if that is the KMS, make " + url + " the endpoint"
	}
	locations := map[string]struct {
		reason   string
		location string
		want     string
	}{
		"elsewhere":      {"another host", "https://kms.example/path/", told("https://kms.example/path/")},
		"secrets":        {"what may hold a credential is left out", "https://me:hunter2@kms.example/?X-Amz-Signature=abc#x", told("https://kms.example/")},
		"running server": {"one that would take the request", elsewhere.URL, told(elsewhere.URL)},
		"none":           {"a redirect without a target", "", untold},
		"no URL":         {"a target that is none", "https://[oops", untold},
	}
	isolate(t)
	for name, tc := range locations {
		for _, status := range []int{300, 301, 302, 303, 307, 308} {
			t.Run(fmt.Sprintf("%s, %d", name, status), func(t *testing.T) {
				fake := newFakeKMS(t, func(w http.ResponseWriter, _ *http.Request) {
					if tc.location != "" {
						w.Header().Set("Location", tc.location)
					}
					w.WriteHeader(status)
					_, _ = io.WriteString(w, "<html>Moved</html>")
				})
				service := build(t, Config{Endpoint: fake.URL})
				_, err := service.ImportKeyMaterial(context.Background(), permanentImport(t))
				assertError(t, err, "Redirected", "ImportKeyMaterial: "+tc.want, false)
				_, err = service.DescribeKey(context.Background(), testARN)
				assertError(t, err, "Redirected", "DescribeKey: "+tc.want, false)
				if len(fake.exchanges()) != 2 || len(elsewhere.exchanges()) != 0 {
					t.Errorf("%s: %d requests here, %d elsewhere", tc.reason, len(fake.exchanges()), len(elsewhere.exchanges()))
				}
			})
		}
	}
}
