package keymaterial

import (
	"crypto/x509/pkix"
	"encoding/asn1"
)

// privateKeyInfo is the PrivateKeyInfo of PKCS#8 (RFC 5208, section 5), and the OneAsymmetricKey that succeeded it
// (RFC 5958, section 2). Attributes and a public key may follow: they go to KMS as they are.
type privateKeyInfo struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
	Attributes asn1.RawValue  `asn1:"optional,tag:0"`
	PublicKey  asn1.BitString `asn1:"optional,tag:1"`
}

// parsePKCS8 copies the private key out of der: the caller clears it.
func parsePKCS8(der []byte) (privateKeyInfo, bool) {
	var info privateKeyInfo
	rest, err := asn1.Unmarshal(der, &info)
	version := info.Version == 0 || info.Version == 1
	known := 3 + count(len(info.Attributes.FullBytes) > 0, info.PublicKey.BitLength > 0)
	return info, err == nil && len(rest) == 0 && version && elements(der) == known
}

// elements is how many a SEQUENCE has. encoding/asn1 passes over those that follow the fields of a struct.
func elements(der []byte) int {
	var all []asn1.RawValue
	if _, err := asn1.Unmarshal(der, &all); err != nil {
		return 0
	}
	return len(all)
}

// count is how many optional elements are present.
func count(present ...bool) int {
	n := 0
	for _, one := range present {
		if one {
			n++
		}
	}
	return n
}

// marshalPKCS8 writes what x509.MarshalPKCS8PrivateKey writes.
func marshalPKCS8(algorithm asn1.ObjectIdentifier, parameters, privateKey []byte) ([]byte, bool) {
	der, err := asn1.Marshal(privateKeyInfo{
		Algorithm:  pkix.AlgorithmIdentifier{Algorithm: algorithm, Parameters: asn1.RawValue{FullBytes: parameters}},
		PrivateKey: privateKey,
	})
	return der, err == nil
}
