package material

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
)

// nistKey is a key of ECC_NIST_P256, ECC_NIST_P384 or ECC_NIST_P521.
type nistKey struct{ *ecdsa.PrivateKey }

func nistCurveOf(size int) elliptic.Curve {
	switch size {
	case 256:
		return elliptic.P256()
	case 384:
		return elliptic.P384()
	default:
		return elliptic.P521()
	}
}

func (s Spec) readNIST(plain []byte) (nistKey, error) {
	encoded, err := s.readEC(plain)
	if err != nil {
		return nistKey{}, err
	}
	private, err := ecdsa.ParseRawPrivateKey(nistCurveOf(s.size), encoded.Scalar)
	if err != nil {
		return nistKey{}, errScalar()
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return nistKey{}, err
	}
	return nistKey{private}, encoded.checkPoint(point)
}

func generateNIST(size int) ([]byte, error) {
	private, err := ecdsa.GenerateKey(nistCurveOf(size), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

func (k nistKey) public() ([]byte, error) { return x509.MarshalPKIXPublicKey(&k.PublicKey) }

func (k nistKey) sign(_ string, digest []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, k.PrivateKey, digest)
}

func (k nistKey) verify(_ string, digest, signature []byte) bool {
	return ecdsa.VerifyASN1(&k.PublicKey, digest, signature)
}

// DeriveSharedSecret does ECDH between a key on a NIST curve and a public key of somebody's, a SubjectPublicKeyInfo in
// DER. The secret is the x coordinate of the shared point (NIST SP 800-56A, section 5.7.1.2).
func (k *Key) DeriveSharedSecret(peer []byte) ([]byte, error) {
	if err := k.checkAlgorithm(KeyAgreement, "ECDH"); err != nil {
		return nil, err
	}
	private, err := k.spec.readNIST(k.Bytes())
	if err != nil {
		return nil, err
	}
	ours, err := private.ECDH()
	if err != nil {
		return nil, err
	}
	public, err := x509.ParsePKIXPublicKey(peer)
	if err != nil {
		return nil, errPeer(k.spec)
	}
	point, ok := public.(*ecdsa.PublicKey)
	if !ok || point.Curve != private.Curve {
		return nil, errPeer(k.spec)
	}
	theirs, err := point.ECDH()
	if err != nil {
		return nil, errPeer(k.spec)
	}
	return ours.ECDH(theirs)
}

func errPeer(s Spec) error {
	return errInput("The public key must be a SubjectPublicKeyInfo in DER, with a point on the curve of %s keys.", s.name)
}
