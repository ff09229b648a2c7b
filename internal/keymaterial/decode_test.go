package keymaterial

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	cases := map[string]struct {
		reason   string
		encoding Encoding
		data     string
		want     string
	}{
		"raw":                       {"bytes as they are", "Raw", "\x00\x01\xff", "\x00\x01\xff"},
		"raw with line break":       {"Raw never trims: the byte may belong to the key", "Raw", "abc\n", "abc\n"},
		"raw, empty":                {"an empty value is a wrong length, which Validate explains", "Raw", "", ""},
		"raw at the cap":            {"65536 bytes are still decoded", "Raw", strings.Repeat("x", 65536), strings.Repeat("x", 65536)},
		"base64":                    {"the standard alphabet", "Base64", "+/+/AAECAw==", "\xfb\xff\xbf\x00\x01\x02\x03"},
		"base64, one pad":           {"one character of padding", "Base64", "AAECAwQ=", "\x00\x01\x02\x03\x04"},
		"base64, final line break":  {"what `base64` and `echo` write", "Base64", "AAEC\n", "\x00\x01\x02"},
		"base64, CRLF line breaks":  {"what Windows writes", "Base64", "AAEC\r\nAwQF\r\n", "\x00\x01\x02\x03\x04\x05"},
		"base64, break in a group":  {"wherever the line breaks", "Base64", "A\nAE\r\nC", "\x00\x01\x02"},
		"base64, break in padding":  {"wherever the line breaks", "Base64", "AA=\n=", "\x00"},
		"base64, space at the ends": {"every kind of it", "Base64", " \t\r\n\v\fAAEC\f\v\n\r\t ", "\x00\x01\x02"},
		"base64, empty":             {"an empty value is a wrong length", "Base64", "", ""},
		"base64, white space only":  {"the same", "Base64", " \r\n", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m, err := Decode(tc.encoding, []byte(tc.data))
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			if !bytes.Equal(m.raw(), []byte(tc.want)) || m.Len() != len(tc.want) {
				t.Errorf("%s: decoded other bytes", tc.reason)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	const notBase64 = "With spec.material.encoding Base64 the Secret must hold Base64 text: " +
		"the standard alphabet (A-Z, a-z, 0-9, + and /) with padding, and nothing else but line breaks"
	cases := map[string]struct {
		reason   string
		encoding Encoding
		data     string
		want     string
	}{
		"URL alphabet":         {"declared, never guessed", "Base64", "-_-_AAEC", notBase64},
		"no padding":           {"a cut-off copy looks the same", "Base64", "AAECAwQ", notBase64},
		"one pad of two":       {"a cut-off copy", "Base64", "AA=", notBase64},
		"too much padding":     {"not base64", "Base64", "AAEC=", notBase64},
		"text after padding":   {"two texts run together", "Base64", "AA==AA==", notBase64},
		"loose trailing bits":  {"one material has one spelling", "Base64", "AB==", notBase64},
		"space inside":         {"only line breaks are ignored inside", "Base64", "AAEC AwQF", notBase64},
		"tab inside":           {"only line breaks are ignored inside", "Base64", "AAEC\tAwQF", notBase64},
		"lone carriage return": {"it ends no line", "Base64", "AAEC\rAwQF", notBase64},
		"two carriage returns": {"one of them ends no line", "Base64", "AAEC\r\r\nAwQF", notBase64},
		"byte order mark":      {"not base64", "Base64", "\ufeffAAEC", notBase64},
		"raw bytes":            {"the encoding was declared by mistake", "Base64", "\x00\x01\x02\xff", notBase64},
		"over the cap, Raw": {
			"the size is checked before anything is parsed", "Raw", strings.Repeat("x", 65537),
			"Key material takes at most 65536 bytes in the Secret",
		},
		"over the cap, Base64": {
			"even if it were mostly white space", "Base64", strings.Repeat(" ", 65537),
			"Key material takes at most 65536 bytes in the Secret",
		},
		"unknown encoding": {"never guessed", "Hex", "00", "The encoding of key material is Raw or Base64"},
		"no encoding":      {"never guessed", "", "00", "The encoding of key material is Raw or Base64"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			m, err := Decode(tc.encoding, []byte(tc.data))
			assertInvalid(t, err, tc.want)
			if m.Len() != 0 {
				t.Errorf("%s: material came with the error", tc.reason)
			}
		})
	}
}

func TestDecodeCopies(t *testing.T) {
	for encoding, text := range map[Encoding]string{Raw: "0123", Base64: "AAEC"} {
		data := []byte(text)
		m, err := Decode(encoding, data)
		if err != nil {
			t.Fatal(err)
		}
		m.Destroy()
		if string(data) != text {
			t.Errorf("%s: Destroy reached into the caller's buffer", encoding)
		}
	}
}

func assertInvalid(t *testing.T, err error, want string) {
	t.Helper()
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Error() != want {
		t.Errorf("error %v, want *InvalidError %s", err, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "AAEC", "AAECAwQ=", " AA==\r\n", "A\nA\nE\nC", "AAEC\rAwQF", "-_-_", "\x00\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		raw, err := Decode(Raw, data)
		if err == nil && !bytes.Equal(raw.raw(), data) {
			t.Error("Raw changed bytes")
		}
		decoded, err := Decode(Base64, data)
		if err == nil {
			text := strings.NewReplacer("\r\n", "", "\n", "").Replace(strings.Trim(string(data), " \t\n\v\f\r"))
			if got := base64.StdEncoding.EncodeToString(decoded.raw()); got != text {
				t.Errorf("accepted %q, which is not the encoding of what it decoded to", text)
			}
		}
		if !bytes.Equal(before, data) {
			t.Error("Decode wrote into the caller's buffer")
		}
	})
}

func FuzzBase64RoundTrip(f *testing.F) {
	f.Add(counting(0, 32), 64)
	f.Fuzz(func(t *testing.T, raw []byte, width int) {
		text := base64.StdEncoding.EncodeToString(raw)
		if width > 0 && width < len(text) {
			text = text[:width] + "\r\n" + text[width:] + "\n"
		}
		m, err := Decode(Base64, []byte(text))
		if len(text) <= 65536 && (err != nil || !bytes.Equal(m.raw(), raw)) {
			t.Errorf("%q does not round-trip: %v", text, err)
		}
	})
}
