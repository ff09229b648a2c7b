package plan_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

func uid(i int) types.UID { return types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)) }

// Objects that were created together drift apart, each keeping its own time.
func TestResyncIsSpread(t *testing.T) {
	for name, apply := range map[string]change{"settled": unchanged, "stalled": otherKey} {
		t.Run(name, func(t *testing.T) {
			times := map[time.Duration]bool{}
			early, late := 0, 0
			for i := range 1000 {
				f := changed(apply, func(f *facts) { f.desired.UID = uid(i) })
				after := f.next().After
				if after < 9*time.Minute || after > 11*time.Minute {
					t.Fatalf("looks again after %s, want a tenth around 10 minutes", after)
				}
				if again := f.next().After; again != after {
					t.Fatalf("looks again after %s and then %s", after, again)
				}
				times[after] = true
				if after < 9*time.Minute+30*time.Second {
					early++
				}
				if after > 10*time.Minute+30*time.Second {
					late++
				}
			}
			if len(times) < 900 || early < 150 || late < 150 {
				t.Errorf("%d different times, %d in the first quarter, %d in the last", len(times), early, late)
			}
		})
	}
}

func TestWakesUpForTheExpiry(t *testing.T) {
	cases{
		"at validTo":         {"Ready becomes False then", expires(3 * time.Minute), settles("Expiring ExpiresSoon").within(3 * time.Minute)},
		"at 1 day":           {"the message changes", expires(day + 2*time.Minute), settles("Expiring ExpiresSoon").within(2 * time.Minute)},
		"at 2 days":          {"the message changes", expires(2*day + time.Minute), settles("Expiring ExpiresSoon").within(time.Minute)},
		"at 14 days":         {"the warning appears", expires(14*day + time.Second), settles().within(time.Second)},
		"suspended":          {"Ready becomes False without a call", all(expires(3*time.Minute), suspended, noLook), want{outcome: "Suspended", reason: "Suspended", after: 3 * time.Minute}},
		"suspended, long":    {"only for the warnings", all(expires(20*day), suspended, noLook), want{outcome: "Suspended", reason: "Suspended", after: 6 * day}},
		"at the renewal":     {"the material is imported again", rollsOver(2*time.Hour + jitter + time.Minute), settles().within(time.Minute)},
		"renewal, waiting":   {"a warning is due", all(rollsOver(2*time.Hour+jitter+time.Second), state("Updating")), waits("KeyUpdating").within(time.Second)},
		"renewal, suspended": {"none is made; but Ready becomes False", all(rollsOver(3*time.Hour), suspended, noLook), want{outcome: "Suspended", reason: "Suspended", after: 3 * time.Hour}},
		"renewal on QKMS":    {"a warning is due", all(onQKMS, rollsOver(2*time.Hour+jitter+time.Minute)), settles("RenewalNeedsInterruption NoImportOverMaterial", "Expiring ExpiresSoon").within(time.Minute)},
		"stalled":            {"a stalled key expires as well", all(expires(3*time.Minute), rewritten, otherMaterial), stalls("MaterialChanged").within(3 * time.Minute)},
		"waiting":            {"Ready becomes False", all(expires(3*time.Second), state("Updating")), waits("KeyUpdating").within(3 * time.Second)},
		"failed look, 3 s":   {"backoff might sleep past it", all(expires(3*time.Second), lookError("Throttled")), retries("Throttled").within(3 * time.Second)},
		"failed look, 10 s":  {"at validTo", all(expires(10*time.Second), lookError("Throttled")), retries("Throttled").within(10 * time.Second)},
		"failed look, 11 s":  {"soon, while there is time", all(expires(11*time.Second), lookError("Throttled")), retries("Throttled").within(10 * time.Second)},
		"failed look, 5 min": {"the longest backoff", all(expires(5*time.Minute), lookError("AccessDenied")), retries("AccessDenied").within(10 * time.Second)},
		"failed import":      {"a retry of either kind", all(expires(time.Minute), wantsExpiry(30*day), attempt(1, &kms.Error{Class: "Throttled"})), retries("Throttled").within(10 * time.Second)},
		"first sight":        {"before the look that is due", all(expires(2*time.Second), noLook, restarted), want{outcome: "Untouched", after: 2 * time.Second}},
		"key of nobody else": {"the date KMS reports counts, not the one in the spec", all(wantsExpiry(-day), reportedExpiry(time.Minute)), stalls("InvalidExpiration").within(time.Minute)},
	}.run(t)

	for name, apply := range map[string]change{"suspended": all(suspended, noLook), "deleted": all(deleting, noLook),
		"retry":                            lookError("Throttled"),
		"retry, expires in 5 min 1 s":      all(expires(5*time.Minute+time.Second), lookError("Throttled")),
		"retry, expires now":               all(expires(0), lookError("Throttled")),
		"retry, has expired":               all(expires(-time.Second), lookError("Throttled")),
		"retry, nothing is known any more": all(expires(time.Minute), lookError("Throttled"), func(f *facts) { f.observed.Memory.LastLook = now.Add(-time.Hour) }),
	} {
		t.Run("no timer, "+name, func(t *testing.T) {
			if after := changed(apply).next().After; after != 0 {
				t.Errorf("looks again after %s, want no timer", after)
			}
		})
	}
	for name, apply := range map[string]change{"14 days": expires(14 * day), "2 days": expires(2 * day), "1 day": expires(day), "validTo": expires(0)} {
		t.Run("not twice at the same moment, "+name, func(t *testing.T) {
			if after := changed(apply).next().After; after < 9*time.Minute || after > 11*time.Minute {
				t.Errorf("looks again after %s, want the resync", after)
			}
		})
	}
	t.Run("a passed expiry sets no timer", func(t *testing.T) {
		f := changed(expires(-time.Minute), empty)
		if after := f.next().After; after < 9*time.Minute || after > 11*time.Minute {
			t.Errorf("looks again after %s, want the resync", after)
		}
	})
}

