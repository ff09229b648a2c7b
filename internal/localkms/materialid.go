package localkms

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// materialIdentifier computes KeyMaterialId: 64 hexadecimal digits that tell whether material is the same in
// the same key. AWS does not publish its function; this one is an HMAC under a secret of the server, so that
// clients cannot compute it either.
type materialIdentifier struct {
	secret [sha256.Size]byte
}

func newMaterialIdentifier() materialIdentifier {
	var m materialIdentifier
	_, _ = rand.Read(m.secret[:]) // documented never to fail
	return m
}

// identify returns the ID of material in a key. Key IDs of one kind have one length, so the two cannot run together.
func (m materialIdentifier) identify(keyID string, secret []byte) string {
	mac := hmac.New(sha256.New, m.secret[:])
	mac.Write([]byte(keyID))
	mac.Write(secret)
	return hex.EncodeToString(mac.Sum(nil))
}
