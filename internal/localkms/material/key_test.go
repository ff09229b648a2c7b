package material_test

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// TestGenerate shows that generated keys are good key material, and not the same twice.
func TestGenerate(t *testing.T) {
	for _, name := range material.SpecNames() {
		t.Run(name, func(t *testing.T) {
			s := spec(t, name)
			key, err := s.Generate()
			if !s.Generates() {
				expectError(t, err, material.BadInput, "Keys of "+name+" cannot be generated.")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Parse(key.Bytes(), material.ExactLength); err != nil || key.Spec() != s {
				t.Errorf("a key of %s is not key material: %v", key.Spec().Name(), err)
			}
			if strings.HasPrefix(name, "RSA_") && name != "RSA_2048" {
				return // once more would take seconds
			}
			if other, err := s.Generate(); err != nil || bytes.Equal(other.Bytes(), key.Bytes()) {
				t.Errorf("the same key twice: %v", err)
			}
		})
	}
}

// TestPublic compares with what crypto/x509 says of the same private key.
func TestPublic(t *testing.T) {
	for _, name := range []string{"RSA_2048", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519"} {
		key := generate(t, name)
		public, err := key.Public()
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.ParsePKCS8PrivateKey(key.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		want, err := x509.MarshalPKIXPublicKey(publicOf(t, private))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(public, want) {
			t.Errorf("%s: %x, want %x", name, public, want)
		}
	}
}

func TestPublicRefuses(t *testing.T) {
	for name, plain := range map[string][]byte{
		"SYMMETRIC_DEFAULT": random(32), "HMAC_256": random(32), "ML_KEM_768": kem(3, kemSeed(random(64))),
	} {
		_, err := parse(t, name, plain).Public()
		expectError(t, err, material.BadInput, "Keys of "+name+" have no public key here.")
	}
}

// TestOperationsOfOthers shows that no key does what another kind of key is for.
func TestOperationsOfOthers(t *testing.T) {
	symmetric, hmac, pair := generate(t, "SYMMETRIC_DEFAULT"), generate(t, "HMAC_256"), generate(t, "ECC_NIST_P256")
	rsa, secg := parse(t, "RSA_2048", inPKCS8(t, sharedRSA())), generate(t, "ECC_SECG_P256K1")
	ignore := func(_ any, err error) error { return err }
	for name, c := range map[string]struct {
		reason string
		err    error
		want   string
	}{
		"Seal":      {"GCM is for symmetric keys", ignore(hmac.Seal(nil, nil)), "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec HMAC_256."},
		"Open":      {"GCM is for symmetric keys", ignore(rsa.Open(nil, nil)), "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."},
		"MAC":       {"of the same size", ignore(symmetric.MAC("HMAC_SHA_256", nil)), "Algorithm HMAC_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT."},
		"MAC, hash": {"an HMAC key has one hash", ignore(hmac.MAC("HMAC_SHA_512", nil)), "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256."},
		"Encrypt":   {"the algorithm is the key's, the operation is Seal", ignore(symmetric.Encrypt("SYMMETRIC_DEFAULT", nil)), "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec SYMMETRIC_DEFAULT."},
		"Encrypt, curve": {
			"RSA only", ignore(pair.Encrypt("RSAES_OAEP_SHA_256", nil)), "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec ECC_NIST_P256.",
		},
		"Encrypt, signature": {
			"an algorithm of the key's other usage", ignore(rsa.Encrypt("RSASSA_PSS_SHA_256", nil)), "Algorithm RSASSA_PSS_SHA_256 is incompatible with key spec RSA_2048.",
		},
		"Decrypt":    {"RSA only", ignore(hmac.Decrypt("RSAES_OAEP_SHA_1", nil)), "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec HMAC_256."},
		"Sign":       {"no private key", ignore(hmac.Sign("HMAC_SHA_256", material.Message{})), "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_256."},
		"Sign, hash": {"a curve has one hash", ignore(pair.Sign("ECDSA_SHA_384", material.Message{})), "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256."},
		"Verify":     {"another kind of private key", ignore(pair.Verify("RSASSA_PSS_SHA_256", material.Message{}, nil)), "Algorithm RSASSA_PSS_SHA_256 is incompatible with key spec ECC_NIST_P256."},
		"DeriveSharedSecret": {
			"KMS does it on NIST's curves", ignore(secg.DeriveSharedSecret(nil)), "Algorithm ECDH is incompatible with key spec ECC_SECG_P256K1.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			expectError(t, c.err, material.BadInput, c.want)
			if t.Failed() {
				t.Log(c.reason)
			}
		})
	}
}

// TestNothingPrints shows that key material is in nothing that is printed or encoded, however deep a key sits.
func TestNothingPrints(t *testing.T) {
	secret := []byte("an all too printable 32-byte key")
	key := parse(t, "SYMMETRIC_DEFAULT", secret)
	type holder struct{ key *material.Key }
	for _, value := range []any{key, *key, holder{key}, &holder{key}, []holder{{key}}, map[string]*material.Key{"k": key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%p"} {
			expectNoSecret(t, verb, fmt.Sprintf(verb, value), secret)
		}
		if text, err := json.Marshal(value); err == nil {
			expectNoSecret(t, "JSON", string(text), secret)
		}
	}
}

func expectNoSecret(t *testing.T, how, text string, secret []byte) {
	t.Helper()
	decimal, source := fmt.Sprintf("%d", secret[:8]), fmt.Sprintf("%#v", secret[:8])
	for _, form := range []string{
		string(secret), hex.EncodeToString(secret), strings.Trim(decimal, "[]"), strings.Trim(source, "[]byte{}"),
	} {
		if strings.Contains(strings.ToLower(text), form) {
			t.Errorf("%s shows key material", how)
		}
	}
}

// TestMemory shows that a symmetric key costs little more than its bytes, even when those were part of much more.
func TestMemory(t *testing.T) {
	const count = 1000
	s, plain := spec(t, "SYMMETRIC_DEFAULT"), make([]byte, 32, 1<<16)
	keys := make([]*material.Key, count)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range keys {
		var err error
		if keys[i], err = s.Parse(plain, material.ExactLength); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / count; each > 256 {
		t.Errorf("%d bytes for a key", each)
	}
	runtime.KeepAlive(keys)
}

func generate(t *testing.T, name string) *material.Key {
	t.Helper()
	key, err := spec(t, name).Generate()
	if err != nil {
		t.Fatal(err)
	}
	return key
}
