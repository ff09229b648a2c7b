package simulation_test

import (
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// What happens between objects, and when they go.

func (l *life) deleteObject() { l.s.api.remove(l.holder().at(kindImport)) }

// prune is what GitOps does with what is no longer in Git: object and Secret go, in any order.
func (l *life) prune() {
	t := l.holder()
	l.inAnyOrder("and pruned",
		func(l *life) { l.s.api.remove(t.at(kindSecret)) },
		func(l *life) { l.s.api.remove(t.at(kindImport)) })
}

func (l *life) inAnyOrder(what string, one, other func(*life)) {
	if l.s.random.IntN(2) == 0 {
		one, other = other, one
	}
	one(l)
	l.s.timeline.after(l.s.between(0, 10*time.Second), func() { l.suffer(what, true, other) })
}

func (l *life) suspendAndDelete() {
	l.suspend()
	l.deleteObject()
}

// deleteNamespace deletes a namespace with all that is in it.
func (l *life) deleteNamespace() {
	t := l.holder()
	l.s.api.remove(t.at(kindSpace))
	for _, also := range l.seats {
		if also.namespace == t.namespace {
			l.s.timeline.after(l.s.between(0, 20*time.Second), func() { l.suffer("and its objects", true, func(l *life) { l.s.api.remove(also.at(kindImport)) }) })
			l.s.timeline.after(l.s.between(0, 20*time.Second), func() { l.suffer("and its Secret", true, func(l *life) { l.s.api.remove(also.at(kindSecret)) }) })
		}
	}
	l.s.timeline.after(20*time.Second, t.endNamespace)
}

// endNamespace takes it away once it is empty.
func (t *seat) endNamespace() {
	s := t.l.s
	for _, other := range t.l.seats {
		if other.namespace == t.namespace && other.object() != nil {
			s.timeline.after(time.Minute, t.endNamespace)
			return
		}
	}
	if t.terminating() {
		s.api.put(t.at(kindSpace), nil)
	}
}

// createSecond makes another object for a key that has one.
func (l *life) createSecond() {
	if vacant := l.vacant(); vacant != nil {
		vacant.createSecret()
		vacant.createObject()
	}
}

// rename is the same manifest under another name: the new object first, or the old one deleted first.
func (l *life) rename() {
	from, to := l.holder(), l.vacant()
	if !from.asks() || to == nil {
		return
	}
	to.createSecret()
	spec := *from.object().Spec.DeepCopy()
	l.inAnyOrder("and renamed",
		func(*life) { to.create(spec) },
		func(l *life) { l.s.api.remove(from.at(kindImport)) })
}

// deleteRecord takes away all that the operator knows of the key: what it holds is not the operator's any more. In QKMS
// nobody could tell then whether a Secret that was edited is the right one.
func (l *life) deleteRecord() {
	if l.record() == nil || l.superseded || l.s.qkms() {
		return
	}
	l.s.api.remove(l.recordAt)
	l.well = never
	l.tried, l.adopted, l.disabled, l.revoked = false, false, false, time.Time{}
}

// deny takes a permission from the operator, for a while.
func (l *life) deny(operation string) {
	if l.denied[operation] {
		return
	}
	l.denied[operation] = true
	l.s.timeline.after(l.s.between(time.Minute, 36*time.Hour), func() {
		l.suffer("permitted again", true, func(l *life) { delete(l.denied, operation) })
	})
}

// replaceByHand deletes the material and imports the same or other bytes, as only QKMS takes them. Other ones expire, or
// nobody could tell them from those that the operator imported for ever.
func (l *life) replaceByHand() {
	if !l.s.qkms() || l.proof.made == nil {
		return
	}
	material, expiry := l.material, l.s.randomExpiry()
	if expiry.Model == kms.KeyMaterialExpires && l.s.random.IntN(2) == 0 {
		material = randomBytes(32)
	}
	l.deleteMaterial()
	l.account()
	l.tokenReplaced = true
	if l.inKMS(func(*sdk.Client) error { return l.s.account.importByHand(l.s.ctx, l.keyARN, material, expiry, "") }) {
		l.revoked, l.expiryByHand, l.holdsOther = time.Time{}, true, string(material) != string(l.material)
	}
}

// deleteByHand is for material of which nobody can tell whether it is the Secret's, by a person who is certain of the Secret.
func (l *life) deleteByHand() {
	l.restoreSecret()
	if l.caughtUp() && l.sourceIntact() {
		l.deleteMaterial()
	}
}

func (l *life) allowInterruption() {
	if l.s.calm || l.s.random.IntN(3) == 0 {
		l.edit(func(o *v1alpha1.KMSKeyImport) { o.Spec.ReimportPolicy = v1alpha1.ReimportAllowInterruption })
	}
}

func (s *simulation) randomReimport() v1alpha1.ReimportPolicy {
	if s.random.IntN(3) == 0 {
		return v1alpha1.ReimportInPlace
	}
	return v1alpha1.ReimportAllowInterruption
}

func (s *simulation) randomDeletion() v1alpha1.DeletionPolicy {
	if s.random.IntN(2) == 0 {
		return v1alpha1.DeletionPolicyRetain
	}
	return v1alpha1.DeletionPolicyDeleteKeyMaterial
}
