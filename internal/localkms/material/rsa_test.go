package material_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// TestEncrypt decrypts what was encrypted with the standard library, and the other way round, at the most that fits.
func TestEncrypt(t *testing.T) {
	for _, c := range []struct {
		spec, algorithm string
		hash            crypto.Hash
		most            int
		tooLong         string
	}{
		{"RSA_2048", "RSAES_OAEP_SHA_1", crypto.SHA1, 214, "Algorithm RSAES_OAEP_SHA_1 and key spec RSA_2048 cannot encrypt data larger than 214 bytes."},
		{"RSA_2048", "RSAES_OAEP_SHA_256", crypto.SHA256, 190, "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes."},
		{"RSA_3072", "RSAES_OAEP_SHA_1", crypto.SHA1, 342, "Algorithm RSAES_OAEP_SHA_1 and key spec RSA_3072 cannot encrypt data larger than 342 bytes."},
		{"RSA_3072", "RSAES_OAEP_SHA_256", crypto.SHA256, 318, "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_3072 cannot encrypt data larger than 318 bytes."},
	} {
		t.Run(c.spec+" "+c.algorithm, func(t *testing.T) {
			private := sharedRSA()
			if c.spec == "RSA_3072" {
				private = newRSA3072(t)
			}
			key := parse(t, c.spec, inPKCS8(t, private))
			plaintext := random(c.most)

			ciphertext, err := key.Encrypt(c.algorithm, plaintext)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := rsa.DecryptOAEP(c.hash.New(), nil, private, ciphertext, nil); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("the standard library does not decrypt it: %v", err)
			}
			ciphertext, err = rsa.EncryptOAEP(c.hash.New(), rand.Reader, &private.PublicKey, plaintext, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := key.Decrypt(c.algorithm, ciphertext); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("what the standard library encrypted does not decrypt: %v", err)
			}
			_, err = key.Encrypt(c.algorithm, random(c.most+1))
			expectError(t, err, material.BadInput, c.tooLong)
		})
	}
}

func TestDecryptRefuses(t *testing.T) {
	key := parse(t, "RSA_2048", inPKCS8(t, sharedRSA()))
	ciphertext, err := key.Encrypt("RSAES_OAEP_SHA_256", []byte("plaintext"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reason     string
		key        *material.Key
		algorithm  string
		ciphertext []byte
	}{
		"other key":       {"not under this one", stranger(t, "RSA_2048"), "RSAES_OAEP_SHA_256", ciphertext},
		"other algorithm": {"another hash", key, "RSAES_OAEP_SHA_1", ciphertext},
		"changed":         {"a bit", key, "RSAES_OAEP_SHA_256", append([]byte{ciphertext[0] ^ 1}, ciphertext[1:]...)},
		"cut":             {"not as long as the modulus", key, "RSAES_OAEP_SHA_256", ciphertext[:255]},
		"longer":          {"not as long as the modulus", key, "RSAES_OAEP_SHA_256", append(bytes.Clone(ciphertext), 0)},
		"nothing":         {"no bytes", key, "RSAES_OAEP_SHA_256", nil},
	} {
		t.Run(name, func(t *testing.T) {
			plaintext, err := c.key.Decrypt(c.algorithm, c.ciphertext)
			expectError(t, err, material.BadCiphertext, "The ciphertext was not made for this key and algorithm, or was changed.")
			if plaintext != nil {
				t.Errorf("there is a plaintext: %s", c.reason)
			}
		})
	}
}
