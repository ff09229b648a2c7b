package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// moment is something that happens, and what the pass a minute later does and says.
type moment struct {
	what    func(*life)
	actions string // those that change the record or the key
	ready   string
}

// live goes through moments, one after the other.
func (l *life) live(t *testing.T, reason string, moments []moment) {
	t.Helper()
	for i, m := range moments {
		m.what(l)
		l.later(time.Minute)
		l.pass()
		if actions := strings.Join(l.told, " "); actions != m.actions {
			t.Errorf("%s: moment %d did %q, want %q", reason, i, actions, m.actions)
		}
		if ready := l.condition("Ready"); ready != m.ready {
			t.Errorf("%s: moment %d: Ready is %q, want %q", reason, i, ready, m.ready)
		}
	}
	l.report(t, reason)
}

// What may happen.

func nothing(*life) {}

// becomes is a key in this state: without its material when it is PendingImport.
func becomes(state kms.KeyState) func(*life) {
	return func(l *life) {
		if state == "PendingImport" {
			l.kms.state = "Enabled"
			l.kms.empty()
			return
		}
		l.kms.state = state
		if state == "Enabled" || state == "Disabled" {
			l.kms.moveExpiry(l.kms.materials[0].validTo)
		}
	}
}

func fails(class kms.ErrorClass) func(*life) { return func(l *life) { l.lookFault = class } }
func answers(l *life)                        { l.lookFault = "" }

func asksFor(at string) func(*life) { return func(l *life) { l.desired.Requests.Reimport = at } }

func suspends(l *life) { l.desired.Suspended = true }
func resumes(l *life)  { l.desired.Suspended = false }

func statusIsWiped(l *life) {
	generation := int64(-1)
	l.observed.Status = v1alpha1.KMSKeyImportStatus{ObservedGeneration: &generation}
}

// ownerChanges makes the object anew, with a manifest that still carries the request of the old one.
func ownerChanges(l *life) {
	statusIsWiped(l)
	restart(l)
	l.desired.UID, l.desired.Generation, l.desired.Requests.Reimport = "uid-2", 1, "from the old manifest"
	l.observed.Ownership = "Ownerless"
}

