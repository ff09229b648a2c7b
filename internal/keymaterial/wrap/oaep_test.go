package wrap

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"math/big"
	"strings"
	"testing"
)

// The byte limits that AWS KMS documents for each wrapping key.
func TestMaxOAEP(t *testing.T) {
	cases := map[string]struct {
		reason string
		hash   crypto.Hash
		bits   int
		want   int
	}{
		"RSA_2048 SHA-1":   {"256 - 2·20 - 2", crypto.SHA1, 2048, 214},
		"RSA_2048 SHA-256": {"256 - 2·32 - 2", crypto.SHA256, 2048, 190},
		"RSA_3072 SHA-1":   {"384 - 2·20 - 2", crypto.SHA1, 3072, 342},
		"RSA_3072 SHA-256": {"384 - 2·32 - 2", crypto.SHA256, 3072, 318},
		"RSA_4096 SHA-1":   {"512 - 2·20 - 2", crypto.SHA1, 4096, 470},
		"RSA_4096 SHA-256": {"512 - 2·32 - 2", crypto.SHA256, 4096, 446},
		"odd modulus":      {"a modulus of 2047 bits still takes 256 bytes", crypto.SHA256, 2047, 190},
		"too small":        {"a key that fits no message has a limit of 0, not a negative one", crypto.SHA256, 512, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := MaxOAEP(tc.hash, tc.bits); got != tc.want {
				t.Errorf("%s: MaxOAEP = %d, want %d", tc.reason, got, tc.want)
			}
		})
	}
}

func TestOAEPDecrypts(t *testing.T) {
	cases := map[string]struct {
		reason  string
		hash    crypto.Hash
		newHash func() hash.Hash
		other   func() hash.Hash
		bits    int
		length  int
	}{
		"SHA-256, 32 bytes": {"the usual AES-256 key", crypto.SHA256, sha256.New, sha1.New, 2048, 32},
		"SHA-1, 32 bytes":   {"the other algorithm KMS offers", crypto.SHA1, sha1.New, sha256.New, 2048, 32},
		"SHA-256, limit":    {"the longest message must still fit", crypto.SHA256, sha256.New, sha1.New, 2048, 190},
		"SHA-1, limit":      {"the longest message must still fit", crypto.SHA1, sha1.New, sha256.New, 2048, 214},
		"RSA_3072":          {"another wrapping key size", crypto.SHA256, sha256.New, sha1.New, 3072, 318},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			key := newKey(t, tc.bits)
			material := make([]byte, tc.length)
			_, _ = rand.Read(material)

			wrapped, err := OAEP(tc.hash, &key.PublicKey, material)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if len(wrapped) != tc.bits/8 {
				t.Errorf("wrapped material has %d bytes, want %d", len(wrapped), tc.bits/8)
			}
			// DecryptOAEP with one hash uses it for MGF1 too, and a nil label is the empty label: what KMS does.
			unwrapped, err := rsa.DecryptOAEP(tc.newHash(), nil, key, wrapped, nil)
			if err != nil || !bytes.Equal(unwrapped, material) {
				t.Errorf("%s: unwrapping gave other bytes (error %v)", tc.reason, err)
			}
			if _, err := rsa.DecryptOAEP(tc.other(), nil, key, wrapped, nil); err == nil {
				t.Error("unwrapping with the other hash succeeded")
			}
		})
	}
}

func TestOAEPIsRandomised(t *testing.T) {
	key := newKey(t, 2048)
	first, errFirst := OAEP(crypto.SHA256, &key.PublicKey, []byte("same material"))
	second, errSecond := OAEP(crypto.SHA256, &key.PublicKey, []byte("same material"))
	if errFirst != nil || errSecond != nil || bytes.Equal(first, second) {
		t.Errorf("two wrappings of one material are equal (errors %v, %v)", errFirst, errSecond)
	}
}

func TestOAEPRefuses(t *testing.T) {
	key := newKey(t, 2048)
	cases := map[string]struct {
		reason   string
		hash     crypto.Hash
		key      *rsa.PublicKey
		material []byte
		want     string
	}{
		"too long for SHA-256": {
			"one byte over the limit; the sentence gives the limit and not the length",
			crypto.SHA256, &key.PublicKey, make([]byte, 191),
			"RSA-OAEP with SHA-256 under a key of 2048 bits takes at most 190 bytes",
		},
		"too long for SHA-1": {
			"one byte over the limit",
			crypto.SHA1, &key.PublicKey, make([]byte, 215),
			"RSA-OAEP with SHA-1 under a key of 2048 bits takes at most 214 bytes",
		},
		"other hash": {
			"KMS offers two hashes", crypto.SHA512, &key.PublicKey, make([]byte, 32),
			"RSA-OAEP with SHA-512 is not offered",
		},
		"no key":    {"a nil key is an error and no panic", crypto.SHA256, nil, nil, "no wrapping public key"},
		"empty key": {"a key without modulus is an error and no panic", crypto.SHA256, &rsa.PublicKey{}, nil, "no wrapping public key"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := OAEP(tc.hash, tc.key, tc.material)
			if err == nil || err.Error() != tc.want {
				t.Errorf("%s: error %v, want %s", tc.reason, err, tc.want)
			}
		})
	}
}

func TestOAEPRefusesWeakModulus(t *testing.T) {
	tiny := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 767), E: 65537}
	if _, err := OAEP(crypto.SHA1, tiny, []byte("x")); err == nil || !strings.Contains(err.Error(), "rsa") {
		t.Errorf("crypto/rsa accepted a modulus of 768 bits: %v", err)
	}
}

func newKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
