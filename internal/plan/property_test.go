package plan_test

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// A choice is one value of a dimension of the world. A world is one choice of each dimension.
type choice struct {
	name  string
	apply change
}

// worlds visits one in so many worlds of a product: which, is the same each time.
func worlds(dimensions [][]choice, oneIn uint32, visit func(name func() string, f *facts)) {
	chosen := make([]choice, len(dimensions))
	random := uint32(0)
	var choose func(int)
	choose = func(i int) {
		if i < len(dimensions) {
			for _, c := range dimensions[i] {
				chosen[i] = c
				choose(i + 1)
			}
			return
		}
		if random = random*1664525 + 1013904223; random>>16%oneIn != 0 {
			return
		}
		f := settledFacts()
		for _, c := range chosen {
			c.apply(f)
		}
		visit(func() string { return fmt.Sprint(names(chosen)) }, f)
	}
	choose(0)
}

func names(chosen []choice) []string {
	all := make([]string, 0, len(chosen))
	for _, c := range chosen {
		all = append(all, c.name)
	}
	return all
}

// world is every combination of what may be known of a key, its record, the Secret and the spec, in a situation. Some
// combinations cannot happen; the plan must be safe in those too.
func world() [][]choice {
	recordIs := func(imported, intended bool, and change) change {
		return func(f *facts) {
			if f.observed.Record == nil {
				return
			}
			and(f)
			if intended {
				intent(f)
			}
			if !imported {
				nothingImported(f)
			}
		}
	}
	refusal := func(class kms.ErrorClass, tries int) change {
		return attempt(tries, &kms.Error{Operation: "ImportKeyMaterial", Class: class, Code: "SomeException", Message: "Something happened."})
	}
	return [][]choice{
		{
			{"Enabled", unchanged}, {"PendingImport", empty}, {"Disabled", state("Disabled")}, {"PendingDeletion", state("PendingDeletion")},
			{"Updating", state("Updating")}, {"unheard of", state("Frozen")},
		},
		{
			{"mine", unchanged}, {"foreign", foreign}, {"ownerless", func(f *facts) { f.observed.Ownership = "Ownerless" }},
			{"unclaimed", func(f *facts) { f.observed.Record, f.observed.Ownership = nil, "Unclaimed" }},
		},
		{
			{"imported", recordIs(true, false, unchanged)}, {"intent", recordIs(false, true, unchanged)},
			{"imported and intent", recordIs(true, true, unchanged)}, {"claim", recordIs(false, false, unchanged)},
			{"imported, held", recordIs(true, false, held)}, {"imported and intent, held", recordIs(true, true, held)}, {"claim, held", recordIs(false, false, held)},
			{"imported, deletion held", recordIs(true, false, deletionHeld)}, {"imported and intent, deletion held", recordIs(true, true, deletionHeld)},
		},
		{
			{"bytes unread", unchanged}, {"same bytes", sameMaterial}, {"other bytes", otherMaterial}, {"incomparable bytes", incomparableMaterial}, {"bad bytes", badMaterial},
		},
		{
			{"Secret as recorded", unchanged}, {"Secret rewritten", rewritten}, {"no Secret", secret("Absent")}, {"no consent", secret("NotConsenting")}, {"no key", secret("KeyMissing")},
		},
		{
			{"permanent", unchanged}, {"expiring", ifImported(expires(30 * day))}, {"expired", ifImported(expires(-day))}, {"expiry moves", wantsExpiry(30 * day)},
			{"expiry past", wantsExpiry(-time.Second)}, {"expiry near", wantsExpiry(time.Minute)}, {"expiry far", wantsExpiry(366 * day)},
			{"expiring now", ifImported(expires(time.Minute))},
			{"rolling", ifImported(rollsOver(5 * time.Hour))}, {"rolling, overdue", ifImported(rollsOver(time.Hour))}, {"rolling, expired", ifImported(rollsOver(-time.Hour))},
			{"now rolling", wantsValidFor(6 * time.Hour)}, {"rolling, longer", all(ifImported(rollsOver(5*time.Hour)), wantsValidFor(12*time.Hour))},
			{"rolling, shortened", ifImported(all(rollsOver(5*time.Hour), reportedExpiry(time.Hour)))}, {"rolling, lengthened", ifImported(all(rollsOver(5*time.Hour), reportedExpiry(day)))},
			{"as was intended", reportedExpiry(30 * day)}, {"shortened", ifImported(all(expires(30*day), reportedExpiry(day)))},
		},
		{{"Reimport", unchanged}, {"Hold", hold}},
		{
			{"at rest", unchanged}, {"deleting", deleting}, {"suspended", suspended}, {"restarted", all(noLook, restarted)},
			{"no look", noLook}, {"look not found", lookError("NotFound")}, {"look throttled", lookError("Throttled")},
			{"other key", otherKey}, {"not external", func(f *facts) { f.observed.Look.Key.Origin = "AWS_KMS" }},
			{"requested", requested}, {"reimport requested", all(reimportRequested, lastState("PendingImport"))}, {"second contradiction", contradictedFor(time.Minute)},
			{"reimport requested before", reimportRequested}, {"reimport echoed", all(reimportRequested, reimportEchoed)}, {"reimport served", all(reimportRequested, reimportServed)},
			{"never shown", ifImported(all(unconfirmed, marked))}, {"shown late", ifImported(marked)},
			{"said to be shortened", all(lastCondition("Expiring", "ExpiryShortened"), contradictedFor(0))},
			{"just imported", ifImported(all(age(0), unconfirmed, attempt(1, nil)))},
			{"unconverged", ifImported(unconfirmed)}, {"was disabled", lastState("Disabled")},
			{"token refused", refusal("TokenRefused", 1)}, {"token refused twice", refusal("TokenRefused", 2)}, {"import throttled", refusal("Throttled", 1)},
			{"refused before", func(f *facts) {
				f.observed.Memory.Refusal = plan.Refusal{Import: reimportAction(), Secret: materialImport("Import").Secret, Err: &kms.Error{Class: "MaterialRefused"}}
			}},
			{"turn to wait for", func(f *facts) { f.observed.TurnIn = time.Second }},
			{"impossible wrapping", asks("RSA_AES_KEY_WRAP_SHA_256", "")}, {"private key", onPrivateKey}, {"QKMS", qkms},
			{"private key that is too long", all(onPrivateKey, asks("RSAES_OAEP_SHA_256", "RSA_2048"), ifRead(191))},
			{"not importable", func(f *facts) { f.observed.Look.Key.Spec = "ML_DSA_65" }},
		},
	}
}

