package keymaterial

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"testing"
)

type cryptoPublicKey = crypto.PublicKey

// pkcs1 is an RSAPrivateKey (RFC 8017, appendix A.1.2) to be damaged.
type pkcs1 struct {
	Version                     int
	N, E, D, P, Q, DP, DQ, QInv *big.Int
}

func damagedRSA(t *testing.T, damage func(*pkcs1)) []byte {
	t.Helper()
	var key pkcs1
	if _, err := asn1.Unmarshal(testDER(t, "RSA_2048"), &key); err != nil {
		t.Fatal(err)
	}
	damage(&key)
	return marshal(t, key)
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func sec1(t *testing.T, key ecPrivateKey) []byte {
	t.Helper()
	return marshal(t, key)
}

// curveName is the explicit [0] that holds an OID.
func curveName(t *testing.T, oid ...int) asn1.RawValue {
	t.Helper()
	return tagged(t, 0, marshal(t, asn1.ObjectIdentifier(oid)))
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

// parsedSEC1 is a key of testdata, to be written in other ways.
func parsedSEC1(t *testing.T, spec string) ecPrivateKey {
	t.Helper()
	var key ecPrivateKey
	if _, err := asn1.Unmarshal(testDER(t, spec), &key); err != nil {
		t.Fatal(err)
	}
	return key
}

// withPublicKeyOf is a key of testdata with the public key of another scalar.
func withPublicKeyOf(t *testing.T, spec string, scalar []byte) []byte {
	t.Helper()
	key := parsedSEC1(t, spec)
	known, _ := specOf(spec)
	point, ok := known.shape.(ecKey).curve.point(scalar)
	if !ok {
		t.Fatal("no such scalar")
	}
	key.PublicKey = bits(point)
	return sec1(t, key)
}

// compressed is a point as SEC 1, section 2.3.3 compresses it.
func compressed(point []byte) []byte {
	form := byte(2)
	if point[len(point)-1]%2 == 1 {
		form = 3
	}
	return append([]byte{form}, point[1:1+len(point)/2]...)
}

// However a key is written in SEC 1, it becomes the same PKCS#8.
func TestSEC1HasOneCanonicalForm(t *testing.T) {
	for _, spec := range []string{"ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1"} {
		key, golden := parsedSEC1(t, spec), testDER(t, spec+".pkcs8")
		cases := map[string]struct {
			reason string
			change func(*ecPrivateKey)
		}{
			"as it is":           {"what OpenSSL writes", func(*ecPrivateKey) {}},
			"no public key":      {"it is optional, and derived", func(k *ecPrivateKey) { k.PublicKey = asn1.BitString{} }},
			"compressed":         {"another spelling of the point", func(k *ecPrivateKey) { k.PublicKey = bits(compressed(k.PublicKey.Bytes)) }},
			"a zero in front":    {"some tools write integers", func(k *ecPrivateKey) { k.PrivateKey = append([]byte{0}, k.PrivateKey...) }},
			"no zeroes in front": {"some tools cut them off", func(k *ecPrivateKey) { k.PrivateKey = bytes.TrimLeft(k.PrivateKey, "\x00") }},
		}
		for name, tc := range cases {
			t.Run(spec+" "+name, func(t *testing.T) {
				changed := key
				tc.change(&changed)
				pkcs8, ok := pkcs8FromSEC1(sec1(t, changed))
				if !ok || !bytes.Equal(pkcs8, golden) {
					t.Errorf("%s: other PKCS#8 (ok %t)", tc.reason, ok)
				}
			})
		}
	}
}

func TestShortScalarIsPadded(t *testing.T) {
	for name, c := range map[string]curve{"P-256": p256(), "P-384": p384(), "P-521": p521(), "secp256k1": p256k1()} {
		t.Run(name, func(t *testing.T) {
			oid := tagged(t, 0, marshal(t, c.oid))
			pkcs8, ok := pkcs8FromSEC1(sec1(t, ecPrivateKey{Version: 1, PrivateKey: []byte{7}, Parameters: oid}))
			if !ok || !isEC(pkcs8, c) {
				t.Errorf("a scalar of 1 byte became no key of %d bytes (ok %t)", c.bytes, ok)
			}
		})
	}
}

// The standard library does not know this curve: its base point and its order are published (SEC 2, section 2.4.1).
func TestSecp256k1(t *testing.T) {
	one := append(make([]byte, 31), 1)
	point, ok := secg(one)
	const base = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
	if !ok || hex.EncodeToString(point) != base {
		t.Errorf("1 times the base point is %x", point)
	}
	order, err := hex.DecodeString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := secg(order); ok {
		t.Error("the order of the curve is no private key")
	}
	order[31]++
	if _, ok := secg(order); ok {
		t.Error("nor is what is larger: it would be taken for 1")
	}
	order[31] -= 2
	if point, ok = secg(order); !ok || hex.EncodeToString(point[:33]) != base[:66] {
		t.Error("the largest private key is minus 1, with the base point's x")
	}
	if _, ok := secg(make([]byte, 32)); ok {
		t.Error("zero is no private key")
	}
}

// No library checks the length here, and one that is cut or padded is another key.
func TestScalarsInPKCS8HaveFullLength(t *testing.T) {
	for _, c := range []curve{p256(), p384(), p521(), p256k1()} {
		for _, off := range []int{-1, 0, 1} {
			scalar := counting(0, c.bytes+off)
			pkcs8, ok := marshalPKCS8(ecPublicKey(), marshal(t, c.oid), sec1(t, ecPrivateKey{Version: 1, PrivateKey: scalar}))
			if !ok || isEC(pkcs8, c) != (off == 0) {
				t.Errorf("%s: a scalar of %d bytes: %t", c.name, len(scalar), off != 0)
			}
		}
	}
}

func TestPrivateKeysThatPassUnmodified(t *testing.T) {
	attributes := tagged(t, 0, marshal(t, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: "x"}))
	type withRest struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
		Rest       asn1.RawValue
	}
	for _, spec := range privateKeySpecs {
		golden := testDER(t, spec+".pkcs8")
		info, _ := parsePKCS8(golden)
		publicKey := outerPublicKey(t, bits([]byte{1}))
		if key, isEC := parseEC(info.PrivateKey); isEC {
			publicKey = outerPublicKey(t, key.PublicKey)
		}
		cases := map[string]struct {
			reason string
			der    []byte
		}{
			"as it is":        {"what OpenSSL writes", golden},
			"with attributes": {"what some key stores add", marshal(t, withRest{0, info.Algorithm, info.PrivateKey, attributes})},
			"with public key": {"RFC 5958, version 2", marshal(t, withRest{1, info.Algorithm, info.PrivateKey, publicKey})},
		}
		for name, tc := range cases {
			t.Run(spec+" "+name, func(t *testing.T) {
				for _, encoding := range []Encoding{Raw, PEM} {
					data := tc.der
					if encoding == PEM {
						data = []byte(asPEM("PRIVATE KEY", tc.der))
					}
					m, err := Decode(encoding, data)
					if err != nil {
						t.Fatal(err)
					}
					if err := Validate(m, spec, ""); err != nil {
						t.Errorf("%s, %s: %v", tc.reason, encoding, err)
					}
					if !bytes.Equal(m.raw(), tc.der) {
						t.Errorf("%s: %s was modified", tc.reason, encoding)
					}
				}
			})
		}
	}
}

