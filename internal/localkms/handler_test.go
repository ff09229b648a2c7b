package localkms_test

import (
	"crypto"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// handler is a server without a transport around it: what is measured is the server alone.
type handler struct {
	*localkms.Server
	signed time.Time
}

func newHandler(t testing.TB, options localkms.Options) *handler {
	t.Helper()
	h := &handler{signed: time.Now()}
	options.WrappingKeys = sharedWrappingKeys()
	options.SigningNow = func() time.Time { return h.signed } // what was signed once can be sent for as long as it takes
	server, err := localkms.New(options)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = server
	return h
}

// prepared is a signed request that can be sent any number of times, also at once.
type prepared struct {
	request *http.Request
	body    string
}

func (h *handler) prepare(t testing.TB, operation string, body object, change ...func(*http.Request)) prepared {
	t.Helper()
	text := body.String()
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	for _, f := range change {
		f(r)
	}
	sign(t, r, text, h.signed)
	return prepared{request: r, body: text}
}

// must sends a request that has to succeed, and returns the body of the answer.
func (h *handler) must(t testing.TB, p prepared) []byte {
	r := *p.request
	r.Body = io.NopCloser(strings.NewReader(p.body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, &r)
	if w.Code != http.StatusOK {
		t.Errorf("%s: %d %s", r.Header.Get("X-Amz-Target"), w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// answerOf is must for those who want to read the answer.
func (h *handler) answerOf(t testing.TB, operation string, body object) (fields answerFields) {
	t.Helper()
	if err := json.Unmarshal(h.must(t, h.prepare(t, operation, body)), &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// answerFields is what the benchmarks read in answers.
type answerFields struct {
	KeyMetadata            struct{ KeyID string } // JSON names are matched without regard to case
	ImportToken, PublicKey []byte
	CiphertextBlob         []byte
}

func (h *handler) createKey(t testing.TB, spec, usage, origin string) string {
	t.Helper()
	return h.answerOf(t, "CreateKey", object{"KeySpec": spec, "KeyUsage": usage, "Origin": origin}).KeyMetadata.KeyID
}

// warm asks until all four wrapping keys of the pool were handed out: from then on nothing is generated any more.
func (h *handler) warm(t testing.TB, key, wrappingKeySpec string) {
	t.Helper()
	for seen := map[string]bool{}; len(seen) < 4; {
		seen[string(h.importParameters(t, key, "RSAES_OAEP_SHA_256", wrappingKeySpec).publicKey)] = true
	}
}

func (h *handler) importParameters(t testing.TB, key, algorithm, wrappingKeySpec string) parameters {
	t.Helper()
	answer := h.answerOf(t, "GetParametersForImport", object{
		"KeyId": key, "WrappingAlgorithm": algorithm, "WrappingKeySpec": wrappingKeySpec,
	})
	return parameters{token: answer.ImportToken, publicKey: answer.PublicKey, hash: crypto.SHA256, algorithm: algorithm}
}

// prepareImport wraps material.
func (h *handler) prepareImport(t testing.TB, p parameters, key string, material []byte) prepared {
	t.Helper()
	return h.prepare(t, "ImportKeyMaterial", importBody(key, p.token, p.wrap(t, material)))
}

func randomBytes(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}
