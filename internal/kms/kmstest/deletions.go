package kmstest

import (
	"strings"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const deleteImportedKeyMaterial = "DeleteImportedKeyMaterial"

func deletions() []promise {
	return []promise{
		{
			"a deletion takes the material out, and the same bytes bring everything back",
			"a withdrawal can be undone as long as somebody has the bytes",
			terms{},
			func(s *scene) { s.takenOutAndBack() },
		},
		{
			"a deletion from a key without material changes nothing",
			"one whose answer was lost may be made once more",
			terms{},
			func(s *scene) { s.deletedTwice() },
		},
		{
			"a deletion that must be of certain material is of that or of none",
			"what somebody has rotated to since stays where it is",
			terms{notQKMS: noIDs},
			func(s *scene) { s.deletesThatMaterial() },
		},
		{
			"a deletion goes by the key ARN alone",
			"another name may lead to another key by the time the KMS reads it",
			terms{},
			func(s *scene) {
				keyARN := s.key()
				s.put(keyARN, s.own())
				for _, name := range []string{"", keyARN[strings.LastIndex(keyARN, "/")+1:], "alias/payments", keyARN[:strings.LastIndex(keyARN, ":")+1] + "alias/payments"} {
					s.refused(s.delete(name, ""), deleteImportedKeyMaterial, kms.ClassInvalidRequest)
				}
				s.holds(keyARN, permanent())
			},
		},
		{
			"no deletion from a key that does not exist",
			"a key that is gone is told from one that cannot be reached",
			terms{},
			func(s *scene) {
				s.refused(s.delete(s.nobody(), ""), deleteImportedKeyMaterial, kms.ClassNotFound)
			},
		},
		{
			"the material of a disabled key is deleted or stays, and comes back",
			"an object may be deleted while its key is disabled",
			terms{},
			func(s *scene) { s.deletedWhileDisabled() },
		},
		{
			"the material of a key that is to be deleted is deleted or stays, and the key is to be deleted all the same",
			"nobody's decision is undone by it",
			terms{keys: 1},
			func(s *scene) {
				keyARN := s.newKey()
				s.put(keyARN, s.own())
				s.must(s.Keys.ScheduleDeletion(s.Context(), keyARN))
				s.Settle()
				s.takenOr(s.delete(keyARN, ""), deleteImportedKeyMaterial, kms.ClassInvalidState)
				s.expect(s.look(keyARN).State == kms.KeyStatePendingDeletion, "the key is %s", s.look(keyARN).State)
			},
		},
		{
			"no deletion from a key whose material the KMS has made",
			"there is nobody who could bring it back",
			terms{keys: 1},
			func(s *scene) {
				keyARN := s.keyOf(kms.KeySpecSymmetricDefault, "AWS_KMS")
				ciphertext := s.encrypt(keyARN)
				s.refused(s.delete(keyARN, ""), deleteImportedKeyMaterial, kms.ClassUnsupported, kms.ClassInvalidState)
				s.expect(s.opens(keyARN, ciphertext), "and yet the key does not open what it has encrypted before")
			},
		},
		{
			"a deletion that must be of certain material is refused where material has no ID",
			"nothing is deleted by a request that is wrong",
			terms{keys: 1, notQKMS: symmetricOnly},
			func(s *scene) {
				keyARN, raw := s.keyOf(kms.KeySpecHMAC256, kms.OriginExternal), s.material(32)
				s.put(keyARN, raw)
				s.refused(s.delete(keyARN, nobodysID()), deleteImportedKeyMaterial, kms.ClassNotFound, kms.ClassInvalidRequest, kms.ClassUnsupported)
				s.computesMAC(keyARN, raw)
			},
		},
	}
}

// delete tries a deletion, and lets it show.
func (s *scene) delete(keyARN, materialID string) error {
	_, err := s.Service.DeleteImportedKeyMaterial(s.Context(), kms.DeletionRequest{KeyARN: keyARN, KeyMaterialID: materialID})
	s.Settle()
	return err
}

// isEmpty checks that a key waits for material, and says nothing of what it held.
func (s *scene) isEmpty(keyARN string) {
	s.Helper()
	key := s.look(keyARN)
	s.expect(key.State == kms.KeyStatePendingImport && key.Expiry == kms.Expiry{}, "without material the key is %s with %+v", key.State, key.Expiry)
}

func (s *scene) takenOutAndBack() {
	keyARN, raw := s.key(), s.own()
	id := s.put(keyARN, raw).KeyMaterialID
	ciphertext := s.encrypt(keyARN)
	s.must(s.delete(keyARN, id))
	s.isEmpty(keyARN)
	s.expect(!s.opens(keyARN, ciphertext), "a key without material opens what it has encrypted")
	s.put(keyARN, raw)
	s.holds(keyARN, permanent())
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
}

func (s *scene) deletedTwice() {
	keyARN, raw := s.key(), s.own()
	s.must(s.delete(keyARN, ""))
	s.isEmpty(keyARN)
	id := s.put(keyARN, raw).KeyMaterialID
	ciphertext := s.encrypt(keyARN)
	for range 2 {
		s.must(s.delete(keyARN, id))
		s.isEmpty(keyARN)
	}
	s.put(keyARN, raw)
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
}

func (s *scene) deletesThatMaterial() {
	keyARN := s.key()
	id := s.put(keyARN, s.own()).KeyMaterialID
	ciphertext := s.encrypt(keyARN)
	s.refused(s.delete(keyARN, nobodysID()), deleteImportedKeyMaterial, kms.ClassNotFound, kms.ClassInvalidRequest, kms.ClassMaterialRefused)
	s.holds(keyARN, permanent())
	s.expect(s.opens(keyARN, ciphertext), "refused, and yet the key does not open what it has encrypted before")
	s.must(s.delete(keyARN, id))
	s.isEmpty(keyARN)
}

func (s *scene) deletedWhileDisabled() {
	keyARN, raw := s.key(), s.own()
	s.put(keyARN, raw)
	ciphertext := s.encrypt(keyARN)
	s.must(s.Keys.Disable(s.Context(), keyARN))
	s.Settle()
	if s.takenOr(s.delete(keyARN, ""), deleteImportedKeyMaterial, kms.ClassInvalidState) {
		s.isEmpty(keyARN)
		s.put(keyARN, raw)
	}
	if s.look(keyARN).State == kms.KeyStateDisabled {
		s.must(s.Keys.Enable(s.Context(), keyARN))
		s.Settle()
	}
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
}
