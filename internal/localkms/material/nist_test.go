package material_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"slices"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// TestDeriveSharedSecret shows that the other side comes to the same secret with the standard library.
func TestDeriveSharedSecret(t *testing.T) {
	for name, curve := range map[string]ecdh.Curve{
		"ECC_NIST_P256": ecdh.P256(), "ECC_NIST_P384": ecdh.P384(), "ECC_NIST_P521": ecdh.P521(),
	} {
		t.Run(name, func(t *testing.T) {
			key := generate(t, name)
			private, err := curve.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			got, err := key.DeriveSharedSecret(encodePublic(t, private.PublicKey()))
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := key.Public()
			if err != nil {
				t.Fatal(err)
			}
			point := encoded[len(encoded)-len(private.PublicKey().Bytes()):]
			public, err := curve.NewPublicKey(point)
			if err != nil {
				t.Fatal(err)
			}
			if want, err := private.ECDH(public); err != nil || !bytes.Equal(got, want) {
				t.Errorf("not the secret of the other side: %v", err)
			}
		})
	}
}

// TestPublishedSharedSecret is the first of NIST's test vectors for P-256 (CAVS 14.1, ECC CDH Primitive).
func TestPublishedSharedSecret(t *testing.T) {
	key := parse(t, "ECC_NIST_P256", ec(oidP256(), unhex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534")))
	peer := sequence(sequence(oidEC(), oidP256()), bits(unhex("04"+
		"700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"+
		"db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac")))
	got, err := key.DeriveSharedSecret(peer)
	want := unhex("46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
}

func TestPeerRefused(t *testing.T) {
	const want = "The public key must be a SubjectPublicKeyInfo in DER, with a point on the curve of ECC_NIST_P256 keys."
	key := generate(t, "ECC_NIST_P256")
	good := encodePublic(t, &newEC(t, elliptic.P256()).PublicKey)
	if _, err := key.DeriveSharedSecret(good); err != nil {
		t.Fatal(err)
	}
	point := good[len(good)-65:]
	onP256 := func(encoded []byte) []byte { return sequence(sequence(oidEC(), oidP256()), bits(encoded)) }
	for name, c := range map[string]struct {
		reason string
		peer   []byte
	}{
		"nothing":             {"no bytes", nil},
		"noise":               {"no structure", random(91)},
		"point":               {"not in a SubjectPublicKeyInfo", point},
		"trailing":            {"a line break behind it", append(slices.Clone(good), '\n')},
		"PEM":                 {"text", []byte("-----BEGIN PUBLIC KEY-----\n")},
		"private key":         {"not the half to send", inPKCS8(t, newEC(t, elliptic.P256()))},
		"P-384":               {"another curve", encodePublic(t, &newEC(t, elliptic.P384()).PublicKey)},
		"secp256k1":           {"another curve of the same size", sequence(sequence(oidEC(), oidSecp256k1()), bits(secgGenerator()))},
		"RSA":                 {"another algorithm", encodePublic(t, &sharedRSA().PublicKey)},
		"Ed25519":             {"another algorithm", encodePublic(t, newEd25519(t).Public())},
		"explicit parameters": {"right, but spelled out", sequence(sequence(oidEC(), explicitP256()), bits(point))},
		"off the curve":       {"an invalid-curve attack", onP256(append(slices.Clone(point[:64]), point[64]^1))},
		"infinity":            {"the neutral element", onP256([]byte{0})},
		"short point":         {"a byte is missing", onP256(point[:64])},
	} {
		t.Run(name, func(t *testing.T) {
			secret, err := key.DeriveSharedSecret(c.peer)
			expectError(t, err, material.BadInput, want)
			if secret != nil {
				t.Errorf("there is a secret: %s", c.reason)
			}
		})
	}
}

func encodePublic(t *testing.T, public any) []byte {
	t.Helper()
	b, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
