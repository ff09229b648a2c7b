// Package wrap encrypts key material under the wrapping public key of a KMS.
package wrap

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // KMS offers RSAES_OAEP_SHA_1; OAEP does not rest on SHA-1's collision resistance.
	_ "crypto/sha256"
	"errors"
	"fmt"
)

// oaepOverhead is what OAEP adds to a message besides its two hashes: the leading zero byte and the 0x01 separator
// (RFC 8017, section 7.1.1).
const oaepOverhead = 2

// MaxOAEP is the length in bytes of the longest message that fits one RSA-OAEP block, k - 2·hLen - 2 with k the
// length of the modulus in bytes (RFC 8017, section 7.1.1); 0 where not even an empty message fits.
func MaxOAEP(hash crypto.Hash, modulusBits int) int {
	modulusBytes := (modulusBits + 7) / 8
	return max(0, modulusBytes-2*hash.Size()-oaepOverhead)
}

// OAEP encrypts material with RSA-OAEP (RFC 8017, section 7.1.1): the hash serves MGF1 too, and the label is empty.
// The result is as long as the modulus. The hash is SHA-1 or SHA-256. No error says how long the material is.
func OAEP(hash crypto.Hash, publicKey *rsa.PublicKey, material []byte) ([]byte, error) {
	if hash != crypto.SHA1 && hash != crypto.SHA256 {
		return nil, fmt.Errorf("RSA-OAEP with %v is not offered", hash)
	}
	if publicKey == nil || publicKey.N == nil {
		return nil, errors.New("no wrapping public key")
	}
	modulusBits := publicKey.N.BitLen()
	if limit := MaxOAEP(hash, modulusBits); len(material) > limit {
		return nil, fmt.Errorf("RSA-OAEP with %v under a key of %d bits takes at most %d bytes", hash, modulusBits, limit)
	}
	return rsa.EncryptOAEP(hash.New(), rand.Reader, publicKey, material, nil)
}
