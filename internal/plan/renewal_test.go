package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// jitter is how much earlier than two hours before their expiry the UID of these facts has renewals made.
const jitter = time.Minute + 37*time.Second

func renewalTime(f *facts) time.Time { return plan.RenewalTime(f.desired, f.observed) }

// A renewal is early by at most a tenth of renewBefore, never late, and each object keeps its own time.
func TestRenewalsAreSpread(t *testing.T) {
	cases := map[string]struct {
		reason                       string
		validFor, renewBefore, limit time.Duration
	}{
		"a quarter":   {"a tenth of renewBefore", 2160 * time.Hour, 720 * time.Hour, 72 * time.Hour},
		"short":       {"a tenth of renewBefore", 10 * time.Minute, 3 * time.Minute, 18 * time.Second},
		"close":       {"never so early that the next is due when this one is done", 10 * time.Hour, 10*time.Hour - time.Minute, 30 * time.Second},
		"the least":   {"a tenth of renewBefore", 10 * time.Minute, time.Minute, 6 * time.Second},
		"the longest": {"a tenth of renewBefore", 8736 * time.Hour, 8000 * time.Hour, 368 * time.Hour},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := changed(rollsOver(tc.validFor))
			f.desired.ValidFor, f.desired.RenewBefore = tc.validFor, tc.renewBefore
			latest := now.Add(tc.validFor - tc.renewBefore)
			times, early, late := map[time.Time]bool{}, 0, 0
			for i := range 1000 {
				f.desired.UID = uid(i)
				at := renewalTime(f)
				if at.After(latest) || !at.After(latest.Add(-tc.limit)) {
					t.Fatalf("%s: renewed at %s, want up to %s before %s", tc.reason, at, tc.limit, latest)
				}
				if again := renewalTime(f); !again.Equal(at) || !at.Equal(at.Truncate(time.Second)) {
					t.Fatalf("renewed at %s and then at %s, want a whole second that stays", at, again)
				}
				times[at] = true
				if at.Before(latest.Add(-tc.limit / 4 * 3)) {
					early++
				}
				if at.After(latest.Add(-tc.limit / 4)) {
					late++
				}
			}
			if len(times) < min(int(tc.limit/time.Second), 900) || early < 150 || late < 150 {
				t.Errorf("%d different times, %d in the first quarter, %d in the last", len(times), early, late)
			}
		})
	}
}