// A key that somebody disabled and emptied stays empty until a person decides, whatever happens in between.
func TestHoldOverSeveralPasses(t *testing.T) {
	const stays = "False HeldAfterDisable"
	emptied := []moment{{becomes("Disabled"), "HoldKey", "False KeyDisabled"}, {becomes("PendingImport"), "HoldKey", stays}}
	asked := moment{asksFor("now"), "LiftHold ImportMaterial", "True Imported"}
	cases := map[string]struct {
		reason string
		before []moment
		then   []moment
	}{
		"nothing":     {"it is said and not repeated", emptied, []moment{{nothing, "", stays}, {nothing, "", stays}, asked, {nothing, "", "True Imported"}}},
		"a failure":   {"a failed look forgets nothing", emptied, []moment{{fails("Throttled"), "", "False Throttled"}, {answers, "", stays}, asked}},
		"not found":   {"a key that comes back is the same", emptied, []moment{{fails("NotFound"), "", "False KeyNotFound"}, {answers, "", stays}, asked}},
		"updating":    {"it passes by itself and decides nothing", emptied, []moment{{becomes("Updating"), "", "False KeyUpdating"}, {becomes("PendingImport"), "", stays}, asked}},
		"unavailable": {"it passes by itself and decides nothing", emptied, []moment{{becomes("Unavailable"), "", "False KeyUnavailable"}, {becomes("PendingImport"), "", stays}, asked}},
		"in between": {
			"the key was empty only after another state", []moment{{becomes("Disabled"), "HoldKey", "False KeyDisabled"}},
			[]moment{{bothTurns(becomes("PendingImport"), becomes("Updating")), "", "False KeyUpdating"}, {fails("Unreachable"), "", "False KMSUnreachable"}, {bothTurns(answers, becomes("PendingImport")), "HoldKey", stays}, asked},
		},
		"suspended":     {"a pause decides nothing", emptied, []moment{{suspends, "", "False Suspended"}, {resumes, "", stays}, asked}},
		"a restart":     {"the record remembers", emptied, []moment{{restart, "", stays}, {nothing, "", stays}, asked}},
		"all at once":   {"the record remembers", emptied, []moment{{bothTurns(restart, fails("Throttled")), "", "False Throttled"}, {bothTurns(answers, statusIsWiped), "", stays}, asked}},
		"status wiped":  {"whoever can write it decides nothing", emptied, []moment{{statusIsWiped, "", stays}, {nothing, "", stays}, asked}},
		"a new owner":   {"whoever makes the object anew decides nothing", emptied, []moment{{ownerChanges, "", stays}, {nothing, "", stays}, {asksFor("now"), "ClaimRecord LiftHold ImportMaterial", "True Imported"}}},
		"asked already": {"an echoed request is about what was then", []moment{{asksFor("now"), "ImportMaterial", "True Imported"}, {becomes("PendingDeletion"), "HoldKey", "False KeyPendingDeletion"}, {becomes("PendingImport"), "HoldKey", stays}}, []moment{{asksFor("now"), "", stays}, {asksFor("later"), "LiftHold ImportMaterial", "True Imported"}}},
		"asked while disabled": {
			"that was about a key with material", []moment{{bothTurns(becomes("Disabled"), asksFor("now")), "HoldKey", "False KeyDisabled"}, {becomes("PendingImport"), "HoldKey", stays}},
			[]moment{{nothing, "", stays}, {asksFor("later"), "LiftHold ImportMaterial", "True Imported"}},
		},
		"asked while KMS is down": {"the request waits for a look", emptied, []moment{{bothTurns(fails("Throttled"), asksFor("now")), "", "False Throttled"}, {answers, "LiftHold ImportMaterial", "True Imported"}}},
		"enabled again":           {"whoever enabled it has decided", emptied[:1], []moment{{becomes("Enabled"), "LiftHold", "True Imported"}, {becomes("PendingImport"), "", "False Progressing"}, {nothing, "ImportMaterial", "True Imported"}}},
		"disabled again":          {"each time anew", emptied, []moment{asked, {becomes("Disabled"), "HoldKey", "False KeyDisabled"}, {becomes("PendingImport"), "HoldKey", stays}, {asksFor("later"), "LiftHold ImportMaterial", "True Imported"}}},
		"never disabled":          {"a plain loss is healed", nil, []moment{{becomes("PendingImport"), "", "False Progressing"}, {nothing, "ImportMaterial", "True Imported"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			newLife().live(t, tc.reason, append(append([]moment{}, tc.before...), tc.then...))
		})
	}
}

// A request is for one import, whether or not KMS shows it at once.
func TestOneImportForOneRequest(t *testing.T) {
	cases := map[string]struct {
		reason     string
		afterwards kms.ErrorClass
		ready      string
	}{
		"shown late":     {"the look after the import still shows an empty key", "", "False Progressing"},
		"look throttled": {"the import has served it, echoed or not", "Throttled", "True Imported"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLife()
			l.kms.lag, l.failLater = time.Hour, tc.afterwards
			l.live(t, tc.reason, []moment{
				{bothTurns(becomes("PendingImport"), asksFor("now")), "ImportMaterial", tc.ready}, {answers, "", "False Progressing"}, {nothing, "", "False Progressing"},
			})
		})
	}
}

