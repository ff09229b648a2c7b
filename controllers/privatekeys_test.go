package controllers_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp256k1ecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// privateKey is a private key made at random, in DER.
type privateKey struct {
	pkcs8    []byte
	own      []byte // PKCS#1 or SEC 1
	ownLabel string // of the PEM block of that
	number   []byte // the scalar, or a prime
	verify   func(hash crypto.Hash, digest, signature []byte) bool
}

func (k privateKey) pkcs8PEM() []byte { return pemBlock("PRIVATE KEY", k.pkcs8) }
func (k privateKey) ownPEM() []byte   { return pemBlock(k.ownLabel, k.own) }

// traces are what a private key could be told by, wherever it stands: the key, a line of its PEM block, its number.
func (k privateKey) traces() [][]byte {
	return [][]byte{k.pkcs8, k.own, bytes.Split(k.ownPEM(), []byte("\n"))[2], k.number}
}

func pemBlock(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func newRSAKey(bits int) privateKey {
	GinkgoHelper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	Expect(err).NotTo(HaveOccurred())
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	Expect(err).NotTo(HaveOccurred())
	return privateKey{
		pkcs8: pkcs8, own: x509.MarshalPKCS1PrivateKey(key), ownLabel: "RSA PRIVATE KEY", number: key.Primes[0].Bytes(),
		verify: func(hash crypto.Hash, digest, signature []byte) bool {
			return rsa.VerifyPSS(&key.PublicKey, hash, digest, signature, nil) == nil
		},
	}
}

func newECKey(curve elliptic.Curve) privateKey {
	GinkgoHelper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	Expect(err).NotTo(HaveOccurred())
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	Expect(err).NotTo(HaveOccurred())
	sec1, err := x509.MarshalECPrivateKey(key)
	Expect(err).NotTo(HaveOccurred())
	scalar, err := key.Bytes()
	Expect(err).NotTo(HaveOccurred())
	return privateKey{
		pkcs8: pkcs8, own: sec1, ownLabel: "EC PRIVATE KEY", number: scalar,
		verify: func(_ crypto.Hash, digest, signature []byte) bool {
			return ecdsa.VerifyASN1(&key.PublicKey, digest, signature)
		},
	}
}

// newSecp256k1Key writes by hand what the standard library writes of the curves that it knows (RFC 5915 and RFC 5208).
func newSecp256k1Key() privateKey {
	GinkgoHelper()
	key, err := secp256k1.GeneratePrivateKey()
	Expect(err).NotTo(HaveOccurred())
	type sec1 struct {
		Version    int
		PrivateKey []byte
		Curve      asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
		PublicKey  asn1.BitString        `asn1:"explicit,tag:1"`
	}
	curve := asn1.ObjectIdentifier{1, 3, 132, 0, 10}
	inner := sec1{Version: 1, PrivateKey: key.Serialize(), PublicKey: asn1.BitString{Bytes: key.PubKey().SerializeUncompressed()}}
	encoded := marshal(inner)
	inner.Curve = curve
	return privateKey{
		pkcs8: marshal(pkcs8{Algorithm: pkix.AlgorithmIdentifier{
			Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, Parameters: asn1.RawValue{FullBytes: marshal(curve)},
		}, PrivateKey: encoded}),
		own: marshal(inner), ownLabel: "EC PRIVATE KEY", number: key.Serialize(),
		verify: func(_ crypto.Hash, digest, signature []byte) bool {
			parsed, err := secp256k1ecdsa.ParseDERSignature(signature)
			return err == nil && parsed.Verify(digest, key.PubKey())
		},
	}
}

// pkcs8 is the PrivateKeyInfo of RFC 5208.
type pkcs8 struct {
	Version    int
	Algorithm  pkix.AlgorithmIdentifier
	PrivateKey []byte
	Attributes asn1.RawValue `asn1:"optional"`
}

// withAttributes is the same key in PKCS#8 that is longer, by so many bytes at least, as some key stores write it.
func (k privateKey) withAttributes(bytes int) []byte {
	GinkgoHelper()
	var info pkcs8
	_, err := asn1.Unmarshal(k.pkcs8, &info)
	Expect(err).NotTo(HaveOccurred())
	attribute := marshal(struct {
		Type   asn1.ObjectIdentifier
		Values [][]byte `asn1:"set"`
	}{asn1.ObjectIdentifier{2, 5, 4, 13}, [][]byte{make([]byte, bytes)}})
	info.Attributes = asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: attribute}
	return marshal(info)
}

func marshal(value any) []byte {
	GinkgoHelper()
	der, err := asn1.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return der
}
