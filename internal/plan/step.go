// Package plan decides what to do next for one KMSKeyImport. It is pure: facts in, one Step out. It has no client, no
// logger and no clock; whoever calls it observes, executes and persists.
package plan

import (
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Step is one decision. When Action is Finish the pass ends with Outcome; otherwise Action is carried out, the world is
// observed again, and the next Step is asked for.
type Step struct {
	Action Action

	// The rest describes how a pass ends and is zero for other actions.

	Outcome  Outcome
	Reason   string        // one of the constants in api/v1alpha1/conditions.go; empty for OutcomeSettled
	Message  string        // one sentence, stable across passes
	After    time.Duration // when to look again; zero: only when something happens
	Priority Priority
	Warnings []Warning
}

// Warning is a condition that is present only while it is True.
type Warning struct {
	Type    string
	Reason  string
	Message string
}

// Outcome is how a pass ended.
type Outcome string

// The outcomes; docs/design.md section 6 says what each means for the conditions.
const (
	OutcomeSettled     Outcome = "Settled"
	OutcomeProgressing Outcome = "Progressing"
	OutcomeWaiting     Outcome = "Waiting"
	OutcomeRetry       Outcome = "Retry"
	OutcomeStalled     Outcome = "Stalled"
	OutcomeSuspended   Outcome = "Suspended"
	OutcomeUntouched   Outcome = "Untouched" // nothing was looked at and status stays as it is
)

// Priority orders the work queue: higher first.
type Priority int

// The priorities. Events, people's edits among them, enter the queue at 0.
const (
	PriorityUrgent  Priority = 50  // a key that is empty or about to be
	PriorityEdit    Priority = 0   // somebody is waiting for the answer
	PriorityRenewal Priority = -20 // an expiry to move on a usable key
	PriorityRoutine Priority = -50
)

// Action is something to do. The set is closed: the executor's switch names every one.
//
//sumtype:decl
type Action interface{ isAction() }

type (
	// Finish ends the pass.
	Finish struct{}

	// Look calls DescribeKey.
	Look struct{}

	// InspectMaterial reads the Secret's value and fingerprints it.
	InspectMaterial struct{}

	// ClaimRecord makes this object the owner of the key's ownerless record.
	ClaimRecord struct{}

	// AcceptSecretVersion writes into the record that the present version of the Secret holds the same material.
	AcceptSecretVersion struct{}

	// HoldKey writes into the record that the key was seen disabled, scheduled for deletion, or without the material that
	// somebody deleted.
	HoldKey struct{}

	// LiftHold takes that out of the record again or, while the key is empty, notes that it was lifted.
	LiftHold struct{}

	// MarkUnconfirmed writes into the record that KMS has not shown the last import.
	MarkUnconfirmed struct{}

	// MarkConfirmed takes that out of the record again.
	MarkConfirmed struct{}

	// ConfirmImport writes into the record that an import whose answer was lost has succeeded.
	ConfirmImport struct{}

	// SetFinalizer adds this operator's finalizer to the object or takes it off.
	SetFinalizer struct{ Wanted bool }

	// ReleaseObject takes the finalizer off an object that is being deleted.
	ReleaseObject struct {
		// Retained says why the key keeps its material although the object asked for its withdrawal; empty when it did not,
		// or when there is none left.
		Retained string
		// Interrupted says why the key is left without material in the middle of an interruption; empty when it is not.
		Interrupted string
	}

	// WithdrawMaterial deletes the material in KMS with the object, after a last comparison with the Secret.
	WithdrawMaterial struct{}

	// InterruptKey deletes the material in KMS so that it can be imported again.
	InterruptKey struct{ Refill ImportMaterial }

	// ConfirmWithdrawal writes into the record that a withdrawal whose answer was lost has succeeded.
	ConfirmWithdrawal struct{}

	// ForgetWithdrawal writes into the record that a withdrawal whose answer was lost has had no effect.
	ForgetWithdrawal struct{}

	// ImportMaterial reads, validates, wraps and imports the Secret's value.
	ImportMaterial struct {
		Operation v1alpha1.ImportOperation
		Cause     v1alpha1.ImportCause
		Expiry    kms.Expiry
		// ValidFor is what the spec says where Expiry follows from it; zero for a fixed one.
		ValidFor time.Duration
		Wrapping kms.Wrapping
		// Expect is the fingerprint the material must have; empty when none is on record.
		Expect string
		// RejectWeak refuses material that looks like no key.
		RejectWeak bool
		// ReimportOf is the KeyMaterialId the import must turn out to be; empty at a first import.
		ReimportOf string
		// Sealed takes the material that is kept in the record for its way back, and not the Secret's.
		Sealed bool
	}
)

func (Finish) isAction()              {}
func (Look) isAction()                {}
func (InspectMaterial) isAction()     {}
func (ClaimRecord) isAction()         {}
func (AcceptSecretVersion) isAction() {}
func (HoldKey) isAction()             {}
func (LiftHold) isAction()            {}
func (MarkUnconfirmed) isAction()     {}
func (MarkConfirmed) isAction()       {}
func (ConfirmImport) isAction()       {}
func (SetFinalizer) isAction()        {}
func (ReleaseObject) isAction()       {}
func (WithdrawMaterial) isAction()    {}
func (InterruptKey) isAction()        {}
func (ConfirmWithdrawal) isAction()   {}
func (ForgetWithdrawal) isAction()    {}
func (ImportMaterial) isAction()      {}

func do(action Action) *Step { return &Step{Action: action} }

func finish(outcome Outcome, reason, message string) *Step {
	return &Step{Action: Finish{}, Outcome: outcome, Reason: reason, Message: message}
}

func stall(reason, message string) *Step { return finish(OutcomeStalled, reason, message) }
func wait(reason, message string) *Step  { return finish(OutcomeWaiting, reason, message) }
func retry(reason, message string) *Step { return finish(OutcomeRetry, reason, message) }

// progress looks again after the given time.
func progress(message string, after time.Duration) *Step {
	step := finish(OutcomeProgressing, v1alpha1.ReasonProgressing, message)
	step.After = after
	return step
}
