package keymaterial

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"testing"
)

const notRandom = "Key material must be random bytes, not text, one repeated byte, a counting sequence or a private key: " +
	"`openssl rand` makes some, and where the Secret holds Base64 or hex text, set spec.material.encoding to Base64 or Hex"

func TestCheckStrength(t *testing.T) {
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
		"28 equal bytes":               {"HMAC_224", make([]byte, 28), true},
		"28 counting bytes":            {"HMAC_224", counting(9, 28), true},
		"28 bytes of text":             {"HMAC_224: (95/256)^28 is below 2^-40", []byte("correct horse battery staple"), true},
		"text and a line break, 28":    {"what `echo` makes of a password", []byte("correct horse battery stapl\n"), true},
		"text with a break inside, 28": {"with white space anywhere the bound would not hold", []byte("correct horse\nbattery staple"), false},
		"text with a tab inside, 28":   {"with white space anywhere the bound would not hold", []byte("correct horse\tbattery staple"), false},
		"text and two breaks, 28":      {"only one is left out", []byte("correct horse battery stap\n\n"), false},
		"text with a tab inside, 29":   {"nor at 29: (100/256)^29 is 2^-39.3", []byte("correct horse\tbattery staple!"), false},
		"text with a tab inside, 30":   {"(100/256)^30 is 2^-40.7", []byte("correct horse\tbattery staple!!"), true},
		"48 bytes of text":             {"HMAC_384", []byte(strings.Repeat("correct horse b ", 3)), true},
		"64 equal bytes":               {"HMAC_512", []byte(strings.Repeat("\x55", 64)), true},
		"27 equal bytes":               {"no key takes less than 28", make([]byte, 27), false},
		"empty":                        {"Validate's business", nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := CheckStrength(newMaterial(tc.raw), "HMAC_256")
			if tc.weak {
				assertInvalid(t, err, notRandom)
			} else if err != nil {
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}

// Private keys in DER that are as long as an HMAC key, and what only looks like one.
func TestCheckStrengthKnowsPrivateKeys(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	montgomery, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	scalar := make([]byte, 32)
	_, _ = rand.Read(scalar)
	named := sec1(t, ecPrivateKey{Version: 1, PrivateKey: scalar, Parameters: curveName(t, 1, 3, 132, 0, 10)})
	unnamed := sec1(t, ecPrivateKey{Version: 1, PrivateKey: scalar})
	secp256k1, ok := marshalPKCS8(ecPublicKey(), marshal(t, asn1.ObjectIdentifier{1, 3, 132, 0, 10}), unnamed)
	if !ok {
		t.Fatal("there is no PKCS#8 of the key")
	}
	ed25519DER := pkcs8Of(t, edwards)
	cases := map[string]struct {
		reason string
		spec   string
		raw    []byte
		length int
		key    bool
	}{
		"Ed25519, PKCS#8":   {"RFC 8410, section 7", "HMAC_384", ed25519DER, 48, true},
		"X25519, PKCS#8":    {"RFC 8410, section 7", "HMAC_384", pkcs8Of(t, montgomery), 48, true},
		"secp256k1, SEC 1":  {"with its curve, without its public key", "HMAC_384", named, 48, true},
		"secp256k1, PKCS#8": {"without its public key", "HMAC_512", secp256k1, 64, true},
		"a symmetric key":   {"the rule knows no lengths", "SYMMETRIC_DEFAULT", unnamed, 39, true},
		"another version":   {"PKCS#8 has 0 and 1", "HMAC_384", changed(ed25519DER, 4), 48, false},
		"another length":    {"it does not end where the key does", "HMAC_384", changed(ed25519DER, 1), 48, false},
		"another tag":       {"the seed is an OCTET STRING", "HMAC_384", changed(ed25519DER, 12), 48, false},
		"a byte more":       {"it is not all of the material", "HMAC_384", append(bytes.Clone(ed25519DER), 0), 49, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if len(tc.raw) != tc.length {
				t.Errorf("%s: %d bytes, want %d", tc.reason, len(tc.raw), tc.length)
			}
			before := bytes.Clone(tc.raw)
			err := CheckStrength(newMaterial(tc.raw), tc.spec)
			if tc.key {
				assertInvalid(t, err, notRandom)
			} else if err != nil {
				t.Errorf("%s: %v", tc.reason, err)
			}
			if !bytes.Equal(before, tc.raw) {
				t.Error("CheckStrength wrote into the material")
			}
		})
	}
}

func pkcs8Of(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// changed is raw with another value in one place.
func changed(raw []byte, place int) []byte {
	other := bytes.Clone(raw)
	other[place] += 2
	return other
}

// The bytes of a private key are no random ones, and say nothing about how it was made.
func TestCheckStrengthIsForRawMaterial(t *testing.T) {
	for spec, judged := range map[string]bool{
		"SYMMETRIC_DEFAULT": true, "HMAC_224": true, "HMAC_256": true, "HMAC_384": true, "HMAC_512": true,
		"RSA_2048": false, "RSA_3072": false, "RSA_4096": false,
		"ECC_NIST_P256": false, "ECC_NIST_P384": false, "ECC_NIST_P521": false, "ECC_SECG_P256K1": false, "ML_DSA_44": false,
	} {
		if err := CheckStrength(newMaterial(make([]byte, 64)), spec); (err != nil) != judged {
			t.Errorf("%s: error %v", spec, err)
		}
	}
}

func TestCheckStrengthAcceptsRandom(t *testing.T) {
	for spec, length := range map[string]int{"SYMMETRIC_DEFAULT": 32, "HMAC_224": 28, "HMAC_384": 48, "HMAC_512": 64} {
		for range 1000 {
			raw := make([]byte, length)
			_, _ = rand.Read(raw)
			if err := CheckStrength(newMaterial(raw), spec); err != nil {
				t.Fatalf("%s, a chance below 2^-40: %v", spec, err)
			}
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
