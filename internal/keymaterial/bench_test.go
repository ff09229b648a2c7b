package keymaterial

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// BenchmarkImport is what an import costs between the Secret and the wire: decode, validate, judge and wrap under an
// RSA_4096 wrapping key, for each KeySpec in the encoding that people use for it.
func BenchmarkImport(b *testing.B) {
	parsed, err := x509.ParsePKCS1PrivateKey(testDER(b, "RSA_4096"))
	if err != nil {
		b.Fatal(err)
	}
	raw := make([]byte, 64)
	_, _ = rand.Read(raw)
	cases := []struct {
		spec     string
		encoding Encoding
		value    string
	}{
		{"SYMMETRIC_DEFAULT", Raw, string(raw[:32])},
		{"SYMMETRIC_DEFAULT", Base64, base64.StdEncoding.EncodeToString(raw[:32])},
		{"SYMMETRIC_DEFAULT", Hex, hex.EncodeToString(raw[:32])},
		{"HMAC_224", Raw, string(raw[:28])},
		{"HMAC_256", Raw, string(raw[:32])},
		{"HMAC_384", Raw, string(raw[:48])},
		{"HMAC_512", Raw, string(raw)},
	}
	for _, spec := range privateKeySpecs {
		cases = append(cases, struct {
			spec     string
			encoding Encoding
			value    string
		}{spec, PEM, testPEM(b, spec)})
	}
	for _, bench := range cases {
		wrapping := kms.ChooseWrapping(kms.DialectAWS, kms.KeySpec(bench.spec), 0, kms.Wrapping{KeySpec: kms.WrappingKeyRSA4096}).Wrapping
		b.Run(bench.spec+"/"+string(bench.encoding), func(b *testing.B) {
			value := []byte(bench.value)
			b.ReportAllocs()
			for b.Loop() {
				importOnce(b, bench.encoding, value, bench.spec, string(wrapping.Algorithm), &parsed.PublicKey)
			}
		})
	}
}

func importOnce(b *testing.B, encoding Encoding, value []byte, spec, algorithm string, publicKey *rsa.PublicKey) {
	b.Helper()
	m, err := Decode(encoding, value)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Destroy()
	if err := Validate(m, spec, ""); err != nil {
		b.Fatal(err)
	}
	if err := CheckStrength(m, spec); err != nil {
		b.Fatal(err)
	}
	if _, err := m.Wrap(algorithm, publicKey); err != nil {
		b.Fatal(err)
	}
}
