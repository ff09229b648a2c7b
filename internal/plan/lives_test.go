package plan_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// A turn is one thing that may be so, or may happen, in a life.
type turn struct {
	name string
	take func(*life)
}

// lives are every combination of what a key and its object may be like, and of what may happen to them.
func lives() [][]turn {
	return [][]turn{kinds(), policies(), expirations(), beginnings(), sources(), events(), events()}
}

// newLife is settled facts and a key that is as they say.
func newLife() *life {
	f := settledFacts()
	fixed := f.observed.Look.Key
	fixed.State, fixed.Expiry, fixed.CurrentKeyMaterialID = "", kms.Expiry{}, ""
	f.observed.Status.Key.Spec = "SYMMETRIC_DEFAULT"
	f.observed.Memory.ImportedHere = importedAt
	return &life{
		facts:    f,
		kms:      &modelKMS{fixed: fixed, state: "Enabled", materials: []modelMaterial{{id: "material-1", fingerprint: "fingerprint-1", present: true}}},
		material: plan.Material{Fingerprint: "fingerprint-1", Comparable: true, Bytes: 32},
		readAs:   "Present",
	}
}

func kinds() []turn {
	noID := func(l *life) {
		l.kms.materials[0].id = ""
		l.observed.Record.Imported.KeyMaterialID = ""
	}
	return []turn{
		{"symmetric", func(*life) {}},
		{"HMAC", func(l *life) {
			noID(l)
			l.kms.fixed.Spec, l.kms.fixed.Usage = "HMAC_256", "GENERATE_VERIFY_MAC"
			l.observed.Status.Key.Spec = "HMAC_256"
		}},
		{"QKMS", func(l *life) {
			noID(l)
			l.kms.qkms, l.observed.Dialect = true, "QKMS"
		}},
	}
}

func policies() []turn {
	return []turn{{"Reimport", func(*life) {}}, {"Hold", func(l *life) { l.desired.HoldDeleted = true }}}
}

// The rolling expiration of these lives.
const (
	validFor    = 6 * time.Hour
	renewBefore = 2 * time.Hour
)

// permanently, fixed and rolling are what a spec may ask for.
func permanently(l *life) {
	l.desired.Expiry, l.desired.ValidFor, l.desired.RenewBefore = kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, 0, 0
}

func fixed(ahead time.Duration) func(*life) {
	return func(l *life) {
		permanently(l)
		l.desired.Expiry = until(l.observed.Now.Add(ahead))
	}
}

func rolling(validFor time.Duration) func(*life) {
	return func(l *life) {
		l.desired.Expiry = kms.Expiry{Model: "KEY_MATERIAL_EXPIRES"}
		l.desired.ValidFor, l.desired.RenewBefore = validFor, renewBefore
	}
}

// importedUntil is a key whose material was imported so long ago, to expire so far ahead of now.
func importedUntil(ago, ahead, validFor time.Duration) func(*life) {
	return func(l *life) {
		at, validTo := metav1.NewTime(now.Add(-ago)), metav1.NewTime(now.Add(ahead))
		imported := l.observed.Record.Imported
		imported.Time, imported.ValidTo, imported.ExpirationModel = at, &validTo, "KEY_MATERIAL_EXPIRES"
		if validFor != 0 {
			imported.ValidFor = &metav1.Duration{Duration: validFor}
		}
		l.observed.Memory.Confirmed, l.observed.Memory.ImportedHere = at.Time, at.Time
		l.observed.Status.ExpirationModel, l.observed.Status.ValidTo = "KEY_MATERIAL_EXPIRES", &validTo
		l.kms.materials[0].validTo = validTo.Time
	}
}

func bothTurns(first, second func(*life)) func(*life) {
	return func(l *life) { first(l); second(l) }
}

