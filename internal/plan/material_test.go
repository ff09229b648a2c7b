package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

func TestSecretBeforeTheFirstImport(t *testing.T) {
	cases{
		"absent":         {"somebody may still create it", all(firstImport, secret("Absent")), waits("SecretNotFound").saying(`"payments-material"`).within(10 * time.Second)},
		"not consenting": {"without consent it is not read", all(firstImport, secret("NotConsenting")), waits("SecretNotConsenting").saying("kms.keyimport.dev/key-material=true")},
		"without the key": {
			"found out when it was read", all(firstImport, secret("KeyMissing")), waits("SecretKeyMissing").saying(`"payments-material" has no key "material"`),
		},
		"not looked up":           {"what is not known to be there is absent", all(firstImport, secret("")), waits("SecretNotFound")},
		"present":                 {"it is imported", firstImport, does(firstImportAction())},
		"absent, only claimed":    {"before anything else is asked for", all(nothingImported, empty, wantsExpiry(-day), secret("Absent")), waits("SecretNotFound")},
		"absent, ownerless":       {"a takeover needs the bytes", all(ownerless, secret("Absent")), waits("SecretNotFound")},
		"consent gone, ownerless": {"a takeover needs the bytes", all(ownerless, secret("NotConsenting")), waits("SecretNotConsenting")},
		"absent, outcome unknown": {"to do it again takes the bytes", all(firstIntent, secret("Absent")), waits("SecretNotFound")},
	}.run(t)
}

func TestSecretAfterTheImport(t *testing.T) {
	lost := all(empty, contradictedFor(day))
	cases{
		"absent":                      {"the key works on", secret("Absent"), settles("SourceMissing SecretNotFound").warning(`without its Secret the key can be neither healed nor renewed: Secret "payments-material" does not exist`)},
		"not consenting":              {"the key works on", all(secret("NotConsenting"), rewritten), settles("SourceMissing SecretNotConsenting")},
		"without the key":             {"the key works on", all(secret("KeyMissing"), rewritten), settles("SourceMissing SecretKeyMissing")},
		"absent, key empty":           {"now it is needed", all(lost, secret("Absent")), waits("SecretNotFound")},
		"not consenting, key empty":   {"now it is needed", all(lost, secret("NotConsenting")), waits("SecretNotConsenting")},
		"absent, expiry to be moved":  {"now it is needed", all(wantsExpiry(30*day), secret("Absent")), waits("SecretNotFound")},
		"absent, outcome is unknown":  {"now it is needed", all(intent, secret("Absent")), waits("SecretNotFound")},
		"key missing, expiry to move": {"now it is needed", all(wantsExpiry(30*day), secret("KeyMissing")), waits("SecretKeyMissing")},
	}.run(t)
}

func TestMaterialBeforeTheFirstImport(t *testing.T) {
	cases{
		"not fit": {
			"the sentence comes from whoever read it", all(firstImport, badMaterial), stalls("InvalidKeyMaterial").saying("too short"),
		},
		"not fit, claimed": {
			"a claim without an import vouches for nothing", all(empty, nothingImported, badMaterial), stalls("InvalidKeyMaterial"),
		},
		"fit": {"nothing to compare it with", all(firstImport, otherMaterial), does(firstImportAction())},
		"weak material allowed": {
			"people's own tests", all(firstImport, func(f *facts) { f.desired.Material.WeakMaterialPolicy = "Allow" }),
			does(func() plan.Action { a := firstImportAction(); a.RejectWeak = false; return a }()),
		},
		"no policy": {
			"the default is to reject", all(firstImport, func(f *facts) { f.desired.Material.WeakMaterialPolicy = "" }), does(firstImportAction()),
		},
	}.run(t)
}

