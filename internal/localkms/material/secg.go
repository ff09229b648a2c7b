package material

import (
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// secgKey is a key of ECC_SECG_P256K1, a curve that crypto/x509 does not know.
type secgKey struct {
	*secp256k1.PrivateKey
	algorithm pkix.AlgorithmIdentifier
}

func (s Spec) readSECG(plain []byte) (secgKey, error) {
	encoded, err := s.readEC(plain)
	if err != nil {
		return secgKey{}, err
	}
	var scalar secp256k1.ModNScalar
	if overflow := scalar.SetByteSlice(encoded.Scalar); overflow || scalar.IsZero() {
		return secgKey{}, errScalar()
	}
	algorithm, err := s.ecAlgorithm()
	if err != nil {
		return secgKey{}, err
	}
	private := secp256k1.NewPrivateKey(&scalar)
	return secgKey{private, algorithm}, encoded.checkPoint(private.PubKey().SerializeUncompressed())
}

func generateSECG(s Spec) ([]byte, error) {
	private, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, err
	}
	point := private.PubKey().SerializeUncompressed()
	encoded, err := asn1.Marshal(ecPrivateKey{
		Version: 1, Scalar: private.Serialize(), PublicKey: asn1.BitString{Bytes: point, BitLength: 8 * len(point)},
	})
	if err != nil {
		return nil, err
	}
	algorithm, err := s.ecAlgorithm()
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(privateKeyInfo{Algorithm: algorithm, PrivateKey: encoded})
}

func (k secgKey) public() ([]byte, error) {
	point := k.PubKey().SerializeUncompressed()
	return asn1.Marshal(publicKeyInfo{k.algorithm, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})
}

// sign is deterministic (RFC 6979), and gives the lower of the two values of S.
func (k secgKey) sign(_ string, digest []byte) ([]byte, error) {
	return ecdsa.Sign(k.PrivateKey, digest).Serialize(), nil
}

// verify takes either value of S, as KMS and everybody but blockchains do.
func (k secgKey) verify(_ string, digest, signature []byte) bool {
	parsed, err := ecdsa.ParseDERSignature(signature)
	return err == nil && parsed.Verify(digest, k.PubKey())
}
