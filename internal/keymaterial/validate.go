package keymaterial

import "fmt"

// Validate checks that the material is what a key of this KeySpec takes. Errors are *InvalidError.
func Validate(m Material, keySpec string) error {
	expected, known := exactLength(keySpec)
	if !known {
		return &InvalidError{fmt.Sprintf("Key material for keys of KeySpec %q is not supported", keySpec)}
	}
	if m.Len() != expected {
		// One sentence for every wrong length, an empty value included: which one it is, is the Secret's own business.
		return &InvalidError{fmt.Sprintf("A %s key takes exactly %d bytes (%d bits) of key material: "+
			"`openssl rand -out material %d` makes some, and where the Secret holds Base64 text, "+
			"set spec.material.encoding to Base64", keySpec, expected, 8*expected, expected)}
	}
	return nil
}

// exactLength is the length in bytes that KMS surely accepts for a key spec
// (https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html). Its pages disagree on
// whether an HMAC key may be longer than its spec says; the spec's own length is right under both readings.
func exactLength(keySpec string) (int, bool) {
	switch keySpec {
	case "SYMMETRIC_DEFAULT", "HMAC_256":
		return 32, true
	default:
		return 0, false
	}
}
