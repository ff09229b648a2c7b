package keymaterial

import (
	"strings"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func TestValidateAcceptsExactLengths(t *testing.T) {
	lengths := map[string]int{"SYMMETRIC_DEFAULT": 32, "HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
	for spec, length := range lengths {
		for _, off := range []int{-1, 0, 1} {
			err := Validate(newMaterial(counting(0, length+off)), spec, "")
			if (err == nil) != (off == 0) {
				t.Errorf("%s, %d bytes: %v", spec, length+off, err)
			}
		}
	}
}

// Material of one kind of key is none of any other.
func TestValidateTellsKeysApart(t *testing.T) {
	materials := map[string]Material{
		"SYMMETRIC_DEFAULT": newMaterial(counting(0, 32)), "HMAC_224": newMaterial(counting(0, 28)),
		"HMAC_384": newMaterial(counting(0, 48)), "HMAC_512": newMaterial(counting(0, 64)),
	}
	for _, spec := range privateKeySpecs {
		materials[spec] = newMaterial(testDER(t, spec+".pkcs8"))
	}
	for of, material := range materials {
		for in := range materials {
			if err := Validate(material, in, ""); (err == nil) != (of == in) {
				t.Errorf("material of %s in a %s key: error %v", of, in, err)
			}
		}
	}
}

// PEM calls it a private key, and there are some of every length: PKCS#8 of an Ed25519 key has 48 bytes.
func TestPrivateKeysAreNoRandomBytes(t *testing.T) {
	for spec, length := range map[string]int{"SYMMETRIC_DEFAULT": 32, "HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64} {
		m, err := Decode(PEM, []byte(asPEM("PRIVATE KEY", counting(3, length))))
		if err != nil {
			t.Fatal(err)
		}
		if err := Validate(m, spec, ""); err == nil {
			t.Errorf("%s takes %d bytes from a PEM block", spec, length)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	const (
		symmetric = "A key of KeySpec SYMMETRIC_DEFAULT takes exactly 32 bytes (256 bits) of key material: `openssl rand -out material 32` " +
			"makes some, and where the Secret holds Base64 or hex text, set spec.material.encoding to Base64 or Hex"
		hmac = "A key of KeySpec HMAC_224 takes exactly 28 bytes (224 bits) of key material: `openssl rand -out material 28` " +
			"makes some, and where the Secret holds Base64 or hex text, set spec.material.encoding to Base64 or Hex"
		rsa = "A key of KeySpec RSA_3072 takes an unencrypted RSA private key of 3072 bits with two primes, as PEM with spec.material.encoding PEM, " +
			"or as PKCS#8 DER with Raw, Base64 or Hex; `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out material` makes one as PEM"
		ec = "A key of KeySpec ECC_SECG_P256K1 takes an unencrypted EC private key on the curve secp256k1, given by its name and not by explicit parameters, " +
			"as PEM with spec.material.encoding PEM, or as PKCS#8 DER with Raw, Base64 or Hex; " +
			"`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out material` makes one as PEM"
	)
	cases := map[string]struct {
		reason  string
		raw     []byte
		keySpec string
		usage   string
		want    string
	}{
		"empty":              {"an empty value is a wrong length", nil, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", symmetric},
		"16 bytes":           {"an AES-128 key", counting(0, 16), "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", symmetric},
		"44 bytes":           {"Base64 text declared as Raw", counting(0, 44), "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", symmetric},
		"64 bytes":           {"hex text declared as Raw", counting(0, 64), "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", symmetric},
		"HMAC, 64 bytes":     {"KMS's pages disagree on longer HMAC keys", counting(0, 64), "HMAC_224", "GENERATE_VERIFY_MAC", hmac},
		"RSA, empty":         {"one sentence for whatever is amiss", nil, "RSA_3072", "SIGN_VERIFY", rsa},
		"RSA, 2048 bits":     {"one sentence for whatever is amiss", testDER(t, "RSA_2048.pkcs8"), "RSA_3072", "SIGN_VERIFY", rsa},
		"RSA, PKCS#1":        {"one sentence for whatever is amiss", testDER(t, "RSA_3072"), "RSA_3072", "ENCRYPT_DECRYPT", rsa},
		"RSA, PEM as Raw":    {"one sentence for whatever is amiss", []byte(testPEM(t, "RSA_3072")), "RSA_3072", "ENCRYPT_DECRYPT", rsa},
		"EC, other curve":    {"one sentence for whatever is amiss", testDER(t, "ECC_NIST_P256.pkcs8"), "ECC_SECG_P256K1", "SIGN_VERIFY", ec},
		"EC, SEC 1":          {"one sentence for whatever is amiss", testDER(t, "ECC_SECG_P256K1"), "ECC_SECG_P256K1", "SIGN_VERIFY", ec},
		"other key":          {"KMS imports none", counting(0, 32), "ML_DSA_44", "", `Key material for keys of KeySpec "ML_DSA_44" is not supported`},
		"key without a spec": {"DescribeKey may leave it out", counting(0, 32), "", "", `Key material for keys of KeySpec "" is not supported`},
		"other usage": {
			"no such key can exist", testDER(t, "ECC_SECG_P256K1.pkcs8"), "ECC_SECG_P256K1", "KEY_AGREEMENT",
			`Key material for keys of KeySpec "ECC_SECG_P256K1" and KeyUsage "KEY_AGREEMENT" is not supported`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			assertInvalid(t, Validate(newMaterial(tc.raw), tc.keySpec, tc.usage), tc.want)
		})
	}
}

// What the plan thinks importable, and how long it thinks the material is, is what is validated here.
func TestKeySpecsAreThoseOfThePlan(t *testing.T) {
	for _, name := range append([]string{"SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"}, privateKeySpecs...) {
		imported, importable := kms.KeySpec(name).Imported()
		spec, known := specOf(name)
		if !importable || !known {
			t.Fatalf("%s: importable %t, known here %t", name, importable, known)
		}
		for _, usage := range []string{"ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"} {
			planned := false
			for _, one := range imported.Usages {
				planned = planned || one == usage
			}
			if planned != spec.hasUsage(usage) {
				t.Errorf("%s for %s: the plan says %t", name, usage, planned)
			}
		}
		length := imported.Bytes
		if imported.PrivateKey {
			length = len(testDER(t, name+".pkcs8"))
		}
		if difference := imported.Bytes - length; difference < -4 || difference > 4 || difference != 0 && !strings.HasPrefix(name, "RSA_") {
			t.Errorf("%s: the plan reckons with %d bytes, and there are %d", name, imported.Bytes, length)
		}
		if raw, isRaw := spec.shape.(randomBytes); isRaw == imported.PrivateKey || isRaw && raw.length != imported.Bytes {
			t.Errorf("%s: the plan reckons with another kind of material", name)
		}
	}
}
