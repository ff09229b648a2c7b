package keymaterial

import (
	"fmt"
	"slices"
)

// keySpec is what keys of one KeySpec take.
type keySpec struct {
	name   string
	usages []string // KeyUsages that such keys can have
	shape  shape
}

// shape is the form of the material that a key takes.
type shape interface {
	fits(material []byte) bool
	// expected describes the shape to people, as what a key takes.
	expected() string
}

// specOf finds what keys of a KeySpec take
// (https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-conceptual.html).
func specOf(name string) (keySpec, bool) {
	const encrypt, sign, mac, agree = "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"
	for _, spec := range []keySpec{
		{"SYMMETRIC_DEFAULT", []string{encrypt}, randomBytes{32}},
		{"HMAC_224", []string{mac}, randomBytes{28}},
		{"HMAC_256", []string{mac}, randomBytes{32}},
		{"HMAC_384", []string{mac}, randomBytes{48}},
		{"HMAC_512", []string{mac}, randomBytes{64}},
		{"RSA_2048", []string{encrypt, sign}, rsaKey{2048}},
		{"RSA_3072", []string{encrypt, sign}, rsaKey{3072}},
		{"RSA_4096", []string{encrypt, sign}, rsaKey{4096}},
		{"ECC_NIST_P256", []string{sign, agree}, ecKey{p256()}},
		{"ECC_NIST_P384", []string{sign, agree}, ecKey{p384()}},
		{"ECC_NIST_P521", []string{sign, agree}, ecKey{p521()}},
		{"ECC_SECG_P256K1", []string{sign}, ecKey{p256k1()}},
	} {
		if spec.name == name {
			return spec, true
		}
	}
	return keySpec{}, false
}

// hasUsage takes an endpoint at its word that does not say.
func (s keySpec) hasUsage(usage string) bool { return usage == "" || slices.Contains(s.usages, usage) }

// randomBytes is the raw material of a symmetric or HMAC key, of exactly the length that KMS surely accepts. Its pages
// disagree on whether an HMAC key may be longer than its spec says; the spec's own length is right under both readings.
type randomBytes struct{ length int }

func (r randomBytes) fits(material []byte) bool { return len(material) == r.length }

func (r randomBytes) expected() string {
	return fmt.Sprintf("exactly %d bytes (%d bits) of key material: `openssl rand -out material %d` makes some, "+
		"and where the Secret holds Base64 or hex text, set spec.material.encoding to Base64 or Hex", r.length, 8*r.length, r.length)
}

// maxPrivateKey caps in bytes what is parsed as a private key. The longest that KMS imports, PKCS#8 of RSA_4096 without
// attributes, is under 2400.
const maxPrivateKey = 4096

// howToSpell follows the description of a private key.
const howToSpell = "as PEM with spec.material.encoding PEM, or as PKCS#8 DER with Raw, Base64 or Hex; "

// rsaKey is a private key of so many bits.
type rsaKey struct{ bits int }

func (r rsaKey) fits(material []byte) bool {
	return len(material) <= maxPrivateKey && isRSA(material, r.bits)
}

func (r rsaKey) expected() string {
	return fmt.Sprintf("an unencrypted RSA private key of %d bits with two primes, %s"+
		"`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:%d -out material` makes one as PEM", r.bits, howToSpell, r.bits)
}

// ecKey is a private key on a curve.
type ecKey struct{ curve curve }

func (e ecKey) fits(material []byte) bool {
	return len(material) <= maxPrivateKey && isEC(material, e.curve)
}

func (e ecKey) expected() string {
	return fmt.Sprintf("an unencrypted EC private key on the curve %s, given by its name and not by explicit parameters, %s"+
		"`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:%s -out material` makes one as PEM", e.curve.name, howToSpell, e.curve.name)
}