func TestMaterialDiffersFromTheRecord(t *testing.T) {
	lost := all(empty, contradictedFor(day))
	cases{
		"other bytes":                {"nothing is imported over the old ones", all(rewritten, otherMaterial), stalls("MaterialChanged").saying(`"payments-material"`)},
		"no material any more":       {"after an import, a bad value is a change like any other", all(rewritten, badMaterial), stalls("MaterialChanged")},
		"other bytes, key empty":     {"an empty key has no say in it", all(rewritten, otherMaterial, lost), stalls("MaterialChanged")},
		"other bytes, expiry":        {"nor has a new expiry", all(rewritten, otherMaterial, wantsExpiry(30*day)), stalls("MaterialChanged")},
		"other bytes, unknown":       {"the first import may have succeeded: the intent counts", all(firstIntent, empty, otherMaterial), stalls("MaterialChanged")},
		"bad bytes, unknown":         {"likewise", all(firstIntent, empty, badMaterial), stalls("MaterialChanged")},
		"fingerprint key is lost":    {"unknown is not changed: proven anew", all(rewritten, incomparableMaterial), does(provingAnew())},
		"fingerprint key, bad bytes": {"what no key takes was not imported, under whatever key", all(rewritten, material(plan.Material{Problem: "too short"})), stalls("MaterialChanged")},
		"fingerprint key, intent":    {"unknown is not changed: imported for the first time, once more", all(firstIntent, empty, incomparableMaterial), does(importAnew())},
		"fingerprint key, takeover":  {"unknown is not other: proven anew, by the new owner", all(ownerless, incomparableMaterial), does(provingAnew())},
	}.run(t)
}

func TestSecretVersionChanged(t *testing.T) {
	inspects := does(plan.InspectMaterial{})
	cases{
		"rewritten":              {"read once, to compare", rewritten, inspects},
		"made again":             {"the same name, another Secret", func(f *facts) { f.observed.Secret.UID = "secret-2" }, inspects},
		"other Secret in spec":   {"the spec names another", func(f *facts) { f.desired.Material.SecretRef.Name = "other" }, inspects},
		"other key in spec":      {"another value", func(f *facts) { f.desired.Material.SecretRef.Key = "other" }, inspects},
		"other encoding in spec": {"the same value means other bytes", func(f *facts) { f.desired.Material.Encoding = "Base64" }, inspects},
		"same bytes":             {"written down, so that it is read no more", all(rewritten, sameMaterial), does(plan.AcceptSecretVersion{})},
		"the recorded version":   {"nothing is read", unchanged, settles()},
		"weak policy changed":    {"it is about first imports", func(f *facts) { f.desired.Material.WeakMaterialPolicy = "Allow" }, settles()},
		"rewritten, key empty":   {"compared first", all(rewritten, empty, contradictedFor(day)), inspects},
	}.run(t)
}

func TestTakeOver(t *testing.T) {
	cases{
		"not compared yet":       {"only the same material takes over", ownerless, does(plan.InspectMaterial{})},
		"same bytes":             {"the new owner", all(ownerless, sameMaterial), does(plan.ClaimRecord{})},
		"other bytes":            {"never", all(ownerless, otherMaterial), stalls("MaterialUnverifiable").saying("an earlier KMSKeyImport")},
		"bad bytes":              {"never", all(ownerless, badMaterial), stalls("MaterialUnverifiable")},
		"other bytes, key empty": {"never, the key was the earlier owner's", all(ownerless, empty, otherMaterial), stalls("MaterialUnverifiable")},
		"intent, not compared":   {"an unknown outcome may be a success", all(ownerless, firstIntent, empty), does(plan.InspectMaterial{})},
		"intent, other bytes":    {"never", all(ownerless, firstIntent, empty, otherMaterial), stalls("MaterialUnverifiable")},
		"nothing imported":       {"nothing to compare with", all(ownerless, nothingImported, empty), does(plan.ClaimRecord{})},
		"owner's disabled key":   {"waits like any other", all(ownerless, state("Disabled")), waits("KeyDisabled")},
	}.run(t)
}

