package material_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/mlkem"
	"crypto/rsa"
	"crypto/sha3"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// TestParseAccepts also shows that a key gives back the very bytes that it was made of.
func TestParseAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		spec   string
		plain  []byte
		length material.HMACLength
	}{
		"symmetric": {reason: "32 bytes", spec: "SYMMETRIC_DEFAULT", plain: random(32)},
		"HMAC_224":  {reason: "28 bytes", spec: "HMAC_224", plain: random(28)},
		"HMAC_256":  {reason: "32 bytes", spec: "HMAC_256", plain: random(32)},
		"HMAC_384":  {reason: "48 bytes", spec: "HMAC_384", plain: random(48)},
		"HMAC_512":  {reason: "64 bytes", spec: "HMAC_512", plain: random(64)},

		"HMAC_224, shortest": {reason: "28 bytes", spec: "HMAC_224", plain: random(28), length: material.AtLeastLength},
		"HMAC_224, longer":   {reason: "the longer reading", spec: "HMAC_224", plain: random(29), length: material.AtLeastLength},
		"HMAC_512, longest":  {reason: "the longer reading", spec: "HMAC_512", plain: random(128), length: material.AtLeastLength},

		"RSA":                 {reason: "as Go encodes", spec: "RSA_2048", plain: inPKCS8(t, sharedRSA())},
		"RSA, attributes":     {reason: "PKCS #8 has a place for them", spec: "RSA_2048", plain: withAttributes(t, inPKCS8(t, sharedRSA()))},
		"RSA, d by φ":         {reason: "the original definition of the private exponent", spec: "RSA_2048", plain: phiRSA(t).pkcs8(t)},
		"RSA, large exponent": {reason: "larger than usual", spec: "RSA_2048", plain: newRSA(t, 1<<31-1, primes(t, 1024, 1024)...).pkcs8(t)},

		"P-256":       {reason: "as Go encodes", spec: "ECC_NIST_P256", plain: inPKCS8(t, newEC(t, elliptic.P256()))},
		"P-384":       {reason: "as Go encodes", spec: "ECC_NIST_P384", plain: inPKCS8(t, newEC(t, elliptic.P384()))},
		"P-521":       {reason: "as Go encodes", spec: "ECC_NIST_P521", plain: inPKCS8(t, newEC(t, elliptic.P521()))},
		"P-256, bare": {reason: "the public key is optional", spec: "ECC_NIST_P256", plain: ec(oidP256(), scalar(32, 7))},
		"P-384, bare": {reason: "the public key is optional", spec: "ECC_NIST_P384", plain: ec(oidP384(), scalar(48, 7))},
		"P-521, bare": {reason: "the public key is optional", spec: "ECC_NIST_P521", plain: ec(oidP521(), scalar(66, 7))},
		"P-256, curve named twice": {
			reason: "PKCS #8 names it, but some tools repeat it inside",
			spec:   "ECC_NIST_P256", plain: ec(oidP256(), scalar(32, 7), curveName(oidP256())),
		},
		"P-256, attributes": {
			reason: "PKCS #8 has a place for them",
			spec:   "ECC_NIST_P256", plain: pkcs8(sequence(oidEC(), oidP256()), sec1(scalar(32, 7)), attributes()),
		},
		"P-256, largest": {
			reason: "one below the order",
			spec:   "ECC_NIST_P256", plain: ec(oidP256(), below(elliptic.P256().Params().N, 1).FillBytes(make([]byte, 32))),
		},

		"secp256k1":           {reason: "without the public key", spec: "ECC_SECG_P256K1", plain: ec(oidSecp256k1(), scalar(32, 7))},
		"secp256k1, smallest": {reason: "one", spec: "ECC_SECG_P256K1", plain: ec(oidSecp256k1(), scalar(32, 1))},
		"secp256k1, largest": {
			reason: "one below the order",
			spec:   "ECC_SECG_P256K1", plain: ec(oidSecp256k1(), below(secgOrder(), 1).Bytes()),
		},
		"secp256k1, public key": {
			reason: "the generator, which belongs to one",
			spec:   "ECC_SECG_P256K1", plain: ec(oidSecp256k1(), scalar(32, 1), curveName(oidSecp256k1()), point(secgGenerator())),
		},
		"secp256k1, compressed": {
			reason: "the short form of the generator, whose y is even",
			spec:   "ECC_SECG_P256K1",
			plain:  ec(oidSecp256k1(), scalar(32, 1), point(append([]byte{2}, secgGenerator()[1:33]...))),
		},
		"secp256k1, compressed, odd": {
			reason: "the mirror image of the generator, which belongs to the largest private key",
			spec:   "ECC_SECG_P256K1",
			plain:  ec(oidSecp256k1(), below(secgOrder(), 1).Bytes(), point(append([]byte{3}, secgGenerator()[1:33]...))),
		},

		"Ed25519":             {reason: "as Go encodes", spec: "ECC_NIST_EDWARDS25519", plain: inPKCS8(t, newEd25519(t))},
		"Ed25519, published":  {reason: "RFC 8410, section 10.3", spec: "ECC_NIST_EDWARDS25519", plain: rfc8410Key()},
		"Ed25519, public key": {reason: "RFC 8410, section 10.3, the second", spec: "ECC_NIST_EDWARDS25519", plain: rfc8410KeyPair()},

		"ML-KEM-512, seed":      {reason: "64 bytes of any value", spec: "ML_KEM_512", plain: kem(2, kemSeed(random(64)))},
		"ML-KEM-768, seed":      {reason: "as Go makes them", spec: "ML_KEM_768", plain: kem(3, kemSeed(goSeed(t)))},
		"ML-KEM-512, expanded":  {reason: "1632 bytes", spec: "ML_KEM_512", plain: kem(2, octets(expanded(2)))},
		"ML-KEM-768, expanded":  {reason: "2400 bytes", spec: "ML_KEM_768", plain: kem(3, octets(expanded(3)))},
		"ML-KEM-1024, expanded": {reason: "3168 bytes", spec: "ML_KEM_1024", plain: kem(4, octets(expanded(4)))},
		"ML-KEM-1024, both":     {reason: "seed and expanded", spec: "ML_KEM_1024", plain: kem(4, sequence(octets(random(64)), octets(expanded(4))))},
	} {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(c.plain)
			key, err := spec(t, c.spec).Parse(given, c.length)
			if err != nil {
				t.Fatalf("%v: %s", err, c.reason)
			}
			clear(given)
			if !bytes.Equal(key.Bytes(), c.plain) {
				t.Error("the key is not of the bytes that were given")
			}
			if got := key.Spec().Name(); got != c.spec {
				t.Errorf("the key is of %s", got)
			}
		})
	}
}

