package kmstest

import (
	"strings"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func reimports() []promise {
	return []promise{
		{
			"deleted material comes back with a re-import, and what it encrypted opens",
			"this is what healing is",
			terms{},
			func(s *scene) { s.comesBack() },
		},
		{
			"the same material over itself moves the expiry or changes nothing",
			"a lost answer is made up for so, and an expiry moved, where the KMS takes it",
			terms{},
			func(s *scene) { s.overItself() },
		},
		{
			"other material never takes the place of what is there",
			"what the key has encrypted would be lost",
			terms{},
			func(s *scene) { s.neverReplaced() },
		},
		{
			"after a deletion other material is refused, or makes another key of it",
			"the fingerprint on record is what keeps other material out",
			terms{},
			func(s *scene) { s.otherAfterDeletion() },
		},
		{
			"a disabled key takes a re-import or refuses it, and keeps its material",
			"the operator imports into none, since one of these enables the key",
			terms{},
			func(s *scene) { s.whileDisabled() },
		},
		{
			"a re-import that must be of certain material is refused where material has no ID",
			"only keys that can have several materials take it, and a request that is wrong is known as that",
			terms{keys: 1, notQKMS: symmetricOnly},
			func(s *scene) {
				keyARN, raw := s.keyOf(kms.KeySpecHMAC256, kms.OriginExternal), s.material(32)
				s.put(keyARN, raw)
				_, err := s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{
					Material: s.seal(keyARN, raw), Expiry: permanent(), ReimportOf: nobodysID(),
				})
				s.refused(err, importKeyMaterial, kms.ClassInvalidRequest, kms.ClassUnsupported)
				s.Settle()
				s.computesMAC(keyARN, raw)
			},
		},
		{
			"a re-import that must be of certain material is of that or of none",
			"the KMS checks what the record says",
			terms{notQKMS: noIDs},
			func(s *scene) { s.ofThatMaterial() },
		},
	}
}

func (s *scene) comesBack() {
	keyARN, raw := s.key(), s.own()
	first := s.put(keyARN, raw)
	ciphertext := s.encrypt(keyARN)
	s.deleteMaterial(keyARN)
	key := s.look(keyARN)
	s.expect(key.State == kms.KeyStatePendingImport && key.Expiry == kms.Expiry{}, "without material the key is %s with %+v", key.State, key.Expiry)
	s.expect(!s.opens(keyARN, ciphertext), "a key without material opens what it has encrypted")

	again, err := s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{
		Material: s.seal(keyARN, raw), Expiry: permanent(), ReimportOf: first.KeyMaterialID,
	})
	s.must(err)
	s.Settle()
	s.holds(keyARN, permanent())
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
	s.expect(again.KeyMaterialID == first.KeyMaterialID, "the same material has the ID %q and then %q", first.KeyMaterialID, again.KeyMaterialID)
}

// reimport tries to import over material that is there. Where it is refused, so may be the parameters.
func (s *scene) reimport(keyARN string, raw []byte, expiry kms.Expiry) (taken bool) {
	s.Helper()
	sealed, err := s.trySeal(keyARN, wrapping(), raw)
	if err != nil && s.isQKMS() {
		s.refused(err, getParametersForImport, kms.ClassInvalidState)
		return false
	}
	s.must(err)
	_, err = s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{Material: sealed, Expiry: expiry})
	s.Settle()
	return s.takenOr(err, importKeyMaterial, kms.ClassMaterialRefused, kms.ClassInvalidState)
}

func (s *scene) overItself() {
	keyARN, raw := s.key(), s.own()
	at := func(ahead time.Duration) kms.Expiry {
		return kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: s.Now().UTC().Truncate(time.Second).Add(ahead)}
	}
	first := at(10 * time.Hour)
	s.putUntil(keyARN, raw, first)
	ciphertext := s.encrypt(keyARN)
	s.expect(s.reimport(keyARN, raw, first) || s.isQKMS(), "the same import is refused, which proves one whose answer was lost")
	s.holds(keyARN, first)
	if second := at(20 * time.Hour); s.reimport(keyARN, raw, second) {
		s.holds(keyARN, second)
	} else {
		s.holds(keyARN, first)
	}
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
}

func (s *scene) neverReplaced() {
	keyARN := s.key()
	s.put(keyARN, s.own())
	ciphertext := s.encrypt(keyARN)
	s.expect(!s.reimport(keyARN, s.material(32), permanent()), "other material is taken")
	s.holds(keyARN, permanent())
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
}

func (s *scene) otherAfterDeletion() {
	keyARN, raw := s.key(), s.own()
	s.put(keyARN, raw)
	ciphertext := s.encrypt(keyARN)
	s.deleteMaterial(keyARN)
	if s.takenOr(s.send(s.seal(keyARN, s.material(32))), importKeyMaterial, kms.ClassMaterialRefused) {
		s.expect(s.isQKMS(), "other material is taken")
		s.expect(!s.opens(keyARN, ciphertext), "other material opens what the first has encrypted")
		return
	}
	s.expect(s.look(keyARN).State == kms.KeyStatePendingImport, "refused, the key is %s", s.look(keyARN).State)
	s.put(keyARN, raw)
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
}

func (s *scene) whileDisabled() {
	keyARN, raw := s.key(), s.own()
	s.put(keyARN, raw)
	ciphertext := s.encrypt(keyARN)
	s.must(s.Keys.Disable(s.Context(), keyARN))
	s.Settle()
	sealed, err := s.trySeal(keyARN, wrapping(), raw)
	if s.takenOr(err, getParametersForImport, kms.ClassInvalidState) {
		s.takenOr(s.send(sealed), importKeyMaterial, kms.ClassInvalidState)
	}
	state := s.look(keyARN).State
	s.expect(state == kms.KeyStateEnabled || state == kms.KeyStateDisabled, "the key is %s", state)
	if state == kms.KeyStateDisabled {
		s.must(s.Keys.Enable(s.Context(), keyARN))
		s.Settle()
	}
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
}

// nobodysID is shaped like the ID of a material.
func nobodysID() string { return strings.Repeat("0123456789abcdef", 4) }

func (s *scene) ofThatMaterial() {
	keyARN, raw := s.key(), s.own()
	id := s.put(keyARN, raw).KeyMaterialID
	for _, of := range []string{id, nobodysID()} {
		result, err := s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{Material: s.seal(keyARN, raw), Expiry: permanent(), ReimportOf: of})
		s.Settle()
		if of == id {
			s.must(err)
			s.expect(result.KeyMaterialID == id, "the re-import of %s is of %s", id, result.KeyMaterialID)
			continue
		}
		s.refused(err, importKeyMaterial, kms.ClassMaterialRefused)
	}
	s.holds(keyARN, permanent())
}
