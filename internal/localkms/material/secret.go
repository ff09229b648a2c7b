package material

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
)

// Seal encrypts with AES-256-GCM under a SYMMETRIC_DEFAULT key, with a random nonce in front of the ciphertext. The
// additional data is authenticated and not encrypted.
func (k *Key) Seal(plaintext, additionalData []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plaintext, additionalData), nil
}

// Open decrypts what Seal made with the same key and additional data.
func (k *Key) Open(ciphertext, additionalData []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, nil, ciphertext, additionalData)
	if err != nil {
		return nil, errCiphertext()
	}
	return plaintext, nil
}

func (k *Key) aead() (cipher.AEAD, error) {
	if err := k.checkAlgorithm(EncryptDecrypt, symmetricDefault); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(k.Bytes())
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// MAC computes the message authentication code of a message by a MacAlgorithm of KMS.
func (k *Key) MAC(algorithm string, message []byte) ([]byte, error) {
	if err := k.checkAlgorithm(GenerateVerifyMac, algorithm); err != nil {
		return nil, err
	}
	mac := hmac.New(hashOf(algorithm).New, k.Bytes())
	mac.Write(message)
	return mac.Sum(nil), nil
}
