package status_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
	"github.com/keyimport-dev/kms-key-import-operator/internal/status"
)

// life is an object over several passes: its record, its status and what a process remembers are what the last pass
// left behind.
type life struct {
	*end
	key        kms.Key        // as KMS has it
	fault      kms.ErrorClass // of the next looks
	stale      bool           // KMS does not show an import at once
	afterwards kms.ErrorClass // of the looks after an import
}

// moment is something that happens, and what the pass after it does and says.
type moment struct {
	what    func(*life)
	actions string // those that change the record or the key
	ready   string
}

// pass is one pass: what the executor does, without its clients.
func (l *life) pass(t *testing.T) string {
	t.Helper()
	l.observed.Now = l.observed.Now.Add(time.Minute)
	l.observed.Look, l.observed.Material, l.observed.Attempt = nil, nil, nil
	var actions []string
	for range 10 {
		step := plan.Next(l.desired, l.observed)
		if _, last := step.Action.(plan.Finish); last {
			l.step = &step
			assertInvariants(t, l.end)
			l.observed.Status, l.step = status.Apply(l.desired, l.observed, step), nil
			return strings.Join(actions, " ")
		}
		if action := l.execute(step.Action); action != "" {
			actions = append(actions, action)
		}
	}
	t.Fatalf("the pass does not end: %v", actions)
	return ""
}

func (l *life) execute(action plan.Action) string {
	if l.observed.Record != nil {
		l.observed.Record = l.observed.Record.DeepCopy()
	}
	switch action := action.(type) {
	case plan.Finish, plan.AcceptSecretVersion:
	case plan.Look:
		l.look()
	case plan.InspectMaterial:
		l.observed.Material = &plan.Material{Fingerprint: "fingerprint-1", Comparable: true}
	case plan.ClaimRecord:
		l.observed.Ownership = "Mine"
		return "ClaimRecord"
	case plan.HoldKey:
		l.observed.Record.Hold = &v1alpha1.KeyHold{KeyState: string(l.observed.Look.Key.State), Time: metav1.NewTime(l.observed.Now)}
		return "HoldKey"
	case plan.LiftHold:
		l.observed.Record.Hold = nil
		return "LiftHold"
	case plan.ConfirmImport:
		intent := l.observed.Record.Intent
		l.observed.Record.Imported = &v1alpha1.ImportedMaterial{MaterialImport: intent.MaterialImport, Time: intent.Time}
		l.observed.Record.Intent = nil
		return "ConfirmImport"
	case plan.ImportMaterial:
		l.imported(action)
		return "ImportMaterial"
	}
	return ""
}

func (l *life) look() {
	if l.fault != "" {
		l.observed.Look = &plan.LookResult{Err: &kms.Error{Operation: "DescribeKey", Class: l.fault, Code: "SomeException"}}
		return
	}
	l.observed.Look = &plan.LookResult{Key: l.key}
	memory := &l.observed.Memory
	memory.LastLook = l.observed.Now
	if l.observed.Ownership != "Mine" || l.observed.Record.Imported == nil {
		return
	}
	if imported := *l.observed.Record.Imported; plan.Agrees(imported, l.key) {
		memory.Confirmed, memory.ContradictedSince = imported.Time.Time, time.Time{}
	} else if memory.ContradictedSince.IsZero() {
		memory.ContradictedSince = l.observed.Now
	}
}

func (l *life) imported(action plan.ImportMaterial) {
	if l.observed.Record == nil {
		l.observed.Record = &v1alpha1.KMSKeyRecord{KeyARN: l.key.ARN}
	}
	imported := settledEnd().observed.Record.Imported
	imported.Operation, imported.Time = action.Operation, metav1.NewTime(l.observed.Now)
	l.observed.Record.Imported, l.observed.Ownership = imported, "Mine"
	l.observed.Memory.ImportedHere, l.observed.Memory.ServedRequest = l.observed.Now, l.desired.RequestedAt
	l.observed.Memory.Confirmed, l.observed.Memory.ContradictedSince = time.Time{}, time.Time{}
	l.observed.Attempt, l.observed.Look = &plan.ImportAttempt{Tries: 1}, nil
	l.fault = l.afterwards
	if !l.stale {
		l.key.State, l.key.Expiry = "Enabled", action.Expiry
	}
}

// What may happen.

func nothing(*life) {}

func becomes(state kms.KeyState) func(*life) {
	return func(l *life) {
		l.key.State, l.key.Expiry = state, kms.Expiry{}
		if state == "Enabled" || state == "Disabled" {
			l.key.Expiry = kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}
		}
	}
}

func fails(class kms.ErrorClass) func(*life) { return func(l *life) { l.fault = class } }
func answers(l *life)                        { l.fault = "" }

func restarts(l *life) { l.observed.Memory = plan.Memory{FirstSeen: l.observed.Now} }

func asks(at string) func(*life) { return func(l *life) { l.desired.RequestedAt = at } }

