package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// sealed is material that was wrapped before it was withdrawn.
func sealed(f *facts) {
	f.observed.Record.Withdrawal.Sealed = &v1alpha1.SealedMaterial{
		EncryptedKeyMaterial: []byte("sealed"), ImportToken: []byte("token"), WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048",
	}
}

// sealedUntil is when KMS stops taking it.
func sealedUntil(ahead time.Duration) change {
	return func(f *facts) {
		validTo := metav1.NewTime(now.Add(ahead))
		f.observed.Record.Withdrawal.Sealed.ParametersValidTo = &validTo
	}
}

// interruptible is QKMS, and an object that permits to empty the key.
func interruptible(f *facts) {
	onQKMS(f)
	withFinalizer(f)
	f.desired.AllowInterruption = true
}

// interrupts is the step that empties the key and fills it again with this expiry.
func interrupts(refill plan.ImportMaterial) want {
	refill.Wrapping.KeySpec, refill.ReimportOf = "RSA_2048", ""
	return does(plan.InterruptKey{Refill: refill})
}

// Where KMS imports into an empty key only, the key is emptied if that is permitted, an import is due, and everything says
// that it can be filled again with what it holds.
func TestInterruption(t *testing.T) {
	const warned = "RenewalNeedsInterruption NoImportOverMaterial"
	due := all(interruptible, rollsOver(time.Hour))
	renews := interrupts(rollingReimport())
	denied := withdrawalAttempt("AccessDenied")
	refill := rollingReimport()
	refill.Wrapping.KeySpec, refill.ReimportOf = "RSA_2048", ""
	cases{
		"renewal due":               {"what it is for", due, renews},
		"renewal not due":           {"in its time", all(interruptible, rollsOver(5*time.Hour)), settles()},
		"attempted":                 {"what did not fail is no failure", all(due, func(f *facts) { f.observed.Withdrawal = &plan.WithdrawalAttempt{} }), renews},
		"renewal due, Hold":         {"nobody else has deleted anything", all(due, hold), renews},
		"another date":              {"the spec asks for it", all(interruptible, expires(30*day), wantsExpiry(60*day)), interrupts(reimportUntil(60 * day))},
		"now permanent":             {"the spec asks for it", all(interruptible, expires(30*day), func(f *facts) { f.desired.Expiry = settledFacts().desired.Expiry }), interrupts(reimportAction())},
		"now rolling":               {"the spec asks for it", all(interruptible, wantsValidFor(6*time.Hour)), interrupts(rollingReimport())},
		"asked for":                 {"a person who asks for an import does not ask for an interruption", all(interruptible, reimportRequested), settles()},
		"date as imported":          {"nothing is due", all(interruptible, expires(30*day)), settles()},
		"same bytes read":           {"as on record", all(due, sameMaterial), renews},
		"InPlace":                   {"not permitted", all(onQKMS, rollsOver(time.Hour)), settles(warned, "Expiring ExpiresSoon")},
		"AWS":                       {"there it is not needed", all(rollsOver(time.Hour), func(f *facts) { f.desired.AllowInterruption = true }), does(rollingReimport())},
		"suspended":                 {"nothing is done", all(due, suspended), isSuspended()},
		"deleted":                   {"nobody renews for an object that is deleted", all(due, deletedFor(time.Minute)), releases()},
		"foreign":                   {"another's key", all(due, foreign), stalls("KeyConflict")},
		"adopted":                   {"it was there before", all(due, adopted), settles()},
		"disabled":                  {"an import might enable it", all(due, held, state("Disabled")), waits("KeyDisabled")},
		"updating":                  {"KMS takes nothing now", all(due, state("Updating")), waits("KeyUpdating")},
		"import unanswered":         {"nobody knows what the key holds", all(due, intent), stalls("MaterialUnverifiable")},
		"never imported":            {"nobody vouches for it", all(due, nothingImported), stalls("MaterialUnverifiable")},
		"expiry not reported":       {"nothing shows what the key holds", all(due, unreportedExpiry), settles(warned)},
		"other expiry, once":        {"somebody may have imported since", all(due, reportedExpiry(2*time.Hour)), progresses(5 * time.Second)},
		"other expiry":              {"somebody has imported since", all(due, reportedExpiry(2*time.Hour), contradictedFor(day)), stalls("MaterialUnverifiable")},
		"other expiry, by a second": {"somebody has imported since", all(due, reportedExpiry(time.Hour+time.Second), contradictedFor(day)), stalls("MaterialUnverifiable")},
		"never shown":               {"nothing shows what the key holds", all(due, reportedExpiry(2*time.Hour), unconfirmed, marked), settles("OtherMaterialExpires EarlierExpiry", warned, "Expiring ExpiresSoon")},
		"no Secret":                 {"nothing to fill it with", all(due, secret("Absent")), waits("SecretNotFound")},
		"no consent":                {"nothing to fill it with", all(due, secret("NotConsenting")), waits("SecretNotConsenting")},
		"no value":                  {"nothing to fill it with", all(due, secret("KeyMissing")), waits("SecretKeyMissing")},
		"Secret leaving":            {"nothing to fill it with, any moment now", all(due, sourceLeaves), waits("SecretNotFound").saying("is being deleted")},
		"Secret rewritten":          {"compared first", all(due, rewritten), does(plan.InspectMaterial{})},
		"other bytes":               {"it would be filled with other material", all(due, rewritten, otherMaterial), stalls("MaterialChanged")},
		"fingerprint key lost":      {"it might be filled with other material", all(due, incomparableMaterial), stalls("MaterialUnverifiable").saying("fingerprint key")},
		"turn to wait for":          {"the key is not empty meanwhile", all(due, func(f *facts) { f.observed.TurnIn = time.Second }), progresses(time.Second)},
		"wrapping invalid":          {"KMS would not take it back", all(due, asks("RSA_AES_KEY_WRAP_SHA_256", "")), stalls("InvalidWrapping")},
		"date past":                 {"KMS would not take it back", all(interruptible, expires(30*day), wantsExpiry(-time.Second)), stalls("InvalidExpiration")},
		"date too near":             {"it would not last", all(interruptible, expires(30*day), wantsExpiry(4*time.Minute)), stalls("InvalidExpiration")},
		"date too far":              {"KMS would not take it back", all(interruptible, expires(30*day), wantsExpiry(366*day)), stalls("InvalidExpiration")},
		"denied":                    {"the key is as it was", all(due, denied), retries("AccessDenied").saying("DeleteImportedKeyMaterial")},
		"not importable":            {"KMS would not take it back", all(due, func(f *facts) { f.observed.Look.Key.Spec = "HMAC_256" }), stalls("KeyNotImportable")},
		"alias turned":              {"another's key", all(due, otherKey), stalls("KeyTargetChanged")},
		"refused before":            {"KMS would not take it back", all(due, refusedBefore(refill)), stalls("MaterialMismatch")},
		"under way, look failed": {
			"what it waited for has begun", all(due, withdrawn(time.Minute), lastCondition("RenewalNeedsInterruption", "NoImportOverMaterial"), lookError("Throttled")),
			retries("Throttled").with("Interrupted KeyInterrupted", "Expiring ExpiresSoon"),
		},
	}.run(t)
}

