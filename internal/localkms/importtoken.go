package localkms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"time"
)

// tokenSerial tells import tokens apart, so that none imports twice.
type tokenSerial [16]byte

// importToken is what an import token says: everything that GetParametersForImport promised, so that no part
// of one answer works with a part of another.
type importToken struct {
	KeyID       string
	WrappingKey wrappingKeyID
	Algorithm   string
	Expires     time.Time
	Serial      tokenSerial
}

// tokenSealer makes import tokens opaque and unforgeable: AES-256-GCM under a key that is made with the server.
type tokenSealer struct {
	aead cipher.AEAD
}

func newTokenSealer() tokenSealer {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // documented never to fail
	return tokenSealer{aead: newAEAD(secret)}
}

func (s tokenSealer) seal(t importToken) ([]byte, error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(nil, nil, plain, nil), nil
}

func (s tokenSealer) open(sealed []byte) (t importToken, ok bool) {
	plain, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return importToken{}, false
	}
	return t, json.Unmarshal(plain, &t) == nil
}

// newAEAD returns AES-256-GCM with a random nonce in front of each ciphertext. Only a secret of another length
// than 32 bytes could make it fail, and every caller's is of that length by construction.
func newAEAD(secret []byte) cipher.AEAD {
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic("make AES cipher: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("make GCM: " + err.Error())
	}
	return aead
}