// onPrivateKey is a key that takes a PKCS#8 private key.
func onPrivateKey(f *facts) {
	f.observed.Look.Key.Spec, f.observed.Look.Key.Usage = "ECC_NIST_P384", "SIGN_VERIFY"
}

// ifRead gives material that was read a length.
func ifRead(bytes int) change {
	return func(f *facts) {
		if m := f.observed.Material; m != nil && m.Problem == "" {
			longer := *m
			longer.Bytes = bytes
			f.observed.Material = &longer
		}
	}
}

// ifImported leaves worlds alone in which nothing was imported.
func ifImported(apply change) change {
	return func(f *facts) {
		if f.observed.Record != nil && f.observed.Record.Imported != nil {
			apply(f)
		}
	}
}

func TestNeverInAnyWorld(t *testing.T) {
	count, imports, holds := 0, 0, 0
	worlds(world(), 48, func(name func() string, f *facts) {
		count++
		step := f.next()
		var broken []string
		switch action := step.Action.(type) {
		case plan.ImportMaterial:
			imports++
			broken = brokenByImport(f, action)
		case plan.HoldKey, plan.LiftHold:
			holds++
			broken = brokenByHold(f, action)
		case plan.ConfirmImport:
			broken = []string{"confirm: this KMS proves an import by another"}
		case plan.WithdrawMaterial, plan.InterruptKey, plan.ReleaseObject, plan.SetFinalizer, plan.ConfirmWithdrawal, plan.ForgetWithdrawal:
			broken = []string{"nobody has asked for it"}
		case plan.Finish, plan.Look, plan.InspectMaterial, plan.ClaimRecord, plan.AcceptSecretVersion, plan.MarkUnconfirmed, plan.MarkConfirmed:
		}
		broken = append(broken, brokenByStep(f, step)...)
		if len(broken) > 0 {
			t.Fatalf("%s:\n%s\n%+v", name(), strings.Join(broken, "\n"), step)
		}
	})
	if count < 100_000 || imports < 500 || holds < 1000 {
		t.Errorf("%d worlds with %d imports and %d holds prove little", count, imports, holds)
	}
}

