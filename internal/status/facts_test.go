package status_test

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
	"github.com/keyimport-dev/kms-key-import-operator/internal/status"
)

const (
	keyARN   = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	otherARN = "arn:aws:kms:eu-west-1:111122223333:key/ffffffff-12ab-34cd-56ef-1234567890ab"
	day      = 24 * time.Hour
)

var (
	now        = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	importedAt = now.Add(-time.Hour)
)

// end is the end of a pass: the arguments of status.Apply, whose step is the plan's own unless a test sets it.
type end struct {
	desired  plan.Desired
	observed plan.Observed
	step     *plan.Step
}

func (e *end) apply() v1alpha1.KMSKeyImportStatus {
	step := e.step
	if step == nil {
		next := plan.Next(e.desired, e.observed)
		step = &next
	}
	return status.Apply(e.desired, e.observed, *step)
}

// settledEnd is the end of a pass over an object at rest, generation 3, whose status says so already.
func settledEnd() *end {
	e := &end{
		desired: plan.Desired{
			UID: "uid-1", Generation: 3, KeyID: "alias/payments",
			Material: v1alpha1.KeyMaterialSource{
				SecretRef: v1alpha1.SecretKeyReference{Name: "payments-material", Key: "material"}, Encoding: "Raw", WeakMaterialPolicy: "Reject",
			},
			Expiry: kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
		},
		observed: plan.Observed{
			Now: importedAt, Resync: 10 * time.Minute,
			Ownership: "Mine",
			Record: &v1alpha1.KMSKeyRecord{
				KeyARN: keyARN,
				Imported: &v1alpha1.ImportedMaterial{
					MaterialImport: v1alpha1.MaterialImport{
						Operation: "Import", Fingerprint: "fingerprint-1", ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
						Secret:            v1alpha1.SecretVersion{Name: "payments-material", UID: "secret-1", ResourceVersion: "100", Key: "material", Encoding: "Raw"},
						WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
					},
					Time: metav1.NewTime(importedAt), KeyMaterialID: "material-1",
				},
			},
			Secret: plan.Secret{Presence: "Present", UID: "secret-1", ResourceVersion: "100"},
			Look: &plan.LookResult{Key: kms.Key{
				ARN: keyARN, State: "Enabled", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", Origin: "EXTERNAL", MultiRegion: true,
				Expiry: kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, CurrentKeyMaterialID: "material-1",
			}},
			Memory: plan.Memory{FirstSeen: importedAt, LastLook: now, Confirmed: importedAt},
		},
	}
	e.observed.Status = e.apply()
	e.observed.Now = now
	return e
}

type change func(*end)

func changed(changes ...change) *end {
	e := settledEnd()
	all(changes...)(e)
	return e
}

func all(changes ...change) change {
	return func(e *end) {
		for _, apply := range changes {
			apply(e)
		}
	}
}

func unchanged(*end) {}

// unseen is an object that the API server has just made; fresh one whose first pass did not get far.
func unseen(e *end) {
	generation := int64(-1)
	e.observed.Status = v1alpha1.KMSKeyImportStatus{ObservedGeneration: &generation}
	e.desired.Generation = 1
}

// firstImport is an empty key that nobody has claimed, and an object that was never seen.
func firstImport(e *end) {
	unseen(e)
	e.observed.Record, e.observed.Ownership = nil, "Unclaimed"
	e.observed.Memory = plan.Memory{FirstSeen: now, LastLook: now}
	empty(e)
}

func empty(e *end) {
	e.observed.Look.Key.State, e.observed.Look.Key.Expiry = "PendingImport", kms.Expiry{}
}

func justImported(e *end) {
	e.observed.Record.Imported.Time = metav1.NewTime(now)
	e.observed.Memory.Confirmed, e.observed.Memory.ImportedHere = time.Time{}, now
}

func edited(e *end)    { e.desired.Generation = 4 }
func suspended(e *end) { e.desired.Suspended, e.observed.Look = true, nil }
func otherBytes(e *end) {
	e.observed.Secret.ResourceVersion = "101"
	e.observed.Material = &plan.Material{Fingerprint: "fingerprint-2", Comparable: true}
}
func noSecret(e *end)  { e.observed.Secret = plan.Secret{Presence: "Absent"} }
func requested(e *end) { e.desired.Requests.Reconcile = "2026-03-01T11:59:59Z" }

func state(state kms.KeyState) change { return func(e *end) { e.observed.Look.Key.State = state } }

// held is a record that says that the key was seen disabled.
func held(e *end) {
	e.observed.Record.Hold = &v1alpha1.KeyHold{KeyState: "Disabled", Time: metav1.NewTime(importedAt), Request: new(string)}
}

// otherKey is a keyID that leads to another key than the record's, one that is in another state.
func otherKey(e *end) {
	key := e.observed.Look.Key
	key.ARN, key.State, key.Spec, key.Expiry = otherARN, "PendingImport", "HMAC_256", kms.Expiry{}
	e.observed.Look = &plan.LookResult{Key: key}
}

func lookError(class kms.ErrorClass) change {
	return func(e *end) {
		e.observed.Look = &plan.LookResult{Err: &kms.Error{Operation: "DescribeKey", Class: class, Code: "SomeException"}}
	}
}