// refusal is a case of a table of what is not key material.
type refusal struct {
	reason string
	plain  []byte
	want   string
}

func testRefusals(t *testing.T, specName string, cases map[string]refusal) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			key, err := spec(t, specName).Parse(c.plain, material.ExactLength)
			expectError(t, err, material.BadMaterial, c.want)
			if key != nil || err == nil {
				t.Errorf("there is a key: %s", c.reason)
			}
		})
	}
}

func expectError(t *testing.T, err error, kind material.ErrorKind, text string) {
	t.Helper()
	e, ok := errors.AsType[*material.Error](err)
	if !ok || e.Kind != kind || e.Error() != text {
		t.Errorf("%v, want kind %d: %s", err, kind, text)
	}
}

func TestParseRefusesLengths(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		spec   string
		bytes  int
		length material.HMACLength
		want   string
	}{
		"symmetric, nothing": {reason: "no bytes", spec: "SYMMETRIC_DEFAULT", bytes: 0, want: "SYMMETRIC_DEFAULT keys take exactly 32 bytes of key material."},
		"symmetric, AES-128": {reason: "SM4 in China Regions only", spec: "SYMMETRIC_DEFAULT", bytes: 16, want: "SYMMETRIC_DEFAULT keys take exactly 32 bytes of key material."},
		"symmetric, short":   {reason: "one too few", spec: "SYMMETRIC_DEFAULT", bytes: 31, want: "SYMMETRIC_DEFAULT keys take exactly 32 bytes of key material."},
		"symmetric, long":    {reason: "a line break behind it", spec: "SYMMETRIC_DEFAULT", bytes: 33, want: "SYMMETRIC_DEFAULT keys take exactly 32 bytes of key material."},
		"symmetric, longer":  {reason: "the rule is for HMAC", spec: "SYMMETRIC_DEFAULT", bytes: 64, length: material.AtLeastLength, want: "SYMMETRIC_DEFAULT keys take exactly 32 bytes of key material."},
		"HMAC_224, short":    {reason: "one too few", spec: "HMAC_224", bytes: 27, want: "HMAC_224 keys take exactly 28 bytes of key material."},
		"HMAC_224, long":     {reason: "one too many", spec: "HMAC_224", bytes: 29, want: "HMAC_224 keys take exactly 28 bytes of key material."},
		"HMAC_256, short":    {reason: "one too few", spec: "HMAC_256", bytes: 31, want: "HMAC_256 keys take exactly 32 bytes of key material."},
		"HMAC_256, long":     {reason: "one too many", spec: "HMAC_256", bytes: 33, want: "HMAC_256 keys take exactly 32 bytes of key material."},
		"HMAC_384, short":    {reason: "one too few", spec: "HMAC_384", bytes: 47, want: "HMAC_384 keys take exactly 48 bytes of key material."},
		"HMAC_384, long":     {reason: "one too many", spec: "HMAC_384", bytes: 49, want: "HMAC_384 keys take exactly 48 bytes of key material."},
		"HMAC_512, short":    {reason: "one too few", spec: "HMAC_512", bytes: 63, want: "HMAC_512 keys take exactly 64 bytes of key material."},
		"HMAC_512, long":     {reason: "one too many", spec: "HMAC_512", bytes: 65, want: "HMAC_512 keys take exactly 64 bytes of key material."},
		"HMAC_512, shorter":  {reason: "longer is allowed, shorter is not", spec: "HMAC_512", bytes: 63, length: material.AtLeastLength, want: "HMAC_512 keys take 64 to 128 bytes of key material."},
		"HMAC_256, longer":   {reason: "over the maximum", spec: "HMAC_256", bytes: 129, length: material.AtLeastLength, want: "HMAC_256 keys take 32 to 128 bytes of key material."},
		"SM2":                {reason: "China Regions only", spec: "SM2", bytes: 32, want: "Key material of SM2 keys cannot be imported."},
		"ML-DSA":             {reason: "KMS does not import it", spec: "ML_DSA_65", bytes: 32, want: "Key material of ML_DSA_65 keys cannot be imported."},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := spec(t, c.spec).Parse(random(c.bytes), c.length)
			expectError(t, err, material.BadMaterial, c.want)
			if key != nil {
				t.Errorf("there is a key: %s", c.reason)
			}
		})
	}
}

