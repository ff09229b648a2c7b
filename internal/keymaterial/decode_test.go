package keymaterial

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// decodings are what a table of accepted spellings holds.
type decodings map[string]struct {
	reason string
	data   string
	want   string
}

func (table decodings) run(t *testing.T, encoding Encoding) {
	t.Helper()
	for name, tc := range table {
		t.Run(name, func(t *testing.T) {
			m, err := Decode(encoding, []byte(tc.data))
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if !bytes.Equal(m.raw(), []byte(tc.want)) || m.Len() != len(tc.want) {
				t.Errorf("%s: decoded other bytes", tc.reason)
			}
		})
	}
}

// refusals are what a table of refused spellings holds.
type refusals map[string]struct {
	reason string
	data   string
}

func (table refusals) run(t *testing.T, encoding Encoding, want string) {
	t.Helper()
	for name, tc := range table {
		t.Run(name, func(t *testing.T) {
			m, err := Decode(encoding, []byte(tc.data))
			assertInvalid(t, err, want)
			if m.Len() != 0 {
				t.Errorf("%s: material came with the error", tc.reason)
			}
		})
	}
}

func assertInvalid(t *testing.T, err error, want string) {
	t.Helper()
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Error() != want {
		t.Errorf("error %v, want *InvalidError %s", err, want)
	}
}

func TestDecodeRaw(t *testing.T) {
	decodings{
		"any bytes":       {"as they are", "\x00\x01\xff", "\x00\x01\xff"},
		"with line break": {"Raw never trims: the byte may belong to the key", "abc\n", "abc\n"},
		"empty":           {"an empty value is a wrong length, which Validate explains", "", ""},
		"at the cap":      {"65536 bytes are still decoded", strings.Repeat("x", 65536), strings.Repeat("x", 65536)},
	}.run(t, "Raw")
}

func TestDecodeCapsItsInput(t *testing.T) {
	for _, encoding := range []Encoding{"Raw", "Base64", "Hex", "PEM", "Base32"} {
		t.Run(string(encoding), func(t *testing.T) {
			refusals{
				"over the cap": {"even if it were mostly white space", strings.Repeat(" ", 65537)},
			}.run(t, encoding, "Key material takes at most 65536 bytes in the Secret")
		})
	}
}

func TestDecodeRefusesOtherEncodings(t *testing.T) {
	for _, encoding := range []Encoding{"", "raw", "Base32", "DER"} {
		t.Run(string(encoding), func(t *testing.T) {
			refusals{
				"anything": {"an encoding is never guessed", "00"},
			}.run(t, encoding, "The encoding of key material is Raw, Base64, Hex or PEM")
		})
	}
}

func TestDecodeCopies(t *testing.T) {
	for encoding, text := range map[Encoding]string{
		Raw: "0123", Base64: "AAEC", Hex: "0001", PEM: testPEM(t, "ECC_NIST_P256.pkcs8"), "PEM of SEC 1": testPEM(t, "ECC_NIST_P256"),
	} {
		data := []byte(text)
		encoding, _, _ := strings.Cut(string(encoding), " ")
		m, err := Decode(Encoding(encoding), data)
		if err != nil {
			t.Fatal(err)
		}
		m.Destroy()
		if string(data) != text {
			t.Errorf("%s: Destroy reached into the caller's buffer", encoding)
		}
	}
}

func FuzzDecodeRaw(f *testing.F) {
	f.Add([]byte("\x00\xff\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := Decode(Raw, data)
		if err == nil && !bytes.Equal(raw.raw(), data) {
			t.Error("Raw changed bytes")
		}
	})
}
