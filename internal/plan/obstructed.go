package plan

import "github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"

// obstructed applies where something else than KMS has ended the pass: Kubernetes refuses what is needed, for example. What
// is known of the key is said all the same, and a deleted object goes when it is time.
func obstructed(d Desired, o Observed) *Step {
	trying := retry(v1alpha1.ReasonReconcileError, o.Obstacle+": trying again")
	switch {
	case o.Obstacle == "":
		return nil
	case d.Deleting:
		return deletionObstructed(d, o, trying)
	case d.Suspended:
		return suspended(d, o)
	case o.Ownership != Mine && lastSeenDisabled(o.Status): // which nothing but this status tells
		return finish(OutcomeUntouched, "", "")
	default:
		return trying
	}
}

func deletionObstructed(d Desired, o Observed, trying *Step) *Step {
	switch {
	case !d.Finalizer:
		return finish(OutcomeUntouched, "", "")
	case o.Unreleasable:
		return trying
	case interrupted(o) && overdue(d, o):
		return leave(o, tooLateToFill+": "+o.Obstacle)
	case interrupted(o):
		return trying
	case nothingToWithdraw(d, o) != nil:
		return release()
	case overdue(d, o):
		return asFarAsKnown(o, retain(tooLate+": "+o.Obstacle))
	case o.withdrawal() == nil:
		trying.Message += wayOut
	}
	return trying
}