// TestParseRefusesPKCS8 has what is wrong with the outer structure, whatever the key.
func TestParseRefusesPKCS8(t *testing.T) {
	const notPKCS8 = "ECC_NIST_P256 keys take a PKCS #8 private key in DER as key material."
	const notDER = "The PKCS #8 private key is not encoded as DER has it, or holds more than RFC 5958 allows."
	algorithm, private := sequence(oidEC(), oidP256()), sec1(scalar(32, 7))
	good := pkcs8(algorithm, private)
	parse(t, "ECC_NIST_P256", good)
	testRefusals(t, "ECC_NIST_P256", map[string]refusal{
		"nothing":     {"no bytes", nil, notPKCS8},
		"raw":         {"the scalar alone", random(32), notPKCS8},
		"PEM":         {"text", []byte("-----BEGIN PRIVATE KEY-----\n"), notPKCS8},
		"SEC 1":       {"the inner structure alone, as in EC PRIVATE KEY", private, notPKCS8},
		"cut":         {"the last byte is missing", good[:len(good)-1], notPKCS8},
		"encrypted":   {"PKCS #8 with a password", sequence(sequence(oidEC(), oidP256()), octets(random(48))), notPKCS8},
		"public key":  {"a SubjectPublicKeyInfo", sequence(algorithm, bits(random(65))), notPKCS8},
		"BER length":  {"DER has one encoding for each length", append([]byte{0x30, 0x81}, good[1:]...), notPKCS8},
		"BER endless": {"DER has no indefinite length", slices.Concat([]byte{0x30, 0x80}, good[2:], []byte{0, 0}), notPKCS8},
		"line break":  {"trailing bytes", append(slices.Clone(good), '\n'), "The key material goes on behind the end of the PKCS #8 private key."},
		"twice":       {"trailing bytes", slices.Concat(good, good), "The key material goes on behind the end of the PKCS #8 private key."},
		"more inside": {"an element that PKCS #8 does not have", pkcs8(algorithm, private, number(1)), notDER},
		"more in algorithm": {
			"an element that an AlgorithmIdentifier does not have", pkcs8(sequence(oidEC(), oidP256(), null()), private), notDER,
		},
		"version 2 without a public key": {
			"RFC 5958 has it for keys with one", sequence(number(1), algorithm, octets(private)),
			"The PKCS #8 private key has a version that does not go with its content.",
		},
		"version 1 with a public key": {
			"RFC 5958 has version 2 for that", pkcs8(algorithm, private, der(0x81, []byte{0}, secgGenerator())),
			"The PKCS #8 private key has a version that does not go with its content.",
		},
		"negative version": {
			"there is none", sequence(der(tagInteger, []byte{0xFF}), algorithm, octets(private)),
			"The PKCS #8 private key has a version that does not go with its content.",
		},
		"other algorithm": {
			"an RSA key", inPKCS8(t, sharedRSA()),
			"The key material is a private key for another algorithm than that of ECC_NIST_P256 keys.",
		},
	})
}