// A withdrawal whose answer was lost is settled by what a look shows.
func TestWithdrawalIsUncertain(t *testing.T) {
	lost := func(ago time.Duration) change { return all(interruptible, withdrawing("Interruption", ago)) }
	cases{
		"empty":             {"done", all(lost(time.Second), empty), does(plan.ConfirmWithdrawal{})},
		"empty, long ago":   {"done", all(lost(day), empty), does(plan.ConfirmWithdrawal{})},
		"empty, Hold":       {"by this operator, and by nobody else", all(lost(time.Second), empty, hold, contradictedFor(day)), does(plan.ConfirmWithdrawal{})},
		"full, 4 s":         {"a look may show the time before", lost(4 * time.Second), progresses(5 * time.Second)},
		"full, 19 s":        {"a look may show the time before", lost(19 * time.Second), progresses(15 * time.Second)},
		"full, 1 min":       {"a look may show the time before", lost(time.Minute), progresses(time.Minute)},
		"full, 5 min":       {"not done", lost(5 * time.Minute), does(plan.ForgetWithdrawal{})},
		"full, future":      {"a clock that was set back is no reason to wait for ever", lost(-day), does(plan.ForgetWithdrawal{})},
		"full, and due":     {"nothing is emptied twice", all(lost(time.Minute), rollsOver(time.Hour)), progresses(time.Minute)},
		"full, Secret gone": {"it takes no Secret to look", all(lost(time.Minute), secret("Absent")), progresses(time.Minute)},
		"full, no turn":     {"it takes no turn to look", all(lost(time.Minute), func(f *facts) { f.observed.TurnIn = time.Second }), progresses(time.Minute)},
		"disabled":          {"a state comes first", all(lost(time.Minute), held, state("Disabled")), waits("KeyDisabled")},
		"foreign":           {"another's", all(lost(time.Minute), foreign), stalls("KeyConflict")},
		"suspended":         {"not looked at", all(lost(time.Minute), suspended, noLook), isSuspended()},
		"after a failure":   {"the failure of a call whose answer was lost", all(lost(time.Second), withdrawalAttempt("Unreachable")), progresses(5 * time.Second)},
	}.run(t)
}

