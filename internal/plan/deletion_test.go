package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// leaving is an object that was deleted a minute ago and asks for its material to be deleted with it.
func leaving(f *facts) {
	withFinalizer(f)
	deletedFor(time.Minute)(f)
	f.desired.DeleteMaterial = true
}

// deletedFor is an object that was deleted so long ago, before this process's eyes.
func deletedFor(ago time.Duration) change {
	return func(f *facts) {
		f.desired.Deleting, f.desired.DeletedAt = true, now.Add(-ago)
		f.observed.Memory.DeletionSeen = now.Add(-ago)
	}
}

// seenDeletedFor is how long this process has known of it.
func seenDeletedFor(ago time.Duration) change {
	return func(f *facts) { f.observed.Memory.DeletionSeen = now.Add(-ago) }
}

// compared is a deletion for which the Secret was read, and holds the same bytes.
var compared = all(leaving, sameMaterial)

func surrounded(by plan.Surroundings) change {
	return func(f *facts) { f.observed.Surroundings = by }
}

func adopted(f *facts)      { f.observed.Record.Imported.Adopted = new(true) }
func keepsIt(f *facts)      { f.desired.DeleteMaterial = false }
func sourceLeaves(f *facts) { f.observed.Secret.Leaving = true }

func currentID(id string) change {
	return func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = id }
}

func importedID(id string) change {
	return func(f *facts) { f.observed.Record.Imported.KeyMaterialID = id }
}

// withdrawalAttempt is a withdrawal of this pass.
func withdrawalAttempt(class kms.ErrorClass) change {
	return func(f *facts) {
		f.observed.Withdrawal = &plan.WithdrawalAttempt{Err: &kms.Error{
			Operation: "DeleteImportedKeyMaterial", Class: class, Code: "SomeException", Message: "Something happened.",
		}}
	}
}

func releases() want { return does(plan.ReleaseObject{}) }

// assertRetained checks that an object is let go, that its key keeps its material, and that the reason says why.
func assertRetained(t *testing.T, name, reason string, f *facts, part string) {
	t.Helper()
	released, ok := f.next().Action.(plan.ReleaseObject)
	if !ok || released.Retained == "" || !strings.Contains(released.Retained, part) || released.Interrupted != "" {
		t.Errorf("%s: %s: got %+v, want the material to be retained, saying %q", name, reason, f.next(), part)
	}
}

// The object carries the finalizer as long as its deletion may ask something of KMS, and from before anything is imported.
func TestFinalizer(t *testing.T) {
	deletes := func(f *facts) { f.desired.DeleteMaterial = true }
	interrupts := func(f *facts) { f.desired.AllowInterruption = true }
	adds, removes := does(plan.SetFinalizer{Wanted: true}), does(plan.SetFinalizer{})
	cases{
		"Retain":                         {"a deletion asks for nothing", unchanged, settles()},
		"DeleteKeyMaterial":              {"the material is deleted with it", deletes, adds},
		"DeleteKeyMaterial, first":       {"before the import, before even a look", all(firstImport, noLook, deletes), adds},
		"DeleteKeyMaterial, restarted":   {"before the first look", all(noLook, restarted, deletes), adds},
		"DeleteKeyMaterial, suspended":   {"which changes no key", all(suspended, noLook, deletes), adds},
		"DeleteKeyMaterial, has it":      {"once", all(deletes, withFinalizer), settles()},
		"AllowInterruption, QKMS":        {"an empty key is filled first", all(onQKMS, interrupts), adds},
		"AllowInterruption, AWS":         {"there the key is never emptied", interrupts, settles()},
		"Retain again":                   {"a deletion asks for nothing any more", withFinalizer, removes},
		"Retain again, key interrupted":  {"it is still to be filled", all(onQKMS, empty, withdrawn(time.Minute)), underRSA2048(reimportAction())},
		"InPlace again, key interrupted": {"it is still to be filled", all(onQKMS, empty, withdrawnFor("Interruption", time.Minute)), adds},
		"withdrawn with an object":       {"that is over, and the next owner keeps it", all(empty, withdrawnWithObject(day)), does(reimportAction())},
		"another object's interruption":  {"is not this one's business", all(foreign, withdrawnFor("Interruption", time.Minute)), stalls("KeyConflict")},
		"deleted":                        {"no finalizer is added any more", all(deletes, deletedFor(time.Minute)), isLeftUntouched()},
		"deleted, Retain":                {"let go the same way as any other", all(withFinalizer, deletedFor(time.Minute)), releases()},
	}.run(t)
}

