package kmstest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const importKeyMaterial = "ImportKeyMaterial"

func imports() []promise {
	return []promise{
		{
			"material that does not expire makes a key usable and says so",
			"Ready follows what is seen of the key",
			terms{},
			func(s *scene) {
				keyARN := s.key()
				s.put(keyARN, s.own())
				s.holds(keyARN, permanent())
				s.expect(s.opens(keyARN, s.encrypt(keyARN)), "the key does not open what it has encrypted")
			},
		},
		{
			"material expires to the second at which it was told to",
			"an import whose answer was lost is known by that second",
			terms{},
			func(s *scene) {
				keyARN, validTo := s.key(), s.Now().Truncate(time.Second).Add(49*time.Hour+13*time.Second)
				s.putUntil(keyARN, s.own(), kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: validTo.Add(987 * time.Millisecond)})
				s.holds(keyARN, kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: validTo.UTC()})
			},
		},
		{
			"an import shows in full or not at all",
			"what is seen in between is waited for, and not acted on",
			terms{},
			func(s *scene) { s.showsAllOrNothing() },
		},
		{
			"imports into many keys at once do not mix",
			"reconciles run concurrently on one Service",
			terms{keys: 4},
			func(s *scene) { s.importsAtOnce() },
		},
		{
			"the material of a symmetric key has an ID, the same in both answers",
			"a key that was rotated elsewhere is known by it",
			terms{notQKMS: noIDs},
			func(s *scene) {
				keyARN := s.key()
				result := s.put(keyARN, s.own())
				current := s.look(keyARN).CurrentKeyMaterialID
				s.expect(result.KeyMaterialID != "" && result.KeyMaterialID == current, "imported as %q, seen as %q", result.KeyMaterialID, current)
			},
		},
		{
			"exactly these bytes arrive",
			"a wrapping mistake would make a key of other bytes",
			terms{keys: 1, notQKMS: symmetricOnly},
			func(s *scene) { s.bytesArrive() },
		},
	}
}

// holds checks that a key is usable with material of this expiry.
func (s *scene) holds(keyARN string, expiry kms.Expiry) {
	s.Helper()
	key := s.look(keyARN)
	s.expect(key.State == kms.KeyStateEnabled && key.Expiry == expiry, "the key is %s with %+v, want Enabled with %+v", key.State, key.Expiry, expiry)
}

func (s *scene) showsAllOrNothing() {
	keyARN := s.key()
	expiry := kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: s.Now().UTC().Truncate(time.Second).Add(time.Hour)}
	_, err := s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{Material: s.seal(keyARN, s.own()), Expiry: expiry})
	s.must(err)
	for range 3 {
		key := s.look(keyARN)
		before := key.State == kms.KeyStatePendingImport && key.Expiry == kms.Expiry{}
		after := key.State == kms.KeyStateEnabled && key.Expiry == expiry
		s.expect(before || after, "the key is %s with %+v", key.State, key.Expiry)
	}
	s.Settle()
	s.holds(keyARN, expiry)
}

func (s *scene) importsAtOnce() {
	const callers = 4
	keys, sealed, failures := make([]string, callers), make([]kms.SealedMaterial, callers), make([]error, callers)
	for i := range keys {
		keys[i] = s.newKey()
		sealed[i] = s.seal(keys[i], s.material(32))
	}
	expiry := func(i int) kms.Expiry {
		return kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: s.Now().UTC().Truncate(time.Second).Add(time.Duration(i+1) * time.Hour)}
	}
	var group sync.WaitGroup
	wanted := make([]kms.Expiry, callers)
	for i := range keys {
		wanted[i] = expiry(i)
		group.Go(func() {
			_, failures[i] = s.Service.ImportKeyMaterial(s.Context(), kms.ImportRequest{Material: sealed[i], Expiry: wanted[i]})
		})
	}
	group.Wait()
	s.Settle()
	for i, keyARN := range keys {
		s.must(failures[i])
		s.holds(keyARN, wanted[i])
	}
}

// bytesArrive has the KMS compute a MAC, which depends on every byte.
func (s *scene) bytesArrive() {
	keyARN, raw := s.keyOf(kms.KeySpecHMAC256, kms.OriginExternal), s.material(32)
	result := s.put(keyARN, raw)
	s.expect(result.KeyMaterialID == "", "the material of an HMAC key has the ID %q", result.KeyMaterialID)
	s.computesMAC(keyARN, raw)
	s.deleteMaterial(keyARN)
	s.put(keyARN, raw)
	s.computesMAC(keyARN, raw)
}

func (s *scene) computesMAC(keyARN string, raw []byte) {
	s.Helper()
	got, err := s.Keys.MAC(s.Context(), keyARN, []byte("message"))
	s.must(err)
	want := hmac.New(sha256.New, raw)
	want.Write([]byte("message"))
	s.expect(bytes.Equal(got, want.Sum(nil)), "the KMS computes another MAC")
}
