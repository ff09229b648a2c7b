package keymaterial

import "bytes"

// CheckStrength refuses raw material of a symmetric or HMAC key that no random generator made. Chances of refusing n
// uniformly random bytes, and at the 28 of HMAC_224, the least that any key takes:
//
//	all bytes equal       256 · 256^-n              2^-216
//	a counting sequence   512 · 256^-n              2^-215
//	printable text        see printable             2^-40.03
//	a private key         3 · 256^-6, isPrivateKey  2^-46.4
//
// Together, too, they stay below 2^-40 at every length that KMS takes; shorter material is not judged. Material of
// private keys is not judged either: its bytes are no random ones. Errors are *InvalidError, with one sentence for all
// rules: the rule that was broken would tell a reader of the status what to try.
func CheckStrength(m Material, keySpec string) error {
	raw := m.raw()
	spec, _ := specOf(keySpec)
	if _, random := spec.shape.(randomBytes); !random || len(raw) < judgeable {
		return nil
	}
	counting := steps(raw, 1) || steps(raw, 255)
	if steps(raw, 0) || counting || printable(raw) || isPrivateKey(raw) {
		return &InvalidError{"Key material must be random bytes, not text, one repeated byte, a counting sequence or a private key: " +
			"`openssl rand` makes some, and where the Secret holds Base64 or hex text, set spec.material.encoding to Base64 or Hex"}
	}
	return nil
}

// steps reports whether each byte is the one before it plus step, modulo 256.
func steps(raw []byte, step byte) bool {
	for i := 1; i < len(raw); i++ {
		if raw[i] != raw[i-1]+step {
			return false
		}
	}
	return true
}

// judgeable is the length in bytes from which the rules hold their bound.
const judgeable = 28

// spaced is the length in bytes from which text may have white space in any place: (100/256)^30 = 2^-40.7, and
// (100/256)^29 = 2^-39.3.
const spaced = 30

// printable reports whether all bytes are among the 100 of printable ASCII: 95 from space to tilde, and 5 of white
// space. Under 30 bytes that would be said of random ones too often. There only the 95 count, but for a line break at
// the end: (95/256)^28 + (95/256)^27/256 = 2^-40.03.
func printable(raw []byte) bool {
	whiteSpace := len(raw) >= spaced
	if !whiteSpace {
		raw = bytes.TrimSuffix(raw, []byte("\n"))
	}
	for _, b := range raw {
		graphic := b >= ' ' && b <= '~'
		space := whiteSpace && b >= '\t' && b <= '\r'
		if !graphic && !space {
			return false
		}
	}
	return true
}

// isPrivateKey reports whether raw is a private key in DER, PKCS#8 or SEC 1, of any algorithm. Some are as long as HMAC
// keys: PKCS#8 of an Ed25519 or X25519 key, and SEC 1 of a secp256k1 key, have 48 bytes, PKCS#8 of that has 64. Six bytes
// at the start leave three choices for each length: SEQUENCE and its length, a version of 0 or 1 as INTEGER, and
// SEQUENCE; or the same with the version 1 alone and OCTET STRING.
func isPrivateKey(raw []byte) bool {
	info, isPKCS8 := parsePKCS8(raw)
	defer clear(info.PrivateKey)
	key, isSEC1 := parseEC(raw)
	defer clear(key.PrivateKey)
	return isPKCS8 || isSEC1
}
