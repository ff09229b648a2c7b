package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// withdraw carries out the actions about the deletion of material and of the object.
func (l *life) withdraw(action plan.Action) {
	for _, rule := range brokenByWithdrawal(l.facts, action) {
		l.breaks("%s", rule)
	}
	switch action := action.(type) {
	case plan.SetFinalizer:
		l.desired.Finalizer = action.Wanted
	case plan.ReleaseObject:
		l.desired.Finalizer = false
		l.observed.Record, l.observed.Ownership = nil, "Unclaimed"
	case plan.WithdrawMaterial:
		l.deleteMaterial("ObjectDeleted")
	case plan.InterruptKey:
		l.deleteMaterial("Interruption")
	case plan.ConfirmWithdrawal:
		l.write(func(record *v1alpha1.KMSKeyRecord) {
			record.Withdrawal.CompletedAt = &metav1.Time{Time: l.observed.Now}
		})
	case plan.ForgetWithdrawal:
		l.write(func(record *v1alpha1.KMSKeyRecord) { record.Withdrawal = nil })
	case plan.Finish, plan.Look, plan.InspectMaterial, plan.ClaimRecord, plan.AcceptSecretVersion, plan.HoldKey, plan.LiftHold,
		plan.MarkUnconfirmed, plan.MarkConfirmed, plan.ConfirmImport, plan.ImportMaterial:
	}
}

// deleteMaterial compares the Secret once more, and deletes the material in KMS.
func (l *life) deleteMaterial(cause v1alpha1.WithdrawalCause) {
	l.read()
	if l.observed.Secret.Presence != "Present" || l.material.Fingerprint != l.observed.Record.Imported.Fingerprint {
		return
	}
	l.write(func(record *v1alpha1.KMSKeyRecord) {
		record.Withdrawal = &v1alpha1.MaterialWithdrawal{Cause: cause, Secret: l.version(), Time: metav1.NewTime(l.observed.Now)}
	})
	if !l.kms.holds(l.material.Fingerprint) {
		l.breaks("deleted other material than the Secret's")
	}
	l.observed.Withdrawal, l.observed.Look = &plan.WithdrawalAttempt{}, nil
	l.withdrawals++
	fault := kms.ErrorClass("")
	if len(l.faults) > 0 {
		fault, l.faults = l.faults[0], l.faults[1:]
	}
	switch {
	case fault == "":
		l.kms.withdraw(l.observed.Now)
		l.write(func(record *v1alpha1.KMSKeyRecord) {
			record.Withdrawal.CompletedAt = &metav1.Time{Time: l.observed.Now}
		})
		return
	case fault == "Unreachable" && l.done:
		l.kms.withdraw(l.observed.Now)
	case fault != "Unreachable":
		l.write(func(record *v1alpha1.KMSKeyRecord) { record.Withdrawal = nil })
	}
	l.observed.Withdrawal.Err = &kms.Error{Operation: "DeleteImportedKeyMaterial", Class: fault, Code: "SomeException"}
}

// brokenByWithdrawal says which rule is broken by deleting material, by saying what came of that, or by letting an object go.
func brokenByWithdrawal(f *facts, action plan.Action) []string {
	d, o := f.desired, f.observed
	rules := map[string]bool{}
	switch action := action.(type) {
	case plan.WithdrawMaterial:
		rules = mayTake(f)
		rules["not deleted"] = d.Deleting && d.Finalizer
		rules["not asked for"] = d.DeleteMaterial
		rules["namespace or heir"] = o.Surroundings == plan.Surroundings{}
		rules["at once"] = !o.Now.Before(o.Memory.DeletionSeen.Add(15 * time.Second))
		rules["unread"] = o.Material != nil
	case plan.InterruptKey:
		rules = mayTake(f)
		rules["deleted"] = !d.Deleting
		rules["not permitted"] = d.AllowInterruption
		rules["needless"] = o.Dialect == "QKMS" && asksForMore(f)
		rules["not enabled"] = o.Look != nil && o.Look.Key.State == "Enabled"
		rules["not its turn"] = o.TurnIn == 0
		for _, broken := range brokenByImport(onceEmpty(f), action.Refill) {
			rules["refill, "+broken] = false
		}
	case plan.ConfirmWithdrawal, plan.ForgetWithdrawal:
		mine := o.Ownership == "Mine" && o.Record.Withdrawal != nil && o.Record.Withdrawal.CompletedAt == nil
		rules["nothing to tell"] = mine && o.Look != nil && o.Look.Err == nil
		rules["told otherwise by the look"] = mine && (o.Look.Key.State == "PendingImport") == (action == plan.ConfirmWithdrawal{})
	case plan.ReleaseObject:
		recent := o.Ownership == "Mine" && o.Record.Withdrawal != nil && o.Now.Sub(o.Record.Withdrawal.Time.Time) < 5*time.Minute
		rules["not deleted"] = d.Deleting && d.Finalizer
		rules["said to be kept and may be gone"] = action.Retained == "" || !recent
		rules["said to be gone and may be kept"] = action.Interrupted == "" || o.Record.Withdrawal.CompletedAt != nil
	case plan.SetFinalizer:
		rules["deleted"] = !d.Deleting
		rules["as it is"] = action.Wanted != d.Finalizer
	case plan.Finish, plan.Look, plan.InspectMaterial, plan.ClaimRecord, plan.AcceptSecretVersion, plan.HoldKey, plan.LiftHold,
		plan.MarkUnconfirmed, plan.MarkConfirmed, plan.ConfirmImport, plan.ImportMaterial:
	}
	var broken []string
	for rule, kept := range rules {
		if !kept {
			broken = append(broken, fmt.Sprintf("%T: %s", action, rule))
		}
	}
	return broken
}