func suspends(l *life) { l.desired.Suspended = true }
func resumes(l *life)  { l.desired.Suspended = false }

func statusIsWiped(l *life) {
	generation := int64(-1)
	l.observed.Status = v1alpha1.KMSKeyImportStatus{ObservedGeneration: &generation}
}

// ownerChanges makes the object anew, with a manifest that still carries the request of the old one.
func ownerChanges(l *life) {
	statusIsWiped(l)
	restarts(l)
	l.desired.UID, l.desired.Generation, l.desired.RequestedAt = "uid-2", 1, "from the old manifest"
	l.observed.Ownership = "Ownerless"
}

func both(first, second func(*life)) func(*life) {
	return func(l *life) { first(l); second(l) }
}

// A key that somebody disabled and emptied stays empty until a person decides, whatever happens in between.
func TestHoldOverSeveralPasses(t *testing.T) {
	const stays = "False HeldAfterDisable"
	emptied := []moment{{becomes("Disabled"), "HoldKey", "False KeyDisabled"}, {becomes("PendingImport"), "", stays}}
	asked := moment{asks("now"), "LiftHold ImportMaterial", "True Imported"}
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
			[]moment{{becomes("Updating"), "", "False KeyUpdating"}, {fails("Unreachable"), "", "False KMSUnreachable"}, {both(answers, becomes("PendingImport")), "", stays}, asked},
		},
		"suspended":     {"a pause decides nothing", emptied, []moment{{suspends, "", "False Suspended"}, {resumes, "", stays}, asked}},
		"a restart":     {"the record remembers", emptied, []moment{{restarts, "", stays}, {nothing, "", stays}, asked}},
		"all at once":   {"the record remembers", emptied, []moment{{both(restarts, fails("Throttled")), "", "False Throttled"}, {both(answers, statusIsWiped), "", stays}, asked}},
		"status wiped":  {"whoever can write it decides nothing", emptied, []moment{{statusIsWiped, "", stays}, {nothing, "", stays}, asked}},
		"a new owner":   {"whoever makes the object anew decides nothing", emptied, []moment{{ownerChanges, "", stays}, {nothing, "", stays}, {asks("now"), "ClaimRecord LiftHold ImportMaterial", "True Imported"}}},
		"asked already": {"an echoed request is about what was then", []moment{{asks("now"), "", "True Imported"}, {becomes("PendingDeletion"), "HoldKey", "False KeyPendingDeletion"}, {becomes("PendingImport"), "", stays}}, []moment{{asks("now"), "", stays}, {asks("later"), "LiftHold ImportMaterial", "True Imported"}}},
		"asked while disabled": {
			"that was about a key with material", []moment{{both(becomes("Disabled"), asks("now")), "HoldKey", "False KeyDisabled"}, {becomes("PendingImport"), "", stays}},
			[]moment{{nothing, "", stays}, {asks("later"), "LiftHold ImportMaterial", "True Imported"}},
		},
		"asked while KMS is down": {"the request waits for a look", emptied, []moment{{both(fails("Throttled"), asks("now")), "", "False Throttled"}, {answers, "LiftHold ImportMaterial", "True Imported"}}},
		"enabled again":           {"whoever enabled it has decided", emptied[:1], []moment{{becomes("Enabled"), "LiftHold", "True Imported"}, {becomes("PendingImport"), "", "False Progressing"}, {nothing, "ImportMaterial", "True Imported"}}},
		"disabled again":          {"each time anew", emptied, []moment{asked, {becomes("Disabled"), "HoldKey", "False KeyDisabled"}, {becomes("PendingImport"), "", stays}, {asks("later"), "LiftHold ImportMaterial", "True Imported"}}},
		"never disabled":          {"a plain loss is healed", nil, []moment{{becomes("PendingImport"), "", "False Progressing"}, {nothing, "ImportMaterial", "True Imported"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := settledEnd()
			live(t, tc.reason, &life{end: e, key: e.observed.Look.Key}, append(append([]moment{}, tc.before...), tc.then...))
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
			e := settledEnd()
			l := &life{end: e, key: e.observed.Look.Key, stale: true, afterwards: tc.afterwards}
			live(t, tc.reason, l, []moment{
				{both(becomes("PendingImport"), asks("now")), "ImportMaterial", tc.ready}, {answers, "", "False Progressing"}, {nothing, "", "False Progressing"},
			})
		})
	}
}

func live(t *testing.T, reason string, l *life, moments []moment) {
	t.Helper()
	for i, m := range moments {
		m.what(l)
		if actions := l.pass(t); actions != m.actions {
			t.Errorf("%s: moment %d did %q, want %q", reason, i, actions, m.actions)
		}
		if ready := condition(l.observed.Status, "Ready"); ready != m.ready {
			t.Errorf("%s: moment %d: Ready is %q, want %q", reason, i, ready, m.ready)
		}
	}
}