// An object goes when what it asked for is done, or when there is nothing to be done.
func TestDeletionWithMaterial(t *testing.T) {
	withdraws := does(plan.WithdrawMaterial{})
	cases{
		"no finalizer":              {"kept by somebody else's", all(leaving, func(f *facts) { f.desired.Finalizer = false }), isLeftUntouched()},
		"Retain":                    {"at once, and without a call", all(leaving, keepsIt, noLook), releases()},
		"Retain, suspended":         {"at once", all(leaving, keepsIt, suspended, noLook), releases()},
		"Retain, Secret broken":     {"at once", all(leaving, keepsIt, noLook, secret("Absent")), releases()},
		"never claimed":             {"it has brought nothing into a key", all(firstImport, leaving, noLook), releases()},
		"claim only":                {"it has brought nothing into the key", all(leaving, nothingImported, noLook), releases()},
		"another's key":             {"nor has this one", all(leaving, foreign), releases()},
		"nobody's key":              {"nor has this one", all(leaving, ownerless), releases()},
		"just now":                  {"a prune deletes more than the object", all(compared, deletedFor(0), noLook), progresses(15 * time.Second)},
		"14 s ago":                  {"until 15 s have passed", all(compared, deletedFor(14*time.Second)), progresses(time.Second)},
		"15 s ago":                  {"now", all(compared, deletedFor(15*time.Second)), withdraws},
		"restarted":                 {"this process has not seen what happened meanwhile", all(compared, seenDeletedFor(0)), progresses(15 * time.Second)},
		"not looked at":             {"the key may have changed", all(leaving, noLook), does(plan.Look{})},
		"not read":                  {"the Secret must bring it back", leaving, does(plan.InspectMaterial{})},
		"compared":                  {"it can be undone", compared, withdraws},
		"Secret rewritten":          {"the bytes count", all(compared, rewritten), withdraws},
		"disabled":                  {"KMS takes it, and nothing else depends on the state", all(compared, held, state("Disabled")), withdraws},
		"disabled since":            {"noted, for whoever imports it next", all(compared, state("Disabled")), does(plan.HoldKey{})},
		"expiry moved elsewhere":    {"another expiry makes it no other material", all(compared, expires(30*day), reportedExpiry(20*day)), withdraws},
		"QKMS, permanent":           {"as it was imported", all(compared, onQKMS), withdraws},
		"QKMS, expiry as imported":  {"as it was imported", all(compared, onQKMS, expires(30*day)), withdraws},
		"re-import unanswered":      {"where KMS takes no other material", all(compared, intent), withdraws},
		"HMAC":                      {"such keys have no ID", all(compared, hmacKey, currentID(""), importedID("")), withdraws},
		"key gone":                  {"there is nothing left", all(leaving, lookError("NotFound")), releases()},
		"key empty":                 {"there is nothing left", all(leaving, empty), releases()},
		"key pending deletion":      {"KMS deletes it with the key", all(leaving, state("PendingDeletion")), releases()},
		"replica pending deletion":  {"KMS deletes it with the key", all(leaving, state("PendingReplicaDeletion")), releases()},
		"import not shown yet":      {"an empty key may be about to show it", all(leaving, empty, age(time.Minute), unconfirmed), progresses(time.Minute)},
		"QKMS, expiry not shown":    {"the old one may be about to change", all(compared, onQKMS, expires(30*day), reportedExpiry(20*day), age(time.Minute), unconfirmed), progresses(time.Minute)},
		"withdrawn":                 {"done, whatever a look still shows", all(leaving, withdrawnWithObject(time.Minute)), releases()},
		"withdrawn, shown":          {"done", all(leaving, empty, withdrawnWithObject(time.Minute)), releases()},
		"withdrawn long ago, empty": {"by an earlier owner perhaps", all(leaving, empty, withdrawnWithObject(day)), releases()},
		"answer lost":               {"a look tells", all(leaving, withdrawing("ObjectDeleted", 10*time.Second)), progresses(15 * time.Second)},
		"answer lost, empty":        {"done", all(leaving, empty, withdrawing("ObjectDeleted", 10*time.Second)), does(plan.ConfirmWithdrawal{})},
		"answer lost, 5 min":        {"not done", all(leaving, withdrawing("ObjectDeleted", 5*time.Minute)), does(plan.ForgetWithdrawal{})},
		"withdrawn, not looked at":  {"done, and no look tells more", all(leaving, noLook, withdrawnWithObject(time.Minute)), releases()},
		"HMAC, never shown":         {"such a key has no other material that may be missing", all(leaving, hmacKey, empty, age(day), unconfirmed, marked), releases()},
		"no ID shown":               {"KMS compares it with what it has", all(compared, currentID("")), withdraws},
		"AWS, expiry not shown":     {"whatever it is, it is no other material", all(compared, expires(30*day), reportedExpiry(20*day), age(time.Minute), unconfirmed), withdraws},
		"attempted":                 {"what did not fail is no failure", all(compared, func(f *facts) { f.observed.Withdrawal = &plan.WithdrawalAttempt{} }), withdraws},
		"asked for a re-import":     {"nobody imports for an object that is deleted", all(compared, reimportRequested), withdraws},
		"spec asks for more":        {"nobody imports for an object that is deleted", all(compared, wantsExpiry(30*day)), withdraws},
	}.run(t)
}

