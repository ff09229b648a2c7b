package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
	"github.com/keyimport-dev/kms-key-import-operator/internal/status"
)

// maxSteps is the bound of the loop in controllers.
const maxSteps = 12

// life is an object and its key over several passes: what the executor would find, do and leave behind, without its
// clients and apart from its code. The facts are what the next pass starts from.
type life struct {
	*facts
	kms      *modelKMS
	material plan.Material // what the Secret holds, as far as it may be known
	bytes    string        // what it holds in truth, by their fingerprint under the lost key; empty: as material says
	readAs   plan.Presence // of the Secret, once it is read

	lookFault kms.ErrorClass   // of every look
	failLater kms.ErrorClass   // of every look after an import
	faults    []kms.ErrorClass // of the next imports: refused, or their answer lost
	done      bool             // whether an import whose answer was lost has been made all the same

	withdrawals int // how often this operator has deleted the key's material

	revoked bool // somebody took the material back on purpose, and nobody has asked for it since
	cost    cost
	told    []string // the actions of this pass that change the record or the key
	broken  []string // the rules that were broken
}

// cost is what a pass has cost.
type cost struct{ looks, reads, attempts, imports, writes int }

// pass is one Reconcile: it returns its last step, and leaves status, record and memory to the next one.
func (l *life) pass() plan.Step {
	l.observed.Look, l.observed.Material, l.observed.Attempt, l.observed.TurnIn = nil, nil, nil, 0
	return l.resume()
}

// resume is the rest of a pass that has begun.
func (l *life) resume() plan.Step {
	l.cost, l.told = cost{}, nil
	found := l.observed.Secret
	for range maxSteps {
		step := l.next()
		if _, last := step.Action.(plan.Finish); last {
			l.observed.Status = status.Apply(l.desired, l.observed, step)
			l.judge(step)
			l.observed.Secret = found // the next pass looks anew
			return step
		}
		l.execute(step.Action)
	}
	l.breaks("the pass does not end: %v", l.told)
	return plan.Step{}
}

func (l *life) breaks(format string, args ...any) {
	l.broken = append(l.broken, fmt.Sprintf(format, args...))
}

func (l *life) execute(action plan.Action) {
	if l.desired.Suspended || l.desired.Deleting {
		l.breaks("%T while suspended or deleted", action)
	}
	effects := l.cost.writes + l.cost.attempts
	defer func() {
		if l.cost.writes+l.cost.attempts > effects {
			l.told = append(l.told, strings.TrimPrefix(fmt.Sprintf("%T", action), "plan."))
		}
	}()
	switch action := action.(type) {
	case plan.Finish:
	case plan.Look:
		l.look()
	case plan.InspectMaterial:
		l.read()
	case plan.ClaimRecord:
		l.write(func(record *v1alpha1.KMSKeyRecord) {
			if record.Hold != nil && l.observed.Look.Key.State == "PendingImport" {
				record.Hold.Request = new(string)
			}
		})
		l.observed.Ownership = "Mine"
	case plan.AcceptSecretVersion:
		if l.observed.Material.Fingerprint != l.observed.Record.Imported.Fingerprint {
			l.breaks("accepted other bytes")
		}
		l.write(func(record *v1alpha1.KMSKeyRecord) { record.Imported.Secret = l.version() })
	case plan.HoldKey:
		state, request := string(l.observed.Look.Key.State), l.desired.Requests.Reimport
		l.write(func(record *v1alpha1.KMSKeyRecord) {
			if record.Hold == nil || state != "PendingImport" {
				record.Hold = &v1alpha1.KeyHold{KeyState: state, Time: metav1.NewTime(l.observed.Now)}
			}
			if state == "PendingImport" {
				record.Hold.Request = &request
			}
		})
	case plan.LiftHold:
		state := l.observed.Look.Key.State
		l.write(func(record *v1alpha1.KMSKeyRecord) {
			record.Hold.Lifted = new(true)
			if state == "Enabled" {
				record.Hold = nil
			}
		})
	case plan.MarkUnconfirmed:
		yes := true
		l.write(func(record *v1alpha1.KMSKeyRecord) { record.Imported.Unconfirmed = &yes })
	case plan.MarkConfirmed:
		l.write(func(record *v1alpha1.KMSKeyRecord) { record.Imported.Unconfirmed = nil })
	case plan.ConfirmImport:
		l.confirm()
	case plan.ImportMaterial:
		l.importMaterial(action)
	case plan.SetFinalizer, plan.ReleaseObject, plan.WithdrawMaterial, plan.InterruptKey, plan.ConfirmWithdrawal, plan.ForgetWithdrawal:
		l.withdraw(action)
	}
}

