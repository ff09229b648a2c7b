package keymaterial

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

const notPEM = "With spec.material.encoding PEM the Secret must hold one PEM block with an unencrypted private key, " +
	"and nothing else but white space: PRIVATE KEY (PKCS#8), RSA PRIVATE KEY (PKCS#1, two primes), " +
	"or EC PRIVATE KEY (SEC 1, a named curve that KMS imports)"

// KMS may compare the bytes of a re-import with those it had: the conversions must never change. OpenSSL made the
// files, and Go writes the same.
func TestDecodePEMGolden(t *testing.T) {
	for _, spec := range privateKeySpecs {
		t.Run(spec, func(t *testing.T) {
			golden := testDER(t, spec+".pkcs8")
			for _, form := range []string{spec, spec + ".pkcs8"} {
				m, err := Decode(PEM, []byte(testPEM(t, form)))
				if err != nil {
					t.Fatalf("%s: %v", form, err)
				}
				if !bytes.Equal(m.raw(), golden) {
					t.Errorf("%s became other PKCS#8 than OpenSSL's", form)
				}
				if err := Validate(m, spec, ""); err != nil {
					t.Errorf("%s: %v", form, err)
				}
			}
			if spec == "ECC_SECG_P256K1" {
				return // crypto/x509 does not know the curve
			}
			key, err := x509.ParsePKCS8PrivateKey(golden)
			if err != nil {
				t.Fatal(err)
			}
			if der, err := x509.MarshalPKCS8PrivateKey(key); err != nil || !bytes.Equal(der, golden) {
				t.Errorf("x509.MarshalPKCS8PrivateKey writes other PKCS#8 than OpenSSL (error %v)", err)
			}
		})
	}
}

func TestDecodePEM(t *testing.T) {
	sec1, golden := testPEM(t, "ECC_NIST_P384"), string(testDER(t, "ECC_NIST_P384.pkcs8"))
	pkcs8 := testPEM(t, "ECC_NIST_P384.pkcs8")
	decodings{
		"CRLF line breaks":     {"what Windows writes", strings.ReplaceAll(sec1, "\n", "\r\n"), golden},
		"no final line break":  {"cut by a template", strings.TrimSpace(sec1), golden},
		"white space around":   {"an indented template", "\n\n \t" + sec1 + "\r\n \n", golden},
		"PKCS#8, as it is":     {"its bytes are KMS's business", pkcs8, golden},
		"PKCS#8 of other keys": {"Validate knows the key", asPEM("PRIVATE KEY", []byte("\x30\x00")), "\x30\x00"},
		"at 4096 bytes":        {"the most that is parsed", asPEM("PRIVATE KEY", make([]byte, 4096)), string(make([]byte, 4096))},
		"one long line": {
			"RFC 7468 lets it be read",
			"-----BEGIN EC PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString(testDER(t, "ECC_NIST_P384")) + "\n-----END EC PRIVATE KEY-----", golden,
		},
		"SEC 1 of 4096 bytes": {"the most that is parsed", asPEM("EC PRIVATE KEY", paddedSEC1(t, 4096)), string(testDER(t, "ECC_NIST_P256.pkcs8"))},
	}.run(t, "PEM")
}

