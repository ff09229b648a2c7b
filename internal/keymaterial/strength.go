package keymaterial

// judgeable is the length in bytes from which every rule of CheckStrength refuses a uniformly random material with a
// chance below 2^-40. The printable rule decides it: (100/256)^30 = 2^-40.7, (100/256)^29 = 2^-39.3.
const judgeable = 30

// CheckStrength refuses material that no random generator made. Chances of refusing n uniformly random bytes, and at
// n = 32:
//
//	all bytes equal       256 · 256^-n     2^-248
//	a counting sequence   512 · 256^-n     2^-247
//	printable text        (100/256)^n      2^-43.4
//
// Material under 30 bytes is not judged, since the bound of 2^-40 would not hold. Errors are *InvalidError, with one
// sentence for all rules: the rule that was broken would tell a reader of the status what to try.
func CheckStrength(m Material) error {
	raw := m.raw()
	if len(raw) < judgeable {
		return nil
	}
	counting := steps(raw, 1) || steps(raw, 255)
	if steps(raw, 0) || counting || printable(raw) {
		return &InvalidError{"Key material must be random bytes, not text, one repeated byte or a counting sequence: " +
			"`openssl rand` makes some, and where the Secret holds Base64 text, set spec.material.encoding to Base64"}
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

// printable reports whether all bytes are among the 100 of printable ASCII: 95 from space to tilde, and 5 of white
// space.
func printable(raw []byte) bool {
	for _, b := range raw {
		graphic := b >= ' ' && b <= '~'
		space := b >= '\t' && b <= '\r'
		if !graphic && !space {
			return false
		}
	}
	return true
}
