package plan_test

import (
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// Whoever disabled a key or scheduled its deletion may have meant it: the record keeps that it was seen so.
func TestHoldNeeded(t *testing.T) {
	holds := does(plan.HoldKey{})
	cases{
		"Disabled":               {"somebody disabled it", state("Disabled"), holds},
		"PendingDeletion":        {"somebody gave it up", state("PendingDeletion"), holds},
		"PendingReplicaDeletion": {"likewise", state("PendingReplicaDeletion"), holds},
		"claim only":             {"the key may be emptied before the first import as well", all(nothingImported, state("Disabled")), holds},
		"outcome unknown":        {"likewise", all(firstIntent, state("Disabled")), holds},
		"requested":              {"a request is about a key that is empty", all(requested, state("Disabled")), holds},
		"noted":                  {"once", all(held, state("Disabled")), waits("KeyDisabled")},
		"noted, another state":   {"the first is as good", all(held, state("PendingDeletion")), stalls("KeyPendingDeletion")},
		"Enabled":                {"nothing to note", unchanged, settles()},
		"Creating":               {"it passes by itself", state("Creating"), waits("KeyCreating")},
		"Updating":               {"it passes by itself", state("Updating"), waits("KeyUpdating")},
		"Unavailable":            {"it passes by itself", state("Unavailable"), waits("KeyUnavailable")},
		"a new state":            {"nobody knows what it means", state("Frozen"), retries("KMSError")},
		"foreign":                {"the record is its owner's to write", all(foreign, state("Disabled")), waits("KeyDisabled")},
		"ownerless":              {"nobody's to write before it is taken over", all(ownerless, state("Disabled")), waits("KeyDisabled")},
		"no record":              {"nowhere to note it", all(firstImport, state("Disabled")), waits("KeyDisabled")},
		"suspended":              {"nothing is looked at", all(suspended, noLook), isSuspended()},
	}.run(t)
}

func TestHoldEnded(t *testing.T) {
	lifts := does(plan.LiftHold{})
	cases{
		"Enabled":                  {"whoever enabled it has decided", held, lifts},
		"Enabled, claim only":      {"likewise", all(held, nothingImported), lifts},
		"empty, requested":         {"a person has decided", all(held, empty, requested), lifts},
		"empty":                    {"nobody has", all(held, empty, contradictedFor(day)), stalls("HeldAfterDisable")},
		"empty, request echoed":    {"an echoed request is spent", all(held, empty, requested, echoed), stalls("HeldAfterDisable")},
		"empty, request served":    {"a request is for one import", all(held, empty, requested, served), stalls("HeldAfterDisable")},
		"Disabled, requested":      {"a request does not enable a key", all(held, state("Disabled"), requested), waits("KeyDisabled")},
		"Updating, requested":      {"the key may turn up in any state", all(held, state("Updating"), requested), waits("KeyUpdating")},
		"Updating":                 {"says nothing about what somebody did", all(held, state("Updating")), waits("KeyUpdating")},
		"Unavailable":              {"likewise", all(held, state("Unavailable")), waits("KeyUnavailable")},
		"a new state":              {"likewise", all(held, state("Frozen")), retries("KMSError")},
		"key gone":                 {"likewise", all(held, lookError("NotFound")), waits("KeyNotFound")},
		"look failed":              {"likewise", all(held, lookError("Throttled")), retries("Throttled")},
		"look failed, requested":   {"nobody has seen the key", all(held, requested, lookError("Throttled")), retries("Throttled")},
		"another key is enabled":   {"it is not this one", all(held, otherKey), stalls("KeyTargetChanged")},
		"foreign, Enabled":         {"the record is its owner's to write", all(foreign, held), stalls("KeyConflict")},
		"foreign, requested":       {"the owner decides", all(foreign, held, empty, requested), stalls("KeyConflict")},
		"ownerless, Enabled":       {"taken over first", all(ownerless, held, sameMaterial), does(plan.ClaimRecord{})},
		"ownerless, requested":     {"taken over first", all(ownerless, held, empty, sameMaterial, requested), does(plan.ClaimRecord{})},
		"ownerless, not compared":  {"only the same material takes over", all(ownerless, held, empty, requested), does(plan.InspectMaterial{})},
		"requested, no status yet": {"a restored manifest must not fire", all(held, empty, requested, func(f *facts) { *f.observed.Status.ObservedGeneration = -1 }), stalls("HeldAfterDisable")},
	}.run(t)
}

// A key that was disabled or about to be deleted and now is empty waits for a person.
func TestHeldAfterDisable(t *testing.T) {
	lost := all(empty, contradictedFor(day))
	is := stalls("HeldAfterDisable")
	unclaimed := func(lastSeen string) change {
		return all(firstImport, func(f *facts) { f.observed.Status.Key = settledFacts().observed.Status.Key }, lastState(lastSeen))
	}
	cases{
		"on record":                 {"and how to go on", all(lost, held), is.saying("kms.keyimport.dev/reconcile-requested-at")},
		"on record, status wiped":   {"the record is the authority", all(lost, held, func(f *facts) { f.observed.Status.Key, f.observed.Status.Conditions = nil, nil }), is},
		"on record, last Enabled":   {"whatever the status says", all(lost, held, lastState("Enabled")), is},
		"on record, restarted":      {"no memory is needed", all(lost, held, restarted), is},
		"on record, claim only":     {"nothing was imported, and yet somebody disabled the key", all(held, nothingImported, empty), is},
		"on record, propagating":    {"an import of just now does not end it", all(empty, held, age(time.Minute), unconfirmed), is},
		"on record, no Secret":      {"it is not the Secret that is waited for", all(lost, held, secret("Absent")), is.with("SourceMissing SecretNotFound")},
		"on record, new expiry":     {"a new date is no decision", all(lost, held, wantsExpiry(30*day)), is},
		"on record, edited":         {"an edit is no decision", all(lost, held, edited), is},
		"on record, foreign":        {"it is the owner's business", all(lost, held, foreign), stalls("KeyConflict")},
		"on record, ownerless":      {"a new owner is no decision", all(ownerless, held, empty), is},
		"mine, last seen Disabled":  {"the record has no hold: it was lifted, and the status is older", all(lost, lastState("Disabled")), does(reimportAction())},
		"mine, held in status":      {"likewise", all(lost, lastCondition("Stalled", "HeldAfterDisable")), does(reimportAction())},
		"mine, last seen Enabled":   {"a plain loss is healed", all(lost, lastState("Enabled")), does(reimportAction())},
		"mine, last seen Updating":  {"a plain loss is healed", all(lost, lastState("Updating")), does(reimportAction())},
		"enabled, was Disabled":     {"with its material, it is settled", lastState("Disabled"), settles()},
		"unclaimed, Disabled":       {"without a record, the status must do", unclaimed("Disabled"), is},
		"unclaimed, to be deleted":  {"likewise", unclaimed("PendingDeletion"), is},
		"unclaimed, replicas too":   {"likewise", unclaimed("PendingReplicaDeletion"), is},
		"unclaimed, held":           {"the status then says PendingImport, and the stall stands", all(unclaimed("PendingImport"), lastCondition("Stalled", "HeldAfterDisable")), is},
		"unclaimed, other stall":    {"only this stall is a hold", all(unclaimed("PendingImport"), lastCondition("Stalled", "InvalidKeyMaterial")), does(firstImportAction())},
		"unclaimed, Enabled":        {"nobody disabled it", unclaimed("Enabled"), does(firstImportAction())},
		"unclaimed, requested":      {"a person has decided", all(unclaimed("Disabled"), requested), does(firstImportAction())},
		"unclaimed, request echoed": {"an echoed request is spent", all(unclaimed("Disabled"), requested, echoed), is},
		"imported in this pass": {
			"KMS has not caught up with the import that was asked for", all(empty, lastState("Disabled"), age(0), unconfirmed, attempt(1, nil)), progresses(5 * time.Second),
		},
	}.run(t)
}
