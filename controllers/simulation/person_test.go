package simulation_test

import (
	"bytes"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// visit is when a person looks at what the status says, and does what docs/runbook.md advises; sometimes, and sometimes
// later.
func (l *life) visit() {
	if l.object() == nil {
		l.suffer("object made again", true, func(l *life) {
			l.seats[0].createSecret() // which went with its namespace
			l.seats[0].createObject()
		})
	}
	for _, t := range l.seats {
		t.followAdvice()
	}
	pause := l.s.between(4*time.Hour, 72*time.Hour)
	if l.s.calm {
		pause = l.s.between(time.Hour, 3*time.Hour)
	}
	l.s.timeline.after(pause, l.visit)
}

// followAdvice acts on every condition that is not as it should be.
func (t *seat) followAdvice() {
	l, object := t.l, t.object()
	if object == nil {
		return
	}
	for _, condition := range object.Status.Conditions {
		if condition.Type == v1alpha1.ConditionReady || l.s.random.IntN(5) == 0 && !l.s.calm {
			continue
		}
		advice, known := runbook[condition.Reason]
		if !known && condition.Reason != "KeyConflict" {
			l.s.violated(l, "nothing in this world leads to %s %s: %s", condition.Type, condition.Reason, condition.Message)
			continue
		}
		if condition.Reason == "KeyConflict" && (l.s.calm || l.s.random.IntN(3) == 0) {
			l.suffer("second object deleted", true, func(l *life) { l.s.api.remove(t.at(kindImport)) })
		}
		if advice != nil {
			l.suffer("person, because of "+condition.Reason, asksForImport[condition.Reason], advice)
		}
	}
}

// runbook is what a person does about a reason; nil is nothing.
var runbook = map[string]func(*life){
	"Progressing": nil, "KMSUnreachable": nil, "Throttled": nil, "AccessDenied": nil, "KMSError": nil, "ReconcileError": nil,
	"MaterialSuperseded": nil, // for ever

	"SecretNotFound":       (*life).restoreSecret,
	"SecretNotConsenting":  (*life).restoreSecret,
	"SecretKeyMissing":     (*life).restoreSecret,
	"MaterialChanged":      (*life).restoreSecret,
	"MaterialMismatch":     (*life).restoreSecret,
	"InvalidKeyMaterial":   (*life).restoreSecret,
	"MaterialUnverifiable": (*life).restoreSecretToTakeOver,
	"NoImportOverMaterial": (*life).allowInterruption,
	"KeyInterrupted":       nil, // what stands in the way has a condition of its own
	"KeyDisabled":          (*life).enable,
	"KeyPendingDeletion":   (*life).cancelDeletion,
	"HeldAfterDisable":     (*life).requestReimport,
	"MaterialDeleted":      (*life).endHold,
	"ImportIneffective":    (*life).requestReimport,
	"MaterialExpired":      (*life).extend,
	"InvalidExpiration":    (*life).extend,
	"ExpiresSoon":          (*life).extendSometimes,
	"ExpiryShortened":      (*life).endHold,
	"Suspended":            (*life).resume,
	"OtherMaterialMissing": (*life).importMissing,
	"EarlierExpiry":        (*life).importOtherIfAny,
}

// asksForImport are the reasons about which a person does something that is followed by an import.
var asksForImport = map[string]bool{
	"HeldAfterDisable": true, "MaterialDeleted": true, "ImportIneffective": true, "MaterialExpired": true, "InvalidExpiration": true,
	"ExpiresSoon": true, "ExpiryShortened": true, "OtherMaterialMissing": true, "EarlierExpiry": true,
	"MaterialUnverifiable": true, "NoImportOverMaterial": true,
}

func (l *life) restoreSecret() {
	for _, t := range l.seats {
		if t.secret() == nil && t.object() != nil {
			t.createSecret()
		}
		t.editSecret(func(secret *corev1.Secret) {
			secret.Labels[v1alpha1.LabelKeyMaterial] = "true"
			secret.Data["material"] = bytes.Clone(l.material)
		})
	}
}

// restoreSecretToTakeOver is for an object that was made again when its Secret held other bytes.
func (l *life) restoreSecretToTakeOver() {
	if l.s.qkms() {
		l.deleteByHand()
		return
	}
	if l.sourceIntact() && l.caughtUp() {
		l.s.violated(l, "the Secret holds the material, and that could not be verified")
	}
	l.restoreSecret()
}

func (l *life) endHold() {
	if l.s.random.IntN(3) == 0 {
		l.respond(v1alpha1.DeletionResponseReimport)
		return
	}
	l.requestReimport()
}

func (l *life) extend() {
	l.edit(func(o *v1alpha1.KMSKeyImport) {
		o.Spec.Expiration = l.s.randomExpiration()
		if l.s.calm {
			o.Spec.Expiration = &v1alpha1.Expiration{ValidFor: &metav1.Duration{Duration: 90 * day}}
		}
	})
}

func (l *life) extendSometimes() {
	if l.s.calm || l.s.random.IntN(4) == 0 {
		l.extend()
	}
}

func (l *life) resume() { l.edit(func(o *v1alpha1.KMSKeyImport) { o.Spec.Suspend = nil }) }

// importMissing finds out with ListKeyRotations what is missing: the other material, or the one right after its import.
func (l *life) importMissing() {
	if l.otherMissing() {
		l.importOther()
		return
	}
	l.requestReimport()
}

func (l *life) importOtherIfAny() {
	if l.other != nil {
		l.importOther()
	}
}
