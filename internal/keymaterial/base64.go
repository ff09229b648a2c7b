package keymaterial

import (
	"bytes"
	"encoding/base64"
)

func decodeBase64(data []byte) (Material, error) {
	text := textOf(data)
	defer clear(text)

	encoding := base64Of(text)
	raw := make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Decode(raw, text)
	// Decode skips a carriage return wherever it stands, also where it ends no line.
	if err != nil || bytes.ContainsRune(text, '\r') {
		clear(raw)
		// The cause is dropped on purpose: it tells where in the Secret the offending byte stands.
		return Material{}, &InvalidError{"With spec.material.encoding Base64 the Secret must hold Base64 text: " +
			"the standard alphabet (with + and /) or the URL-safe one (with - and _), all of its padding or none, " +
			"and nothing else but line breaks"}
	}
	return newMaterial(raw[:n]), nil
}

// base64Of is the variant in which a text is written, by what occurs in it. Each is strict: the bits that are left over
// must be zero, so that in each a material has one spelling.
func base64Of(text []byte) *base64.Encoding {
	padded := bytes.HasSuffix(text, []byte("="))
	switch urlSafe := bytes.ContainsAny(text, "-_"); {
	case urlSafe && padded:
		return base64.URLEncoding.Strict()
	case urlSafe:
		return base64.RawURLEncoding.Strict()
	case padded:
		return base64.StdEncoding.Strict()
	default:
		return base64.RawStdEncoding.Strict()
	}
}
