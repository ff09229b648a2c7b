package keymaterial

import (
	"bytes"
	"encoding/pem"
)

const pemBegin = "-----BEGIN "

// decodePEM takes one block and nothing beside it. What else a PEM file may hold (parameters, a certificate, text) shows
// that it was made for something else, and which of two keys is meant is not guessed.
func decodePEM(data []byte) (Material, error) {
	der, ok := privateKeyIn(data)
	if !ok {
		clear(der)
		return Material{}, &InvalidError{"With spec.material.encoding PEM the Secret must hold one PEM block with an unencrypted " +
			"private key, and nothing else but white space: PRIVATE KEY (PKCS#8), RSA PRIVATE KEY (PKCS#1, two primes), " +
			"or EC PRIVATE KEY (SEC 1, a named curve that KMS imports)"}
	}
	return Material{secret: keep(der), privateKey: true}, nil
}

// privateKeyIn returns the PKCS#8 of the only block. A block with headers is refused: those are for encryption
// (RFC 1421, section 4.6). Nothing is parsed that is longer than any key.
func privateKeyIn(data []byte) (pkcs8 []byte, ok bool) {
	block, alone := onlyBlock(data)
	if block == nil {
		return nil, false
	}
	if !alone || len(block.Headers) > 0 || len(block.Bytes) == 0 || len(block.Bytes) > maxPrivateKey {
		return block.Bytes, false
	}
	switch block.Type {
	case "PRIVATE KEY":
		return block.Bytes, true
	case "RSA PRIVATE KEY":
		defer clear(block.Bytes)
		return pkcs8FromPKCS1(block.Bytes)
	case "EC PRIVATE KEY":
		defer clear(block.Bytes)
		return pkcs8FromSEC1(block.Bytes)
	default:
		return block.Bytes, false
	}
}

// onlyBlock returns the first block, if any, and whether there is nothing else. pem.Decode skips what is not a block, up
// to the last BEGIN before an END.
func onlyBlock(data []byte) (block *pem.Block, alone bool) {
	text := bytes.Trim(data, asciiSpace)
	if !bytes.HasPrefix(text, []byte(pemBegin)) || bytes.Count(text, []byte(pemBegin)) != 1 {
		return nil, false
	}
	block, rest := pem.Decode(text)
	return block, len(rest) == 0
}
