package material

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// ecPrivateKey is a private key on a curve: RFC 5915.
type ecPrivateKey struct {
	Version   int
	Scalar    []byte
	Curve     asn1.RawValue  `asn1:"optional,explicit,tag:0"`
	PublicKey asn1.BitString `asn1:"optional,explicit,tag:1"`
}

func ecOID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1} }

// curveOID is the name of a spec's curve: RFC 5480, section 2.1.1.1, and SEC 2, appendix A.2.
func (s Spec) curveOID() asn1.ObjectIdentifier {
	switch {
	case s.family == secgCurve:
		return asn1.ObjectIdentifier{1, 3, 132, 0, 10}
	case s.size == 256:
		return asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	case s.size == 384:
		return asn1.ObjectIdentifier{1, 3, 132, 0, 34}
	default:
		return asn1.ObjectIdentifier{1, 3, 132, 0, 35}
	}
}

// ecAlgorithm names elliptic curve keys on the spec's curve.
func (s Spec) ecAlgorithm() (pkix.AlgorithmIdentifier, error) {
	curve, err := asn1.Marshal(s.curveOID())
	return pkix.AlgorithmIdentifier{Algorithm: ecOID(), Parameters: asn1.RawValue{FullBytes: curve}}, err
}

// readEC reads a private key on the spec's curve, in PKCS #8. That its number is one of the curve's, and the public key
// its own where there is one, is left to who knows the curve.
func (s Spec) readEC(plain []byte) (ecPrivateKey, error) {
	info, err := s.readPKCS8(plain, ecOID())
	if err != nil {
		return ecPrivateKey{}, err
	}
	algorithm, err := s.ecAlgorithm()
	if err != nil {
		return ecPrivateKey{}, err
	}
	curve := algorithm.Parameters.FullBytes
	switch {
	case info.Version != 0:
		return ecPrivateKey{}, errMaterial("The PKCS #8 private key holds a public key, which has no place in one on a curve.")
	case info.Algorithm.Parameters.Tag != asn1.TagOID:
		return ecPrivateKey{}, errMaterial("The private key does not name its curve: explicit parameters are not accepted.")
	case !bytes.Equal(info.Algorithm.Parameters.FullBytes, curve):
		return ecPrivateKey{}, errMaterial("The key material is a private key on another curve than that of %s keys.", s.name)
	}
	return s.readSEC1(info.PrivateKey, curve)
}

// readSEC1 reads the inner structure. The curve may be named there again.
func (s Spec) readSEC1(encoded, curve []byte) (ecPrivateKey, error) {
	var private ecPrivateKey
	_, err := asn1.Unmarshal(encoded, &private)
	switch {
	case err != nil || private.Version != 1 || !isDER(encoded, private):
		err = errMaterial("The key material is not a valid private key on a curve (RFC 5915).")
	case len(private.Curve.FullBytes) > 0 && !bytes.Equal(private.Curve.Bytes, curve):
		err = errMaterial("The private key names another curve inside than outside.")
	case len(private.Scalar) != (s.size+7)/8:
		err = errMaterial("Private keys of %s have %d bytes, with leading zeros (RFC 5915, section 3).", s.name, (s.size+7)/8)
	}
	return private, err
}

// checkPoint compares the public key that came with a private key, if one did, with the private key's own.
func (k ecPrivateKey) checkPoint(uncompressed []byte) error {
	claimed := k.PublicKey.Bytes
	own := bytes.Equal(claimed, uncompressed) || bytes.Equal(claimed, compressed(uncompressed))
	if claimed == nil || own && k.PublicKey.BitLength == 8*len(claimed) {
		return nil
	}
	return errPoint()
}

func errPoint() error {
	return errMaterial("The public key inside the private key does not belong to it.")
}

// compressed is the short form of a point: SEC 1, section 2.3.3.
func compressed(uncompressed []byte) []byte {
	x, y := uncompressed[1:len(uncompressed)/2+1], uncompressed[len(uncompressed)/2+1:]
	return append([]byte{2 | y[len(y)-1]&1}, x...)
}

func errScalar() error {
	return errMaterial("The private key is zero or not below the order of the curve.")
}
