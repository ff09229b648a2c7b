package kms

import (
	"crypto/rsa"
	"fmt"
	"io"
	"time"
)

// ImportParameters is one answer of GetParametersForImport: a wrapping public key and the import token that belongs
// to it. The token leaves it only inside SealedMaterial, so that material wrapped for one answer can never be sent
// with the token of another.
type ImportParameters struct {
	keyARN    string
	wrapping  Wrapping
	publicKey *rsa.PublicKey
	token     []byte
	validTo   time.Time
}

// Format prints no byte of the token, whatever the verb.
func (ImportParameters) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "[import parameters]")
}

// NewImportParameters is for adapters, which check the answer first.
func NewImportParameters(keyARN string, wrapping Wrapping, publicKey *rsa.PublicKey, token []byte, validTo time.Time) ImportParameters {
	return ImportParameters{keyARN: keyARN, wrapping: wrapping, publicKey: publicKey, token: token, validTo: validTo}
}

// ValidTo is when KMS stops accepting the token; zero where the endpoint does not say.
func (p ImportParameters) ValidTo() time.Time { return p.validTo }

// Seal wraps material under the public key of these parameters and keeps the result with their token.
func (p ImportParameters) Seal(wrap func(Wrapping, *rsa.PublicKey) ([]byte, error)) (SealedMaterial, error) {
	ciphertext, err := wrap(p.wrapping, p.publicKey)
	if err != nil {
		return SealedMaterial{}, fmt.Errorf("wrap key material: %w", err)
	}
	return SealedMaterial{keyARN: p.keyARN, ciphertext: ciphertext, token: p.token}, nil
}

// KeptMaterial is sealed material that was kept outside of this process.
func KeptMaterial(keyARN string, ciphertext, token []byte) SealedMaterial {
	return SealedMaterial{keyARN: keyARN, ciphertext: ciphertext, token: token}
}

// SealedMaterial is wrapped material with the key and token it was wrapped for.
type SealedMaterial struct {
	keyARN     string
	ciphertext []byte
	token      []byte
}

// Format prints no byte of ciphertext or token, whatever the verb.
func (SealedMaterial) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "[sealed key material]")
}

// KeyARN is the key the parameters were for.
func (s SealedMaterial) KeyARN() string { return s.keyARN }

// EncryptedKeyMaterial is the wrapped material.
func (s SealedMaterial) EncryptedKeyMaterial() []byte { return s.ciphertext }

// ImportToken is the token that belongs to it.
func (s SealedMaterial) ImportToken() []byte { return s.token }
