package simulation_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms/awskms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// wrappingKeys spares every simulation but the first the generation of RSA keys.
var wrappingKeys = sync.OnceValue(localkms.NewWrappingKeys)

// inProcess carries requests to a handler without a network.
type inProcess struct {
	handler   http.Handler
	deletions *int // that were carried out
}

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(request *http.Request) (*http.Response, error) {
	received := request.Clone(request.Context())
	received.Host = request.URL.Host
	answer := httptest.NewRecorder()
	p.handler.ServeHTTP(answer, received)
	if strings.HasSuffix(request.Header.Get("X-Amz-Target"), ".DeleteImportedKeyMaterial") && answer.Code == http.StatusOK {
		*p.deletions++
	}
	return answer.Result(), nil
}

// account is the local KMS with its two kinds of clients: the adapter of the operator, and those who make and use keys.
type account struct {
	adapter   kms.Service
	people    *sdk.Client
	deletions *int // of material, that KMS has carried out for the operator
}

// accountKind is a KMS to live in. Times in answers are numbers, which people's SDK reads.
type accountKind struct {
	name    string
	dialect kms.Dialect
	assume  []localkms.Assumption
	ahead   bool // import parameters are given for a key that holds material
}

var (
	inAWS       = accountKind{name: "AWS", dialect: kms.DialectAWS, ahead: true}
	inQKMS      = accountKind{name: "QKMS", dialect: kms.DialectQKMS, assume: []localkms.Assumption{localkms.EpochTimestamps}}
	inQKMSAhead = accountKind{
		name: "QKMS with parameters over material", dialect: kms.DialectQKMS, ahead: true,
		assume: []localkms.Assumption{localkms.EpochTimestamps, localkms.ParametersOverMaterial},
	}
)

func openAccount(t *testing.T, kind accountKind, clock func() time.Time) account {
	t.Helper()
	nowhere := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", nowhere)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", nowhere)
	server, err := localkms.New(localkms.Options{
		Dialect: localkms.Dialect(kind.dialect), Assume: kind.assume, Now: clock, WrappingKeys: wrappingKeys(),
	})
	if err != nil {
		t.Fatal(err)
	}
	const endpoint = "http://127.0.0.1:1" // where nobody listens
	accessKey := credentials.NewStaticCredentialsProvider(localkms.DefaultAccessKeyID, localkms.DefaultSecretAccessKey, "")
	mine, theirs := new(int), new(int)
	adapter, err := awskms.New(t.Context(), awskms.Config{
		Dialect: kind.dialect, Region: localkms.DefaultRegion, Endpoint: endpoint, Credentials: accessKey,
		Transport: inProcess{server, mine},
	})
	if err != nil {
		t.Fatal(err)
	}
	return account{adapter: adapter, deletions: mine, people: sdk.New(sdk.Options{
		Region: localkms.DefaultRegion, BaseEndpoint: aws.String(endpoint), Credentials: accessKey,
		HTTPClient: &http.Client{Transport: inProcess{server, theirs}}, Retryer: aws.NopRetryer{},
	})}
}

// importByHand is what a person does with a program of their own.
func (a account) importByHand(ctx context.Context, keyARN string, material []byte, expiry kms.Expiry, importType types.ImportType) error {
	parameters, err := a.people.GetParametersForImport(ctx, &sdk.GetParametersForImportInput{
		KeyId: &keyARN, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: types.WrappingKeySpecRsa2048,
	})
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKIXPublicKey(parameters.PublicKey)
	if err != nil {
		return err
	}
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, parsed.(*rsa.PublicKey), material, nil)
	if err != nil {
		return err
	}
	input := &sdk.ImportKeyMaterialInput{
		KeyId: &keyARN, EncryptedKeyMaterial: wrapped, ImportToken: parameters.ImportToken,
		ExpirationModel: types.ExpirationModelType(expiry.Model), ImportType: importType,
	}
	if expiry.Model == kms.KeyMaterialExpires {
		input.ValidTo = &expiry.ValidTo
	}
	_, err = a.people.ImportKeyMaterial(ctx, input)
	return err
}

