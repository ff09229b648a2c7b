package localkms_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	kwp "github.com/tink-crypto/tink-go/v2/kwp/subtle"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// sharedWrappingKeys spares every test but the first the generation of RSA keys.
var sharedWrappingKeys = sync.OnceValue(localkms.NewWrappingKeys)

// start is what the material clock of every fixture says at first. It is far from the wall clock, so that a
// mix-up of the two clocks shows.
var start = time.Date(2031, time.March, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that moves only when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is a running server with a client of each kind.
type fixture struct {
	t          *testing.T
	clock      *clock
	url        string
	client     *kms.Client
	regionName string // that raw requests are signed for; empty is us-east-1
	caller     string // access key ID that raw requests are signed with, and its secret; empty is localkms
}

func newFixture(t *testing.T, change ...func(*localkms.Options)) *fixture {
	t.Helper()
	c := &clock{now: start}
	options := localkms.Options{Now: c.Now, WrappingKeys: sharedWrappingKeys()}
	for _, f := range change {
		f(&options)
	}
	handler, err := localkms.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		if err := handler.Close(); err != nil {
			t.Error(err)
		}
	})
	return &fixture{t: t, clock: c, url: server.URL, client: newClient(server.URL, "localkms", "localkms")}
}

func newClient(url, accessKeyID, secret string) *kms.Client {
	return kms.New(kms.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(url),
		Credentials:  credentials.NewStaticCredentialsProvider(accessKeyID, secret, ""),
		Retryer:      aws.NopRetryer{},
	})
}

// answer is what came back for a raw request.
type answer struct {
	status  int
	header  http.Header
	body    string
	code    string // __type of an error, empty for a success
	message string
	fields  map[string]any
}

// request builds a raw request to the server that is right but for the signature.
func (f *fixture) request(operation, body string) *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.url+"/", strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	return r
}

// sign signs a request as the SDK does.
func sign(t testing.TB, r *http.Request, body string, at time.Time) {
	t.Helper()
	signIn(t, "us-east-1", r, body, at)
}

// signIn signs a request for a Region.
func signIn(t testing.TB, region string, r *http.Request, body string, at time.Time) {
	t.Helper()
	signAs(t, "localkms", region, r, body, at)
}

// signAs signs a request with an access key whose ID is its secret as well.
func signAs(t testing.TB, accessKeyID, region string, r *http.Request, body string, at time.Time) {
	t.Helper()
	digest := sha256.Sum256([]byte(body))
	credentials := aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: accessKeyID}
	err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, hex.EncodeToString(digest[:]), "kms", region, at)
	if err != nil {
		t.Fatal(err)
	}
}

// send sends a raw request as it is. Every answer must have a request ID, every error a __type.
func (f *fixture) send(r *http.Request) answer {
	f.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return parseAnswer(f.t, response.StatusCode, response.Header, body)
}

func parseAnswer(t testing.TB, status int, header http.Header, body []byte) answer {
	t.Helper()
	a := answer{status: status, header: header, body: string(body)}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &a.fields); err != nil {
			t.Fatalf("answer is not JSON: %v: %s", err, body)
		}
	}
	a.code, _ = a.fields["__type"].(string)
	a.message, _ = a.fields["message"].(string)
	if header.Get("x-amzn-RequestId") == "" {
		t.Errorf("answer without x-amzn-RequestId: %s", body)
	}
	if (status == http.StatusOK) != (a.code == "") {
		t.Errorf("status %d with body %s", status, body)
	}
	return a
}

// call sends a signed request with a body of any kind.
func (f *fixture) call(operation, body string) answer {
	f.t.Helper()
	r := f.request(operation, body)
	signAs(f.t, cmp.Or(f.caller, "localkms"), cmp.Or(f.regionName, "us-east-1"), r, body, time.Now())
	return f.send(r)
}

// callStrictly sends a request that signs exactly the four headers of the QKMS documentation.
func (f *fixture) callStrictly(operation, body string) answer {
	f.t.Helper()
	r := f.request(operation, body)
	r.ContentLength = -1 // the signer would sign it; the transport knows the length anyway
	sign(f.t, r, body, time.Now())
	return f.send(r)
}

// object is a request body in the making.
type object map[string]any