// mayTake are the conditions of every deletion of material: it can be undone.
func mayTake(f *facts) map[string]bool {
	d, o := f.desired, f.observed
	mine := o.Ownership == "Mine" && o.Record.Imported != nil
	looked := o.Look != nil && o.Look.Err == nil
	rules := map[string]bool{"suspended": !d.Suspended, "not imported": mine, "without a look": looked}
	if !mine || !looked {
		return rules
	}
	imported, key := o.Record.Imported, o.Look.Key
	rules["adopted"] = imported.Adopted == nil
	rules["twice"] = o.Record.Withdrawal == nil && o.Withdrawal == nil
	rules["another key"] = key.ARN == o.Record.KeyARN
	rules["in that state"] = key.State == "Enabled" || key.State == "Disabled"
	rules["other ID"] = key.CurrentKeyMaterialID == "" || key.CurrentKeyMaterialID == imported.KeyMaterialID
	rules["unanswered import"] = o.Dialect == "" || o.Record.Intent == nil
	rules["other expiry"] = o.Dialect == "" || key.Expiry.Equal(plan.RecordedExpiry(imported.MaterialImport))
	rules["without Secret"] = o.Secret.Presence == "Present" && !o.Secret.Leaving
	rules["other bytes"] = o.Material == nil || o.Material.Problem == "" && o.Material.Fingerprint == imported.Fingerprint
	return rules
}

// asksForMore reports whether the spec asks for another expiry than was imported, or a renewal is due.
func asksForMore(f *facts) bool {
	d, imported := f.desired, f.observed.Record.Imported
	if d.ValidFor == 0 {
		return !d.Expiry.Equal(plan.RecordedExpiry(imported.MaterialImport))
	}
	renewal := d.RenewBefore + d.RenewBefore/10
	return imported.ValidFor == nil || imported.ValidFor.Duration != d.ValidFor || imported.ValidTo.Sub(f.observed.Now) <= renewal
}

// onceEmpty are the same facts about the key once it is empty.
func onceEmpty(f *facts) *facts {
	after := f.copy()
	empty(after)
	return after
}