func TestParseRefusesRSA(t *testing.T) {
	const invalid = "The key material is not a valid RSA private key (RFC 8017, appendix A.1.2)."
	const outside = "The PKCS #8 private key holds what has no place in one for RSA (RFC 8017, appendix A.1)."
	const notDER = "The RSA private key is not encoded as RFC 8017, appendix A.1.2, has it."
	good := newRSA(t, 65537, primes(t, 1024, 1024)...)
	parse(t, "RSA_2048", good.pkcs8(t))
	changed := func(change func(k *pkcs1)) []byte {
		k := good
		change(&k)
		return k.pkcs8(t)
	}
	algorithm, one := sequence(oidRSA(), null()), big.NewInt(1)
	inner := encoded(t, good)
	testRefusals(t, "RSA_2048", map[string]refusal{
		"PKCS #1":         {"the inner structure alone, as in RSA PRIVATE KEY", inner, "RSA_2048 keys take a PKCS #8 private key in DER as key material."},
		"curve":           {"another algorithm", ec(oidP256(), scalar(32, 7)), "The key material is a private key for another algorithm than that of RSA_2048 keys."},
		"RSASSA-PSS only": {"another algorithm, by its identifier", pkcs8(sequence(der(tagOID, unhex("2a864886f70d01010a"))), inner), "The key material is a private key for another algorithm than that of RSA_2048 keys."},
		"no NULL":         {"the parameters are NULL", pkcs8(sequence(oidRSA()), inner), outside},
		"parameters":      {"the parameters are NULL", pkcs8(sequence(oidRSA(), oidP256()), inner), outside},
		"public key":      {"RFC 5958 version 2", sequence(number(1), algorithm, octets(inner), der(0x81, []byte{0}, random(270))), outside},
		"nothing inside":  {"an empty private key", pkcs8(algorithm, nil), invalid},
		"noise inside":    {"no structure", pkcs8(algorithm, random(1190)), invalid},
		"trailing inside": {"more behind the inner structure", pkcs8(algorithm, append(slices.Clone(inner), 0)), invalid},
		"more inside":     {"an element that RSAPrivateKey does not have", pkcs8(algorithm, sequence(inner[4:], null())), notDER},
		"no CRT values":   {"they are not optional", pkcs8(algorithm, encoded(t, []*big.Int{new(big.Int), good.N, good.E, good.D, good.P, good.Q})), notDER},
		"3 primes":        {"two are allowed", newRSA(t, 65537, primes(t, 683, 683, 682)...).pkcs8(t), "The RSA private key has more than two prime factors."},
		"version 1":       {"for more than two primes", changed(func(k *pkcs1) { k.Version = 1 }), notDER},
		"no such version": {"there are two", changed(func(k *pkcs1) { k.Version = 2 }), invalid},
		"RSA_3072":        {"another size", inPKCS8(t, newRSA3072(t)), "RSA_2048 keys take an RSA private key with a modulus of 2048 bits."},
		"2047 bits":       {"a bit short", newRSA(t, 65537, primes2047(t)...).pkcs8(t), "RSA_2048 keys take an RSA private key with a modulus of 2048 bits."},
		"exponent 3":      {"too small for FIPS 186-5", newRSA(t, 3, primesFor(t, 3)...).pkcs8(t), "The RSA private key has a public exponent below 65537."},
		"exponent 65535":  {"too small for FIPS 186-5", newRSA(t, 65535, primesFor(t, 65535)...).pkcs8(t), "The RSA private key has a public exponent below 65537."},
		"even exponent":   {"has no inverse", changed(func(k *pkcs1) { k.E = big.NewInt(65538) }), invalid},
		"huge exponent":   {"more than 31 bits", newRSA(t, 1<<32+15, primesFor(t, 1<<32+15)...).pkcs8(t), invalid},
		"other exponent":  {"not the one of d", changed(func(k *pkcs1) { k.E = big.NewInt(65539) }), invalid},
		"other d":         {"not the one of e", changed(func(k *pkcs1) { k.D = below(k.D, 2) }), invalid},
		"other n":         {"not the product of the primes", changed(func(k *pkcs1) { k.N = below(k.N, 2) }), invalid},
		"other p":         {"not a factor of n", changed(func(k *pkcs1) { k.P = below(k.P, 2) }), invalid},
		"other q":         {"not a factor of n", changed(func(k *pkcs1) { k.Q = below(k.Q, 2) }), invalid},
		"primes swapped":  {"the CRT values are not", changed(func(k *pkcs1) { k.P, k.Q = k.Q, k.P }), invalid},
		"other dP":        {"not d mod p-1", changed(func(k *pkcs1) { k.DP = below(k.DP, 2) }), invalid},
		"other dQ":        {"not d mod q-1", changed(func(k *pkcs1) { k.DQ = below(k.DQ, 2) }), invalid},
		"other qInv":      {"not the inverse of q", changed(func(k *pkcs1) { k.QInv = below(k.QInv, 1) }), invalid},
		"n is zero":       {"no modulus", changed(func(k *pkcs1) { k.N = new(big.Int) }), invalid},
		"d is zero":       {"no exponent", changed(func(k *pkcs1) { k.D = new(big.Int) }), invalid},
		"negative d":      {"a number of RSA is positive", changed(func(k *pkcs1) { k.D = new(big.Int).Neg(k.D) }), invalid},
		"p is one":        {"no factors at all", changed(func(k *pkcs1) { k.P, k.Q = one, k.N }), invalid},
		"p is not prime": {
			"but everything else is right", newRSA(t, 65537, compositeAndPrime(t)...).pkcs8(t),
			"The factors of the modulus of the RSA private key are not prime numbers.",
		},
	})
}

