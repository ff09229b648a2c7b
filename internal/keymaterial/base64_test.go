package keymaterial

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

func TestDecodeBase64(t *testing.T) {
	decodings{
		"standard alphabet":     {"+ and /", "+/+/AAECAw==", "\xfb\xff\xbf\x00\x01\x02\x03"},
		"URL-safe alphabet":     {"- and _", "-_-_AAECAw==", "\xfb\xff\xbf\x00\x01\x02\x03"},
		"one pad":               {"one character of padding", "AAECAwQ=", "\x00\x01\x02\x03\x04"},
		"no padding, 1 missing": {"what URL-safe encoders write", "AAECAwQ", "\x00\x01\x02\x03\x04"},
		"no padding, 2 missing": {"what URL-safe encoders write", "AA", "\x00"},
		"URL-safe, no padding":  {"what URL-safe encoders write", "-_-_AAECAw", "\xfb\xff\xbf\x00\x01\x02\x03"},
		"final line break":      {"what `base64` and `echo` write", "AAEC\n", "\x00\x01\x02"},
		"CRLF line breaks":      {"what Windows writes", "AAEC\r\nAwQF\r\n", "\x00\x01\x02\x03\x04\x05"},
		"break in a group":      {"wherever the line breaks", "A\nAE\r\nC", "\x00\x01\x02"},
		"break in padding":      {"wherever the line breaks", "AA=\n=", "\x00"},
		"space at the ends":     {"every kind of it", " \t\r\n\v\fAAEC\f\v\n\r\t ", "\x00\x01\x02"},
		"empty":                 {"an empty value is a wrong length", "", ""},
		"white space only":      {"the same", " \r\n", ""},
	}.run(t, "Base64")
}

func TestDecodeBase64Refuses(t *testing.T) {
	refusals{
		"both alphabets":       {"no encoder writes both", "+/-_AAEC"},
		"one pad of two":       {"a cut-off copy", "AA="},
		"one character over":   {"no number of bytes is spelled so", "AAECA"},
		"too much padding":     {"not base64", "AAEC="},
		"padding only":         {"not base64", "="},
		"text after padding":   {"two texts run together", "AA==AA=="},
		"loose trailing bits":  {"one material has one spelling", "AB=="},
		"loose bits, unpadded": {"one material has one spelling", "AB"},
		"space inside":         {"only line breaks are ignored inside", "AAEC AwQF"},
		"tab inside":           {"only line breaks are ignored inside", "AAEC\tAwQF"},
		"lone carriage return": {"it ends no line", "AAEC\rAwQF"},
		"two carriage returns": {"one of them ends no line", "AAEC\r\r\nAwQF"},
		"byte order mark":      {"not base64", "\ufeffAAEC"},
		"raw bytes":            {"the encoding was declared by mistake", "\x00\x01\x02\xff"},
		"PEM":                  {"the encoding was declared by mistake", "-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE KEY-----\n"},
	}.run(t, "Base64", "With spec.material.encoding Base64 the Secret must hold Base64 text: the standard alphabet (with + and /) "+
		"or the URL-safe one (with - and _), all of its padding or none, and nothing else but line breaks")
}

func FuzzDecodeBase64(f *testing.F) {
	for _, seed := range []string{"", "AAEC", "AAECAwQ=", " AA==\r\n", "A\nA\nE\nC", "AAEC\rAwQF", "-_-_", "-_", "+/-_", "\x00\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		decoded, err := Decode(Base64, data)
		if err == nil {
			text := strings.NewReplacer("\r\n", "", "\n", "").Replace(strings.Trim(string(data), " \t\n\v\f\r"))
			raw, spelled := decoded.raw(), false
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
				spelled = spelled || encoding.EncodeToString(raw) == text
			}
			if !spelled {
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
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			text := encoding.EncodeToString(raw)
			if width > 0 && width < len(text) {
				text = text[:width] + "\r\n" + text[width:] + "\n"
			}
			m, err := Decode(Base64, []byte(text))
			if len(text) <= 65536 && (err != nil || !bytes.Equal(m.raw(), raw)) {
				t.Errorf("%q does not round-trip: %v", text, err)
			}
		}
	})
}