// KMS has said that the key is empty, and shows it full.
func TestWithdrawalIsUndone(t *testing.T) {
	done := func(ago time.Duration) change { return all(interruptible, withdrawn(ago)) }
	onAWS := all(withFinalizer, withdrawn(time.Hour))
	cases{
		"1 min":                   {"a look may show the time before", done(time.Minute), progresses(time.Minute).saying("waiting for KMS to show that")},
		"1 min, due":              {"nothing is emptied twice", all(done(time.Minute), rollsOver(time.Hour)), progresses(time.Minute)},
		"5 min":                   {"somebody else has filled it, nobody knows with what", done(5 * time.Minute), stalls("MaterialUnverifiable").saying("if somebody has imported some since")},
		"5 min, asked":            {"no request makes it known", all(done(5*time.Minute), reimportRequested), stalls("MaterialUnverifiable")},
		"AWS":                     {"a re-import tells", onAWS, does(reimportAction())},
		"AWS, other bytes":        {"which are never imported", all(onAWS, rewritten, otherMaterial), stalls("MaterialChanged")},
		"AWS, no Secret":          {"without which nobody can tell", all(onAWS, secret("Absent")), waits("SecretNotFound")},
		"AWS, refused":            {"not twice in a pass", all(onAWS, attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "MaterialRefused"})), stalls("MaterialMismatch")},
		"AWS, superseded":         {"the key has moved on", all(onAWS, currentID("material-2")), stalls("MaterialSuperseded")},
		"refill unanswered":       {"the expiry tells", all(done(time.Minute), expires(30*day), intent, intendedExpiry(60*day), reportedExpiry(60*day)), does(plan.ConfirmImport{})},
		"unanswered, old expiry":  {"a look may show the time before", all(done(time.Minute), expires(30*day), intent, intendedExpiry(60*day)), progresses(time.Minute)},
		"unanswered, same expiry": {"the time before looks the same", all(done(time.Minute), expires(30*day), intent, intendedExpiry(30*day)), progresses(time.Minute)},
		"unanswered, same, 5 min": {"now it is the refill", all(done(5*time.Minute), expires(30*day), intent, intendedExpiry(30*day)), does(plan.ConfirmImport{})},
		"unanswered, old, 5 min":  {"nobody knows", all(done(5*time.Minute), expires(30*day), intent, intendedExpiry(60*day)), stalls("MaterialUnverifiable")},
	}.run(t)
}

