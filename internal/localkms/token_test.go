package localkms_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// TestTokens shows that a token works for its key, its wrapping key and its algorithm, once and in time.
func TestTokens(t *testing.T) {
	f := newFixture(t)
	material := bytesOf(1, 32)
	for name, c := range map[string]struct {
		reason  string
		request func(f *fixture, keyID string) object
		code    string
		message string
	}{
		"right": {
			reason: "the base that the others change one thing of",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(keyID)
				return importBody(keyID, p.token, p.wrap(f.t, material))
			},
		},
		"older than another": {
			reason: "any number of sets may be outstanding",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(keyID)
				f.fresh(keyID)
				return importBody(keyID, p.token, p.wrap(f.t, material))
			},
		},
		"of another key": {
			reason: "bound to the key",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL"))
				return importBody(keyID, p.token, p.wrap(f.t, material))
			},
			code: "InvalidImportTokenException", message: "The import token belongs to another key.",
		},
		"of another answer": {
			reason: "bound to the wrapping key",
			request: func(f *fixture, keyID string) object {
				first, second := f.fresh(keyID), f.fresh(keyID)
				return importBody(keyID, first.token, second.wrap(f.t, material))
			},
			code: "InvalidCiphertextException",
		},
		"of a shorter wrapping key": {
			reason: "a blob of another length than the modulus",
			request: func(f *fixture, keyID string) object {
				first, second := f.fresh(keyID), f.parameters(keyID, "RSAES_OAEP_SHA_256", "RSA_3072")
				return importBody(keyID, first.token, second.wrap(f.t, material))
			},
			code: "ValidationException", message: "Invalid encrypted key size.",
		},
		"of another algorithm": {
			reason: "bound to the algorithm",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(keyID)
				p.hash = crypto.SHA1
				return importBody(keyID, p.token, p.wrap(f.t, material))
			},
			code: "InvalidCiphertextException",
		},
		"MGF1 with another hash": {
			reason: "what OpenSSL does unless it is told otherwise",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(keyID)
				return importBody(keyID, p.token, wrapWithMGF1SHA1(f.t, p, material))
			},
			code: "InvalidCiphertextException",
		},
		"corrupt material": {
			reason: "a flipped bit in the blob",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(keyID)
				wrapped := p.wrap(f.t, material)
				wrapped[200] ^= 1
				return importBody(keyID, p.token, wrapped)
			},
			code: "InvalidCiphertextException",
		},
		"corrupt": {
			reason: "a flipped bit in the token",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(keyID)
				p.token[len(p.token)/2] ^= 1
				return importBody(keyID, p.token, p.wrap(f.t, material))
			},
			code: "InvalidImportTokenException", message: "The import token is not one of this KMS.",
		},
		"cut": {
			reason: "a token that lacks its end",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(keyID)
				return importBody(keyID, p.token[:len(p.token)-1], p.wrap(f.t, material))
			},
			code: "InvalidImportTokenException",
		},
		"garbage": {
			reason: "a single byte, shorter than any token",
			request: func(f *fixture, keyID string) object {
				return importBody(keyID, []byte{0}, f.fresh(keyID).wrap(f.t, material))
			},
			code: "InvalidImportTokenException",
		},
		"of another server": {
			reason: "each server seals its own, though they share wrapping keys",
			request: func(f *fixture, keyID string) object {
				stranger := newFixture(f.t)
				p := stranger.fresh(stranger.createKey("SYMMETRIC_DEFAULT", "EXTERNAL"))
				return importBody(keyID, p.token, p.wrap(f.t, material))
			},
			code: "InvalidImportTokenException",
		},
		"used": {
			reason: "the harsher reading: a token imports once",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(keyID)
				body := importBody(keyID, p.token, p.wrap(f.t, material))
				f.must("ImportKeyMaterial", body)
				return body
			},
			code: "InvalidImportTokenException", message: "The import token has been used.",
		},
		"refused for a missing date before": {
			reason: "recorded: only a success uses a token up",
			request: func(f *fixture, keyID string) object {
				p := f.fresh(keyID)
				body := importBody(keyID, p.token, p.wrap(f.t, material))
				body["ExpirationModel"] = "KEY_MATERIAL_EXPIRES"
				f.expect(f.call("ImportKeyMaterial", body.String()), "ValidationException", "")
				body["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE"
				return body
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
			f.expect(f.call("ImportKeyMaterial", c.request(f, keyID).String()), c.code, c.message)
		})
	}
}

// wrapWithMGF1SHA1 pads by hand: SHA-256 for OAEP and SHA-1 for its mask.
func wrapWithMGF1SHA1(t *testing.T, p parameters, material []byte) []byte {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(p.publicKey)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := rsa.EncryptOAEPWithOptions(rand.Reader, public.(*rsa.PublicKey), material, &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1})
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

