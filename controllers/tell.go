package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// The actions of events, in the sense of events.k8s.io.
const (
	eventActionImport   = "Import"
	eventActionWithdraw = "Withdraw"
	eventActionRelease  = "Release"
	eventActionObserve  = "Observe"
)

// tellEffects writes events and log lines about what was done to the key, and that the record tells of already.
func (r *Reconciler) tellEffects(ctx context.Context, p *pass) {
	for _, done := range p.done {
		if done.withdrawn != "" {
			logf.FromContext(ctx).Info("Deleted key material in KMS", "cause", done.withdrawn, "keyARN", p.keyARN)
			eventType := corev1.EventTypeNormal
			if done.withdrawn == v1alpha1.WithdrawnForReimport { // the key is unusable until an import follows
				eventType = corev1.EventTypeWarning
			}
			r.recorder.Eventf(p.object, nil, eventType, v1alpha1.ReasonMaterialWithdrawn, eventActionWithdraw,
				"%s: key material was deleted from %s", done.withdrawn, p.keyARN)
			continue
		}
		logf.FromContext(ctx).Info("Imported key material", "operation", done.imported, "cause", done.cause, "keyARN", p.keyARN)
		r.recorder.Eventf(p.object, nil, corev1.EventTypeNormal, v1alpha1.ReasonImported, eventActionImport,
			"%s: key material of Secret %s was imported into %s", done.imported, p.desired.Material.SecretRef.Name, p.keyARN)
	}
}

// tellRelease says what became of the key's material, where that is not what the object asked for.
func (r *Reconciler) tellRelease(
	ctx context.Context, p *pass, record *v1alpha1.KMSKeyRecord, action plan.ReleaseObject, fate string,
) {
	unknown, reason := outcomeUnknown(record), v1alpha1.ReasonMaterialRetained
	switch {
	case action.Interrupted != "", unknown && record.Withdrawal.Cause == v1alpha1.WithdrawnForReimport:
		reason = v1alpha1.ReasonKeyInterrupted
	case action.Retained == "" && !unknown:
		return
	}
	logf.FromContext(ctx).Info("Released a deleted object", "reason", reason, "message", fate)
	r.recorder.Eventf(p.object, nil, corev1.EventTypeWarning, reason, eventActionRelease, "%s", shortened(fate))
}

// tellOutcome does so for an outcome that is new.
func (r *Reconciler) tellOutcome(ctx context.Context, p *pass, before v1alpha1.KMSKeyImportStatus, step plan.Step) {
	if step.Reason == "" || step.Outcome == plan.OutcomeProgressing || reasonBefore(before) == step.Reason {
		return
	}
	logf.FromContext(ctx).Info("Outcome changed", "outcome", step.Outcome, "reason", step.Reason, "message", step.Message)
	eventType := corev1.EventTypeWarning
	if step.Outcome == plan.OutcomeSuspended {
		eventType = corev1.EventTypeNormal
	}
	r.recorder.Eventf(p.object, nil, eventType, step.Reason, eventActionObserve, "%s", shortened(step.Message))
}

// reasonBefore is the reason of the last outcome; empty when it was settled.
func reasonBefore(before v1alpha1.KMSKeyImportStatus) string {
	for _, conditionType := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling, v1alpha1.ConditionSuspended} {
		if condition := meta.FindStatusCondition(before.Conditions, conditionType); condition != nil {
			return condition.Reason
		}
	}
	return ""
}