// withdrawalWorld is every combination of what may be known where objects are deleted, permit an interruption, or have a key
// that was emptied.
func withdrawalWorld() [][]choice {
	ifRecorded := func(apply change) change {
		return func(f *facts) {
			if f.observed.Record != nil {
				apply(f)
			}
		}
	}
	uncertain := func(cause v1alpha1.WithdrawalCause, ago time.Duration) change {
		return ifRecorded(withdrawing(cause, ago))
	}
	done := func(cause v1alpha1.WithdrawalCause, ago time.Duration) change {
		return ifRecorded(withdrawnFor(cause, ago))
	}
	deleted := all(deletedFor(time.Minute), withFinalizer)
	return [][]choice{
		{
			{"Enabled", unchanged}, {"PendingImport", empty}, {"Disabled", state("Disabled")}, {"PendingDeletion", state("PendingDeletion")},
			{"Updating", state("Updating")},
		},
		{
			{"mine", unchanged}, {"foreign", foreign}, {"ownerless", func(f *facts) { f.observed.Ownership = "Ownerless" }},
			{"unclaimed", func(f *facts) { f.observed.Record, f.observed.Ownership = nil, "Unclaimed" }},
		},
		{
			{"imported", unchanged}, {"adopted", ifRecorded(adopted)}, {"imported and intent", ifRecorded(intent)}, {"intent", ifRecorded(firstIntent)},
			{"claim", ifRecorded(nothingImported)}, {"held", ifRecorded(held)},
			{"deletion uncertain", uncertain("ObjectDeleted", time.Minute)}, {"deleted", done("ObjectDeleted", time.Minute)},
			{"deleted long ago", done("ObjectDeleted", day)}, {"interruption uncertain", uncertain("Interruption", time.Minute)},
			{"interruption uncertain, long", uncertain("Interruption", 10*time.Minute)}, {"interrupted", done("Interruption", time.Minute)},
			{"interrupted, sealed", all(done("Interruption", time.Minute), ifRecorded(func(f *facts) { sealed(f) }))},
			{"interrupted, held", all(done("Interruption", time.Minute), ifRecorded(held))},
		},
		{
			{"bytes unread", unchanged}, {"same bytes", sameMaterial}, {"other bytes", otherMaterial}, {"incomparable bytes", incomparableMaterial}, {"bad bytes", badMaterial},
		},
		{{"Secret as recorded", unchanged}, {"Secret rewritten", rewritten}, {"no Secret", secret("Absent")}, {"leaving", sourceLeaves}},
		{
			{"permanent", unchanged}, {"expiring", ifImported(expires(30 * day))}, {"expiry moves", wantsExpiry(30 * day)}, {"expiry past", wantsExpiry(-time.Second)},
			{"rolling", ifImported(rollsOver(5 * time.Hour))}, {"rolling, overdue", ifImported(rollsOver(time.Hour))}, {"now rolling", wantsValidFor(6 * time.Hour)},
			{"replaced", ifImported(all(expires(30*day), reportedExpiry(20*day)))}, {"not reported", unreportedExpiry},
		},
		{
			{"Retain", unchanged}, {"DeleteKeyMaterial", func(f *facts) { f.desired.DeleteMaterial = true }},
			{"AllowInterruption", func(f *facts) { f.desired.AllowInterruption = true }},
			{"both, Hold", func(f *facts) {
				f.desired.DeleteMaterial, f.desired.AllowInterruption, f.desired.HoldDeleted = true, true, true
			}},
		},
		{{"AWS", unchanged}, {"QKMS", withoutIDs}},
		{
			{"at rest", withFinalizer}, {"no finalizer", unchanged}, {"deleted", deleted}, {"deleted now", all(deleted, deletedFor(0))},
			{"deleted an hour ago", all(deleted, deletedFor(time.Hour))}, {"deleted, restarted", all(deleted, deletedFor(day), seenDeletedFor(0))},
			{"deleted, namespace", all(deleted, surrounded(plan.Surroundings{NamespaceTerminating: true}))}, {"deleted, heir", all(deleted, surrounded(plan.Surroundings{Heir: true}))},
			{"deleted, suspended", all(deleted, suspended)}, {"suspended", all(withFinalizer, suspended)}, {"deleted, denied", all(deleted, withdrawalAttempt("AccessDenied"))},
			{"denied", all(withFinalizer, withdrawalAttempt("AccessDenied"))}, {"no look", all(deleted, noLook)}, {"look throttled", all(deleted, lookError("Throttled"))},
			{"key gone", all(deleted, lookError("NotFound"))}, {"other key", all(deleted, otherKey)}, {"other key, alive", all(withFinalizer, otherKey)},
			{"rotated", all(deleted, currentID("material-2"))}, {"turn", all(withFinalizer, func(f *facts) { f.observed.TurnIn = time.Second })},
			{"second contradiction", all(withFinalizer, contradictedFor(time.Minute))},
		},
	}
}

// withoutIDs is QKMS, which gives material no ID, with a wrapping that it takes.
func withoutIDs(f *facts) {
	f.observed.Dialect = "QKMS"
	if f.observed.Look != nil {
		f.observed.Look.Key.CurrentKeyMaterialID = ""
	}
	ifImported(importedID(""))(f)
}

// Material is deleted in two cases only, each with all that makes it possible to undo it; whatever else may be known, the key
// keeps what it has. And Ready is never True while nobody knows that it does.
func TestNeverWithdrawnInAnyWorld(t *testing.T) {
	counts := map[string]int{}
	likely := withdrawalWorld()
	likely[0] = []choice{{"Enabled", unchanged}, {"Disabled", state("Disabled")}}
	likely[1], likely[2] = likely[1][:1], likely[2][:3]
	for oneIn, dimensions := range map[uint32][][]choice{96: withdrawalWorld(), 2: likely} {
		worlds(dimensions, oneIn, neverWithdrawn(t, counts))
	}
	for action, least := range map[string]int{
		"plan.WithdrawMaterial": 10, "plan.InterruptKey": 10, "plan.ImportMaterial": 500, "plan.ReleaseObject": 1000,
		"plan.ConfirmWithdrawal": 50, "plan.ForgetWithdrawal": 20, "plan.SetFinalizer": 1000,
	} {
		if counts[action] < least {
			t.Errorf("%d worlds with %s prove little", counts[action], action)
		}
	}
}

// neverWithdrawn checks one world, and counts what is done in it.
func neverWithdrawn(t *testing.T, counts map[string]int) func(name func() string, f *facts) {
	return func(name func() string, f *facts) {
		step := f.next()
		counts[fmt.Sprintf("%T", step.Action)]++
		broken := brokenByWithdrawal(f, step.Action)
		if action, imports := step.Action.(plan.ImportMaterial); imports {
			broken = append(broken, brokenByImport(f, action)...)
		}
		if _, finalizes := step.Action.(plan.SetFinalizer); !finalizes {
			broken = append(broken, brokenByStep(f, step)...)
		}
		o := f.observed
		if o.Ownership == "Mine" && o.Record.Withdrawal != nil && plan.UsabilityOf(f.desired, o) == "Usable" {
			broken = append(broken, "usable after a withdrawal")
		}
		if len(broken) > 0 {
			t.Fatalf("%s:\n%s\n%+v", name(), strings.Join(broken, "\n"), step)
		}
	}
}