func TestMaterialThatWasReplaced(t *testing.T) {
	cases{
		"bytes replaced": {"rotated elsewhere", func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "material-2" }, stalls("MaterialSuperseded")},
		"bytes replaced and gone": {
			"still not ours to heal",
			all(empty, contradictedFor(day), func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "material-2" }), stalls("MaterialSuperseded"),
		},
		"no ID at KMS":     {"HMAC keys have none", func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "" }, settles()},
		"no ID on record":  {"imported when KMS gave none", func(f *facts) { f.observed.Record.Imported.KeyMaterialID = "" }, settles()},
		"ID of a lost key": {"KMS keeps the ID of deleted material", all(empty, contradictedFor(day)), does(reimportAction())},
	}.run(t)
}

func TestOutcomeUnknown(t *testing.T) {
	again := firstImportAction()
	again.Expect, again.RejectWeak = "fingerprint-1", false
	cases{
		"first import, key empty":   {"done again, which is the proof", all(firstIntent, empty), does(again)},
		"first import, key full":    {"it may have been ours: done again, which is the proof", firstIntent, does(again)},
		"re-import, key full":       {"the expiry may or may not have moved", intent, does(reimportAction())},
		"re-import, key empty":      {"at once", all(intent, empty), does(reimportAction())},
		"re-import, key disabled":   {"an import might enable the key", all(intent, held, state("Disabled")), waits("KeyDisabled")},
		"Secret rewritten":          {"compared first", all(intent, rewritten), does(plan.InspectMaterial{})},
		"policy changed to Reject":  {"the fingerprint says that these bytes were let pass before", firstIntent, does(again)},
		"another owner's intent":    {"is not this object's business", all(firstIntent, foreign), stalls("KeyConflict")},
		"expiry has become invalid": {"no import that KMS would refuse", all(intent, wantsExpiry(-time.Second)), stalls("InvalidExpiration")},
	}.run(t)
}

func TestWaitsForItsTurn(t *testing.T) {
	turn := func(f *facts) { f.observed.TurnIn = 1700 * time.Millisecond }
	cases{
		"first import": {"the limiter says for how long", all(firstImport, turn), progresses(1700 * time.Millisecond)},
		"re-import":    {"the limiter says for how long", all(wantsExpiry(30*day), turn), progresses(1700 * time.Millisecond)},
		"settled":      {"whoever needs no parameters needs no turn", turn, settles()},
		"no Secret":    {"what is missing is said first", all(firstImport, turn, secret("Absent")), waits("SecretNotFound")},
		"bad expiry":   {"what is wrong is said first", all(firstImport, turn, wantsExpiry(-day)), stalls("InvalidExpiration")},
	}.run(t)
}

func TestRecordedFingerprint(t *testing.T) {
	cases := map[string]struct {
		reason string
		change change
		want   string
	}{
		"no record":       {"nothing is known", firstImport, ""},
		"a claim":         {"nothing is known", nothingImported, ""},
		"imported":        {"what is in the key", unchanged, "fingerprint-1"},
		"intent":          {"what may be in the key", firstIntent, "fingerprint-1"},
		"intent, another": {"what was imported comes first", all(intent, func(f *facts) { f.observed.Record.Intent.Fingerprint = "fingerprint-2" }), "fingerprint-1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := plan.RecordedFingerprint(changed(tc.change).observed.Record); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

// What people read is one line, and a fixed one: a message that changes on every try would be written on every try.
func TestMessagesAreStable(t *testing.T) {
	for name, apply := range map[string]change{
		"retry": lookError("Throttled"), "stall": otherKey, "wait": all(firstImport, secret("Absent")),
		"progress": all(empty, age(time.Minute), unconfirmed), "settled": all(expires(13*day), secret("Absent")),
	} {
		t.Run(name, func(t *testing.T) {
			early, late := changed(apply), changed(apply)
			late.observed.Now = now.Add(time.Second)
			first, second := early.next(), late.next()
			if first.Message != second.Message || strings.Contains(first.Message, "\n") {
				t.Errorf("got %q and then %q", first.Message, second.Message)
			}
			for i := range first.Warnings {
				if first.Warnings[i] != second.Warnings[i] {
					t.Errorf("got %v and then %v", first.Warnings[i], second.Warnings[i])
				}
			}
		})
	}
}
