package keymaterial

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"testing"
)

func sec1(t *testing.T, key ecPrivateKey) []byte {
	t.Helper()
	return marshal(t, key)
}

// curveName is the explicit [0] that holds an OID.
func curveName(t *testing.T, oid ...int) asn1.RawValue {
	t.Helper()
	return tagged(t, 0, marshal(t, asn1.ObjectIdentifier(oid)))
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