func TestParseRefusesCurves(t *testing.T) {
	const unnamed = "The private key does not name its curve: explicit parameters are not accepted."
	const other = "The key material is a private key on another curve than that of ECC_NIST_P256 keys."
	const invalid = "The key material is not a valid private key on a curve (RFC 5915)."
	const length = "Private keys of ECC_NIST_P256 have 32 bytes, with leading zeros (RFC 5915, section 3)."
	const outOfRange = "The private key is zero or not below the order of the curve."
	const foreign = "The public key inside the private key does not belong to it."
	algorithm, private := sequence(oidEC(), oidP256()), sec1(scalar(32, 7))
	order := elliptic.P256().Params().N
	stranger := publicPoint(t, newEC(t, elliptic.P256()))
	testRefusals(t, "ECC_NIST_P256", map[string]refusal{
		"Ed25519":               {"another algorithm", inPKCS8(t, newEd25519(t)), "The key material is a private key for another algorithm than that of ECC_NIST_P256 keys."},
		"explicit parameters":   {"right, but spelled out", pkcs8(sequence(oidEC(), explicitP256()), private), unnamed},
		"implicit parameters":   {"NULL: the curve of the issuer", pkcs8(sequence(oidEC(), null()), private), unnamed},
		"no parameters":         {"named inside only", pkcs8(sequence(oidEC()), sec1(scalar(32, 7), curveName(oidP256()))), unnamed},
		"P-384":                 {"another curve", inPKCS8(t, newEC(t, elliptic.P384())), other},
		"secp256k1":             {"another curve of the same size", ec(oidSecp256k1(), scalar(32, 7)), other},
		"public key outside":    {"RFC 5958 version 2", sequence(number(1), algorithm, octets(private), der(0x81, []byte{0}, stranger)), "The PKCS #8 private key holds a public key, which has no place in one on a curve."},
		"nothing inside":        {"an empty private key", pkcs8(algorithm, nil), invalid},
		"scalar inside":         {"as for Ed25519", pkcs8(algorithm, octets(scalar(32, 7))), invalid},
		"trailing inside":       {"more behind the inner structure", pkcs8(algorithm, append(slices.Clone(private), 0)), invalid},
		"more inside":           {"an element that ECPrivateKey does not have", ec(oidP256(), scalar(32, 7), null()), invalid},
		"version 0":             {"ECPrivateKey has 1", pkcs8(algorithm, sequence(number(0), octets(scalar(32, 7)))), invalid},
		"version 2":             {"ECPrivateKey has 1", pkcs8(algorithm, sequence(number(2), octets(scalar(32, 7)))), invalid},
		"two curves":            {"P-384 inside, P-256 outside", ec(oidP256(), scalar(32, 7), curveName(oidP384())), "The private key names another curve inside than outside."},
		"empty curve":           {"a name without a name", ec(oidP256(), scalar(32, 7), curveName(nil)), invalid},
		"explicit inside":       {"right, but spelled out", ec(oidP256(), scalar(32, 7), curveName(explicitP256())), "The private key names another curve inside than outside."},
		"leading zero cut":      {"as old tools do", ec(oidP256(), scalar(31, 7)), length},
		"leading zero added":    {"as for a signed number", ec(oidP256(), scalar(33, 7)), length},
		"empty scalar":          {"no bytes", ec(oidP256(), nil), length},
		"zero":                  {"no private key", ec(oidP256(), scalar(32, 0)), outOfRange},
		"order":                 {"the same as zero", ec(oidP256(), order.FillBytes(make([]byte, 32))), outOfRange},
		"all bits":              {"above the order", ec(oidP256(), bytes.Repeat([]byte{0xFF}, 32)), outOfRange},
		"public key of another": {"it would not be KMS's", ec(oidP256(), scalar(32, 7), point(stranger)), foreign},
		"public key of another, compressed": {
			"it would not be KMS's", ec(oidP256(), scalar(32, 7), point(append([]byte{2}, stranger[1:33]...))), foreign,
		},
		"public key, empty":          {"no point", ec(oidP256(), scalar(32, 7), point(nil)), foreign},
		"public key, part of a byte": {"a point is whole bytes, even if the last bits are zero", partOfByte(t), foreign},
	})
}

