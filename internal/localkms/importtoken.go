package localkms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// tokenSerial tells import tokens apart, so that none imports twice.
type tokenSerial [16]byte

// importToken is what an import token says: everything that GetParametersForImport promised, so that no part
// of one answer works with a part of another.
type importToken struct {
	Region      string
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
	if err := json.Unmarshal(plain, &t); err != nil {
		return importToken{}, false
	}
	return t, true
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

// A tokenLedger is what a key remembers of its import parameters. It is safe for concurrent use.
type tokenLedger struct {
	mu sync.Mutex
	// lastWrappingKey is that of the last answer of GetParametersForImport.
	lastWrappingKey wrappingKeyID
	// newest is the token of that answer.
	newest tokenSerial
	// spent are the tokens that have imported: mostly one, for which a map would be ten times as large.
	spent []spentToken
}

// spentToken is one that has imported.
type spentToken struct {
	serial  tokenSerial
	expires time.Time
}

// choose takes a wrapping key that is not the one of the last answer, and remembers that the token goes with it. To
// choose and to remember is one step, so that answers to concurrent requests differ as well. Where there is no key yet,
// it returns nil and a channel that is closed when it is worth asking again.
func (l *tokenLedger) choose(pool *WrappingKeys, bits int, serial tokenSerial) (*wrappingKey, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	chosen, wait := pool.pick(bits, l.lastWrappingKey)
	if chosen != nil {
		l.lastWrappingKey, l.newest = chosen.id, serial
	}
	return chosen, wait
}

func (l *tokenLedger) isNewest(serial tokenSerial) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest == serial
}

// isSpent tells whether a token has imported.
func (l *tokenLedger) isSpent(serial tokenSerial) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.spent, func(t spentToken) bool { return t.serial == serial })
}

// spend remembers that a token has imported, until it would be refused for its age anyway.
func (l *tokenLedger) spend(token importToken, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spent = slices.DeleteFunc(l.spent, func(t spentToken) bool { return t.serial == token.Serial || !now.Before(t.expires) })
	l.spent = append(l.spent, spentToken{token.Serial, token.Expires})
}
