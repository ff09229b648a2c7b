package material_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"slices"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// digest hashes with the standard library.
func digest(hash crypto.Hash, message []byte) []byte {
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

// verification checks a signature with the standard library.
type verification func(public any, message, signature []byte) bool

func pkcs1v15(hash crypto.Hash) verification {
	return func(public any, message, signature []byte) bool {
		return rsa.VerifyPKCS1v15(public.(*rsa.PublicKey), hash, digest(hash, message), signature) == nil
	}
}

func pss(hash crypto.Hash) verification {
	return func(public any, message, signature []byte) bool {
		options := &rsa.PSSOptions{SaltLength: hash.Size()}
		return rsa.VerifyPSS(public.(*rsa.PublicKey), hash, digest(hash, message), signature, options) == nil
	}
}

func ecdsaWith(hash crypto.Hash) verification {
	return func(public any, message, signature []byte) bool {
		return ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest(hash, message), signature)
	}
}

// TestSign checks signatures of messages and of digests with the standard library and the public key that the key
// shows, and with the key itself.
func TestSign(t *testing.T) {
	for _, c := range []struct {
		spec, algorithm string
		hash            crypto.Hash
		verify          verification
	}{
		{"RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", crypto.SHA256, pkcs1v15(crypto.SHA256)},
		{"RSA_2048", "RSASSA_PKCS1_V1_5_SHA_384", crypto.SHA384, pkcs1v15(crypto.SHA384)},
		{"RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512", crypto.SHA512, pkcs1v15(crypto.SHA512)},
		{"RSA_2048", "RSASSA_PSS_SHA_256", crypto.SHA256, pss(crypto.SHA256)},
		{"RSA_2048", "RSASSA_PSS_SHA_384", crypto.SHA384, pss(crypto.SHA384)},
		{"RSA_2048", "RSASSA_PSS_SHA_512", crypto.SHA512, pss(crypto.SHA512)},
		{"ECC_NIST_P256", "ECDSA_SHA_256", crypto.SHA256, ecdsaWith(crypto.SHA256)},
		{"ECC_NIST_P384", "ECDSA_SHA_384", crypto.SHA384, ecdsaWith(crypto.SHA384)},
		{"ECC_NIST_P521", "ECDSA_SHA_512", crypto.SHA512, ecdsaWith(crypto.SHA512)},
	} {
		t.Run(c.spec+" "+c.algorithm, func(t *testing.T) {
			key := shared(t, c.spec)
			message := random(200)
			for _, m := range []material.Message{{Content: message}, {Content: digest(c.hash, message), Digested: true}} {
				signature := sign(t, key, c.algorithm, m)
				if !c.verify(readPublic(t, key), message, signature) {
					t.Error("the standard library does not verify it")
				}
				expectVerifies(t, key, c.algorithm, material.Message{Content: message}, signature)
			}
		})
	}
}

// expectVerifies shows that the signature is of this message, that message alone, and no other signature is.
func expectVerifies(t *testing.T, key *material.Key, algorithm string, m material.Message, signature []byte) {
	t.Helper()
	other := slices.Clone(m.Content)
	other[0] ^= 1
	for name, c := range map[string]struct {
		key       *material.Key
		content   []byte
		signature []byte
		valid     bool
	}{
		"right":         {key, m.Content, signature, true},
		"other key":     {stranger(t, key.Spec().Name()), m.Content, signature, false},
		"other message": {key, other, signature, false},
		"changed":       {key, m.Content, append(slices.Clone(signature[:len(signature)-1]), signature[len(signature)-1]^1), false},
		"cut":           {key, m.Content, signature[:len(signature)-1], false},
		"longer":        {key, m.Content, append(slices.Clone(signature), 0), false},
		"nothing":       {key, m.Content, nil, false},
	} {
		valid, err := c.key.Verify(algorithm, material.Message{Content: c.content, Digested: m.Digested}, c.signature)
		if err != nil || valid != c.valid {
			t.Errorf("%s: %t, %v, want %t", name, valid, err, c.valid)
		}
	}
}

// TestVerifyOthers verifies what the standard library signed, and nothing like it.
func TestVerifyOthers(t *testing.T) {
	key, private := parse(t, "RSA_2048", inPKCS8(t, sharedRSA())), sharedRSA()
	message := random(50)
	hashed := digest(crypto.SHA256, message)
	salted := func(length int) []byte {
		signature, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, hashed, &rsa.PSSOptions{SaltLength: length})
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	for name, c := range map[string]struct {
		reason    string
		algorithm string
		signature []byte
		valid     bool
	}{
		"PSS":             {"the salt is as long as the hash", "RSASSA_PSS_SHA_256", salted(32), true},
		"PSS, short salt": {"KMS does not take it", "RSASSA_PSS_SHA_256", salted(20), false},
		"PSS, long salt":  {"KMS does not take it", "RSASSA_PSS_SHA_256", salted(64), false},
		"other padding":   {"PSS is not PKCS #1 v1.5", "RSASSA_PKCS1_V1_5_SHA_256", salted(32), false},
		"other hash":      {"SHA-256 is not SHA-512", "RSASSA_PSS_SHA_512", salted(32), false},
	} {
		t.Run(name, func(t *testing.T) {
			valid, err := key.Verify(c.algorithm, material.Message{Content: message}, c.signature)
			if err != nil || valid != c.valid {
				t.Errorf("%t, %v, want %t: %s", valid, err, c.valid, c.reason)
			}
		})
	}
}

