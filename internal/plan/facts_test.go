package plan_test

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
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

// facts are the arguments of plan.Next.
type facts struct {
	desired  plan.Desired
	observed plan.Observed
}

func (f *facts) next() plan.Step { return plan.Next(f.desired, f.observed) }

// settledFacts are those of an object at rest: imported an hour ago, confirmed, looked at in this pass.
func settledFacts() *facts {
	generation := int64(3)
	return &facts{
		desired: plan.Desired{
			UID:        "9e107d9d-372b-4b6f-8c55-a0e8c1f2b001",
			Generation: 3,
			KeyID:      "alias/payments",
			Material: v1alpha1.KeyMaterialSource{
				SecretRef:          v1alpha1.SecretKeyReference{Name: "payments-material", Key: "material"},
				Encoding:           "Raw",
				WeakMaterialPolicy: "Reject",
			},
			Expiry: kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
		},
		observed: plan.Observed{
			Now:    now,
			Resync: 10 * time.Minute,
			Status: v1alpha1.KMSKeyImportStatus{
				ObservedGeneration: &generation,
				Conditions: []metav1.Condition{{
					Type: "Ready", Status: "True", Reason: "Imported", LastTransitionTime: metav1.NewTime(importedAt),
				}},
				Key:             &v1alpha1.KeyStatus{ARN: keyARN, State: "Enabled"},
				ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE",
			},
			Ownership: "Mine",
			Record: &v1alpha1.KMSKeyRecord{
				KeyARN: keyARN,
				Owner:  &v1alpha1.RecordOwner{Namespace: "payments", Name: "payments", UID: "9e107d9d-372b-4b6f-8c55-a0e8c1f2b001"},
				Imported: &v1alpha1.ImportedMaterial{
					MaterialImport: materialImport("Import"),
					Time:           metav1.NewTime(importedAt),
					KeyMaterialID:  "material-1",
				},
			},
			Secret: plan.Secret{Presence: "Present", UID: "secret-1", ResourceVersion: "100"},
			Look: &plan.LookResult{Key: kms.Key{
				ARN: keyARN, State: "Enabled", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", Origin: "EXTERNAL",
				Expiry:               kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
				CurrentKeyMaterialID: "material-1",
			}},
			Memory: plan.Memory{FirstSeen: now.Add(-2 * time.Hour), LastLook: now, Confirmed: importedAt},
		},
	}
}

func materialImport(operation v1alpha1.ImportOperation) v1alpha1.MaterialImport {
	return v1alpha1.MaterialImport{
		Operation:   operation,
		Fingerprint: "fingerprint-1",
		Secret: v1alpha1.SecretVersion{
			Name: "payments-material", UID: "secret-1", ResourceVersion: "100", Key: "material", Encoding: "Raw",
		},
		ExpirationModel:   "KEY_MATERIAL_DOES_NOT_EXPIRE",
		WrappingAlgorithm: "RSAES_OAEP_SHA_256",
		WrappingKeySpec:   "RSA_4096",
	}
}

// The changes to these facts that tests are made of.

type change func(*facts)

func changed(changes ...change) *facts {
	f := settledFacts()
	for _, apply := range changes {
		apply(f)
	}
	return f
}

func all(changes ...change) change {
	return func(f *facts) {
		for _, apply := range changes {
			apply(f)
		}
	}
}

func unchanged(*facts) {}

// firstImport is an empty key that nobody has claimed, and an object that was never settled.
func firstImport(f *facts) {
	generation := int64(0)
	f.observed.Record, f.observed.Ownership = nil, "Unclaimed"
	f.observed.Status = v1alpha1.KMSKeyImportStatus{ObservedGeneration: &generation}
	f.observed.Memory = plan.Memory{FirstSeen: now, LastLook: now}
	empty(f)
	f.observed.Look.Key.CurrentKeyMaterialID = ""
}

// empty is a key without material.
func empty(f *facts) {
	f.observed.Look.Key.State, f.observed.Look.Key.Expiry = "PendingImport", kms.Expiry{}
}

// intent is an import whose answer was lost.
func intent(f *facts) {
	f.observed.Record.Intent = &v1alpha1.ImportIntent{
		MaterialImport: materialImport("Import"),
		Time:           metav1.NewTime(now.Add(-time.Minute)),
		NotAfter:       metav1.NewTime(now.Add(-30 * time.Second)),
		KeyState:       "PendingImport",
	}
}

// firstIntent is a first import whose answer was lost.
func firstIntent(f *facts) {
	intent(f)
	f.observed.Record.Imported = nil
}

func qkms(f *facts)      { f.observed.Dialect = "QKMS" }
func suspended(f *facts) { f.desired.Suspended = true }
func deleting(f *facts)  { f.desired.Deleting = true }
func noLook(f *facts)    { f.observed.Look = nil }
func foreign(f *facts)   { f.observed.Ownership = "Foreign" }
func otherKey(f *facts)  { f.observed.Look.Key.ARN = otherARN }