// brokenByHold says which rule is broken by noting or forgetting that a key was disabled or that its material was deleted.
func brokenByHold(f *facts, action plan.Action) []string {
	o, hold := f.observed, f.desired.HoldDeleted
	if o.Ownership != "Mine" || o.Look == nil || o.Look.Err != nil || o.Look.Key.ARN != keyARN || f.desired.Suspended || f.desired.Deleting {
		return []string{"hold: without a look at a key of its own"}
	}
	state, noted := o.Look.Key.State, ""
	if o.Record.Hold != nil {
		noted = o.Record.Hold.KeyState
	}
	disabled := noted != "Disabled" && (state == "Disabled" || state == "PendingDeletion")
	decided := state == "PendingImport" && requestedIn(f)
	emptied := noted == "Disabled" && state == "PendingImport" && o.Record.Hold.Request == nil
	deleted := noted == "" && state == "PendingImport" && hold && o.Record.Imported != nil && !isExpired(o.Record.Imported, o.Now)
	if action == (plan.HoldKey{}) && !disabled && !emptied && !deleted {
		return []string{"hold: for no reason"}
	}
	if action == (plan.LiftHold{}) && (noted == "" || state != "Enabled" && !decided) {
		return []string{"lift: for no reason"}
	}
	return nil
}

// isExpired reports whether the recorded expiry has passed.
func isExpired(imported *v1alpha1.ImportedMaterial, at time.Time) bool {
	return imported.ValidTo != nil && !imported.ValidTo.After(at)
}

// brokenByImport says which rule an import breaks: those that keep keys from being destroyed.
func brokenByImport(f *facts, action plan.ImportMaterial) []string {
	d, o := f.desired, f.observed
	recorded := ""
	if o.Record != nil && o.Record.Intent != nil {
		recorded = o.Record.Intent.Fingerprint
	}
	if o.Record != nil && o.Record.Imported != nil {
		recorded = o.Record.Imported.Fingerprint
	}
	wanted := d.Expiry
	if d.ValidFor > 0 {
		wanted.ValidTo = o.Now.Add(d.ValidFor).Truncate(time.Second)
	}
	looked := o.Look != nil && o.Look.Err == nil
	proof, incomparable := proves(f), isIncomparable(o)
	if proof {
		wanted = o.Look.Key.Expiry
	}
	ahead := action.Expiry.ValidTo.Sub(o.Now)
	rules := map[string]bool{
		"suspended":                 !d.Suspended,
		"deleting":                  !d.Deleting || o.Ownership == "Mine" && o.Record.Withdrawal != nil,
		"without a look":            looked,
		"another's key":             o.Ownership == "Mine" || o.Ownership == "Unclaimed" && o.Record == nil || o.Ownership == "Ownerless" && incomparable,
		"another key":               looked && (o.Record == nil || o.Ownership == "Ownerless" || o.Look.Key.ARN == o.Record.KeyARN),
		"not EXTERNAL":              looked && o.Look.Key.Origin == "EXTERNAL",
		"in that state":             looked && (o.Look.Key.State == "Enabled" || o.Look.Key.State == "PendingImport"),
		"over material":             looked && (o.Look.Key.State == "PendingImport" || o.Dialect == ""),
		"not the record's material": action.Expect == recorded || incomparable && action.Expect == "" && o.Dialect == "",
		"other material":            recorded == "" || o.Material == nil || o.Material.Fingerprint == recorded || incomparable && o.Dialect == "" || action.Sealed,
		"bad material":              action.Sealed || o.Material == nil || o.Material.Problem == "",
		"without Secret":            action.Sealed || o.Secret.Presence == "Present",
		"not its turn":              action.Sealed || o.TurnIn == 0,
		"not the wanted expiry":     action.Expiry == wanted && (action.ValidFor == d.ValidFor || proof && action.ValidFor == 0),
		"refused expiry":            action.Expiry.Model != "KEY_MATERIAL_EXPIRES" || ahead >= 5*time.Minute && ahead <= 365*day || proof && ahead >= time.Minute,
		"weak material":             action.RejectWeak == (recorded == "" && !proof),
		"twice in a pass":           o.Attempt == nil || mayFollow(o, wanted),
		"what KMS does not import":  looked && (o.Look.Key.Spec == "SYMMETRIC_DEFAULT" || o.Dialect == "" && (o.Look.Key.Spec == "ECC_NIST_P384" || o.Look.Key.Spec == "HMAC_256")),
		"not sealed":                !action.Sealed || sealedFor(o),
		"that wrapping":             action.Sealed || wrappingIsPossible(f, action.Wrapping),
		"refused before":            o.Memory.Refusal.Err == nil || action != o.Memory.Refusal.Import || requestedIn(f) || d.Requests.Reconcile != o.Status.LastHandledReconcileAt,
		"while held":                o.Record == nil || o.Record.Hold == nil || o.Record.Hold.Lifted != nil || o.Record.Hold.KeyState == "PendingImport" && !d.HoldDeleted || o.Ownership == "Ownerless" && looked && (o.Look.Key.State == "Enabled" || requestedIn(f)),
		"after it was disabled":     o.Record != nil || o.Status.Key == nil || o.Status.Key.State != "Disabled" || requestedIn(f) || looked && o.Look.Key.State == "Enabled",
	}
	var broken []string
	for rule, kept := range rules {
		if !kept {
			broken = append(broken, "import: "+rule)
		}
	}
	return broken
}

