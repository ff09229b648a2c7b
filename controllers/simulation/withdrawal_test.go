package simulation_test

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const (
	// pruneDelay is for how long a deleted object keeps its material at least.
	pruneDelay = 15 * time.Second
	// longestDeletion is for how long a deleted object may stay because of its material.
	longestDeletion = time.Hour
)

// deletion is what the oracle keeps of an object that is being deleted.
type deletion struct {
	at        time.Duration
	withdraws bool // the material is to be deleted, unless something happens
	withdrawn bool // KMS has done it, which a key that was emptied while it was scheduled for deletion does not show
}

// DeleteImportedKeyMaterial implements kms.Service.
func (w wire) DeleteImportedKeyMaterial(ctx context.Context, request kms.DeletionRequest) (kms.DeletionResult, error) {
	s, l := w.s, w.s.current
	const operation = "DeleteImportedKeyMaterial"
	l.well = never // what the record announces makes it unknown for a while whether the key is usable
	if err := s.before(operation, 0.04); err != nil {
		return kms.DeletionResult{}, err
	}
	record := l.record()
	if record == nil && s.pass.disturbed { // deleted since the withdrawal was written down
		l.cause("a withdrawal without a record")
		return kms.DeletionResult{}, s.lose(operation)
	}
	l.mayBeWithdrawn(request)
	earlier, cause := l.present(), record.Withdrawal.Cause
	result, err := s.account.adapter.DeleteImportedKeyMaterial(ctx, request)
	if err != nil {
		s.violated(l, "KMS refused a withdrawal: %v", err)
		return kms.DeletionResult{}, err
	}
	l.withdrawn(cause, earlier)
	if s.happens(0.08) {
		l.note("crash")
		panic(crash{})
	}
	if s.happens(0.08) {
		return kms.DeletionResult{}, s.lose(operation)
	}
	return result, nil
}

// mayBeWithdrawn checks what must be so at the moment of a withdrawal, whatever happens in the same pass: the record says
// so, and the material is the operator's.
func (l *life) mayBeWithdrawn(request kms.DeletionRequest) {
	s, record := l.s, l.record()
	switch {
	case request.KeyARN != l.keyARN:
		s.violated(l, "a withdrawal from the key of another object")
	case record == nil || record.Imported == nil || record.Withdrawal == nil || record.Withdrawal.CompletedAt != nil ||
		record.Withdrawal.NotAfter.Time.Before(s.clock.Now()):
		s.violated(l, "a withdrawal that the record does not announce")
	case request.KeyMaterialID != record.Imported.KeyMaterialID:
		s.violated(l, "a withdrawal of unnamed material")
	case l.adopted:
		s.violated(l, "a withdrawal of adopted material")
	case (l.holdsOther || l.superseded) && s.pass.exact && !s.pass.disturbed: // KMS does not compare before it deletes
		s.violated(l, "a withdrawal of material that somebody else brought")
	case !s.pass.unread && !s.pass.seat.sourceIntact():
		s.violated(l, "a withdrawal of material that could not be brought back")
	case !s.pass.unconfirmed && (!s.pass.seat.owns() || s.pass.seat.object().Spec.Suspend != nil):
		s.violated(l, "a withdrawal that the object does not ask for")
	case record.Withdrawal.Cause == v1alpha1.WithdrawnWithObject:
		l.mayBeWithdrawnWithObject()
	case record.Withdrawal.Cause == v1alpha1.WithdrawnForReimport:
		l.mayBeInterrupted()
	default:
		s.violated(l, "a withdrawal for no permitted cause")
	}
}

func (l *life) mayBeWithdrawnWithObject() {
	s, t := l.s, l.s.pass.seat
	object := t.object()
	switch {
	case !s.pass.unconfirmed && (!t.isDeleted() || object.Spec.DeletionPolicy != v1alpha1.DeletionPolicyDeleteKeyMaterial):
		s.violated(l, "a withdrawal for an object that was not deleted, or says Retain")
	case s.pass.disturbed:
	case t.terminating():
		s.violated(l, "a withdrawal although the whole namespace is being deleted")
	case t.heir().asks():
		s.violated(l, "a withdrawal although another object names the key")
	case s.timeline.elapsed-t.deletion.at < pruneDelay-time.Second && s.lastStep < t.deletion.at:
		s.violated(l, "a withdrawal right after the deletion")
	}
}

func (t *seat) heir() *seat {
	if t == t.l.seats[0] {
		return t.l.seats[1]
	}
	return t.l.seats[0]
}

// mayBeInterrupted allows it where it is permitted, nothing else brings about what is due, and the key can be filled again.
func (l *life) mayBeInterrupted() {
	s, t, record := l.s, l.s.pass.seat, l.record()
	switch {
	case !s.qkms():
		s.violated(l, "an interruption where KMS imports over material")
	case !s.pass.unconfirmed && (!t.asks() || t.object().Spec.ReimportPolicy != v1alpha1.ReimportAllowInterruption):
		s.violated(l, "an interruption that nobody allowed")
	case s.kind.ahead && record.Withdrawal.Sealed == nil:
		s.violated(l, "material that was not sealed before its withdrawal, although it could be")
	case s.pass.disturbed:
	case !l.renewalDue() && !l.asksForAnother():
		s.violated(l, "an interruption, and nothing is due")
	case s.pass.exact && (!l.usable() || !l.present().Expiry.Equal(recordedExpiry(record))):
		s.violated(l, "an interruption of a key that is %s and does not show the recorded expiry", l.state())
	}
}