func TestECPrivateKeysInPKCS8(t *testing.T) {
	const spec = "ECC_NIST_P256"
	golden := testDER(t, spec+".pkcs8")
	info, _ := parsePKCS8(golden)
	var key ecPrivateKey
	if _, err := asn1.Unmarshal(info.PrivateKey, &key); err != nil {
		t.Fatal(err)
	}
	named := func(oid ...int) pkix.AlgorithmIdentifier {
		return pkix.AlgorithmIdentifier{Algorithm: ecPublicKey(), Parameters: asn1.RawValue{FullBytes: marshal(t, asn1.ObjectIdentifier(oid))}}
	}
	inner := func(change func(*ecPrivateKey)) privateKeyInfo {
		changed, outer := key, info
		change(&changed)
		outer.PrivateKey = sec1(t, changed)
		return outer
	}
	outer := func(change func(*privateKeyInfo)) privateKeyInfo {
		changed := info
		change(&changed)
		return changed
	}
	order, err := hex.DecodeString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		info   privateKeyInfo
		fits   bool
	}{
		"as it is":              {"what OpenSSL writes", info, true},
		"no public key":         {"KMS derives it", inner(func(k *ecPrivateKey) { k.PublicKey = asn1.BitString{} }), true},
		"compressed public key": {"another spelling", inner(func(k *ecPrivateKey) { k.PublicKey = bits(compressed(k.PublicKey.Bytes)) }), true},
		"curve named twice":     {"what BouncyCastle writes", inner(func(k *ecPrivateKey) { k.Parameters = curveName(t, 1, 2, 840, 10045, 3, 1, 7) }), true},
		"curve named otherwise": {"one of the two is wrong", inner(func(k *ecPrivateKey) { k.Parameters = curveName(t, 1, 3, 132, 0, 10) }), false},
		"curve spelled out inside": {
			"KMS takes named curves", inner(func(k *ecPrivateKey) { k.Parameters = tagged(t, 0, []byte{0x30, 0}) }), false,
		},
		"curve name and more": {
			"one curve", inner(func(k *ecPrivateKey) {
				k.Parameters = tagged(t, 0, append(marshal(t, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}), 5, 0))
			}), false,
		},
		"other public key": {
			"which of the two is meant is not guessed",
			inner(func(k *ecPrivateKey) { point, _ := p256().point(counting(1, 32)); k.PublicKey = bits(point) }), false,
		},
		"public key negated":  {"the other half of the curve", inner(func(k *ecPrivateKey) { p := compressed(k.PublicKey.Bytes); p[0] ^= 1; k.PublicKey = bits(p) }), false},
		"scalar too short":    {"KMS may not pad it", inner(func(k *ecPrivateKey) { k.PrivateKey, k.PublicKey = []byte{7}, asn1.BitString{} }), false},
		"scalar too long":     {"KMS may not cut it", inner(func(k *ecPrivateKey) { k.PrivateKey = append([]byte{0}, k.PrivateKey...) }), false},
		"scalar zero":         {"no key", inner(func(k *ecPrivateKey) { k.PrivateKey, k.PublicKey = make([]byte, 32), asn1.BitString{} }), false},
		"scalar is the order": {"no key", inner(func(k *ecPrivateKey) { k.PrivateKey, k.PublicKey = order, asn1.BitString{} }), false},
		"other inner version": {"not SEC 1", inner(func(k *ecPrivateKey) { k.Version = 2 }), false},
		"other version":       {"not PKCS#8", outer(func(i *privateKeyInfo) { i.Version = 2 }), false},
		"negative version":    {"not PKCS#8", outer(func(i *privateKeyInfo) { i.Version = -1 }), false},
		"other curve":         {"the key is on another curve", outer(func(i *privateKeyInfo) { i.Algorithm = named(1, 3, 132, 0, 10) }), false},
		"no curve":            {"it does not say which", outer(func(i *privateKeyInfo) { i.Algorithm.Parameters = asn1.RawValue{} }), false},
		"ECDH only":           {"KMS wants id-ecPublicKey", outer(func(i *privateKeyInfo) { i.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 3, 132, 1, 12} }), false},
		"inner trailing byte": {"more than a key", outer(func(i *privateKeyInfo) { i.PrivateKey = append(bytes.Clone(i.PrivateKey), 0) }), false},
		"empty":               {"no key", outer(func(i *privateKeyInfo) { i.PrivateKey = nil }), false},
		"outer public key":    {"RFC 5958", outer(func(i *privateKeyInfo) { i.Version, i.PublicKey = 1, key.PublicKey }), true},
		"other outer public key": {
			"which of the two is meant is not guessed",
			outer(func(i *privateKeyInfo) {
				point, _ := p256().point(counting(1, 32))
				i.Version, i.PublicKey = 1, bits(point)
			}), false,
		},
		"inner element more": {"nobody knows what it means", outer(func(i *privateKeyInfo) { i.PrivateKey = withElement(t, i.PrivateKey, []byte{5, 0}) }), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := Validate(newMaterial(marshal(t, tc.info)), spec, ""); (err == nil) != tc.fits {
				t.Errorf("%s: error %v", tc.reason, err)
			}
		})
	}
	if isEC(testDER(t, "explicit_parameters.pkcs8"), p256()) {
		t.Error("a curve that is spelled out is no named curve")
	}
	if isEC(append(bytes.Clone(golden), 0), p256()) {
		t.Error("a byte after the key is no part of it")
	}
	for _, element := range [][]byte{{5, 0}, {0xa0, 0}, {0xde, 0xad, 0xbe}} {
		if isEC(withElement(t, marshal(t, outer(func(i *privateKeyInfo) { i.Attributes = tagged(t, 0, nil) })), element), p256()) {
			t.Errorf("% x behind the elements is no part of a key", element)
		}
	}
}

