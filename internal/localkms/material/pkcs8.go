package material

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// privateKeyInfo is a private key of any algorithm: PKCS #8, RFC 5208. The public key was added in RFC 5958.
type privateKeyInfo struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
	Attributes asn1.RawValue  `asn1:"optional,tag:0"`
	PublicKey  asn1.BitString `asn1:"optional,tag:1"`
}

// publicKeyInfo is a public key of any algorithm: RFC 5280, section 4.1.
type publicKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	PublicKey asn1.BitString
}

// readPKCS8 reads the outer structure, and makes sure that the key is one for an algorithm.
func (s Spec) readPKCS8(plain []byte, algorithm asn1.ObjectIdentifier) (privateKeyInfo, error) {
	var info privateKeyInfo
	rest, err := asn1.Unmarshal(plain, &info)
	switch {
	case err != nil:
		return info, errMaterial("%s keys take a PKCS #8 private key in DER as key material.", s.name)
	case len(rest) != 0:
		return info, errMaterial("The key material goes on behind the end of the PKCS #8 private key.")
	case !isDER(plain, info):
		return info, errMaterial("The PKCS #8 private key is not encoded as DER has it, or holds more than RFC 5958 allows.")
	case info.Version != info.wantedVersion():
		return info, errMaterial("The PKCS #8 private key has a version that does not go with its content.")
	case !info.Algorithm.Algorithm.Equal(algorithm):
		return info, errMaterial("The key material is a private key for another algorithm than that of %s keys.", s.name)
	}
	return info, nil
}

// wantedVersion is 1 with a public key and 0 without (RFC 5958, section 2).
func (i privateKeyInfo) wantedVersion() int {
	if i.PublicKey.Bytes == nil {
		return 0
	}
	return 1
}

// isDER tells whether encoding what was read gives the same bytes again: encoding/asn1 reads over elements that it does
// not expect at the end of a structure.
func isDER(encoded []byte, read any) bool {
	again, err := asn1.Marshal(read)
	return err == nil && bytes.Equal(again, encoded)
}
