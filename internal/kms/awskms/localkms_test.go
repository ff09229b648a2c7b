package awskms

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	staticcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

var newYear = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// localKMS is a Service on the local KMS, whose clock the test moves. The local KMS shares no code with the wrapping,
// so what it unwraps was wrapped as KMS asks.
type localKMS struct {
	*Service
	endpoint string
	ahead    atomic.Int64 // how far the clock is ahead of the new year
}

func startLocalKMS(t *testing.T) *localKMS {
	t.Helper()
	local := &localKMS{}
	now := func() time.Time { return newYear.Add(time.Duration(local.ahead.Load())) }
	handler, err := localkms.New(localkms.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		_ = handler.Close()
	})
	local.endpoint = server.URL
	local.Service = newTestService(t, Config{
		Endpoint: server.URL, Credentials: staticcredentials.NewStaticCredentialsProvider("localkms", "localkms", ""),
	})
	return local
}

func (l *localKMS) createKey(t *testing.T, spec types.KeySpec, usage types.KeyUsageType) string {
	t.Helper()
	created, err := l.client.CreateKey(context.Background(), &sdk.CreateKeyInput{Origin: types.OriginTypeExternal, KeySpec: spec, KeyUsage: usage})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(created.KeyMetadata.Arn)
}

// seal fetches parameters and wraps material for them, as the controllers do.
func (l *localKMS) seal(t *testing.T, keyARN string, wrapping kms.Wrapping, raw []byte) kms.SealedMaterial {
	t.Helper()
	material, err := keymaterial.Decode(keymaterial.Raw, raw)
	if err != nil {
		t.Fatal(err)
	}
	parameters, err := l.GetParametersForImport(context.Background(), keyARN, wrapping)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := parameters.Seal(func(w kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) {
		return material.Wrap(string(w.Algorithm), publicKey)
	})
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func (l *localKMS) describe(t *testing.T, keyARN string) kms.Key {
	t.Helper()
	key, err := l.DescribeKey(context.Background(), keyARN)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func randomMaterial() []byte {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	return raw
}

// A symmetric key from creation through import, expiry and re-import.
func TestLocalKMSSymmetricRoundTrip(t *testing.T) {
	local := startLocalKMS(t)
	ctx, raw := context.Background(), randomMaterial()
	keyARN := local.createKey(t, types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt)
	empty := kms.Key{ARN: keyARN, State: "PendingImport", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", Origin: "EXTERNAL"}
	if diff := cmp.Diff(empty, local.describe(t, keyARN)); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}

	expiry := kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: newYear.Add(time.Hour)}
	first, err := local.ImportKeyMaterial(ctx, kms.ImportRequest{Material: local.seal(t, keyARN, oaep2048, raw), Expiry: expiry})
	if err != nil || first.KeyMaterialID == "" || first.RequestID == "" {
		t.Fatalf("first import: %+v, %v", first, err)
	}
	imported := empty
	imported.State, imported.Expiry, imported.CurrentKeyMaterialID = "Enabled", expiry, first.KeyMaterialID
	if diff := cmp.Diff(imported, local.describe(t, keyARN)); diff != "" {
		t.Errorf("imported (-want +got):\n%s", diff)
	}
	encrypted, err := local.client.Encrypt(ctx, &sdk.EncryptInput{KeyId: aws.String(keyARN), Plaintext: []byte("before the expiry")})
	if err != nil {
		t.Fatal(err)
	}

	local.ahead.Store(int64(2 * time.Hour))
	expired := empty
	expired.CurrentKeyMaterialID = first.KeyMaterialID
	if diff := cmp.Diff(expired, local.describe(t, keyARN)); diff != "" {
		t.Errorf("expired (-want +got):\n%s", diff)
	}

	again, err := local.ImportKeyMaterial(ctx, kms.ImportRequest{
		Material: local.seal(t, keyARN, kms.Wrapping{Algorithm: "RSAES_OAEP_SHA_1", KeySpec: "RSA_2048"}, raw),
		Expiry:   kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, ReimportOf: first.KeyMaterialID,
	})
	if err != nil || again.KeyMaterialID != first.KeyMaterialID {
		t.Fatalf("re-import: %+v, %v", again, err)
	}
	decrypted, err := local.client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: encrypted.CiphertextBlob})
	if err != nil || string(decrypted.Plaintext) != "before the expiry" {
		t.Errorf("decrypted %q after the re-import, %v", decrypted.Plaintext, err)
	}
}