func TestRSAPrivateKeysInPKCS8(t *testing.T) {
	golden := testDER(t, "RSA_2048.pkcs8")
	info, _ := parsePKCS8(golden)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := rsa.GenerateKey(rand.Reader, 2047)
	if err != nil {
		t.Fatal(err)
	}
	with := func(privateKey []byte) []byte {
		changed := info
		changed.PrivateKey = privateKey
		return marshal(t, changed)
	}
	pss := info
	pss.Algorithm.Algorithm = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	cases := map[string]struct {
		reason string
		der    []byte
		fits   bool
	}{
		"as it is":            {"what OpenSSL writes", golden, true},
		"trailing byte":       {"more than a key", append(bytes.Clone(golden), 0), false},
		"1024 bits":           {"the key's spec says 2048", with(x509.MarshalPKCS1PrivateKey(small)), false},
		"2047 bits":           {"the key's spec says 2048", with(x509.MarshalPKCS1PrivateKey(odd)), false},
		"three primes":        {"KMS takes two", with(testDER(t, "three_primes")), false},
		"PSS only":            {"KMS wants rsaEncryption", marshal(t, pss), false},
		"PKCS#1":              {"KMS wants PKCS#8", info.PrivateKey, false},
		"inner trailing byte": {"more than a key", with(append(bytes.Clone(info.PrivateKey), 0)), false},
		"element more":        {"nobody knows what it means", withElement(t, golden, []byte{5, 0}), false},
		"inner element more":  {"nobody knows what it means", with(withElement(t, info.PrivateKey, []byte{5, 0})), false},
		"damaged":             {"p times q is not n", with(damagedRSA(t, func(k *pkcs1) { k.Q.Add(k.Q, big.NewInt(2)) })), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := Validate(newMaterial(tc.der), "RSA_2048", ""); (err == nil) != tc.fits {
				t.Errorf("%s: error %v", tc.reason, err)
			}
		})
	}
}

