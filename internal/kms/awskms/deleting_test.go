package awskms

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func TestDeleteImportedKeyMaterialAnswers(t *testing.T) {
	const requestID = "b1e2c3d4-0000-4444-8888-aaaabbbbcccc"
	cases := map[string]struct {
		reason     string
		dialect    kms.Dialect
		answer     string
		materialID string
	}{
		"empty body":             {"what KMS sent before 2025", "AWS", "", ""},
		"empty object":           {"what other endpoints send", "AWS", "{}", ""},
		"key alone":              {"the material of HMAC keys has no ID", "AWS", `{"KeyId":"` + testARN + `"}`, ""},
		"key and material":       {"the ID asked for", "AWS", `{"KeyId":"` + testARN + `","KeyMaterialId":"0a0b"}`, "0a0b"},
		"material not asked for": {"none was known before", "AWS", `{"KeyId":"` + testARN + `","KeyMaterialId":"0a0b"}`, ""},
		"certain material, {}":   {"KMS has compared the IDs itself", "AWS", "{}", "0a0b"},
		"unknown fields":         {"answers grow", "AWS", `{"KeyId":"` + testARN + `","Novelty":1}`, ""},
		"QKMS":                   {"as its page documents", "QKMS", "{}", ""},
		"QKMS, empty body":       {"an answer without content", "QKMS", "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, fake := serveDialect(t, tc.dialect, answering(200, tc.answer))
			result, err := service.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: testARN, KeyMaterialID: tc.materialID})
			if err != nil || result.RequestID != requestID {
				t.Errorf("%s: %+v, %v", tc.reason, result, err)
			}
			if got := len(fake.exchanges()); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
		})
	}
}

// Whatever such an answer means, the material may be gone.
func TestDeleteImportedKeyMaterialRefusesAnswers(t *testing.T) {
	const notKMS = "the endpoint answered HTTP 200 with something that is no answer of a KMS"
	cases := map[string]struct {
		reason string
		answer http.HandlerFunc
		class  kms.ErrorClass
		want   string
	}{
		"another key":    {"something was deleted somewhere", answering(200, `{"KeyId":"`+testARN+`c"}`), "UnexpectedResponse", "the answer is about another key"},
		"other material": {"not the material that was to be deleted", answering(200, `{"KeyMaterialId":"0c0d"}`), "UnexpectedResponse", "the answer is about other key material"},
		"sentence":       {"no ID is one", answering(200, `{"KeyMaterialId":"all is well"}`), "UnexpectedResponse", "the answer holds a field that is no identifier"},
		"number":         {"no ID is one", answering(200, `{"KeyId":1}`), "UnexpectedResponse", notKMS},
		"not JSON":       {"a login page, say", answering(200, `<html>`), "UnexpectedResponse", notKMS},
		"deep lists":     {"no stack is the endpoint's to fill", answering(200, strings.Repeat("[", 1<<19)), "UnexpectedResponse", notKMS},
		"huge body":      {"memory is not the endpoint's to fill", answering(200, strings.Repeat(" ", 1<<20+1)), "UnexpectedResponse", "the answer is longer than 1048576 bytes"},
		"endless body":   {"memory is not the endpoint's to fill", endless, "UnexpectedResponse", "the answer is longer than 1048576 bytes"},
		"slow body":      {"time is not the endpoint's to take", slow, "Unreachable", "time-out"},
		"dropped":        {"after the request, before the answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "Unreachable", "the connection was closed before the answer was complete"},
	}
	for name, tc := range cases {
		for _, dialect := range bothDialects {
			t.Run(name+", "+string(dialect), func(t *testing.T) {
				service, fake := serveDialect(t, dialect, tc.answer)
				if tc.want == "time-out" {
					service.importTimeout = 50 * time.Millisecond
				}
				_, err := service.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: testARN, KeyMaterialID: "0a0b"})
				assertError(t, err, tc.class, "DeleteImportedKeyMaterial: "+tc.want, true)
				if err != nil && (!utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\r")) {
					t.Errorf("%s: %q is no line for a condition", tc.reason, err)
				}
				if got := len(fake.exchanges()); got != 1 {
					t.Errorf("%s: %d requests, want 1", tc.reason, got)
				}
			})
		}
	}
}

func TestDeleteImportedKeyMaterialDropsUnlikelyRequestIDs(t *testing.T) {
	for _, requestID := range []string{"", "two words", strings.Repeat("a", 129)} {
		service, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Amzn-Requestid", requestID) })
		result, err := service.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: testARN})
		if err != nil || result.RequestID != "" {
			t.Errorf("request ID %q, error %v", result.RequestID, err)
		}
	}
}

// net/http sends some requests again by itself when the endpoint drops a connection that was used before: by the second
// deletion somebody may have imported again.
func TestDeletionIsNotSentAgainOnADroppedConnection(t *testing.T) {
	answered := false
	service, fake := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if answered {
			panic(http.ErrAbortHandler)
		}
		answered = true
		_, _ = io.WriteString(w, "{}")
	})
	request := kms.DeletionRequest{KeyARN: testARN}
	if _, err := service.DeleteImportedKeyMaterial(context.Background(), request); err != nil {
		t.Fatal(err)
	}
	_, err := service.DeleteImportedKeyMaterial(context.Background(), request) // on the same connection
	kmsError, ok := kms.AsError(err)
	if !ok || kmsError.Class != "Unreachable" || !kmsError.OutcomeUnknown() {
		t.Errorf("error %v", err)
	}
	if got := len(fake.exchanges()); got != 2 {
		t.Errorf("%d requests for two deletions", got)
	}
}

// A redirect is not followed, and nothing was deleted.
func TestDeletionIsNotRedirected(t *testing.T) {
	elsewhere := newFakeKMS(t, answering(200, "{}"))
	service, _ := serve(t, redirecting(307, elsewhere.URL))
	_, err := service.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: testARN})
	assertError(t, err, "Redirected", "DeleteImportedKeyMaterial: the endpoint redirects to "+elsewhere.URL+
		", which is not followed: if that is the KMS, make "+elsewhere.URL+" the endpoint", false)
	if got := len(elsewhere.exchanges()); got != 0 {
		t.Errorf("%d requests elsewhere", got)
	}
}
