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
	key     kms.Key          // as KMS has it
	bytes   plan.Material    // what the Secret holds
	fault   *kms.Error       // of a look
	secret  plan.Presence    // of the Secret, once it is read
	refusal []kms.ErrorClass // of the first try, and of the next
	stale   bool             // KMS shows an import in a later pass only

	looks, reads, attempts, imports, writes, holds, lifts int
	importedHeld                                          bool
}

// run carries out steps until the pass ends.
func (s *simulation) run(t *testing.T, name string) plan.Step {
	t.Helper()
	for range 11 {
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
		if s.fault != nil {
			s.observed.Look = &plan.LookResult{Err: s.fault}
		}
	case plan.InspectMaterial:
		s.read()
	case plan.ClaimRecord:
		s.writes++
		s.observed.Ownership = "Mine"
	case plan.AcceptSecretVersion:
		s.writes++
		s.observed.Record = s.observed.Record.DeepCopy()
		s.observed.Record.Imported.Secret = s.version()
	case plan.HoldKey:
		s.holds++
		s.hold(&v1alpha1.KeyHold{KeyState: string(s.observed.Look.Key.State), Time: metav1.NewTime(now)})
	case plan.LiftHold:
		s.lifts++
		s.hold(nil)
	case plan.ConfirmImport:
		s.confirm()
	case plan.ImportMaterial:
		s.read()
		fits := s.observed.Secret.Presence == "Present" && s.bytes.Problem == "" && action.Fits(s.bytes) && (action.Expect == "" || s.bytes.Fingerprint == action.Expect)
		if fits {
			s.attempt(action)
		}
	}
}

func (s *simulation) hold(hold *v1alpha1.KeyHold) {
	s.writes++
	s.observed.Record = s.observed.Record.DeepCopy()
	s.observed.Record.Hold = hold
}

func (s *simulation) confirm() {
	s.writes++
	record := s.observed.Record.DeepCopy()
	record.Imported = &v1alpha1.ImportedMaterial{MaterialImport: record.Intent.MaterialImport, Time: record.Intent.Time}
	record.Intent = nil
	s.observed.Record = record
	s.observed.Memory.Confirmed = record.Imported.Time.Time
}

