package material

import (
	"bytes"
	"crypto/rand"
	"slices"
)

// HMACLength is how long the material of an HMAC key may be. KMS's documentation says it two ways.
type HMACLength int

const (
	// ExactLength is the length of the hash: what both ways allow.
	ExactLength HMACLength = iota
	// AtLeastLength is the length of the hash and more, up to 128 bytes.
	AtLeastLength
)

// maxHMACSize is the length of the longest HMAC key, in bytes.
const maxHMACSize = 128

// A Key is key material that was found to be good, and what can be done with it. It holds the bytes and nothing else:
// a private key is read again for each operation, which takes a fraction of the time of most and leaves room for many
// keys. A Key never changes and is safe for concurrent use.
type Key struct {
	spec Spec
	// material returns the bytes. It is a function because printers follow a slice, even in somebody's unexported field,
	// and stop at a function.
	material func() []byte
}

func newKey(spec Spec, material []byte) *Key {
	return &Key{spec, func() []byte { return material }}
}

// Parse makes a key of key material, of which it keeps a copy.
func (s Spec) Parse(plain []byte, length HMACLength) (*Key, error) {
	if err := s.checkMaterial(plain, length); err != nil {
		return nil, err
	}
	return newKey(s, bytes.Clone(plain)), nil
}

// https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html
func (s Spec) checkMaterial(plain []byte, length HMACLength) error {
	switch s.family {
	case symmetric:
		return s.checkLength(plain, s.size/8, s.size/8)
	case hmacKey:
		longest := s.size / 8
		if length == AtLeastLength {
			longest = maxHMACSize
		}
		return s.checkLength(plain, s.size/8, longest)
	case rsaPair:
		return s.checkRSA(plain)
	case nistCurve, secgCurve, edwardsCurve:
		_, err := s.readPrivateKey(plain)
		return err
	case mlKEM:
		return s.checkMLKEM(plain)
	case sm2, mlDSA:
	}
	return errMaterial("Key material of %s keys cannot be imported.", s.name)
}

func (s Spec) checkLength(plain []byte, shortest, longest int) error {
	switch {
	case len(plain) >= shortest && len(plain) <= longest:
		return nil
	case shortest == longest:
		return errMaterial("%s keys take exactly %d bytes of key material.", s.name, shortest)
	default:
		return errMaterial("%s keys take %d to %d bytes of key material.", s.name, shortest, longest)
	}
}

// Generate makes a key at random. Which specs it can, [Spec.Generates] tells.
func (s Spec) Generate() (*Key, error) {
	material, err := s.generate()
	if err != nil {
		return nil, err
	}
	return newKey(s, material), nil
}

func (s Spec) generate() ([]byte, error) {
	switch s.family {
	case symmetric, hmacKey:
		material := make([]byte, s.size/8)
		_, _ = rand.Read(material) // documented never to fail
		return material, nil
	case rsaPair:
		return generateRSA(s.size)
	case nistCurve:
		return generateNIST(s.size)
	case secgCurve:
		return generateSECG(s)
	case edwardsCurve:
		return generateEdwards()
	case sm2, mlDSA, mlKEM:
	}
	return nil, errInput("Keys of %s cannot be generated.", s.name)
}

// Spec returns the spec that the key is of.
func (k *Key) Spec() Spec { return k.spec }

// Bytes returns the key material: the raw bytes, or the PKCS #8 private key, exactly as it was imported. It is what
// tells two materials apart. It must not be changed.
func (k *Key) Bytes() []byte { return k.material() }

// checkAlgorithm refuses what keys of this spec cannot do.
func (k *Key) checkAlgorithm(usage, algorithm string) error {
	if !slices.Contains(k.spec.Algorithms(usage), algorithm) {
		return errAlgorithm(k.spec, algorithm)
	}
	return nil
}