// Everything that must hold for material to be deleted with its object: what does not is said, and the key keeps it.
func TestMaterialIsRetained(t *testing.T) {
	const noWayBack = "it could not be imported again"
	cases := map[string]struct {
		reason string
		change change
		says   string
	}{
		"suspended":               {"whoever suspends an object wants its key left alone", all(compared, suspended), "spec.suspend is true"},
		"suspended, just deleted": {"there is nothing to wait for", all(compared, suspended, deletedFor(0), noLook), "spec.suspend is true"},
		"import unanswered":       {"it may be somebody else's", all(compared, firstIntent), "the outcome of its import is not known"},
		"adopted":                 {"it was there before", all(compared, adopted), "before the operator first imported it"},
		"namespace":               {"whoever deletes everything means no key", all(compared, surrounded(plan.Surroundings{NamespaceTerminating: true})), "the whole namespace is being deleted"},
		"namespace, just deleted": {"a namespace is not made to wait", all(leaving, noLook, deletedFor(0), surrounded(plan.Surroundings{NamespaceTerminating: true})), "the whole namespace"},
		"namespace hidden":        {"what cannot be ruled out", all(compared, surrounded(plan.Surroundings{NamespaceHidden: true})), "may not read whether the whole namespace"},
		"heir":                    {"an object that was renamed", all(compared, surrounded(plan.Surroundings{Heir: true})), "another KMSKeyImport names the key"},
		"another key":             {"the effect would be on another", all(compared, otherKey), "another key than the one"},
		"rotated elsewhere":       {"another material", all(compared, currentID("material-2")), "not known to be the one"},
		"ID unknown":              {"without an ID KMS deletes the current one, whichever that is", all(compared, importedID("")), "not known to be the one"},
		"QKMS, other expiry":      {"somebody has imported since", all(compared, onQKMS, expires(30*day), reportedExpiry(20*day)), "does not report the expiry that was imported"},
		"QKMS, expiry unknown":    {"nothing to go by", all(compared, onQKMS, unreportedExpiry), "does not report the expiry that was imported"},
		"QKMS, unanswered":        {"which may have brought another", all(compared, onQKMS, intent), "the outcome of its last import is not known"},
		"QKMS, never shown":       {"it is not to be seen whose it is", all(compared, onQKMS, expires(30*day), reportedExpiry(20*day), unconfirmed, marked), "does not report"},
		"another one missing":     {"ours may still be there", all(leaving, empty, age(day), unconfirmed, marked), "another material of it is missing"},
		"filled since":            {"by somebody else", all(compared, withdrawnWithObject(time.Hour)), "somebody has imported material since"},
		"Secret gone":             {"pruned with the object", all(leaving, secret("Absent")), noWayBack + `: Secret "payments-material" does not exist`},
		"Secret gone, read":       {"between look and effect", all(compared, secret("Absent")), noWayBack},
		"consent gone":            {"it may not be read", all(compared, secret("NotConsenting")), noWayBack},
		"value gone":              {"it holds nothing", all(compared, secret("KeyMissing")), noWayBack + `: Secret "payments-material" has no key "material"`},
		"Secret leaving":          {"it goes with the object", all(compared, sourceLeaves), noWayBack + ": its Secret is being deleted"},
		"other bytes":             {"the only copy would be lost", all(leaving, rewritten, otherMaterial), noWayBack + ": the Secret is not known to hold"},
		"bad bytes":               {"the only copy would be lost", all(leaving, rewritten, badMaterial), noWayBack},
		"fingerprint key lost":    {"what cannot be compared counts as other", all(leaving, incomparableMaterial), "not known to hold"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) { assertRetained(t, name, tc.reason, changed(tc.change), tc.says) })
	}
}

