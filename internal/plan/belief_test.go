package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// After an import of its own the operator believes the answer, not the look, for five minutes.
func TestPropagationOfAnImport(t *testing.T) {
	justImported := func(d time.Duration) change { return all(empty, age(d), unconfirmed) }
	cases{
		"at once":             {"first look after 5 s", justImported(0), progresses(5 * time.Second)},
		"4.9 s":               {"still the first", justImported(4900 * time.Millisecond), progresses(5 * time.Second)},
		"5 s":                 {"then after 15 s", justImported(5 * time.Second), progresses(15 * time.Second)},
		"19.9 s":              {"then after 15 s", justImported(19900 * time.Millisecond), progresses(15 * time.Second)},
		"20 s":                {"then every minute", justImported(20 * time.Second), progresses(time.Minute)},
		"4 min 59 s":          {"still believed", justImported(4*time.Minute + 59*time.Second), progresses(time.Minute)},
		"5 min":               {"KMS took it and still asks for more: the record keeps that", justImported(5 * time.Minute), does(plan.MarkUnconfirmed{})},
		"5 min, marked":       {"importing again would not help", all(justImported(5*time.Minute), marked), stalls("OtherMaterialMissing")},
		"a day":               {"likewise", all(justImported(day), marked), stalls("OtherMaterialMissing")},
		"a day, first look":   {"it may have been shown, and undone since", all(empty, age(day), unconfirmed, func(f *facts) { f.observed.Memory.ContradictedSince = time.Time{} }), progresses(5 * time.Second)},
		"clock set back":      {"an import of tomorrow is not waited for until then", all(justImported(-day), marked), stalls("OtherMaterialMissing")},
		"clock a bit back":    {"which happens every day", justImported(-4 * time.Minute), progresses(5 * time.Second)},
		"made in this pass":   {"not imported twice", all(justImported(0), attempt(1, nil)), progresses(5 * time.Second)},
		"requested":           {"a request ends the wait", all(justImported(time.Minute), requested), does(reimportAction())},
		"request echoed":      {"once", all(justImported(time.Minute), requested, echoed), progresses(time.Minute)},
		"request served":      {"by the import that is waited for", all(justImported(time.Minute), requested, served), progresses(time.Minute)},
		"requested anew":      {"another request ends the wait", all(justImported(time.Minute), requested, served, func(f *facts) { f.desired.Requests.Reconcile = "later" }), does(reimportAction())},
		"requested, 10 min":   {"a look has been asked for, and it shows the same", all(justImported(10*time.Minute), marked, requested), stalls("OtherMaterialMissing")},
		"reimport, 10 min":    {"a person may try again", all(justImported(10*time.Minute), marked, reimportRequested), does(reimportAction())},
		"reimport, 1 min":     {"a request ends the wait", all(justImported(time.Minute), reimportRequested), does(reimportAction())},
		"reimport, no hurry":  {"a person asks, whatever the key holds", reimportRequested, does(reimportAction())},
		"reimport, too late":  {"a fixed date is too near for another import: the key goes on working until then", all(expires(4*time.Minute), reimportRequested), settles("Expiring ExpiresSoon")},
		"reimport, echoed":    {"once", all(reimportRequested, reimportEchoed), settles()},
		"reimport, served":    {"by the import that is waited for", all(justImported(time.Minute), reimportRequested, reimportServed), progresses(time.Minute)},
		"reimport, not seen":  {"a restored manifest must not fire", all(reimportRequested, func(f *facts) { *f.observed.Status.ObservedGeneration = -1 }), settles()},
		"requested, no hurry": {"nothing to do for a key that is as it should be", requested, settles()},
		"requested, imported in this pass": {
			"the request was acted on: not imported twice", all(justImported(0), requested, served, attempt(1, nil)), progresses(5 * time.Second),
		},
		"requested, never seen": {
			"a restored manifest must not fire", all(justImported(time.Minute), requested, func(f *facts) { *f.observed.Status.ObservedGeneration = -1 }), progresses(time.Minute),
		},
		"requested, no status": {
			"no observedGeneration is -1", all(justImported(time.Minute), requested, func(f *facts) { f.observed.Status.ObservedGeneration = nil }), progresses(time.Minute),
		},
	}.run(t)
}