func TestTokenExpiry(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		ttl    time.Duration
		after  time.Duration
		code   string
	}{
		"in time":           {reason: "the last moment of the default 24 hours", after: 24*time.Hour - time.Nanosecond},
		"late":              {reason: "24 hours are over", after: 24 * time.Hour, code: "ExpiredImportTokenException"},
		"in time of option": {reason: "ImportTokenTTL", ttl: time.Minute, after: time.Minute - time.Nanosecond},
		"late of option":    {reason: "ImportTokenTTL", ttl: time.Minute, after: time.Minute, code: "ExpiredImportTokenException"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *localkms.Options) { o.ImportTokenTTL = c.ttl })
			keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
			out, err := f.client.GetParametersForImport(t.Context(), &kms.GetParametersForImportInput{
				KeyId: &keyID, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048",
			})
			if err != nil {
				t.Fatal(err)
			}
			ttl := 24 * time.Hour
			if c.ttl != 0 {
				ttl = c.ttl
			}
			if want := start.Add(ttl); !out.ParametersValidTo.Equal(want) {
				t.Errorf("ParametersValidTo %s, want %s", out.ParametersValidTo, want)
			}
			f.clock.advance(c.after)
			p := parameters{token: out.ImportToken, publicKey: out.PublicKey, hash: crypto.SHA256}
			body := importBody(keyID, p.token, p.wrap(t, bytesOf(1, 32)))
			f.expect(f.call("ImportKeyMaterial", body.String()), c.code, "")
		})
	}
}

// TestExpiryDuringImport shows that what counts is the moment of the change, not that of the request: the token
// is looked at again after the decryption, which takes its time outside the lock.
func TestExpiryDuringImport(t *testing.T) {
	var looks atomic.Int32 // at the clock, once the import has begun
	var begun atomic.Bool
	f := newFixture(t, func(o *localkms.Options) {
		o.Now = func() time.Time {
			if begun.Load() && looks.Add(1) > 1 {
				return start.Add(24 * time.Hour)
			}
			return start
		}
	})
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	p := f.fresh(keyID)
	begun.Store(true)
	f.expect(f.call("ImportKeyMaterial", importBody(keyID, p.token, p.wrap(t, bytesOf(1, 32))).String()), "ExpiredImportTokenException", "")
	f.expectState(keyID, "PendingImport")
}

// TestUsedTokenStaysUsed guards the forgetting of used tokens, which may begin only when they are too old anyway.
func TestUsedTokenStaysUsed(t *testing.T) {
	f := newFixture(t)
	material := bytesOf(1, 32)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	p := f.fresh(keyID)
	used := importBody(keyID, p.token, p.wrap(t, material)).String()
	f.expect(f.call("ImportKeyMaterial", used), "", "")
	f.clock.advance(24*time.Hour - time.Second)
	f.expect(f.importMaterial(keyID, material, nil), "", "")
	f.expect(f.call("ImportKeyMaterial", used), "InvalidImportTokenException", "The import token has been used.")
	f.clock.advance(time.Second)
	f.expect(f.importMaterial(keyID, material, nil), "", "")
	f.expect(f.call("ImportKeyMaterial", used), "ExpiredImportTokenException", "")
}

// TestSuccessiveWrappingKeys shows the promise: two successive answers for a key never carry the same one.
func TestSuccessiveWrappingKeys(t *testing.T) {
	f := newFixture(t)
	keyID, other := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL"), f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	last, seen := "", map[string]bool{}
	for turns := range 20 {
		p := f.fresh(keyID)
		if string(p.publicKey) == last {
			t.Fatal("two successive answers carry the same wrapping key")
		}
		last = string(p.publicKey)
		seen[last] = true
		for range turns % 6 { // so that whatever number of keys there is, it would be this one's turn again
			f.fresh(other)
		}
	}
	if len(seen) < 2 {
		t.Errorf("%d wrapping keys in 20 answers", len(seen))
	}
}

// TestColdPool shows that the first requests for a length wait for their keys, all of them.
func TestColdPool(t *testing.T) {
	pool := localkms.NewWrappingKeys()
	defer func() { _ = pool.Close() }()
	f := newFixture(t, func(o *localkms.Options) { o.WrappingKeys = pool })
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() {
			_, err := f.client.GetParametersForImport(t.Context(), &kms.GetParametersForImportInput{
				KeyId: &keyID, WrappingAlgorithm: "RSAES_OAEP_SHA_1", WrappingKeySpec: "RSA_2048",
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
}

// TestAbandonedRequest shows that a request whose client has gone does not wait for its key.
func TestAbandonedRequest(t *testing.T) {
	handler, err := localkms.New(localkms.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = handler.Close() }()
	send := func(ctx context.Context, operation string, body object) answer {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body.String()))
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "TrentService."+operation)
		sign(t, r, body.String(), time.Now())
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return parseAnswer(t, w.Code, w.Header(), w.Body.Bytes())
	}
	keyID := send(t.Context(), "CreateKey", object{"Origin": "EXTERNAL"}).fields["KeyMetadata"].(map[string]any)["KeyId"]
	gone, leave := context.WithCancel(t.Context())
	leave()
	a := send(gone, "GetParametersForImport", object{"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_4096"})
	if a.status != 500 || a.message != "the request was abandoned" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestClosedPool shows that a request does not wait for a key that will never come.
func TestClosedPool(t *testing.T) {
	pool := localkms.NewWrappingKeys()
	for range 2 {
		if err := pool.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f := newFixture(t, func(o *localkms.Options) { o.WrappingKeys = pool })
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	a := f.call("GetParametersForImport", object{"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_2048"}.String())
	if a.status != 500 || a.code != "KMSInternalException" || a.message != "the server is closing" {
		t.Errorf("%d %s", a.status, a.body)
	}
}