func TestRenewalTime(t *testing.T) {
	rolls := rollsOver(5 * time.Hour)
	at := now.Add(3*time.Hour - jitter)
	never := time.Time{}
	cases := map[string]struct {
		reason string
		change change
		want   time.Time
	}{
		"rolling":              {"two hours before the expiry, and a little more", rolls, at},
		"overdue":              {"it was to be", rollsOver(time.Hour), now.Add(-time.Hour - jitter)},
		"expired":              {"it was to be", rollsOver(-time.Hour), now.Add(-3*time.Hour - jitter)},
		"renewBefore moved":    {"the spec counts, without another import", all(rolls, func(f *facts) { f.desired.RenewBefore = time.Hour }), now.Add(4*time.Hour - 48*time.Second)},
		"lengthened":           {"what was imported counts", all(rolls, reportedExpiry(day)), at},
		"shortened":            {"what was imported counts", all(rolls, reportedExpiry(time.Hour)), at},
		"disabled":             {"it stands, though it may have to wait", all(rolls, held, state("Disabled")), at},
		"look failed":          {"it stands", all(rolls, lookError("Throttled")), at},
		"failing for long":     {"it stands", all(rolls, lookError("Throttled"), func(f *facts) { f.observed.Memory.LastLook = now.Add(-time.Hour) }), at},
		"no look":              {"it stands", all(rolls, noLook), at},
		"other key":            {"it stands", all(rolls, otherKey), at},
		"Hold":                 {"nobody has shortened it", all(rolls, hold), at},
		"Hold, lengthened":     {"nobody has shortened it", all(rolls, hold, reportedExpiry(day), contradictedFor(day)), at},
		"Hold, shortened once": {"not known yet", all(rolls, hold, reportedExpiry(time.Hour)), at},
		"Hold, shortened":      {"which stands until a person decides", all(rolls, hold, reportedExpiry(time.Hour), contradictedFor(day)), never},
		"fixed":                {"a date is not renewed", expires(30 * day), never},
		"permanent":            {"there is nothing to renew", unchanged, never},
		"now rolling, fixed":   {"it is imported at once; until then by the date it has", all(expires(30*day), wantsValidFor(6*time.Hour)), now.Add(30*day - 2*time.Hour - jitter)},
		"now rolling":          {"it is imported at once", wantsValidFor(6 * time.Hour), never},
		"now fixed":            {"a date is not renewed", all(rolls, wantsExpiry(30*day)), never},
		"suspended":            {"nothing is imported", all(rolls, suspended, noLook), never},
		"QKMS":                 {"it expires first", all(onQKMS, rolls), never},
		"empty":                {"it is healed, or held", all(rolls, empty), never},
		"empty, as last known": {"it is healed, or held", all(rolls, lastState("PendingImport"), lookError("Throttled")), never},
		"key gone":             {"there is nothing to renew", all(rolls, lookError("NotFound")), never},
		"nothing imported":     {"there is nothing to renew", all(wantsValidFor(6*time.Hour), nothingImported), never},
		"first import":         {"there is nothing to renew", all(firstImport, wantsValidFor(6*time.Hour)), never},
		"foreign":              {"another object's", all(rolls, foreign), never},
		"ownerless":            {"not taken over yet", all(rolls, ownerless), never},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := renewalTime(changed(tc.change)); !got.Equal(tc.want) {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestRenewalDue(t *testing.T) {
	renews := does(rollingReimport())
	due := rollsOver(2*time.Hour + jitter)
	const renewBefore = 2 * time.Hour
	cases{
		"a second early":         {"the timer is set", rollsOver(renewBefore + jitter + time.Second), settles().within(time.Second)},
		"at its time":            {"the same material again, for as long again", due, renews},
		"an hour late":           {"as soon as may be", rollsOver(time.Hour), renews},
		"expired, still there":   {"KMS is late", rollsOver(-time.Second), renews},
		"expired":                {"healed at once", all(rollsOver(-time.Second), empty), renews},
		"not reported":           {"by the record", all(due, unreportedExpiry), renews},
		"lengthened":             {"it ends with the renewal", all(due, reportedExpiry(day), contradictedFor(day)), renews},
		"renewBefore moved":      {"which makes it due", all(rollsOver(5*time.Hour), func(f *facts) { f.desired.RenewBefore = 5*time.Hour + time.Minute }), renews},
		"propagating":            {"the expiry before is shown: an import of just now is not repeated", all(rollsOver(6*time.Hour), reportedExpiry(time.Hour), age(0), unconfirmed), progresses(5 * time.Second)},
		"never shown":            {"another material expires first, and ours is renewed all the same", all(due, reportedExpiry(time.Hour), unconfirmed, marked), renews},
		"no Secret":              {"now it is needed", all(due, secret("Absent")), waits("SecretNotFound")},
		"Secret rewritten":       {"compared first", all(due, rewritten), does(plan.InspectMaterial{})},
		"other bytes":            {"never", all(due, rewritten, otherMaterial), stalls("MaterialChanged")},
		"disabled":               {"an import might enable the key", all(due, held, state("Disabled")), waits("KeyDisabled")},
		"suspended":              {"nothing is imported", all(due, suspended, noLook), isSuspended()},
		"not its turn":           {"no renewal is in such a hurry", all(due, func(f *facts) { f.observed.TurnIn = time.Second }), progresses(time.Second)},
		"throttled":              {"not twice in a pass", all(due, attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "Throttled"})), retries("Throttled")},
		"refused before":         {"what was refused for good is not sent again, at whatever moment", all(due, refusedBefore(rollingReimport())), stalls("MaterialMismatch")},
		"refused before, fixed":  {"that was another import", all(due, refusedBefore(reimportAction())), renews},
		"superseded":             {"no import into a key that has moved on", all(due, func(f *facts) { f.observed.Look.Key.CurrentKeyMaterialID = "material-2" }), stalls("MaterialSuperseded")},
		"Hold":                   {"nobody has taken anything back", all(due, hold), renews},
		"Hold, shortened":        {"which stands until a person decides", all(due, hold, reportedExpiry(time.Hour), contradictedFor(day)), settles("Expiring ExpiryShortened")},
		"Hold, shortened, asked": {"a person has decided", all(due, hold, reportedExpiry(time.Hour), contradictedFor(day), reimportRequested), renews},
		"QKMS":                   {"said, and left for an empty key", all(onQKMS, due), settles("RenewalNeedsInterruption NoImportOverMaterial", "Expiring ExpiresSoon")},
		"QKMS, expired":          {"KMS is late", all(onQKMS, rollsOver(-time.Second)), progresses(time.Minute)},
		"foreign":                {"another object's", all(due, foreign), stalls("KeyConflict")},
	}.run(t)
}

// refusedBefore is an import that KMS has refused for good.
func refusedBefore(action plan.ImportMaterial) change {
	return func(f *facts) {
		action.Expiry.ValidTo = action.Expiry.ValidTo.Add(-time.Minute)
		f.observed.Memory.Refusal = plan.Refusal{Import: action, Secret: materialImport("Import").Secret, Err: &kms.Error{Class: "MaterialRefused"}}
	}
}

// The spec asks for another expiry than was imported.
func TestRollingExpiryFollowsTheSpec(t *testing.T) {
	rolls := rollsOver(5 * time.Hour)
	longer := reimportUntil(12 * time.Hour)
	longer.ValidFor = 12 * time.Hour
	permanent := func(f *facts) {
		f.desired.Expiry, f.desired.ValidFor, f.desired.RenewBefore = kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, 0, 0
	}
	fixed := func(ahead time.Duration) change { return all(permanent, wantsExpiry(ahead)) }
	recordedFor := func(validFor time.Duration) change {
		return func(f *facts) { f.observed.Record.Imported.ValidFor = &metav1.Duration{Duration: validFor} }
	}
	interrupted := settles("RenewalNeedsInterruption NoImportOverMaterial", "Expiring ExpiresSoon")
	cases{
		"as imported":               {"nothing to do until the renewal", rolls, settles()},
		"longer":                    {"moved", all(rolls, wantsValidFor(12*time.Hour)), does(longer)},
		"shorter before":            {"moved", all(rolls, recordedFor(5*time.Hour)), does(rollingReimport())},
		"a second":                  {"any difference counts", all(rolls, recordedFor(6*time.Hour+time.Second)), does(rollingReimport())},
		"now permanent":             {"moved", all(rolls, permanent), does(reimportAction())},
		"now fixed":                 {"moved", all(rolls, fixed(30*day)), does(reimportUntil(30 * day))},
		"now fixed, same date":      {"it is what it is", all(rolls, fixed(5*time.Hour)), settles("Expiring ExpiresSoon")},
		"was permanent":             {"moved", wantsValidFor(6 * time.Hour), does(rollingReimport())},
		"was fixed":                 {"moved", all(expires(30*day), wantsValidFor(6*time.Hour)), does(rollingReimport())},
		"was fixed, as it would be": {"which was not said to be renewed", all(expires(6*time.Hour), wantsValidFor(6*time.Hour)), does(rollingReimport())},
		"first import": {"from now on", all(firstImport, wantsValidFor(6*time.Hour)), does(func() plan.Action {
			action := importUntil(6 * time.Hour)
			action.ValidFor = 6 * time.Hour
			return action
		}())},
		"in another zone": {"UTC, in whole seconds", all(firstImport, wantsValidFor(6*time.Hour), inAnotherZone), does(func() plan.Action {
			action := importUntil(6 * time.Hour)
			action.ValidFor = 6 * time.Hour
			return action
		}())},
		"longer, Hold, shortened": {"an edit is later than that", all(rolls, hold, reportedExpiry(time.Hour), contradictedFor(day), wantsValidFor(12*time.Hour)), does(longer)},
		"longer, propagating":     {"the spec is never kept waiting", all(rolls, reportedExpiry(time.Hour), age(0), unconfirmed, wantsValidFor(12*time.Hour)), does(longer)},
		"longer, QKMS":            {"said, and left for an empty key", all(onQKMS, rolls, wantsValidFor(12*time.Hour)), interrupted.warning("spec.expiration asks for another expiry")},
		"overdue, QKMS":           {"said, and left for an empty key", all(onQKMS, rollsOver(time.Hour)), interrupted.warning("the material is to be renewed, which this KMS does only by an import into an empty key")},
	}.run(t)
}

// inAnotherZone is the same moment, and a fraction of a second more.
func inAnotherZone(f *facts) {
	f.observed.Now = now.Add(time.Second / 2).In(time.FixedZone("east", 2*60*60))
}

// Somebody has moved the expiry in KMS.
func TestMovedExpiry(t *testing.T) {
	rolls := rollsOver(5 * time.Hour)
	twice := contradictedFor(5 * time.Second)
	const earlier = time.Hour
	forgets := func(f *facts) { f.observed.Memory = plan.Memory{FirstSeen: now, LastLook: now} }
	known := lastCondition("Expiring", "ExpiryShortened")
	held := settles("Expiring ExpiryShortened")
	permanently := func(f *facts) { f.observed.Look.Key.Expiry = kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"} }
	cases{
		"rolling, shortened once":      {"look again in 5 s", all(rolls, reportedExpiry(earlier)), progresses(5 * time.Second)},
		"rolling, shortened":           {"corrected", all(rolls, reportedExpiry(earlier), twice), does(rollingReimport())},
		"rolling, shortened by 1 s":    {"corrected", all(rolls, reportedExpiry(5*time.Hour-time.Second), twice), does(rollingReimport())},
		"rolling, lengthened once":     {"left until the renewal", all(rolls, reportedExpiry(day)), settles()},
		"rolling, lengthened":          {"left until the renewal", all(rolls, reportedExpiry(day), twice), settles()},
		"rolling, now permanent":       {"left until the renewal", all(rolls, permanently, twice), settles()},
		"rolling, lengthened, asked":   {"a person has asked for it", all(rolls, reportedExpiry(day), twice, reimportRequested), does(rollingReimport())},
		"fixed, shortened":             {"corrected", all(expires(30*day), reportedExpiry(day), twice), does(reimportUntil(30 * day))},
		"fixed, lengthened":            {"corrected", all(expires(30*day), reportedExpiry(60*day), twice), does(reimportUntil(30 * day))},
		"fixed, now permanent":         {"corrected", all(expires(30*day), permanently, twice), does(reimportUntil(30 * day))},
		"permanent, shortened":         {"corrected", all(reportedExpiry(30*day), twice), does(reimportAction())},
		"Hold, rolling, once":          {"look again in 5 s", all(rolls, hold, reportedExpiry(earlier)), progresses(5 * time.Second)},
		"Hold, rolling":                {"said, and how to go on", all(rolls, hold, reportedExpiry(earlier), twice), held.warning("kms.keyimport.dev/reimport-requested-at")},
		"Hold, fixed":                  {"likewise", all(expires(30*day), hold, reportedExpiry(20*day), twice), held},
		"Hold, permanent":              {"likewise, however far ahead", all(hold, reportedExpiry(300*day), twice), held},
		"Hold, fixed, lengthened":      {"nobody has taken anything back", all(expires(30*day), hold, reportedExpiry(60*day), twice), does(reimportUntil(30 * day))},
		"Hold, once, asked for a look": {"a person says that it is a fact", all(rolls, hold, reportedExpiry(earlier), requested), held},
		"Hold, asked for a look":       {"a look confirms it", all(rolls, hold, reportedExpiry(earlier), twice, requested), held},
		"Hold, asked":                  {"a person has decided", all(rolls, hold, reportedExpiry(earlier), twice, reimportRequested), does(rollingReimport())},
		"Hold, known, restarted":       {"the status remembers", all(rolls, hold, reportedExpiry(earlier), known, forgets), held},
		"Hold, known, look failed":     {"until a look says otherwise", all(rolls, hold, reportedExpiry(earlier), known, lookError("Throttled")), retries("Throttled").with("Expiring ExpiryShortened")},
		"Hold, not known, look failed": {"a failed look finds nothing out", all(rolls, hold, lookError("Throttled")), retries("Throttled").with()},
		"Hold, known, suspended":       {"until a look says otherwise", all(rolls, hold, reportedExpiry(earlier), known, suspended, noLook), isSuspended().with("Suspended Suspended", "Expiring ExpiryShortened")},
		"Hold, known, corrected":       {"a look says otherwise", all(rolls, hold, known), settles()},
		"Hold, known, propagating":     {"an import that was asked for corrects it", all(rolls, hold, reportedExpiry(earlier), known, age(time.Minute), unconfirmed), progresses(time.Minute).with()},
		"Reimport, known":              {"the spec has decided", all(rolls, reportedExpiry(earlier), known, twice), does(rollingReimport())},
		"other reason known":           {"that is about something else", all(rolls, hold, reportedExpiry(earlier), lastCondition("Expiring", "ExpiresSoon"), forgets), progresses(5 * time.Second)},
		"Hold, never shown":            {"another material expires first", all(rolls, hold, reportedExpiry(earlier), unconfirmed, marked), settles("OtherMaterialExpires EarlierExpiry", "Expiring ExpiresSoon")},
		"Hold, empty, expiry shown":    {"what is gone has been deleted", all(rolls, hold, heldDeleted, reportedExpiry(earlier), twice), stalls("MaterialDeleted").with("Expiring ExpiresSoon")},
		"Hold, never shown, waiting":   {"another material's, whatever a person asks for", all(rolls, hold, reportedExpiry(earlier), unconfirmed, marked, reimportRequested, state("Updating")), waits("KeyUpdating").with("OtherMaterialExpires EarlierExpiry", "Expiring ExpiresSoon")},
		"Hold, foreign":                {"another object's", all(rolls, hold, reportedExpiry(earlier), twice, foreign), stalls("KeyConflict").with()},
		"Hold, passed":                 {"no longer a warning: KMS is about to delete it", all(rolls, hold, reportedExpiry(-time.Second), twice), progresses(time.Minute).with()},
	}.run(t)
}

func TestRemedies(t *testing.T) {
	expiring := func(w want, part string) want {
		return w.with("Expiring ExpiresSoon").warning("will not be renewed: " + part)
	}
	rolls := rollsOver(3 * time.Hour)
	turn := func(f *facts) { f.observed.TurnIn = time.Second }
	throttled := attempt(1, &kms.Error{Operation: "ImportKeyMaterial", Class: "Throttled"})
	cases{
		"suspended":                  {"nothing is renewed", all(rolls, suspended, noLook), isSuspended().with("Suspended Suspended", "Expiring ExpiresSoon").saying("remove spec.suspend")},
		"stalled":                    {"a person must act first", all(rolls, rewritten, otherMaterial), expiring(stalls("MaterialChanged"), "do first what the condition Stalled says")},
		"waiting":                    {"for what, is said", all(rolls, state("Updating")), expiring(waits("KeyUpdating"), "do first what the condition Reconciling says")},
		"denied":                     {"it will not pass by itself", all(rolls, lookError("AccessDenied")), expiring(retries("AccessDenied"), "do first what the condition Reconciling says")},
		"throttled":                  {"it passes by itself", all(rolls, lookError("Throttled")), retries("Throttled").with()},
		"throttled, overdue":         {"it should have passed", all(rollsOver(time.Hour), throttled), expiring(retries("Throttled"), "do first what the condition Reconciling says")},
		"throttled, to be moved":     {"it should have passed", all(rolls, wantsValidFor(12*time.Hour), throttled), expiring(retries("Throttled"), "do first what the condition Reconciling says")},
		"fixed":                      {"a date is not renewed", expires(day), expiring(settles(), "set a later spec.expiration.validTo, or remove expiration")},
		"fixed, moved elsewhere":     {"it is about to be corrected", all(expires(30*day), reportedExpiry(day)), progresses(5 * time.Second).with()},
		"QKMS":                       {"it expires first, unless somebody acts", all(onQKMS, rolls), settles("RenewalNeedsInterruption NoImportOverMaterial", "Expiring ExpiresSoon")},
		"no Secret":                  {"without which nothing is renewed", all(rolls, secret("Absent")), settles("SourceMissing SecretNotFound", "Expiring ExpiresSoon")},
		"another material":           {"which expires first", all(rolls, reportedExpiry(time.Hour), unconfirmed, marked), settles("OtherMaterialExpires EarlierExpiry", "Expiring ExpiresSoon")},
		"renewed in time":            {"nothing to warn of", rolls, settles()},
		"turn to wait for":           {"nothing to warn of", all(rollsOver(time.Hour), turn), progresses(time.Second).with()},
		"turn, after a failure":      {"it should have passed, and still has not", all(rollsOver(time.Hour), turn, lastCondition("Expiring", "ExpiresSoon")), expiring(progresses(time.Second), "do first what the condition Reconciling says")},
		"turn, another warning":      {"which was about something else", all(rollsOver(time.Hour), turn, lastCondition("Expiring", "ExpiryShortened")), progresses(time.Second).with()},
		"turn, not overdue":          {"nothing to warn of", all(rolls, reimportRequested, turn, lastCondition("Expiring", "ExpiresSoon")), progresses(time.Second).with()},
		"suspended, 14 days":         {"the first", all(suspended, rolling364(14*day), noLook), isSuspended().with("Suspended Suspended", "Expiring ExpiresSoon")},
		"suspended, 14 days and 1 s": {"not yet", all(suspended, rolling364(14*day+time.Second), noLook), isSuspended().with("Suspended Suspended")},
	}.run(t)
	for name, tc := range map[string]struct {
		reason string
		change change
		want   string
	}{
		"QKMS":             {"the last of two warnings", all(onQKMS, rolls), "the material expires within 1 day and will not be renewed: this KMS imports only into an empty key, so it is imported again when it has expired"},
		"no Secret":        {"the last of two warnings", all(rolls, secret("Absent")), "the material expires within 1 day and will not be renewed: put its Secret back"},
		"another material": {"the last of two warnings", all(rolls, reportedExpiry(time.Hour), unconfirmed, marked), "the material expires within 1 day and will not be renewed: see the condition OtherMaterialExpires"},
		"suspended":        {"the last of two warnings", all(rolls, suspended, noLook), "the material expires within 1 day and will not be renewed: remove spec.suspend"},
		"suspended, 2":     {"the message changes", all(suspended, rolling364(2*day), noLook), "the material expires within 2 days and will not be renewed: remove spec.suspend"},
	} {
		t.Run(name+", message", func(t *testing.T) {
			warnings := changed(tc.change).next().Warnings
			if len(warnings) != 2 || warnings[1].Message != tc.want {
				t.Errorf("%s: got %+v, want %q", tc.reason, warnings, tc.want)
			}
		})
	}
}

// rolling364 is material that is valid for a long time.
func rolling364(ahead time.Duration) change {
	return func(f *facts) {
		rollsOver(ahead)(f)
		f.desired.ValidFor, f.desired.RenewBefore = 364*day, 30*day
		f.observed.Record.Imported.ValidFor = &metav1.Duration{Duration: 364 * day}
	}
}
