package keymaterial

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// privateKeySpecs are the KeySpecs of which testdata has a key.
var privateKeySpecs = []string{
	"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1",
}

// testPEM is a file of testdata with its label as others write it.
func testPEM(tb testing.TB, name string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".pem"))
	if err != nil {
		tb.Fatal(err)
	}
	if !strings.Contains(string(text), "TESTING KEY") {
		tb.Fatalf("testdata/%s.pem does not say that it is a testing key", name)
	}
	return strings.ReplaceAll(string(text), "TESTING KEY", "PRIVATE KEY")
}

// testDER is what a file of testdata holds.
func testDER(tb testing.TB, name string) []byte {
	tb.Helper()
	block, rest := pem.Decode([]byte(testPEM(tb, name)))
	if block == nil || len(rest) > 0 {
		tb.Fatalf("testdata/%s.pem is not one PEM block", name)
	}
	return block.Bytes
}

// asPEM writes a block.
func asPEM(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// tagged is content under a constructed, context-specific tag.
func tagged(t *testing.T, tag int, content []byte) asn1.RawValue {
	t.Helper()
	value := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: content}
	value.FullBytes = marshal(t, value)
	return value
}

// outerPublicKey is the [1] that may follow the private key in PKCS#8.
func outerPublicKey(t *testing.T, key asn1.BitString) asn1.RawValue {
	t.Helper()
	der, err := asn1.MarshalWithParams(key, "tag:1")
	if err != nil {
		t.Fatal(err)
	}
	return asn1.RawValue{FullBytes: der}
}

// withElement is a SEQUENCE with one more element at its end.
func withElement(t *testing.T, der, element []byte) []byte {
	t.Helper()
	var sequence asn1.RawValue
	if _, err := asn1.Unmarshal(der, &sequence); err != nil {
		t.Fatal(err)
	}
	return marshal(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: append(bytes.Clone(sequence.Bytes), element...)})
}

func bits(content []byte) asn1.BitString {
	return asn1.BitString{Bytes: content, BitLength: 8 * len(content)}
}
