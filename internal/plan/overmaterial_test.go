package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// onQKMS is a KMS that takes no import into a key that holds material. The wrapping is given: its choice has tests of its
// own.
func onQKMS(f *facts) {
	f.observed.Dialect = "QKMS"
	f.desired.Wrapping = kms.Wrapping{Algorithm: "RSAES_OAEP_SHA_256", KeySpec: "RSA_2048"}
	f.observed.Look.Key.CurrentKeyMaterialID = ""
	if f.observed.Record != nil && f.observed.Record.Imported != nil {
		f.observed.Record.Imported.KeyMaterialID = ""
	}
}

// importedBefore puts two imports into the history: that on record and one so long before.
func importedBefore(apart time.Duration) change {
	return func(f *facts) {
		last := f.observed.Record.Imported.Time
		f.observed.Record.History = []v1alpha1.HistoryEntry{
			{Event: "Imported", Time: metav1.NewTime(last.Add(-apart))}, {Event: "SecretVersionChecked", Time: last}, {Event: "Imported", Time: last},
		}
	}
}

func underRSA2048(action plan.ImportMaterial) want {
	action.Wrapping.KeySpec, action.ReimportOf = "RSA_2048", ""
	return does(action)
}

// intendedExpiry is an intent that was to end so far ahead.
func intendedExpiry(ahead time.Duration) change {
	return func(f *facts) {
		validTo := metav1.NewTime(now.Add(ahead))
		f.observed.Record.Intent.ExpirationModel, f.observed.Record.Intent.ValidTo = "KEY_MATERIAL_EXPIRES", &validTo
	}
}

func unreportedExpiry(f *facts) { f.observed.Look.Key.Expiry = kms.Expiry{} }

func stateBefore(state string) change {
	return func(f *facts) { f.observed.Record.Intent.KeyState = state }
}

