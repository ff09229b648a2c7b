package keymaterial

import (
	"bytes"
	"encoding/asn1"
)

// ecPrivateKey is the ECPrivateKey of SEC 1 (RFC 5915, section 3).
type ecPrivateKey struct {
	Version    int
	PrivateKey []byte
	Parameters asn1.RawValue  `asn1:"optional,explicit,tag:0"`
	PublicKey  asn1.BitString `asn1:"optional,explicit,tag:1"`
}

// ecVersion is the only one there is.
const ecVersion = 1

func ecPublicKey() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1} } // RFC 5480, section 2.1.1

// pkcs8FromSEC1 converts an ECPrivateKey that names its curve.
func pkcs8FromSEC1(der []byte) (pkcs8 []byte, ok bool) {
	key, ok := parseEC(der)
	defer clear(key.PrivateKey)
	if !ok {
		return nil, false
	}
	curve, ok := curveNamed(key.Parameters.Bytes)
	if !ok {
		return nil, false
	}
	scalar, ok := curve.scalar(key.PrivateKey)
	defer clear(scalar)
	if !ok {
		return nil, false
	}
	point, ok := curve.point(scalar)
	if !ok || !isPoint(key.PublicKey, point) {
		return nil, false
	}
	inner, err := asn1.Marshal(ecPrivateKey{Version: ecVersion, PrivateKey: scalar, PublicKey: asn1.BitString{Bytes: point}})
	defer clear(inner)
	if err != nil {
		return nil, false
	}
	return marshalPKCS8(ecPublicKey(), key.Parameters.Bytes, inner)
}

// isEC reports whether pkcs8 holds a key on this curve, which it names. It goes to KMS as it is, so its scalar must have
// the full length; what else it holds must not contradict it.
func isEC(pkcs8 []byte, want curve) bool {
	info, ok := parsePKCS8(pkcs8)
	defer clear(info.PrivateKey)
	if !ok || !info.Algorithm.Algorithm.Equal(ecPublicKey()) || !want.isNamed(info.Algorithm.Parameters.FullBytes) {
		return false
	}
	key, ok := parseEC(info.PrivateKey)
	defer clear(key.PrivateKey)
	if !ok || len(key.PrivateKey) != want.bytes {
		return false
	}
	if parameters := key.Parameters.Bytes; len(parameters) > 0 && !want.isNamed(parameters) {
		return false
	}
	point, ok := want.point(key.PrivateKey)
	return ok && isPoint(key.PublicKey, point) && isPoint(info.PublicKey, point)
}

// parseEC copies the private key out of der: the caller clears it.
func parseEC(der []byte) (ecPrivateKey, bool) {
	var key ecPrivateKey
	rest, err := asn1.Unmarshal(der, &key)
	known := 2 + count(len(key.Parameters.FullBytes) > 0, key.PublicKey.BitLength > 0)
	return key, err == nil && len(rest) == 0 && key.Version == ecVersion && elements(der) == known
}

// isPoint reports whether a public key, where there is one, is this uncompressed point, or the same one compressed
// (SEC 1, section 2.3.3).
func isPoint(found asn1.BitString, point []byte) bool {
	if found.BitLength == 0 || bytes.Equal(found.Bytes, point) {
		return true
	}
	half := len(point) / 2 // of the coordinates: the first byte is the form
	compressed := append([]byte{2 + point[len(point)-1]&1}, point[1:1+half]...)
	return bytes.Equal(found.Bytes, compressed)
}