// ownerless is a record that an earlier object left behind, as a new object without status finds it.
func ownerless(f *facts) {
	generation := int64(0)
	f.observed.Ownership = "Ownerless"
	f.observed.Record.Owner = nil
	f.observed.Status = v1alpha1.KMSKeyImportStatus{ObservedGeneration: &generation}
	f.observed.Memory = plan.Memory{FirstSeen: now, LastLook: now}
}

// hold is onMaterialDeleted: Hold.
func hold(f *facts) { f.desired.HoldDeleted = true }

// held is a record that says that the key was seen disabled, and then without material.
func held(f *facts) {
	f.observed.Record.Hold = &v1alpha1.KeyHold{KeyState: "Disabled", Time: metav1.NewTime(now.Add(-time.Hour)), Request: new(string)}
}

// notSeenEmpty is a hold of a key that still had its material.
func notSeenEmpty(f *facts) { f.observed.Record.Hold.Request = nil }

// wasLifted is a hold whose key is to be filled again.
func wasLifted(f *facts) { f.observed.Record.Hold.Lifted = new(true) }

// askedBefore is a request that was made before the key was seen without material.
func askedBefore(f *facts) {
	reimportRequested(f)
	f.observed.Record.Hold.Request = &f.desired.Requests.Reimport
}

// deletionHeld is a record that says that somebody deleted the key's material.
func deletionHeld(f *facts) {
	f.observed.Record.Hold = &v1alpha1.KeyHold{KeyState: "PendingImport", Time: metav1.NewTime(now.Add(-time.Hour)), Request: new(string)}
}

// heldDeleted is such a key that is known to be empty.
func heldDeleted(f *facts) {
	deletionHeld(f)
	if f.observed.Status.Key != nil {
		lastState("PendingImport")(f)
	}
	empty(f)
}

// heldEmpty is a key that was seen disabled and is known to be empty.
func heldEmpty(f *facts) { all(held, empty, lastState("PendingImport"))(f) }

func edited(f *facts) { f.desired.Generation = 4 }

func nothingImported(f *facts) { f.observed.Record.Imported = nil }

func state(state kms.KeyState) change {
	return func(f *facts) { f.observed.Look.Key.State = state }
}

func lastState(state string) change {
	return func(f *facts) { f.observed.Status.Key.State = state }
}

func lookError(class kms.ErrorClass) change {
	return func(f *facts) {
		f.observed.Look = &plan.LookResult{Err: &kms.Error{Operation: "DescribeKey", Class: class, Code: "SomeException", Message: "Something happened."}}
	}
}

func attempt(tries int, err *kms.Error) change {
	return func(f *facts) { f.observed.Attempt = &plan.ImportAttempt{Tries: tries, Err: err} }
}

func secret(presence plan.Presence) change {
	return func(f *facts) { f.observed.Secret.Presence = presence }
}

func rewritten(f *facts) { f.observed.Secret.ResourceVersion = "101" }

func material(m plan.Material) change {
	return func(f *facts) { f.observed.Material = &m }
}

var (
	sameMaterial         = material(plan.Material{Fingerprint: "fingerprint-1", Comparable: true})
	otherMaterial        = material(plan.Material{Fingerprint: "fingerprint-2", Comparable: true})
	incomparableMaterial = material(plan.Material{Fingerprint: "fingerprint-under-new-key"})
	badMaterial          = material(plan.Material{Problem: "Secret \"payments-material\", key \"material\": too short", Comparable: true})
)

// requested is a reconcile-requested-at that was not seen before.
func requested(f *facts) { f.desired.Requests.Reconcile = "2026-03-01T11:59:59Z" }

// reimportRequested is a reimport-requested-at that was not seen before.
func reimportRequested(f *facts) { f.desired.Requests.Reimport = "2026-03-01T11:59:58Z" }

// marked is an import of which the record says that KMS has not shown it.
func marked(f *facts) {
	yes := true
	f.observed.Record.Imported.Unconfirmed = &yes
}

// hmacKey is a key that can have one material only.
func hmacKey(f *facts) {
	f.observed.Look.Key.Spec, f.observed.Look.Key.Usage = "HMAC_256", "GENERATE_VERIFY_MAC"
}

// age is how long ago the material was imported.
func age(age time.Duration) change {
	return func(f *facts) {
		f.observed.Record.Imported.Time = metav1.NewTime(now.Add(-age))
		f.observed.Memory.Confirmed = now.Add(-age)
	}
}

// unconfirmed is an import by this process that no look has confirmed.
func unconfirmed(f *facts) {
	f.observed.Memory.ImportedHere = f.observed.Record.Imported.Time.Time
	f.observed.Memory.Confirmed = time.Time{}
	f.observed.Memory.ContradictedSince = f.observed.Memory.ImportedHere
}

// restarted is a process that has seen this object for the first time in this pass.
func restarted(f *facts) { f.observed.Memory = plan.Memory{FirstSeen: now} }

func contradictedFor(d time.Duration) change {
	return func(f *facts) { f.observed.Memory.ContradictedSince = now.Add(-d) }
}

