package plan

import "github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"

// Obstructed is what a pass comes to that something else than KMS has ended before the checks did: Kubernetes refuses what
// is needed, for example. What is known of the key is said all the same, and a deleted object goes when it is time.
func Obstructed(d Desired, o Observed, why string) Step {
	step := obstructed(d, o, why)
	if _, last := step.Action.(Finish); last {
		complete(d, o, step)
	}
	return *step
}

func obstructed(d Desired, o Observed, why string) *Step {
	trying := retry(v1alpha1.ReasonReconcileError, why+": trying again")
	switch {
	case !d.Deleting && d.Suspended:
		return suspended(d, o)
	case !d.Deleting:
		return trying
	case !d.Finalizer:
		return finish(OutcomeUntouched, "", "")
	case interrupted(o) && overdue(d, o):
		return leave(o, tooLateToFill+": "+why)
	case nothingToWithdraw(d, o) != nil && overdue(d, o):
		return release()
	case interrupted(o) || nothingToWithdraw(d, o) != nil:
		return trying
	default:
		return asFarAsKnown(o, bounded(d, o, trying))
	}
}
