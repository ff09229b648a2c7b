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
		"empty, requested":         {"a person has decided: the import ends the hold", all(heldEmpty, reimportRequested), lifts},
		"empty, lifted":            {"the import ends the hold", all(heldEmpty, wasLifted), does(reimportAction())},
		"empty, lifted, no Secret": {"the decision stands until then", all(heldEmpty, wasLifted, secret("Absent")), waits("SecretNotFound")},
		"empty, lifted, disabled":  {"somebody has disabled it again", all(held, wasLifted, state("Disabled")), does(plan.HoldKey{})},
		"emptied":                  {"noted, with what was asked for by then", all(held, notSeenEmpty, empty), does(plan.HoldKey{})},
		"emptied, requested":       {"likewise", all(held, notSeenEmpty, empty, reimportRequested), does(plan.HoldKey{})},

		"empty":                    {"nobody has", all(heldEmpty, contradictedFor(day)), stalls("HeldAfterDisable")},
		"empty, look requested":    {"a look is no import", all(heldEmpty, requested), stalls("HeldAfterDisable")},
		"empty, request echoed":    {"an echoed request is spent", all(heldEmpty, reimportRequested, reimportEchoed), stalls("HeldAfterDisable")},
		"empty, request served":    {"a request is for one import", all(heldEmpty, reimportRequested, reimportServed), stalls("HeldAfterDisable")},
		"empty, requested before":  {"what was asked for of a disabled key is not about an empty one", all(held, empty, askedBefore), stalls("HeldAfterDisable")},
		"Disabled, requested":      {"a request does not enable a key", all(held, state("Disabled"), reimportRequested), waits("KeyDisabled")},
		"Updating, requested":      {"the key may turn up in any state", all(held, state("Updating"), reimportRequested), waits("KeyUpdating")},
		"Updating":                 {"says nothing about what somebody did", all(held, state("Updating")), waits("KeyUpdating")},
		"Unavailable":              {"likewise", all(held, state("Unavailable")), waits("KeyUnavailable")},
		"a new state":              {"likewise", all(held, state("Frozen")), retries("KMSError")},
		"key gone":                 {"likewise", all(held, lookError("NotFound")), waits("KeyNotFound")},
		"look failed":              {"likewise", all(held, lookError("Throttled")), retries("Throttled")},
		"look failed, requested":   {"nobody has seen the key", all(held, reimportRequested, lookError("Throttled")), retries("Throttled")},
		"another key is enabled":   {"it is not this one", all(held, otherKey), stalls("KeyTargetChanged")},
		"foreign, Enabled":         {"the record is its owner's to write", all(foreign, held), stalls("KeyConflict")},
		"foreign, requested":       {"the owner decides", all(foreign, heldEmpty, reimportRequested), stalls("KeyConflict")},
		"ownerless, Enabled":       {"taken over first", all(ownerless, held, sameMaterial), does(plan.ClaimRecord{})},
		"ownerless, requested":     {"taken over first", all(ownerless, held, empty, sameMaterial, reimportRequested), does(plan.ClaimRecord{})},
		"ownerless, not compared":  {"only the same material takes over", all(ownerless, held, empty, reimportRequested), does(plan.InspectMaterial{})},
		"requested, no status yet": {"a restored manifest must not fire", all(heldEmpty, reimportRequested, func(f *facts) { *f.observed.Status.ObservedGeneration = -1 }), stalls("HeldAfterDisable")},
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
		"on record":                 {"and how to go on", all(lost, held), is.saying("kms.keyimport.dev/reimport-requested-at")},
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
		"unclaimed, requested":      {"a person has decided", all(unclaimed("Disabled"), reimportRequested), does(firstImportAction())},
		"unclaimed, request echoed": {"an echoed request is spent", all(unclaimed("Disabled"), reimportRequested, reimportEchoed), is},
		"imported in this pass": {
			"KMS has not caught up with the import that was asked for", all(empty, lastState("Disabled"), age(0), unconfirmed, attempt(1, nil)), progresses(5 * time.Second),
		},
	}.run(t)
}