// After a confirmed import, or one that this process did not make, one look is not enough.
func TestContradictionNeedsTwoLooks(t *testing.T) {
	cases{
		"first look":        {"look again in 5 s", all(empty, contradictedFor(0)), progresses(5 * time.Second)},
		"4.9 s later":       {"too soon", all(empty, contradictedFor(4900*time.Millisecond)), progresses(5 * time.Second)},
		"5 s later":         {"a fact", all(empty, contradictedFor(5*time.Second)), does(reimportAction())},
		"not noted yet":     {"a contradiction without a time is a first one", empty, progresses(5 * time.Second)},
		"requested":         {"a person says that it is a fact", all(empty, contradictedFor(0), requested), does(reimportAction())},
		"imported just now": {"a confirmed import propagates no more", all(empty, age(time.Minute), contradictedFor(5*time.Second)), does(reimportAction())},
		"after a restart, first look": {
			"imported by an earlier process long ago", all(empty, restarted, contradictedFor(0)), progresses(5 * time.Second),
		},
		"after a restart, second look":   {"a fact", all(empty, restarted, contradictedFor(5*time.Second)), does(reimportAction())},
		"after a restart, not noted yet": {"likewise", all(empty, restarted), progresses(5 * time.Second)},
		"after a restart, propagating": {
			"an earlier process imported a minute ago", all(empty, age(time.Minute), restarted, contradictedFor(10*time.Second)), progresses(time.Minute),
		},
		"expiry moved elsewhere, first look":  {"look again in 5 s", all(reportedExpiry(30*day), contradictedFor(0)), progresses(5 * time.Second)},
		"expiry moved elsewhere, not noted":   {"look again in 5 s", reportedExpiry(30 * day), progresses(5 * time.Second)},
		"expiry moved elsewhere, second look": {"moved back", all(reportedExpiry(30*day), contradictedFor(5*time.Second)), does(reimportAction())},
		"expiry moved elsewhere, requested":   {"moved back", all(reportedExpiry(30*day), contradictedFor(0), requested), does(reimportAction())},
	}.run(t)
}

// What an earlier process found out by waiting is in the record: a restart is no reason to import once more, whatever the
// status says.
func TestUnconvergedBeforeARestart(t *testing.T) {
	restarted := func(f *facts) { f.observed.Memory = plan.Memory{FirstSeen: now, LastLook: now} }
	warned := all(restarted, contradictedFor(day), marked)
	stalled := warned
	warning := settles("OtherMaterialExpires EarlierExpiry")
	cases{
		"warned":                    {"another material expires first, as before", all(reportedExpiry(30*day), warned), warning},
		"warned, first look":        {"known already", all(reportedExpiry(30*day), warned, contradictedFor(0)), warning},
		"warned, not noted yet":     {"known already", all(reportedExpiry(30*day), restarted, marked), warning},
		"warned, requested":         {"a look changes nothing", all(reportedExpiry(30*day), warned, requested), warning},
		"warned, reimport":          {"a person may try again", all(reportedExpiry(30*day), warned, reimportRequested), does(reimportAction())},
		"warned, reimport echoed":   {"once", all(reportedExpiry(30*day), warned, reimportRequested, reimportEchoed), warning},
		"warned, reimport, waiting": {"a request takes back no warning", all(reportedExpiry(30*day), warned, reimportRequested, secret("Absent")), waits("SecretNotFound").with("SourceMissing SecretNotFound", "OtherMaterialExpires EarlierExpiry")},
		"warned, new expiry":        {"the spec is never kept waiting", all(reportedExpiry(30*day), warned, wantsExpiry(90*day)), does(reimportUntil(90 * day))},
		"warned, agrees":            {"the other material is in", warned, does(plan.MarkConfirmed{})},
		"warned, propagating":       {"of a later import nothing is known yet", all(reportedExpiry(30*day), age(time.Minute), warned), progresses(time.Minute)},
		"warned, confirmed":         {"by this process: now it is a contradiction", all(reportedExpiry(30*day), contradictedFor(day), marked), does(reimportAction())},
		"warned, empty":             {"the other material has expired", all(empty, warned), stalls("OtherMaterialMissing")},
		"stalled":                   {"another material is missing, as before", all(empty, stalled), stalls("OtherMaterialMissing")},
		"stalled, first look":       {"known already", all(empty, stalled, contradictedFor(0)), stalls("OtherMaterialMissing")},
		"stalled, reimport":         {"a person may try again", all(empty, stalled, reimportRequested), does(reimportAction())},
		"stalled, request echoed":   {"once", all(empty, stalled, reimportRequested, reimportEchoed), stalls("OtherMaterialMissing")},
		"stalled, one material":     {"a key that cannot be rotated has no other material", all(empty, stalled, hmacKey), does(hmacReimport())},
		"one material, twice":       {"a third time would be no different", all(empty, stalled, hmacKey, importedBefore(6*time.Minute)), stalls("ImportIneffective")},
		"only the status says so":   {"it is anyone's to write", all(empty, restarted, contradictedFor(day), lastCondition("Stalled", "OtherMaterialMissing")), does(reimportAction())},
	}.run(t)
}

