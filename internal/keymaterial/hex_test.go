package keymaterial

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func TestDecodeHex(t *testing.T) {
	decodings{
		"lower case":        {"what `xxd -p` and `openssl rand -hex` write", "00017f80abcdef", "\x00\x01\x7f\x80\xab\xcd\xef"},
		"upper case":        {"either case", "00017F80ABCDEF", "\x00\x01\x7f\x80\xab\xcd\xef"},
		"mixed case":        {"either case", "aBcDeF", "\xab\xcd\xef"},
		"final line break":  {"what `echo` writes", "0001\n", "\x00\x01"},
		"CRLF line breaks":  {"what Windows writes", "0001\r\n0203\r\n", "\x00\x01\x02\x03"},
		"break in a byte":   {"wherever the line breaks", "0\n00\r\n1", "\x00\x01"},
		"space at the ends": {"every kind of it", " \t\r\n\v\f0001\f\v\n\r\t ", "\x00\x01"},
		"empty":             {"an empty value is a wrong length", "", ""},
		"white space only":  {"the same", " \r\n", ""},
	}.run(t, "Hex")
}

func TestDecodeHexRefuses(t *testing.T) {
	refusals{
		"odd number":           {"a digit is missing, and nobody knows where", "000"},
		"0x":                   {"a program's spelling", "0x0001"},
		"colons":               {"a certificate viewer's spelling", "00:01"},
		"spaces inside":        {"only line breaks are ignored inside", "00 01"},
		"not a digit":          {"not hex", "000g"},
		"lone carriage return": {"it ends no line", "00\r01"},
		"fullwidth digits":     {"they are others", "００"},
		"raw bytes":            {"the encoding was declared by mistake", "\x00\x01\x02\xff"},
	}.run(t, "Hex", "With spec.material.encoding Hex the Secret must hold hexadecimal text: "+
		"two of the digits 0-9, a-f and A-F for each byte, and nothing else but line breaks")
}

func FuzzDecodeHex(f *testing.F) {
	for _, seed := range []string{"", "0001", "aBcD", " 00\r\n01", "000", "0x00", "\x00\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		decoded, err := Decode(Hex, data)
		if err == nil {
			text := strings.NewReplacer("\r\n", "", "\n", "").Replace(strings.Trim(string(data), " \t\n\v\f\r"))
			if !strings.EqualFold(hex.EncodeToString(decoded.raw()), text) {
				t.Errorf("accepted %q, which is not the encoding of what it decoded to", text)
			}
		}
		if !bytes.Equal(before, data) {
			t.Error("Decode wrote into the caller's buffer")
		}
	})
}
