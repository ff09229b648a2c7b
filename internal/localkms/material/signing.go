package material

import (
	"crypto"
	_ "crypto/sha1" //nolint:gosec // RSAES_OAEP_SHA_1 is one of the protocol's algorithms
	_ "crypto/sha256"
	_ "crypto/sha512"
	"strings"
)

// A Message is what a signature is of.
type Message struct {
	Content []byte
	// Digested says that Content is the hash of the message proper: MessageType is DIGEST rather than RAW.
	Digested bool
}

// A privateKey is an asymmetric key in the form that computes.
type privateKey interface {
	// public returns the public key as a SubjectPublicKeyInfo.
	public() ([]byte, error)
	// sign and verify take what [Message.input] makes of a message.
	sign(algorithm string, input []byte) ([]byte, error)
	verify(algorithm string, input, signature []byte) bool
}

// readPrivateKey reads asymmetric key material.
func (s Spec) readPrivateKey(plain []byte) (privateKey, error) {
	switch s.family {
	case rsaPair:
		return s.readRSA(plain)
	case nistCurve:
		return s.readNIST(plain)
	case secgCurve:
		return s.readSECG(plain)
	case edwardsCurve:
		return s.readEdwards(plain)
	case symmetric, hmacKey, sm2, mlDSA, mlKEM:
	}
	return nil, errInput("Keys of %s have no public key here.", s.name)
}

// Public returns the public key in DER, as a SubjectPublicKeyInfo (RFC 5280, section 4.1).
func (k *Key) Public() ([]byte, error) {
	private, err := k.spec.readPrivateKey(k.Bytes())
	if err != nil {
		return nil, err
	}
	return private.public()
}

// Sign signs a message by a SigningAlgorithm of KMS. ECDSA signatures are in DER; the salt of RSASSA-PSS is as long as
// the hash.
func (k *Key) Sign(algorithm string, m Message) ([]byte, error) {
	private, input, err := k.signing(algorithm, m)
	if err != nil {
		return nil, err
	}
	return private.sign(algorithm, input)
}

// Verify tells whether a signature is of the message. An error is about the message; a signature may be anything.
func (k *Key) Verify(algorithm string, m Message, signature []byte) (bool, error) {
	private, input, err := k.signing(algorithm, m)
	if err != nil {
		return false, err
	}
	return private.verify(algorithm, input, signature), nil
}

func (k *Key) signing(algorithm string, m Message) (privateKey, []byte, error) {
	if err := k.checkAlgorithm(SignVerify, algorithm); err != nil {
		return nil, nil, err
	}
	input, err := m.input(algorithm)
	if err != nil {
		return nil, nil, err
	}
	private, err := k.spec.readPrivateKey(k.Bytes())
	return private, input, err
}

// input is what the primitive of an algorithm works on: the hash of the message, but for Ed25519. That takes the
// message itself in one variant and a digest in the other, which KMS hashes once more (RFC 8032, section 5.1):
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
func (m Message) input(algorithm string) ([]byte, error) {
	hash := hashOf(algorithm)
	switch {
	case algorithm == pureEd25519 && m.Digested:
		return nil, errInput("Message type DIGEST is incompatible with algorithm %s.", algorithm)
	case algorithm == prehashedEd25519 && !m.Digested:
		return nil, errInput("Message type RAW is incompatible with algorithm %s.", algorithm)
	case m.Digested && len(m.Content) != hash.Size():
		return nil, errInput("Digest is invalid length for algorithm %s.", algorithm)
	case algorithm == pureEd25519, m.Digested && algorithm != prehashedEd25519:
		return m.Content, nil
	}
	digest := hash.New()
	digest.Write(m.Content)
	return digest.Sum(nil), nil
}

// hashOf returns the hash that an algorithm of KMS ends with the name of.
func hashOf(algorithm string) crypto.Hash {
	_, bits, _ := strings.Cut(algorithm, "_SHA_")
	switch bits {
	case "1":
		return crypto.SHA1
	case "224":
		return crypto.SHA224
	case "256":
		return crypto.SHA256
	case "384":
		return crypto.SHA384
	case "512":
		return crypto.SHA512
	default:
		return 0
	}
}
