package matrix_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// source is key material as its owner has it. Nothing here is shared with the code that reads it.
type source struct {
	material  []byte // as KMS takes it
	spellings []spelling
	owner     map[string]party // who can use it, by KeyUsage; nobody outside of KMS can use a symmetric key
	peer      []byte           // whom KEY_AGREEMENT is with: a SubjectPublicKeyInfo
}

// spelling is one way to write material into a Secret.
type spelling struct {
	name     string
	encoding keymaterial.Encoding
	value    []byte
}

func newSource(t *testing.T, spec kms.KeySpec) source {
	t.Helper()
	newOf, known := map[kms.KeySpec]func() source{
		"SYMMETRIC_DEFAULT": func() source { return rawSource(32, nil) },
		"HMAC_224":          func() source { return rawSource(28, macs) },
		"HMAC_256":          func() source { return rawSource(32, macs) },
		"HMAC_384":          func() source { return rawSource(48, macs) },
		"HMAC_512":          func() source { return rawSource(64, macs) },
		"RSA_2048":          func() source { return rsaSource(t, 2048) },
		"RSA_3072":          func() source { return rsaSource(t, 3072) },
		"RSA_4096":          func() source { return rsaSource(t, 4096) },
		"ECC_NIST_P256":     func() source { return nistSource(t, elliptic.P256()) },
		"ECC_NIST_P384":     func() source { return nistSource(t, elliptic.P384()) },
		"ECC_NIST_P521":     func() source { return nistSource(t, elliptic.P521()) },
		"ECC_SECG_P256K1":   func() source { return secgSource(t) },
	}[spec]
	if !known {
		t.Fatalf("nobody knows how to make material for a key of KeySpec %s", spec)
	}
	return newOf()
}

func rawSource(length int, macs func([]byte) party) source {
	raw := make([]byte, length)
	_, _ = rand.Read(raw) // documented never to fail
	s := source{material: raw, spellings: spellingsOf(raw)}
	if macs != nil {
		s.owner = map[string]party{"GENERATE_VERIFY_MAC": macs(raw)}
	}
	return s
}

func rsaSource(t *testing.T, bits int) source {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	s := privateSource(marshal(t, key), "RSA PRIVATE KEY", "PEM (PKCS#1)", x509.MarshalPKCS1PrivateKey(key))
	s.owner = map[string]party{"ENCRYPT_DECRYPT": rsaEncryption(key), "SIGN_VERIFY": rsaSignatures(key)}
	return s
}

func nistSource(t *testing.T, curve elliptic.Curve) source {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	own, err := key.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	peer, err := own.Curve().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := privateSource(marshal(t, key), "EC PRIVATE KEY", "PEM (SEC 1)", sec1)
	s.owner = map[string]party{"SIGN_VERIFY": ecdsaSignatures(key), "KEY_AGREEMENT": agreement(own, peer.PublicKey())}
	s.peer = marshalPublic(t, peer.PublicKey())
	return s
}

// secgSource writes what the standard library does not write for this curve: RFC 5915, and RFC 5958 around it.
func secgSource(t *testing.T) source {
	t.Helper()
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	type ecPrivateKey struct {
		Version    int
		PrivateKey []byte
		Curve      asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
		PublicKey  asn1.BitString        `asn1:"explicit,tag:1"`
	}
	type algorithm struct{ Type, Curve asn1.ObjectIdentifier }
	curve := asn1.ObjectIdentifier{1, 3, 132, 0, 10}
	point := asn1.BitString{Bytes: key.PubKey().SerializeUncompressed(), BitLength: 65 * 8}
	pkcs8 := encode(t, struct {
		Version    int
		Algorithm  algorithm
		PrivateKey []byte
	}{0, algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, curve}, encode(t, ecPrivateKey{1, key.Serialize(), nil, point})})

	s := privateSource(pkcs8, "EC PRIVATE KEY", "PEM (SEC 1)", encode(t, ecPrivateKey{1, key.Serialize(), curve, point}))
	s.owner = map[string]party{"SIGN_VERIFY": secgSignatures(key)}
	return s
}

// privateSource is a private key in PKCS#8, and in the form of its own that its algorithm had before.
func privateSource(pkcs8 []byte, label, name string, own []byte) source {
	block := func(label string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}) }
	spellings := append(spellingsOf(pkcs8),
		spelling{"PEM (PKCS#8)", keymaterial.PEM, block("PRIVATE KEY", pkcs8)},
		spelling{name, keymaterial.PEM, block(label, own)})
	return source{material: pkcs8, spellings: spellings}
}

// spellingsOf ends text with a line break, as programs do that write it.
func spellingsOf(material []byte) []spelling {
	return []spelling{
		{"Raw", keymaterial.Raw, material},
		{"Base64", keymaterial.Base64, []byte(base64.StdEncoding.EncodeToString(material) + "\n")},
		{"Hex", keymaterial.Hex, []byte(hex.EncodeToString(material) + "\n")},
	}
}

func marshal(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func marshalPublic(t *testing.T, key *ecdh.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