// What was withdrawn comes back: at once, and without its Secret where it was sealed.
func TestRefill(t *testing.T) {
	inside := all(interruptible, empty, withdrawn(time.Second), rollsOver(time.Hour), empty)
	refill := underRSA2048(rollingReimport())
	again := rollingReimport()
	again.Sealed = true
	withSealed := all(inside, sealed)
	unsealed := underRSA2048(again)
	refused := func(class kms.ErrorClass) change {
		return func(f *facts) {
			f.observed.Attempt = &plan.ImportAttempt{Cause: "MaterialWithdrawn", Tries: 1, Err: &kms.Error{Operation: "ImportKeyMaterial", Class: class}}
		}
	}
	turn := func(f *facts) { f.observed.TurnIn = time.Second }
	cases{
		"not sealed":              {"from its Secret", inside, refill},
		"not sealed, Hold":        {"nobody else has deleted it", all(inside, hold, contradictedFor(day)), refill},
		"not sealed, unanswered":  {"once more", all(inside, intent), refill},
		"not sealed, not shown":   {"what comes back needs no mark", all(inside, age(10*time.Minute), unconfirmed), refill},
		"not sealed, InPlace":     {"emptied is emptied", all(inside, func(f *facts) { f.desired.AllowInterruption = false }), refill},
		"not sealed, no Secret":   {"waited for", all(inside, secret("Absent")), waits("SecretNotFound").with("Interrupted KeyInterrupted", "SourceMissing SecretNotFound")},
		"not sealed, other bytes": {"a person must act", all(inside, rewritten, otherMaterial), stalls("MaterialChanged").with("Interrupted KeyInterrupted")},
		"not sealed, denied":      {"tried again", all(inside, refused("AccessDenied")), retries("AccessDenied").with("Interrupted KeyInterrupted")},
		"not sealed, turn":        {"in its turn", all(inside, turn), progresses(time.Second).with("Interrupted KeyInterrupted")},
		"restarted":               {"the record remembers", all(inside, restarted), refill},
		"sealed":                  {"as it was sealed", withSealed, unsealed},
		"sealed, a day":           {"as long as KMS takes it", all(withSealed, sealedUntil(time.Second)), unsealed},
		"sealed, expired":         {"from its Secret", all(withSealed, sealedUntil(0)), refill},
		"sealed, no Secret":       {"it needs none", all(withSealed, secret("Absent")), unsealed},
		"sealed, other bytes":     {"the key's own are sealed", all(withSealed, rewritten, otherMaterial), unsealed},
		"sealed, turn":            {"it needs none", all(withSealed, turn), unsealed},
		"sealed, unanswered":      {"the same once more", all(withSealed, intent), unsealed},
		"sealed, token refused":   {"fresh parameters, from its Secret", all(withSealed, refused("TokenRefused"), spoilt), refill},
		"sealed, throttled":       {"tried again as it is", all(withSealed, refused("Throttled")), retries("Throttled").with("Interrupted KeyInterrupted")},
		"sealed, other date":      {"the expiry was not sealed", all(withSealed, wantsExpiry(60*day)), underRSA2048(func() plan.ImportMaterial { a := reimportUntil(60 * day); a.Sealed = true; return a }())},
		"sealed, date past":       {"KMS would refuse it", all(withSealed, wantsExpiry(-day)), stalls("InvalidExpiration")},
		"sealed, suspended":       {"nothing is done", all(withSealed, suspended), isSuspended().with("Suspended Suspended", "Interrupted KeyInterrupted")},
		"sealed, disabled before": {"a person may have meant it", all(withSealed, held), stalls("HeldAfterDisable").with("Interrupted KeyInterrupted")},
		"sealed, foreign":         {"another's", all(withSealed, foreign), stalls("KeyConflict")},
		"sealed, uncertain":       {"settled first", all(withSealed, func(f *facts) { f.observed.Record.Withdrawal.CompletedAt = nil }), does(plan.ConfirmWithdrawal{})},
	}.run(t)
}

