package localkms

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ciphertextPrefix tells ciphertexts of this server from anything else; the digit is the version of the format.
const ciphertextPrefix = "localkms1\n"

// A ciphertext tells which key and which of its materials made it, so that Decrypt needs no more. AWS does not
// publish its format; this one is the prefix, key ID and material ID with a newline behind each, then the nonce
// and the output of AES-256-GCM under the key material itself. All of what is in front of the nonce is
// authenticated, so that another key with the same material cannot open it.
type ciphertext struct {
	header     []byte
	keyID      string
	materialID string
	sealed     []byte
}

func parseCiphertext(blob []byte) (ciphertext, bool) {
	rest, ours := bytes.CutPrefix(blob, []byte(ciphertextPrefix))
	keyID, rest, hasKey := bytes.Cut(rest, []byte("\n"))
	materialID, sealed, hasMaterial := bytes.Cut(rest, []byte("\n"))
	return ciphertext{
		header: blob[:len(blob)-len(sealed)], keyID: string(keyID), materialID: string(materialID), sealed: sealed,
	}, ours && hasKey && hasMaterial && isKeyID(string(keyID))
}

// seal encrypts under the key's current material. It is called on a usable symmetric key.
func (k *key) seal(plaintext []byte, context map[string]string) ([]byte, error) {
	current := k.currentMaterial()
	header := []byte(strings.Join([]string{ciphertextPrefix + k.id, current.id, ""}, "\n"))
	sealed, err := current.key.Seal(plaintext, additionalData(header, context))
	if err != nil {
		return nil, errUse(err)
	}
	return append(header, sealed...), nil
}

// open decrypts what seal made, with any material that the key has had, and the same encryption context.
func (k *key) open(c ciphertext, context map[string]string) ([]byte, bool) {
	i := k.materials.index(c.materialID)
	if i < 0 || k.materials[i].key == nil {
		return nil, false
	}
	plaintext, err := k.materials[i].key.Open(c.sealed, additionalData(c.header, context))
	return plaintext, err == nil
}

// additionalData is the header and the encryption context, whose order does not matter. Lengths keep its parts apart.
func additionalData(header []byte, context map[string]string) []byte {
	data := slices.Clone(header)
	for _, name := range slices.Sorted(maps.Keys(context)) {
		for _, part := range []string{name, context[name]} {
			data = append(strconv.AppendInt(data, int64(len(part)), 10), ':')
			data = append(data, part...)
		}
	}
	return data
}
