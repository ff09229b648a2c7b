package material_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// described is everything that a spec says about itself.
type described struct {
	Usages                                          []string
	Algorithms                                      map[string][]string
	Importable, Uncertain, Generates, HasMaterialID bool
}

func TestSpecs(t *testing.T) {
	symmetric := described{
		Usages:     []string{"ENCRYPT_DECRYPT"},
		Algorithms: map[string][]string{"ENCRYPT_DECRYPT": {"SYMMETRIC_DEFAULT"}},
		Importable: true, Generates: true, HasMaterialID: true,
	}
	hmac := func(algorithm string) described {
		return described{
			Usages:     []string{"GENERATE_VERIFY_MAC"},
			Algorithms: map[string][]string{"GENERATE_VERIFY_MAC": {algorithm}},
			Importable: true, Generates: true,
		}
	}
	rsa := described{
		Usages: []string{"ENCRYPT_DECRYPT", "SIGN_VERIFY"},
		Algorithms: map[string][]string{
			"ENCRYPT_DECRYPT": {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"},
			"SIGN_VERIFY": {
				"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
				"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
			},
		},
		Importable: true, Generates: true,
	}
	nist := func(algorithm string) described {
		return described{
			Usages:     []string{"SIGN_VERIFY", "KEY_AGREEMENT"},
			Algorithms: map[string][]string{"SIGN_VERIFY": {algorithm}, "KEY_AGREEMENT": {"ECDH"}},
			Importable: true, Generates: true,
		}
	}
	mlDSA := described{
		Usages:     []string{"SIGN_VERIFY"},
		Algorithms: map[string][]string{"SIGN_VERIFY": {"ML_DSA_SHAKE_256"}},
	}
	mlKEM := described{
		Usages:     []string{"ENCAPSULATE_DECAPSULATE"},
		Algorithms: map[string][]string{"ENCAPSULATE_DECAPSULATE": {"ML_KEM"}},
		Uncertain:  true,
	}
	want := map[string]described{
		"SYMMETRIC_DEFAULT": symmetric,
		"HMAC_224":          hmac("HMAC_SHA_224"),
		"HMAC_256":          hmac("HMAC_SHA_256"),
		"HMAC_384":          hmac("HMAC_SHA_384"),
		"HMAC_512":          hmac("HMAC_SHA_512"),
		"RSA_2048":          rsa,
		"RSA_3072":          rsa,
		"RSA_4096":          rsa,
		"ECC_NIST_P256":     nist("ECDSA_SHA_256"),
		"ECC_NIST_P384":     nist("ECDSA_SHA_384"),
		"ECC_NIST_P521":     nist("ECDSA_SHA_512"),
		"ECC_SECG_P256K1": {
			Usages:     []string{"SIGN_VERIFY"},
			Algorithms: map[string][]string{"SIGN_VERIFY": {"ECDSA_SHA_256"}},
			Importable: true, Generates: true,
		},
		"ECC_NIST_EDWARDS25519": {
			Usages:     []string{"SIGN_VERIFY"},
			Algorithms: map[string][]string{"SIGN_VERIFY": {"ED25519_SHA_512", "ED25519_PH_SHA_512"}},
			Uncertain:  true, Generates: true,
		},
		"SM2": {
			Usages: []string{"ENCRYPT_DECRYPT", "SIGN_VERIFY", "KEY_AGREEMENT"},
			Algorithms: map[string][]string{
				"ENCRYPT_DECRYPT": {"SM2PKE"}, "SIGN_VERIFY": {"SM2DSA"}, "KEY_AGREEMENT": {"ECDH"},
			},
		},
		"ML_DSA_44": mlDSA, "ML_DSA_65": mlDSA, "ML_DSA_87": mlDSA,
		"ML_KEM_512": mlKEM, "ML_KEM_768": mlKEM, "ML_KEM_1024": mlKEM,
	}
	got := map[string]described{}
	for _, name := range material.SpecNames() {
		s := spec(t, name)
		if s.Name() != name {
			t.Errorf("%s calls itself %s", name, s.Name())
		}
		got[name] = describe(s)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// describe asks for the algorithms of every usage that there is, not only of those that the spec has.
func describe(s material.Spec) described {
	d := described{
		Usages: s.Usages(), Algorithms: map[string][]string{},
		Importable: s.Importable(), Uncertain: s.Uncertain(), Generates: s.Generates(), HasMaterialID: s.HasMaterialID(),
	}
	for _, usage := range []string{
		"ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE", "",
	} {
		if algorithms := s.Algorithms(usage); algorithms != nil {
			d.Algorithms[usage] = algorithms
		}
	}
	return d
}

// TestNames has the names in the order of AWS's model, in which KMS lists them in its errors.
func TestNames(t *testing.T) {
	for name, c := range map[string]struct{ got, want []string }{
		"KeySpec": {material.SpecNames(), []string{
			"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
			"SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87",
			"ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024",
		}},
		"WrappingAlgorithm": {material.WrappingAlgorithmNames(), []string{
			"RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1",
			"RSA_AES_KEY_WRAP_SHA_256", "SM2PKE",
		}},
		"WrappingKeySpec": {material.WrappingKeySpecNames(), []string{"RSA_2048", "RSA_3072", "RSA_4096", "SM2"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestUnknownSpec(t *testing.T) {
	for _, name := range []string{"", "RSA_1024", "rsa_2048", "AES_256"} {
		s, ok := material.FindSpec(name)
		if ok {
			t.Errorf("%q is found", name)
		}
		if diff := cmp.Diff(described{Algorithms: map[string][]string{}}, describe(s)); diff != "" {
			t.Errorf("the spec of nothing: %s", diff)
		}
		if _, err := s.Parse(random(32), material.ExactLength); err == nil {
			t.Error("the spec of nothing has material")
		}
	}
}

// TestAllowsWrapping asks for every combination there is, and a few that there are not.
func TestAllowsWrapping(t *testing.T) {
	oaep := []string{
		"RSAES_OAEP_SHA_1 RSA_2048", "RSAES_OAEP_SHA_1 RSA_3072", "RSAES_OAEP_SHA_1 RSA_4096",
		"RSAES_OAEP_SHA_256 RSA_2048", "RSAES_OAEP_SHA_256 RSA_3072", "RSAES_OAEP_SHA_256 RSA_4096",
	}
	keyWrap := []string{
		"RSA_AES_KEY_WRAP_SHA_1 RSA_2048", "RSA_AES_KEY_WRAP_SHA_1 RSA_3072", "RSA_AES_KEY_WRAP_SHA_1 RSA_4096",
		"RSA_AES_KEY_WRAP_SHA_256 RSA_2048", "RSA_AES_KEY_WRAP_SHA_256 RSA_3072", "RSA_AES_KEY_WRAP_SHA_256 RSA_4096",
	}
	both := slices.Concat(oaep, keyWrap)
	notP521 := slices.Concat(oaep[1:3], oaep[4:], keyWrap)
	want := map[string][]string{
		"SYMMETRIC_DEFAULT": oaep,
		"HMAC_224":          oaep, "HMAC_256": oaep, "HMAC_384": oaep, "HMAC_512": oaep,
		"RSA_2048": keyWrap, "RSA_3072": keyWrap, "RSA_4096": keyWrap,
		"ECC_NIST_P256": both, "ECC_NIST_P384": both, "ECC_NIST_P521": notP521, "ECC_SECG_P256K1": both,
		"ECC_NIST_EDWARDS25519": both,
		"ML_KEM_512":            keyWrap, "ML_KEM_768": keyWrap, "ML_KEM_1024": keyWrap,
		"SM2": nil, "ML_DSA_44": nil, "ML_DSA_65": nil, "ML_DSA_87": nil,
	}
	got := map[string][]string{}
	for _, name := range material.SpecNames() {
		got[name] = nil
		for _, algorithm := range append(material.WrappingAlgorithmNames(), "RSAES_OAEP_SHA_512", "") {
			for _, key := range append(material.WrappingKeySpecNames(), "RSA_1024", "") {
				if spec(t, name).AllowsWrapping(algorithm, key) {
					got[name] = append(got[name], algorithm+" "+key)
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
