package kmstest

import (
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const getParametersForImport = "GetParametersForImport"

func parameters(dialect kms.Dialect) []promise {
	var promises []promise
	for _, w := range wrappings(dialect) {
		promises = append(promises, promise{
			fmt.Sprintf("parameters are for %s under %s when these are asked for", w.Algorithm, w.KeySpec),
			"a weaker key than was asked for gives the material away",
			terms{},
			func(s *scene) { s.givesParameters(w) },
		})
	}
	return append(promises,
		promise{
			"no parameters for a key that does not exist",
			"it may have been deleted since the look",
			terms{},
			func(s *scene) {
				_, err := s.trySeal(s.nobody(), wrapping(), s.material(32))
				s.refused(err, getParametersForImport, kms.ClassNotFound)
			},
		},
		promise{
			"no parameters for a key of the KMS's own making",
			"its material is not for people to bring",
			terms{keys: 1},
			func(s *scene) {
				_, err := s.trySeal(s.keyOf(kms.KeySpecSymmetricDefault, "AWS_KMS"), wrapping(), s.material(32))
				classes := []kms.ErrorClass{kms.ClassUnsupported}
				if s.isQKMS() { // which documents no such error
					classes = append(classes, kms.ClassInvalidState, kms.ClassInvalidRequest)
				}
				s.refused(err, getParametersForImport, classes...)
			},
		},
		promise{
			"no parameters for a key that is to be deleted",
			"that is undone by cancelling the deletion, not by an import",
			terms{keys: 1},
			func(s *scene) {
				keyARN := s.newKey()
				s.must(s.Keys.ScheduleDeletion(s.Context(), keyARN))
				s.Settle()
				_, err := s.trySeal(keyARN, wrapping(), s.material(32))
				s.refused(err, getParametersForImport, kms.ClassInvalidState)
			},
		},
		promise{
			"parameters that newer ones followed import, or are refused as that",
			"an import that was prepared may have to wait",
			terms{},
			func(s *scene) {
				keyARN := s.key()
				older := s.seal(keyARN, s.own())
				newer := s.seal(keyARN, s.own())
				if !s.takenOr(s.send(older), importKeyMaterial, kms.ClassTokenRefused) {
					s.must(s.send(newer))
				}
				s.holds(keyARN, permanent())
			},
		},
		promise{
			"no parameters for a wrapping that the key does not take",
			"spec.wrapping is what has to be corrected",
			terms{},
			func(s *scene) {
				for _, impossible := range impossible(s.Dialect) {
					_, err := s.trySeal(s.key(), impossible, s.material(32))
					s.refused(err, getParametersForImport, kms.ClassInvalidRequest, kms.ClassUnsupported)
				}
			},
		},
	)
}

// wrappings are those for symmetric keys.
func wrappings(dialect kms.Dialect) []kms.Wrapping {
	keys := []kms.WrappingKeySpec{kms.WrappingKeyRSA2048, kms.WrappingKeyRSA3072, kms.WrappingKeyRSA4096}
	if dialect == kms.DialectQKMS {
		keys = keys[:1]
	}
	var all []kms.Wrapping
	for _, key := range keys {
		all = append(all, kms.Wrapping{Algorithm: kms.RSAESOAEPSHA1, KeySpec: key}, kms.Wrapping{Algorithm: kms.RSAESOAEPSHA256, KeySpec: key})
	}
	return all
}

// impossible are wrappings that symmetric keys do not take.
func impossible(dialect kms.Dialect) []kms.Wrapping {
	none := []kms.Wrapping{
		{Algorithm: "RSA_AES_KEY_WRAP_SHA_256", KeySpec: kms.WrappingKeyRSA2048},
		{Algorithm: kms.RSAESOAEPSHA256, KeySpec: "SM2"},
		{Algorithm: "NONE", KeySpec: kms.WrappingKeyRSA2048},
	}
	if dialect == kms.DialectQKMS {
		none = append(none, kms.Wrapping{Algorithm: kms.RSAESOAEPSHA256, KeySpec: kms.WrappingKeyRSA4096})
	}
	return none
}

var errSeen = errors.New("seen")

// givesParameters imports with a wrapping, and looks at what it is given to wrap with.
func (s *scene) givesParameters(w kms.Wrapping) {
	keyARN := s.key()
	given, err := s.Service.GetParametersForImport(s.Context(), keyARN, w)
	s.must(err)
	s.expect(given.ValidTo().IsZero() || given.ValidTo().After(s.Now()), "the parameters ended at %s, and it is %s", given.ValidTo(), s.Now())
	_, err = given.Seal(func(asked kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) {
		s.expect(asked == w, "wrapping is asked for as %v", asked)
		s.expect(publicKey.N.BitLen() == w.KeySpec.Bits() && publicKey.E >= 65537, "the key has %d bits and the exponent %d", publicKey.N.BitLen(), publicKey.E)
		return nil, errSeen
	})
	s.expect(errors.Is(err, errSeen), "an error of wrapping becomes %v", err)

	sealed, err := s.trySeal(keyARN, w, s.own())
	s.must(err)
	s.expect(sealed.KeyARN() == keyARN, "sealed for %s", sealed.KeyARN())
	s.must(s.send(sealed))
	s.expect(s.look(keyARN).State == kms.KeyStateEnabled, "with material so wrapped, the key is %s", s.look(keyARN).State)
}
