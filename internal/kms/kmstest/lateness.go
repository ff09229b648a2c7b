package kmstest

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// lateness is what takes time to see.
func lateness() []promise {
	return []promise{
		{
			"material that has expired is gone, and comes back with a re-import",
			"this is what healing is",
			terms{hours: true},
			func(s *scene) { s.expires() },
		},
		{
			"a token that has expired is refused as that",
			"fresh parameters help",
			terms{hours: true},
			func(s *scene) {
				keyARN := s.key()
				parameters, err := s.Service.GetParametersForImport(s.Context(), keyARN, wrapping())
				s.must(err)
				if parameters.ValidTo().IsZero() {
					return // an endpoint that does not say promises nothing
				}
				sealed := s.seal(keyARN, s.own())
				s.Advance(parameters.ValidTo().Sub(s.Now()) + time.Hour)
				s.refused(s.send(sealed), importKeyMaterial, kms.ClassTokenRefused)
			},
		},
	}
}

func (s *scene) expires() {
	keyARN, raw := s.key(), s.own()
	first := s.putUntil(keyARN, raw, kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: s.Now().Add(time.Hour)})
	ciphertext := s.encrypt(keyARN)
	s.Advance(2 * time.Hour)
	s.Settle()
	key := s.look(keyARN)
	s.expect(key.State == kms.KeyStatePendingImport && key.Expiry == kms.Expiry{}, "after its expiry the key is %s with %+v", key.State, key.Expiry)
	s.expect(!s.opens(keyARN, ciphertext), "a key without material opens what it has encrypted")
	_, err := s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{Material: s.seal(keyARN, raw), Expiry: permanent(), ReimportOf: first.KeyMaterialID})
	s.must(err)
	s.Settle()
	s.holds(keyARN, permanent())
	s.expect(s.opens(keyARN, ciphertext), "the key does not open what it has encrypted before")
}