func TestParseRefusesSecp256k1(t *testing.T) {
	const outOfRange = "The private key is zero or not below the order of the curve."
	const foreign = "The public key inside the private key does not belong to it."
	testRefusals(t, "ECC_SECG_P256K1", map[string]refusal{
		"raw":        {"32 bytes", random(32), "ECC_SECG_P256K1 keys take a PKCS #8 private key in DER as key material."},
		"P-256":      {"another curve of the same size", ec(oidP256(), scalar(32, 7)), "The key material is a private key on another curve than that of ECC_SECG_P256K1 keys."},
		"two curves": {"P-256 inside", ec(oidSecp256k1(), scalar(32, 7), curveName(oidP256())), "The private key names another curve inside than outside."},
		"31 bytes":   {"a leading zero was cut", ec(oidSecp256k1(), scalar(31, 7)), "Private keys of ECC_SECG_P256K1 have 32 bytes, with leading zeros (RFC 5915, section 3)."},
		"33 bytes":   {"a leading zero was added", ec(oidSecp256k1(), scalar(33, 7)), "Private keys of ECC_SECG_P256K1 have 32 bytes, with leading zeros (RFC 5915, section 3)."},
		"zero":       {"no private key", ec(oidSecp256k1(), scalar(32, 0)), outOfRange},
		"order":      {"the same as zero", ec(oidSecp256k1(), secgOrder().Bytes()), outOfRange},
		"all bits":   {"above the order", ec(oidSecp256k1(), bytes.Repeat([]byte{0xFF}, 32)), outOfRange},
		"public key": {"the generator belongs to one, not to seven", ec(oidSecp256k1(), scalar(32, 7), point(secgGenerator())), foreign},
		"compressed": {"the generator's y is even", ec(oidSecp256k1(), scalar(32, 1), point(append([]byte{3}, secgGenerator()[1:33]...))), foreign},
	})
}

