package keymaterial

import (
	"crypto/rand"
	"strings"
	"testing"
)

func TestValidateAccepts(t *testing.T) {
	for _, spec := range []string{"SYMMETRIC_DEFAULT", "HMAC_256"} {
		if err := Validate(newMaterial(counting(0, 32)), spec); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	const (
		symmetric = "A SYMMETRIC_DEFAULT key takes exactly 32 bytes (256 bits) of key material: `openssl rand -out material 32` " +
			"makes some, and where the Secret holds Base64 text, set spec.material.encoding to Base64"
		hmac = "A HMAC_256 key takes exactly 32 bytes (256 bits) of key material: `openssl rand -out material 32` " +
			"makes some, and where the Secret holds Base64 text, set spec.material.encoding to Base64"
	)
	cases := map[string]struct {
		reason  string
		length  int
		keySpec string
		want    string
	}{
		"empty":              {"an empty value is a wrong length", 0, "SYMMETRIC_DEFAULT", symmetric},
		"16 bytes":           {"an AES-128 key", 16, "SYMMETRIC_DEFAULT", symmetric},
		"31 bytes":           {"one short", 31, "SYMMETRIC_DEFAULT", symmetric},
		"33 bytes":           {"a line break came along", 33, "SYMMETRIC_DEFAULT", symmetric},
		"44 bytes":           {"Base64 text declared as Raw", 44, "SYMMETRIC_DEFAULT", symmetric},
		"64 bytes":           {"hex text declared as Raw", 64, "SYMMETRIC_DEFAULT", symmetric},
		"HMAC, empty":        {"an empty value is a wrong length", 0, "HMAC_256", hmac},
		"HMAC, 31 bytes":     {"one short", 31, "HMAC_256", hmac},
		"HMAC, 64 bytes":     {"KMS's pages disagree on longer HMAC keys", 64, "HMAC_256", hmac},
		"RSA key":            {"not in this version", 32, "RSA_2048", `Key material for keys of KeySpec "RSA_2048" is not supported`},
		"key without a spec": {"DescribeKey may leave it out", 32, "", `Key material for keys of KeySpec "" is not supported`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			assertInvalid(t, Validate(newMaterial(counting(0, tc.length)), tc.keySpec), tc.want)
		})
	}
}

func TestCheckStrength(t *testing.T) {
	const refused = "Key material must be random bytes, not text, one repeated byte or a counting sequence: " +
		"`openssl rand` makes some, and where the Secret holds Base64 text, set spec.material.encoding to Base64"
	descending := counting(200, 32)
	for i := range descending {
		descending[i] = 5 - byte(i)
	}
	cases := map[string]struct {
		reason string
		raw    []byte
		weak   bool
	}{
		"zeroes":                       {"all bytes equal", make([]byte, 32), true},
		"0xff":                         {"all bytes equal", []byte(strings.Repeat("\xff", 32)), true},
		"counting up":                  {"00 01 02 ..", counting(0, 32), true},
		"counting up, wrapping":        {"f8 .. ff 00 ..", counting(248, 32), true},
		"counting down, wrapping":      {"05 04 .. 00 ff ..", descending, true},
		"text":                         {"32 letters", []byte("correct horse battery staple 123"), true},
		"hex text":                     {"16 bytes in hex are 32 bytes of text", []byte("0123456789abcdef0123456789abcdee"), true},
		"text with every white space":  {"an editor's line breaks are text too", []byte("pass\tword\r\nwith\vbreaks\fand more\n"), true},
		"text up to the tilde":         {"the last printable character", []byte(strings.Repeat("~ ", 16)), true},
		"text and one DEL":             {"one byte outside is enough to doubt", []byte(strings.Repeat("a", 31) + "\x7f"), false},
		"text and one byte over ASCII": {"UTF-8 is outside the rule", []byte(strings.Repeat("b", 31) + "\xc3"), false},
		"equal but the last":           {"no rule speaks of it", []byte(strings.Repeat("\x00", 31) + "\x01"), false},
		"counting but the last":        {"no rule speaks of it", append(counting(0, 31), 0xff), false},
		"steps of two":                 {"no rule speaks of it", stepping(2, 32), false},
		"30 equal bytes":               {"from 30 bytes on the bound holds", make([]byte, 30), true},
		"29 equal bytes":               {"below that nothing is judged", make([]byte, 29), false},
		"empty":                        {"Validate's business", nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := CheckStrength(newMaterial(tc.raw))
			if tc.weak {
				assertInvalid(t, err, refused)
			} else if err != nil {
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}

func TestCheckStrengthAcceptsRandom(t *testing.T) {
	for range 1000 {
		raw := make([]byte, 32)
		_, _ = rand.Read(raw)
		if err := CheckStrength(newMaterial(raw)); err != nil {
			t.Fatalf("a chance below 2^-43: %v", err)
		}
	}
}

func stepping(step byte, length int) []byte {
	raw := make([]byte, length)
	for i := range raw {
		raw[i] = byte(i) * step
	}
	return raw
}
