package keymaterial

import (
	"fmt"
	"strings"
	"testing"
)

// A test vector, computed apart from this package (Python's hmac module): key 00 01 .. 1f, material 64 65 .. 83.
const (
	vectorARN         = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	vectorFingerprint = "hmac-sha256:a2c6ea3dd9b4388b:492ce520209a91cad04df6e21828459ad1eb2eeebe8a216867ac5344275eec6b"
)

func TestFingerprintGolden(t *testing.T) {
	got := newTestFingerprinter(t, counting(0, 32)).Fingerprint(vectorARN, newMaterial(counting(100, 32)))
	if got != vectorFingerprint {
		t.Errorf("fingerprint = %s, want %s", got, vectorFingerprint)
	}
}

func TestFingerprintDiffers(t *testing.T) {
	base := newTestFingerprinter(t, counting(0, 32))
	cases := map[string]struct {
		reason      string
		fingerprint Fingerprint
	}{
		"other material": {
			"two materials of one key are told apart",
			base.Fingerprint(vectorARN, newMaterial(counting(101, 32))),
		},
		"other key ARN": {
			"equal material in two keys must not be linked",
			base.Fingerprint(vectorARN+"c", newMaterial(counting(100, 32))),
		},
		"other fingerprint key": {
			"a fingerprint can be made by this operator only",
			newTestFingerprinter(t, counting(1, 32)).Fingerprint(vectorARN, newMaterial(counting(100, 32))),
		},
		"a byte moved from ARN to material": {
			"each field is behind its length, so the boundary counts",
			base.Fingerprint(vectorARN[:len(vectorARN)-1], newMaterial(append([]byte{'b'}, counting(100, 32)...))),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.fingerprint == vectorFingerprint {
				t.Errorf("%s: the fingerprint is the same", tc.reason)
			}
		})
	}
}

func TestFingerprinterKnows(t *testing.T) {
	fingerprinter := newTestFingerprinter(t, counting(0, 32))
	cases := map[string]struct {
		reason string
		text   string
		want   bool
	}{
		"its own":         {"made under this key", vectorFingerprint, true},
		"lost key":        {"another key's identifier", strings.Replace(vectorFingerprint, "a2c6ea3dd9b4388b", "0123456789abcdef", 1), false},
		"empty":           {"a record without a fingerprint", "", false},
		"prefix only":     {"cut short", "hmac-sha256:a2c6ea3dd9b4388b:", false},
		"too short":       {"cut short by a digit", vectorFingerprint[:len(vectorFingerprint)-1], false},
		"too long":        {"a digit more", vectorFingerprint + "0", false},
		"upper case":      {"not the text form", strings.ToUpper(vectorFingerprint), false},
		"not hexadecimal": {"not the text form", vectorFingerprint[:len(vectorFingerprint)-1] + "g", false},
		"other algorithm": {"made by a version to come", strings.Replace(vectorFingerprint, "hmac-sha256", "hmac-sha512", 1), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := fingerprinter.Knows(tc.text); got != tc.want {
				t.Errorf("%s: Knows = %t, want %t", tc.reason, got, tc.want)
			}
		})
	}
}

func TestNewFingerprinterCopiesItsKey(t *testing.T) {
	key := counting(0, 32)
	fingerprinter := newTestFingerprinter(t, key)
	clear(key)
	if got := fingerprinter.Fingerprint(vectorARN, newMaterial(counting(100, 32))); got != vectorFingerprint {
		t.Error("clearing the caller's key changed the fingerprint")
	}
}

func TestNewFingerprinterRefusesOtherLengths(t *testing.T) {
	for _, length := range []int{0, 16, 31, 33, 64} {
		_, err := NewFingerprinter(counting(0, length))
		if err == nil || err.Error() != "a fingerprint key has exactly 32 bytes" {
			t.Errorf("key of %d bytes: error %v", length, err)
		}
	}
}

func TestFingerprinterRedacts(t *testing.T) {
	key := counting(160, 32)
	fingerprinter := newTestFingerprinter(t, key)
	type holder struct{ fingerprinter Fingerprinter }
	for _, value := range []any{fingerprinter, &fingerprinter, holder{fingerprinter}, &holder{fingerprinter}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%q", "%d"} {
			assertNoTrace(t, fmt.Sprintf(verb, value), key)
		}
	}
}

func newTestFingerprinter(t *testing.T, key []byte) Fingerprinter {
	t.Helper()
	fingerprinter, err := NewFingerprinter(key)
	if err != nil {
		t.Fatal(err)
	}
	return fingerprinter
}

// counting is a made-up secret: length bytes that count up from start.
func counting(start byte, length int) []byte {
	raw := make([]byte, length)
	for i := range raw {
		raw[i] = start + byte(i)
	}
	return raw
}
