package material_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"slices"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// TestSeal opens what was sealed with the standard library, and the other way round.
func TestSeal(t *testing.T) {
	secret, plaintext, context := random(32), random(100), random(20)
	key := parse(t, "SYMMETRIC_DEFAULT", secret)
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}

	sealed, err := key.Seal(plaintext, context)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := gcm.Open(nil, sealed[:12], sealed[12:], context); err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("the standard library does not open it: %v", err)
	}
	nonce := random(12)
	got, err := key.Open(gcm.Seal(slices.Clone(nonce), nonce, plaintext, context), context)
	if err != nil || !bytes.Equal(got, plaintext) {
		t.Errorf("what the standard library sealed does not open: %v", err)
	}
	if again, err := key.Seal(plaintext, context); err != nil || bytes.Equal(again[:12], sealed[:12]) {
		t.Errorf("the same nonce twice: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	key, context := generate(t, "SYMMETRIC_DEFAULT"), []byte("context")
	sealed, err := key.Seal([]byte("plaintext"), context)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reason     string
		key        *material.Key
		ciphertext []byte
		context    []byte
	}{
		"other key":     {"not of this one", generate(t, "SYMMETRIC_DEFAULT"), sealed, context},
		"other context": {"it is authenticated", key, sealed, []byte("Context")},
		"no context":    {"it is authenticated", key, sealed, nil},
		"changed":       {"the first bit of the nonce", key, append([]byte{sealed[0] ^ 0x80}, sealed[1:]...), context},
		"cut":           {"the last byte is missing", key, sealed[:len(sealed)-1], context},
		"short":         {"not even a nonce and a tag", key, sealed[:27], context},
		"nothing":       {"no bytes", key, nil, context},
	} {
		t.Run(name, func(t *testing.T) {
			plaintext, err := c.key.Open(c.ciphertext, c.context)
			expectError(t, err, material.BadCiphertext, "The ciphertext was not made for this key and algorithm, or was changed.")
			if plaintext != nil {
				t.Errorf("there is a plaintext: %s", c.reason)
			}
		})
	}
}

func TestMAC(t *testing.T) {
	for name, c := range map[string]struct {
		algorithm string
		hash      func() hash.Hash
		lengths   []int
	}{
		"HMAC_224": {"HMAC_SHA_224", sha256.New224, []int{28, 100}},
		"HMAC_256": {"HMAC_SHA_256", sha256.New, []int{32, 128}},
		"HMAC_384": {"HMAC_SHA_384", sha512.New384, []int{48, 128}},
		"HMAC_512": {"HMAC_SHA_512", sha512.New, []int{64, 128}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, length := range c.lengths {
				secret, message := random(length), random(1000)
				key, err := spec(t, name).Parse(secret, material.AtLeastLength)
				if err != nil {
					t.Fatal(err)
				}
				got, err := key.MAC(c.algorithm, message)
				want := hmac.New(c.hash, secret)
				want.Write(message)
				if err != nil || !bytes.Equal(got, want.Sum(nil)) {
					t.Errorf("%d bytes: not the MAC of the standard library: %v", length, err)
				}
			}
		})
	}
}