func TestDecodePEMRefuses(t *testing.T) {
	rsa, ec := testPEM(t, "RSA_2048"), testPEM(t, "ECC_NIST_P256")
	rsaDER, ecDER, pkcs8DER := testDER(t, "RSA_2048"), testDER(t, "ECC_NIST_P256"), testDER(t, "ECC_NIST_P256.pkcs8")
	certificate, public := selfSigned(t, pkcs8DER)
	legacy, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", rsaDER, []byte("password"), x509.PEMCipherAES256) //nolint:staticcheck // what people still have
	if err != nil {
		t.Fatal(err)
	}
	refusals{
		"encrypted PKCS#8":          {"nobody gives us the password", asPEM("ENCRYPTED PRIVATE KEY", pkcs8DER)},
		"encrypted by OpenSSL":      {"nobody gives us the password", string(pem.EncodeToMemory(legacy))},
		"headers":                   {"what they mean is not for us to guess", strings.Replace(rsa, "KEY-----\n", "KEY-----\nComment: mine\n\n", 1)},
		"certificate":               {"it holds no private key", asPEM("CERTIFICATE", certificate)},
		"certificate and key":       {"it was made for a TLS server", asPEM("CERTIFICATE", certificate) + ec},
		"key and certificate":       {"it was made for a TLS server", ec + asPEM("CERTIFICATE", certificate)},
		"public key":                {"the wrong half", asPEM("PUBLIC KEY", public)},
		"RSA public key":            {"the wrong half", asPEM("RSA PUBLIC KEY", public)},
		"parameters and key":        {"what `openssl ecparam -genkey` writes without -noout", asPEM("EC PARAMETERS", []byte("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")) + ec},
		"two keys":                  {"which one is not guessed", ec + rsa},
		"one key twice":             {"a file appended to itself", ec + ec},
		"two keys, one line":        {"a broken line break", strings.TrimSpace(ec) + rsa},
		"BEGIN twice":               {"the first is cut off", "-----BEGIN EC PRIVATE KEY-----\nMHcC\n" + ec},
		"text before":               {"it shows what the file was made for", "my key\n" + ec},
		"text after":                {"it shows what the file was made for", ec + "my key\n"},
		"text after END":            {"no end of a line", strings.TrimSpace(ec) + " mine\n"},
		"byte order mark":           {"it was not written for this", "\ufeff" + ec},
		"cut off":                   {"half a key", ec[:len(ec)/2]},
		"no BEGIN":                  {"half a file", strings.SplitN(ec, "\n", 2)[1]},
		"other END":                 {"two files run together", strings.Replace(ec, "END EC PRIVATE", "END PRIVATE", 1)},
		"bad Base64":                {"a damaged file", strings.Replace(ec, "MHcC", "MH!C", 1)},
		"indented":                  {"a broken template", strings.ReplaceAll(ec, "\n", "\n  ")},
		"OpenSSH key":               {"a form of its own", asPEM("OPENSSH PRIVATE KEY", ecDER)},
		"DSA key":                   {"KMS has none", asPEM("DSA PRIVATE KEY", ecDER)},
		"lower-case label":          {"no such label", strings.ReplaceAll(ec, "EC PRIVATE KEY", "ec private key")},
		"no block":                  {"not PEM", string(pkcs8DER)},
		"empty":                     {"not PEM", ""},
		"white space only":          {"not PEM", " \n"},
		"empty block":               {"no key", asPEM("PRIVATE KEY", nil)},
		"over 4096 bytes":           {"longer than any key that KMS imports", asPEM("PRIVATE KEY", make([]byte, 4097))},
		"EC, over 4096 bytes":       {"it is not even looked at: the time that takes grows with the square of the length", asPEM("EC PRIVATE KEY", paddedSEC1(t, 4097))},
		"empty RSA block":           {"no key", asPEM("RSA PRIVATE KEY", nil)},
		"empty EC block":            {"no key", asPEM("EC PRIVATE KEY", nil)},
		"EC key labelled RSA":       {"one of the two is wrong", asPEM("RSA PRIVATE KEY", ecDER)},
		"RSA key labelled EC":       {"one of the two is wrong", asPEM("EC PRIVATE KEY", rsaDER)},
		"PKCS#8 labelled EC":        {"one of the two is wrong", asPEM("EC PRIVATE KEY", pkcs8DER)},
		"PKCS#8 labelled RSA":       {"one of the two is wrong", asPEM("RSA PRIVATE KEY", testDER(t, "RSA_2048.pkcs8"))},
		"RSA, trailing byte":        {"more than a key", asPEM("RSA PRIVATE KEY", append(bytes.Clone(rsaDER), 0))},
		"EC, trailing byte":         {"more than a key", asPEM("EC PRIVATE KEY", append(bytes.Clone(ecDER), 0))},
		"RSA of three primes":       {"KMS takes two", testPEM(t, "three_primes")},
		"EC, curve spelled out":     {"KMS takes named curves", testPEM(t, "explicit_parameters")},
		"RSA, one element more":     {"nobody knows what it means", asPEM("RSA PRIVATE KEY", withElement(t, rsaDER, []byte{5, 0}))},
		"EC, one element more":      {"nobody knows what it means", asPEM("EC PRIVATE KEY", withElement(t, ecDER, []byte{5, 0}))},
		"EC, no curve":              {"it does not say which", asPEM("EC PRIVATE KEY", sec1(t, ecPrivateKey{Version: 1, PrivateKey: counting(1, 32)}))},
		"EC, a curve of others":     {"P-224: KMS has no such keys", asPEM("EC PRIVATE KEY", sec1(t, ecPrivateKey{Version: 1, PrivateKey: counting(1, 28), Parameters: curveName(t, 1, 3, 132, 0, 33)}))},
		"EC, no version":            {"not SEC 1", asPEM("EC PRIVATE KEY", sec1(t, ecPrivateKey{PrivateKey: counting(1, 32), Parameters: curveName(t, 1, 3, 132, 0, 10)}))},
		"EC, key is zero":           {"no key", asPEM("EC PRIVATE KEY", sec1(t, ecPrivateKey{Version: 1, PrivateKey: make([]byte, 32), Parameters: curveName(t, 1, 3, 132, 0, 10)}))},
		"EC, key is too long":       {"of another curve", asPEM("EC PRIVATE KEY", sec1(t, ecPrivateKey{Version: 1, PrivateKey: counting(1, 33), Parameters: curveName(t, 1, 3, 132, 0, 10)}))},
		"EC, other public key":      {"which of the two is meant is not guessed", asPEM("EC PRIVATE KEY", withPublicKeyOf(t, "ECC_NIST_P256", counting(1, 32)))},
		"RSA, p and q do not fit":   {"a damaged key", asPEM("RSA PRIVATE KEY", damagedRSA(t, func(key *pkcs1) { key.P.Add(key.P, big.NewInt(2)) }))},
		"RSA, d does not fit":       {"a damaged key", asPEM("RSA PRIVATE KEY", damagedRSA(t, func(key *pkcs1) { key.D.Add(key.D, big.NewInt(2)) }))},
		"RSA, dp does not fit":      {"a damaged key", asPEM("RSA PRIVATE KEY", damagedRSA(t, func(key *pkcs1) { key.DP.Add(key.DP, big.NewInt(2)) }))},
		"RSA, n is not the modulus": {"a damaged key", asPEM("RSA PRIVATE KEY", damagedRSA(t, func(key *pkcs1) { key.N.Add(key.N, big.NewInt(2)) }))},
		"RSA, negative d":           {"a damaged key", asPEM("RSA PRIVATE KEY", damagedRSA(t, func(key *pkcs1) { key.D.Neg(key.D) }))},
	}.run(t, "PEM", notPEM)
}

