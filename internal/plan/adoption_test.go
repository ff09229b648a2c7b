package plan_test

import (
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// adoption is the import that proves what a key holds, and leaves it as it is.
func adoption() plan.ImportMaterial {
	action := firstImportAction()
	action.RejectWeak, action.ReimportOf = false, "material-1"
	return action
}

// adoptionUntil is the same for material that expires.
func adoptionUntil(ahead time.Duration) plan.ImportMaterial {
	action := adoption()
	action.Expiry = until(now.Add(ahead))
	return action
}

// provingAnew is the same for a record whose fingerprint cannot be compared any more.
func provingAnew() plan.ImportMaterial {
	action := adoption()
	action.Operation = "Reimport"
	return action
}

// importAnew is a first import whose answer was lost together with the fingerprint key.
func importAnew() plan.ImportMaterial {
	action := firstImportAction()
	action.RejectWeak = false
	return action
}

// fullFromElsewhere is a key that nobody has claimed, and that holds material.
func fullFromElsewhere(f *facts) {
	look := f.observed.Look
	firstImport(f)
	f.observed.Look = look
	f.observed.Look.Key.State, f.observed.Look.Key.CurrentKeyMaterialID = "Enabled", "material-1"
	f.observed.Look.Key.Expiry = kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}
}

// A key holds material that the record does not know of. Where KMS takes the same bytes again and no others, that proves
// what it is, and changes nothing: the expiry that was asked for is another import.
func TestAdoption(t *testing.T) {
	elsewhere := all(fullFromElsewhere, reportedExpiry(30*day))
	unverifiable := stalls("MaterialUnverifiable").saying("delete the key's material in KMS if you are certain that the Secret holds the same bytes")
	refused := attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "MaterialRefused"})
	cases{
		"permanent":               {"as it is", fullFromElsewhere, does(adoption())},
		"expires":                 {"as it is", elsewhere, does(adoptionUntil(30 * day))},
		"another date asked for":  {"as it is, first", all(elsewhere, wantsExpiry(60*day)), does(adoptionUntil(30 * day))},
		"a duration asked for":    {"as it is, first", all(elsewhere, wantsValidFor(6*time.Hour)), does(adoptionUntil(30 * day))},
		"claimed":                 {"a claim vouches for nothing", nothingImported, does(adoption())},
		"ownerless claim":         {"claimed first", all(ownerless, nothingImported), does(plan.ClaimRecord{})},
		"weak material":           {"the key has it already", all(fullFromElsewhere, sameMaterial), does(adoption())},
		"bad material":            {"no key has that", all(fullFromElsewhere, badMaterial), stalls("InvalidKeyMaterial")},
		"HMAC":                    {"such keys have no ID", all(fullFromElsewhere, hmacKey, currentID("")), does(func() plan.Action { a := adoption(); a.ReimportOf = ""; return a }())},
		"other bytes":             {"KMS says so", all(fullFromElsewhere, refused), stalls("MaterialMismatch")},
		"answer lost":             {"done again", all(firstIntent, stateBefore("Enabled")), does(func() plan.Action { a := adoption(); a.Expect = "fingerprint-1"; return a }())},
		"adopted, date asked for": {"now the spec counts", all(adopted, wantsExpiry(60*day)), does(reimportUntil(60 * day))},
		"adopted, empty":          {"healed like any other", all(adopted, empty, contradictedFor(day)), does(reimportAction())},
		"no Secret":               {"nothing to prove it with", all(fullFromElsewhere, secret("Absent")), waits("SecretNotFound")},
		"disabled":                {"an import might enable it", all(fullFromElsewhere, state("Disabled")), waits("KeyDisabled")},
		"pending deletion":        {"nobody wants it", all(fullFromElsewhere, state("PendingDeletion")), stalls("KeyPendingDeletion")},
		"foreign":                 {"another's key", all(nothingImported, foreign), stalls("KeyConflict")},
		"suspended":               {"nothing is done", all(fullFromElsewhere, suspended), isSuspended()},
		"turn to wait for":        {"like any other import", all(fullFromElsewhere, func(f *facts) { f.observed.TurnIn = time.Second }), progresses(time.Second)},
		"expires in a minute":     {"still in time", all(elsewhere, reportedExpiry(time.Minute)), does(adoptionUntil(time.Minute))},
		"expires sooner":          {"it would be refused; then it is an empty key", all(elsewhere, reportedExpiry(59*time.Second)), progresses(time.Minute).saying("about to expire")},
		"expired, KMS is late":    {"then it is an empty key", all(elsewhere, reportedExpiry(-time.Hour)), progresses(time.Minute)},
		"date past":               {"what changes nothing needs no date", all(fullFromElsewhere, wantsExpiry(-day)), does(adoption())},
		"expiry not reported":     {"it cannot be left as it is", all(fullFromElsewhere, unreportedExpiry), unverifiable},
		"QKMS":                    {"there it proves nothing", all(fullFromElsewhere, onQKMS), unverifiable},
		"QKMS, says the risk":     {"a person must know", all(fullFromElsewhere, onQKMS), stalls("MaterialUnverifiable").saying("everything that was encrypted under the key is lost for good")},
		"QKMS, claimed":           {"a claim vouches for nothing", all(onQKMS, nothingImported), unverifiable},
		"QKMS, same bytes read":   {"equal bytes cannot be seen from here", all(onQKMS, nothingImported, sameMaterial), unverifiable},
	}.run(t)
}