func TestSlowPoll(t *testing.T) {
	waiting := func(waited time.Duration) change {
		return all(firstImport, secret("Absent"), func(f *facts) {
			f.observed.Status.Conditions = []metav1.Condition{
				{Type: "Ready", Status: "False", LastTransitionTime: metav1.NewTime(now.Add(-day))},
				{Type: "Reconciling", Status: "True", LastTransitionTime: metav1.NewTime(now.Add(-waited))},
			}
		})
	}
	resync := func(resync time.Duration) change { return func(f *facts) { f.observed.Resync = resync } }
	poll := func(after time.Duration) want { return waits("SecretNotFound").within(after) }
	cases{
		"first":            {"where polling begins", all(firstImport, secret("Absent")), poll(10 * time.Second)},
		"after 1 s":        {"never faster", waiting(time.Second), poll(10 * time.Second)},
		"after 10 s":       {"as long again as it has waited", waiting(10 * time.Second), poll(10 * time.Second)},
		"after 80 s":       {"as long again as it has waited", waiting(80 * time.Second), poll(80 * time.Second)},
		"after 10 min":     {"up to the resync interval", waiting(10 * time.Minute), poll(10 * time.Minute)},
		"after a day":      {"never slower than a resync", waiting(day), poll(10 * time.Minute)},
		"clock set back":   {"never faster", waiting(-time.Hour), poll(10 * time.Second)},
		"short resync":     {"10 s all the same", all(waiting(day), resync(time.Second)), poll(10 * time.Second)},
		"KeyNotFound":      {"every wait polls", lookError("NotFound"), waits("KeyNotFound").within(10 * time.Second)},
		"waiting a minute": {"every wait polls", all(waiting(time.Minute), lookError("NotFound")), waits("KeyNotFound").within(time.Minute)},
	}.run(t)
}