// What a withdrawal may have taken is never said to be kept.
func TestLostAnswerIsNotRetained(t *testing.T) {
	lost := all(compared, withdrawing("ObjectDeleted", time.Minute))
	cases{
		"suspended":  {"the record says what is known", all(lost, suspended), releases()},
		"namespace":  {"found out before anything is said", all(lost, surrounded(plan.Surroundings{NamespaceTerminating: true})), progresses(time.Minute)},
		"heir":       {"found out before anything is said", all(lost, surrounded(plan.Surroundings{Heir: true})), progresses(time.Minute)},
		"an hour":    {"the record says what is known", all(lost, deletedFor(time.Hour)), releases()},
		"KMS silent": {"the record says what is known", all(lost, deletedFor(time.Hour), lookError("Unreachable")), releases()},
		"long ago":   {"still not known", all(compared, withdrawing("ObjectDeleted", 10*time.Minute), suspended), releases()},
		"no look":    {"nothing says that somebody has filled it since", all(leaving, withdrawnWithObject(day), suspended, noLook), releases()},
		"empty":      {"it is as it was left", all(leaving, empty, withdrawnWithObject(day), suspended), releases()},
		"confirmed":  {"the record says what is known", all(compared, withdrawnWithObject(time.Minute), suspended), releases()},
	}.run(t)
	assertRetained(t, "confirmed long ago", "by an earlier owner, and somebody has filled the key since",
		changed(all(compared, withdrawnWithObject(day), suspended)), "spec.suspend is true")
}

// What keeps an object from being released is tried again, said with the way out, and ends after an hour.
func TestDeletionIsBounded(t *testing.T) {
	const wayOut = "until then, an hour at most, this object stays: set spec.deletionPolicy to Retain"
	denied := all(compared, withdrawalAttempt("AccessDenied"))
	cases{
		"deletion denied":       {"tried again", denied, retries("AccessDenied").saying("DeleteImportedKeyMaterial: SomeException")},
		"denied, way out":       {"whoever waits is told", denied, retries("AccessDenied").saying(wayOut)},
		"look denied":           {"tried again", all(leaving, lookError("AccessDenied")), retries("AccessDenied").saying(wayOut)},
		"KMS silent":            {"tried again", all(leaving, lookError("Unreachable")), retries("KMSUnreachable").saying(wayOut)},
		"throttled":             {"tried again", all(compared, withdrawalAttempt("Throttled")), retries("Throttled").saying(wayOut)},
		"key updating":          {"KMS takes no deletion now", all(leaving, state("Updating")), waits("KeyUpdating").saying(wayOut)},
		"key unavailable":       {"KMS takes no deletion now", all(leaving, state("Unavailable")), waits("KeyUnavailable").saying(wayOut)},
		"unheard-of state":      {"nobody knows what KMS takes", all(leaving, state("Frozen")), retries("KMSError").saying(wayOut)},
		"nothing to get out":    {"it passes by itself", all(leaving, deletedFor(0)), progresses(15 * time.Second).saying("waiting for what is deleted with it")},
		"a second early":        {"not yet", all(denied, deletedFor(time.Hour-time.Second)), retries("AccessDenied")},
		"operator was down":     {"it takes 5 minutes of tries", all(denied, deletedFor(day), seenDeletedFor(5*time.Minute-time.Second)), retries("AccessDenied")},
		"late, not looked at":   {"it may have been done by now", all(leaving, noLook, deletedFor(day)), does(plan.Look{})},
		"down, and all is well": {"late is not too late", all(compared, deletedFor(day), seenDeletedFor(15*time.Second)), does(plan.WithdrawMaterial{})},
		"waits a minute":        {"and no longer", all(leaving, state("Updating"), lastCondition("Reconciling", "KeyUpdating"), func(f *facts) { f.observed.Now = now.Add(9 * time.Minute) }), waits("KeyUpdating").within(time.Minute)},
	}.run(t)

	if message := changed(all(leaving, deletedFor(0))).next().Message; strings.Contains(message, "until then") {
		t.Errorf("what passes by itself asks for nothing: %q", message)
	}
	for name, change := range map[string]change{
		"denied": denied, "look denied": all(leaving, lookError("AccessDenied")), "updating": all(leaving, state("Updating")),
	} {
		const says = "it could not be deleted within an hour of the object's deletion"
		assertRetained(t, name, "the bound", changed(change, deletedFor(time.Hour)), says)
		assertRetained(t, name, "the bound, after 5 minutes of tries", changed(change, deletedFor(day), seenDeletedFor(5*time.Minute)), says)
	}
}