// The MAC that KMS computes proves that exactly these bytes arrived.
func TestLocalKMSHMACRoundTrip(t *testing.T) {
	local := startLocalKMS(t)
	ctx, raw := context.Background(), randomMaterial()
	keyARN := local.createKey(t, types.KeySpecHmac256, types.KeyUsageTypeGenerateVerifyMac)
	result, err := local.ImportKeyMaterial(ctx, kms.ImportRequest{
		Material: local.seal(t, keyARN, kms.Wrapping{Algorithm: "RSAES_OAEP_SHA_256", KeySpec: "RSA_3072"}, raw),
		Expiry:   kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
	})
	if err != nil || result.KeyMaterialID != "" {
		t.Fatalf("import: %+v, %v", result, err)
	}
	answer, err := local.client.GenerateMac(ctx, &sdk.GenerateMacInput{
		KeyId: aws.String(keyARN), Message: []byte("message"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := hmac.New(sha256.New, raw)
	want.Write([]byte("message"))
	if !bytes.Equal(answer.Mac, want.Sum(nil)) {
		t.Error("KMS computes another MAC: other bytes arrived")
	}
}

func TestLocalKMSRefusals(t *testing.T) {
	local := startLocalKMS(t)
	ctx := context.Background()
	permanent := kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}
	newKey := func() string {
		return local.createKey(t, types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt)
	}
	importing := func(request kms.ImportRequest) error {
		_, err := local.ImportKeyMaterial(ctx, request)
		return err
	}
	cases := map[string]struct {
		reason string
		call   func(t *testing.T) error
		class  kms.ErrorClass
		code   string
	}{
		"no such key": {"a typing error", func(*testing.T) error {
			_, err := local.DescribeKey(ctx, "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000")
			return err
		}, "NotFound", "NotFoundException"},
		"wrong length": {"KMS checks it too", func(t *testing.T) error {
			return importing(kms.ImportRequest{Material: local.seal(t, newKey(), oaep2048, make([]byte, 31)), Expiry: permanent})
		}, "MaterialRefused", "IncorrectKeyMaterialException"},
		"other material": {"a key takes its own material for ever", func(t *testing.T) error {
			keyARN := newKey()
			if err := importing(kms.ImportRequest{Material: local.seal(t, keyARN, oaep2048, randomMaterial()), Expiry: permanent}); err != nil {
				t.Fatal(err)
			}
			return importing(kms.ImportRequest{Material: local.seal(t, keyARN, oaep2048, randomMaterial()), Expiry: permanent})
		}, "MaterialRefused", "IncorrectKeyMaterialException"},
		"wrong hash": {"wrapped by the other algorithm", func(t *testing.T) error {
			parameters, err := local.GetParametersForImport(ctx, newKey(), oaep2048)
			if err != nil {
				t.Fatal(err)
			}
			material, err := keymaterial.Decode(keymaterial.Raw, randomMaterial())
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := parameters.Seal(func(_ kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) {
				return material.Wrap("RSAES_OAEP_SHA_1", publicKey)
			})
			if err != nil {
				t.Fatal(err)
			}
			return importing(kms.ImportRequest{Material: sealed, Expiry: permanent})
		}, "CiphertextRefused", "InvalidCiphertextException"},
		"date in the past": {"KMS checks it too", func(t *testing.T) error {
			return importing(kms.ImportRequest{
				Material: local.seal(t, newKey(), oaep2048, randomMaterial()),
				Expiry:   kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: newYear.Add(-time.Hour)},
			})
		}, "InvalidRequest", "ValidationException"},
		"wrong secret": {"credentials of another KMS", func(t *testing.T) error {
			stranger := build(t, Config{
				Endpoint: local.endpoint, Credentials: staticcredentials.NewStaticCredentialsProvider("localkms", "wrong", ""),
			})
			_, err := stranger.DescribeKey(ctx, testARN)
			return err
		}, "AccessDenied", "InvalidSignatureException"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			kmsError, ok := kms.AsError(tc.call(t))
			if !ok || kmsError.Class != tc.class || kmsError.Code != tc.code {
				t.Errorf("%s: %+v, want class %s and code %s", tc.reason, kmsError, tc.class, tc.code)
			}
		})
	}
}

func TestLocalKMSExpiredToken(t *testing.T) {
	local := startLocalKMS(t)
	keyARN := local.createKey(t, types.KeySpecSymmetricDefault, types.KeyUsageTypeEncryptDecrypt)
	sealed := local.seal(t, keyARN, oaep2048, randomMaterial())
	local.ahead.Store(int64(25 * time.Hour))
	_, err := local.ImportKeyMaterial(context.Background(), kms.ImportRequest{
		Material: sealed, Expiry: kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
	})
	kmsError, ok := kms.AsError(err)
	if !ok || kmsError.Class != "TokenRefused" || kmsError.OutcomeUnknown() {
		t.Errorf("error %v", err)
	}
}