func (o object) String() string {
	encoded, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

// must calls an operation that has to succeed.
func (f *fixture) must(operation string, body object) answer {
	f.t.Helper()
	a := f.call(operation, body.String())
	if a.status != http.StatusOK {
		f.t.Fatalf("%s: %d %s", operation, a.status, a.body)
	}
	return a
}

// expect compares an answer with a code, empty for a success, and a message where the test names one.
func (f *fixture) expect(a answer, code, message string) {
	f.t.Helper()
	if a.code != code || message != "" && a.message != message {
		f.t.Errorf("got %q %q\nwant %q %q", a.code, a.message, code, message)
	}
	if code != "" && a.status != http.StatusBadRequest {
		f.t.Errorf("status %d, want 400", a.status)
	}
}

// createKey makes a key and returns its ID.
func (f *fixture) createKey(spec, origin string) string {
	f.t.Helper()
	usage := "ENCRYPT_DECRYPT"
	switch {
	case strings.HasPrefix(spec, "HMAC_"):
		usage = "GENERATE_VERIFY_MAC"
	case strings.HasPrefix(spec, "ECC_"):
		usage = "SIGN_VERIFY"
	}
	return f.createKeyFor(spec, origin, usage)
}

// createKeyFor is createKey for a usage that is not the spec's first.
func (f *fixture) createKeyFor(spec, origin, usage string) string {
	f.t.Helper()
	body := object{"KeySpec": spec, "Origin": origin, "KeyUsage": usage}
	metadata := f.must("CreateKey", body).fields["KeyMetadata"].(map[string]any)
	return metadata["KeyId"].(string)
}

func arnOf(keyID string) string { return "arn:aws:kms:us-east-1:111122223333:key/" + keyID }

func (f *fixture) metadata(keyID string) map[string]any {
	f.t.Helper()
	return f.must("DescribeKey", object{"KeyId": keyID}).fields["KeyMetadata"].(map[string]any)
}

func (f *fixture) expectState(keyID, state string) {
	f.t.Helper()
	metadata := f.metadata(keyID)
	if metadata["KeyState"] != state || metadata["Enabled"] != (state == "Enabled") {
		f.t.Errorf("KeyState %v, Enabled %v, want %s", metadata["KeyState"], metadata["Enabled"], state)
	}
}

// parameters is one answer of GetParametersForImport.
type parameters struct {
	token     []byte
	publicKey []byte
	hash      crypto.Hash
	algorithm string
}

func (f *fixture) parameters(keyID, algorithm, wrappingKeySpec string) parameters {
	f.t.Helper()
	out, err := f.client.GetParametersForImport(f.t.Context(), &kms.GetParametersForImportInput{
		KeyId:             &keyID,
		WrappingAlgorithm: types.AlgorithmSpec(algorithm),
		WrappingKeySpec:   types.WrappingKeySpec(wrappingKeySpec),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	hash := crypto.SHA256
	if strings.HasSuffix(algorithm, "_SHA_1") {
		hash = crypto.SHA1
	}
	return parameters{token: out.ImportToken, publicKey: out.PublicKey, hash: hash, algorithm: algorithm}
}

// fresh gets parameters of the cheapest kind.
func (f *fixture) fresh(keyID string) parameters {
	f.t.Helper()
	return f.parameters(keyID, "RSAES_OAEP_SHA_256", "RSA_2048")
}

// wrap encrypts as a client would, with the standard library and, for AES key wrap with padding, tink.
func (p parameters) wrap(t testing.TB, material []byte) []byte {
	t.Helper()
	if !strings.HasPrefix(p.algorithm, "RSA_AES_KEY_WRAP_") {
		return p.oaep(t, material)
	}
	aesKey := make([]byte, 32)
	_, _ = rand.Read(aesKey)
	keyWrap, err := kwp.NewKWP(aesKey)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := keyWrap.Wrap(material)
	if err != nil {
		t.Fatal(err)
	}
	return append(p.oaep(t, aesKey), wrapped...)
}

func (p parameters) oaep(t testing.TB, plaintext []byte) []byte {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(p.publicKey)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := rsa.EncryptOAEP(p.hash.New(), rand.Reader, public.(*rsa.PublicKey), plaintext, nil)
	if err != nil {
		t.Fatal(err)
	}
	return wrapped
}

// importBody is a request for an import that does not expire.
func importBody(keyID string, token, wrapped []byte) object {
	return object{
		"KeyId": keyID, "ImportToken": token, "EncryptedKeyMaterial": wrapped,
		"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
	}
}

// importMaterial imports with fresh parameters; extra overrides what importBody says.
func (f *fixture) importMaterial(keyID string, material []byte, extra object) answer {
	f.t.Helper()
	p := f.fresh(keyID)
	body := importBody(keyID, p.token, p.wrap(f.t, material))
	maps.Copy(body, extra)
	return f.call("ImportKeyMaterial", body.String())
}

// importedKey makes a key with material that does not expire.
func (f *fixture) importedKey(spec string, material []byte) string {
	f.t.Helper()
	keyID := f.createKey(spec, "EXTERNAL")
	f.expect(f.importMaterial(keyID, material, nil), "", "")
	return keyID
}

// keyIn makes an EXTERNAL key in a state.
func (f *fixture) keyIn(state string, material []byte) string {
	f.t.Helper()
	if state == "PendingImport" {
		return f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	}
	keyID := f.importedKey("SYMMETRIC_DEFAULT", material)
	switch state {
	case "Disabled":
		f.must("DisableKey", object{"KeyId": keyID})
	case "PendingDeletion":
		f.must("ScheduleKeyDeletion", object{"KeyId": keyID})
	}
	f.expectState(keyID, state)
	return keyID
}

// bytesOf is material that is easy to tell apart.
func bytesOf(value byte, length int) []byte { return bytes.Repeat([]byte{value}, length) }

func base64Of(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func (a answer) blob(t testing.TB, name string) []byte {
	t.Helper()
	encoded, _ := a.fields[name].(string)
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(decoded) == 0 {
		t.Fatalf("%s in %s: %v", name, a.body, err)
	}
	return decoded
}
