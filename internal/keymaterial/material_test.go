package keymaterial

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"testing"

	"github.com/tink-crypto/tink-go/v2/kwp/subtle"
)

func TestWrap(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason  string
		newHash func() hash.Hash
		hybrid  bool
	}{
		"RSAES_OAEP_SHA_1":         {"SHA-1 for OAEP and MGF1", sha1.New, false},
		"RSAES_OAEP_SHA_256":       {"SHA-256 for OAEP and MGF1", sha256.New, false},
		"RSA_AES_KEY_WRAP_SHA_1":   {"SHA-1 for OAEP and MGF1, around an AES key", sha1.New, true},
		"RSA_AES_KEY_WRAP_SHA_256": {"SHA-256 for OAEP and MGF1, around an AES key", sha256.New, true},
	}
	for algorithm, tc := range cases {
		t.Run(algorithm, func(t *testing.T) {
			wrapped, err := newMaterial(counting(7, 138)).Wrap(algorithm, &key.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			unwrapped, err := rsa.DecryptOAEP(tc.newHash(), nil, key, wrapped[:256], nil)
			if err == nil && tc.hybrid {
				unwrapped, err = keyUnwrap(unwrapped, wrapped[256:])
			}
			if err != nil || !bytes.Equal(unwrapped, counting(7, 138)) {
				t.Errorf("%s: unwrapping gave other bytes (error %v)", tc.reason, err)
			}
		})
	}
}

func keyUnwrap(aesKey, wrapped []byte) ([]byte, error) {
	cipher, err := subtle.NewKWP(aesKey)
	if err != nil {
		return nil, err
	}
	return cipher.Unwrap(wrapped)
}

func TestWrapRefuses(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	destroyed := newMaterial(counting(7, 32))
	destroyed.Destroy()
	cases := map[string]struct {
		reason    string
		material  Material
		algorithm string
		want      string
	}{
		"withdrawn algorithm": {
			"KMS withdrew PKCS #1 v1.5; it is never offered",
			newMaterial(counting(7, 32)), "RSAES_PKCS1_V1_5",
			`wrapping algorithm "RSAES_PKCS1_V1_5" is not supported`,
		},
		"zero material": {
			"there is nothing to import", Material{}, "RSAES_OAEP_SHA_256",
			"there is no key material to wrap",
		},
		"destroyed material": {
			"the zeroes it left behind must never become a key", destroyed, "RSAES_OAEP_SHA_256",
			"there is no key material to wrap",
		},
		"too long": {
			"the limit is told, the length is not", newMaterial(make([]byte, 191)), "RSAES_OAEP_SHA_256",
			"RSA-OAEP with SHA-256 under a key of 2048 bits takes at most 190 bytes",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := tc.material.Wrap(tc.algorithm, &key.PublicKey)
			if err == nil || err.Error() != tc.want {
				t.Errorf("%s: error %v, want %s", tc.reason, err, tc.want)
			}
		})
	}
}

func TestDestroy(t *testing.T) {
	raw := counting(7, 32)
	m := newMaterial(raw)
	copyOfIt := m
	m.Destroy()
	m.Destroy() // harmless twice
	Material{}.Destroy()
	if m.Len() != 0 || copyOfIt.Len() != 0 {
		t.Errorf("lengths after Destroy: %d and, of a copy, %d", m.Len(), copyOfIt.Len())
	}
	if !bytes.Equal(raw, make([]byte, 32)) {
		t.Error("Destroy left bytes behind")
	}
}
