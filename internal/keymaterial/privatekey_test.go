package keymaterial

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
)

func TestPrivateKeysThatPassUnmodified(t *testing.T) {
	attributes := tagged(t, 0, marshal(t, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: "x"}))
	type withRest struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
		Rest       asn1.RawValue
	}
	for _, spec := range privateKeySpecs {
		golden := testDER(t, spec+".pkcs8")
		info, _ := parsePKCS8(golden)
		publicKey := outerPublicKey(t, bits([]byte{1}))
		if key, isEC := parseEC(info.PrivateKey); isEC {
			publicKey = outerPublicKey(t, key.PublicKey)
		}
		cases := map[string]struct {
			reason string
			der    []byte
		}{
			"as it is":        {"what OpenSSL writes", golden},
			"with attributes": {"what some key stores add", marshal(t, withRest{0, info.Algorithm, info.PrivateKey, attributes})},
			"with public key": {"RFC 5958, version 2", marshal(t, withRest{1, info.Algorithm, info.PrivateKey, publicKey})},
		}
		for name, tc := range cases {
			t.Run(spec+" "+name, func(t *testing.T) {
				for _, encoding := range []Encoding{Raw, PEM} {
					data := tc.der
					if encoding == PEM {
						data = []byte(asPEM("PRIVATE KEY", tc.der))
					}
					m, err := Decode(encoding, data)
					if err != nil {
						t.Fatal(err)
					}
					if err := Validate(m, spec, ""); err != nil {
						t.Errorf("%s, %s: %v", tc.reason, encoding, err)
					}
					if !bytes.Equal(m.raw(), tc.der) {
						t.Errorf("%s: %s was modified", tc.reason, encoding)
					}
				}
			})
		}
	}
}

// A file full of attributes goes no further than 4096 bytes.
func TestPrivateKeysAreCapped(t *testing.T) {
	for _, spec := range []string{"RSA_2048", "ECC_NIST_P256"} {
		golden := testDER(t, spec+".pkcs8")
		info, _ := parsePKCS8(golden)
		for length, fits := range map[int]bool{4096: true, 4097: false} {
			var der []byte
			for padding := length - len(golden) - 8; len(der) != length; padding++ {
				der = marshal(t, struct {
					Version    int
					Algorithm  pkix.AlgorithmIdentifier
					PrivateKey []byte
					Attributes asn1.RawValue
				}{0, info.Algorithm, info.PrivateKey, tagged(t, 0, make([]byte, padding))})
			}
			if err := Validate(newMaterial(der), spec, ""); (err == nil) != fits {
				t.Errorf("%s of %d bytes: error %v", spec, length, err)
			}
		}
	}
}

// assertCanonical checks a conversion: PKCS#8 that one of the KeySpecs takes, in the form that Go writes.
func assertCanonical(t *testing.T, pkcs8 []byte) {
	t.Helper()
	if key, err := x509.ParsePKCS8PrivateKey(pkcs8); err == nil {
		if der, err := x509.MarshalPKCS8PrivateKey(key); err != nil || !bytes.Equal(der, pkcs8) {
			t.Error("a conversion is not what Go writes")
		}
		return
	}
	if !isEC(pkcs8, p256k1()) {
		t.Error("a conversion is no key")
	}
}

func seedKeys(f *testing.F) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(ed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(other)
	f.Add([]byte{0x30, 0x80, 0, 0})
	names := append([]string{"three_primes", "explicit_parameters", "explicit_parameters.pkcs8"}, privateKeySpecs...)
	for _, spec := range privateKeySpecs {
		names = append(names, spec+".pkcs8")
	}
	for _, name := range names {
		f.Add(testDER(f, name))
	}
}

// What is taken as PKCS#8 of a key must be one to the standard library too, and of one KeySpec only.
func FuzzPKCS8(f *testing.F) {
	seedKeys(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		before := bytes.Clone(der)
		var fitting []string
		for _, spec := range privateKeySpecs {
			if Validate(newMaterial(der), spec, "") == nil {
				fitting = append(fitting, spec)
			}
		}
		if len(fitting) > 1 {
			t.Errorf("it is a key of %v", fitting)
		}
		if len(fitting) == 1 && fitting[0] != "ECC_SECG_P256K1" {
			if _, err := x509.ParsePKCS8PrivateKey(der); err != nil {
				t.Errorf("crypto/x509 does not take it: %v", err)
			}
		}
		if !bytes.Equal(before, der) {
			t.Error("Validate wrote into the material")
		}
	})
}