func recordedExpiry(record *v1alpha1.KMSKeyRecord) kms.Expiry {
	expiry := kms.Expiry{Model: kms.ExpirationModel(record.Imported.ExpirationModel)}
	if record.Imported.ValidTo != nil {
		expiry.ValidTo = record.Imported.ValidTo.Time
	}
	return expiry
}

// asksForAnother reports whether the spec asks for another expiry than was imported.
func (l *life) asksForAnother() bool {
	expiration, record := l.s.pass.seat.object().Spec.Expiration, l.record()
	switch imported := record.Imported; {
	case expiration == nil:
		return imported.ValidTo != nil
	case expiration.ValidTo != nil:
		return !expiration.ValidTo.Equal(imported.ValidTo)
	default:
		return imported.ValidFor == nil || imported.ValidFor.Duration != expiration.ValidFor.Duration
	}
}

// withdrawn counts what was carried out.
func (l *life) withdrawn(cause v1alpha1.WithdrawalCause, earlier kms.Key) {
	l.note("withdrawn from the %s key: %s", earlier.State, cause)
	l.changed(earlier)
	l.well = never
	l.cause("its withdrawal")
	l.revoked = time.Time{}
	if cause == v1alpha1.WithdrawnWithObject {
		l.s.counts.withdrawals++
		if deletion := l.s.pass.seat.deletion; deletion != nil {
			deletion.withdrawn = true
		}
		return
	}
	l.s.counts.interruptions++
	l.disabled = false // or it would not have been interrupted
	l.interrupted = l.s.timeline.elapsed
}

// refilling reports whether the operator owes the key the material that it has taken for a moment.
func (l *life) refilling() bool {
	record := l.record()
	return record != nil && record.Withdrawal != nil && record.Withdrawal.Cause == v1alpha1.WithdrawnForReimport
}

// sealed reports whether it has all that it needs for that.
func (l *life) sealed() bool {
	if !l.refilling() || l.tokenReplaced {
		return false
	}
	sealed := l.record().Withdrawal.Sealed
	return sealed != nil && l.record().Withdrawal.CompletedAt != nil && sealed.ParametersValidTo.After(l.s.clock.Now())
}

// outcomeUnknown reports whether the operator cannot know yet whether a withdrawal was carried out.
func (l *life) outcomeUnknown() bool {
	record := l.record()
	return record != nil && record.Withdrawal != nil && record.Withdrawal.CompletedAt == nil &&
		l.s.clock.Since(record.Withdrawal.Time.Time) < propagation
}

// deletionBegins keeps whether, as the world is, the key's material is to be deleted.
func (t *seat) deletionBegins(uid types.UID) {
	l, record, object := t.l, t.l.record(), t.object()
	t.deletion = &deletion{at: l.s.timeline.elapsed}
	if record == nil || record.Owner == nil || record.Owner.UID != uid || record.Imported == nil || record.Intent != nil ||
		record.Withdrawal != nil || record.Imported.Unconfirmed != nil {
		return
	}
	present := l.present()
	t.deletion.withdraws = object.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDeleteKeyMaterial && object.Spec.Suspend == nil &&
		t.sourceIntact() && !t.terminating() && !t.heir().asks() && !l.adopted && !l.superseded && !l.s.weather.bad() && l.caughtUp() &&
		(present.State == kms.KeyStateEnabled || present.State == kms.KeyStateDisabled) && len(l.denied) == 0 &&
		(!l.s.qkms() || present.Expiry.Equal(recordedExpiry(record)))
}

// deletionDisturbed is for whatever may change that.
func (l *life) deletionDisturbed() {
	for _, t := range l.seats {
		if t.deletion != nil {
			t.deletion.withdraws = false
		}
	}
}

// deletionEnds checks that a released object's key is as its policy says. That it keeps its material otherwise is checked
// at every withdrawal.
func (t *seat) deletionEnds() {
	if t.deletion != nil && t.deletion.withdraws && !t.deletion.withdrawn && t.l.state() != kms.KeyStatePendingImport {
		t.l.s.violated(t.l, "an object whose material was to be deleted is gone, and the key is %s", t.l.state())
	}
	t.deletion = nil
}

// accountOfDeletions checks that no object stays for ever.
func (l *life) accountOfDeletions(now time.Duration) {
	for _, t := range l.seats {
		if t.deletion == nil || l.s.weather.apiDown || l.s.weather.skewed {
			continue
		}
		if since := max(t.deletion.at, l.lastStart, l.s.lastStep, l.s.apiUp); now-since > longestDeletion+repair {
			l.s.violated(l, "deleted %s ago, and still there", now-t.deletion.at)
		}
	}
}