func until(validTo time.Time) kms.Expiry {
	return kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: validTo}
}

// wantsExpiry is a spec.expiration.validTo so far ahead.
func wantsExpiry(ahead time.Duration) change {
	return func(f *facts) {
		f.desired.Expiry, f.desired.ValidFor, f.desired.RenewBefore = until(now.Add(ahead)), 0, 0
	}
}

// recordedExpiry is the expiry that the material was imported with.
func recordedExpiry(ahead time.Duration) change {
	return func(f *facts) {
		validTo := metav1.NewTime(now.Add(ahead))
		f.observed.Record.Imported.ExpirationModel, f.observed.Record.Imported.ValidTo = "KEY_MATERIAL_EXPIRES", &validTo
	}
}

// reportedExpiry is the expiry that KMS reports, now and last.
func reportedExpiry(ahead time.Duration) change {
	return func(f *facts) {
		validTo := metav1.NewTime(now.Add(ahead))
		f.observed.Status.ExpirationModel, f.observed.Status.ValidTo = "KEY_MATERIAL_EXPIRES", &validTo
		if f.observed.Look != nil && f.observed.Look.Err == nil {
			f.observed.Look.Key.Expiry = until(now.Add(ahead))
		}
	}
}

// expires is material that was imported with this expiry, as it was wanted.
func expires(ahead time.Duration) change {
	return all(wantsExpiry(ahead), recordedExpiry(ahead), reportedExpiry(ahead))
}

// rollsOver is material that is valid for six hours and renewed two hours before that, imported to expire so far ahead.
func rollsOver(ahead time.Duration) change {
	return func(f *facts) {
		all(expires(ahead), wantsValidFor(6*time.Hour))(f)
		f.observed.Record.Imported.ValidFor = &metav1.Duration{Duration: 6 * time.Hour}
		f.observed.Record.Imported.Time = metav1.NewTime(now.Add(ahead - 6*time.Hour))
		f.observed.Memory.Confirmed = f.observed.Record.Imported.Time.Time
	}
}

// wantsValidFor is a spec.expiration.validFor, with a renewal two hours before.
func wantsValidFor(validFor time.Duration) change {
	return func(f *facts) {
		f.desired.Expiry = kms.Expiry{Model: "KEY_MATERIAL_EXPIRES"}
		f.desired.ValidFor, f.desired.RenewBefore = validFor, 2*time.Hour
	}
}

// rollingReimport is a re-import that is valid for six hours.
func rollingReimport() plan.ImportMaterial {
	action := reimportUntil(6 * time.Hour)
	action.ValidFor = 6 * time.Hour
	return action
}

func lastCondition(conditionType, reason string) change {
	return func(f *facts) {
		f.observed.Status.Conditions = append(f.observed.Status.Conditions, metav1.Condition{
			Type: conditionType, Status: "True", Reason: reason, LastTransitionTime: metav1.NewTime(now),
		})
	}
}

func lastReady(status metav1.ConditionStatus) change {
	return func(f *facts) { f.observed.Status.Conditions[0].Status = status }
}

// echoed is a request that the status already answers.
func echoed(f *facts) { f.observed.Status.LastHandledReconcileAt = f.desired.Requests.Reconcile }

// served is a request that an import of this process has served, though no status answers it yet.
func served(f *facts) { f.observed.Memory.Served.Reconcile = f.desired.Requests.Reconcile }

// reimportEchoed and reimportServed are the same of a reimport-requested-at.
func reimportEchoed(f *facts) {
	f.observed.Status.LastHandledReimportAt = f.desired.Requests.Reimport
}
func reimportServed(f *facts) { f.observed.Memory.Served.Reimport = f.desired.Requests.Reimport }

// withdrawing is a deletion of the material by this operator whose outcome is not known, begun so long ago.
func withdrawing(cause v1alpha1.WithdrawalCause, ago time.Duration) change {
	return func(f *facts) {
		at := metav1.NewTime(now.Add(-ago))
		f.observed.Record.Withdrawal = &v1alpha1.MaterialWithdrawal{
			Cause: cause, Secret: f.observed.Record.Imported.Secret, Time: at, NotAfter: metav1.NewTime(at.Add(10 * time.Second)),
		}
	}
}

// withdrawnFor is one that was confirmed.
func withdrawnFor(cause v1alpha1.WithdrawalCause, ago time.Duration) change {
	return func(f *facts) {
		withdrawing(cause, ago)(f)
		completed := f.observed.Record.Withdrawal.Time
		f.observed.Record.Withdrawal.CompletedAt = &completed
	}
}

// withdrawn is a key that was emptied in order to be filled again; withdrawnWithObject one whose object was deleted.
func withdrawn(ago time.Duration) change {
	return all(withdrawnFor("Interruption", ago), withFinalizer)
}
func withdrawnWithObject(ago time.Duration) change { return withdrawnFor("ObjectDeleted", ago) }

// withFinalizer is an object that carries the finalizer.
func withFinalizer(f *facts) { f.desired.Finalizer = true }