// throttledImport is a pass whose import was refused.
func throttledImport(e *end) {
	e.observed.Attempt = &plan.ImportAttempt{Tries: 1, Err: &kms.Error{Operation: "ImportKeyMaterial", Class: "Throttled"}}
}

func hisTurnIn(d time.Duration) change { return func(e *end) { e.observed.TurnIn = d } }

// expires is material that was imported with this expiry, as it was wanted.
func expires(ahead time.Duration) change {
	return func(e *end) {
		validTo := metav1.NewTime(now.Add(ahead))
		e.desired.Expiry = kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: validTo.Time}
		e.observed.Record.Imported.ExpirationModel, e.observed.Record.Imported.ValidTo = "KEY_MATERIAL_EXPIRES", &validTo
		if e.observed.Look != nil && e.observed.Look.Err == nil {
			e.observed.Look.Key.Expiry = e.desired.Expiry
		}
		e.observed.Status.ExpirationModel, e.observed.Status.ValidTo = "KEY_MATERIAL_EXPIRES", &validTo
	}
}

func wantsExpiry(ahead time.Duration) change {
	return func(e *end) { e.desired.Expiry = kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: now.Add(ahead)} }
}

// then makes what the pass so far has written the status that the next pass finds, some time later.
func then(later time.Duration, changes ...change) change {
	return func(e *end) {
		e.observed.Status = e.apply()
		e.observed.Now = e.observed.Now.Add(later)
		e.observed.Attempt, e.observed.Material = nil, nil
		all(changes...)(e)
	}
}

// look is a look that shows the key in good order.
func look(e *end) { e.observed.Look = settledEnd().observed.Look }

// condition is what people see of a condition; empty when it is absent.
func condition(s v1alpha1.KMSKeyImportStatus, conditionType string) string {
	found := meta.FindStatusCondition(s.Conditions, conditionType)
	if found == nil {
		return ""
	}
	return string(found.Status) + " " + found.Reason
}

// assertInvariants checks what is true of every status, whatever happened.
func assertInvariants(t *testing.T, e *end) {
	t.Helper()
	if _, last := plan.Next(e.desired, e.observed).Action.(plan.Finish); e.step == nil && !last {
		t.Error("this is not the end of a pass")
	}
	before := *e.observed.Status.DeepCopy()
	got := e.apply()
	if !equality.Semantic.DeepEqual(before, e.observed.Status) {
		t.Error("the last status was changed in place")
	}
	ready, stalled, reconciling := condition(got, "Ready"), condition(got, "Stalled"), condition(got, "Reconciling")
	if ready == "" {
		t.Error("Ready is absent")
	}
	if stalled != "" && reconciling != "" {
		t.Errorf("Stalled (%s) and Reconciling (%s)", stalled, reconciling)
	}
	if stalled != "" && ready != "False "+stalled[len("True "):] {
		t.Errorf("Stalled is %q and Ready %q", stalled, ready)
	}
	for _, c := range got.Conditions {
		if c.Type != "Ready" && c.Status != "True" {
			t.Errorf("%s is present and %s", c.Type, c.Status)
		}
		if c.Reason == "" || c.Message == "" || c.LastTransitionTime.IsZero() {
			t.Errorf("%s does not explain itself: %+v", c.Type, c)
		}
		if got.ObservedGeneration == nil || c.ObservedGeneration != *got.ObservedGeneration {
			t.Errorf("%s is about generation %d, the status about %v", c.Type, c.ObservedGeneration, got.ObservedGeneration)
		}
	}
	if got.ObservedGeneration != nil && (*got.ObservedGeneration < 0 || *got.ObservedGeneration > e.desired.Generation) {
		t.Errorf("observedGeneration is %d", *got.ObservedGeneration)
	}
	assertIdempotent(t, e, got)
}

// assertIdempotent checks that a second pass without a change in the world writes nothing.
func assertIdempotent(t *testing.T, e *end, got v1alpha1.KMSKeyImportStatus) {
	t.Helper()
	again := *e
	again.observed.Status = got
	again.observed.Now = e.observed.Now.Add(time.Second)
	if again.step == nil {
		step := plan.Next(e.desired, e.observed)
		again.step = &step
	}
	if second := again.apply(); !equality.Semantic.DeepEqual(got, second) {
		t.Errorf("not idempotent:\nfirst  %+v\nsecond %+v", got, second)
	}
}

// kstatusOf is what kubectl wait, Flux and Argo CD make of an object with this status.
func kstatusOf(t *testing.T, e *end) string {
	t.Helper()
	object := &v1alpha1.KMSKeyImport{
		TypeMeta:   metav1.TypeMeta{APIVersion: "kms.keyimport.dev/v1alpha1", Kind: "KMSKeyImport"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "payments", Generation: e.desired.Generation},
		Status:     e.apply(),
	}
	if e.desired.Deleting {
		object.DeletionTimestamp = &metav1.Time{Time: e.desired.DeletedAt}
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	result, err := kstatus.Compute(&unstructured.Unstructured{Object: content})
	if err != nil {
		t.Fatal(err)
	}
	return result.Status.String()
}