// A key that was to be empty for a moment only is filled before its object goes, if that is possible.
func TestDeletionInTheMiddleOfAnInterruption(t *testing.T) {
	left := func(why string) want { return does(plan.ReleaseObject{Interrupted: why}) }
	refill := underRSA2048(reimportAction())
	inside := all(onQKMS, empty, withdrawn(time.Minute), deletedFor(time.Minute))
	throttled := attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "Throttled"})
	sealedRefill := reimportAction()
	sealedRefill.Sealed = true
	noSecret := `Secret "payments-material" does not exist in this namespace: create it`
	cases{
		"filled":                {"as if the object stayed", inside, refill},
		"filled, to be deleted": {"with material that is then deleted", all(inside, func(f *facts) { f.desired.DeleteMaterial = true }), refill},
		"not looked at":         {"the key may have changed", all(inside, noLook), does(plan.Look{})},
		"filled, sealed":        {"without its Secret", all(inside, sealed, secret("Absent")), underRSA2048(sealedRefill)},
		"suspended":             {"nothing is done to its key", all(inside, suspended), left("spec.suspend is true")},
		"no Secret":             {"nothing to fill it with", all(inside, secret("Absent")), left(noSecret)},
		"no Secret, spoilt":     {"nothing to fill it with", all(inside, sealed, sealedUntil(0), secret("Absent")), left(noSecret)},
		"throttled":             {"tried again", all(inside, throttled), retries("Throttled")},
		"throttled, an hour":    {"not for ever", all(inside, throttled, deletedFor(time.Hour)), left("it could not be imported again within an hour of the object's deletion")},
		"other bytes":           {"stalled, and looked at every minute: an hour", all(inside, rewritten, otherMaterial), stalls("MaterialChanged").within(time.Minute)},
		"key gone":              {"there is nothing to fill", all(inside, lookError("NotFound")), left("KMS has no such key")},
		"key to be deleted":     {"there is nothing to fill", all(inside, state("PendingDeletion")), left("the key is scheduled for deletion")},
		"answer lost":           {"a look tells", all(onQKMS, withdrawing("Interruption", 10*time.Second), withFinalizer, deletedFor(time.Minute)), progresses(15 * time.Second)},
		"answer lost, Secret":   {"whether it is empty is not known yet", all(onQKMS, withdrawing("Interruption", 10*time.Second), withFinalizer, deletedFor(time.Minute), secret("Absent")), progresses(15 * time.Second)},
		"answer lost, hour":     {"whether it is empty is not known", all(onQKMS, withdrawing("Interruption", 10*time.Second), withFinalizer, deletedFor(time.Hour)), releases()},
	}.run(t)
}