func expirations() []turn {
	sixHours := importedUntil(time.Hour, 5*time.Hour, validFor)
	return []turn{
		{"permanent", func(*life) {}},
		{"fixed", bothTurns(fixed(30*day), importedUntil(time.Hour, 30*day, 0))},
		{"fixed, moved", bothTurns(fixed(60*day), importedUntil(time.Hour, 30*day, 0))},
		{"fixed, passed", bothTurns(fixed(-time.Hour), importedUntil(30*day, -time.Hour, 0))},
		{"now fixed", bothTurns(fixed(60*day), sixHours)},
		{"now permanent", sixHours},
		{"now rolling", bothTurns(rolling(validFor), importedUntil(time.Hour, 30*day, 0))},
		{"rolling", bothTurns(rolling(validFor), sixHours)},
		{"rolling, longer", bothTurns(rolling(2*validFor), sixHours)},
		{"rolling, overdue", bothTurns(rolling(validFor), importedUntil(5*time.Hour, time.Hour, validFor))},
		{"rolling, expired", bothTurns(rolling(validFor), importedUntil(7*time.Hour, -time.Hour, validFor))},
	}
}

// emptied is a deletion by somebody else: on purpose, where the spec says Hold, if the material has not expired anyway.
// Where the key has another material, it may be that which is missing.
func emptied(l *life) {
	imported := l.observed.Record != nil && l.observed.Record.Imported != nil && l.observed.Ownership == "Mine"
	full := l.kms.truth(l.observed.Now).Expiry.Model != "" && len(l.kms.materials) == 1
	l.kms.empty()
	if imported && full && l.desired.HoldDeleted {
		validTo := l.observed.Record.Imported.ValidTo
		l.revoked = validTo == nil || validTo.After(l.observed.Now)
	}
}

func kmsState(state kms.KeyState) func(*life) { return func(l *life) { l.kms.state = state } }

func unrecorded(l *life) {
	l.observed.Record, l.observed.Ownership = nil, "Unclaimed"
	generation := int64(-1)
	l.observed.Status = v1alpha1.KMSKeyImportStatus{ObservedGeneration: &generation}
	l.observed.Memory = plan.Memory{FirstSeen: now}
}

// unanswered is an import whose answer was lost: made, or not.
func unanswered(first, made bool) func(*life) {
	return func(l *life) {
		imported := l.observed.Record.Imported
		l.observed.Record.Intent = &v1alpha1.ImportIntent{MaterialImport: imported.MaterialImport, Time: metav1.NewTime(now), KeyState: "Enabled"}
		if first {
			l.observed.Record.Imported = nil
			l.observed.Record.Intent.KeyState = "PendingImport"
		}
		if !made && first {
			l.kms.materials = nil
		}
	}
}

// alsoHolds is another material of the same key, not the current one.
func alsoHolds(other modelMaterial) func(*life) {
	return func(l *life) {
		if l.kms.fixed.Spec == "SYMMETRIC_DEFAULT" && !l.kms.qkms {
			l.kms.materials = append([]modelMaterial{other}, l.kms.materials...)
		}
	}
}

func beginnings() []turn {
	heldAs := func(state string) func(*life) {
		return func(l *life) {
			l.observed.Record.Hold = &v1alpha1.KeyHold{KeyState: state, Time: metav1.NewTime(now), Request: new(string)}
			l.observed.Status.Key.State = "PendingImport"
			l.kms.empty()
		}
	}
	return []turn{
		{"imported", func(*life) {}},
		{"new", func(l *life) { unrecorded(l); l.kms.materials = nil }},
		{"deleted", emptied},
		{"disabled", kmsState("Disabled")},
		{"disabled and deleted", heldAs("Disabled")},
		{"deletion held", heldAs("PendingImport")},
		{"to be deleted", kmsState("PendingDeletion")},
		{"re-import unanswered", unanswered(false, false)},
		{"import unanswered", unanswered(true, false)},
		{"import made, unanswered", unanswered(true, true)},
		{"full from elsewhere", unrecorded},
		{"ownerless", func(l *life) {
			record := l.observed.Record
			unrecorded(l)
			l.observed.Record, l.observed.Ownership = record, "Ownerless"
		}},
		{"foreign", func(l *life) { l.observed.Ownership = "Foreign" }},
		{"rotated elsewhere", func(l *life) {
			if l.kms.fixed.Spec == "SYMMETRIC_DEFAULT" && !l.kms.qkms {
				l.kms.materials = append(l.kms.materials, modelMaterial{id: "material-2", fingerprint: "fingerprint-2", present: true})
			}
		}},
		{"another material missing", alsoHolds(modelMaterial{id: "material-0", fingerprint: "fingerprint-0"})},
		{"another material expires first", alsoHolds(modelMaterial{id: "material-0", fingerprint: "fingerprint-0", present: true, validTo: now.Add(4 * time.Hour)})},
		{"restarted", func(l *life) { l.observed.Memory = plan.Memory{FirstSeen: now} }},
		{"emptied and replaced", func(l *life) { // where KMS lets that happen
			if l.kms.qkms {
				l.kms.materials = []modelMaterial{{fingerprint: "fingerprint-2", present: true, validTo: now.Add(20 * day)}}
			}
		}},
	}
}

