package plan_test

import (
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// What ends a pass may not be about KMS at all: Kubernetes refuses what is needed.
func TestObstructed(t *testing.T) {
	const tooLate = "it could not be deleted within an hour of the object's deletion: get Secret: refused: trying again"
	trying := retries("ReconcileError")
	noSecret := secret("")
	hour := deletedFor(time.Hour)
	gone := func(f *facts) { f.observed.Record, f.observed.Ownership = nil, "Unclaimed" }
	left := plan.ReleaseObject{Interrupted: "it could not be imported again within an hour of the object's deletion: get Secret: refused"}
	for name, tc := range (cases{
		"stays":                      {"the pass has failed, which is said", all(), trying.saying("get Secret: refused: trying again")},
		"stays, Secret unknown":      {"it is not missing", all(noSecret, noLook), trying.with()},
		"stays, Secret was missing":  {"that stands", all(noSecret, noLook, lastCondition("SourceMissing", "SecretNotFound")), trying.with("SourceMissing SecretNotFound")},
		"suspended":                  {"it would not have been touched anyway", suspended, isSuspended().with("Suspended Suspended")},
		"deleted":                    {"it may pass, and there is a way out", leaving, trying.saying("set spec.deletionPolicy to Retain")},
		"deleted, suspended":         {"it has asked for something", all(leaving, suspended), trying},
		"deleted, other finalizer":   {"there is nothing to take off", all(deletedFor(day), suspended), want{outcome: "Untouched"}},
		"a second early":             {"it may pass", all(leaving, deletedFor(time.Hour-time.Second)), trying},
		"operator was down":          {"it takes 5 minutes of tries", all(leaving, hour, seenDeletedFor(5*time.Minute-time.Second)), trying},
		"an hour":                    {"nothing was deleted", all(leaving, hour), does(plan.ReleaseObject{Retained: tooLate})},
		"an hour, answer lost":       {"something may have been deleted", all(leaving, withdrawing("ObjectDeleted", time.Minute), hour), releases()},
		"Retain":                     {"there is nothing to wait for", all(leaving, keepsIt), trying.saying("get Secret: refused: trying again")},
		"Retain, an hour":            {"nothing was to be deleted", all(leaving, keepsIt, hour), releases()},
		"never imported, an hour":    {"nothing was to be deleted", all(leaving, gone, hour), releases()},
		"interrupted":                {"the key is to be filled", all(onQKMS, empty, withdrawn(time.Minute), deletedFor(time.Minute)), trying.saying("get Secret: refused: trying again")},
		"interrupted, an hour":       {"not for ever", all(onQKMS, empty, withdrawn(time.Minute), hour), does(left)},
		"interrupted, lost, an hour": {"whether it is empty is not known", all(onQKMS, withdrawing("Interruption", time.Minute), withFinalizer, hour), releases()},
	}) {
		t.Run(name, func(t *testing.T) {
			f := changed(tc.change)
			assertStep(t, tc.reason, plan.Obstructed(f.desired, f.observed, "get Secret: refused"), tc.want)
		})
	}
}
