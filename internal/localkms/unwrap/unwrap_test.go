package unwrap

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"sync"
	"testing"
)

// Two keys of one length, made once: that takes long.
var (
	ours   = sync.OnceValue(newKey)
	theirs = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// TestMaterial shows that what was wrapped by an algorithm comes back by it, and by no other.
func TestMaterial(t *testing.T) {
	plain := random(32)
	for name, c := range map[string]struct {
		reason    string
		algorithm string
		blob      []byte
		err       error
	}{
		"OAEP, SHA-1":             {"right", "RSAES_OAEP_SHA_1", wrapOAEP(t, crypto.SHA1, plain), nil},
		"OAEP, SHA-256":           {"right", "RSAES_OAEP_SHA_256", wrapOAEP(t, crypto.SHA256, plain), nil},
		"key wrap, SHA-1":         {"right", "RSA_AES_KEY_WRAP_SHA_1", wrapKey(t, crypto.SHA1, random(32), plain), nil},
		"key wrap, SHA-256":       {"right", "RSA_AES_KEY_WRAP_SHA_256", wrapKey(t, crypto.SHA256, random(32), plain), nil},
		"OAEP, other hash":        {"SHA-1 where SHA-256 was agreed", "RSAES_OAEP_SHA_256", wrapOAEP(t, crypto.SHA1, plain), ErrCiphertext},
		"OAEP, other hash, back":  {"SHA-256 where SHA-1 was agreed", "RSAES_OAEP_SHA_1", wrapOAEP(t, crypto.SHA256, plain), ErrCiphertext},
		"OAEP, other MGF1":        {"the default of some tools", "RSAES_OAEP_SHA_256", wrapMGF1(t, crypto.SHA256, crypto.SHA1, plain), ErrCiphertext},
		"key wrap, other hash":    {"SHA-1 where SHA-256 was agreed", "RSA_AES_KEY_WRAP_SHA_256", wrapKey(t, crypto.SHA1, random(32), plain), ErrCiphertext},
		"key wrap, AES-128":       {"the AES key has 256 bits", "RSA_AES_KEY_WRAP_SHA_256", wrapKey(t, crypto.SHA256, random(16), plain), ErrCiphertext},
		"key wrap, AES-192":       {"the AES key has 256 bits", "RSA_AES_KEY_WRAP_SHA_256", wrapKey(t, crypto.SHA256, random(24), plain), ErrCiphertext},
		"key wrap, other AES key": {"the halves do not belong together", "RSA_AES_KEY_WRAP_SHA_256", mixed(t, plain), ErrCiphertext},
		"key wrap, RSA part last": {"the RSA part comes first", "RSA_AES_KEY_WRAP_SHA_256", swapped(t, plain), ErrCiphertext},
		"other key":               {"of another GetParametersForImport", "RSAES_OAEP_SHA_256", wrapUnder(t, theirs(), crypto.SHA256, plain), ErrCiphertext},
		"PKCS #1 v1.5":            {"withdrawn", "RSAES_PKCS1_V1_5", wrapOAEP(t, crypto.SHA256, plain), ErrCiphertext},
		"SM2":                     {"not made here", "SM2PKE", wrapOAEP(t, crypto.SHA256, plain), ErrCiphertext},
		"no algorithm":            {"not the name of one", "", wrapOAEP(t, crypto.SHA256, plain), ErrCiphertext},

		"OAEP, nothing":          {"no size of RSA", "RSAES_OAEP_SHA_256", nil, ErrSize},
		"OAEP, a byte short":     {"not the modulus's", "RSAES_OAEP_SHA_256", random(255), ErrSize},
		"OAEP, a byte long":      {"not the modulus's", "RSAES_OAEP_SHA_256", random(257), ErrSize},
		"OAEP, key wrap":         {"RSA_AES_KEY_WRAP where OAEP was agreed", "RSAES_OAEP_SHA_256", wrapKey(t, crypto.SHA256, random(32), plain), ErrSize},
		"key wrap, nothing":      {"no RSA part", "RSA_AES_KEY_WRAP_SHA_256", nil, ErrSize},
		"key wrap, OAEP":         {"OAEP where RSA_AES_KEY_WRAP was agreed", "RSA_AES_KEY_WRAP_SHA_256", wrapOAEP(t, crypto.SHA256, plain), ErrSize},
		"key wrap, a semiblock":  {"the shortest wrapping has two", "RSA_AES_KEY_WRAP_SHA_256", random(256 + 8), ErrSize},
		"key wrap, two":          {"the shortest wrapping, of the right size", "RSA_AES_KEY_WRAP_SHA_256", random(256 + 16), ErrCiphertext},
		"key wrap, not in eight": {"no multiple of a semiblock", "RSA_AES_KEY_WRAP_SHA_256", random(256 + 20), ErrSize},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(c.blob)
			got, err := Material(c.algorithm, ours(), c.blob)
			if !errors.Is(err, c.err) || err == nil && !bytes.Equal(got, plain) || err != nil && got != nil {
				t.Errorf("%d bytes, %v, want %v: %s", len(got), err, c.err, c.reason)
			}
			if !bytes.Equal(before, c.blob) {
				t.Error("the blob was changed")
			}
		})
	}
}

