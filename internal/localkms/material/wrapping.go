package material

import "slices"

// WrappingAlgorithmNames returns every wrapping algorithm, in the order of AWS's model.
func WrappingAlgorithmNames() []string {
	return []string{
		"RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1",
		"RSA_AES_KEY_WRAP_SHA_256", "SM2PKE",
	}
}

// WrappingKeySpecNames returns every wrapping key spec, in the order of AWS's model.
func WrappingKeySpecNames() []string { return []string{"RSA_2048", "RSA_3072", "RSA_4096", "SM2"} }

// AllowsWrapping tells whether KMS gives import parameters of this kind for keys of this spec. It never does for
// RSAES_PKCS1_V1_5, which is withdrawn, nor for SM2, which is for China Regions. Of the specs that KMS is silent about,
// the curve is taken to be like the others, and ML-KEM like RSA: its expanded keys do not fit into OAEP either.
func (s Spec) AllowsWrapping(algorithm, wrappingKeySpec string) bool {
	if !slices.Contains([]string{"RSA_2048", "RSA_3072", "RSA_4096"}, wrappingKeySpec) {
		return false
	}
	oaep := slices.Contains([]string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}, algorithm)
	keyWrap := slices.Contains([]string{"RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"}, algorithm)
	switch s.family {
	case symmetric, hmacKey:
		return oaep
	case rsaPair, mlKEM:
		return keyWrap
	case nistCurve, secgCurve, edwardsCurve:
		tooLong := s.size == 521 && wrappingKeySpec == "RSA_2048"
		return keyWrap || oaep && !tooLong
	case sm2, mlDSA:
	}
	return false
}
