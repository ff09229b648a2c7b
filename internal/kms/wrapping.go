package kms

import "crypto"

// Wrapping says how material is encrypted on its way to KMS.
type Wrapping struct {
	Algorithm WrappingAlgorithm
	KeySpec   WrappingKeySpec
}

// WrappingAlgorithm is how material is encrypted under the wrapping public key.
type WrappingAlgorithm string

// The wrapping algorithms. OAEP has the named hash for both OAEP and MGF1, and an empty label (RFC 8017, section 7.1).
// The other two wrap the material with AES key wrap with padding (RFC 5649) under a random AES-256 key, and that with
// OAEP; they are for private keys.
const (
	RSAESOAEPSHA1       WrappingAlgorithm = "RSAES_OAEP_SHA_1"
	RSAESOAEPSHA256     WrappingAlgorithm = "RSAES_OAEP_SHA_256"
	RSAAESKeyWrapSHA1   WrappingAlgorithm = "RSA_AES_KEY_WRAP_SHA_1"
	RSAAESKeyWrapSHA256 WrappingAlgorithm = "RSA_AES_KEY_WRAP_SHA_256"
)

// WrappingKeySpec is the size of the wrapping key.
type WrappingKeySpec string

// The RSA wrapping keys.
const (
	WrappingKeyRSA2048 WrappingKeySpec = "RSA_2048"
	WrappingKeyRSA3072 WrappingKeySpec = "RSA_3072"
	WrappingKeyRSA4096 WrappingKeySpec = "RSA_4096"
)

// Bits is the modulus length in bits; 0 for a spec this package does not know.
func (s WrappingKeySpec) Bits() int {
	switch s {
	case WrappingKeyRSA2048:
		return 2048
	case WrappingKeyRSA3072:
		return 3072
	case WrappingKeyRSA4096:
		return 4096
	default:
		return 0
	}
}

// maxEncryptedKeyMaterial is the most that ImportKeyMaterial takes in bytes
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html, EncryptedKeyMaterial).
const maxEncryptedKeyMaterial = 6144

// Limit is the length in bytes of the longest material that fits; 0 for a wrapping this package does not know.
func (w Wrapping) Limit() int {
	modulus := w.KeySpec.Bits() / 8
	if modulus == 0 {
		return 0
	}
	switch w.Algorithm {
	case RSAESOAEPSHA1:
		return modulus - 2*crypto.SHA1.Size() - 2 // RFC 8017, section 7.1.1
	case RSAESOAEPSHA256:
		return modulus - 2*crypto.SHA256.Size() - 2
	case RSAAESKeyWrapSHA1, RSAAESKeyWrapSHA256:
		return maxEncryptedKeyMaterial - modulus - 8 // RFC 5649 pads to a multiple of 8 bytes and adds 8
	default:
		return 0
	}
}

// Choice is what ChooseWrapping found.
type Choice struct {
	// Wrapping is zero where nothing that was asked for is possible.
	Wrapping Wrapping
	// Limit is then the length in bytes of the longest material that it takes; 0 where KMS does not take it for such a
	// key at all.
	Limit int
}

// ChooseWrapping is the strongest wrapping that a KMS of this dialect takes for material of so many bytes in a key of
// this spec, and that has what asked names. Where the length is not known yet, it is 0: then the usual one counts, and
// never less than that, for KMS goes by the spec.
func ChooseWrapping(dialect Dialect, spec KeySpec, bytes int, asked Wrapping) Choice {
	imported, _ := spec.Imported()
	bytes = max(bytes, imported.Bytes)
	limit := 0
	for _, wrapping := range wrappings(dialect, spec) {
		named := (asked.Algorithm == "" || asked.Algorithm == wrapping.Algorithm) &&
			(asked.KeySpec == "" || asked.KeySpec == wrapping.KeySpec)
		if !named {
			continue
		}
		if bytes <= wrapping.Limit() {
			return Choice{Wrapping: wrapping, Limit: wrapping.Limit()}
		}
		limit = max(limit, wrapping.Limit())
	}
	return Choice{Limit: limit}
}

// Imports reports whether a KMS of this dialect imports material into keys of this spec.
func (d Dialect) Imports(spec KeySpec) bool { return len(wrappings(d, spec)) > 0 }

// wrappings are those that a KMS takes for keys of a spec, whether or not their material fits, strongest first: SHA-256
// before SHA-1, the larger key first, and OAEP alone before OAEP with AES, where one step does.
func wrappings(dialect Dialect, spec KeySpec) []Wrapping {
	imported, importable := spec.Imported()
	if !importable {
		return nil
	}
	switch dialect {
	case DialectQKMS:
		if spec != KeySpecSymmetricDefault {
			return nil
		}
		return product([]WrappingAlgorithm{RSAESOAEPSHA256, RSAESOAEPSHA1}, []WrappingKeySpec{WrappingKeyRSA2048})
	case DialectAWS:
	}
	keys := []WrappingKeySpec{WrappingKeyRSA4096, WrappingKeyRSA3072, WrappingKeyRSA2048}
	if !imported.PrivateKey {
		return product([]WrappingAlgorithm{RSAESOAEPSHA256, RSAESOAEPSHA1}, keys)
	}
	return product([]WrappingAlgorithm{RSAESOAEPSHA256, RSAAESKeyWrapSHA256, RSAESOAEPSHA1, RSAAESKeyWrapSHA1}, keys)
}

func product(algorithms []WrappingAlgorithm, keys []WrappingKeySpec) []Wrapping {
	all := make([]Wrapping, 0, len(algorithms)*len(keys))
	for _, algorithm := range algorithms {
		for _, key := range keys {
			all = append(all, Wrapping{Algorithm: algorithm, KeySpec: key})
		}
	}
	return all
}
