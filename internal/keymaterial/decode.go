package keymaterial

import (
	"bytes"
	"fmt"
)

// Encoding is how the value of a Secret spells the material: spec.material.encoding, declared and never guessed.
type Encoding string

// The encodings.
const (
	// Raw takes the bytes as they are: those of a symmetric key, or the DER of a PKCS#8 private key.
	Raw Encoding = "Raw"
	// Base64 is the standard or the URL-safe alphabet (RFC 4648, sections 4 and 5), with or without padding. Line
	// breaks, and white space at both ends, are ignored.
	Base64 Encoding = "Base64"
	// Hex is hexadecimal digits of either case (RFC 4648, section 8). Line breaks, and white space at both ends, are
	// ignored.
	Hex Encoding = "Hex"
	// PEM is one block of an unencrypted private key (RFC 7468): PKCS#8, or PKCS#1 or SEC 1, which become PKCS#8.
	PEM Encoding = "PEM"
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

// Decode reads the value of a Secret. The material is a copy: data stays the caller's. What it returns of a private key
// is PKCS#8 in DER, which Validate has yet to look at. Errors are *InvalidError.
func Decode(encoding Encoding, data []byte) (Material, error) {
	if len(data) > maxInput {
		return Material{}, &InvalidError{fmt.Sprintf("Key material takes at most %d bytes in the Secret", maxInput)}
	}
	switch encoding {
	case Raw:
		return newMaterial(bytes.Clone(data)), nil
	case Base64:
		return decodeBase64(data)
	case Hex:
		return decodeHex(data)
	case PEM:
		return decodePEM(data)
	default:
		return Material{}, &InvalidError{"The encoding of key material is Raw, Base64, Hex or PEM"}
	}
}

// asciiSpace is the white space that is ignored at both ends of encoded text.
const asciiSpace = " \t\n\v\f\r"

// textOf copies encoded text without the white space at its ends and without line breaks: "\n" and "\r\n". The copy is
// as good as the material itself.
func textOf(data []byte) []byte {
	text := bytes.Trim(data, asciiSpace)
	kept := make([]byte, 0, len(text))
	for i, b := range text {
		lineBreak := b == '\n' || b == '\r' && i+1 < len(text) && text[i+1] == '\n'
		if !lineBreak {
			kept = append(kept, b)
		}
	}
	return kept
}
