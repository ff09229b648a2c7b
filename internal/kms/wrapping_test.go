package kms_test

import (
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func TestChooseWrapping(t *testing.T) {
	oaep := func(keySpec kms.WrappingKeySpec) kms.Wrapping {
		return kms.Wrapping{Algorithm: "RSAES_OAEP_SHA_256", KeySpec: keySpec}
	}
	oaepSHA1 := func(keySpec kms.WrappingKeySpec) kms.Wrapping {
		return kms.Wrapping{Algorithm: "RSAES_OAEP_SHA_1", KeySpec: keySpec}
	}
	aes := func(keySpec kms.WrappingKeySpec) kms.Wrapping {
		return kms.Wrapping{Algorithm: "RSA_AES_KEY_WRAP_SHA_256", KeySpec: keySpec}
	}
	aesSHA1 := func(keySpec kms.WrappingKeySpec) kms.Wrapping {
		return kms.Wrapping{Algorithm: "RSA_AES_KEY_WRAP_SHA_1", KeySpec: keySpec}
	}
	by := func(algorithm kms.WrappingAlgorithm) kms.Wrapping { return kms.Wrapping{Algorithm: algorithm} }
	under := func(keySpec kms.WrappingKeySpec) kms.Wrapping { return kms.Wrapping{KeySpec: keySpec} }
	var free, none kms.Wrapping
	cases := map[string]struct {
		reason  string
		dialect kms.Dialect
		spec    kms.KeySpec
		bytes   int
		asked   kms.Wrapping
		want    kms.Wrapping
		limit   int
	}{
		"symmetric":                 {"the strongest there is", "AWS", "SYMMETRIC_DEFAULT", 32, free, oaep("RSA_4096"), 446},
		"symmetric, length unknown": {"it has one length", "AWS", "SYMMETRIC_DEFAULT", 0, free, oaep("RSA_4096"), 446},
		"no dialect":                {"AWS is the default", "", "SYMMETRIC_DEFAULT", 32, free, oaep("RSA_4096"), 446},
		"HMAC_512":                  {"likewise", "AWS", "HMAC_512", 64, free, oaep("RSA_4096"), 446},
		"P-256":                     {"it fits", "AWS", "ECC_NIST_P256", 138, free, oaep("RSA_4096"), 446},
		"P-384":                     {"it fits", "AWS", "ECC_NIST_P384", 185, free, oaep("RSA_4096"), 446},
		"P-521":                     {"it fits", "AWS", "ECC_NIST_P521", 241, free, oaep("RSA_4096"), 446},
		"secp256k1":                 {"it fits", "AWS", "ECC_SECG_P256K1", 135, free, oaep("RSA_4096"), 446},
		"P-256 with attributes":     {"at the limit", "AWS", "ECC_NIST_P256", 446, free, oaep("RSA_4096"), 446},
		"P-256, more attributes":    {"over the limit: the strongest that takes it", "AWS", "ECC_NIST_P256", 447, free, aes("RSA_4096"), 5624},
		"RSA_2048":                  {"no RSA key fits into OAEP", "AWS", "RSA_2048", 1218, free, aes("RSA_4096"), 5624},
		"RSA_3072":                  {"likewise", "AWS", "RSA_3072", 1794, free, aes("RSA_4096"), 5624},
		"RSA_4096":                  {"likewise", "AWS", "RSA_4096", 2376, free, aes("RSA_4096"), 5624},
		"RSA_4096, length unknown":  {"the usual length counts", "AWS", "RSA_4096", 0, free, aes("RSA_4096"), 5624},
		"symmetric, SHA-1":          {"what is asked for", "AWS", "SYMMETRIC_DEFAULT", 32, by("RSAES_OAEP_SHA_1"), oaepSHA1("RSA_4096"), 470},
		"symmetric, RSA_2048":       {"what is asked for", "AWS", "SYMMETRIC_DEFAULT", 32, under("RSA_2048"), oaep("RSA_2048"), 190},
		"symmetric, both":           {"what is asked for", "AWS", "SYMMETRIC_DEFAULT", 32, oaepSHA1("RSA_3072"), oaepSHA1("RSA_3072"), 342},
		"symmetric, key wrap":       {"KMS refuses it: private keys only", "AWS", "SYMMETRIC_DEFAULT", 32, by("RSA_AES_KEY_WRAP_SHA_256"), none, 0},
		"HMAC, key wrap":            {"KMS refuses it: private keys only", "AWS", "HMAC_384", 48, by("RSA_AES_KEY_WRAP_SHA_1"), none, 0},
		"P-384, RSA_2048":           {"185 of 190 bytes", "AWS", "ECC_NIST_P384", 185, under("RSA_2048"), oaep("RSA_2048"), 190},
		"P-384, RSA_2048, unknown":  {"the usual length counts", "AWS", "ECC_NIST_P384", 0, oaep("RSA_2048"), oaep("RSA_2048"), 190},
		"P-384 of 190, RSA_2048":    {"at the limit", "AWS", "ECC_NIST_P384", 190, oaep("RSA_2048"), oaep("RSA_2048"), 190},
		"P-384 of 191, RSA_2048":    {"the algorithm is free", "AWS", "ECC_NIST_P384", 191, under("RSA_2048"), aes("RSA_2048"), 5880},
		"P-384 of 191, OAEP":        {"nothing is free", "AWS", "ECC_NIST_P384", 191, oaep("RSA_2048"), none, 190},
		"P-384 of 191, OAEP SHA-1":  {"214 bytes fit", "AWS", "ECC_NIST_P384", 191, oaepSHA1("RSA_2048"), oaepSHA1("RSA_2048"), 214},
		"P-521, RSA_2048":           {"OAEP does not fit, key wrap does", "AWS", "ECC_NIST_P521", 0, under("RSA_2048"), aes("RSA_2048"), 5880},
		"P-521, RSA_2048, OAEP":     {"too long", "AWS", "ECC_NIST_P521", 0, oaep("RSA_2048"), none, 190},
		"P-521, RSA_2048, SHA-1":    {"too long", "AWS", "ECC_NIST_P521", 0, oaepSHA1("RSA_2048"), none, 214},
		"P-521, short, RSA_2048":    {"KMS goes by the spec, not by a key without its public half", "AWS", "ECC_NIST_P521", 98, oaep("RSA_2048"), none, 190},
		"P-521, OAEP":               {"the wrapping key is free", "AWS", "ECC_NIST_P521", 0, by("RSAES_OAEP_SHA_256"), oaep("RSA_4096"), 446},
		"P-256, key wrap":           {"what is asked for", "AWS", "ECC_NIST_P256", 138, by("RSA_AES_KEY_WRAP_SHA_256"), aes("RSA_4096"), 5624},
		"RSA_2048, OAEP":            {"too long for every wrapping key", "AWS", "RSA_2048", 0, by("RSAES_OAEP_SHA_256"), none, 446},
		"RSA_2048, OAEP SHA-1":      {"too long for every wrapping key", "AWS", "RSA_2048", 0, by("RSAES_OAEP_SHA_1"), none, 470},
		"RSA_2048, RSA_2048":        {"what is asked for", "AWS", "RSA_2048", 0, under("RSA_2048"), aes("RSA_2048"), 5880},
		"RSA_2048, key wrap SHA-1":  {"what is asked for", "AWS", "RSA_2048", 0, by("RSA_AES_KEY_WRAP_SHA_1"), aesSHA1("RSA_4096"), 5624},
		"longer than anything":      {"nothing fits", "AWS", "RSA_2048", 5881, free, none, 5880},
		"unknown algorithm":         {"never offered", "AWS", "SYMMETRIC_DEFAULT", 32, by("RSAES_PKCS1_V1_5"), none, 0},
		"unknown wrapping key":      {"never offered", "AWS", "SYMMETRIC_DEFAULT", 32, under("SM2"), none, 0},
		"ML-DSA":                    {"not importable", "AWS", "ML_DSA_44", 32, free, none, 0},
		"QKMS":                      {"its strongest", "QKMS", "SYMMETRIC_DEFAULT", 32, free, oaep("RSA_2048"), 190},
		"QKMS, SHA-1":               {"what is asked for", "QKMS", "SYMMETRIC_DEFAULT", 32, by("RSAES_OAEP_SHA_1"), oaepSHA1("RSA_2048"), 214},
		"QKMS, RSA_4096":            {"it has RSA_2048 only", "QKMS", "SYMMETRIC_DEFAULT", 32, under("RSA_4096"), none, 0},
		"QKMS, key wrap":            {"it has OAEP only", "QKMS", "SYMMETRIC_DEFAULT", 32, by("RSA_AES_KEY_WRAP_SHA_256"), none, 0},
		"QKMS, HMAC":                {"symmetric keys only", "QKMS", "HMAC_256", 32, free, none, 0},
		"QKMS, RSA":                 {"symmetric keys only", "QKMS", "RSA_2048", 1218, free, none, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := kms.ChooseWrapping(tc.dialect, tc.spec, tc.bytes, tc.asked)
			if got != (kms.Choice{Wrapping: tc.want, Limit: tc.limit}) {
				t.Errorf("%s: got %+v, want %+v with limit %d", tc.reason, got, tc.want, tc.limit)
			}
		})
	}
}