// sealedFor reports whether the record has the material of an empty key sealed.
func sealedFor(o plan.Observed) bool {
	return o.Ownership == "Mine" && o.Record.Withdrawal != nil && o.Record.Withdrawal.Sealed != nil && o.Look.Key.State == "PendingImport"
}

// proves reports whether an import is to change nothing: the key holds what the record does not know, or cannot compare.
func proves(f *facts) bool {
	o := f.observed
	if o.Look == nil || o.Look.Err != nil || o.Look.Key.State == "PendingImport" {
		return false
	}
	unknown := o.Record == nil || o.Record.Imported == nil && (o.Record.Intent == nil || o.Record.Intent.KeyState != "PendingImport")
	return unknown || isIncomparable(o)
}

// isIncomparable reports whether the Secret's bytes were read, and the fingerprint key of the record is lost.
func isIncomparable(o plan.Observed) bool {
	return o.Material != nil && !o.Material.Comparable && o.Material.Problem == ""
}

// wrappingIsPossible reports whether KMS takes a wrapping for the key, whether the material fits as far as it was read,
// and whether it is the strongest that was left open.
func wrappingIsPossible(f *facts, wrapping kms.Wrapping) bool {
	d, o := f.desired, f.observed
	asked := (d.Wrapping.Algorithm == "" || d.Wrapping.Algorithm == wrapping.Algorithm) && (d.Wrapping.KeySpec == "" || d.Wrapping.KeySpec == wrapping.KeySpec)
	best := kms.WrappingAlgorithm("RSAES_OAEP_SHA_256")
	if o.Material != nil && o.Material.Bytes > 446 && o.Look.Key.Spec == "ECC_NIST_P384" { // what RSA_4096 takes of it
		best = "RSA_AES_KEY_WRAP_SHA_256"
	}
	strongest := d.Wrapping != (kms.Wrapping{}) || wrapping.Algorithm == best && (wrapping.KeySpec == "RSA_4096" || o.Dialect == "QKMS")
	taken := o.Look.Key.Spec == "ECC_NIST_P384" || wrapping.Algorithm == "RSAES_OAEP_SHA_256"
	qkms := o.Dialect == "" || wrapping == kms.Wrapping{Algorithm: "RSAES_OAEP_SHA_256", KeySpec: "RSA_2048"}
	fits := o.Material == nil || o.Material.Bytes <= wrapping.Limit()
	return asked && strongest && taken && qkms && fits
}

// requestedIn reports whether a person has asked for an import since the last status.
func requestedIn(f *facts) bool {
	return f.desired.Requests.Reimport != "" && f.desired.Requests.Reimport != f.observed.Status.LastHandledReimportAt
}

// mayFollow reports whether an import may be made in a pass that has made one: after a refused token, once. A world in
// which a successful import left an intent behind, or another expiry than was wanted, cannot happen.
func mayFollow(o plan.Observed, wanted kms.Expiry) bool {
	if o.Attempt.Err == nil {
		return o.Record.Intent != nil || !plan.RecordedExpiry(o.Record.Imported.MaterialImport).Equal(wanted)
	}
	return o.Attempt.Err.Class == "TokenRefused" && o.Attempt.Tries == 1
}

// reportsExpiryWithin reports whether what KMS reported of the key, now or last, expires soon.
func reportsExpiryWithin(f *facts, limit time.Duration) bool {
	o := f.observed
	validTo := time.Time{}
	if o.Look != nil && o.Look.Err == nil {
		validTo = o.Look.Key.Expiry.ValidTo
	} else if o.Status.ValidTo != nil {
		validTo = o.Status.ValidTo.Time
	}
	left := validTo.Sub(o.Now)
	return left > 0 && left <= limit
}

var aReason = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)

