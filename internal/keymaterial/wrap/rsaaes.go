package wrap

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/kwp/subtle"
)

const (
	// aesKeyBytes is the length of the AES-256 key between the RSA key and the material.
	aesKeyBytes = 32
	// kwpOverhead is what AES key wrap with padding adds to material that it has padded to a multiple of 8 bytes
	// (RFC 5649, section 4.1).
	kwpOverhead = 8
	// minRSAAES is the least that the library wraps. It has RFC 5649's other construction, for 8 bytes and less, not at
	// all. The shortest private key that KMS imports is longer.
	minRSAAES = subtle.MinWrapSize
	// maxWrapped is the most that KMS takes of wrapped material in bytes
	// (https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html, EncryptedKeyMaterial). The
	// library's own limit, 8192 bytes of material, lies beyond.
	maxWrapped = 6144
)

// MaxRSAAES is the length in bytes of the longest material that RSAAES wraps under a key of so many bits; 0 where none
// fits.
func MaxRSAAES(modulusBits int) int {
	modulusBytes := (modulusBits + 7) / 8
	return max(0, (maxWrapped-modulusBytes)/8*8-kwpOverhead)
}

// RSAAES encrypts material as KMS's RSA_AES_KEY_WRAP_SHA_1 and _SHA_256 do: the material with AES key wrap with padding
// (RFC 5649) under a random AES-256 key, that key with OAEP under the hash, and the second before the first. The hash
// is SHA-1 or SHA-256. No error says how long the material is.
func RSAAES(hash crypto.Hash, publicKey *rsa.PublicKey, material []byte) ([]byte, error) {
	aesKey := make([]byte, aesKeyBytes)
	defer clear(aesKey)
	_, _ = rand.Read(aesKey) // never fails
	wrappedKey, err := OAEP(hash, publicKey, aesKey)
	if err != nil {
		return nil, err
	}
	modulusBits := publicKey.N.BitLen()
	if limit := MaxRSAAES(modulusBits); len(material) < minRSAAES || len(material) > limit {
		return nil, fmt.Errorf("AES key wrap and RSA-OAEP with %v under a key of %d bits take %d to %d bytes", hash, modulusBits, minRSAAES, limit)
	}
	wrapped, err := keyWrap(aesKey, material)
	if err != nil {
		return nil, err
	}
	return append(wrappedKey, wrapped...), nil
}

// keyWrap is AES key wrap with padding.
func keyWrap(aesKey, material []byte) ([]byte, error) {
	cipher, err := subtle.NewKWP(aesKey)
	if err != nil {
		return nil, err
	}
	return cipher.Wrap(material)
}
