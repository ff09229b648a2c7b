package plan_test

import (
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

const (
	refused   = "get Secret: refused"
	onceAgain = "get Secret: refused: trying again"
	outBy     = "trying again; until then, an hour at most, this object stays: set spec.deletionPolicy to Retain"
)

// obstacle is what has ended the pass.
func obstacle(f *facts)     { f.observed.Obstacle = refused }
func unreleasable(f *facts) { f.observed.Unreleasable = true }

// unread is a pass that ended before anything was looked at.
var unread = all(obstacle, noLook, secret(""))

// What ends a pass may not be about KMS at all: Kubernetes refuses what is needed.
func TestObstructed(t *testing.T) {
	trying, untouched := retries("ReconcileError"), isLeftUntouched()
	unclaimed := func(f *facts) { f.observed.Record, f.observed.Ownership = nil, "Unclaimed" }
	cases{
		"seen":                        {"the pass has failed, which is said", obstacle, trying.saying(onceAgain)},
		"Secret unknown":              {"it is not missing", unread, trying.with()},
		"Secret was missing":          {"that stands", all(unread, lastCondition("SourceMissing", "SecretNotFound")), trying.with("SourceMissing SecretNotFound")},
		"suspended":                   {"it would not have been touched anyway", all(unread, suspended), isSuspended().with("Suspended Suspended")},
		"not mine, was disabled":      {"its status alone says so, and keeps the key from being imported into", all(obstacle, foreign, empty, lastState("Disabled")), untouched},
		"not mine, was held":          {"its status alone says so", all(obstacle, unclaimed, empty, lastCondition("Stalled", "HeldAfterDisable")), untouched},
		"not mine":                    {"nothing is lost", all(obstacle, ownerless, empty), trying},
		"was disabled":                {"its record says so", all(obstacle, empty, lastState("Disabled")), trying},
		"about to expire":             {"the backoff might be too long", all(expires(time.Minute), obstacle), trying.within(10 * time.Second)},
		"other finalizer, suspended":  {"there is nothing to take off", all(obstacle, deletedFor(day), suspended), untouched},
		"not to be released":          {"it is tried again", all(obstacle, leaving, keepsIt, unreleasable), trying.saying(onceAgain)},
		"not to be released, an hour": {"it is tried again", all(obstacle, leaving, deletedFor(time.Hour), unreleasable), trying.saying(onceAgain)},
	}.run(t)
}

// A deleted object goes all the same when it is time.
func TestObstructedDeletion(t *testing.T) {
	trying := retries("ReconcileError")
	left := plan.ReleaseObject{Interrupted: "it could not be imported again within an hour of the object's deletion: get Secret: refused"}
	retained := plan.ReleaseObject{Retained: "it could not be deleted within an hour of the object's deletion: get Secret: refused"}
	hour, minute := deletedFor(time.Hour), deletedFor(time.Minute)
	unclaimed := func(f *facts) { f.observed.Record, f.observed.Ownership = nil, "Unclaimed" }
	cases{
		"at first":                   {"it may pass, and there is a way out", all(obstacle, leaving), trying.saying(outBy)},
		"suspended":                  {"it has asked for something", all(obstacle, leaving, suspended), trying.saying(outBy)},
		"a second early":             {"it may pass", all(obstacle, leaving, deletedFor(time.Hour-time.Second)), trying},
		"operator was down":          {"it takes 5 minutes of tries", all(obstacle, leaving, hour, seenDeletedFor(5*time.Minute-time.Second)), trying},
		"an hour":                    {"nothing was deleted", all(obstacle, leaving, hour), does(retained)},
		"answer lost":                {"Retain does not keep what may be gone", all(obstacle, leaving, withdrawing("ObjectDeleted", time.Minute)), trying.saying(onceAgain)},
		"answer lost, an hour":       {"something may have been deleted", all(obstacle, leaving, withdrawing("ObjectDeleted", time.Minute), hour), releases()},
		"Retain":                     {"there is nothing to wait for", all(obstacle, leaving, keepsIt), releases()},
		"never imported":             {"there is nothing to wait for", all(obstacle, leaving, unclaimed), releases()},
		"interrupted":                {"the key is to be filled", all(obstacle, onQKMS, empty, withdrawn(time.Minute), minute), trying.saying(onceAgain)},
		"interrupted, an hour":       {"not for ever", all(obstacle, onQKMS, empty, withdrawn(time.Minute), hour), does(left)},
		"interrupted, lost, an hour": {"whether it is empty is not known", all(obstacle, onQKMS, withdrawing("Interruption", time.Minute), withFinalizer, hour), releases()},
	}.run(t)

	for _, name := range []string{"answer lost", "interrupted"} {
		change := map[string]change{
			"answer lost": all(obstacle, leaving, withdrawing("ObjectDeleted", time.Minute)),
			"interrupted": all(obstacle, onQKMS, empty, withdrawn(time.Minute), minute),
		}[name]
		if got := changed(change).next().Message; got != onceAgain {
			t.Errorf("%s: Retain is no way out: got %q", name, got)
		}
	}
}
