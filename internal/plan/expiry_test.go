package plan_test

import (
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func TestExpiryOfAFirstImport(t *testing.T) {
	wants := func(ahead time.Duration) change { return all(firstImport, wantsExpiry(ahead)) }
	cases{
		"a year ago":   {"past", wants(-365 * day), stalls("InvalidExpiration").saying("in the past")},
		"now":          {"past", wants(0), stalls("InvalidExpiration").saying("in the past")},
		"1 s":          {"too near", wants(time.Second), stalls("InvalidExpiration").saying("less than 5 minutes")},
		"4 min 59 s":   {"too near", wants(4*time.Minute + 59*time.Second), stalls("InvalidExpiration").saying("less than 5 minutes")},
		"5 min":        {"the nearest", wants(5 * time.Minute), does(importUntil(5 * time.Minute))},
		"30 days":      {"usual", wants(30 * day), does(importUntil(30 * day))},
		"365 days":     {"the farthest", wants(365 * day), does(importUntil(365 * day))},
		"365 days 1 s": {"KMS refuses it", wants(365*day + time.Second), stalls("InvalidExpiration").saying("more than 365 days")},
	}.run(t)
}

func TestExpiryFollowsTheSpec(t *testing.T) {
	permanent := func(f *facts) { f.desired.Expiry = kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"} }
	cases{
		"as imported":          {"nothing to do", expires(30 * day), settles()},
		"later":                {"moved", all(expires(30*day), wantsExpiry(60*day)), does(reimportUntil(60 * day))},
		"earlier":              {"moved", all(expires(30*day), wantsExpiry(20*day)), does(reimportUntil(20 * day))},
		"a second later":       {"whole seconds count", all(expires(30*day), wantsExpiry(30*day+time.Second)), does(reimportUntil(30*day + time.Second))},
		"half a second later":  {"fractions do not", all(expires(30*day), wantsExpiry(30*day+time.Second/2)), settles()},
		"now permanent":        {"moved", all(expires(30*day), permanent), does(reimportAction())},
		"now expiring":         {"moved", wantsExpiry(30 * day), does(reimportUntil(30 * day))},
		"past":                 {"the key keeps what it has", all(expires(30*day), wantsExpiry(-day)), stalls("InvalidExpiration").saying("in the past")},
		"too near":             {"the key keeps what it has", all(expires(30*day), wantsExpiry(time.Minute)), stalls("InvalidExpiration")},
		"too far":              {"the key keeps what it has", all(expires(30*day), wantsExpiry(366*day)), stalls("InvalidExpiration")},
		"as imported, 1 s off": {"what is imported already is not judged again", expires(time.Second), settles("Expiring ExpiresSoon")},
		"disabled":             {"an import might enable the key", all(expires(30*day), wantsExpiry(60*day), held, state("Disabled")), waits("KeyDisabled")},
	}.run(t)
}

func TestExpiryHasPassed(t *testing.T) {
	cases{
		"key is empty":               {"as it was wanted: a person must act", all(expires(-time.Second), empty), stalls("MaterialExpired")},
		"at the very second":         {"it is over", all(expires(0), empty), stalls("MaterialExpired")},
		"KMS has not noticed":        {"it is over whatever KMS says", expires(-time.Second), stalls("MaterialExpired")},
		"Secret is gone too":         {"the date is what is wrong", all(expires(-time.Second), empty, secret("Absent")), stalls("MaterialExpired")},
		"another date in the past":   {"never imported, so it is invalid rather than expired", all(expires(-day), empty, wantsExpiry(-time.Second)), stalls("InvalidExpiration")},
		"later date in the spec":     {"healed at once, no second look", all(expires(-time.Second), empty, wantsExpiry(30*day), contradictedFor(0)), does(reimportUntil(30 * day))},
		"later date, key still full": {"healed at once", all(expires(-time.Second), wantsExpiry(30*day)), does(reimportUntil(30 * day))},
		"no expiry in the spec":      {"healed at once", all(expires(-time.Second), empty, func(f *facts) { f.desired.Expiry = settledFacts().desired.Expiry }), does(reimportAction())},
		"disabled":                   {"somebody disabled the key", all(expires(-time.Second), held, state("Disabled")), waits("KeyDisabled")},
		"of another material": {
			"KMS reports that the key has expired, and still calls it enabled",
			all(wantsExpiry(60*day), recordedExpiry(60*day), reportedExpiry(-time.Second), age(time.Hour), unconfirmed, marked), progresses(time.Minute),
		},
	}.run(t)
}

func TestExpiryWarnings(t *testing.T) {
	expiring := func(part string) want { return settles("Expiring ExpiresSoon").warning(part) }
	cases{
		"14 days 1 s": {"not yet", expires(14*day + time.Second), settles()},
		"14 days":     {"the first", expires(14 * day), expiring("within 14 days")},
		"2 days 1 s":  {"unchanged in between", expires(2*day + time.Second), expiring("within 14 days")},
		"2 days":      {"the second", expires(2 * day), expiring("within 2 days")},
		"1 day 1 s":   {"unchanged in between", expires(day + time.Second), expiring("within 2 days")},
		"1 day":       {"the last", expires(day), expiring("within 1 day and")},
		"1 s":         {"unchanged until the end", expires(time.Second), expiring("within 1 day and")},
		"now":         {"which is no longer a warning", expires(0), stalls("MaterialExpired").with()},
		"a day ago":   {"which is no longer a warning", expires(-day), stalls("MaterialExpired").with()},
		"passed since the last look": {
			"no look is needed to know", all(expires(-time.Second), lookError("Throttled")), retries("Throttled").with(),
		},
		"never": {"nothing to warn of", unchanged, settles()},
		"and no Secret": {
			"every warning that applies", all(expires(day), secret("Absent")), settles("SourceMissing SecretNotFound", "Expiring ExpiresSoon"),
		},
	}.run(t)
}

// Warnings are about an object's own, imported key, and do not depend on how a pass ends.
func TestWarningsOfEveryOutcome(t *testing.T) {
	worried := all(expires(day), secret("Absent"))
	both := []string{"SourceMissing SecretNotFound", "Expiring ExpiresSoon"}
	other := lastCondition("OtherMaterialExpires", "EarlierExpiry")
	unconverged := all(unconfirmed, marked, reportedExpiry(30*day))
	cases{
		"settled":                   {"nothing is to be done by the operator", worried, settles(both...)},
		"progressing":               {"while it looks again", all(expires(day), secret("Absent"), reportedExpiry(2*day)), progresses(5 * time.Second).with(both...)},
		"waiting":                   {"while the key is busy", all(worried, state("Updating")), waits("KeyUpdating").with(both...)},
		"waiting for the Secret":    {"while it is needed", all(worried, wantsExpiry(30*day)), waits("SecretNotFound").with(both...)},
		"retry, failed look":        {"as was last known", all(worried, lookError("Throttled")), retries("Throttled").with(both...)},
		"retry, failed import":      {"as the look said", all(expires(day), wantsExpiry(30*day), attempt(1, &kms.Error{Class: "Throttled"})), retries("Throttled").with("Expiring ExpiresSoon")},
		"stalled":                   {"a stalled key expires as well", all(worried, func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "material-2" }), stalls("MaterialSuperseded").with(both...)},
		"suspended":                 {"as was last known", all(worried, suspended, noLook), isSuspended().with("Suspended Suspended", "SourceMissing SecretNotFound", "Expiring ExpiresSoon")},
		"suspended, nothing wrong":  {"only that", all(suspended, noLook), isSuspended().with("Suspended Suspended")},
		"deleting":                  {"the status stays as it is", all(worried, deleting), isLeftUntouched()},
		"first sight":               {"the status stays as it is", all(expires(day), noLook, restarted), isLeftUntouched()},
		"foreign":                   {"another object's key", all(worried, foreign), stalls("KeyConflict").with()},
		"foreign, disabled":         {"another object's key", all(worried, foreign, state("Disabled")), waits("KeyDisabled").with()},
		"ownerless":                 {"not taken over yet: the Secret is what is waited for", all(worried, ownerless), waits("SecretNotFound").with()},
		"first import":              {"the Secret is what is waited for", all(firstImport, secret("Absent")), waits("SecretNotFound").with()},
		"claim only":                {"nothing was imported", all(nothingImported, secret("Absent")), waits("SecretNotFound").with()},
		"key gone":                  {"what is gone does not expire", all(expires(day), lookError("NotFound")), waits("KeyNotFound").with()},
		"key empty":                 {"what is gone does not expire", all(expires(day), empty, held), stalls("HeldAfterDisable").with()},
		"failing for long":          {"nothing is known any more", all(expires(day), lookError("Throttled"), func(f *facts) { f.observed.Memory.LastLook = now.Add(-time.Hour) }), retries("Throttled").with()},
		"other material":            {"KMS shows its expiry", unconverged, settles("OtherMaterialExpires EarlierExpiry")},
		"other material, foreign":   {"another object's key", all(unconverged, foreign), stalls("KeyConflict").with()},
		"other material, throttled": {"until a look says otherwise", all(other, lookError("Throttled")), retries("Throttled").with("OtherMaterialExpires EarlierExpiry")},
		"other material, key gone":  {"what is gone does not expire", all(other, lookError("NotFound")), waits("KeyNotFound").with()},
		"other material, suspended": {"until a look says otherwise", all(other, suspended, noLook), isSuspended().with("Suspended Suspended", "OtherMaterialExpires EarlierExpiry")},
		"other material, stalled":   {"whatever else there is", all(unconverged, rewritten, otherMaterial), stalls("MaterialChanged").with("OtherMaterialExpires EarlierExpiry")},
		"other material, agrees":    {"a look says otherwise", other, settles()},
		"other material, missing":   {"the stall says so", all(other, empty, unconfirmed, marked), stalls("OtherMaterialMissing").with()},
		"other material, none said": {"a failed look finds nothing out", all(unconfirmed, lookError("Throttled")), retries("Throttled").with()},
	}.run(t)
}

// After a failed look, what kind of key it is comes from the last status.
func TestOtherMaterialAfterAFailedLook(t *testing.T) {
	lastSpec := func(spec string) change { return func(f *facts) { f.observed.Status.Key.Spec = spec } }
	warned := all(lastCondition("OtherMaterialExpires", "EarlierExpiry"), lookError("Throttled"))
	cases{
		"symmetric": {"it may have been rotated", all(warned, lastSpec("SYMMETRIC_DEFAULT")), retries("Throttled").warning("most likely another material")},
		"HMAC":      {"it cannot have been", all(warned, lastSpec("HMAC_256")), retries("Throttled").warning("it writes it in its own way")},
		"unknown":   {"nothing is known", all(warned, func(f *facts) { f.observed.Status.Key = nil }), retries("Throttled").warning("it writes it in its own way")},
	}.run(t)
}
