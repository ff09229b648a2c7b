package keymaterial

import (
	"bytes"
	"crypto/ecdh"
	"encoding/asn1"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// curve is one of those whose private keys KMS imports.
type curve struct {
	name  string
	oid   asn1.ObjectIdentifier
	bytes int // of a scalar, and of a coordinate
	// point is the public key of a scalar of so many bytes, uncompressed; false unless 0 < scalar < order.
	point func(scalar []byte) ([]byte, bool)
}

func p256() curve {
	return curve{"P-256", asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, 32, nist(ecdh.P256())}
}

func p384() curve {
	return curve{"P-384", asn1.ObjectIdentifier{1, 3, 132, 0, 34}, 48, nist(ecdh.P384())}
}

func p521() curve {
	return curve{"P-521", asn1.ObjectIdentifier{1, 3, 132, 0, 35}, 66, nist(ecdh.P521())}
}

func p256k1() curve {
	return curve{"secp256k1", asn1.ObjectIdentifier{1, 3, 132, 0, 10}, 32, secg}
}

func nist(of ecdh.Curve) func([]byte) ([]byte, bool) {
	return func(scalar []byte) ([]byte, bool) {
		key, err := of.NewPrivateKey(scalar)
		if err != nil {
			return nil, false
		}
		return key.PublicKey().Bytes(), true
	}
}

// secg multiplies on secp256k1, which the standard library does not have. The multiplication takes a time that depends
// on the scalar; it is done once for each reading of a Secret, and nobody outside can set it going at will.
func secg(scalar []byte) ([]byte, bool) {
	var number secp256k1.ModNScalar
	overflow := number.SetByteSlice(scalar)
	defer number.Zero()
	if overflow || number.IsZero() {
		return nil, false
	}
	key := secp256k1.NewPrivateKey(&number)
	defer key.Zero()
	return key.PubKey().SerializeUncompressed(), true
}

// curveNamed is the curve of an ECParameters (RFC 5480, section 2.1.1) that consists of its name. One that is spelled
// out is no named curve, also where the numbers are the same: KMS takes none.
func curveNamed(parameters []byte) (curve, bool) {
	for _, known := range []curve{p256(), p384(), p521(), p256k1()} {
		if known.isNamed(parameters) {
			return known, true
		}
	}
	return curve{}, false
}

func (c curve) isNamed(parameters []byte) bool {
	var oid asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(parameters, &oid)
	return err == nil && len(rest) == 0 && oid.Equal(c.oid)
}

// scalar copies a private key at its full length. Some tools left out leading zeroes, or added some, against SEC 1.
func (c curve) scalar(privateKey []byte) ([]byte, bool) {
	digits := bytes.TrimLeft(privateKey, "\x00")
	if len(digits) > c.bytes {
		return nil, false
	}
	scalar := make([]byte, c.bytes)
	copy(scalar[c.bytes-len(digits):], digits)
	return scalar, true
}
