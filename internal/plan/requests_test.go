package plan_test

import (
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// A request for an import is carried out once, as soon as it can be.
func TestReimportAsked(t *testing.T) {
	never := func(f *facts) { *f.observed.Status.ObservedGeneration = -1 }
	withdrawn := func(f *facts) { f.desired.Requests = plan.Requests{} }
	failing := attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "Throttled"})
	cases{
		"settled":                 {"the same material again, with the expiry that the spec asks for", reimportRequested, does(reimportAction())},
		"rolling":                 {"a renewal ahead of its time", all(rollsOver(5*time.Hour), reimportRequested), does(rollingReimport())},
		"echoed":                  {"once", all(reimportRequested, reimportEchoed), settles()},
		"served":                  {"once", all(reimportRequested, reimportServed), settles()},
		"another":                 {"each once", all(reimportRequested, reimportEchoed, func(f *facts) { f.desired.Requests.Reimport = "later" }), does(reimportAction())},
		"withdrawn":               {"nothing is asked for any more", all(reimportRequested, reimportEchoed, reimportServed, requested, echoed, served, withdrawn), settles()},
		"withdrawn, contradicted": {"nothing is asked for any more", all(empty, requested, echoed, served, reimportRequested, reimportEchoed, reimportServed, withdrawn), progresses(5 * time.Second)},
		"never seen":              {"a restored manifest must not fire", all(reimportRequested, never), settles()},
		"a look asked for":        {"a look is no import", requested, settles()},
		"disabled":                {"it waits", all(reimportRequested, held, state("Disabled")), waits("KeyDisabled")},
		"no Secret":               {"it waits", all(reimportRequested, secret("Absent")), waits("SecretNotFound")},
		"not its turn":            {"it waits", all(reimportRequested, func(f *facts) { f.observed.TurnIn = time.Second }), progresses(time.Second)},
		"throttled":               {"not twice in a pass", all(reimportRequested, failing), retries("Throttled")},
		"Secret rewritten":        {"compared first", all(reimportRequested, rewritten), does(plan.InspectMaterial{})},
		"other bytes":             {"never", all(reimportRequested, rewritten, otherMaterial), stalls("MaterialChanged")},
		"superseded":              {"never", all(reimportRequested, func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "material-2" }), stalls("MaterialSuperseded")},
		"suspended":               {"suspend is stronger", all(reimportRequested, suspended, noLook), isSuspended()},
		"foreign":                 {"the owner's business", all(reimportRequested, foreign), stalls("KeyConflict")},
		"date has passed":         {"what is wrong is said", all(reimportRequested, expires(-time.Second)), stalls("MaterialExpired")},
		"date too near":           {"no reason to stall over a key that works", all(reimportRequested, expires(time.Minute)), settles("Expiring ExpiresSoon")},
		"other date, past":        {"what is wrong is said, asked for or not", all(reimportRequested, expires(30*day), wantsExpiry(-time.Second)), stalls("InvalidExpiration")},
		"refused before":          {"a person may try again", all(reimportRequested, refusedBefore(reimportAction())), does(reimportAction())},
		"refused before, due":     {"a person may try again", all(reimportRequested, rollsOver(time.Hour), refusedBefore(rollingReimport())), does(rollingReimport())},
		"QKMS":                    {"it takes no import over material", all(onQKMS, reimportRequested), settles()},
		"QKMS, propagating":       {"a request makes KMS no faster, and cannot be served", all(onQKMS, expires(30*day), reportedExpiry(20*day), age(time.Minute), unconfirmed, reimportRequested), progresses(time.Minute)},
		"QKMS, contradicted":      {"a request does not make the first look count", all(onQKMS, expires(30*day), reportedExpiry(20*day), reimportRequested), progresses(5 * time.Second)},
		"QKMS, never shown":       {"a request changes nothing", all(onQKMS, expires(30*day), reportedExpiry(20*day), unconfirmed, marked, reimportRequested), settles("OtherMaterialExpires EarlierExpiry")},
		"QKMS, empty":             {"a person says that it is a fact", all(onQKMS, empty, reimportRequested), underRSA2048(reimportAction())},
		"empty":                   {"a person says that it is a fact", all(empty, reimportRequested), does(reimportAction())},
		"empty, Hold":             {"that somebody deleted it is none to be hurried", all(hold, empty, reimportRequested), progresses(5 * time.Second)},
	}.run(t)
}

func TestReimportHandled(t *testing.T) {
	cases := map[string]struct {
		reason  string
		change  change
		outcome plan.Outcome
		want    bool
	}{
		"settled":               {"nothing stands in its way, so it is done, or never will be", reimportRequested, "Settled", true},
		"stalled":               {"a person must act on something else first", reimportRequested, "Stalled", true},
		"progressing":           {"it is under way", reimportRequested, "Progressing", false},
		"waiting":               {"it is carried out later", reimportRequested, "Waiting", false},
		"retry":                 {"it is carried out later", reimportRequested, "Retry", false},
		"suspended":             {"it is carried out later", all(reimportRequested, suspended), "Suspended", false},
		"served, progressing":   {"an import was made for it", all(reimportRequested, reimportServed), "Progressing", true},
		"served, waiting":       {"an import was made for it", all(reimportRequested, reimportServed), "Waiting", true},
		"served, another":       {"that was for another", all(reimportRequested, reimportServed, func(f *facts) { f.desired.Requests.Reimport = "later" }), "Waiting", false},
		"never seen, waiting":   {"a restored manifest must not fire, later either", all(reimportRequested, func(f *facts) { *f.observed.Status.ObservedGeneration = -1 }), "Waiting", true},
		"never seen, no status": {"no observedGeneration is -1", all(reimportRequested, func(f *facts) { f.observed.Status.ObservedGeneration = nil }), "Suspended", true},
		"first pass, waiting":   {"an object that was seen may ask", all(firstImport, reimportRequested), "Waiting", false},
		"held, ownerless":       {"the key cannot be taken over yet", all(reimportRequested, heldEmpty, ownerless), "Stalled", false},
		"held, full, ownerless": {"the request is not about an empty key", all(reimportRequested, ownerless, held), "Stalled", true},
		"emptied, ownerless":    {"the key cannot be taken over yet", all(reimportRequested, ownerless, heldDeleted), "Stalled", false},
		"lifted, ownerless":     {"nothing is held any more", all(reimportRequested, heldEmpty, wasLifted, ownerless), "Stalled", true},
		"free, ownerless":       {"nothing is held", all(reimportRequested, ownerless, empty), "Stalled", true},
		"held":                  {"its owner has lifted the hold, or need not", all(reimportRequested, heldEmpty), "Stalled", true},
		"held, look failed":     {"whether it is empty is not known", all(reimportRequested, ownerless, held, lookError("Other")), "Stalled", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := changed(tc.change)
			if got := plan.ReimportHandled(f.desired, f.observed, plan.Step{Outcome: tc.outcome}); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}
