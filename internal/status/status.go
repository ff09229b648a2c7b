// Package status turns what a pass found and decided into the status of a KMSKeyImport. It is pure.
package status

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// Apply returns the status that follows from the last one when a pass ends with step. Applied twice to the same facts
// it returns the same status.
func Apply(desired plan.Desired, observed plan.Observed, step plan.Step) v1alpha1.KMSKeyImportStatus {
	next := *observed.Status.DeepCopy()
	if step.Outcome == plan.OutcomeUntouched {
		return next
	}
	if looked(observed) || plan.ObservedGeneration(next) < 0 {
		next.LastHandledReconcileAt = desired.Requests.Reconcile
	}
	if plan.ReimportHandled(desired, observed, step) {
		next.LastHandledReimportAt = desired.Requests.Reimport
	}
	generation := max(plan.ObservedGeneration(next), 0)
	switch step.Outcome {
	case plan.OutcomeSettled, plan.OutcomeStalled, plan.OutcomeSuspended:
		generation = desired.Generation
	case plan.OutcomeProgressing, plan.OutcomeWaiting, plan.OutcomeRetry, plan.OutcomeUntouched:
	}
	next.ObservedGeneration = &generation
	copyKey(&next, observed)
	copyMaterial(&next, observed)
	next.RenewalTime = nil
	if renewal := plan.RenewalTime(desired, observed); !renewal.IsZero() {
		next.RenewalTime = &metav1.Time{Time: renewal}
	}
	setConditions(&next, conditions(desired, observed, step), observed, generation)
	return next
}

// looked reports whether KMS answered: a request for a look is not done with when it did not.
func looked(observed plan.Observed) bool {
	return observed.Look != nil && (observed.Look.Err == nil || observed.Look.Err.Class == kms.ClassNotFound)
}

// copyKey copies what DescribeKey reported of this object's key. After a failed look, or one at a key that is not this
// object's, the last facts stand.
func copyKey(next *v1alpha1.KMSKeyImportStatus, observed plan.Observed) {
	if !looked(observed) {
		return
	}
	if observed.Look.Err != nil {
		next.Key, next.ExpirationModel, next.ValidTo = nil, "", nil
		return
	}
	key := observed.Look.Key
	if observed.Ownership == plan.Mine && observed.Record.KeyARN != key.ARN {
		return
	}
	next.Key = &v1alpha1.KeyStatus{
		ARN:         key.ARN,
		State:       string(key.State),
		Spec:        string(key.Spec),
		Usage:       key.Usage,
		MultiRegion: &key.MultiRegion,
	}
	next.ExpirationModel = string(key.Expiry.Model)
	next.ValidTo = nil
	if !key.Expiry.ValidTo.IsZero() {
		validTo := metav1.NewTime(key.Expiry.ValidTo)
		next.ValidTo = &validTo
	}
}

// copyMaterial copies what this object's own record says.
func copyMaterial(next *v1alpha1.KMSKeyImportStatus, observed plan.Observed) {
	next.Material = nil
	if observed.Ownership != plan.Mine || observed.Record.Imported == nil {
		return
	}
	imported := observed.Record.Imported
	next.Material = &v1alpha1.MaterialStatus{
		Fingerprint:       imported.Fingerprint,
		KeyMaterialID:     imported.KeyMaterialID,
		ImportedAt:        imported.Time.DeepCopy(),
		WrappingAlgorithm: imported.WrappingAlgorithm,
		WrappingKeySpec:   imported.WrappingKeySpec,
	}
}

// conditions are all that are to be present.
func conditions(desired plan.Desired, observed plan.Observed, step plan.Step) []metav1.Condition {
	all := []metav1.Condition{ready(desired, observed, step)}
	switch step.Outcome {
	case plan.OutcomeProgressing, plan.OutcomeWaiting, plan.OutcomeRetry:
		all = append(all, isTrue(v1alpha1.ConditionReconciling, step.Reason, step.Message))
	case plan.OutcomeStalled:
		all = append(all, isTrue(v1alpha1.ConditionStalled, step.Reason, step.Message))
	case plan.OutcomeSettled, plan.OutcomeSuspended, plan.OutcomeUntouched:
	}
	for _, warning := range step.Warnings {
		all = append(all, isTrue(warning.Type, warning.Reason, warning.Message))
	}
	return all
}

func isTrue(conditionType, reason, message string) metav1.Condition {
	return metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

// ready follows the facts about the key, except that a stalled object is never ready and a first import that is not
// finished is not yet anything.
func ready(desired plan.Desired, observed plan.Observed, step plan.Step) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Reason: step.Reason, Message: step.Message}
	usability := plan.UsabilityOf(desired, observed)
	switch {
	case step.Outcome == plan.OutcomeStalled:
		condition.Status = metav1.ConditionFalse
	case usability == plan.Usable:
		condition.Status = metav1.ConditionTrue
		condition.Reason = v1alpha1.ReasonImported
		condition.Message = fmt.Sprintf("the key is usable and holds the material that was imported from Secret %q", observed.Record.Imported.Secret.Name)
	case usability == plan.UsabilityUnknown, step.Outcome == plan.OutcomeProgressing && plan.FirstImport(observed):
		condition.Status = metav1.ConditionUnknown
	default:
		condition.Status = metav1.ConditionFalse
	}
	return condition
}

// setConditions makes wanted the only conditions, keeping transition times where the status did not change.
func setConditions(next *v1alpha1.KMSKeyImportStatus, wanted []metav1.Condition, observed plan.Observed, generation int64) {
	keep := make(map[string]bool, len(wanted))
	for _, condition := range wanted {
		keep[condition.Type] = true
		condition.ObservedGeneration = generation
		condition.LastTransitionTime = metav1.NewTime(observed.Now)
		meta.SetStatusCondition(&next.Conditions, condition)
	}
	var kept []metav1.Condition
	for _, condition := range next.Conditions {
		if keep[condition.Type] {
			kept = append(kept, condition)
		}
	}
	next.Conditions = kept
}
