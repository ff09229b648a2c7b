package keymaterial

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
)

// rsaElements is how many elements an RSAPrivateKey of two primes has. More primes, which KMS does not import, follow them.
const rsaElements = 9

func rsaEncryption() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} } // RFC 8017, appendix A.1

// pkcs8FromPKCS1 converts an RSAPrivateKey (RFC 8017, appendix A.1.2), which must be consistent.
func pkcs8FromPKCS1(der []byte) (pkcs8 []byte, ok bool) {
	key, ok := parseRSA(der)
	if !ok {
		return nil, false
	}
	defer wipeRSA(key)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	return pkcs8, err == nil
}

// isRSA reports whether pkcs8 holds a consistent RSA key of two primes and so many bits.
func isRSA(pkcs8 []byte, bits int) bool {
	info, ok := parsePKCS8(pkcs8)
	defer clear(info.PrivateKey)
	if !ok || !info.Algorithm.Algorithm.Equal(rsaEncryption()) {
		return false
	}
	key, ok := parseRSA(info.PrivateKey)
	if !ok {
		return false
	}
	defer wipeRSA(key)
	return key.N.BitLen() == bits
}

// parseRSA reads an RSAPrivateKey of two primes whose numbers fit each other. The caller wipes it.
func parseRSA(der []byte) (*rsa.PrivateKey, bool) {
	if elements(der) != rsaElements {
		return nil, false
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	return key, err == nil
}

// wipeRSA overwrites what can be reached of a private key. crypto/rsa keeps a copy that cannot.
func wipeRSA(key *rsa.PrivateKey) {
	precomputed := key.Precomputed
	numbers := append([]*big.Int{key.D, precomputed.Dp, precomputed.Dq, precomputed.Qinv}, key.Primes...)
	for _, number := range numbers {
		if number != nil {
			clear(number.Bits())
		}
	}
}
