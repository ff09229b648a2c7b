package material_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"
	"sync"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// Private keys encoded by hand, so that what is right or wrong with them is known from the tests alone.

// Tags of DER.
const (
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagOID         = 0x06
	tagSequence    = 0x30
	tagContext0    = 0xA0
	tagContext1    = 0xA1
)

// der is an element with its length in front.
func der(tag byte, contents ...[]byte) []byte {
	content := slices.Concat(contents...)
	switch n := len(content); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, content...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
	}
}

func sequence(contents ...[]byte) []byte { return der(tagSequence, contents...) }

func octets(contents ...[]byte) []byte { return der(tagOctetString, contents...) }

func number(n int) []byte { return der(tagInteger, []byte{byte(n)}) }

func bits(content []byte) []byte { return der(tagBitString, []byte{0}, content) }

func null() []byte { return []byte{0x05, 0x00} }

// Object identifiers.
func oidRSA() []byte       { return der(tagOID, unhex("2a864886f70d010101")) }
func oidEC() []byte        { return der(tagOID, unhex("2a8648ce3d0201")) }
func oidP256() []byte      { return der(tagOID, unhex("2a8648ce3d030107")) }
func oidP384() []byte      { return der(tagOID, unhex("2b81040022")) }
func oidP521() []byte      { return der(tagOID, unhex("2b81040023")) }
func oidSecp256k1() []byte { return der(tagOID, unhex("2b8104000a")) }
func oidEd25519() []byte   { return der(tagOID, unhex("2b6570")) }
func oidX25519() []byte    { return der(tagOID, unhex("2b656e")) }
func oidMLKEM(rank int) []byte {
	return der(tagOID, unhex("6086480165030404"), []byte{byte(rank - 1)})
}

// pkcs8 is a PKCS #8 private key of version 1, which is written as 0.
func pkcs8(algorithm, private []byte, more ...[]byte) []byte {
	return sequence(number(0), algorithm, octets(private), slices.Concat(more...))
}

// attributes is what some tools add to a private key: the key usage of Windows, for one.
func attributes() []byte {
	return der(tagContext0, sequence(der(tagOID, unhex("551d0f")), der(0x31, der(tagBitString, []byte{0, 0x80}))))
}

// sec1 is a private key on a curve, without what is optional.
func sec1(scalar []byte, optional ...[]byte) []byte {
	return sequence(number(1), octets(scalar), slices.Concat(optional...))
}

func ec(curve, scalar []byte, optional ...[]byte) []byte {
	return pkcs8(sequence(oidEC(), curve), sec1(scalar, optional...))
}

func curveName(oid []byte) []byte { return der(tagContext0, oid) }

func point(encoded []byte) []byte { return der(tagContext1, bits(encoded)) }

// pkcs1 is RSAPrivateKey of RFC 8017, to be changed by tests in a way that crypto/rsa would not allow.
type pkcs1 struct {
	Version                     int
	N, E, D, P, Q, DP, DQ, QInv *big.Int
	OtherPrimes                 []rsaPrime `asn1:"optional,omitempty"`
}

type rsaPrime struct{ R, D, T *big.Int }

// newRSA makes the numbers of a private key from its prime factors. Where they are not prime, the key passes every
// check but that.
func newRSA(t *testing.T, e int64, primes ...*big.Int) pkcs1 {
	t.Helper()
	one := big.NewInt(1)
	n, lambda := big.NewInt(1), big.NewInt(1)
	for _, prime := range primes {
		n.Mul(n, prime)
		less := new(big.Int).Sub(prime, one)
		gcd := new(big.Int).GCD(nil, nil, lambda, less)
		lambda.Mul(lambda, less.Div(less, gcd))
	}
	d := new(big.Int).ModInverse(big.NewInt(e), lambda)
	if d == nil {
		t.Fatal("the exponent has no inverse")
	}
	modLess := func(x, prime *big.Int) *big.Int { return new(big.Int).Mod(x, new(big.Int).Sub(prime, one)) }
	k := pkcs1{
		N: n, E: big.NewInt(e), D: d, P: primes[0], Q: primes[1],
		DP: modLess(d, primes[0]), DQ: modLess(d, primes[1]), QInv: new(big.Int).ModInverse(primes[1], primes[0]),
	}
	product := new(big.Int).Mul(primes[0], primes[1])
	for _, prime := range primes[2:] {
		k.Version = 1
		k.OtherPrimes = append(k.OtherPrimes, rsaPrime{prime, modLess(d, prime), new(big.Int).ModInverse(product, prime)})
		product.Mul(product, prime)
	}
	return k
}

func (k pkcs1) pkcs8(t *testing.T) []byte {
	t.Helper()
	return pkcs8(sequence(oidRSA(), null()), encoded(t, k))
}

// primes makes random numbers whose product has 2048 bits: two numbers of 1024 bits, or three.
func primes(t *testing.T, lengths ...int) []*big.Int {
	t.Helper()
	for {
		product, found := big.NewInt(1), []*big.Int{}
		for _, length := range lengths {
			prime, err := rand.Prime(rand.Reader, length)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, prime)
			product.Mul(product, prime)
		}
		if product.BitLen() == 2048 {
			return found
		}
	}
}

// Two private keys that are made once, because that takes long.
var (
	sharedRSA = sync.OnceValue(makeRSA)
	otherRSA  = sync.OnceValue(makeRSA)
)

func makeRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func newEC(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEd25519(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// inPKCS8 encodes as the standard library does.
func inPKCS8(t *testing.T, key any) []byte {
	t.Helper()
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func encoded(t *testing.T, value any) []byte {
	t.Helper()
	b, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func spec(t *testing.T, name string) material.Spec {
	t.Helper()
	s, ok := material.FindSpec(name)
	if !ok {
		t.Fatalf("no spec %s", name)
	}
	return s
}

func parse(t *testing.T, specName string, plain []byte) *material.Key {
	t.Helper()
	key, err := spec(t, specName).Parse(plain, material.ExactLength)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func random(length int) []byte {
	b := make([]byte, length)
	_, _ = rand.Read(b)
	return b
}

// unhex and unbase64 are for literals of the tests.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func unbase64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
