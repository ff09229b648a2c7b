package keymaterial

import (
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
