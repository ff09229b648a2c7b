package material_test

import (
	"bytes"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"
)

// FuzzParse gives any bytes to any spec. Nothing panics, and what is accepted can be used. Large keys are not among the
// seeds: the fuzzer would spend its time on making them smaller.
func FuzzParse(f *testing.F) {
	names := material.SpecNames()
	for number := range names {
		for _, plain := range [][]byte{
			random(32), rfc8410Key(), rfc8410KeyPair(), pkcs8(sequence(oidRSA(), null()), random(100)),
			ec(oidP256(), scalar(32, 7)), ec(oidP384(), scalar(48, 7), curveName(oidP384())), ec(oidP521(), scalar(66, 7)),
			ec(oidSecp256k1(), scalar(32, 1), point(secgGenerator())), kem(2, kemSeed(random(64))),
		} {
			f.Add(uint(number), plain)
		}
	}
	f.Fuzz(func(t *testing.T, number uint, plain []byte) {
		s := spec(t, names[number%uint(len(names))])
		key, err := s.Parse(plain, material.AtLeastLength)
		if err != nil {
			return
		}
		if !bytes.Equal(key.Bytes(), plain) {
			t.Error("the key is not of the bytes that were given")
		}
		if _, err := key.Public(); err != nil && len(s.Algorithms("SIGN_VERIFY")) > 0 {
			t.Errorf("%s: no public key: %v", s.Name(), err)
		}
	})
}