// Where the spec says Hold, a key whose material somebody deleted stays empty until a person decides.
func TestDeletionIsHeldOverSeveralPasses(t *testing.T) {
	const stays, heals = "False MaterialDeleted", "LiftHold ImportMaterial"
	deleted := []moment{{becomes("PendingImport"), "", "False Progressing"}, {nothing, "HoldKey", stays}}
	asked := moment{asksFor("now"), heals, "True Imported"}
	reimport := func(l *life) { l.desired.HoldDeleted = false }
	passes := func(l *life) { l.later(7 * time.Hour) }
	cases := map[string]struct {
		reason string
		then   []moment
	}{
		"nothing":            {"it is said and not repeated", []moment{{nothing, "", stays}, {nothing, "", stays}, asked, {nothing, "", "True Imported"}}},
		"a failure":          {"a failed look forgets nothing", []moment{{fails("Throttled"), "", "False Throttled"}, {answers, "", stays}, asked}},
		"not found":          {"a key that comes back is the same", []moment{{fails("NotFound"), "", "False KeyNotFound"}, {answers, "", stays}, asked}},
		"updating":           {"it passes by itself and decides nothing", []moment{{becomes("Updating"), "", "False KeyUpdating"}, {becomes("PendingImport"), "", stays}, asked}},
		"suspended":          {"a pause decides nothing", []moment{{suspends, "", "False Suspended"}, {resumes, "", stays}, asked}},
		"a restart":          {"the record remembers", []moment{{restart, "", stays}, {nothing, "", stays}, asked}},
		"status wiped":       {"whoever can write it decides nothing", []moment{{statusIsWiped, "", stays}, {nothing, "", stays}, asked}},
		"expired since":      {"its time does not undo what a person did", []moment{{passes, "", stays}, {bothTurns(passes, restart), "", stays}, asked}},
		"edited":             {"another date is no decision", []moment{{edit(fixed(60 * day)), "", stays}, asked}},
		"a new owner":        {"whoever makes the object anew decides nothing", []moment{{ownerChanges, "", stays}, {asksFor("now"), "ClaimRecord LiftHold ImportMaterial", "True Imported"}}},
		"Reimport":           {"the spec has decided", []moment{{edit(reimport), "ImportMaterial", "True Imported"}}},
		"imported by hand":   {"whoever enabled it has decided", []moment{{becomes("Enabled"), "LiftHold", "True Imported"}}},
		"deleted again":      {"each time anew", []moment{asked, deleted[0], deleted[1], {asksFor("later"), heals, "True Imported"}}},
		"disabled by hand":   {"which outweighs it", []moment{{becomes("Disabled"), "HoldKey", "False KeyDisabled"}, {becomes("PendingImport"), "HoldKey", "False HeldAfterDisable"}, {edit(reimport), "", "False HeldAfterDisable"}, asked}},
		"asked, KMS down":    {"the request waits for a look", []moment{{bothTurns(fails("Throttled"), asksFor("now")), "", "False Throttled"}, {answers, heals, "True Imported"}}},
		"asked, suspended":   {"the request waits for the object", []moment{{bothTurns(suspends, asksFor("now")), "", "False Suspended"}, {resumes, heals, "True Imported"}}},
		"asked, no Secret":   {"the request waits for the Secret", []moment{{bothTurns(secretGoes, asksFor("now")), "LiftHold", "False SecretNotFound"}, {secretComes, "ImportMaterial", "True Imported"}}},
		"asked, answer lost": {"the request stands until an import is known", []moment{{bothTurns(asksFor("now"), loses), "LiftHold ImportMaterial", "False KMSUnreachable"}, {restart, "ImportMaterial", "True Imported"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLife()
			rolling(validFor)(l)
			importedUntil(time.Hour, 5*time.Hour, validFor)(l)
			l.desired.HoldDeleted = true
			l.live(t, tc.reason, append(append([]moment{}, deleted...), tc.then...))
		})
	}
}

func secretGoes(l *life)  { l.observed.Secret = plan.Secret{Presence: "Absent"} }
func secretComes(l *life) { l.observed.Secret = settledFacts().observed.Secret }

// loses is that the answer to the next import is lost, which was not made.
func loses(l *life) { l.faults = []kms.ErrorClass{"Unreachable"} }

// Material that is valid for a duration is imported again when its status says, and the key is never without.
func TestRenewals(t *testing.T) {
	for i := range 20 {
		l := newLife()
		l.desired.UID = uid(i)
		rolling(validFor)(l)
		importedUntil(0, validFor, validFor)(l)
		renewals := 0
		for l.observed.Now.Before(now.Add(2 * day)) {
			due := l.observed.Status.RenewalTime
			step := l.pass()
			renewed := l.cost.imports == 1
			if renewed != (due != nil && !l.observed.Now.Before(due.Time)) || step.Outcome != "Settled" || len(step.Warnings) != 0 {
				t.Fatalf("at %s, due %s: %+v, %+v", l.observed.Now, due, l.cost, step)
			}
			if renewed {
				renewals++
			}
			l.report(t, l.observed.Now.String())
			l.later(step.After)
		}
		if renewals < 11 || renewals > 12 { // every 4 hours, or up to 12 minutes sooner
			t.Errorf("%d renewals in two days", renewals)
		}
	}
}

// Where KMS imports only into an empty key, the material expires first, and is then imported again.
func TestRenewalsOnQKMS(t *testing.T) {
	l := newLife()
	kinds()[2].take(l)
	rolling(validFor)(l)
	importedUntil(0, validFor, validFor)(l)
	imports := 0
	for l.observed.Now.Before(now.Add(2 * day)) {
		step := l.pass()
		imports += l.cost.imports
		if l.condition("Ready") != "True Imported" || l.observed.Status.RenewalTime != nil || step.After <= 0 {
			t.Fatalf("at %s: Ready %s, renewal %s, %+v", l.observed.Now, l.condition("Ready"), l.observed.Status.RenewalTime, step)
		}
		l.report(t, l.observed.Now.String())
		l.later(step.After)
	}
	if imports != 7 { // the eighth is due when the two days are over
		t.Errorf("%d imports in two days", imports)
	}
}