// Ready is never True while the record has a withdrawal, whatever a look or the last status says.
func TestUsabilityDuringAWithdrawal(t *testing.T) {
	cases := map[string]struct {
		reason string
		change change
		want   plan.Usability
	}{
		"none":                     {"usable", unchanged, "Usable"},
		"uncertain, full":          {"it may be empty", withdrawing("Interruption", time.Minute), "Unknown"},
		"uncertain, no look":       {"it may be empty", all(withdrawing("ObjectDeleted", time.Minute), noLook), "Unknown"},
		"uncertain, look failed":   {"it may be empty", all(withdrawing("ObjectDeleted", time.Minute), lookError("Throttled")), "Unknown"},
		"uncertain, empty":         {"it is", all(withdrawing("Interruption", time.Minute), empty), "Unusable"},
		"confirmed, full":          {"a look shows the time before", withdrawnFor("Interruption", time.Minute), "Unusable"},
		"confirmed, no look":       {"KMS has said so", all(withdrawnFor("ObjectDeleted", time.Minute), noLook), "Unusable"},
		"confirmed, nothing known": {"KMS has said so", all(withdrawnFor("ObjectDeleted", time.Minute), noLook, func(f *facts) { f.observed.Status.Key = nil }), "Unusable"},
		"confirmed, full, long":    {"somebody else's, perhaps", withdrawnFor("Interruption", day), "Unusable"},
		"another's":                {"its owner's business", all(withdrawnFor("Interruption", day), foreign), "Unusable"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := changed(tc.change)
			if got := plan.UsabilityOf(f.desired, f.observed); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

// A key that this operator has emptied is nobody's deletion: Hold is about what others do.
func TestHoldAndWithdrawals(t *testing.T) {
	seen := contradictedFor(time.Minute)
	cases{
		"withdrawn":             {"by this operator", all(interruptible, hold, empty, withdrawn(time.Hour), seen), underRSA2048(reimportAction())},
		"withdrawn with object": {"by this operator, for the owner before", all(hold, empty, withdrawnWithObject(day), seen), does(reimportAction())},
		"uncertain":             {"most likely by this operator", all(interruptible, hold, empty, withdrawing("Interruption", time.Minute), seen), does(plan.ConfirmWithdrawal{})},
		"neither":               {"by somebody else", all(hold, empty, seen), does(plan.HoldKey{})},
		"disabled since":        {"somebody else has a say in it", all(interruptible, withdrawn(time.Minute), state("Disabled")), does(plan.HoldKey{})},
		"disabled, then empty":  {"a person decides", all(interruptible, empty, withdrawn(time.Minute), held, notSeenEmpty), does(plan.HoldKey{})},
	}.run(t)
}

// RenewalNeedsInterruption comes early enough to act: with the first warning of an expiry that only an interruption moves.
func TestRenewalNeedsInterruption(t *testing.T) {
	const warned = "RenewalNeedsInterruption NoImportOverMaterial"
	soon := all(onQKMS, rolling364(14*day))
	known := lastCondition("RenewalNeedsInterruption", "NoImportOverMaterial")
	cases{
		"14 days":            {"early enough", soon, settles(warned, "Expiring ExpiresSoon").warning("with spec.reimportPolicy: AllowInterruption the operator does that by itself")},
		"14 days and 1 s":    {"not yet", all(onQKMS, rolling364(14*day+time.Second), func(f *facts) { f.desired.RenewBefore = day }), settles()},
		"renewal due before": {"it should have been made by now", all(onQKMS, rolling364(20*day)), settles(warned)},
		"fixed date":         {"a date is not renewed", all(onQKMS, expires(day)), settles("Expiring ExpiresSoon")},
		"fixed date, other":  {"the one that is asked for is not in force", all(onQKMS, expires(60*day), wantsExpiry(90*day)), settles(warned)},
		"permanent":          {"nothing to renew", onQKMS, settles()},
		"AllowInterruption":  {"the operator does it", all(interruptible, rolling364(14*day), func(f *facts) { f.desired.RenewBefore = day }), settles()},
		"allowed, no expiry": {"the operator cannot do it", all(interruptible, rolling364(14*day), unreportedExpiry), settles(warned)},
		"AWS":                {"there it takes none", rolling364(31 * day), settles()},
		"empty":              {"it is being filled", all(soon, heldEmpty), stalls("HeldAfterDisable").with()},
		"look failed":        {"nothing is known of it", all(soon, lookError("Throttled")), retries("Throttled").with("Expiring ExpiresSoon")},
		"look failed, known": {"until a look says otherwise", all(soon, known, lookError("Throttled")), retries("Throttled").with(warned, "Expiring ExpiresSoon")},
		"gone, known":        {"of a key that is gone nothing is said", all(soon, known, lookError("NotFound")), waits("KeyNotFound").with()},
	}.run(t)
}

// spoilt is a record after KMS has refused what was sealed.
func spoilt(f *facts) { f.observed.Record.Withdrawal.Sealed = nil }

// On QKMS a renewal is planned only where the operator may interrupt the key for it.
func TestRenewalTimeOnQKMS(t *testing.T) {
	f := changed(all(onQKMS, rolling364(60*day)))
	if at := plan.RenewalTime(f.desired, f.observed); !at.IsZero() {
		t.Errorf("InPlace: got %s", at)
	}
	f.desired.AllowInterruption = true
	if at := plan.RenewalTime(f.desired, f.observed); at.IsZero() {
		t.Error("AllowInterruption: no renewal is planned")
	}
}

// An object that waits for a key that it has never seen is in no index by which whoever gives the key up would find it.
func TestConflictOverAnUnseenKey(t *testing.T) {
	cases{
		"never seen": {"nobody can tell it", all(foreign, func(f *facts) { f.observed.Status.Key = nil }), stalls("KeyConflict").within(10 * time.Second)},
	}.run(t)
	other := changed(all(state("PendingDeletion"), withHold("PendingDeletion"), func(f *facts) { f.observed.Status.Key = nil }))
	if step := other.next(); step.Reason != "KeyPendingDeletion" || step.After <= time.Minute {
		t.Errorf("nothing gives this up: %s, looks again after %s", step.Reason, step.After)
	}
	if after := changed(foreign).next().After; after <= time.Minute {
		t.Errorf("seen: it is told, and yet looks again after %s", after)
	}
}

func withHold(state string) change {
	return func(f *facts) { f.observed.Record.Hold = &v1alpha1.KeyHold{KeyState: state} }
}
