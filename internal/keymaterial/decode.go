package keymaterial

import (
	"bytes"
	"encoding/base64"
	"fmt"
)

// Encoding is how the value of a Secret spells the material: spec.material.encoding, declared and never guessed.
type Encoding string

// The encodings.
const (
	// Raw takes the bytes as they are.
	Raw Encoding = "Raw"
	// Base64 is the standard alphabet with padding (RFC 4648, section 4). Line breaks, and white space at both ends,
	// are ignored.
	Base64 Encoding = "Base64"
)

// maxInput caps in bytes what is decoded at all. The longest material KMS takes is a PKCS#8 RSA_4096 key of under
// 3 KiB, so this leaves room for every encoding of it.
const maxInput = 64 << 10

// InvalidError says what shape of key material was expected. It says nothing about what was found, so its text can
// stand in a status condition.
type InvalidError struct {
	expected string
}

func (e *InvalidError) Error() string { return e.expected }

// Decode reads the value of a Secret. The material is a copy: data stays the caller's. Errors are *InvalidError.
func Decode(encoding Encoding, data []byte) (Material, error) {
	if len(data) > maxInput {
		return Material{}, &InvalidError{fmt.Sprintf("Key material takes at most %d bytes in the Secret", maxInput)}
	}
	switch encoding {
	case Raw:
		return newMaterial(bytes.Clone(data)), nil
	case Base64:
		return decodeBase64(data)
	default:
		return Material{}, &InvalidError{"The encoding of key material is Raw or Base64"}
	}
}

// asciiSpace is the white space that is ignored at both ends of encoded text.
const asciiSpace = " \t\n\v\f\r"

func decodeBase64(data []byte) (Material, error) {
	text := withoutLineBreaks(bytes.Trim(data, asciiSpace))
	defer clear(text) // as good as the material itself

	raw := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(raw, text)
	// Decode skips a carriage return wherever it stands, also where it ends no line.
	if err != nil || bytes.ContainsRune(text, '\r') {
		clear(raw)
		// The cause is dropped on purpose: it tells where in the Secret the offending byte stands.
		return Material{}, &InvalidError{"With spec.material.encoding Base64 the Secret must hold Base64 text: " +
			"the standard alphabet (A-Z, a-z, 0-9, + and /) with padding, and nothing else but line breaks"}
	}
	return newMaterial(raw[:n]), nil
}

// withoutLineBreaks copies text and leaves out "\n" and "\r\n".
func withoutLineBreaks(text []byte) []byte {
	kept := make([]byte, 0, len(text))
	for i, b := range text {
		lineBreak := b == '\n' || b == '\r' && i+1 < len(text) && text[i+1] == '\n'
		if !lineBreak {
			kept = append(kept, b)
		}
	}
	return kept
}
