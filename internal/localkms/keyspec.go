package localkms

import (
	"crypto"
	_ "crypto/sha1" //nolint:gosec // RSAES_OAEP_SHA_1 is one of the protocol's algorithms
	_ "crypto/sha256"
	"slices"
)

// KMS's words that the code decides by.
const (
	symmetricDefault = "SYMMETRIC_DEFAULT"
	hmac256          = "HMAC_256"

	encryptDecrypt    = "ENCRYPT_DECRYPT"
	generateVerifyMac = "GENERATE_VERIFY_MAC"

	originKMS      = "AWS_KMS"
	originExternal = "EXTERNAL"
)

// keySpec is what KMS knows about a kind of key.
type keySpec struct {
	name  string
	usage string
	// encryptionAlgorithms or macAlgorithms is what the key can do.
	encryptionAlgorithms []string
	macAlgorithms        []string
	// materialSize is the length of the raw key material in bytes.
	materialSize int
	// showsMaterialID tells whether KMS reveals the ID of the material: for symmetric encryption keys only.
	showsMaterialID bool
}

// findKeySpec returns the key specs this server can make keys of.
func findKeySpec(name string) (keySpec, bool) {
	switch name {
	case symmetricDefault:
		return keySpec{
			name: symmetricDefault, usage: encryptDecrypt, encryptionAlgorithms: []string{symmetricDefault},
			materialSize: 32, showsMaterialID: true,
		}, true
	case hmac256:
		return keySpec{
			name: hmac256, usage: generateVerifyMac, macAlgorithms: []string{"HMAC_SHA_256"},
			materialSize: 32,
		}, true
	default:
		return keySpec{}, false
	}
}

// keySpecNames is every key spec of AWS, in the order of its model.
func keySpecNames() []string {
	return []string{
		"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
		symmetricDefault, "HMAC_224", hmac256, "HMAC_384", "HMAC_512", "SM2", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87",
		"ECC_NIST_EDWARDS25519", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024",
	}
}

// wrappingAlgorithmNames is every wrapping algorithm of AWS, in the order of its model.
func wrappingAlgorithmNames() []string {
	return []string{
		"RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1",
		"RSA_AES_KEY_WRAP_SHA_256", "SM2PKE",
	}
}

// wrappingKeySpecNames is every wrapping key spec of AWS, in the order of its model.
func wrappingKeySpecNames() []string { return []string{"RSA_2048", "RSA_3072", "RSA_4096", "SM2"} }

// wrappingKeyBits returns the modulus length of a wrapping key spec, 0 if it cannot be made here.
func wrappingKeyBits(spec string) int {
	switch spec {
	case "RSA_2048":
		return 2048
	case "RSA_3072":
		return 3072
	case "RSA_4096":
		return 4096
	default:
		return 0
	}
}

// oaepHash returns the hash of an OAEP wrapping algorithm, which is that of its MGF1 too; 0 for the others.
func oaepHash(algorithm string) crypto.Hash {
	switch algorithm {
	case "RSAES_OAEP_SHA_1":
		return crypto.SHA1
	case "RSAES_OAEP_SHA_256":
		return crypto.SHA256
	default:
		return 0
	}
}

// checkWrapping refuses combinations that cannot carry material of this spec.
func (s keySpec) checkWrapping(algorithm, wrappingKeySpec string) error {
	if oaepHash(algorithm) == 0 || wrappingKeyBits(wrappingKeySpec) == 0 {
		return errValidation("Wrapping algorithm %s and wrapping key spec %s cannot be used to import a %s key.", algorithm, wrappingKeySpec, s.name)
	}
	return nil
}

// checkUse refuses an operation or an algorithm that the key is not for.
func (s keySpec) checkUse(arn, operation, usage, algorithm string) error {
	if s.usage != usage {
		return errKeyUsage(arn, s.usage, operation)
	}
	if !slices.Contains(s.encryptionAlgorithms, algorithm) && !slices.Contains(s.macAlgorithms, algorithm) {
		return errAlgorithm(algorithm, s.name)
	}
	return nil
}