// write changes a copy of the record, as an update does.
func (l *life) write(change func(*v1alpha1.KMSKeyRecord)) {
	l.cost.writes++
	l.observed.Record = l.observed.Record.DeepCopy()
	change(l.observed.Record)
}

func (l *life) look() {
	l.cost.looks++
	if l.lookFault != "" {
		l.observed.Look = &plan.LookResult{Err: &kms.Error{Operation: "DescribeKey", Class: l.lookFault, Code: "SomeException"}}
		return
	}
	key := l.kms.look(l.observed.Now)
	l.observed.Look = &plan.LookResult{Key: key}
	l.observed.Memory.LastLook = l.observed.Now
	if o := l.observed; o.Ownership == "Mine" && o.Record.Imported != nil && o.Record.KeyARN == key.ARN {
		l.compare(key)
	}
}

// compare notes whether a look shows the last import.
func (l *life) compare(key kms.Key) {
	imported, memory := l.observed.Record.Imported, &l.observed.Memory
	same := string(key.Expiry.Model) == imported.ExpirationModel &&
		(imported.ValidTo == nil || imported.ValidTo.Unix() == key.Expiry.ValidTo.Unix())
	switch {
	case key.State != "PendingImport" && same, key.State == "Enabled" && key.Expiry.Model == "":
		memory.Confirmed, memory.ContradictedSince = imported.Time.Time, time.Time{}
	case memory.ContradictedSince.IsZero(), l.observed.Now.Before(memory.ContradictedSince):
		memory.ContradictedSince = l.observed.Now
	}
}

// read reads the Secret's value.
func (l *life) read() {
	l.cost.reads++
	l.observed.Secret.Presence = l.readAs
	if l.readAs == "Present" {
		read := l.material
		read.Comparable = read.Comparable || read.Fingerprint == plan.RecordedFingerprint(l.observed.Record)
		l.observed.Material = &read
	}
}

// truth is the material that a fingerprint of the record stands for.
func (l *life) truth(fingerprint string) string {
	if fingerprint == l.material.Fingerprint && l.bytes != "" {
		return l.bytes
	}
	return fingerprint
}

func (l *life) version() v1alpha1.SecretVersion {
	source := l.desired.Material
	return v1alpha1.SecretVersion{
		Name: source.SecretRef.Name, Key: source.SecretRef.Key, Encoding: source.Encoding,
		UID: l.observed.Secret.UID, ResourceVersion: l.observed.Secret.ResourceVersion,
	}
}

func (l *life) confirm() {
	if !l.kms.holds(l.truth(l.observed.Record.Intent.Fingerprint)) {
		l.breaks("confirmed an import that was not made")
	}
	l.write(func(record *v1alpha1.KMSKeyRecord) {
		record.Imported = &v1alpha1.ImportedMaterial{MaterialImport: record.Intent.MaterialImport, Time: record.Intent.Time}
		record.Intent = nil
	})
	l.compare(l.observed.Look.Key)
}

func (l *life) importMaterial(action plan.ImportMaterial) {
	for _, rule := range brokenByImport(l.facts, action) {
		l.breaks("%s", rule)
	}
	l.read()
	fits := l.observed.Secret.Presence == "Present" && l.material.Problem == "" && action.Fits(l.material)
	if !fits || action.Expect != "" && action.Expect != l.material.Fingerprint {
		return
	}
	l.cost.attempts++
	l.observed.Memory.Refusal = plan.Refusal{}
	l.observed.Attempt = &plan.ImportAttempt{Tries: l.cost.attempts}
	before := l.intend(action)
	id, class := l.send(action)
	if class != "" {
		l.fail(action, before, class)
		return
	}
	l.succeed(id)
}

