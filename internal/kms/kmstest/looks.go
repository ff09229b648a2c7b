package kmstest

import (
	"strings"
	"sync"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const describeKey = "DescribeKey"

func looks() []promise {
	return []promise{
		{
			"a new key shows that it is empty",
			"material is imported first into keys that are seen to have none",
			terms{},
			func(s *scene) { s.showsEmpty(s.key(), kms.KeySpecSymmetricDefault, "ENCRYPT_DECRYPT") },
		},
		{
			"a key answers to its ID and to its ARN",
			"people write either, and only the ARN is acted on",
			terms{},
			func(s *scene) {
				keyARN := s.key()
				key, err := s.Service.DescribeKey(s.Context(), keyARN[strings.LastIndex(keyARN, "/")+1:])
				s.must(err)
				s.expect(key.ARN == keyARN, "its ID leads to %s and not to %s", key.ARN, keyARN)
				s.expect(s.look(keyARN) == key, "its ARN shows something else than its ID")
			},
		},
		{
			"a key that does not exist is not found",
			"waiting for a key is another thing than failing",
			terms{},
			func(s *scene) {
				_, err := s.Service.DescribeKey(s.Context(), s.nobody())
				s.refused(err, describeKey, kms.ClassNotFound)
			},
		},
		{
			"a key of the KMS's own making shows that",
			"nothing can be imported into it",
			terms{keys: 1},
			func(s *scene) {
				key := s.look(s.keyOf(kms.KeySpecSymmetricDefault, "AWS_KMS"))
				s.expect(key.Origin != "" && key.Origin != kms.OriginExternal, "its Origin is %q", key.Origin)
			},
		},
		{
			"states that people bring about are seen",
			"an import would undo them",
			terms{keys: 1},
			func(s *scene) { s.showsStates() },
		},
		{
			"many callers at once each get their own key",
			"reconciles run concurrently on one Service",
			terms{keys: 8},
			func(s *scene) { s.looksAtOnce() },
		},
		{
			"a new HMAC key shows that it is one",
			"its material is another",
			terms{keys: 1, notQKMS: symmetricOnly},
			func(s *scene) {
				s.showsEmpty(s.keyOf(kms.KeySpecHMAC256, kms.OriginExternal), kms.KeySpecHMAC256, "GENERATE_VERIFY_MAC")
			},
		},
	}
}

func (s *scene) showsEmpty(keyARN string, spec kms.KeySpec, usage string) {
	s.Helper()
	want := kms.Key{ARN: keyARN, State: kms.KeyStatePendingImport, Spec: spec, Usage: usage, Origin: kms.OriginExternal}
	key := s.look(keyARN)
	s.expect(key == want, "got %+v\nwant %+v", key, want)
}

func (s *scene) showsStates() {
	keyARN := s.newKey()
	s.put(keyARN, s.own())
	s.expect(s.look(keyARN).State == kms.KeyStateEnabled, "imported, it is %s", s.look(keyARN).State)
	s.must(s.Keys.Disable(s.Context(), keyARN))
	s.Settle()
	s.expect(s.look(keyARN).State == kms.KeyStateDisabled, "disabled, it is %s", s.look(keyARN).State)
	s.must(s.Keys.Enable(s.Context(), keyARN))
	s.Settle()
	s.expect(s.look(keyARN).State == kms.KeyStateEnabled, "enabled again, it is %s", s.look(keyARN).State)
	s.must(s.Keys.ScheduleDeletion(s.Context(), keyARN))
	s.Settle()
	s.expect(s.look(keyARN).State == kms.KeyStatePendingDeletion, "scheduled for deletion, it is %s", s.look(keyARN).State)
}

func (s *scene) looksAtOnce() {
	const callers = 8
	keys := make([]string, callers)
	for i := range keys {
		keys[i] = s.newKey()
	}
	found, failures := make([]string, callers), make([]error, callers)
	var group sync.WaitGroup
	for i, keyARN := range keys {
		group.Go(func() {
			key, err := s.Service.DescribeKey(s.Context(), keyARN)
			found[i], failures[i] = key.ARN, err
		})
	}
	group.Wait()
	for i, keyARN := range keys {
		s.must(failures[i])
		s.expect(found[i] == keyARN, "a look at %s shows %s", keyARN, found[i])
	}
}
