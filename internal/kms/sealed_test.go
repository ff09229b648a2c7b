package kms_test

import (
	"bytes"
	"crypto/rsa"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func TestSealedMaterialBelongsToItsParameters(t *testing.T) {
	for _, wrapping := range []kms.Wrapping{
		{Algorithm: "RSAES_OAEP_SHA_1", KeySpec: "RSA_2048"},
		{Algorithm: "RSAES_OAEP_SHA_256", KeySpec: "RSA_3072"},
		{Algorithm: "RSA_AES_KEY_WRAP_SHA_1", KeySpec: "RSA_2048"},
		{Algorithm: "RSA_AES_KEY_WRAP_SHA_256", KeySpec: "RSA_4096"},
	} {
		publicKey := &rsa.PublicKey{E: 65537}
		parameters := kms.NewImportParameters("arn:a", wrapping, publicKey, []byte("token"), time.Time{})
		sealed, err := parameters.Seal(func(asked kms.Wrapping, with *rsa.PublicKey) ([]byte, error) {
			if asked != wrapping || with != publicKey {
				t.Errorf("wrap was called for %v, not for the parameters' own wrapping %v and key", asked, wrapping)
			}
			return []byte("wrapped"), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if sealed.KeyARN() != "arn:a" || !bytes.Equal(sealed.ImportToken(), []byte("token")) || !bytes.Equal(sealed.EncryptedKeyMaterial(), []byte("wrapped")) {
			t.Errorf("%v: sealed material does not carry the key and token it was wrapped for", wrapping)
		}
	}
}

func TestSealedMaterialDoesNotPrint(t *testing.T) {
	parameters := kms.NewImportParameters("arn:a", kms.Wrapping{}, nil, []byte("token"), time.Time{})
	sealed, err := parameters.Seal(func(kms.Wrapping, *rsa.PublicKey) ([]byte, error) { return []byte("wrapped"), nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		if got := fmt.Sprintf(verb, sealed); got != "[sealed key material]" {
			t.Errorf("%s prints %s", verb, got)
		}
		if got := fmt.Sprintf(verb, parameters); got != "[import parameters]" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// Material that was kept for a key is sent as it was sealed, and prints as little.
func TestKeptMaterialIsWhatWasSealed(t *testing.T) {
	kept := kms.KeptMaterial("arn:a", []byte("wrapped"), []byte("token"))
	if kept.KeyARN() != "arn:a" || string(kept.EncryptedKeyMaterial()) != "wrapped" || string(kept.ImportToken()) != "token" {
		t.Error("kept material has lost its key, its ciphertext or its token")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
		if got := fmt.Sprintf(verb, kept); got != "[sealed key material]" {
			t.Errorf("%s prints %s", verb, got)
		}
		if got := fmt.Sprintf(verb, &kms.ImportRequest{Material: kept}); strings.Contains(got, "wrapped") || strings.Contains(got, "token") ||
			strings.Contains(got, "77726170706564") || strings.Contains(got, "119 114 97") {
			t.Errorf("%s prints %s inside a request", verb, got)
		}
	}
}

// Whoever keeps sealed material has to know until when KMS takes it.
func TestImportParametersKnowTheirEnd(t *testing.T) {
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, want := range map[string]time.Time{"told": end, "not told": {}} {
		if got := kms.NewImportParameters("arn:a", kms.Wrapping{}, nil, []byte("token"), want).ValidTo(); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestOutcomeUnknown(t *testing.T) {
	for class, want := range map[kms.ErrorClass]bool{
		kms.ClassUnreachable:        true,
		kms.ClassServerFault:        true,
		kms.ClassUnexpectedResponse: true,
		kms.ClassThrottled:          false,
		kms.ClassMaterialRefused:    false,
		kms.ErrorClass("new"):       true,
	} {
		if got := (&kms.Error{Class: class}).OutcomeUnknown(); got != want {
			t.Errorf("%s: outcome unknown = %v, want %v", class, got, want)
		}
	}
}

func TestExpiryEqualComparesWholeSeconds(t *testing.T) {
	at := time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	expiry := kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: at}
	if !expiry.Equal(kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: at.Add(999 * time.Millisecond)}) {
		t.Error("a fraction of a second is no difference")
	}
	if expiry.Equal(kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: at.Add(time.Second)}) {
		t.Error("a second is a difference")
	}
	if expiry.Equal(kms.Expiry{Model: kms.KeyMaterialDoesNotExpire, ValidTo: at}) {
		t.Error("the model counts")
	}
}
