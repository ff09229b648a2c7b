package localkms_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// FuzzRequest sends signed requests with any target and body. Whatever they are, the answer is one of the
// protocol, and never the server's fault.
func FuzzRequest(f *testing.F) {
	handler := fuzzedServer(f)
	for operation, valid := range validRequests() {
		f.Add(operation, valid.String())
	}
	f.Add("ImportKeyMaterial", `{"KeyId":null,"ValidTo":1e308,"ImportToken":""}`)
	f.Add("Decrypt", `{"CiphertextBlob":"`+base64Of([]byte("localkms1\nx\ny\n"))+`"}`)
	f.Add("ListKeys", `{"Limit":-1,"Marker":"-1"}`)
	f.Fuzz(func(t *testing.T, operation, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "TrentService."+operation)
		sign(t, r, body, time.Now())
		checkFuzzed(t, handler, r)
	})
}

// FuzzHeaders sends any Authorization, date, target, content type and query.
func FuzzHeaders(f *testing.F) {
	handler := fuzzedServer(f)
	f.Add("AWS4-HMAC-SHA256 Credential=localkms/20310301/us-east-1/kms/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64),
		"20310301T120000Z", "TrentService.ListKeys", "application/x-amz-json-1.1", "a=b")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;,Signature=00", "", "TrentService.", "a/b;c", "%;")
	f.Fuzz(func(t *testing.T, authorization, date, target, contentType, query string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}"))
		r.URL.RawQuery = query
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Content-Type", contentType)
		checkFuzzed(t, handler, r)
	})
}

func fuzzedServer(f *testing.F) http.Handler {
	f.Helper()
	handler, err := localkms.New(localkms.Options{WrappingKeys: sharedWrappingKeys()})
	if err != nil {
		f.Fatal(err)
	}
	return handler
}

func checkFuzzed(t *testing.T, handler http.Handler, r *http.Request) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if a := parseAnswer(t, w.Code, w.Header(), w.Body.Bytes()); a.status >= 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
