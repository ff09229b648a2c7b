package kmstest

import (
	"crypto/rsa"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func refusals() []promise {
	return []promise{
		{
			"material of the wrong length is refused as material",
			"the Secret is what has to be corrected",
			terms{},
			func(s *scene) {
				for _, length := range []int{1, 16, 31, 33, 64} {
					keyARN := s.key()
					s.refused(s.send(s.seal(keyARN, s.material(length))), importKeyMaterial, kms.ClassMaterialRefused)
					s.expect(s.look(keyARN).State == kms.KeyStatePendingImport, "and yet the key is %s", s.look(keyARN).State)
				}
			},
		},
		{
			"material that is longer than its HMAC key is refused as material, or makes the key usable",
			"the operator imports none such at first, and keeps what others have imported",
			terms{keys: 1, notQKMS: symmetricOnly},
			func(s *scene) {
				keyARN, raw := s.keyOf(kms.KeySpecHMAC256, kms.OriginExternal), s.material(64)
				if s.takenOr(s.send(s.seal(keyARN, raw)), importKeyMaterial, kms.ClassMaterialRefused) {
					s.holds(keyARN, permanent())
					s.computesMAC(keyARN, raw)
				}
			},
		},
		{
			"what cannot be unwrapped is refused as that",
			"the wrapping, or a broken line, is the cause, and not the material",
			terms{},
			func(s *scene) { s.cannotUnwrap() },
		},
		{
			"a token is for its own key",
			"material for one key must not end up in another",
			terms{keys: 2},
			func(s *scene) { s.tokenOfAnother() },
		},
		{
			"a token that is none is refused as that",
			"fresh parameters help",
			terms{},
			func(s *scene) {
				keyARN := s.key()
				broken := s.sealedFor(keyARN, []byte("no token"))
				s.refused(s.send(broken), importKeyMaterial, kms.ClassTokenRefused)
			},
		},
		{
			"a token that has imported is refused, or imports the same again",
			"a request that arrives twice does no harm",
			terms{},
			func(s *scene) { s.tokenTwice() },
		},
		{
			"an expiry in the past is refused",
			"a fixed date passes while nobody looks",
			terms{},
			func(s *scene) {
				s.refusedUntil(s.Now().Add(-time.Hour))
			},
		},
		{
			"no import into a key that does not exist",
			"it may have been deleted since the parameters",
			terms{},
			func(s *scene) {
				s.refused(s.send(s.sealedFor(s.nobody(), []byte("no token"))), importKeyMaterial, kms.ClassNotFound)
			},
		},
		{
			"no import into a key that is to be deleted",
			"whoever scheduled that has decided",
			terms{keys: 1},
			func(s *scene) {
				keyARN := s.newKey()
				sealed := s.seal(keyARN, s.own())
				s.must(s.Keys.ScheduleDeletion(s.Context(), keyARN))
				s.Settle()
				s.refused(s.send(sealed), importKeyMaterial, kms.ClassInvalidState)
			},
		},
		{
			"what can never succeed is refused without asking",
			"KMS would fill in what is missing, and not as it was meant",
			terms{},
			func(s *scene) { s.neverSent() },
		},
		{
			"an expiry more than a year ahead is refused",
			"it is the limit that is documented",
			terms{notQKMS: "its documentation names no limit"},
			func(s *scene) {
				s.refusedUntil(s.Now().Add(366 * 24 * time.Hour))
			},
		},
	}
}

// sealedFor is what nobody wrapped, with a given token.
func (s *scene) sealedFor(keyARN string, token []byte) kms.SealedMaterial {
	s.Helper()
	parameters := kms.NewImportParameters(keyARN, wrapping(), nil, token, time.Time{})
	sealed, err := parameters.Seal(func(kms.Wrapping, *rsa.PublicKey) ([]byte, error) { return s.material(256), nil })
	s.must(err)
	return sealed
}

func (s *scene) cannotUnwrap() {
	raw := s.own()
	ways := map[string]func(*rsa.PublicKey) ([]byte, error){
		"wrapped with the other hash": func(publicKey *rsa.PublicKey) ([]byte, error) { return wrap(kms.RSAESOAEPSHA1, publicKey, raw) },
		"one bit changed": func(publicKey *rsa.PublicKey) ([]byte, error) {
			wrapped, err := wrap(kms.RSAESOAEPSHA256, publicKey, raw)
			if err == nil {
				wrapped[len(wrapped)-1] ^= 1
			}
			return wrapped, err
		},
	}
	for way, wrapped := range ways {
		keyARN := s.key()
		parameters, err := s.Service.GetParametersForImport(s.Context(), keyARN, wrapping())
		s.must(err)
		sealed, err := parameters.Seal(func(_ kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) { return wrapped(publicKey) })
		s.must(err)
		s.refused(s.send(sealed), importKeyMaterial, kms.ClassCiphertextRefused)
		s.expect(s.look(keyARN).State == kms.KeyStatePendingImport, "%s, and yet the key is %s", way, s.look(keyARN).State)
	}
}

func (s *scene) tokenOfAnother() {
	own, other := s.newKey(), s.newKey()
	foreign := s.seal(other, s.material(32))
	parameters := kms.NewImportParameters(own, wrapping(), nil, foreign.ImportToken(), time.Time{})
	mixed, err := parameters.Seal(func(kms.Wrapping, *rsa.PublicKey) ([]byte, error) { return foreign.EncryptedKeyMaterial(), nil })
	s.must(err)
	s.refused(s.send(mixed), importKeyMaterial, kms.ClassTokenRefused)
	for _, keyARN := range []string{own, other} {
		s.expect(s.look(keyARN).State == kms.KeyStatePendingImport, "and yet a key is %s", s.look(keyARN).State)
	}
}

func (s *scene) tokenTwice() {
	keyARN := s.key()
	sealed := s.seal(keyARN, s.own())
	s.must(s.send(sealed))
	ciphertext := s.encrypt(keyARN)
	classes := []kms.ErrorClass{kms.ClassTokenRefused}
	if s.isQKMS() {
		classes = append(classes, kms.ClassInvalidState)
	}
	s.takenOr(s.send(sealed), importKeyMaterial, classes...)
	s.holds(keyARN, permanent())
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
}

func (s *scene) refusedUntil(validTo time.Time) {
	s.Helper()
	keyARN := s.key()
	_, err := s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{
		Material: s.seal(keyARN, s.own()), Expiry: kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: validTo},
	})
	s.refused(err, importKeyMaterial, kms.ClassInvalidRequest, kms.ClassMaterialRefused)
	s.Settle()
	s.expect(s.look(keyARN).State == kms.KeyStatePendingImport, "and yet the key is %s", s.look(keyARN).State)
}

func (s *scene) neverSent() {
	keyARN := s.key()
	sealed := s.seal(keyARN, s.own())
	for _, expiry := range []kms.Expiry{
		{}, {Model: kms.KeyMaterialExpires}, {Model: kms.KeyMaterialDoesNotExpire, ValidTo: s.Now().Add(time.Hour)}, {Model: "FOR_NOW"},
	} {
		_, err := s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{Material: sealed, Expiry: expiry})
		s.refused(err, importKeyMaterial, kms.ClassInvalidRequest)
	}
	s.must(s.send(sealed)) // the token was not used up
}
