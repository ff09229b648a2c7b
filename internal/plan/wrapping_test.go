package plan_test

import (
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// asks is what spec.wrapping names.
func asks(algorithm kms.WrappingAlgorithm, keySpec kms.WrappingKeySpec) change {
	return func(f *facts) { f.desired.Wrapping = kms.Wrapping{Algorithm: algorithm, KeySpec: keySpec} }
}

// ofSpec is a key of another KeySpec, of which KMS does not say what it is for.
func ofSpec(spec kms.KeySpec) change {
	return func(f *facts) { f.observed.Look.Key.Spec, f.observed.Look.Key.Usage = spec, "" }
}

// ofBytes is material that was read and has so many bytes.
func ofBytes(bytes int) change {
	return material(plan.Material{Fingerprint: "fingerprint-1", Bytes: bytes, Comparable: true})
}

func TestWrappingIsChosen(t *testing.T) {
	by := func(algorithm kms.WrappingAlgorithm, keySpec kms.WrappingKeySpec) want {
		action := firstImportAction()
		action.Wrapping = kms.Wrapping{Algorithm: algorithm, KeySpec: keySpec}
		return does(action)
	}
	cases{
		"nothing asked":              {"the strongest", firstImport, by("RSAES_OAEP_SHA_256", "RSA_4096")},
		"algorithm":                  {"the spec decides what it names", all(firstImport, asks("RSAES_OAEP_SHA_1", "")), by("RSAES_OAEP_SHA_1", "RSA_4096")},
		"key spec":                   {"the spec decides what it names", all(firstImport, asks("", "RSA_2048")), by("RSAES_OAEP_SHA_256", "RSA_2048")},
		"both":                       {"the spec decides", all(firstImport, asks("RSAES_OAEP_SHA_1", "RSA_3072")), by("RSAES_OAEP_SHA_1", "RSA_3072")},
		"QKMS":                       {"the strongest it has", all(firstImport, qkms), by("RSAES_OAEP_SHA_256", "RSA_2048")},
		"RSA key":                    {"the strongest that takes it", all(firstImport, ofSpec("RSA_2048")), by("RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")},
		"P-384, RSA_2048":            {"the usual length fits", all(firstImport, ofSpec("ECC_NIST_P384"), asks("", "RSA_2048")), by("RSAES_OAEP_SHA_256", "RSA_2048")},
		"P-384 of 191, RSA_2048":     {"read, and too long: another algorithm", all(firstImport, ofSpec("ECC_NIST_P384"), asks("", "RSA_2048"), ofBytes(191)), by("RSA_AES_KEY_WRAP_SHA_256", "RSA_2048")},
		"P-384 of 447":               {"read, and too long: another algorithm", all(firstImport, ofSpec("ECC_NIST_P384"), ofBytes(447)), by("RSA_AES_KEY_WRAP_SHA_256", "RSA_4096")},
		"after a refused token":      {"never a weaker one after an error", all(firstImport, attempt(1, &kms.Error{Class: "TokenRefused"})), by("RSAES_OAEP_SHA_256", "RSA_4096")},
		"after a refused ciphertext": {"never a weaker one after an error", all(firstImport, attempt(1, &kms.Error{Class: "CiphertextRefused"})), by("RSAES_OAEP_SHA_256", "RSA_4096")},
	}.run(t)
}

func TestImpossibleWrapping(t *testing.T) {
	stall := stalls("InvalidWrapping")
	lost := all(empty, contradictedFor(day), asks("RSA_AES_KEY_WRAP_SHA_256", ""))
	cases{
		"key wrap, symmetric": {
			"KMS refuses it; said before any call", all(firstImport, asks("RSA_AES_KEY_WRAP_SHA_256", "RSA_3072")),
			stall.saying("spec.wrapping with algorithm RSA_AES_KEY_WRAP_SHA_256 and keySpec RSA_3072 is not taken by KMS for a key of KeySpec SYMMETRIC_DEFAULT: " +
				"remove spec.wrapping, and RSAES_OAEP_SHA_256 with RSA_4096 is chosen"),
		},
		"key wrap, HMAC": {"KMS refuses it", all(firstImport, ofSpec("HMAC_512"), asks("RSA_AES_KEY_WRAP_SHA_1", "")), stall.saying("is not taken by KMS for a key of KeySpec HMAC_512")},
		"OAEP, RSA": {
			"too long for the largest wrapping key", all(firstImport, ofSpec("RSA_2048"), asks("RSAES_OAEP_SHA_256", "")),
			stall.saying("spec.wrapping with algorithm RSAES_OAEP_SHA_256 takes at most 446 bytes, and the material of this RSA_2048 key is longer: " +
				"remove spec.wrapping, and RSA_AES_KEY_WRAP_SHA_256 with RSA_4096 is chosen"),
		},
		"OAEP, P-521, RSA_2048": {"KMS refuses it", all(firstImport, ofSpec("ECC_NIST_P521"), asks("RSAES_OAEP_SHA_256", "RSA_2048")), stall.saying("at most 190 bytes")},
		"OAEP, P-384 of 191": {
			"known only once the Secret was read; still before any call",
			all(firstImport, ofSpec("ECC_NIST_P384"), asks("RSAES_OAEP_SHA_256", "RSA_2048"), ofBytes(191)), stall.saying("at most 190 bytes"),
		},
		"QKMS, RSA_4096":    {"it has RSA_2048 only", all(firstImport, qkms, asks("", "RSA_4096")), stall.saying("RSAES_OAEP_SHA_256 with RSA_2048 is chosen")},
		"key is lost":       {"an import that is due", lost, stall},
		"settled":           {"it is about the next import", asks("RSA_AES_KEY_WRAP_SHA_256", ""), settles()},
		"bad expiry":        {"what is wrong is said in order", all(lost, wantsExpiry(-day)), stalls("InvalidExpiration")},
		"no Secret":         {"what is wrong in the spec is said first", all(lost, secret("Absent")), stall},
		"changed material":  {"material beats wrapping", all(lost, rewritten, otherMaterial), stalls("MaterialChanged")},
		"key is disabled":   {"key state beats wrapping", all(lost, held, state("Disabled")), waits("KeyDisabled")},
		"turn to wait for":  {"no turn is waited for in vain", all(lost, func(f *facts) { f.observed.TurnIn = day }), stall},
		"not importable":    {"the key beats wrapping", all(lost, ofSpec("ML_KEM_512")), stalls("KeyNotImportable")},
		"token was refused": {"no second try by that", all(lost, attempt(1, &kms.Error{Class: "TokenRefused"})), stall},
	}.run(t)
}

func TestFits(t *testing.T) {
	action := plan.ImportMaterial{Wrapping: kms.Wrapping{Algorithm: "RSAES_OAEP_SHA_256", KeySpec: "RSA_2048"}}
	for bytes, want := range map[int]bool{32: true, 190: true, 191: false} {
		if got := action.Fits(plan.Material{Bytes: bytes}); got != want {
			t.Errorf("%d bytes: %t", bytes, got)
		}
	}
}