// An object that its record says is settled is looked at within a resync interval after a restart, not at once.
func TestFirstSightIsSpread(t *testing.T) {
	due := map[time.Duration]bool{}
	for i := range 1000 {
		f := changed(noLook, restarted, func(f *facts) { f.desired.UID = uid(i) })
		step := f.next()
		if step.Outcome != "Untouched" || step.After <= 0 || step.After > 10*time.Minute {
			t.Fatalf("got %+v, want a look within 10 minutes", step)
		}
		due[step.After.Truncate(time.Minute)] = true
		f.observed.Now = now.Add(step.After - time.Nanosecond)
		if early := f.next(); early.Outcome != "Untouched" || early.After != time.Nanosecond {
			t.Fatalf("a moment early: got %+v", early)
		}
		f.observed.Now = now.Add(step.After)
		assertStep(t, "its time has come", f.next(), does(plan.Look{}))
	}
	if len(due) != 10 {
		t.Errorf("looks fall into %d of 10 minutes", len(due))
	}
}

func TestFirstSightIsCancelled(t *testing.T) {
	atRest := all(noLook, restarted)
	looks := does(plan.Look{})
	secretGone := func(f *facts) { f.observed.Secret = plan.Secret{Presence: "Absent"} }
	cases{
		"at rest":                 {"otherwise the cases below prove nothing", atRest, want{outcome: "Untouched"}},
		"seen before":             {"only the first look is spread", all(atRest, func(f *facts) { f.observed.Memory.LastLook = now.Add(-time.Hour) }), looks},
		"requested":               {"spreading is set aside", all(atRest, requested), looks},
		"reimport requested":      {"spreading is set aside", all(atRest, reimportRequested), looks},
		"reimport echoed":         {"it was acted on before the restart", all(atRest, reimportRequested, reimportEchoed), want{outcome: "Untouched"}},
		"clock set back":          {"it must not make the wait longer", all(atRest, func(f *facts) { f.observed.Memory.FirstSeen = now.Add(time.Hour) }), looks},
		"clock a bit back":        {"nor by a moment", all(atRest, func(f *facts) { f.observed.Memory.FirstSeen = now.Add(time.Nanosecond) }), looks},
		"rolling":                 {"at rest until the renewal", all(noLook, restarted, rollsOver(5*time.Hour)), want{outcome: "Untouched"}},
		"renewal is due":          {"while no operator ran", all(noLook, restarted, rollsOver(time.Hour)), looks},
		"renewal is due soon":     {"that wakes it", all(noLook, restarted, rollsOver(2*time.Hour+jitter+time.Second)), want{outcome: "Untouched", after: time.Second}},
		"rolling, longer":         {"to be moved", all(noLook, restarted, rollsOver(5*time.Hour), wantsValidFor(12*time.Hour)), looks},
		"rolling, expired":        {"to be healed", all(noLook, restarted, rollsOver(-time.Second)), looks},
		"renewal is due, QKMS":    {"the warning is due", all(noLook, restarted, rollsOver(time.Hour), qkms), looks},
		"request echoed":          {"it was acted on before the restart", all(atRest, requested, echoed), want{outcome: "Untouched"}},
		"request served":          {"an import has served it", all(atRest, requested, served), want{outcome: "Untouched"}},
		"spec edited":             {"while no operator ran", all(atRest, func(f *facts) { f.desired.Generation = 4 }), looks},
		"no record":               {"a forged status alone keeps nobody waiting", all(atRest, func(f *facts) { f.observed.Record, f.observed.Ownership = nil, "Unclaimed" }), looks},
		"another owner":           {"the record is not this object's", all(atRest, foreign), looks},
		"nothing imported":        {"not settled", all(atRest, nothingImported), looks},
		"intent":                  {"the outcome is unknown", all(atRest, intent), looks},
		"expiry differs":          {"to be moved", all(atRest, wantsExpiry(30*day)), looks},
		"expired":                 {"to be healed or told", all(noLook, restarted, expires(-time.Second)), looks},
		"expired by the record":   {"whatever the status still shows", all(noLook, restarted, expires(-time.Second), reportedExpiry(day)), looks},
		"Secret rewritten":        {"while no operator ran", all(atRest, rewritten), looks},
		"Secret gone, as said":    {"the warning stands", all(atRest, secretGone, lastCondition("SourceMissing", "SecretNotFound")), want{outcome: "Untouched"}},
		"consent gone, as said":   {"the warning stands", all(atRest, rewritten, secret("NotConsenting"), lastCondition("SourceMissing", "SecretNotConsenting")), want{outcome: "Untouched"}},
		"Secret is back":          {"to be compared, though the last status had it missing", all(atRest, rewritten, lastCondition("SourceMissing", "SecretNotFound")), looks},
		"Secret gone":             {"a warning is due", all(atRest, secretGone), looks},
		"not ready":               {"it was not settled", all(atRest, lastReady("False")), looks},
		"unknown":                 {"it was not settled", all(atRest, lastReady("Unknown")), looks},
		"reconciling":             {"it was not settled", all(atRest, lastCondition("Reconciling", "Throttled")), looks},
		"stalled":                 {"it was not settled", all(atRest, lastCondition("Stalled", "MaterialChanged")), looks},
		"with a warning":          {"a warning leaves it settled", all(atRest, lastCondition("Expiring", "ExpiresSoon")), want{outcome: "Untouched"}},
		"key last seen disabled":  {"it was not usable", all(atRest, lastState("Disabled")), looks},
		"earlier expiry reported": {"another material has expired: Ready must not stay True", all(atRest, reportedExpiry(-time.Second)), looks},
	}.run(t)
}