func TestPropagationOfAnExpiry(t *testing.T) {
	moved := func(d time.Duration) change {
		return all(wantsExpiry(60*day), recordedExpiry(60*day), reportedExpiry(30*day), age(d), unconfirmed)
	}
	cases{
		"at once":           {"KMS still shows the old one", moved(0), progresses(5 * time.Second)},
		"made in this pass": {"not imported twice", all(moved(0), attempt(1, nil)), progresses(5 * time.Second)},
		"4 min 59 s":        {"still believed", moved(4*time.Minute + 59*time.Second), progresses(time.Minute)},
		"5 min":             {"another material of the key expires first: the record keeps that", moved(5 * time.Minute), does(plan.MarkUnconfirmed{})},
		"5 min, marked":     {"a warning, no second import", all(moved(5*time.Minute), marked), settles("OtherMaterialExpires EarlierExpiry")},
		"requested":         {"a request ends the wait", all(moved(time.Minute), requested), does(reimportUntil(60 * day))},
		"changed again":     {"the spec is never kept waiting", all(moved(time.Minute), wantsExpiry(90*day)), does(reimportUntil(90 * day))},
	}.run(t)
}

func TestAgrees(t *testing.T) {
	second := func(d time.Duration) *metav1.Time { at := metav1.NewTime(now.Add(d)); return &at }
	cases := map[string]struct {
		reason  string
		model   string
		validTo *metav1.Time
		state   kms.KeyState
		expiry  kms.Expiry
		want    bool
	}{
		"permanent":             {"as imported", "KEY_MATERIAL_DOES_NOT_EXPIRE", nil, "Enabled", kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, true},
		"expiring":              {"as imported", "KEY_MATERIAL_EXPIRES", second(day), "Enabled", until(now.Add(day)), true},
		"fraction of a second":  {"KMS keeps whole seconds", "KEY_MATERIAL_EXPIRES", second(day), "Enabled", until(now.Add(day + 900*time.Millisecond)), true},
		"a second off":          {"another expiry", "KEY_MATERIAL_EXPIRES", second(day), "Enabled", until(now.Add(day + time.Second)), false},
		"other model":           {"another expiry", "KEY_MATERIAL_EXPIRES", second(day), "Enabled", kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, false},
		"empty key":             {"no material", "KEY_MATERIAL_DOES_NOT_EXPIRE", nil, "PendingImport", kms.Expiry{}, false},
		"pending, expiry shown": {"no key in this state holds all of its material", "KEY_MATERIAL_DOES_NOT_EXPIRE", nil, "PendingImport", kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, false},
		"not reported":          {"what is left out contradicts nothing: an enabled key has material", "KEY_MATERIAL_EXPIRES", second(day), "Enabled", kms.Expiry{}, true},
		"disabled, no expiry":   {"it may have lost its material", "KEY_MATERIAL_DOES_NOT_EXPIRE", nil, "Disabled", kms.Expiry{}, false},
		"disabled":              {"it holds the material", "KEY_MATERIAL_DOES_NOT_EXPIRE", nil, "Disabled", kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			imported := v1alpha1.ImportedMaterial{MaterialImport: v1alpha1.MaterialImport{ExpirationModel: tc.model, ValidTo: tc.validTo}}
			if got := plan.Agrees(imported, kms.Key{State: tc.state, Expiry: tc.expiry}); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}

func TestFirstImportIsUnfinished(t *testing.T) {
	reimport := func(f *facts) { f.observed.Record.Imported.Operation = "Reimport" }
	cases := map[string]struct {
		reason string
		change change
		want   bool
	}{
		"no record":                {"nothing was imported", firstImport, true},
		"outcome unknown":          {"nothing is known to have been imported", firstIntent, true},
		"not confirmed":            {"no look has shown it", all(empty, age(time.Minute), unconfirmed), true},
		"confirmed a minute ago":   {"a look has shown it", age(time.Minute), false},
		"confirmed":                {"a look has shown it", unchanged, false},
		"re-import, not confirmed": {"the first was long ago", all(reimport, age(time.Minute), unconfirmed), false},
		"after a restart":          {"nobody remembers the look that confirmed it, but it was made long ago", all(empty, restarted), false},
		"restart, just imported":   {"an earlier process may not have seen it", all(empty, age(4*time.Minute+59*time.Second), restarted), true},
		"restart, 5 min":           {"propagation is over", all(empty, age(5*time.Minute), restarted), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := plan.FirstImport(changed(tc.change).observed); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}

// While nobody could look, the import may have been shown, and the material deleted since: that is no import that KMS does
// not show.
func TestNobodyLookedInTime(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		hold   bool
		want   string
	}{
		"Reimport": {"a loss like any other is healed", false, "True Imported"},
		"Hold":     {"a deletion like any other is held", true, "False MaterialDeleted"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife()
			l.desired.HoldDeleted = tc.hold
			l.failLater = "Unreachable"
			asked(forReimport)(l)
			l.pass()
			l.later(7 * time.Minute)
			l.lookFault, l.failLater = "", ""
			l.kms.empty()
			l.rest()
			if got := l.condition("Ready"); got != tc.want {
				t.Errorf("%s: Ready is %q, want %q", tc.reason, got, tc.want)
			}
			l.report(t, name)
		})
	}
}