// wire is between the operator and KMS. It loses requests and answers, delays what a look shows, and watches what the
// operator does.
type wire struct{ s *simulation }

// DescribeKey implements kms.Service.
func (w wire) DescribeKey(ctx context.Context, keyID string) (kms.Key, error) {
	s := w.s
	if err := s.before("DescribeKey", 0.005); err != nil {
		return kms.Key{}, err
	}
	key, err := s.account.adapter.DescribeKey(ctx, keyID)
	if err != nil {
		s.violated(s.current, "DescribeKey: %v", err)
	}
	l := s.current
	l.learn(key)
	shown, exact := l.shown(key)
	if s.happens(0.002) {
		return kms.Key{}, s.lose("DescribeKey")
	}
	s.pass.looked(shown, exact)
	if shown.State == kms.KeyStateEnabled && l.record() != nil {
		l.disabled = false // which the record says from then on
	}
	l.lastLook = s.timeline.elapsed
	return shown, nil
}

// GetParametersForImport implements kms.Service.
func (w wire) GetParametersForImport(ctx context.Context, keyARN string, wrapping kms.Wrapping) (kms.ImportParameters, error) {
	s := w.s
	if err := s.before("GetParametersForImport", 0.01); err != nil {
		return kms.ImportParameters{}, err
	}
	s.counts.parameters++
	if s.happens(0.01) { // a person takes the key back at the last moment
		s.current.suffer("suspended", false, (*life).suspend)
	}
	s.current.tokenReplaced = false
	return s.account.adapter.GetParametersForImport(ctx, keyARN, wrapping)
}

// ImportKeyMaterial implements kms.Service.
func (w wire) ImportKeyMaterial(ctx context.Context, request kms.ImportRequest) (kms.ImportResult, error) {
	s, l := w.s, w.s.current
	const operation = "ImportKeyMaterial"
	if err := s.before(operation, 0.01); err != nil {
		l.tries()
		l.cause("an import that did not arrive")
		return kms.ImportResult{}, err
	}
	if s.happens(0.003) {
		l.cause("a refused token")
		return kms.ImportResult{}, s.fault(&kms.Error{Operation: operation, Class: kms.ClassTokenRefused, Code: "ExpiredImportTokenException"})
	}
	l.mayBeImported(request)
	earlier := l.present()
	result, err := s.account.adapter.ImportKeyMaterial(ctx, request)
	if err != nil {
		l.importRefused(err)
		return kms.ImportResult{}, err
	}
	l.imported(request, result, earlier)
	s.crashes()
	if s.happens(0.015) {
		l.cause("a lost answer")
		return kms.ImportResult{}, s.lose(operation)
	}
	return result, nil
}

// before is the way of a request to KMS; what goes wrong here has no effect.
func (s *simulation) before(operation string, rate float64) error {
	s.timeline.pass(s.between(20*time.Millisecond, 300*time.Millisecond))
	s.interfere()
	s.crashes()
	if failure := s.weather.failure(s); failure != nil {
		failure.Operation = operation
		return s.fault(failure)
	}
	if s.current.denied[operation] {
		return s.fault(&kms.Error{Operation: operation, Class: kms.ClassAccessDenied, Code: "AccessDeniedException"})
	}
	if s.happens(rate) {
		failure := s.failures()[s.random.IntN(len(s.failures()))]
		failure.Operation = operation
		return s.fault(failure)
	}
	return nil
}

func (s *simulation) failures() []*kms.Error {
	return []*kms.Error{
		{Class: kms.ClassThrottled, Code: "ThrottlingException"}, {Class: kms.ClassUnreachable, Message: "time-out"},
		{Class: kms.ClassServerFault, Code: "KMSInternalException"}, {Class: kms.ClassAccessDenied, Code: "AccessDeniedException"},
	}
}

// lose is what becomes of an answer that does not arrive as it was sent.
func (s *simulation) lose(operation string) error {
	lost := &kms.Error{Operation: operation, Class: kms.ClassUnreachable, Message: "connection reset"}
	if s.happens(0.3) {
		lost.Class, lost.Message = kms.ClassUnexpectedResponse, "the endpoint answered HTTP 200 with something that is no answer of a KMS"
	}
	return s.fault(lost)
}