// A file full of attributes goes no further than 4096 bytes.
func TestPrivateKeysAreCapped(t *testing.T) {
	for _, spec := range []string{"RSA_2048", "ECC_NIST_P256"} {
		golden := testDER(t, spec+".pkcs8")
		info, _ := parsePKCS8(golden)
		for length, fits := range map[int]bool{4096: true, 4097: false} {
			var der []byte
			for padding := length - len(golden) - 8; len(der) != length; padding++ {
				der = marshal(t, struct {
					Version    int
					Algorithm  pkix.AlgorithmIdentifier
					PrivateKey []byte
					Attributes asn1.RawValue
				}{0, info.Algorithm, info.PrivateKey, tagged(t, 0, make([]byte, padding))})
			}
			if err := Validate(newMaterial(der), spec, ""); (err == nil) != fits {
				t.Errorf("%s of %d bytes: error %v", spec, length, err)
			}
		}
	}
}

func TestWipeRSA(t *testing.T) {
	key, err := x509.ParsePKCS1PrivateKey(testDER(t, "RSA_2048"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := append([]*big.Int{key.D, key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv}, key.Primes...)
	wipeRSA(key)
	for _, secret := range secrets {
		for _, word := range secret.Bits() {
			if word != 0 {
				t.Fatal("a number was left behind")
			}
		}
	}
}

// assertCanonical checks a conversion: PKCS#8 that one of the KeySpecs takes, in the form that Go writes.
func assertCanonical(t *testing.T, pkcs8 []byte) {
	t.Helper()
	if key, err := x509.ParsePKCS8PrivateKey(pkcs8); err == nil {
		if der, err := x509.MarshalPKCS8PrivateKey(key); err != nil || !bytes.Equal(der, pkcs8) {
			t.Error("a conversion is not what Go writes")
		}
		return
	}
	if !isEC(pkcs8, p256k1()) {
		t.Error("a conversion is no key")
	}
}

func seedKeys(f *testing.F) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(ed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(other)
	f.Add([]byte{0x30, 0x80, 0, 0})
	names := append([]string{"three_primes", "explicit_parameters", "explicit_parameters.pkcs8"}, privateKeySpecs...)
	for _, spec := range privateKeySpecs {
		names = append(names, spec+".pkcs8")
	}
	for _, name := range names {
		f.Add(testDER(f, name))
	}
}

func FuzzPKCS1(f *testing.F) {
	seedKeys(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 4096 {
			return // not parsed, see TestDecodePEM
		}
		if pkcs8, ok := pkcs8FromPKCS1(der); ok {
			assertCanonical(t, pkcs8)
		}
	})
}

func FuzzSEC1(f *testing.F) {
	seedKeys(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 4096 {
			return // not parsed, see TestDecodePEM
		}
		if pkcs8, ok := pkcs8FromSEC1(der); ok {
			assertCanonical(t, pkcs8)
		}
	})
}

// What is taken as PKCS#8 of a key must be one to the standard library too, and of one KeySpec only.
func FuzzPKCS8(f *testing.F) {
	seedKeys(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		before := bytes.Clone(der)
		var fitting []string
		for _, spec := range privateKeySpecs {
			if Validate(newMaterial(der), spec, "") == nil {
				fitting = append(fitting, spec)
			}
		}
		if len(fitting) > 1 {
			t.Errorf("it is a key of %v", fitting)
		}
		if len(fitting) == 1 && fitting[0] != "ECC_SECG_P256K1" {
			if _, err := x509.ParsePKCS8PrivateKey(der); err != nil {
				t.Errorf("crypto/x509 does not take it: %v", err)
			}
		}
		if !bytes.Equal(before, der) {
			t.Error("Validate wrote into the material")
		}
	})
}