// paddedSEC1 is a key of testdata with so many zeroes before its number, which are ignored, that it has so many bytes.
func paddedSEC1(t *testing.T, length int) []byte {
	t.Helper()
	key := parsedSEC1(t, "ECC_NIST_P256")
	padded := func(zeroes int) []byte {
		longer := key
		longer.PrivateKey = append(make([]byte, zeroes), key.PrivateKey...)
		return sec1(t, longer)
	}
	return padded(2*length - len(padded(length)))
}

// selfSigned is a certificate of a key, and its public key.
func selfSigned(t *testing.T, pkcs8 []byte) (certificate, public []byte) {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	signer := key.(interface{ Public() crypto.PublicKey })
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err = x509.CreateCertificate(rand.Reader, template, template, signer.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	public, err = x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	return certificate, public
}

func FuzzDecodePEM(f *testing.F) {
	for _, spec := range privateKeySpecs {
		f.Add([]byte(testPEM(f, spec)))
		f.Add([]byte(testPEM(f, spec+".pkcs8")))
	}
	for _, seed := range []string{"", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "-----BEGIN ", "-----END "} {
		f.Add([]byte(seed))
	}
	f.Add([]byte(testPEM(f, "three_primes")))
	f.Add([]byte(testPEM(f, "explicit_parameters")))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		m, err := Decode(PEM, data)
		if !bytes.Equal(before, data) {
			t.Error("Decode wrote into the caller's buffer")
		}
		if err != nil {
			assertInvalid(t, err, notPEM)
			return
		}
		block, _ := pem.Decode(data)
		if block == nil {
			t.Fatal("accepted what is not PEM")
		}
		if block.Type == "PRIVATE KEY" && !bytes.Equal(block.Bytes, m.raw()) {
			t.Error("changed PKCS#8")
		}
		if block.Type != "PRIVATE KEY" {
			assertCanonical(t, m.raw())
		}
	})
}
