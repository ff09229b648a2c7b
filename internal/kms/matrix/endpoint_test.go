package matrix_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms/awskms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// endpoint is a local KMS with its two kinds of clients: the operator, and those who use keys.
type endpoint struct {
	dialect  kms.Dialect
	url      string
	operator kms.Service
	users    *sdk.Client
}

// wrappingKeys spares every server but the first the generation of RSA keys.
var wrappingKeys = sync.OnceValue(localkms.NewWrappingKeys)

func start(t *testing.T, dialect kms.Dialect) *endpoint {
	t.Helper()
	handler, err := localkms.New(localkms.Options{Dialect: localkms.Dialect(dialect), WrappingKeys: wrappingKeys()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		_ = handler.Close() // never fails
	})
	operator, err := awskms.New(context.Background(), awskms.Config{
		Dialect: dialect, Region: localkms.DefaultRegion, Endpoint: server.URL, Credentials: accessKey(),
	})
	if err != nil {
		t.Fatal(err)
	}
	users := sdk.New(sdk.Options{
		Region: localkms.DefaultRegion, BaseEndpoint: &server.URL, Credentials: accessKey(), Retryer: aws.NopRetryer{},
	})
	e := &endpoint{dialect, server.URL, operator, users}
	if dialect == kms.DialectAWS {
		e.warmUp(t)
	}
	return e
}

// warmUp waits for two wrapping keys of each size, so that no call has to: successive answers for a key hold different
// ones. The operator would not wait as long as a busy machine may take.
func (e *endpoint) warmUp(t *testing.T) {
	t.Helper()
	keyARN := e.create(t, kms.KeySpecSymmetricDefault, "ENCRYPT_DECRYPT")
	for _, keySpec := range []types.WrappingKeySpec{"RSA_2048", "RSA_3072", "RSA_4096"} {
		for range 2 {
			_, err := e.users.GetParametersForImport(t.Context(), &sdk.GetParametersForImportInput{
				KeyId: &keyARN, WrappingAlgorithm: types.AlgorithmSpecRsaesOaepSha256, WrappingKeySpec: keySpec,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func accessKey() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(localkms.DefaultAccessKeyID, localkms.DefaultSecretAccessKey, "")
}

// isolate keeps the developer's own AWS configuration out of a test.
func isolate(t *testing.T) {
	t.Helper()
	nowhere := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_PROFILE": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
}

// tryCreate makes an empty key, or returns the code of the refusal. It does without the SDK, which takes no date of QKMS.
func (e *endpoint) tryCreate(t *testing.T, spec kms.KeySpec, usage string) (keyARN, refusal string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"Origin": "EXTERNAL", "KeySpec": string(spec), "KeyUsage": usage})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "TrentService.CreateKey")
	digest := sha256.Sum256(body)
	by := aws.Credentials{AccessKeyID: localkms.DefaultAccessKeyID, SecretAccessKey: localkms.DefaultSecretAccessKey}
	if err := v4.NewSigner().SignHTTP(t.Context(), by, request, hex.EncodeToString(digest[:]), "kms", localkms.DefaultRegion, time.Now()); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		KeyMetadata struct{ Arn string }
		Code        string `json:"__type"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if (answer.Code == "") != (answer.KeyMetadata.Arn != "") {
		t.Fatalf("CreateKey: status %d with neither a key nor a code", response.StatusCode)
	}
	return answer.KeyMetadata.Arn, answer.Code
}

func (e *endpoint) create(t *testing.T, spec kms.KeySpec, usage string) (keyARN string) {
	t.Helper()
	keyARN, refusal := e.tryCreate(t, spec, usage)
	if refusal != "" {
		t.Fatalf("CreateKey: %s", refusal)
	}
	return keyARN
}

// withdraw deletes the material of a key.
func (e *endpoint) withdraw(t *testing.T, keyARN string) {
	t.Helper()
	if _, err := e.users.DeleteImportedKeyMaterial(t.Context(), &sdk.DeleteImportedKeyMaterialInput{KeyId: &keyARN}); err != nil {
		t.Fatal(err)
	}
	e.expectState(t, keyARN, "PendingImport")
}

func (e *endpoint) expectState(t *testing.T, keyARN string, want kms.KeyState) {
	t.Helper()
	key, err := e.operator.DescribeKey(t.Context(), keyARN)
	if err != nil {
		t.Fatal(err)
	}
	if key.State != want {
		t.Fatalf("the key is %s, want %s", key.State, want)
	}
}
