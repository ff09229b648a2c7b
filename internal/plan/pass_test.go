package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// lifeIn is a life that begins with a pass over these facts, and with a key as their look says.
func lifeIn(f *facts) *life {
	l := newLife()
	l.facts = f
	if f.observed.Look == nil {
		return l
	}
	if err := f.observed.Look.Err; err != nil {
		l.lookFault = err.Class
		return l
	}
	key := f.observed.Look.Key
	l.kms.fixed.ARN, l.kms.fixed.Spec, l.kms.fixed.Usage, l.kms.fixed.Origin = key.ARN, key.Spec, key.Usage, key.Origin
	l.kms.qkms = f.observed.Dialect == "QKMS"
	full := key.State != "PendingImport"
	if full {
		l.kms.state = key.State
	}
	l.kms.materials = nil
	if full || key.CurrentKeyMaterialID != "" {
		l.kms.materials = []modelMaterial{{id: key.CurrentKeyMaterialID, fingerprint: "fingerprint-1", present: full, validTo: key.Expiry.ValidTo}}
	}
	return l
}

// Whatever the world and whatever KMS answers, a pass ends, and changes the key at most once.
func TestEveryPassEnds(t *testing.T) {
	materials := []plan.Material{
		{Fingerprint: "fingerprint-1", Comparable: true}, {Fingerprint: "fingerprint-2", Comparable: true},
		{Fingerprint: "fingerprint-under-new-key"}, {Problem: "too short", Comparable: true}, {Fingerprint: "fingerprint-1", Comparable: true},
		{Fingerprint: "fingerprint-1", Comparable: true, Bytes: 447}, {Fingerprint: "fingerprint-1", Comparable: true, Bytes: 185},
		{Fingerprint: "fingerprint-1", Comparable: true},
	}
	faults := [][]kms.ErrorClass{
		nil, {"TokenRefused"}, {"TokenRefused", "TokenRefused"}, {"TokenRefused", "InvalidState"}, {"Throttled"}, {"Unreachable"}, {"InvalidState"}, {"MaterialRefused"},
	}
	dimensions := world()
	dimensions[3] = []choice{{"bytes unread", unchanged}} // they are read in the pass
	i, imports, holds := 0, 0, 0
	worlds(dimensions, 24, func(name func() string, f *facts) {
		if f.observed.Attempt != nil {
			return // of an earlier step
		}
		i++
		if i%3 == 0 {
			asOnQKMS(f)
		}
		l := lifeIn(f)
		l.material, l.faults, l.done = materials[i%len(materials)], faults[i/7%len(faults)], i%5 == 0
		if l.kms.fixed.Spec != "ECC_NIST_P384" {
			l.material.Bytes = 32
		}
		if i%11 == 0 {
			l.kms.lag = time.Minute
		}
		if i%13 == 0 {
			l.readAs = "KeyMissing"
		}
		before := l.observed.Record
		l.pass()
		l.report(t, name())
		imports += l.cost.imports
		if l.seenDisabled() && l.observed.Record.Hold == nil {
			t.Fatalf("%s: seen disabled, and the record does not say so", name())
		}
		if before != nil && l.observed.Record != nil && (before.Hold == nil) != (l.observed.Record.Hold == nil) {
			holds++
		}
	})
	if i < 20_000 || imports < 100 || holds < 1000 {
		t.Errorf("%d passes with %d imports and %d changes of a hold prove little", i, imports, holds)
	}
}

// seenDisabled reports whether the last look showed this object's own, importable key disabled or about to be deleted.
func (l *life) seenDisabled() bool {
	o := l.observed
	importable := l.kms.fixed.Origin == "EXTERNAL" && l.kms.fixed.Spec != "ML_DSA_65" && (!l.kms.qkms || l.kms.fixed.Spec == "SYMMETRIC_DEFAULT")
	return o.Ownership == "Mine" && o.Look != nil && o.Look.Err == nil && o.Look.Key.ARN == keyARN && importable &&
		(o.Look.Key.State == "Disabled" || o.Look.Key.State == "PendingDeletion") && !l.desired.Suspended && !l.desired.Deleting
}

// The budgets of a pass in which all goes well.
func TestPassesCost(t *testing.T) {
	cases := map[string]struct {
		reason string
		change change
		stale  bool
		want   want
		cost   cost
	}{
		"first import":     {"look, import, look", firstImport, false, settles(), cost{looks: 2, reads: 1, attempts: 1, imports: 1}},
		"first, KMS slow":  {"the rest is another pass", firstImport, true, progresses(5 * time.Second), cost{looks: 2, reads: 1, attempts: 1, imports: 1}},
		"settled":          {"nothing but the look", unchanged, false, settles(), cost{looks: 1}},
		"Secret rewritten": {"one read, one write", rewritten, false, settles(), cost{looks: 1, reads: 1, writes: 1}},
		"expiry moved":     {"one import", wantsExpiry(30 * day), false, settles(), cost{looks: 2, reads: 1, attempts: 1, imports: 1}},
		"disabled":         {"noted", state("Disabled"), false, waits("KeyDisabled"), cost{looks: 1, writes: 1}},
		"still disabled":   {"once", all(held, state("Disabled")), false, waits("KeyDisabled"), cost{looks: 1}},
		"enabled again":    {"noted", held, false, settles(), cost{looks: 1, writes: 1}},
		"emptied, held":    {"nothing but the look", all(held, empty), false, stalls("HeldAfterDisable"), cost{looks: 1}},
		"held, requested":  {"the hold is lifted, and then it is an import like any other", all(heldEmpty, reimportRequested), false, settles(), cost{looks: 2, reads: 1, attempts: 1, imports: 1, writes: 1}},
		"held, taken over": {"by a new owner who has asked", all(ownerless, held, empty, reimportRequested), false, settles(), cost{looks: 2, reads: 2, attempts: 1, imports: 1, writes: 2}},
		"long PKCS#8":      {"read once more, to be wrapped in another way", all(firstImport, ofSpec("ECC_NIST_P384")), false, settles(), cost{looks: 2, reads: 2, attempts: 1, imports: 1}},
		"taken over":       {"one read, the claim, and the new owner's Secret", all(ownerless, rewritten), false, settles(), cost{looks: 1, reads: 1, writes: 2}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := changed(tc.change)
			bytes := plan.Material{Fingerprint: "fingerprint-1", Comparable: true, Bytes: 32}
			if f.observed.Look.Key.Spec == "ECC_NIST_P384" {
				bytes.Bytes = 447
			}
			l := lifeIn(f)
			l.material = bytes
			if tc.stale {
				l.kms.lag = time.Minute
			}
			assertStep(t, tc.reason, l.pass(), tc.want)
			l.report(t, tc.reason)
			if diff := cmp.Diff(tc.cost, l.cost, cmp.AllowUnexported(cost{})); diff != "" {
				t.Errorf("%s: cost (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
