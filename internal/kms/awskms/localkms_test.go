package awskms

import (
	"crypto/rand"
	"crypto/rsa"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms/kmstest"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

func newSymmetricKey(t *testing.T, harness kmstest.Harness) string {
	t.Helper()
	keyARN, err := harness.Keys.Create(t.Context(), kms.KeySpecSymmetricDefault, kms.OriginExternal)
	if err != nil {
		t.Fatal(err)
	}
	return keyARN
}

// sealRandom wraps so many random bytes for fresh parameters that name oaep2048.
func sealRandom(t *testing.T, service kms.Service, keyARN, algorithm string, length int) kms.SealedMaterial {
	t.Helper()
	raw := make([]byte, length)
	_, _ = rand.Read(raw)
	material, err := keymaterial.Decode(keymaterial.Raw, raw)
	if err != nil {
		t.Fatal(err)
	}
	parameters, err := service.GetParametersForImport(t.Context(), keyARN, oaep2048)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := parameters.Seal(func(_ kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) {
		return material.Wrap(algorithm, publicKey)
	})
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// The contract asks for no request IDs, and of expired material for no more than that it is gone.
func TestLocalKMSNamesMaterialAndRequest(t *testing.T) {
	isolate(t)
	harness := newHarness(t, localkms.Options{Dialect: localkms.AWS})
	keyARN := newSymmetricKey(t, harness)
	expiry := kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: newYear.Add(time.Hour)}
	result, err := harness.Service.ImportKeyMaterial(t.Context(), kms.ImportRequest{
		Material: sealRandom(t, harness.Service, keyARN, "RSAES_OAEP_SHA_256", 32), Expiry: expiry,
	})
	if err != nil || result.RequestID == "" || result.KeyMaterialID == "" {
		t.Fatalf("imported as %+v, %v", result, err)
	}
	want := kms.Key{
		ARN: keyARN, State: "Enabled", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", Origin: "EXTERNAL",
		Expiry: expiry, CurrentKeyMaterialID: result.KeyMaterialID,
	}
	look := func(when string) {
		t.Helper()
		key, err := harness.Service.DescribeKey(t.Context(), keyARN)
		if diff := cmp.Diff(want, key); err != nil || diff != "" {
			t.Errorf("%s (error %v, -want +got):\n%s", when, err, diff)
		}
	}
	look("imported")
	harness.Advance(2 * time.Hour)
	want.State, want.Expiry = "PendingImport", kms.Expiry{} // and the material that it misses is still named
	look("expired")
}

// The contract asks for classes of errors, each of which several codes have.
func TestLocalKMSErrorCodes(t *testing.T) {
	isolate(t)
	harness := newHarness(t, localkms.Options{Dialect: localkms.AWS})
	permanent := kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}
	importing := func(t *testing.T, algorithm string, length int, expiry kms.Expiry, later time.Duration) error {
		t.Helper()
		material := sealRandom(t, harness.Service, newSymmetricKey(t, harness), algorithm, length)
		harness.Advance(later)
		_, err := harness.Service.ImportKeyMaterial(t.Context(), kms.ImportRequest{Material: material, Expiry: expiry})
		return err
	}
	for name, tc := range map[string]struct {
		reason string
		call   func(t *testing.T) error
		code   string
	}{
		"no such key": {"a typing error", func(t *testing.T) error {
			_, err := harness.Service.DescribeKey(t.Context(), "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-000000000000")
			return err
		}, "NotFoundException"},
		"wrong length": {"the Secret is to be corrected", func(t *testing.T) error {
			return importing(t, "RSAES_OAEP_SHA_256", 31, permanent, 0)
		}, "IncorrectKeyMaterialException"},
		"wrong hash": {"wrapped by the other algorithm", func(t *testing.T) error {
			return importing(t, "RSAES_OAEP_SHA_1", 32, permanent, 0)
		}, "InvalidCiphertextException"},
		"date in the past": {"spec.expiration is to be corrected", func(t *testing.T) error {
			return importing(t, "RSAES_OAEP_SHA_256", 32, kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: newYear.Add(-time.Hour)}, 0)
		}, "ValidationException"},
		"old token": {"25 hours are over 24", func(t *testing.T) error {
			return importing(t, "RSAES_OAEP_SHA_256", 32, permanent, 25*time.Hour)
		}, "ExpiredImportTokenException"},
		"wrong secret": {"credentials of another KMS", func(t *testing.T) error {
			_, err := harness.Stranger.DescribeKey(t.Context(), testARN)
			return err
		}, "InvalidSignatureException"},
	} {
		t.Run(name, func(t *testing.T) {
			kmsError, ok := kms.AsError(tc.call(t))
			if !ok || kmsError.Code != tc.code {
				t.Errorf("%s: %+v, want code %s", tc.reason, kmsError, tc.code)
			}
		})
	}
}
