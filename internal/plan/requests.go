package plan

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// longestRequest is how much of a request a record keeps as it is: an annotation may hold as much as a whole record.
const longestRequest = 256

// Requests are the values of the two annotations with which a person asks for something.
type Requests struct {
	Reconcile string // of reconcile-requested-at: look now
	Reimport  string // of reimport-requested-at: import now
}

// requested reports whether either asks for something new. Before the first status they do not: a manifest restored with
// its annotations must not fire.
func requested(d Desired, o Observed) bool {
	reconcile := d.Requests.Reconcile
	return reimportRequested(d, o) || ObservedGeneration(o.Status) >= 0 &&
		reconcile != "" && reconcile != o.Status.LastHandledReconcileAt && reconcile != o.Memory.Served.Reconcile
}

func reimportRequested(d Desired, o Observed) bool {
	reimport := d.Requests.Reimport
	return ObservedGeneration(o.Status) >= 0 &&
		reimport != "" && reimport != o.Status.LastHandledReimportAt && reimport != o.Memory.Served.Reimport
}

// Abridged is by what a record tells one request from another.
func Abridged(request string) string {
	if len(request) <= longestRequest {
		return request
	}
	digest := sha256.Sum256([]byte(request))
	return "sha256:" + hex.EncodeToString(digest[:])
}

// ReimportHandled reports whether, when a pass ends with step, the request for an import is done with: an import was made
// for it, or none will be. While something is waited for it stands, and so it does while the record that holds the empty key
// has no owner: without the request nobody would be told any more what keeps this object from taking it over.
func ReimportHandled(d Desired, o Observed, step Step) bool {
	switch {
	case ObservedGeneration(o.Status) < 0:
		return true
	case o.Ownership == Ownerless && emptyAndHeld(o):
		return false
	case step.Outcome == OutcomeSettled, step.Outcome == OutcomeStalled:
		return true
	default:
		return d.Requests.Reimport == o.Memory.Served.Reimport
	}
}

func emptyAndHeld(o Observed) bool {
	return o.seen() && o.Look.Key.State == kms.KeyStatePendingImport && (heldDisabled(o) || heldDeleted(o)) && !lifted(o)
}

// reimportAsked imports the material once more because a person asked for it. Where the fixed date is too near for an
// import, that is no reason to stall over a key that works.
func reimportAsked(d Desired, o Observed) *Step {
	if !reimportRequested(d, o) || !o.mayImport() || invalidExpiry(d, o) != nil {
		return nil
	}
	return importDue(d, o, v1alpha1.CauseRequested)
}
