// Package keymaterial turns the value of a Secret into key material: it decodes, validates, fingerprints and wraps.
// Nothing it returns, errors included, says more about a material than what was expected of it.
package keymaterial

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial/wrap"
)

// Material is the key material of one key, as KMS takes it: raw bytes, or PKCS#8 in DER. It never prints, encodes or logs
// its bytes, and never hands them out: they leave it only wrapped. Copies share the bytes; the zero Material holds none.
type Material struct {
	redacted
	secret secret
	// privateKey is whether the Secret calls it one, as PEM does. Then it is no random bytes, whatever its length: PKCS#8
	// of an Ed25519 key has the 48 bytes of an HMAC_384 key.
	privateKey bool
}

// Len is the number of bytes; 0 after Destroy.
func (m Material) Len() int { return len(m.raw()) }

// Destroy overwrites the bytes and empties the material and all copies of it, so that the zeroes that are left can
// never be taken for a key. The Go runtime may have moved bytes before: this shortens their life, no more.
func (m Material) Destroy() {
	if m.secret == nil {
		return
	}
	held := m.secret()
	clear(*held)
	*held = nil
}

// Wrap encrypts the material under a wrapping public key of KMS with the named WrappingAlgorithm.
func (m Material) Wrap(algorithm string, publicKey *rsa.PublicKey) ([]byte, error) {
	if m.Len() == 0 {
		return nil, errors.New("there is no key material to wrap")
	}
	switch algorithm {
	case "RSAES_OAEP_SHA_1":
		return wrap.OAEP(crypto.SHA1, publicKey, m.raw())
	case "RSAES_OAEP_SHA_256":
		return wrap.OAEP(crypto.SHA256, publicKey, m.raw())
	case "RSA_AES_KEY_WRAP_SHA_1":
		return wrap.RSAAES(crypto.SHA1, publicKey, m.raw())
	case "RSA_AES_KEY_WRAP_SHA_256":
		return wrap.RSAAES(crypto.SHA256, publicKey, m.raw())
	default:
		return nil, fmt.Errorf("wrapping algorithm %q is not supported", algorithm)
	}
}

func (m Material) raw() []byte {
	if m.secret == nil {
		return nil
	}
	return *m.secret()
}

func newMaterial(raw []byte) Material { return Material{secret: keep(raw)} }
