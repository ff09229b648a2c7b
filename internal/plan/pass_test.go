package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// simulation is a whole pass without clients: what the executor would find and do.
type simulation struct {
	*facts
	key     kms.Key       // as KMS has it
	bytes   plan.Material // what the Secret holds
	holds   plan.Presence // of the Secret, once it is read
	refusal kms.ErrorClass
	stale   bool // KMS shows an import in a later pass only

	looks, reads, attempts, imports, writes int
}

// run carries out steps until the pass ends, in at most so many as the controller allows.
func (s *simulation) run(t *testing.T, name string) plan.Step {
	t.Helper()
	for range 10 {
		step := s.next()
		if _, last := step.Action.(plan.Finish); last {
			return step
		}
		s.execute(step.Action)
	}
	t.Fatalf("%s: the pass does not end", name)
	return plan.Step{}
}

func (s *simulation) execute(action plan.Action) {
	switch action := action.(type) {
	case plan.Finish:
	case plan.Look:
		s.looks++
		s.observed.Look = &plan.LookResult{Key: s.key}
	case plan.InspectMaterial:
		s.read()
	case plan.ClaimRecord:
		s.writes++
		s.observed.Ownership = "Mine"
	case plan.AcceptSecretVersion:
		s.writes++
		s.observed.Record = s.observed.Record.DeepCopy()
		s.observed.Record.Imported.Secret = s.version()
	case plan.ImportMaterial:
		s.read()
		fits := s.observed.Secret.Presence == "Present" && s.bytes.Problem == "" && (action.Expect == "" || s.bytes.Fingerprint == action.Expect)
		if fits {
			s.attempt(action)
		}
	}
}

func (s *simulation) read() {
	s.reads++
	s.observed.Secret.Presence = s.holds
	if s.holds == "Present" {
		s.observed.Material = &s.bytes
	}
}

func (s *simulation) version() v1alpha1.SecretVersion {
	return v1alpha1.SecretVersion{
		Name: s.desired.Material.SecretRef.Name, Key: s.desired.Material.SecretRef.Key, Encoding: s.desired.Material.Encoding,
		UID: s.observed.Secret.UID, ResourceVersion: s.observed.Secret.ResourceVersion,
	}
}

func (s *simulation) attempt(action plan.ImportMaterial) {
	s.attempts++
	s.observed.Attempt = &plan.ImportAttempt{Tries: s.attempts}
	record := &v1alpha1.KMSKeyRecord{KeyARN: keyARN}
	if s.observed.Record != nil {
		record = s.observed.Record.DeepCopy()
	}
	s.observed.Record, s.observed.Ownership = record, "Mine"
	if s.refusal != "" {
		s.observed.Attempt.Err = &kms.Error{Operation: "ImportKeyMaterial", Class: s.refusal, Code: "SomeException"}
		record.Intent = nil
		if s.refusal == "InvalidState" {
			s.observed.Look = nil
		}
		return
	}
	s.imports++
	record.Intent = nil
	record.Imported = &v1alpha1.ImportedMaterial{MaterialImport: materialImport(action.Operation), Time: metav1.NewTime(now), KeyMaterialID: "material-1"}
	record.Imported.Fingerprint = s.bytes.Fingerprint
	record.Imported.Secret = s.version()
	record.Imported.ExpirationModel = string(action.Expiry.Model)
	if !action.Expiry.ValidTo.IsZero() {
		validTo := metav1.NewTime(action.Expiry.ValidTo)
		record.Imported.ValidTo = &validTo
	}
	s.observed.Memory.ImportedHere = now
	s.observed.Look = nil
	if !s.stale {
		s.key.State, s.key.Expiry, s.key.CurrentKeyMaterialID = "Enabled", action.Expiry, "material-1"
		s.observed.Memory.Confirmed = now
	}
}

// Whatever the world and whatever KMS answers, a pass ends, and changes the key at most once.
func TestEveryPassEnds(t *testing.T) {
	dimensions := world()
	dimensions[3] = []choice{{"bytes unread", unchanged}} // the simulation reads them
	materials := []plan.Material{
		{Fingerprint: "fingerprint-1", Comparable: true}, {Fingerprint: "fingerprint-2", Comparable: true},
		{Fingerprint: "fingerprint-under-new-key"}, {Problem: "too short", Comparable: true}, {Fingerprint: "fingerprint-1", Comparable: true},
	}
	refusals := []kms.ErrorClass{"", "TokenRefused", "Throttled", "Unreachable", "InvalidState", "MaterialRefused"}
	i := 0
	worlds(dimensions, func(name func() string, f *facts) {
		if f.observed.Attempt != nil {
			return // of an earlier step
		}
		i++
		s := &simulation{
			facts: f.copy(), key: settledFacts().observed.Look.Key, holds: "Present",
			bytes: materials[i%len(materials)], refusal: refusals[i/7%len(refusals)], stale: i%11 == 0,
		}
		if f.observed.Look != nil && f.observed.Look.Err == nil {
			s.key = f.observed.Look.Key
		}
		if i%13 == 0 {
			s.holds = "KeyMissing"
		}
		s.run(t, name())
		if s.imports > 1 || s.attempts > 2 || s.looks > 2 || s.reads > 3 || s.writes > 2 {
			t.Fatalf("%s: %d imports, %d attempts, %d looks, %d reads, %d writes", name(), s.imports, s.attempts, s.looks, s.reads, s.writes)
		}
	})
}

// The budgets of a pass in which all goes well.
func TestPassesCost(t *testing.T) {
	type cost struct{ looks, reads, attempts, writes int }
	cases := map[string]struct {
		reason string
		change change
		stale  bool
		want   want
		cost   cost
	}{
		"first import":     {"look, import, look", firstImport, false, settles(), cost{looks: 1, reads: 1, attempts: 1}},
		"first, KMS slow":  {"the rest is another pass", firstImport, true, progresses(5 * time.Second), cost{looks: 1, reads: 1, attempts: 1}},
		"settled":          {"nothing but the look", unchanged, false, settles(), cost{}},
		"Secret rewritten": {"one read, one write", rewritten, false, settles(), cost{reads: 1, writes: 1}},
		"expiry moved":     {"one import", wantsExpiry(30 * day), false, settles(), cost{looks: 1, reads: 1, attempts: 1}},
		"taken over":       {"one read, the claim, and the new owner's Secret", all(ownerless, rewritten), false, settles(), cost{reads: 1, writes: 2}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := changed(tc.change)
			s := &simulation{facts: f, key: f.observed.Look.Key, bytes: plan.Material{Fingerprint: "fingerprint-1", Comparable: true}, holds: "Present", stale: tc.stale}
			assertStep(t, tc.reason, s.run(t, name), tc.want)
			if got := (cost{s.looks, s.reads, s.attempts, s.writes}); got != tc.cost {
				t.Errorf("%s: got %+v, want %+v", tc.reason, got, tc.cost)
			}
		})
	}
}