// brokenByStep says which rule of the form of a step is broken.
func brokenByStep(f *facts, step plan.Step) []string {
	_, last := step.Action.(plan.Finish)
	explained := aReason.MatchString(step.Reason) && step.Message != ""
	quiet := step.Reason == "" && step.Message == ""
	usable := plan.UsabilityOf(f.desired, f.observed) == "Usable"
	rules := map[string]bool{
		"an action says nothing about the end": last || reflect.DeepEqual(step, plan.Step{Action: step.Action}),
		"deleted objects are left alone":       !f.desired.Deleting || f.desired.Finalizer || step.Outcome == "Untouched",
		"suspended objects are left alone":     !f.desired.Suspended || f.desired.Deleting || step.Outcome == "Suspended",
		"one line":                             !strings.ContainsAny(step.Message, "\n\r"),
		"no future in the past":                step.After >= 0,
	}
	if look := f.observed.Look; look != nil && look.Err != nil && !f.desired.Deleting && !f.desired.Suspended {
		rules["a failed look decides nothing"] = step.Outcome == "Retry" || step.Outcome == "Waiting" && step.Reason == "KeyNotFound"
	}
	if last {
		switch step.Outcome {
		case "Waiting", "Stalled", "Progressing":
			rules["a reason, a sentence, a next time"] = explained && step.After > 0
		case "Retry":
			soon := step.After > 0 && step.After <= 10*time.Second && reportsExpiryWithin(f, 5*time.Minute)
			rules["a reason, a sentence, backoff that does not sleep past the expiry"] = explained && (step.After == 0 || soon)
		case "Suspended":
			rules["a reason and a sentence, and nobody to hurry for"] = explained && step.Priority == -50
		case "Settled":
			rules["settled is quiet, usable and looked at again"] = quiet && usable && step.After > 0 && f.observed.Look != nil
			rules["settled is urgent or routine"] = step.Priority == 50 || step.Priority == -50
		case "Untouched":
			rules["untouched says nothing"] = quiet && len(step.Warnings) == 0
		default:
			rules["an outcome"] = false
		}
	}
	if step.Outcome == "Stalled" {
		rules["nobody can hurry a stall"] = step.Priority == -50
	}
	for _, warning := range step.Warnings {
		rules["only "+warning.Type+" is not about an imported key of its own"] = warning.Type == "Suspended" ||
			f.observed.Ownership == "Mine" && f.observed.Record.Imported != nil
		rules["a warning has a type, a reason and a sentence"] = aReason.MatchString(warning.Type) && aReason.MatchString(warning.Reason) &&
			warning.Message != "" && !strings.ContainsAny(warning.Message, "\n\r")
	}
	var broken []string
	for rule, kept := range rules {
		if !kept {
			broken = append(broken, "step: "+rule)
		}
	}
	return broken
}

// Next is a pure function: the same facts give the same step, and are left as they were.
func TestNextIsPure(t *testing.T) {
	worlds(world(), 512, func(name func() string, f *facts) {
		before := f.copy()
		first, second := f.next(), f.next()
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("%s: got %+v and then %+v", name(), first, second)
		}
		if !reflect.DeepEqual(f, before) {
			t.Fatalf("%s: the facts were changed", name())
		}
	})
}

func (f *facts) copy() *facts {
	c := *f
	c.observed.Status = *f.observed.Status.DeepCopy()
	c.observed.Record = f.observed.Record.DeepCopy()
	if look := f.observed.Look; look != nil {
		c.observed.Look = &plan.LookResult{Key: look.Key, Err: copyOf(look.Err)}
	}
	c.observed.Material = copyOf(f.observed.Material)
	if attempt := f.observed.Attempt; attempt != nil {
		c.observed.Attempt = &plan.ImportAttempt{Tries: attempt.Tries, Err: copyOf(attempt.Err)}
	}
	return &c
}

func copyOf[T any](value *T) *T {
	if value == nil {
		return nil
	}
	c := *value
	return &c
}

// A clock that stands still or jumps must not make the plan panic or wait for ever.
func TestAnyClock(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(0, 0), now.AddDate(-50, 0, 0), now.AddDate(50, 0, 0)} {
		for name, apply := range map[string]change{
			"settled": unchanged, "expiring": expires(day), "empty": empty, "first": firstImport, "waiting": lookError("NotFound"),
			"first sight": all(noLook, restarted), "reconciling": all(empty, lastCondition("Reconciling", "Progressing")),
			"retry": all(expires(time.Minute), lookError("Throttled")),
		} {
			f := changed(apply)
			f.observed.Now = at
			f.observed.Memory.FirstSeen = at
			if after := f.next().After; after < 0 || after > 11*time.Minute {
				t.Errorf("%s at %s: looks again after %s", name, at, after)
			}
		}
	}
}
