package awskms

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	staticcredentials "github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const testARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// exchange is one request as the endpoint saw it.
type exchange struct {
	method, path, body string
	header             http.Header
}

// fakeKMS answers every request with one handler and keeps what it was asked.
type fakeKMS struct {
	*httptest.Server
	mutex sync.Mutex
	seen  []exchange
}

func newFakeKMS(t *testing.T, answer http.HandlerFunc) *fakeKMS {
	t.Helper()
	fake := &fakeKMS{}
	fake.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read request: %v", err)
		}
		fake.mutex.Lock()
		fake.seen = append(fake.seen, exchange{method: r.Method, path: r.URL.Path, body: string(body), header: r.Header.Clone()})
		fake.mutex.Unlock()
		answer(w, r)
	}))
	t.Cleanup(fake.Close)
	return fake
}

func (f *fakeKMS) exchanges() []exchange {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return append([]exchange(nil), f.seen...)
}

// answering sends one status and body.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("X-Amzn-Requestid", "b1e2c3d4-0000-4444-8888-aaaabbbbcccc")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// isolate keeps the developer's own AWS configuration out of a test.
func isolate(t *testing.T) {
	t.Helper()
	nowhere := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CA_BUNDLE": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
	} {
		t.Setenv(name, value)
	}
}

func newTestService(t *testing.T, configuration Config) *Service {
	t.Helper()
	isolate(t)
	return build(t, configuration)
}

// build fills what a test leaves out.
func build(t *testing.T, configuration Config) *Service {
	t.Helper()
	if configuration.Region == "" {
		configuration.Region = "eu-west-1"
	}
	if configuration.Credentials == nil {
		configuration.Credentials = testCredentials()
	}
	service, err := New(context.Background(), configuration)
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func testCredentials() aws.CredentialsProvider {
	return staticcredentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")
}

// serve is a Service that talks to a fake KMS.
func serve(t *testing.T, answer http.HandlerFunc) (*Service, *fakeKMS) {
	t.Helper()
	fake := newFakeKMS(t, answer)
	return newTestService(t, Config{Endpoint: fake.URL}), fake
}

func serveDialect(t *testing.T, dialect kms.Dialect, answer http.HandlerFunc) (*Service, *fakeKMS) {
	t.Helper()
	fake := newFakeKMS(t, answer)
	return newTestService(t, Config{Dialect: dialect, Endpoint: fake.URL}), fake
}

// sealed is what an import sends, with bytes that a golden request can show.
func sealed(t *testing.T) kms.SealedMaterial {
	t.Helper()
	return sealedFor(t, testARN)
}

func sealedFor(t *testing.T, keyARN string) kms.SealedMaterial {
	t.Helper()
	wrapping := kms.Wrapping{Algorithm: kms.RSAESOAEPSHA256, KeySpec: kms.WrappingKeyRSA2048}
	parameters := kms.NewImportParameters(keyARN, wrapping, nil, []byte("token"), time.Time{})
	material, err := parameters.Seal(func(kms.Wrapping, *rsa.PublicKey) ([]byte, error) { return []byte("wrapped"), nil })
	if err != nil {
		t.Fatal(err)
	}
	return material
}

func permanentImport(t *testing.T) kms.ImportRequest {
	t.Helper()
	return kms.ImportRequest{Material: sealed(t), Expiry: kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}}
}

var oaep2048 = kms.Wrapping{Algorithm: kms.RSAESOAEPSHA256, KeySpec: kms.WrappingKeyRSA2048}

// modulus is an odd number of so many bits: nothing here decrypts, so it needs no factors.
func modulus(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return n.SetBit(n, 0, 1)
}

// spki is the DER of a public key in base64, as GetParametersForImport sends it.
func spki(t *testing.T, publicKey any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// goodSPKI is a public key that nothing is wrong with.
func goodSPKI(t *testing.T) string {
	t.Helper()
	return spki(t, &rsa.PublicKey{N: modulus(2048), E: 65537})
}

func parametersAnswer(keyID, publicKey, token string) string {
	return fmt.Sprintf(`{"KeyId":%q,"PublicKey":%q,"ImportToken":%q,"ParametersValidTo":1798761600.5}`,
		keyID, publicKey, base64.StdEncoding.EncodeToString([]byte(token)))
}

// assertError compares class, text and OutcomeUnknown with literals.
func assertError(t *testing.T, err error, class kms.ErrorClass, text string, unknown bool) {
	t.Helper()
	kmsError, ok := kms.AsError(err)
	if !ok {
		t.Fatalf("error %v is no *kms.Error", err)
	}
	if kmsError.Class != class || err.Error() != text || kmsError.OutcomeUnknown() != unknown {
		t.Errorf("got %s, unknown outcome %t: %s\nwant %s, unknown outcome %t: %s",
			kmsError.Class, kmsError.OutcomeUnknown(), err, class, unknown, text)
	}
}

// roundTripper is a transport made of a function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// newTLSServer is a KMS that accepts every import, with the file of the CA its certificate comes from.
func newTLSServer(t *testing.T) (url, bundle string) {
	t.Helper()
	server := httptest.NewTLSServer(answering(200, "{}"))
	t.Cleanup(server.Close)
	bundle = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(bundle, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return server.URL, bundle
}
