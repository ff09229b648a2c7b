package material

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
)

// The variants of Ed25519 in KMS: RFC 8032's Ed25519 and Ed25519ph.
const (
	pureEd25519      = "ED25519_SHA_512"
	prehashedEd25519 = "ED25519_PH_SHA_512"
)

// edwardsKey is a key of ECC_NIST_EDWARDS25519.
type edwardsKey struct{ ed25519.PrivateKey }

// readEdwards reads a private key as RFC 8410, section 7, has it, with or without the public key.
func (s Spec) readEdwards(plain []byte) (edwardsKey, error) {
	info, err := s.readPKCS8(plain, asn1.ObjectIdentifier{1, 3, 101, 112})
	if err != nil {
		return edwardsKey{}, err
	}
	var seed []byte
	_, err = asn1.Unmarshal(info.PrivateKey, &seed)
	if err != nil || len(seed) != ed25519.SeedSize || !isDER(info.PrivateKey, seed) || len(info.Algorithm.Parameters.FullBytes) > 0 {
		return edwardsKey{}, errMaterial("The key material is not a valid Ed25519 private key (RFC 8410, section 7).")
	}
	private := ed25519.NewKeyFromSeed(seed)
	claimed := info.PublicKey
	if claimed.Bytes != nil && (!ed25519.PublicKey(claimed.Bytes).Equal(private.Public()) || claimed.BitLength != 256) {
		return edwardsKey{}, errPoint()
	}
	return edwardsKey{private}, nil
}

func generateEdwards() ([]byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

func (k edwardsKey) public() ([]byte, error) { return x509.MarshalPKIXPublicKey(k.Public()) }

func (k edwardsKey) sign(algorithm string, input []byte) ([]byte, error) {
	return k.Sign(rand.Reader, input, variant(algorithm))
}

func (k edwardsKey) verify(algorithm string, input, signature []byte) bool {
	public := k.PrivateKey[ed25519.PublicKeySize:]
	return ed25519.VerifyWithOptions(ed25519.PublicKey(public), input, signature, variant(algorithm)) == nil
}

func variant(algorithm string) *ed25519.Options {
	if algorithm == prehashedEd25519 {
		return &ed25519.Options{Hash: crypto.SHA512}
	}
	return &ed25519.Options{}
}
