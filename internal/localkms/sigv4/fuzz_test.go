package sigv4_test

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/sigv4"
)

// FuzzVerify sends any headers and query under a secret that no input knows. Nothing panics, nothing verifies, and
// every refusal has a kind and a message of bounded length.
func FuzzVerify(f *testing.F) {
	options := sigv4.Options{
		Credentials: []sigv4.Credential{
			{AccessKeyID: "alice", SecretAccessKey: rand.Text()},
			{AccessKeyID: "session", SecretAccessKey: rand.Text(), SessionToken: rand.Text()},
		},
		ValidRegion: func(region string) bool { return region == "us-east-1" },
		Now:         func() time.Time { return time.Date(2031, time.March, 1, 12, 0, 0, 0, time.UTC) },
	}
	lax := sigv4.New(options)
	options.ExactHeaders = true
	strict := sigv4.New(options)
	f.Add("AWS4-HMAC-SHA256 Credential=alice/20310301/us-east-1/kms/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64), "20310301T120000Z", "", "async=1", "{}")
	f.Add("AWS4-HMAC-SHA256 Credential=session/20310301/us-east-1/kms/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="+strings.Repeat("f", 64), "20310301T120000Z", "x", "%;a=b&a", "")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;,Signature=00", "", "", "", "")
	f.Add("AWS4-HMAC-SHA256 Credential=a,Credential=nobody/20310301/us-east-1/kms/aws4_request,SignedHeaders=host;;host,Signature="+strings.Repeat("0", 64), "20310301T120000Z", "", "a=1&a=0", "")
	f.Fuzz(func(t *testing.T, authorization, date, token, query, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		if token != "" {
			r.Header.Set("X-Amz-Security-Token", token)
		}
		for _, v := range []*sigv4.Verifier{lax, strict} {
			identity, err := v.Verify(r, []byte(body))
			failure, ok := errors.AsType[*sigv4.Error](err)
			if !ok || failure.Kind == 0 || failure.Message == "" || len(failure.Message) > 500 || identity != (sigv4.Identity{}) {
				t.Errorf("%v, %v", identity, err)
			}
		}
	})
}