// intend writes the intent, and returns the one whose place it takes.
func (l *life) intend(action plan.ImportMaterial) *v1alpha1.ImportIntent {
	if l.observed.Record == nil {
		l.observed.Record, l.observed.Ownership = &v1alpha1.KMSKeyRecord{KeyARN: keyARN}, "Mine"
	}
	before := l.observed.Record.Intent
	intent := &v1alpha1.ImportIntent{Time: metav1.NewTime(l.observed.Now), KeyState: string(l.observed.Look.Key.State)}
	intent.MaterialImport = v1alpha1.MaterialImport{
		Operation: action.Operation, Fingerprint: l.material.Fingerprint, Secret: l.version(),
		ExpirationModel: string(action.Expiry.Model),
	}
	if !action.Expiry.ValidTo.IsZero() {
		intent.ValidTo = &metav1.Time{Time: action.Expiry.ValidTo}
	}
	if action.ValidFor != 0 {
		intent.ValidFor = &metav1.Duration{Duration: action.ValidFor}
	}
	l.observed.Record = l.observed.Record.DeepCopy()
	l.observed.Record.Intent = intent
	return before
}

// send is the call, with what may go wrong.
func (l *life) send(action plan.ImportMaterial) (string, kms.ErrorClass) {
	l.judgeSending()
	fault := kms.ErrorClass("")
	if len(l.faults) > 0 {
		fault, l.faults = l.faults[0], l.faults[1:]
	}
	switch {
	case fault == "InvalidState": // somebody has disabled the key since the look
		l.kms.state = "Disabled"
		return "", fault
	case fault != "" && !l.done:
		return "", fault
	}
	id, class := l.kms.takeMaterial(l.observed.Now, l.truth(l.material.Fingerprint), action)
	if fault != "" {
		return "", fault
	}
	return id, class
}

// judgeSending checks, by what is true rather than by what was seen, that nothing is destroyed.
func (l *life) judgeSending() {
	record := l.observed.Record
	vouched := record.Imported == nil || record.Imported.Fingerprint == l.material.Fingerprint
	proven := !l.material.Comparable && !l.kms.qkms // by KMS, which takes no other
	if !vouched && !proven {
		l.breaks("sent other bytes than are on record")
	}
	if l.revoked && l.desired.Requests.Reimport == l.observed.Status.LastHandledReimportAt {
		l.breaks("imported what somebody took back on purpose")
	}
	if state := l.observed.Look.Key.State; state != "Enabled" && state != "PendingImport" {
		l.breaks("imported into a key that was seen %s", state)
	}
	l.revoked = false
}

func (l *life) fail(action plan.ImportMaterial, before *v1alpha1.ImportIntent, class kms.ErrorClass) {
	err := &kms.Error{Operation: "ImportKeyMaterial", Class: class, Code: "SomeException"}
	l.observed.Attempt.Err = err
	if class == "InvalidState" || class == "TokenRefused" || class == "CiphertextRefused" {
		l.observed.Look = nil
	}
	if plan.Refused(err) {
		l.observed.Memory.Refusal = plan.Refusal{Import: action, Secret: l.version(), Err: err}
	}
	if class == "Unreachable" {
		return
	}
	if class == "MaterialRefused" {
		before = nil
	}
	l.observed.Record = l.observed.Record.DeepCopy()
	l.observed.Record.Intent = before
}

func (l *life) succeed(id string) {
	l.cost.imports++
	record := l.observed.Record.DeepCopy()
	if id == "" && record.Imported != nil {
		id = record.Imported.KeyMaterialID
	}
	record.Imported = &v1alpha1.ImportedMaterial{MaterialImport: record.Intent.MaterialImport, Time: record.Intent.Time, KeyMaterialID: id}
	record.Intent, record.Hold = nil, nil
	record.History = append(record.History, v1alpha1.HistoryEntry{Event: "Imported", Time: record.Imported.Time})
	l.observed.Record, l.observed.Look = record, nil
	if l.failLater != "" {
		l.lookFault = l.failLater
	}
	memory := &l.observed.Memory
	memory.ImportedHere, memory.Served = record.Imported.Time.Time, l.desired.Requests
	memory.Confirmed, memory.ContradictedSince = time.Time{}, time.Time{}
}