func sources() []turn {
	holds := func(m plan.Material) func(*life) {
		return func(l *life) {
			l.observed.Secret.ResourceVersion = "101"
			l.material = m
		}
	}
	is := func(presence plan.Presence) func(*life) {
		return func(l *life) { l.observed.Secret = plan.Secret{Presence: presence} }
	}
	return []turn{
		{"same Secret", func(*life) {}},
		{"Secret rewritten", func(l *life) { l.observed.Secret.ResourceVersion = "101" }},
		{"other bytes", holds(plan.Material{Fingerprint: "fingerprint-2", Comparable: true, Bytes: 32})},
		{"bad bytes", holds(plan.Material{Problem: "too short", Comparable: true})},
		{"incomparable bytes", holds(plan.Material{Fingerprint: "fingerprint-under-new-key", Bytes: 32})},
		{"no Secret", is("Absent")},
		{"no consent", is("NotConsenting")},
		{"no key", func(l *life) { l.observed.Secret.ResourceVersion, l.readAs = "101", "KeyMissing" }},
	}
}

// asked is a new value of an annotation.
func asked(which func(*plan.Requests) *string) func(*life) {
	return func(l *life) { *which(&l.desired.Requests) = l.observed.Now.String() }
}

func forReconcile(r *plan.Requests) *string { return &r.Reconcile }
func forReimport(r *plan.Requests) *string  { return &r.Reimport }

// edit is a new generation of the spec.
func edit(take func(*life)) func(*life) {
	return func(l *life) {
		take(l)
		l.desired.Generation++
	}
}

func restart(l *life) { l.observed.Memory = plan.Memory{FirstSeen: l.observed.Now} }

// goesWrong is what happens to the imports from now on, one of which is asked for.
func goesWrong(made bool, faults ...kms.ErrorClass) func(*life) {
	return func(l *life) {
		l.faults, l.done = faults, made
		asked(forReimport)(l)
	}
}

// showsLate is a KMS that shows the imports from now on late, one of which is asked for.
func showsLate(lag time.Duration) func(*life) {
	return func(l *life) {
		l.kms.lag, l.kms.shownAt = lag, time.Time{}
		asked(forReimport)(l)
	}
}