// TestEd25519 has the two variants. KMS hashes the digest of the second once more.
func TestEd25519(t *testing.T) {
	key := generate(t, "ECC_NIST_EDWARDS25519")
	public := readPublic(t, key).(ed25519.PublicKey)
	message := random(200)
	signature := sign(t, key, "ED25519_SHA_512", material.Message{Content: message})
	if !ed25519.Verify(public, message, signature) {
		t.Error("the standard library does not verify Ed25519")
	}
	expectVerifies(t, key, "ED25519_SHA_512", material.Message{Content: message}, signature)

	hashed := digest(crypto.SHA512, message)
	signature = sign(t, key, "ED25519_PH_SHA_512", material.Message{Content: hashed, Digested: true})
	again := sha512.Sum512(hashed)
	if err := ed25519.VerifyWithOptions(public, again[:], signature, &ed25519.Options{Hash: crypto.SHA512}); err != nil {
		t.Errorf("the standard library does not verify Ed25519ph: %v", err)
	}
	expectVerifies(t, key, "ED25519_PH_SHA_512", material.Message{Content: hashed, Digested: true}, signature)
}

// TestPublishedEd25519 is test 2 of RFC 8032, section 7.1.
func TestPublishedEd25519(t *testing.T) {
	seed := unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
	key := parse(t, "ECC_NIST_EDWARDS25519", pkcs8(sequence(oidEd25519()), octets(seed)))
	got := sign(t, key, "ED25519_SHA_512", material.Message{Content: []byte{0x72}})
	want := unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
		"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
	if !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestMessageRefused(t *testing.T) {
	rsaKey, p384 := parse(t, "RSA_2048", inPKCS8(t, sharedRSA())), generate(t, "ECC_NIST_P384")
	secg, edwards := generate(t, "ECC_SECG_P256K1"), generate(t, "ECC_NIST_EDWARDS25519")
	for name, c := range map[string]struct {
		reason    string
		key       *material.Key
		algorithm string
		bytes     int
		digested  bool
		want      string
	}{
		"RSA":              {"a digest of SHA-1", rsaKey, "RSASSA_PKCS1_V1_5_SHA_256", 20, true, "Digest is invalid length for algorithm RSASSA_PKCS1_V1_5_SHA_256."},
		"PSS":              {"a digest of SHA-256", rsaKey, "RSASSA_PSS_SHA_512", 32, true, "Digest is invalid length for algorithm RSASSA_PSS_SHA_512."},
		"P-384":            {"a digest of SHA-256", p384, "ECDSA_SHA_384", 32, true, "Digest is invalid length for algorithm ECDSA_SHA_384."},
		"secp256k1":        {"one byte short", secg, "ECDSA_SHA_256", 31, true, "Digest is invalid length for algorithm ECDSA_SHA_256."},
		"nothing":          {"no digest", secg, "ECDSA_SHA_256", 0, true, "Digest is invalid length for algorithm ECDSA_SHA_256."},
		"Ed25519, digest":  {"the message itself is signed", edwards, "ED25519_SHA_512", 64, true, "Message type DIGEST is incompatible with algorithm ED25519_SHA_512."},
		"Ed25519ph, raw":   {"a digest is signed", edwards, "ED25519_PH_SHA_512", 64, false, "Message type RAW is incompatible with algorithm ED25519_PH_SHA_512."},
		"Ed25519ph, short": {"a digest of SHA-256", edwards, "ED25519_PH_SHA_512", 32, true, "Digest is invalid length for algorithm ED25519_PH_SHA_512."},
	} {
		t.Run(name, func(t *testing.T) {
			m := material.Message{Content: random(c.bytes), Digested: c.digested}
			signature, err := c.key.Sign(c.algorithm, m)
			expectError(t, err, material.BadInput, c.want)
			valid, err := c.key.Verify(c.algorithm, m, random(64))
			expectError(t, err, material.BadInput, c.want)
			if signature != nil || valid {
				t.Errorf("it was signed or verified: %s", c.reason)
			}
		})
	}
}

// shared makes a key, stranger another.
func shared(t *testing.T, name string) *material.Key {
	t.Helper()
	if name == "RSA_2048" {
		return parse(t, name, inPKCS8(t, sharedRSA()))
	}
	return generate(t, name)
}

func stranger(t *testing.T, name string) *material.Key {
	t.Helper()
	if name == "RSA_2048" {
		return parse(t, name, inPKCS8(t, otherRSA()))
	}
	return generate(t, name)
}

func sign(t *testing.T, key *material.Key, algorithm string, m material.Message) []byte {
	t.Helper()
	signature, err := key.Sign(algorithm, m)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// readPublic is what the key shows, read by the standard library.
func readPublic(t *testing.T, key *material.Key) crypto.PublicKey {
	t.Helper()
	encoded, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func publicOf(t *testing.T, private any) crypto.PublicKey {
	t.Helper()
	signer, ok := private.(crypto.Signer)
	if !ok {
		t.Fatalf("%T has no public key", private)
	}
	return signer.Public()
}