// condition is what people see of a condition; empty when it is absent.
func (l *life) condition(conditionType string) string {
	found := meta.FindStatusCondition(l.observed.Status.Conditions, conditionType)
	if found == nil {
		return ""
	}
	return string(found.Status) + " " + found.Reason
}

// judge checks the end of a pass.
func (l *life) judge(step plan.Step) {
	l.broken = append(l.broken, brokenByStep(l.facts, step)...)
	ready, o := l.condition("Ready"), l.observed
	if c := l.cost; c.imports > 1 || c.attempts > 2 || c.looks > 3 || c.reads > 3 || c.writes > 5 {
		l.breaks("the pass was dear: %+v", c)
	}
	if stalled := l.condition("Stalled"); stalled != "" && (ready != "False "+stalled[len("True "):] || l.condition("Reconciling") != "") {
		l.breaks("Stalled is %q, Ready %q, Reconciling %q", stalled, ready, l.condition("Reconciling"))
	}
	if l.condition("OtherMaterialExpires") != "" && step.Outcome == "Settled" && o.Record.Imported.Unconfirmed == nil {
		l.breaks("the record does not say that KMS has not shown the import")
	}
	if l.desired.Deleting && len(l.told) > 0 {
		l.breaks("deleted, and did %v", l.told)
	}
	if !strings.HasPrefix(ready, "True ") || step.Outcome == "Untouched" {
		return
	}
	if o.Status.ValidTo != nil && !o.Status.ValidTo.After(o.Now) {
		l.breaks("Ready after the expiry that is reported")
	}
	believed := l.kms.hides(o.Now) || l.kms.qkms && step.Outcome == "Progressing" // a first look is not acted on
	if o.Look != nil && o.Look.Err == nil && !believed {
		l.judgeReady()
	}
}

// judgeReady checks what a look that shows things as they are makes of Ready: the key is usable, with the Secret's bytes.
// Bytes that have not been read yet take nothing away.
func (l *life) judgeReady() {
	fingerprint := l.observed.Record.Imported.Fingerprint
	if read := l.observed.Material; read != nil && read.Comparable && l.version() != l.observed.Record.Imported.Secret {
		fingerprint = l.material.Fingerprint
	}
	if !l.kms.usable(l.observed.Now) || !l.kms.holds(l.truth(fingerprint)) {
		l.breaks("Ready, and the key is %+v", l.kms)
	}
}

// rest makes passes until the object is at rest, each when the one before has said, and then one more, which must change
// nothing. What is not at rest after half an hour never will be.
func (l *life) rest() plan.Step {
	const patience = 30 * time.Minute
	for start := l.observed.Now; l.observed.Now.Sub(start) < patience; {
		step := l.pass()
		switch {
		case len(l.broken) > 0:
			return step
		case step.Outcome == "Progressing", step.Outcome == "Retry", step.Outcome == "Untouched" && !l.desired.Deleting:
			l.later(max(step.After, time.Second))
		case l.contradictedAMoment(): // a fact only in 5 s, whatever else there is to say
			l.later(5 * time.Second)
		default:
			l.restAgain(step)
			l.judgeRest(step)
			return step
		}
	}
	l.breaks("no rest: %v, %+v", l.told, l.observed.Status.Conditions)
	return plan.Step{}
}

// contradictedAMoment reports whether looks have contradicted the record for too short a time to be acted on.
func (l *life) contradictedAMoment() bool {
	since := l.observed.Now.Sub(l.observed.Memory.ContradictedSince)
	return since >= 0 && since < 5*time.Second
}

// restAgain checks that an object at rest stays so.
func (l *life) restAgain(step plan.Step) {
	before, record := l.observed.Status, l.observed.Record
	l.later(time.Second)
	again := l.pass()
	if again.Outcome != step.Outcome || again.Reason != step.Reason || len(l.told) > 0 {
		l.breaks("%s %s, and then %v, %s %s", step.Outcome, step.Reason, l.told, again.Outcome, again.Reason)
	}
	if l.readAs == "Present" && !equality.Semantic.DeepEqual(before, l.observed.Status) || record != l.observed.Record {
		l.breaks("at rest, and yet it writes: %+v", l.observed.Status)
	}
}