// The fingerprint key is lost: what the record vouches for is unknown, and proven anew where KMS compares the bytes.
func TestLostFingerprintKey(t *testing.T) {
	lost := all(rewritten, incomparableMaterial)
	unverifiable := stalls("MaterialUnverifiable").saying("fingerprint key")
	healed := reimportAction()
	healed.Expect = ""
	proven := provingAnew()
	proven.Expiry = until(now.Add(30 * day))
	refused := &kms.Error{Operation: "ImportKeyMaterial", Class: "MaterialRefused"}
	refusedSo := func(f *facts) {
		f.observed.Memory.Refusal = plan.Refusal{Import: healed, Secret: materialImport("Import").Secret, Err: refused}
	}
	tokenRefused := &kms.Error{Operation: "ImportKeyMaterial", Class: "TokenRefused"}
	cases{
		"mine":                   {"proven by the same bytes", lost, does(provingAnew())},
		"mine, expires":          {"as it is", all(lost, expires(30*day)), does(proven)},
		"mine, another date":     {"as it is, first", all(lost, expires(30*day), wantsExpiry(60*day)), does(proven)},
		"mine, date passes":      {"a date that is near is no reason to stall over a key that works", all(lost, expires(2*time.Minute)), does(func() plan.Action { a := proven; a.Expiry = until(now.Add(2 * time.Minute)); return a }())},
		"mine, about to expire":  {"it would be refused", all(lost, expires(59*time.Second)), progresses(time.Minute)},
		"mine, other bytes":      {"KMS says so", all(lost, attempt(1, refused)), stalls("MaterialMismatch")},
		"mine, token refused":    {"once more", all(lost, attempt(1, tokenRefused)), does(provingAnew())},
		"mine, disabled":         {"an import might enable it", all(lost, held, state("Disabled")), waits("KeyDisabled")},
		"mine, empty, once":      {"look again", all(lost, empty), progresses(5 * time.Second)},
		"mine, empty":            {"healed by what KMS takes", all(lost, empty, contradictedFor(day)), does(healed)},
		"mine, empty, Hold":      {"somebody deleted it", all(lost, empty, contradictedFor(day), hold), does(plan.HoldKey{})},
		"mine, withdrawn":        {"by this operator", all(lost, empty, withdrawnWithObject(day)), does(healed)},
		"mine, unanswered":       {"the first import, once more", all(firstIntent, empty, incomparableMaterial), does(importAnew())},
		"mine, not read":         {"as long as nothing needs the bytes, nobody asks", unchanged, settles()},
		"ownerless":              {"proven by the same bytes, which is the claim", all(ownerless, incomparableMaterial), does(provingAnew())},
		"ownerless, Hold, full":  {"nobody has deleted anything", all(ownerless, incomparableMaterial, hold), does(provingAnew())},
		"ownerless, empty":       {"by what KMS takes", all(ownerless, empty, incomparableMaterial), does(healed)},
		"ownerless, empty, Hold": {"somebody deleted it", all(ownerless, empty, incomparableMaterial, hold), stalls("MaterialDeleted")},
		"ownerless, Hold, asked": {"a person has decided", all(ownerless, empty, incomparableMaterial, hold, reimportRequested), does(healed)},
		"ownerless, Hold, bytes": {"what KMS has refused stays refused", all(ownerless, empty, incomparableMaterial, hold, refusedSo), stalls("MaterialMismatch")},
		"ownerless, expired":     {"its time had come", all(ownerless, expires(-day), wantsExpiry(60*day), empty, incomparableMaterial, hold), does(func() plan.Action { a := healed; a.Expiry = until(now.Add(60 * day)); return a }())},
		"foreign":                {"another's", all(foreign, incomparableMaterial), stalls("KeyConflict")},
		"QKMS, mine":             {"there it proves nothing", all(lost, onQKMS), unverifiable},
		"QKMS, mine, empty":      {"it takes any bytes", all(lost, onQKMS, empty, contradictedFor(day)), unverifiable},
		"QKMS, ownerless":        {"there it proves nothing", all(ownerless, onQKMS, incomparableMaterial), unverifiable},
		"expiry not reported":    {"it cannot be left as it is", all(lost, unreportedExpiry), unverifiable},
		"adopted":                {"adopted for ever", all(lost, adopted), does(provingAnew())},
	}.run(t)
}
