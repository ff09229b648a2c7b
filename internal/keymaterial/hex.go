package keymaterial

import "encoding/hex"

func decodeHex(data []byte) (Material, error) {
	text := textOf(data)
	defer clear(text)

	raw := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(raw, text); err != nil {
		clear(raw)
		// The cause is dropped on purpose: it quotes the offending byte.
		return Material{}, &InvalidError{"With spec.material.encoding Hex the Secret must hold hexadecimal text: " +
			"two of the digits 0-9, a-f and A-F for each byte, and nothing else but line breaks"}
	}
	return newMaterial(raw), nil
}