func TestParseRefusesEd25519(t *testing.T) {
	const invalid = "The key material is not a valid Ed25519 private key (RFC 8410, section 7)."
	const foreign = "The public key inside the private key does not belong to it."
	algorithm := sequence(oidEd25519())
	seed := random(32)
	public := func(content ...byte) []byte {
		return sequence(number(1), algorithm, octets(octets(seed)), der(0x81, content))
	}
	testRefusals(t, "ECC_NIST_EDWARDS25519", map[string]refusal{
		"raw":           {"the seed alone", seed, "ECC_NIST_EDWARDS25519 keys take a PKCS #8 private key in DER as key material."},
		"X25519":        {"another algorithm of the same size", pkcs8(sequence(oidX25519()), octets(seed)), "The key material is a private key for another algorithm than that of ECC_NIST_EDWARDS25519 keys."},
		"parameters":    {"there are none", pkcs8(sequence(oidEd25519(), null()), octets(seed)), invalid},
		"seed inside":   {"not in an OCTET STRING of its own", pkcs8(algorithm, seed), invalid},
		"31 bytes":      {"a seed has 32", pkcs8(algorithm, octets(seed[1:])), invalid},
		"64 bytes":      {"seed and public key", pkcs8(algorithm, octets(seed, seed)), invalid},
		"trailing":      {"more behind the seed", pkcs8(algorithm, append(octets(seed), 0)), invalid},
		"public key":    {"of another key", public(append([]byte{0}, seed...)...), foreign},
		"no public key": {"an empty one", public(0), foreign},
	})
}

func TestParseRefusesMLKEM(t *testing.T) {
	const invalid = "The key material is not a valid ML_KEM_768 private key (RFC 9935)."
	const otherSize = "The key material is a private key for another algorithm than that of ML_KEM_768 keys."
	wrongHash := expanded(3)
	wrongHash[len(wrongHash)-33] ^= 1
	testRefusals(t, "ML_KEM_768", map[string]refusal{
		"raw":                     {"the seed alone", random(64), "ML_KEM_768 keys take a PKCS #8 private key in DER as key material."},
		"ML-KEM-512":              {"another size", kem(2, kemSeed(random(64))), otherSize},
		"ML-KEM-1024":             {"another size", kem(4, kemSeed(random(64))), otherSize},
		"parameters":              {"there are none", pkcs8(sequence(oidMLKEM(3), null()), kemSeed(random(64))), invalid},
		"public key":              {"RFC 5958 version 2", sequence(number(1), sequence(oidMLKEM(3)), octets(kemSeed(random(64))), der(0x81, []byte{0}, random(1184))), invalid},
		"nothing inside":          {"an empty private key", kem(3, nil), invalid},
		"trailing inside":         {"more behind the key", kem(3, append(kemSeed(random(64)), 0)), invalid},
		"seed without its tag":    {"64 bytes are no expanded key", kem(3, octets(random(64))), invalid},
		"short seed":              {"63 bytes", kem(3, kemSeed(random(63))), invalid},
		"seed with another tag":   {"[1] is nothing", kem(3, der(0x81, random(64))), invalid},
		"seed, constructed":       {"an OCTET STRING in [0] is implicit", kem(3, der(tagContext0, octets(random(62)))), invalid},
		"short expanded key":      {"2399 bytes", kem(3, octets(expanded(3)[1:])), invalid},
		"expanded key of another": {"ML-KEM-512's", kem(3, octets(expanded(2))), invalid},
		"expanded key, other tag": {"[4] is nothing", kem(3, der(0x84, expanded(3))), invalid},
		"expanded key, wrong hash": {
			"the check of FIPS 203, section 7.3", kem(3, octets(wrongHash)), invalid,
		},
		"both, short seed":     {"63 bytes", kem(3, sequence(octets(random(63)), octets(expanded(3)))), invalid},
		"both, wrong hash":     {"the check of FIPS 203, section 7.3", kem(3, sequence(octets(random(64)), octets(wrongHash))), invalid},
		"both, expanded only":  {"a sequence of one", kem(3, sequence(octets(expanded(3)))), invalid},
		"both, something more": {"a sequence of three", kem(3, sequence(octets(random(64)), octets(expanded(3)), null())), invalid},
	})
}

// scalar is a small number in as many bytes.
func scalar(length int, value byte) []byte {
	s := make([]byte, length)
	s[length-1] = value
	return s
}

func below(n *big.Int, by int64) *big.Int { return new(big.Int).Sub(n, big.NewInt(by)) }

// withAttributes puts attributes at the end of a private key that has none.
func withAttributes(t *testing.T, plain []byte) []byte {
	t.Helper()
	return sequence(plain[4:], attributes()) // behind a tag and a length of three bytes
}