func TestPriorities(t *testing.T) {
	waiting := state("Updating")
	cases := map[string]struct {
		reason string
		change change
		want   plan.Priority
	}{
		"empty key":                    {"urgent", all(firstImport, secret("Absent")), 50},
		"empty key, edited":            {"urgency beats edits", all(empty, age(time.Minute), unconfirmed, edited), 50},
		"empty, as last known":         {"urgent though KMS does not answer", all(lastState("PendingImport"), lookError("Throttled")), 50},
		"expires within a day":         {"urgent", expires(23 * time.Hour), 50},
		"expires in a day":             {"not yet", expires(day), -50},
		"rolling":                      {"it is renewed in time", rollsOver(5 * time.Hour), -50},
		"renewal is due":               {"a renewal", all(rollsOver(time.Hour+time.Second), secret("Absent")), -20},
		"renewal is overdue":           {"half of the time for it has passed", all(rollsOver(time.Hour-time.Second), secret("Absent")), 50},
		"rolling, for long":            {"never sooner than a day before", all(rolling364(25*time.Hour), secret("Absent")), -20},
		"rolling, for long, a day":     {"a day before", all(rolling364(23*time.Hour), secret("Absent")), 50},
		"reimport requested":           {"somebody is waiting", all(reimportRequested, waiting), 0},
		"reimport echoed":              {"nobody waits any more", all(reimportRequested, reimportEchoed, waiting), -50},
		"has expired":                  {"too late to be urgent", all(expires(-time.Second), held, state("Disabled")), -50},
		"edited":                       {"somebody is waiting", all(edited, waiting), 0},
		"never settled":                {"somebody is waiting", all(lookError("AccessDenied"), func(f *facts) { f.observed.Status.ObservedGeneration = nil }), 0},
		"requested":                    {"somebody is waiting", all(requested, waiting), 0},
		"request echoed":               {"nobody waits any more", all(requested, echoed, waiting), -50},
		"edited, expiry differs":       {"edits beat renewals", all(edited, wantsExpiry(30*day), secret("Absent")), 0},
		"expiry differs":               {"a renewal", all(wantsExpiry(30*day), secret("Absent")), -20},
		"routine":                      {"the rest", unchanged, -50},
		"settled, edited":              {"the answer is given", edited, -50},
		"settled, requested":           {"the answer is given", requested, -50},
		"settled, other expiry":        {"no renewal will follow", all(unconfirmed, marked, reportedExpiry(30*day)), -50},
		"settled, edited, expires":     {"urgent", all(edited, expires(23*time.Hour)), 50},
		"stalled":                      {"a person must act first", all(rewritten, otherMaterial), -50},
		"stalled, edited":              {"a person must act first", all(edited, rewritten, otherMaterial), -50},
		"stalled, requested":           {"a person must act first", all(requested, rewritten, otherMaterial), -50},
		"stalled, empty key":           {"a person must act first", all(empty, held), -50},
		"stalled, expires":             {"a person must act first", all(expires(23*time.Hour), rewritten, otherMaterial), -50},
		"stalled, expiry differs":      {"a person must act first", wantsExpiry(-day), -50},
		"suspended":                    {"a person must act first", all(suspended, noLook), -50},
		"suspended, edited":            {"a person must act first", all(suspended, noLook, edited), -50},
		"suspended, requested":         {"a person must act first", all(suspended, noLook, requested), -50},
		"suspended, empty key":         {"a person must act first", all(suspended, noLook, lastState("PendingImport")), -50},
		"suspended, expires":           {"a person must act first", all(suspended, noLook, expires(time.Hour)), -50},
		"routine, first sight":         {"the rest", all(noLook, restarted), -50},
		"never looked at successfully": {"nothing is known", all(lookError("Throttled"), func(f *facts) { f.observed.Status.Key = nil }), -50},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			step := changed(tc.change).next()
			if _, last := step.Action.(plan.Finish); !last || step.Priority != tc.want {
				t.Errorf("%s: got %d of %+v, want %d", tc.reason, step.Priority, step, tc.want)
			}
		})
	}
}