func (l *life) later(d time.Duration) { l.observed.Now = l.observed.Now.Add(d) }

// report fails a test with the rules that were broken.
func (l *life) report(t *testing.T, name string) {
	t.Helper()
	if len(l.broken) > 0 {
		t.Fatalf("%s:\n%s\nstatus: %+v\nrecord: %+v", name, strings.Join(l.broken, "\n"), l.observed.Status, l.observed.Record)
	}
}

// judgeRest checks that nothing but an obstacle keeps an object from being settled, with the expiry it asks for.
func (l *life) judgeRest(step plan.Step) {
	obstacle := l.obstacle()
	if obstacle == "" && (step.Outcome != "Settled" || l.condition("Ready") != "True Imported") {
		l.breaks("no obstacle, and yet %s %s, Ready %s", step.Outcome, step.Reason, l.condition("Ready"))
	}
	if obstacle == "" && !l.kms.qkms && len(l.broken) == 0 {
		l.judgeExpiry()
	}
}

// judgeExpiry checks that the key expires as the spec asks. Where it asks for a duration, an expiry that somebody has
// moved further away stands until the renewal.
func (l *life) judgeExpiry() {
	d, validTo := l.desired, l.kms.materials[0].validTo
	imported := l.observed.Record.Imported.Time.Time
	recorded := plan.RecordedExpiry(l.observed.Record.Imported.MaterialImport).ValidTo
	shortened := !validTo.IsZero() && (recorded.IsZero() || validTo.Before(recorded))
	switch left := validTo.Sub(l.observed.Now); {
	case d.HoldDeleted && shortened: // by somebody who may have meant it
		if l.condition("Expiring") != "True ExpiryShortened" {
			l.breaks("does not say that the expiry was shortened")
		}
	case d.ValidFor == 0 && !validTo.Equal(d.Expiry.ValidTo):
		l.breaks("expires %s, asked for %s", validTo, d.Expiry.ValidTo)
	case d.ValidFor > 0 && !validTo.IsZero() && (left < d.RenewBefore || left < d.ValidFor-l.observed.Now.Sub(imported)-time.Second):
		l.breaks("expires in %s", left)
	}
}

// obstacle says, by what is true rather than by what was seen, why this object need not be settled; empty when it must be.
func (l *life) obstacle() string {
	o, record := l.observed, l.observed.Record
	switch {
	case l.desired.Deleting, l.desired.Suspended:
		return "the object is deleted or suspended"
	case o.Ownership == "Foreign":
		return "another's key"
	case l.lookFault != "":
		return "KMS does not answer"
	case l.kms.state != "Enabled":
		return "the key is not enabled"
	case l.readAs != "Present", o.Secret.Presence != "Present", !l.material.Comparable, l.material.Problem != "":
		return "the Secret cannot be read or compared"
	case record == nil:
		return "full from elsewhere"
	case record.Hold != nil:
		return "the key is held"
	case l.material.Fingerprint != plan.RecordedFingerprint(record):
		return "the Secret holds other bytes"
	}
	return l.obstacleInKMS()
}

// obstacleInKMS is one that the key itself is.
func (l *life) obstacleInKMS() string {
	o, record := l.observed, l.observed.Record
	ahead := l.desired.Expiry.ValidTo.Sub(o.Now)
	switch {
	case l.desired.Expiry.Model == "KEY_MATERIAL_EXPIRES" && l.desired.ValidFor == 0 && ahead < 5*time.Minute:
		return "the date has passed"
	case l.kms.hides(o.Now):
		return "KMS does not show it yet"
	case len(l.kms.materials) == 0:
		return ""
	}
	last := l.kms.materials[len(l.kms.materials)-1]
	others := len(l.kms.materials) > 1
	switch {
	case last.fingerprint != l.material.Fingerprint, others:
		return "other material"
	case l.kms.qkms && last.present && (record.Imported == nil || record.Intent != nil || !plan.RecordedExpiry(record.Imported.MaterialImport).ValidTo.Equal(last.validTo)):
		return "nobody knows what the key holds"
	default:
		return ""
	}
}