// KMS's own table of what each key takes, in full: only these are ever chosen.
func TestWrappingsThatKMSTakes(t *testing.T) {
	algorithms := []kms.WrappingAlgorithm{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"}
	keySpecs := []kms.WrappingKeySpec{"RSA_2048", "RSA_3072", "RSA_4096"}
	// Each row: OAEP with RSA_2048, OAEP with the larger ones, key wrap.
	for spec, takes := range map[kms.KeySpec][3]bool{
		"SYMMETRIC_DEFAULT": {true, true, false},
		"HMAC_224":          {true, true, false},
		"HMAC_256":          {true, true, false},
		"HMAC_384":          {true, true, false},
		"HMAC_512":          {true, true, false},
		"RSA_2048":          {false, false, true},
		"RSA_3072":          {false, false, true},
		"RSA_4096":          {false, false, true},
		"ECC_NIST_P256":     {true, true, true},
		"ECC_NIST_P384":     {true, true, true},
		"ECC_NIST_P521":     {false, true, true},
		"ECC_SECG_P256K1":   {true, true, true},
	} {
		if !kms.DialectAWS.Imports(spec) {
			t.Errorf("%s is importable", spec)
		}
		for i, algorithm := range algorithms {
			for j, keySpec := range keySpecs {
				want := takes[min(j, 1)]
				if i > 1 {
					want = takes[2]
				}
				asked := kms.Wrapping{Algorithm: algorithm, KeySpec: keySpec}
				if got := kms.ChooseWrapping("AWS", spec, 0, asked).Wrapping == asked; got != want {
					t.Errorf("%s by %s with %s: %t", spec, algorithm, keySpec, got)
				}
			}
		}
	}
}

func TestImports(t *testing.T) {
	for spec, want := range map[kms.KeySpec][2]bool{
		"SYMMETRIC_DEFAULT": {true, true}, "HMAC_256": {true, false}, "RSA_4096": {true, false}, "ECC_NIST_P256": {true, false},
		"ECC_NIST_EDWARDS25519": {}, "ML_DSA_44": {}, "ML_DSA_65": {}, "ML_DSA_87": {}, "ML_KEM_512": {}, "ML_KEM_768": {}, "ML_KEM_1024": {},
		"SM2": {}, "": {}, "RSA_8192": {},
	} {
		if got := [2]bool{kms.DialectAWS.Imports(spec), kms.DialectQKMS.Imports(spec)}; got != want {
			t.Errorf("%q: AWS and QKMS %v, want %v", spec, got, want)
		}
	}
}

func TestLimitOfUnknownWrappings(t *testing.T) {
	for _, wrapping := range []kms.Wrapping{
		{}, {Algorithm: "RSAES_OAEP_SHA_256"}, {KeySpec: "RSA_2048"}, {Algorithm: "RSAES_OAEP_SHA_256", KeySpec: "SM2"}, {Algorithm: "SM2PKE", KeySpec: "RSA_2048"},
	} {
		if got := wrapping.Limit(); got != 0 {
			t.Errorf("%+v takes %d bytes", wrapping, got)
		}
	}
}
