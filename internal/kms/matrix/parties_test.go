package matrix_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"sync"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// party is one who can use a key: the KMS, or the owner of the material. Each makes a ciphertext, a MAC, a signature or
// a shared secret; if both have the same key, each takes what the other makes.
type party struct {
	makes func() ([]byte, error)
	takes func(made []byte) error
}

// What is encrypted, authenticated and signed.
func message() []byte { return []byte("message") }

var errOther = errors.New("made with another key")

func takenIf(same bool) error {
	if !same {
		return errOther
	}
	return nil
}

// exactly is the party that makes what can be made in one way only.
func exactly(makes func() ([]byte, error)) party {
	return party{makes, func(made []byte) error {
		own, err := makes()
		return errors.Join(err, takenIf(bytes.Equal(made, own)))
	}}
}

func macs(secret []byte) party {
	hashes := map[int]func() hash.Hash{28: sha256.New224, 32: sha256.New, 48: sha512.New384, 64: sha512.New}
	return exactly(func() ([]byte, error) {
		mac := hmac.New(hashes[len(secret)], secret)
		mac.Write(message())
		return mac.Sum(nil), nil
	})
}

func rsaEncryption(key *rsa.PrivateKey) party {
	return party{
		func() ([]byte, error) {
			return rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, message(), nil)
		},
		func(ciphertext []byte) error {
			plaintext, err := rsa.DecryptOAEP(sha256.New(), nil, key, ciphertext, nil)
			return errors.Join(err, takenIf(bytes.Equal(plaintext, message())))
		},
	}
}

func rsaSignatures(key *rsa.PrivateKey) party {
	digest := digestOf(crypto.SHA256)
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return party{
		func() ([]byte, error) { return rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest, options) },
		func(signature []byte) error {
			return rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, digest, signature, options)
		},
	}
}

func ecdsaSignatures(key *ecdsa.PrivateKey) party {
	hashes := map[int]crypto.Hash{256: crypto.SHA256, 384: crypto.SHA384, 521: crypto.SHA512}
	digest := digestOf(hashes[key.Params().BitSize])
	return party{
		func() ([]byte, error) { return ecdsa.SignASN1(rand.Reader, key, digest) },
		func(signature []byte) error { return takenIf(ecdsa.VerifyASN1(&key.PublicKey, digest, signature)) },
	}
}

func secgSignatures(key *secp256k1.PrivateKey) party {
	digest := digestOf(crypto.SHA256)
	return party{
		func() ([]byte, error) { return secpecdsa.Sign(key, digest).Serialize(), nil },
		func(signature []byte) error {
			parsed, err := secpecdsa.ParseDERSignature(signature)
			return errors.Join(err, takenIf(err == nil && parsed.Verify(digest, key.PubKey())))
		},
	}
}

func agreement(own *ecdh.PrivateKey, peer *ecdh.PublicKey) party {
	return exactly(sync.OnceValues(func() ([]byte, error) { return own.ECDH(peer) }))
}

func digestOf(by crypto.Hash) []byte {
	h := by.New()
	h.Write(message())
	return h.Sum(nil)
}
