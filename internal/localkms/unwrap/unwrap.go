// Package unwrap undoes what a client of ImportKeyMaterial did to its key material: it decrypts with the private
// half of a wrapping key, by the wrapping algorithms of KMS that are RSA. It shares no code with the operator, whose
// wrapping mistakes it is there to catch.
package unwrap

import (
	"crypto"
	"crypto/aes"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // RSAES_OAEP_SHA_1 is one of the protocol's algorithms
	_ "crypto/sha256"
	"errors"
)

var (
	// ErrSize says that no wrapping by the algorithm and the wrapping key can be as long as what came.
	ErrSize = errors.New("the encrypted key material has a size that the wrapping cannot give it")
	// ErrCiphertext is every other failure, so that nobody learns from the error how far an altered blob got.
	ErrCiphertext = errors.New("the encrypted key material cannot be decrypted")
)

// transportKeySize is the length of the AES key inside RSA_AES_KEY_WRAP, in bytes.
const transportKeySize = 32

// Material decrypts blob, which is EncryptedKeyMaterial, by a WrappingAlgorithm of KMS. It fails with [ErrSize] or
// [ErrCiphertext], the latter for algorithms it does not know as well.
func Material(algorithm string, private *rsa.PrivateKey, blob []byte) ([]byte, error) {
	switch algorithm {
	case "RSAES_OAEP_SHA_1":
		return oaep(crypto.SHA1, private, blob)
	case "RSAES_OAEP_SHA_256":
		return oaep(crypto.SHA256, private, blob)
	case "RSA_AES_KEY_WRAP_SHA_1":
		return keyWrap(crypto.SHA1, private, blob)
	case "RSA_AES_KEY_WRAP_SHA_256":
		return keyWrap(crypto.SHA256, private, blob)
	default:
		return nil, ErrCiphertext
	}
}

// oaep decrypts RSAES-OAEP with an empty label and one hash for the padding and for its MGF1.
func oaep(hash crypto.Hash, private *rsa.PrivateKey, blob []byte) ([]byte, error) {
	if len(blob) != private.Size() {
		return nil, ErrSize
	}
	plain, err := rsa.DecryptOAEP(hash.New(), nil, private, blob, nil)
	if err != nil {
		return nil, ErrCiphertext
	}
	return plain, nil
}

// keyWrap decrypts an AES key under RSAES-OAEP, which is as long as the modulus, and with it the material behind it.
func keyWrap(hash crypto.Hash, private *rsa.PrivateKey, blob []byte) ([]byte, error) {
	size := private.Size()
	if len(blob) < size+minPadded || (len(blob)-size)%semiblock != 0 {
		return nil, ErrSize
	}
	transportKey, err := oaep(hash, private, blob[:size])
	if err != nil || len(transportKey) != transportKeySize {
		return nil, ErrCiphertext
	}
	block, err := aes.NewCipher(transportKey)
	if err != nil {
		return nil, ErrCiphertext
	}
	plain, ok := unwrapPadded(block, blob[size:])
	if !ok {
		return nil, ErrCiphertext
	}
	return plain, nil
}