// The answer to an import was lost, and it cannot be made once more over what the key now holds.
func TestOutcomeUnknownOnQKMS(t *testing.T) {
	again := firstImportAction()
	again.Expect, again.RejectWeak = "fingerprint-1", false
	againUntil := again
	againUntil.Expiry = until(now.Add(30 * day))
	expiring := all(onQKMS, firstIntent, wantsExpiry(30*day), intendedExpiry(30*day))
	unverifiable := stalls("MaterialUnverifiable").saying("the answer to an import was lost")
	healing := all(onQKMS, expires(-day), intent, wantsExpiry(30*day), intendedExpiry(30*day), reportedExpiry(30*day))
	cases{
		"expiry as sent":          {"nobody else would have chosen it to the second", all(expiring, reportedExpiry(30*day)), does(plan.ConfirmImport{})},
		"fraction of a second":    {"whole seconds were sent", all(expiring, reportedExpiry(30*day+time.Second/2)), does(plan.ConfirmImport{})},
		"spec changed since":      {"what was sent counts, not what is wanted", all(expiring, reportedExpiry(30*day), wantsExpiry(60*day)), does(plan.ConfirmImport{})},
		"Secret gone since":       {"what the key shows takes no Secret", all(expiring, reportedExpiry(30*day), secret("Absent")), does(plan.ConfirmImport{})},
		"Secret gone, empty":      {"to do it again takes the bytes", all(expiring, empty, secret("Absent")), waits("SecretNotFound")},
		"a second later":          {"another import", all(expiring, reportedExpiry(30*day+time.Second)), unverifiable},
		"a second earlier":        {"another import", all(expiring, reportedExpiry(30*day-time.Second)), unverifiable},
		"permanent, as sent":      {"anybody's would be", all(onQKMS, firstIntent, func(f *facts) { f.observed.Look.Key.Expiry = kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"} }), unverifiable},
		"permanent, not as sent":  {"another import", all(expiring, func(f *facts) { f.observed.Look.Key.Expiry = kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"} }), unverifiable},
		"expiry, not as sent":     {"another import", all(onQKMS, firstIntent, reportedExpiry(30*day)), unverifiable},
		"no expiry reported":      {"nothing to go by", all(expiring, func(f *facts) { f.observed.Look.Key.Expiry = kms.Expiry{} }), unverifiable},
		"key was full before":     {"it may hold what it held", all(expiring, stateBefore("Enabled"), reportedExpiry(30*day)), unverifiable},
		"requested":               {"no request makes it known", all(onQKMS, firstIntent, requested), unverifiable},
		"empty":                   {"done again, into an empty key", all(expiring, empty), underRSA2048(againUntil)},
		"empty, permanent":        {"done again, into an empty key", all(onQKMS, firstIntent, empty), underRSA2048(again)},
		"healed, expiry as sent":  {"as at a first import", healing, does(plan.ConfirmImport{})},
		"healed, other expiry":    {"somebody else may have imported meanwhile", all(healing, reportedExpiry(20*day)), unverifiable},
		"Secret rewritten":        {"a first import has nothing to compare with but the intent, which is confirmed first", all(expiring, reportedExpiry(30*day), rewritten), does(plan.ConfirmImport{})},
		"ownerless, not compared": {"only the same material takes over", all(ownerless, expiring, reportedExpiry(30*day)), does(plan.InspectMaterial{})},
		"disabled":                {"a state comes first", all(expiring, reportedExpiry(30*day), held, state("Disabled")), waits("KeyDisabled")},
		"another owner's":         {"is not this object's business", all(expiring, reportedExpiry(30*day), foreign), stalls("KeyConflict")},
	}.run(t)
}

// The expiry of material that is there cannot be moved.
func TestExpiryOnQKMS(t *testing.T) {
	const warned = "RenewalNeedsInterruption NoImportOverMaterial"
	replaced := stalls("MaterialUnverifiable").saying("somebody has imported material since")
	lost := all(onQKMS, empty, contradictedFor(day))
	other := all(onQKMS, expires(30*day), reportedExpiry(20*day))
	cases{
		"as imported":                 {"nothing to do", all(onQKMS, expires(30*day)), settles()},
		"later":                       {"said, and left for an empty key", all(onQKMS, expires(30*day), wantsExpiry(60*day)), settles(warned).warning("delete the key's material in KMS")},
		"earlier":                     {"likewise", all(onQKMS, expires(30*day), wantsExpiry(20*day)), settles(warned)},
		"now permanent":               {"likewise", all(onQKMS, expires(30*day), func(f *facts) { f.desired.Expiry = kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"} }), settles(warned)},
		"has none, is to have one":    {"there is nothing to wait for", all(onQKMS, wantsExpiry(60*day)), settles(warned).warning("into an empty key: delete the key's material in KMS when an interruption does no harm")},
		"later, what to do":           {"the expiry empties it too", all(onQKMS, expires(30*day), wantsExpiry(60*day)), settles(warned).warning("or wait for its expiry")},
		"later, soon":                 {"both are true", all(onQKMS, expires(day), wantsExpiry(60*day)), settles(warned, "Expiring ExpiresSoon")},
		"later, and Hold":             {"a deletion would be held", all(onQKMS, expires(30*day), wantsExpiry(60*day), hold), settles(warned).warning("ask for the import, which onMaterialDeleted: Hold waits for, by a new kms.keyimport.dev/reimport-requested-at")},
		"requested":                   {"no request moves it", all(onQKMS, expires(30*day), wantsExpiry(60*day), requested), settles(warned)},
		"no Secret":                   {"none is needed yet", all(onQKMS, expires(30*day), wantsExpiry(60*day), secret("Absent")), settles("SourceMissing SecretNotFound", warned)},
		"past":                        {"what is wrong is said at once", all(onQKMS, expires(30*day), wantsExpiry(-day)), stalls("InvalidExpiration")},
		"too far":                     {"what is wrong is said at once", all(onQKMS, expires(30*day), wantsExpiry(366*day)), stalls("InvalidExpiration")},
		"key is empty":                {"now it can be set", all(lost, wantsExpiry(60*day)), underRSA2048(reimportUntil(60 * day)).with()},
		"expired, later in the spec":  {"healed at once", all(onQKMS, expires(-time.Second), empty, wantsExpiry(60*day)), underRSA2048(reimportUntil(60 * day))},
		"expired, as wanted":          {"a person must act", all(onQKMS, expires(-time.Second), empty), stalls("MaterialExpired")},
		"expired, KMS is late":        {"it is over whatever KMS says", all(onQKMS, expires(-time.Second)), stalls("MaterialExpired")},
		"expired, later, KMS is late": {"nothing can be imported yet", all(onQKMS, expires(-time.Second), wantsExpiry(60*day)), progresses(time.Minute)},
		"expired, later, not reported": {
			"what the record vouches for is over, whatever the key holds", all(onQKMS, expires(-time.Second), wantsExpiry(60*day), unreportedExpiry), progresses(time.Minute),
		},
		"expires soon, not reported":  {"the record knows", all(onQKMS, expires(day), unreportedExpiry), settles("Expiring ExpiresSoon")},
		"other, propagating":          {"our own answer is believed", all(other, age(time.Minute), unconfirmed), progresses(time.Minute)},
		"other, propagating, asked":   {"a request makes KMS no faster, and cannot be served", all(other, age(time.Minute), unconfirmed, requested), progresses(time.Minute)},
		"other, once":                 {"seen once", other, progresses(5 * time.Second)},
		"other, once, asked":          {"a request does not make the first look count", all(other, requested), progresses(5 * time.Second)},
		"other, twice":                {"only another import can have changed it, of whatever", all(other, contradictedFor(time.Minute)), replaced},
		"other, never confirmed":      {"as KMS writes it, perhaps", all(other, unconfirmed, marked), settles("OtherMaterialExpires EarlierExpiry").warning("it writes it in its own way")},
		"other, never, asked":         {"a request changes nothing", all(other, unconfirmed, marked, requested), settles("OtherMaterialExpires EarlierExpiry")},
		"not reported":                {"what is left out contradicts nothing", all(onQKMS, expires(30*day), func(f *facts) { f.observed.Look.Key.Expiry = kms.Expiry{} }), settles()},
		"empty, never confirmed":      {"there is no other material to be missing", all(onQKMS, empty, unconfirmed, marked), underRSA2048(reimportAction())},
		"empty, imported twice":       {"a third time would be no different", all(onQKMS, empty, unconfirmed, marked, importedBefore(6*time.Minute)), stalls("ImportIneffective")},
		"empty, twice, asked":         {"a person wants to see for themselves", all(onQKMS, empty, unconfirmed, marked, importedBefore(6*time.Minute), reimportRequested), underRSA2048(reimportAction())},
		"empty, twice, restarted":     {"a restart is no reason either", all(onQKMS, empty, restarted, contradictedFor(day), importedBefore(6*time.Minute), marked), stalls("ImportIneffective")},
		"empty, imported long before": {"that was another story", all(onQKMS, empty, unconfirmed, marked, importedBefore(11*time.Minute)), underRSA2048(reimportAction())},
		"empty, propagating":          {"our own answer is believed", all(onQKMS, empty, age(time.Minute), unconfirmed), progresses(time.Minute)},
		"empty, propagating, asked":   {"a request ends the wait where an import is possible", all(onQKMS, empty, age(time.Minute), unconfirmed, requested), underRSA2048(reimportAction())},
		"now as wanted, twice":        {"an expiry that is wanted proves nothing either", all(onQKMS, expires(30*day), wantsExpiry(60*day), reportedExpiry(60*day), contradictedFor(time.Minute)), replaced},
		"deleted":                     {"healed as anywhere", lost, underRSA2048(reimportAction())},
		"material from elsewhere":     {"as anywhere", all(onQKMS, nothingImported), stalls("MaterialUnverifiable").saying("already holds material")},
		"first import":                {"as anywhere", all(firstImport, onQKMS), underRSA2048(firstImportAction())},
		"said, look throttled":        {"until a look says otherwise", all(onQKMS, expires(30*day), wantsExpiry(60*day), lastCondition("RenewalNeedsInterruption", "NoImportOverMaterial"), lookError("Throttled")), retries("Throttled").with(warned)},
		"said, key gone":              {"there is nothing to interrupt", all(onQKMS, expires(30*day), wantsExpiry(60*day), lastCondition("RenewalNeedsInterruption", "NoImportOverMaterial"), lookError("NotFound")), waits("KeyNotFound").with()},
		"other, twice, Hold":          {"what no import corrects is not promised to be", all(other, hold, contradictedFor(time.Minute)), replaced.with()},
		"not said, look throttled":    {"a failed look finds nothing out", all(onQKMS, expires(30*day), wantsExpiry(60*day), lookError("Throttled")), retries("Throttled").with()},
		"said, and taken back":        {"the spec asks for what the key has", all(onQKMS, expires(30*day), lastCondition("RenewalNeedsInterruption", "NoImportOverMaterial")), settles()},
		"foreign":                     {"another object's key", all(onQKMS, expires(30*day), wantsExpiry(60*day), foreign), stalls("KeyConflict").with()},
		"AWS":                         {"there it is moved", all(expires(30*day), wantsExpiry(60*day)), does(reimportUntil(60 * day))},
	}.run(t)
}

// A second try with fresh parameters is for a key that is still empty.
func TestSecondTryOnQKMS(t *testing.T) {
	refused := attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "TokenRefused"})
	cases{
		"empty":       {"as anywhere", all(firstImport, onQKMS, refused), underRSA2048(firstImportAction())},
		"full by now": {"somebody was faster", all(onQKMS, expires(-day), reportedExpiry(30*day), wantsExpiry(30*day), refused), retries("KMSError")},
	}.run(t)
}

// ImportType and KeyMaterialId are for symmetric keys, whatever an endpoint answered to an import.
func TestReimportOfIsForSymmetricKeys(t *testing.T) {
	lost := all(empty, contradictedFor(day))
	cases{
		"symmetric": {"KMS refuses what is not the same material", lost, does(reimportAction())},
		"HMAC":      {"KMS refuses to be told", all(lost, hmacKey), does(hmacReimport())},
	}.run(t)
}

// In no world is anything imported over material on QKMS, and only what must have been ours is confirmed.
func TestNeverOverMaterialOnQKMS(t *testing.T) {
	imports, confirmations := 0, 0
	worlds(world(), 32, func(name func() string, f *facts) {
		asOnQKMS(f)
		step, o := f.next(), f.observed
		empty := o.Look != nil && o.Look.Err == nil && o.Look.Key.State == "PendingImport"
		switch step.Action.(type) {
		case plan.ImportMaterial:
			imports++
			if !empty {
				t.Fatalf("%s: imported over material", name())
			}
		case plan.ConfirmImport:
			confirmations++
			if empty || o.Ownership != "Mine" || o.Look.Key.ARN != o.Record.KeyARN || o.Record.Intent.KeyState != "PendingImport" ||
				o.Record.Intent.ValidTo == nil || !o.Record.Intent.ValidTo.Equal(&metav1.Time{Time: o.Look.Key.Expiry.ValidTo}) {
				t.Fatalf("%s: confirmed", name())
			}
		case plan.WithdrawMaterial, plan.InterruptKey, plan.ReleaseObject, plan.SetFinalizer, plan.ConfirmWithdrawal, plan.ForgetWithdrawal:
			t.Fatalf("%s: nobody has asked for %T", name(), step.Action)
		case plan.Finish, plan.Look, plan.InspectMaterial, plan.ClaimRecord, plan.AcceptSecretVersion, plan.HoldKey, plan.LiftHold,
			plan.MarkUnconfirmed, plan.MarkConfirmed:
		}
		for _, rule := range brokenByStep(f, step) {
			t.Fatalf("%s: %s", name(), rule)
		}
	})
	if imports < 1000 || confirmations < 10 {
		t.Errorf("%d imports and %d confirmations prove little", imports, confirmations)
	}
}

// asOnQKMS is any world with another KMS, where every lost import was one that expires in 30 days.
func asOnQKMS(f *facts) {
	f.observed.Dialect = "QKMS"
	if f.observed.Record != nil && f.observed.Record.Intent != nil {
		intendedExpiry(30 * day)(f)
	}
}
