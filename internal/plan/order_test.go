package plan_test

import (
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// Each case has two checks that apply: the one of the two that must be asked first.
func TestOrderOfChecks(t *testing.T) {
	throttled := &kms.Error{Operation: "ImportKeyMaterial", Class: "Throttled"}
	notImportable := func(f *facts) { f.observed.Look.Key.Origin = "AWS_KMS" }
	superseded := func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "material-2" }
	lost := all(empty, contradictedFor(day))
	cases{
		"deletion, suspend":                {"deletion beats everything", all(deleting, suspended), want{outcome: "Untouched"}},
		"deletion, no look":                {"deletion needs no KMS", all(deleting, noLook), want{outcome: "Untouched"}},
		"deletion, look failed":            {"deletion needs no KMS", all(deleting, lookError("Unreachable")), want{outcome: "Untouched"}},
		"deletion, conflict":               {"deletion needs no key", all(deleting, foreign), want{outcome: "Untouched"}},
		"deletion, no Secret":              {"deletion needs no Secret", all(deleting, firstImport, secret("Absent")), want{outcome: "Untouched"}},
		"suspend, no look":                 {"a suspended object makes no call", all(suspended, noLook), want{outcome: "Suspended", reason: "Suspended"}},
		"suspend, first sight":             {"the status must say so at once", all(suspended, noLook, restarted), want{outcome: "Suspended", reason: "Suspended"}},
		"suspend, intent":                  {"nothing is done again", all(suspended, firstIntent, empty), want{outcome: "Suspended", reason: "Suspended"}},
		"suspend, requested":               {"suspend is stronger", all(suspended, requested, noLook), want{outcome: "Suspended", reason: "Suspended"}},
		"first sight, look":                {"no call at once", all(noLook, restarted), want{outcome: "Untouched"}},
		"look, conflict":                   {"whose key it is, is known once it was looked at", all(noLook, foreign), does(plan.Look{})},
		"look, no Secret":                  {"the key comes first", all(firstImport, noLook, secret("Absent")), does(plan.Look{})},
		"look failed, conflict":            {"the key comes first", all(foreign, lookError("Throttled")), retries("Throttled")},
		"look failed, no Secret":           {"the key comes first", all(firstImport, secret("Absent"), lookError("NotFound")), waits("KeyNotFound")},
		"target, origin":                   {"another key's faults are not ours", all(otherKey, notImportable), stalls("KeyTargetChanged")},
		"target, state":                    {"another key's state is not ours", all(otherKey, state("Disabled")), stalls("KeyTargetChanged")},
		"origin, state":                    {"waiting would be in vain", all(notImportable, state("Creating")), stalls("KeyNotImportable")},
		"origin, conflict":                 {"nobody can use this key", all(notImportable, foreign), stalls("KeyNotImportable")},
		"state, conflict":                  {"the key comes first", all(foreign, state("PendingDeletion")), stalls("KeyPendingDeletion")},
		"hold, state":                      {"noted before anything is said", state("Disabled"), does(plan.HoldKey{})},
		"target, hold":                     {"another key's state is not ours", all(otherKey, state("PendingDeletion")), stalls("KeyTargetChanged")},
		"origin, hold":                     {"nothing would be imported into this key", all(notImportable, state("Disabled")), stalls("KeyNotImportable")},
		"end of hold, changed material":    {"the key is enabled, whatever the Secret holds", all(held, rewritten, otherMaterial), does(plan.LiftHold{})},
		"end of hold, intent":              {"no import while the record has a hold", all(held, intent), does(plan.LiftHold{})},
		"end of hold, missing":             {"no import while the record has a hold", all(lost, heldEmpty, reimportRequested), does(plan.LiftHold{})},
		"held, conflict":                   {"what is held is the owner's business", all(foreign, held, lost), stalls("KeyConflict")},
		"held, takeover":                   {"no new owner before a person has decided", all(ownerless, held, empty, sameMaterial), stalls("HeldAfterDisable")},
		"held, expired":                    {"an expiry does not undo what a person did", all(expires(-day), empty, held), stalls("HeldAfterDisable")},
		"state, no Secret":                 {"the key comes first", all(firstImport, state("Disabled"), secret("Absent")), waits("KeyDisabled")},
		"state, changed material":          {"key state beats material", all(held, state("Disabled"), rewritten, otherMaterial), waits("KeyDisabled")},
		"state, superseded":                {"key state beats material", all(state("Updating"), superseded), waits("KeyUpdating")},
		"held, changed material":           {"key state beats material", all(lost, held, rewritten, otherMaterial), stalls("HeldAfterDisable")},
		"held, intent":                     {"what is unknown stays unknown", all(lost, held, intent), stalls("HeldAfterDisable")},
		"conflict, no Secret":              {"conflict beats Secret", all(foreign, secret("Absent")), stalls("KeyConflict")},
		"conflict, not consenting":         {"conflict beats Secret", all(foreign, secret("NotConsenting")), stalls("KeyConflict")},
		"conflict, changed material":       {"the record is not about this object's Secret", all(foreign, otherMaterial), stalls("KeyConflict")},
		"Secret, bad material":             {"what is gone is not judged", all(firstImport, secret("Absent"), badMaterial), waits("SecretNotFound")},
		"Secret, adoption":                 {"the Secret comes first", all(nothingImported, secret("Absent")), waits("SecretNotFound")},
		"Secret, expiry":                   {"the Secret comes first", all(firstImport, secret("Absent"), wantsExpiry(-day)), waits("SecretNotFound")},
		"bad material, adoption":           {"the material comes first", all(nothingImported, badMaterial), stalls("InvalidKeyMaterial")},
		"bad material, expiry":             {"the material comes first", all(firstImport, badMaterial, wantsExpiry(-day)), stalls("InvalidKeyMaterial")},
		"bad material, failed attempt":     {"no try without material", all(firstImport, badMaterial, attempt(1, throttled)), stalls("InvalidKeyMaterial")},
		"changed material, failed attempt": {"no try with other bytes", all(rewritten, otherMaterial, attempt(1, throttled)), stalls("MaterialChanged")},
		"changed material, takeover":       {"only the same material takes over", all(ownerless, otherMaterial), stalls("MaterialUnverifiable")},
		"changed material, superseded":     {"the Secret is nearer", all(rewritten, otherMaterial, superseded), stalls("MaterialChanged")},
		"changed material, expired":        {"an expiry does not excuse other bytes", all(expires(-day), empty, rewritten, otherMaterial), stalls("MaterialChanged")},
		"changed material, missing":        {"equal before missing", all(lost, rewritten, otherMaterial), stalls("MaterialChanged")},
		"failed attempt, outcome unknown":  {"not twice in a pass", all(intent, attempt(1, throttled)), retries("Throttled")},
		"failed attempt, missing":          {"not twice in a pass", all(lost, attempt(1, throttled)), retries("Throttled")},
		"failed attempt, expiry":           {"not twice in a pass", all(wantsExpiry(30*day), attempt(1, throttled)), retries("Throttled")},
		"takeover, superseded":             {"claimed, so that the stall has an owner", all(ownerless, sameMaterial, superseded), does(plan.ClaimRecord{})},
		"takeover, outcome unknown":        {"an import needs an owner", all(ownerless, firstIntent, empty, sameMaterial), does(plan.ClaimRecord{})},
		"takeover, missing":                {"an import needs an owner", all(ownerless, empty, sameMaterial), does(plan.ClaimRecord{})},
		"Secret version, superseded":       {"compared first", all(rewritten, superseded), does(plan.InspectMaterial{})},
		"Secret version, outcome unknown":  {"compared first", all(rewritten, intent), does(plan.InspectMaterial{})},
		"Secret version, missing":          {"compared first", all(rewritten, lost), does(plan.InspectMaterial{})},
		"Secret version, expiry":           {"compared first", all(rewritten, wantsExpiry(30*day)), does(plan.InspectMaterial{})},
		"adoption, expiry":                 {"what changes nothing needs no date", all(nothingImported, wantsExpiry(-day)), does(adoption())},
		"unverifiable, expiry":             {"no date makes it ours", all(onQKMS, nothingImported, wantsExpiry(-day)), stalls("MaterialUnverifiable")},
		"superseded, outcome unknown":      {"no import into a key that has moved on", all(superseded, intent), stalls("MaterialSuperseded")},
		"superseded, missing":              {"no import into a key that has moved on", all(superseded, lost), stalls("MaterialSuperseded")},
		"superseded, expiry":               {"no import into a key that has moved on", all(superseded, wantsExpiry(30*day)), stalls("MaterialSuperseded")},
		"superseded, failed attempt":       {"no second try into a key that has moved on", all(superseded, wantsExpiry(30*day), attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "TokenRefused"})), stalls("MaterialSuperseded")},
		"outcome unknown, missing":         {"nothing to wait for", all(empty, intent, contradictedFor(0)), does(reimportAction())},
		"outcome unknown, propagation":     {"nothing to believe", all(intent, age(0), unconfirmed), does(reimportAction())},
		"missing, expiry":                  {"one import does both", all(lost, wantsExpiry(30*day)), does(reimportUntil(30 * day))},
		"propagating, new expiry":          {"an empty key is waited for before its expiry is moved", all(empty, age(0), unconfirmed, wantsExpiry(30*day)), progresses(0)},
	}.run(t)
}
