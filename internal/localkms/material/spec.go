// Package material knows what key material is for each KeySpec of AWS KMS, and does the cryptography that a key can
// do. It knows no protocol and no clock: what a key may do, and when, is its callers' business.
//
// Asymmetric key material is a private key in PKCS #8, encoded by DER. KMS takes BER as well, which is not read here.
package material

import "slices"

// What a key is for: the values of KeyUsage.
const (
	EncryptDecrypt         = "ENCRYPT_DECRYPT"
	SignVerify             = "SIGN_VERIFY"
	GenerateVerifyMac      = "GENERATE_VERIFY_MAC"
	KeyAgreement           = "KEY_AGREEMENT"
	EncapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE"
)

// family is what specs have in common that differ only in size.
type family int

const (
	_ family = iota
	symmetric
	hmacKey
	rsaPair
	nistCurve
	secgCurve
	edwardsCurve
	sm2
	mlDSA
	mlKEM
)

// A Spec is a KeySpec. The zero value is one that can do nothing.
type Spec struct {
	name   string
	family family
	// size is in bits: of the secret, the modulus or the field. For ML_DSA and ML_KEM it is the number in the name.
	size int
}

// specs is every KeySpec, in the order of AWS's model.
func specs() []Spec {
	return []Spec{
		{"RSA_2048", rsaPair, 2048},
		{"RSA_3072", rsaPair, 3072},
		{"RSA_4096", rsaPair, 4096},
		{"ECC_NIST_P256", nistCurve, 256},
		{"ECC_NIST_P384", nistCurve, 384},
		{"ECC_NIST_P521", nistCurve, 521},
		{"ECC_SECG_P256K1", secgCurve, 256},
		{symmetricDefault, symmetric, 256},
		{"HMAC_224", hmacKey, 224},
		{"HMAC_256", hmacKey, 256},
		{"HMAC_384", hmacKey, 384},
		{"HMAC_512", hmacKey, 512},
		{"SM2", sm2, 256},
		{"ML_DSA_44", mlDSA, 44},
		{"ML_DSA_65", mlDSA, 65},
		{"ML_DSA_87", mlDSA, 87},
		{"ECC_NIST_EDWARDS25519", edwardsCurve, 255},
		{"ML_KEM_512", mlKEM, 512},
		{"ML_KEM_768", mlKEM, 768},
		{"ML_KEM_1024", mlKEM, 1024},
	}
}

// FindSpec returns the spec with a name of AWS's model.
func FindSpec(name string) (Spec, bool) {
	all := specs()
	i := slices.IndexFunc(all, func(s Spec) bool { return s.name == name })
	if i < 0 {
		return Spec{}, false
	}
	return all[i], true
}

// SpecNames returns every KeySpec, in the order of AWS's model.
func SpecNames() []string {
	var names []string
	for _, s := range specs() {
		names = append(names, s.name)
	}
	return names
}

// Name returns the KeySpec as KMS spells it.
func (s Spec) Name() string { return s.name }

// Importable tells whether KMS documents that it imports material of this spec.
func (s Spec) Importable() bool {
	switch s.family {
	case symmetric, hmacKey, rsaPair, nistCurve, secgCurve:
		return true
	case edwardsCurve, sm2, mlDSA, mlKEM:
	}
	return false
}

// Uncertain tells whether KMS is silent about imports of this spec, in which case Importable says no. [Spec.Parse]
// reads such material, so that it is the caller's decision.
func (s Spec) Uncertain() bool { return s.family == edwardsCurve || s.family == mlKEM }

// Generates tells whether [Spec.Generate] makes keys of this spec.
func (s Spec) Generates() bool { return s.Importable() || s.family == edwardsCurve }

// HasMaterialID tells whether KMS shows a KeyMaterialId for keys of this spec.
func (s Spec) HasMaterialID() bool { return s.family == symmetric }