// TestMaterialLengths goes from a byte to more than a PKCS #8 RSA_4096 key.
func TestMaterialLengths(t *testing.T) {
	for _, length := range []int{1, 7, 8, 9, 16, 28, 48, 64, 128, 138, 185, 241, 1218, 2375, 2500} {
		plain := random(length)
		got, err := Material("RSA_AES_KEY_WRAP_SHA_256", ours(), wrapKey(t, crypto.SHA256, random(32), plain))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes do not come back: %v", length, err)
		}
	}
	for _, length := range []int{1, 32, 128, 190} {
		plain := random(length)
		got, err := Material("RSAES_OAEP_SHA_256", ours(), wrapOAEP(t, crypto.SHA256, plain))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes do not come back: %v", length, err)
		}
	}
}

// TestOneErrorForAll shows that the error does not tell how far an altered blob got.
func TestOneErrorForAll(t *testing.T) {
	blob := wrapKey(t, crypto.SHA256, random(32), random(100))
	for at := 0; at < len(blob); at += 16 {
		altered := slices.Clone(blob)
		altered[at] ^= 0x10
		if _, err := Material("RSA_AES_KEY_WRAP_SHA_256", ours(), altered); err != ErrCiphertext { //nolint:errorlint // the very same
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
}

// FuzzMaterial looks for what makes unwrapping panic, or succeed without the public key.
func FuzzMaterial(f *testing.F) {
	algorithms := []string{
		"RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256",
		"SM2PKE", "",
	}
	for _, algorithm := range algorithms {
		for _, length := range []int{0, 16, 255, 256, 257, 264, 272, 280, 512, 2896} {
			f.Add(algorithm, random(length))
		}
	}
	f.Fuzz(func(t *testing.T, algorithm string, blob []byte) {
		if _, err := Material(algorithm, ours(), blob); !errors.Is(err, ErrSize) && !errors.Is(err, ErrCiphertext) {
			t.Errorf("algorithm %q, %d bytes: %v", algorithm, len(blob), err)
		}
	})
}

func wrapOAEP(t *testing.T, hash crypto.Hash, plain []byte) []byte {
	t.Helper()
	return wrapUnder(t, ours(), hash, plain)
}

func wrapUnder(t *testing.T, key *rsa.PrivateKey, hash crypto.Hash, plain []byte) []byte {
	t.Helper()
	blob, err := rsa.EncryptOAEP(hash.New(), rand.Reader, &key.PublicKey, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func wrapMGF1(t *testing.T, hash, mgf1 crypto.Hash, plain []byte) []byte {
	t.Helper()
	options := &rsa.OAEPOptions{Hash: hash, MGFHash: mgf1}
	blob, err := rsa.EncryptOAEPWithOptions(rand.Reader, &ours().PublicKey, plain, options)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func wrapKey(t *testing.T, hash crypto.Hash, transportKey, plain []byte) []byte {
	t.Helper()
	return append(wrapOAEP(t, hash, transportKey), wrapPadded(blockOf(t, transportKey), plain)...)
}

// mixed wraps the material under another AES key than the one it sends.
func mixed(t *testing.T, plain []byte) []byte {
	t.Helper()
	return append(wrapOAEP(t, crypto.SHA256, random(32)), wrapPadded(blockOf(t, random(32)), plain)...)
}

func swapped(t *testing.T, plain []byte) []byte {
	t.Helper()
	blob := wrapKey(t, crypto.SHA256, random(32), plain)
	return append(slices.Clone(blob[256:]), blob[:256]...)
}
