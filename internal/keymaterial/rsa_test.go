package keymaterial

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"
)

// pkcs1 is an RSAPrivateKey (RFC 8017, appendix A.1.2) to be damaged.
type pkcs1 struct {
	Version                     int
	N, E, D, P, Q, DP, DQ, QInv *big.Int
}

func damagedRSA(t *testing.T, damage func(*pkcs1)) []byte {
	t.Helper()
	var key pkcs1
	if _, err := asn1.Unmarshal(testDER(t, "RSA_2048"), &key); err != nil {
		t.Fatal(err)
	}
	damage(&key)
	return marshal(t, key)
}

func TestRSAPrivateKeysInPKCS8(t *testing.T) {
	golden := testDER(t, "RSA_2048.pkcs8")
	info, _ := parsePKCS8(golden)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := rsa.GenerateKey(rand.Reader, 2047)
	if err != nil {
		t.Fatal(err)
	}
	with := func(privateKey []byte) []byte {
		changed := info
		changed.PrivateKey = privateKey
		return marshal(t, changed)
	}
	pss := info
	pss.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	cases := map[string]struct {
		reason string
		der    []byte
		fits   bool
	}{
		"as it is":            {"what OpenSSL writes", golden, true},
		"trailing byte":       {"more than a key", append(bytes.Clone(golden), 0), false},
		"1024 bits":           {"the key's spec says 2048", with(x509.MarshalPKCS1PrivateKey(small)), false},
		"2047 bits":           {"the key's spec says 2048", with(x509.MarshalPKCS1PrivateKey(odd)), false},
		"three primes":        {"KMS takes two", with(testDER(t, "three_primes")), false},
		"PSS only":            {"KMS wants rsaEncryption", marshal(t, pss), false},
		"PKCS#1":              {"KMS wants PKCS#8", info.PrivateKey, false},
		"inner trailing byte": {"more than a key", with(append(bytes.Clone(info.PrivateKey), 0)), false},
		"element more":        {"nobody knows what it means", withElement(t, golden, []byte{5, 0}), false},
		"inner element more":  {"nobody knows what it means", with(withElement(t, info.PrivateKey, []byte{5, 0})), false},
		"damaged":             {"p times q is not n", with(damagedRSA(t, func(k *pkcs1) { k.Q.Add(k.Q, big.NewInt(2)) })), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := Validate(newMaterial(tc.der), "RSA_2048", ""); (err == nil) != tc.fits {
				t.Errorf("%s: error %v", tc.reason, err)
			}
		})
	}
}

func TestWipeRSA(t *testing.T) {
	key, err := x509.ParsePKCS1PrivateKey(testDER(t, "RSA_2048"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := append([]*big.Int{key.D, key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv}, key.Primes...)
	wipeRSA(key)
	for _, secret := range secrets {
		for _, word := range secret.Bits() {
			if word != 0 {
				t.Fatal("a number was left behind")
			}
		}
	}
}

func FuzzPKCS1(f *testing.F) {
	seedKeys(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 4096 {
			return // not parsed, see TestDecodePEM
		}
		if pkcs8, ok := pkcs8FromPKCS1(der); ok {
			assertCanonical(t, pkcs8)
		}
	})
}