func (s *simulation) read() {
	s.reads++
	s.observed.Secret.Presence = s.secret
	if s.secret == "Present" {
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
	s.importedHeld = s.importedHeld || record.Hold != nil
	if class := s.refusal[min(s.attempts, len(s.refusal))-1]; class != "" {
		s.refuse(class)
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
	s.observed.Memory.ImportedHere, s.observed.Memory.ServedRequest = now, s.desired.RequestedAt
	s.observed.Look = nil
	if !s.stale {
		s.key.State, s.key.Expiry, s.key.CurrentKeyMaterialID = "Enabled", action.Expiry, "material-1"
		s.observed.Memory.Confirmed = now
	}
}

func (s *simulation) refuse(class kms.ErrorClass) {
	s.observed.Attempt.Err = &kms.Error{Operation: "ImportKeyMaterial", Class: class, Code: "SomeException"}
	s.observed.Record.Intent = nil
	if class == "InvalidState" { // somebody has disabled the key since the look
		s.key.State = "Disabled"
	}
	if class == "InvalidState" || class == "TokenRefused" {
		s.observed.Look = nil
	}
}

// Whatever the world and whatever KMS answers, a pass ends, and changes the key at most once.
func TestEveryPassEnds(t *testing.T) {
	dimensions := world()
	dimensions[3] = []choice{{"bytes unread", unchanged}} // the simulation reads them
	materials := []plan.Material{
		{Fingerprint: "fingerprint-1", Comparable: true}, {Fingerprint: "fingerprint-2", Comparable: true},
		{Fingerprint: "fingerprint-under-new-key"}, {Problem: "too short", Comparable: true}, {Fingerprint: "fingerprint-1", Comparable: true},
		{Fingerprint: "fingerprint-1", Comparable: true, Bytes: 447}, {Fingerprint: "fingerprint-1", Comparable: true, Bytes: 185},
	}
	refusals := [][]kms.ErrorClass{
		{""}, {"TokenRefused"}, {"TokenRefused", ""}, {"TokenRefused", "InvalidState"}, {"Throttled"}, {"Unreachable"}, {"InvalidState"}, {"MaterialRefused"},
	}
	i, held, lifted := 0, 0, 0
	worlds(dimensions, func(name func() string, f *facts) {
		if f.observed.Attempt != nil {
			return // of an earlier step
		}
		i++
		s := &simulation{
			facts: f.copy(), key: settledFacts().observed.Look.Key, secret: "Present",
			bytes: materials[i%len(materials)], refusal: refusals[i/7%len(refusals)], stale: i%11 == 0,
		}
		if look := f.observed.Look; look != nil { // a pass begins without
			s.key, s.fault, s.observed.Look = look.Key, look.Err, nil
		}
		if i%13 == 0 {
			s.secret = "KeyMissing"
		}
		s.run(t, name())
		if s.imports > 1 || s.attempts > 2 || s.looks > 3 || s.reads > 3 || s.writes > 4 || s.holds > 1 || s.lifts > 1 {
			t.Fatalf("%s: %d imports, %d attempts, %d looks, %d reads, %d writes, %d holds, %d lifts",
				name(), s.imports, s.attempts, s.looks, s.reads, s.writes, s.holds, s.lifts)
		}
		if s.importedHeld {
			t.Fatalf("%s: imported while the record had a hold", name())
		}
		if s.seenDisabled() && s.observed.Record.Hold == nil {
			t.Fatalf("%s: seen disabled, and the record does not say so", name())
		}
		held, lifted = held+s.holds, lifted+s.lifts
	})
	if held < 1000 || lifted < 1000 {
		t.Errorf("%d keys held and %d holds lifted prove little", held, lifted)
	}
}

// seenDisabled reports whether the last look showed this object's own, importable key disabled or about to be deleted.
func (s *simulation) seenDisabled() bool {
	o := s.observed
	return o.Ownership == "Mine" && o.Look != nil && o.Look.Err == nil && o.Look.Key.ARN == keyARN && o.Look.Key.Origin == "EXTERNAL" && o.Look.Key.Spec != "ML_DSA_65" &&
		(o.Look.Key.State == "Disabled" || o.Look.Key.State == "PendingDeletion") && !s.desired.Suspended && !s.desired.Deleting
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
		"disabled":         {"noted", state("Disabled"), false, waits("KeyDisabled"), cost{writes: 1}},
		"still disabled":   {"once", all(held, state("Disabled")), false, waits("KeyDisabled"), cost{}},
		"enabled again":    {"noted", held, false, settles(), cost{writes: 1}},
		"emptied, held":    {"nothing but the look", all(held, empty), false, stalls("HeldAfterDisable"), cost{}},
		"held, requested":  {"the hold is lifted, and then it is an import like any other", all(held, empty, requested), false, settles(), cost{looks: 1, reads: 1, attempts: 1, writes: 1}},
		"held, taken over": {"by a new owner who has asked", all(ownerless, held, empty, requested), false, settles(), cost{looks: 1, reads: 2, attempts: 1, writes: 2}},
		"long PKCS#8":      {"read once more, to be wrapped in another way", all(firstImport, ofSpec("ECC_NIST_P384")), false, settles(), cost{looks: 1, reads: 2, attempts: 1}},
		"taken over":       {"one read, the claim, and the new owner's Secret", all(ownerless, rewritten), false, settles(), cost{reads: 1, writes: 2}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := changed(tc.change)
			bytes := plan.Material{Fingerprint: "fingerprint-1", Comparable: true, Bytes: 32}
			if f.observed.Look.Key.Spec == "ECC_NIST_P384" {
				bytes.Bytes = 447
			}
			s := &simulation{facts: f, key: f.observed.Look.Key, bytes: bytes, secret: "Present", refusal: []kms.ErrorClass{""}, stale: tc.stale}
			assertStep(t, tc.reason, s.run(t, name), tc.want)
			if got := (cost{s.looks, s.reads, s.attempts, s.writes}); got != tc.cost {
				t.Errorf("%s: got %+v, want %+v", tc.reason, got, tc.cost)
			}
		})
	}
}
