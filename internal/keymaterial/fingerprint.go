package keymaterial

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// FingerprintKeyBytes is the length of a Fingerprinter's key: the output length of its hash.
const FingerprintKeyBytes = 32

// keyIDBytes is how much of the identifier of a fingerprint key goes into its fingerprints: enough to tell an
// operator's few keys apart.
const keyIDBytes = 8

// What the HMACs under one key are for. Each is the first, length-prefixed field of its input, so that neither can
// be had from the other.
const (
	fingerprintDomain = "kms.keyimport.dev/material-fingerprint/v1"
	keyIDDomain       = "kms.keyimport.dev/material-fingerprint-key-id/v1"
)

// Fingerprint tells two materials of one KMS key apart without revealing either:
// "hmac-sha256:<16 hex digits that name the fingerprint key>:<64 hex digits>". Equal means the same material.
type Fingerprint string

// Fingerprinter makes fingerprints under one random key. Without that key nobody can test a guess at a material
// against a fingerprint, link equal materials of two keys, or forge a fingerprint.
type Fingerprinter struct {
	redacted
	key    secret
	prefix string
}

// NewFingerprinter takes the operator's fingerprint key, 32 random bytes, and copies it.
func NewFingerprinter(key []byte) (Fingerprinter, error) {
	if len(key) != FingerprintKeyBytes {
		return Fingerprinter{}, fmt.Errorf("a fingerprint key has exactly %d bytes", FingerprintKeyBytes)
	}
	own := bytes.Clone(key)
	id := authenticate(own, []byte(keyIDDomain))[:keyIDBytes]
	return Fingerprinter{key: keep(own), prefix: "hmac-sha256:" + hex.EncodeToString(id) + ":"}, nil
}

// Fingerprint is that of a material in the KMS key with this ARN.
func (f Fingerprinter) Fingerprint(keyARN string, m Material) Fingerprint {
	code := authenticate(*f.key(), []byte(fingerprintDomain), []byte(keyARN), m.raw())
	return Fingerprint(f.prefix + hex.EncodeToString(code))
}

// Knows reports whether a text is a fingerprint made under this key. One made under a lost key is unknown: the
// material must be proven again, and has not changed for all we know.
func (f Fingerprinter) Knows(text string) bool {
	code, ours := strings.CutPrefix(text, f.prefix)
	digits := strings.Trim(code, "0123456789abcdef") == ""
	return ours && len(code) == hex.EncodedLen(sha256.Size) && digits
}

// authenticate is the HMAC-SHA-256 of the fields, each behind its length, so that no two lists of fields share an
// input.
func authenticate(key []byte, fields ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, field := range fields {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		mac.Write(field)
	}
	return mac.Sum(nil)
}