func TestUsability(t *testing.T) {
	failed := lookError("Throttled")
	failing := func(d time.Duration) change {
		return all(failed, func(f *facts) { f.observed.Memory.LastLook = now.Add(-d) })
	}
	unseen := func(f *facts) { f.observed.Status.Key = nil }
	noModel := func(f *facts) { f.observed.Look.Key.Expiry = kms.Expiry{} }
	cases := map[string]struct {
		reason string
		change change
		want   plan.Usability
	}{
		"settled":                        {"all facts are good", unchanged, "Usable"},
		"Updating":                       {"KMS: Updating permits cryptography", state("Updating"), "Usable"},
		"Updating, rotated elsewhere":    {"what can be used is not the Secret's", all(state("Updating"), func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "material-2" }), "Unusable"},
		"other key, rotated":             {"it is not this object's", all(otherKey, func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "material-2" }), "Usable"},
		"other key, was not ready":       {"it makes nothing better", all(otherKey, lastReady("False")), "Unusable"},
		"Disabled":                       {"KMS refuses to use it", state("Disabled"), "Unusable"},
		"PendingImport":                  {"empty", empty, "Unusable"},
		"no expiration model":            {"an enabled key has material, whatever KMS leaves out", noModel, "Usable"},
		"Updating, no expiration model":  {"nothing says that it has material", all(state("Updating"), noModel), "Unusable"},
		"failed look, no model":          {"the last facts stand", all(failed, func(f *facts) { f.observed.Status.ExpirationModel = "" }), "Usable"},
		"failed look, Updating, none":    {"the last facts stand", all(failed, lastState("Updating"), func(f *facts) { f.observed.Status.ExpirationModel = "" }), "Unusable"},
		"no record":                      {"nobody vouches", all(unchanged, func(f *facts) { f.observed.Record, f.observed.Ownership = nil, "Unclaimed" }), "Unusable"},
		"foreign":                        {"another object's record vouches for nothing here", foreign, "Unusable"},
		"ownerless":                      {"not taken over yet", func(f *facts) { f.observed.Ownership = "Ownerless" }, "Unusable"},
		"claim only":                     {"nothing imported", nothingImported, "Unusable"},
		"lengthened, was to be over":     {"KMS says that it is not", all(expires(-time.Second), reportedExpiry(day)), "Usable"},
		"expires in a second":            {"not yet", expires(time.Second), "Usable"},
		"expires now":                    {"over", expires(0), "Unusable"},
		"failed look":                    {"the last facts stand", failing(time.Minute), "Usable"},
		"failing for 3 resyncs":          {"the last facts stand", failing(30 * time.Minute), "Usable"},
		"failing for longer":             {"nobody knows any more", failing(30*time.Minute + time.Second), "Unknown"},
		"not looked at for longer":       {"nobody meant to: it is suspended, say", all(noLook, func(f *facts) { f.observed.Memory.LastLook = now.Add(-day) }), "Usable"},
		"obstructed for 3 resyncs":       {"the last facts stand", all(unread, func(f *facts) { f.observed.Memory.LastLook = now.Add(-30 * time.Minute) }), "Usable"},
		"obstructed for longer":          {"nobody knows any more", all(unread, func(f *facts) { f.observed.Memory.LastLook = now.Add(-31 * time.Minute) }), "Unknown"},
		"failing since a restart":        {"counted from then", all(failed, restarted), "Usable"},
		"failing since a long restart":   {"counted from then", all(failed, func(f *facts) { f.observed.Memory = plan.Memory{FirstSeen: now.Add(-31 * time.Minute)} }), "Unknown"},
		"failed look, never seen":        {"nothing is known", all(failed, unseen), "Unknown"},
		"failed look, was disabled":      {"the last facts stand", all(failed, lastState("Disabled")), "Unusable"},
		"failed look, has expired since": {"validTo needs no call", all(failing(time.Minute), expires(-time.Second)), "Unusable"},
		"failed look, was not ready":     {"stalled over its material, say: without a look nothing gets better", all(failed, lastReady("False")), "Unusable"},
		"failed look, was unknown":       {"without a look nothing gets better", all(failed, lastReady("Unknown")), "Unknown"},
		"failed look, no Ready":          {"nothing was ever said", all(failed, func(f *facts) { f.observed.Status.Conditions = nil }), "Unknown"},
		"failing for long, has expired":  {"the record knows when", all(failing(31*time.Minute), expires(-time.Second)), "Unusable"},
		"failing for long, will expire":  {"nobody knows any more", all(failing(31*time.Minute), expires(time.Hour)), "Unknown"},
		"look, was not ready":            {"a look makes it better", lastReady("False"), "Usable"},
		"not compared, was ready":        {"a new version of the Secret takes nothing away", rewritten, "Usable"},
		"not compared, was not ready":    {"nor does it make anything better", all(rewritten, lastReady("False")), "Unusable"},
		"not compared, was unknown":      {"nor does it make anything better", all(rewritten, lastReady("Unknown")), "Unknown"},
		"same bytes, was not ready":      {"a comparison makes it better", all(rewritten, sameMaterial, lastReady("False")), "Usable"},
		"other bytes, was not ready":     {"a comparison makes it no better", all(rewritten, otherMaterial, lastReady("False")), "Unusable"},
		"no Secret, was not ready":       {"there is nothing that differs", all(secret("Absent"), rewritten, lastReady("False")), "Usable"},
		"key gone":                       {"KMS has answered", lookError("NotFound"), "Unusable"},
		"no look":                        {"the last facts stand", noLook, "Usable"},
		"no look for long":               {"suspended for a day", all(noLook, func(f *facts) { f.observed.Memory.LastLook = now.Add(-day) }), "Usable"},
		"no look, expired":               {"validTo needs no call", all(noLook, expires(-time.Second)), "Unusable"},
		"no look, was not ready":         {"suspended while stalled", all(noLook, lastReady("False")), "Unusable"},
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