func events() []turn {
	elsewhere := func(ahead time.Duration) func(*life) {
		return func(l *life) {
			if l.kms.complete() {
				l.kms.moveExpiry(l.observed.Now.Add(ahead))
			}
		}
	}
	return []turn{
		{"nothing", func(*life) {}},
		{"material deleted", emptied},
		{"expiry shortened", elsewhere(time.Hour)},
		{"expiry lengthened", elsewhere(90 * day)},
		{"disabled", kmsState("Disabled")},
		{"disabled and deleted", bothTurns(kmsState("Disabled"), emptied)},
		{"to be deleted", kmsState("PendingDeletion")},
		{"enabled", kmsState("Enabled")},
		{"updating", func(l *life) {
			if !l.kms.qkms {
				l.kms.state = "Updating"
			}
		}},
		{"look asked for", asked(forReconcile)},
		{"import asked for", asked(forReimport)},
		{"deleted, then asked for", bothTurns(emptied, bothTurns(func(l *life) { l.rest() }, asked(forReimport)))},
		{"Reimport set", edit(func(l *life) { l.desired.HoldDeleted = false; l.revoked = false })},
		{"Hold set", edit(func(l *life) { l.desired.HoldDeleted = true })},
		{"now permanent", edit(permanently)},
		{"now rolling", edit(rolling(validFor))},
		{"now fixed", edit(fixed(60 * day))},
		{"suspended", edit(func(l *life) { l.desired.Suspended = true })},
		{"suspended, then resumed", func(l *life) {
			edit(func(l *life) { l.desired.Suspended = true })(l)
			l.rest()
			edit(func(l *life) { l.desired.Suspended = false })(l)
		}},
		{"object deleted", func(l *life) { l.desired.Deleting = true }},
		{"restarted", restart},
		{"KMS is down", func(l *life) { l.lookFault = "Unreachable"; l.pass(); l.later(time.Minute); l.pass(); l.lookFault = "" }},
		{"key lost for a while", func(l *life) { l.lookFault = "NotFound"; l.rest(); l.lookFault = "" }},
		{"KMS shows late", showsLate(40 * time.Second)},
		{"KMS shows never", showsLate(20 * time.Minute)},
		{"KMS deletes late", func(l *life) { l.kms.late = 7 * time.Minute }},
		{"token refused", goesWrong(false, "TokenRefused")},
		{"token refused twice", goesWrong(false, "TokenRefused", "TokenRefused")},
		{"throttled", goesWrong(false, "Throttled")},
		{"answer lost", goesWrong(false, "Unreachable")},
		{"answer lost, made", goesWrong(true, "Unreachable")},
		{"answer lost, restarted", bothTurns(goesWrong(true, "Unreachable"), func(l *life) { l.pass(); restart(l); l.later(time.Minute) })},
		{"disabled before the import", goesWrong(false, "InvalidState")},
		{"Secret gone", func(l *life) { l.observed.Secret = plan.Secret{Presence: "Absent"} }},
		{"clock set back", func(l *life) { l.later(-2 * time.Hour) }},
	}
}

// liveSome visits one in so many of all lives: which, is the same each time.
func liveSome(dimensions [][]turn, oneIn uint32, visit func(name func() string, turns []turn)) {
	turns := make([]turn, len(dimensions))
	name := func() string {
		all := ""
		for _, t := range turns {
			all += t.name + "; "
		}
		return all
	}
	random := uint32(0)
	var choose func(int)
	choose = func(i int) {
		if i == len(dimensions) {
			if random = random*1664525 + 1013904223; random>>16%oneIn == 0 {
				visit(name, turns)
			}
			return
		}
		for _, t := range dimensions[i] {
			turns[i] = t
			choose(i + 1)
		}
	}
	choose(0)
}

// Whatever a key is like and whatever happens to it: nothing is destroyed, every pass ends, the object comes to rest and
// stays there, and Ready says what is true.
func TestLives(t *testing.T) {
	count, ends := 0, map[string]int{}
	liveSome(lives(), 500, func(name func() string, turns []turn) {
		l := newLife()
		happens := len(turns) - 2
		for _, t := range turns[:happens] {
			t.take(l)
		}
		l.rest()
		turns[happens].take(l)
		l.later(time.Minute)
		if count%2 == 0 { // while the first is still being dealt with
			l.rest()
			l.later(time.Minute)
		}
		if l.kms.lag == 0 { // what happens to an import that was never shown, nobody can know
			turns[happens+1].take(l)
		}
		l.later(time.Minute)
		l.rest()
		l.later(validFor)
		step := l.rest()
		l.report(t, name())
		count++
		ends[string(step.Outcome)+" "+step.Reason]++
	})
	if count < 20_000 || len(ends) < 15 || ends["Settled "] < count/10 {
		t.Errorf("%d lives that end so prove little: %v", count, ends)
	}
}