// phiRSA has a private exponent that is the inverse of e in a larger group than needs be.
func phiRSA(t *testing.T) pkcs1 {
	t.Helper()
	k := newRSA(t, 65537, primes(t, 1024, 1024)...)
	k.D = new(big.Int).ModInverse(k.E, new(big.Int).Mul(below(k.P, 1), below(k.Q, 1)))
	return k
}

// primesFor makes primes that go with a public exponent.
func primesFor(t *testing.T, e int64) []*big.Int {
	t.Helper()
	for {
		found := primes(t, 1024, 1024)
		if !slices.ContainsFunc(found, func(p *big.Int) bool { return !coprime(big.NewInt(e), below(p, 1)) }) {
			return found
		}
	}
}

func coprime(a, b *big.Int) bool { return new(big.Int).GCD(nil, nil, a, b).Cmp(big.NewInt(1)) == 0 }

// primes2047 makes primes whose product is a bit short.
func primes2047(t *testing.T) []*big.Int {
	t.Helper()
	for {
		found := primes(t, 1024, 1024)
		found[1] = primes(t, 1025, 1023)[1]
		if new(big.Int).Mul(found[0], found[1]).BitLen() == 2047 {
			return found
		}
	}
}

// compositeAndPrime makes two factors, one of which is a product itself.
func compositeAndPrime(t *testing.T) []*big.Int {
	t.Helper()
	for {
		found := primes(t, 512, 512, 1024)
		product := new(big.Int).Mul(found[0], found[1])
		if coprime(big.NewInt(65537), below(product, 1)) && coprime(product, found[2]) {
			return []*big.Int{product, found[2]}
		}
	}
}

func newRSA3072(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(nil, 3072)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicPoint(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	encoded, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// partOfByte is a private key with its public key, of which the last four bits are zero and are not counted.
func partOfByte(t *testing.T) []byte {
	t.Helper()
	for value := byte(1); value != 0; value++ {
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar(32, value))
		if err != nil {
			t.Fatal(err)
		}
		if public := publicPoint(t, key); public[64]&0xF == 0 {
			return ec(oidP256(), scalar(32, value), der(tagContext1, der(tagBitString, []byte{4}, public)))
		}
	}
	t.Fatal("no such key")
	return nil
}

// explicitP256 is the curve as ECParameters of RFC 3279, section 2.3.5, has it.
func explicitP256() []byte {
	p := elliptic.P256().Params()
	unsigned := func(n *big.Int) []byte { return append([]byte{0}, n.Bytes()...) }
	field := sequence(der(tagOID, unhex("2a8648ce3d0101")), der(tagInteger, unsigned(p.P)))
	coefficients := sequence(octets(below(p.P, 3).Bytes()), octets(p.B.FillBytes(make([]byte, 32))))
	generator := slices.Concat([]byte{4}, p.Gx.FillBytes(make([]byte, 32)), p.Gy.FillBytes(make([]byte, 32)))
	return sequence(number(1), field, coefficients, octets(generator), der(tagInteger, unsigned(p.N)), number(1))
}

// secgGenerator is the point of secp256k1 that belongs to the private key 1: SEC 2, section 2.4.1.
func secgGenerator() []byte {
	return unhex("04" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
		"483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
}

// secgOrder is how many private keys secp256k1 has, and one: SEC 2, section 2.4.1.
func secgOrder() *big.Int {
	return new(big.Int).SetBytes(unhex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"))
}

// rfc8410Key is the first private key of RFC 8410, section 10.3, rfc8410KeyPair the second.
func rfc8410Key() []byte {
	return unbase64("MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC")
}

func rfc8410KeyPair() []byte {
	return unbase64("MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC" +
		"oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=")
}

func kem(rank int, private []byte) []byte { return pkcs8(sequence(oidMLKEM(rank)), private) }

func kemSeed(seed []byte) []byte { return der(0x80, seed) }

func goSeed(t *testing.T) []byte {
	t.Helper()
	key, err := mlkem.GenerateKey768()
	if err != nil {
		t.Fatal(err)
	}
	return key.Bytes()
}

// expanded has the parts of an expanded private key in their places (FIPS 203, algorithm 16), with a right hash.
func expanded(rank int) []byte {
	private, public, rejection := random(384*rank), random(384*rank+32), random(32)
	hash := sha3.Sum256(public)
	return slices.Concat(private, public, hash[:], rejection)
}