// Where the spec says Hold, a deletion is a revocation.
func TestMaterialDeleted(t *testing.T) {
	lost := all(empty, contradictedFor(5*time.Second))
	is := stalls("MaterialDeleted")
	holds := does(plan.HoldKey{})
	forgiving := func(f *facts) { f.desired.HoldDeleted = false }
	cases{
		"seen once":                            {"as anywhere", all(hold, empty), progresses(5 * time.Second)},
		"seen once, look asked for":            {"to hold a key no request is needed", all(hold, empty, requested), progresses(5 * time.Second)},
		"seen twice":                           {"noted before anything is said", all(hold, lost), holds},
		"seen twice, restarted":                {"as anywhere", all(hold, empty, restarted), progresses(5 * time.Second)},
		"Reimport":                             {"the default heals", lost, does(reimportAction())},
		"noted":                                {"and how to go on", all(hold, heldDeleted), is.saying("kms.keyimport.dev/reimport-requested-at")},
		"noted, restarted":                     {"the record remembers", all(hold, heldDeleted, restarted), is},
		"noted, status wiped":                  {"the record is the authority", all(hold, heldDeleted, func(f *facts) { f.observed.Status.Key, f.observed.Status.Conditions = nil, nil }), is},
		"noted, look failed":                   {"nothing is forgotten", all(hold, heldDeleted, lookError("Throttled")), retries("Throttled")},
		"noted, key gone":                      {"nothing is forgotten", all(hold, heldDeleted, lookError("NotFound")), waits("KeyNotFound")},
		"noted, updating":                      {"nothing is forgotten", all(hold, heldDeleted, state("Updating")), waits("KeyUpdating")},
		"noted, look asked for":                {"a look is no import", all(hold, heldDeleted, requested), is},
		"noted, edited":                        {"an edit is no decision", all(hold, heldDeleted, edited, wantsExpiry(30*day)), is},
		"noted, no Secret":                     {"it is not the Secret that is waited for", all(hold, heldDeleted, secret("Absent")), is},
		"noted, intent":                        {"what is unknown stays unknown", all(hold, heldDeleted, intent), is},
		"noted, expired since":                 {"an expiry does not undo what a person did", all(expires(-day), hold, heldDeleted), is},
		"noted, renewal overdue":               {"a renewal does not either", all(rollsOver(time.Hour), hold, heldDeleted), is},
		"noted, foreign":                       {"it is the owner's business", all(foreign, hold, heldDeleted), stalls("KeyConflict")},
		"noted, ownerless":                     {"a new owner that says Hold is no decision", all(ownerless, hold, heldDeleted), is},
		"noted, ownerless, lenient":            {"one that does not takes over", all(ownerless, heldDeleted, sameMaterial), does(plan.ClaimRecord{})},
		"noted, asked for":                     {"a person has decided: the import ends the hold", all(hold, heldDeleted, reimportRequested), does(plan.LiftHold{})},
		"noted, nothing about requests, asked": {"nothing is known to have been asked for before", all(hold, heldDeleted, notSeenEmpty, reimportRequested), does(plan.LiftHold{})},
		"noted, lifted":                        {"the import ends the hold", all(hold, heldDeleted, wasLifted), does(reimportAction())},

		"noted, request echoed":      {"an echoed request is spent", all(hold, heldDeleted, reimportRequested, reimportEchoed), is},
		"noted, request served":      {"a request is for one import", all(hold, heldDeleted, reimportRequested, reimportServed), is},
		"noted, now Reimport":        {"the spec has decided", all(hold, heldDeleted, forgiving), does(reimportAction())},
		"noted, Reimport, no Secret": {"which the record need not keep", all(hold, heldDeleted, forgiving, secret("Absent")), waits("SecretNotFound")},
		"noted, enabled":             {"whoever enabled it has decided", all(hold, heldDeleted, func(f *facts) { f.observed.Look = settledFacts().observed.Look }), does(plan.LiftHold{})},
		"noted, disabled":            {"which outweighs it", all(hold, heldDeleted, state("Disabled")), holds},
		"noted, to be deleted":       {"which outweighs it", all(hold, heldDeleted, state("PendingDeletion")), holds},
		"disabled, then deleted":     {"a hold that outweighs", all(hold, held, lost), stalls("HeldAfterDisable")},
		"disabled, now Reimport":     {"that is about another hold", all(held, lost), stalls("HeldAfterDisable")},
		"asked for before":           {"an older request does not undo it", all(hold, lost, reimportRequested), holds},
		"asked for before, noted":    {"an older request does not undo it", all(hold, heldDeleted, askedBefore), is},
		"other bytes, then deleted":  {"noted whatever the Secret holds", all(hold, lost, rewritten, otherMaterial), holds},
		"no Secret, then deleted":    {"noted whether or not there is one", all(hold, lost, secret("Absent")), holds},
		"rotated, then deleted":      {"it is not our material that is missing", all(hold, lost, func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "material-2" }), stalls("MaterialSuperseded")},
		"expired":                    {"its time had come", all(rollsOver(-time.Second), empty, hold), does(rollingReimport())},
		"expired, intent":            {"its time had come", all(rollsOver(-time.Second), intent, empty, hold), does(rollingReimport())},
		"expired, a second ahead":    {"it had not", all(rollsOver(time.Second), lost, hold), holds},
		"shortened, then expired":    {"it had not: somebody moved it", all(rollsOver(2*time.Hour), reportedExpiry(-time.Second), lost, hold), holds},
		"never imported":             {"there was nothing to delete", all(firstImport, hold), does(firstImportAction())},
		"first import unanswered":    {"there was nothing to delete", all(firstIntent, empty, hold), does(func() plan.Action { a := reimportAction(); a.Operation, a.ReimportOf = "Import", ""; return a }())},
		"re-import unanswered":       {"what the empty key means comes first", all(hold, lost, intent), holds},
		"re-import unanswered, full": {"done again, which is the proof", all(hold, intent), does(reimportAction())},
		"propagating":                {"our own answer is believed", all(hold, empty, age(time.Minute), unconfirmed), progresses(time.Minute)},
		"never shown, one material":  {"it may have been deleted before anyone looked", all(hold, empty, unconfirmed, marked, hmacKey), holds},
		"never shown, twice":         {"a third time would be no different", all(hold, empty, unconfirmed, marked, hmacKey, importedBefore(6*time.Minute)), stalls("ImportIneffective")},
		"never shown, several":       {"it is another that is missing, most likely", all(hold, empty, unconfirmed, marked), stalls("OtherMaterialMissing")},
		"QKMS":                       {"as anywhere", all(onQKMS, hold, lost), holds},
	}.run(t)
}

// Reimport in the spec ends a hold for as long as it is there: who takes it back before the import could be made has not
// decided for the import.
func TestReimportTakenBack(t *testing.T) {
	l := newLife()
	l.desired.HoldDeleted = true
	emptied(l)
	l.rest()
	found := l.observed.Secret
	l.observed.Secret = plan.Secret{Presence: "Absent"}
	edit(func(l *life) { l.desired.HoldDeleted = false })(l)
	l.rest()
	edit(func(l *life) { l.desired.HoldDeleted = true })(l)
	l.rest()
	l.observed.Secret = found
	if step := l.rest(); step.Reason != "MaterialDeleted" {
		t.Errorf("got %s %q, want the key to be held", step.Outcome, step.Reason)
	}
	l.report(t, "Reimport taken back")
}
