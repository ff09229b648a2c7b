package simulation_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const (
	// repair is what it takes from there: two looks 5 s apart, up to 4 minutes in which KMS shows the past, a turn among
	// all the others, and a few failures with backoff of up to 5 minutes.
	repair = 20 * time.Minute

	never = time.Duration(-1)
)

// detection is the longest that a settled key goes unobserved: a resync interval and its jitter. After a restart the first
// look is spread over another one.
func detection() time.Duration { return *resync + *resync/10 }

// oracle is what is known of a life that the operator is judged by.
type oracle struct {
	since    time.Duration // for how long the key has been unusable without an excuse; never: it is not
	restarts int           // of the operator, in that time
	well     time.Duration // since when the key has been usable, and nothing in the way of saying so; never: it is not
	wellOf   types.UID     // the object that should say so
	excused  string
	calm     time.Duration // when the last excuse ended, or the weather changed

	causeOfImport string // what has happened since the last import that another one may follow from
	disabled      bool   // the operator has seen the key disabled or scheduled for deletion, and not enabled since
	expiryByHand  bool   // somebody else chose the expiry of the material that is in the key

	interrupted time.Duration // since when the key is empty because of an interruption; never: it is not

	tried   bool // the operator has sent an import since the key has had its record
	adopted bool // the key held material before

	lastLook, lastStart, lastImport time.Duration
	keyMaterialID                   string
	fingerprint                     string

	trace []string
}

// note keeps the last things that happened, for a failure to tell.
func (l *life) note(format string, arguments ...any) {
	const kept = 40
	if len(l.trace) == kept {
		l.trace = l.trace[1:]
	}
	l.trace = append(l.trace, l.s.stamp()+" "+fmt.Sprintf(format, arguments...))
}

func (l *life) cause(what string) { l.causeOfImport = what }

// excuse says why the key may be unusable: because a person must act, or nobody can.
func (l *life) excuse() string {
	object, record := l.object(), l.record()
	switch {
	case l.s.weather.bad():
		return "weather"
	case object == nil, object.Spec.Suspend != nil, object.DeletionTimestamp != nil && !l.refilling():
		return "not asked to"
	case l.denied["ImportKeyMaterial"]:
		return "denied"
	case l.s.qkms() && l.stalledFor("MaterialUnverifiable"):
		return "unverifiable"
	case !l.sourceIntact() && !l.sealed():
		return "Secret"
	case l.state() == kms.KeyStateDisabled, l.state() == kms.KeyStatePendingDeletion:
		return string(l.state())
	case l.superseded, l.otherMissing():
		return "other material"
	case !l.askedFor(object) && (!l.revoked.IsZero() || record != nil && record.Hold != nil || l.stalledFor("HeldAfterDisable")):
		return "hold" // which only the status says before the first import
	case l.dateIsImpossible(object):
		return "date"
	case l.stalledFor("ImportIneffective"), l.stalledFor("OtherMaterialMissing"):
		return "deleted right after the import"
	default:
		return ""
	}
}

// askedFor reports whether a person has asked for an import that is still to be made.
func (l *life) askedFor(object *v1alpha1.KMSKeyImport) bool {
	return object.Annotations[v1alpha1.AnnotationReimportRequestedAt] != object.Status.LastHandledReimportAt
}

func (l *life) dateIsImpossible(object *v1alpha1.KMSKeyImport) bool {
	if object.Spec.Expiration == nil || object.Spec.Expiration.ValidTo == nil {
		return false
	}
	ahead := l.s.clock.until(object.Spec.Expiration.ValidTo.Time)
	return ahead < 5*time.Minute || ahead > 365*day
}

// account keeps account of the time in which the key is unusable without an excuse. It is called before and after
// whatever may change that.
func (l *life) account() {
	now := l.s.timeline.elapsed
	excuse := l.excuse()
	if excuse != "" || l.excused != "" {
		l.calm = now
	}
	l.excused = excuse
	l.accountOfStatus(now)
	l.accountOfDeletions(now)
	switch {
	case l.since == never && !l.usable() && excuse == "":
		l.since, l.restarts = now, 0
	case l.since == never:
	default:
		l.judge(now - l.since)
		if l.usable() || excuse != "" {
			l.since = never
		}
	}
}

// accountOfStatus keeps account of the time in which the key is usable, and the status should come to say so.
func (l *life) accountOfStatus(now time.Duration) {
	switch {
	case !l.usable() || l.excused != "" || l.outcomeUnknown() || l.object().UID != l.wellOf:
		l.well = never
		if object := l.object(); object != nil {
			l.wellOf = object.UID
		}
	case l.well == never:
		l.well = now
	}
	if l.well == never || now-max(l.well, l.lastStart, l.s.lastStep) <= detection()+repair {
		return
	}
	if ready := l.condition("Ready"); ready == nil || ready.Status != metav1.ConditionTrue {
		l.s.violated(l, "usable for %s, and the status does not say so", now-l.well)
	}
}

func (l *life) judge(unusable time.Duration) {
	limit := detection() + repair + time.Duration(l.restarts)**resync
	if l.interrupted != never && l.calm < l.interrupted { // nobody has to find out
		limit = repair
	}
	if unusable > limit {
		l.s.violated(l, "unusable for %s, which is longer than detection and repair, %s", unusable, limit)
	}
	if l.restarts == 0 {
		l.s.counts.longest = max(l.s.counts.longest, unusable)
	}
}

// expired is called when material has expired by itself. Where it is valid for a duration, a renewal should have come
// first, unless something stood in its way.
func (l *life) expired() {
	object, record := l.object(), l.record()
	before := renewBefore(object)
	if l.s.qkms() && (object == nil || object.Spec.ReimportPolicy != v1alpha1.ReimportAllowInterruption || l.denied["DeleteImportedKeyMaterial"]) {
		return
	}
	if l.excused != "" || l.expiryByHand || l.usable() || before == 0 || record == nil || record.Imported == nil || record.Imported.ValidFor == nil {
		return
	}
	if calm := l.s.timeline.elapsed - max(l.calm, l.lastStart); min(calm-detection(), before) > repair {
		l.s.violated(l, "the material expired, and nothing had stood in the way of its renewal for %s", calm)
	}
}

// mayBeImported checks what must be so at the moment of an import.
func (l *life) mayBeImported(request kms.ImportRequest) {
	s, record := l.s, l.record()
	disturbed := s.pass.disturbed
	if request.Material.KeyARN() != l.keyARN {
		s.violated(l, "an import into the key of another object")
	}
	if record == nil && disturbed { // deleted since the intent was written
		return
	}
	if record == nil || record.Intent == nil || record.Intent.NotAfter.Time.Before(s.clock.Now()) {
		s.violated(l, "an import without an intent that is in force")
		return
	}
	l.tries()
	seen := s.pass.key.State
	proves := record.Intent.Cause == v1alpha1.CauseAdoption && seen != kms.KeyStatePendingImport // since an answer was lost
	if proves && !disturbed && s.pass.exact && !request.Expiry.Equal(l.present().Expiry) {
		s.violated(l, "an adoption that changes the expiry")
	}
	if s.qkms() && seen != kms.KeyStatePendingImport {
		s.violated(l, "an import into a key that was last seen with material, which QKMS refuses")
	}
	if !s.pass.answered || seen != kms.KeyStateEnabled && seen != kms.KeyStatePendingImport {
		s.violated(l, "an import into a key that was last seen %q", seen)
	}
	object := s.pass.seat.object()
	if !s.pass.unconfirmed && (!s.pass.seat.asks() && !l.refilling() || object == nil || object.Spec.Suspend != nil) {
		s.violated(l, "an import that the object does not ask for")
	}
	if !s.pass.unconfirmed && !s.pass.seat.owns() {
		s.violated(l, "an import for an object that does not own the key")
	}
	if !disturbed && l.superseded && record.Imported != nil && record.Imported.KeyMaterialID != "" {
		s.violated(l, "an import into a key that was rotated by hand")
	}
	if !disturbed && l.disabled && seen == kms.KeyStatePendingImport && !l.askedFor(object) {
		s.violated(l, "an import into a key that had lost its material while it was seen disabled")
	}
	if !disturbed && s.pass.exact && s.clock.Now().Before(l.revoked) && object.Spec.OnMaterialDeleted == v1alpha1.DeletionResponseHold &&
		record.Withdrawal == nil { // or whose deletion it was could not be told
		s.violated(l, "an import although somebody deleted the material, which onMaterialDeleted: Hold respects")
	}
	if !disturbed && l.causeOfImport == "" && !l.renewalDue() {
		s.violated(l, "an import for no new reason")
	}
}

// tries is for an import that the operator sends, arrive or not.
func (l *life) tries() {
	if l.tried {
		return
	}
	l.tried, l.adopted = true, l.state() != kms.KeyStatePendingImport
	if l.adopted {
		l.s.counts.adoptions++
	}
}

// renewalDue reports whether the material, by its record, is to be renewed by now: at most a tenth of renewBefore early.
func (l *life) renewalDue() bool {
	object, record := l.object(), l.record()
	before := renewBefore(object)
	return before > 0 && record.Imported != nil && record.Imported.ValidTo != nil &&
		l.s.clock.until(record.Imported.ValidTo.Time) <= before+before/10+time.Second
}

// renewBefore is zero where nothing is renewed.
func renewBefore(object *v1alpha1.KMSKeyImport) time.Duration {
	switch {
	case object == nil, object.Spec.Expiration == nil, object.Spec.Expiration.ValidFor == nil:
		return 0
	case object.Spec.Expiration.RenewBefore != nil:
		return object.Spec.Expiration.RenewBefore.Duration
	default:
		return object.Spec.Expiration.ValidFor.Duration / 3
	}
}

// importRefused is for what KMS says to an import; nothing in this world makes it say no, unless the world changed in
// the middle of the pass, the clocks differ, or the Secret never held what is in the key.
func (l *life) importRefused(err error) {
	record := l.record()
	kmsError, _ := kms.AsError(err)
	if kmsError == nil {
		l.s.violated(l, "KMS refused an import: %v", err)
		return
	}
	excusable := l.s.pass.disturbed || l.s.weather.skewed || !l.s.pass.exact || l.tokenReplaced
	if record == nil {
		return // the record was deleted since the intent was written
	}
	if kmsError.Class == kms.ClassMaterialRefused {
		excusable = record.Imported == nil && (!l.sourceIntact() || l.superseded || l.s.pass.disturbed)
	}
	if withdrawal := record.Withdrawal; kmsError.Class == kms.ClassTokenRefused && withdrawal != nil && withdrawal.Sealed != nil {
		excusable = true // an import of what was sealed, whose answer was lost, has used the token up
	}
	if !excusable {
		l.s.violated(l, "KMS refused an import: %v", err)
	}
	l.cause("a refused import")
}

// imported checks that the material is what it was, and keeps a proof of the first.
func (l *life) imported(request kms.ImportRequest, result kms.ImportResult, earlier kms.Key) {
	s := l.s
	l.note("imported into the %s key, to expire %s %s, because of %q", earlier.State, request.Expiry.Model, s.relative(request.Expiry.ValidTo), l.causeOfImport)
	s.counts.imports++
	if earlier.State == kms.KeyStatePendingImport {
		s.counts.heals++
	} else if l.causeOfImport == "" {
		s.counts.renewals++
	}
	l.changed(earlier)
	l.holdsOther, l.interrupted = false, never
	l.lastImport, l.revoked, l.disabled = s.timeline.elapsed, time.Time{}, false
	record := l.record()
	l.expiryByHand = record != nil && record.Intent.Cause == v1alpha1.CauseAdoption
	if earlier.State == kms.KeyStatePendingImport && !l.expiryByHand && (record == nil || record.Imported == nil) {
		l.adopted = false // whatever was refused, or lost, while the key held something
	}
	if !s.pass.disturbed { // what came after the pass began is not done with
		l.causeOfImport = ""
	}
	if l.expiryByHand {
		l.cause("its adoption") // which the spec's expiry follows
	}
	if l.keyMaterialID == "" {
		l.keyMaterialID = result.KeyMaterialID
	}
	if result.KeyMaterialID != l.keyMaterialID {
		s.violated(l, "the material was replaced: another KeyMaterialId")
	}
	if l.usable() && l.proof.made == nil {
		l.prove()
	}
	if s.happens(0.03) { // somebody deletes it at once
		s.timeline.after(s.between(0, 20*time.Second), func() { l.suffer("material deleted at once", true, (*life).deleteMaterial) })
	}
}

// afterPass checks what the status says.
func (t *seat) afterPass(finished bool, err error) {
	object, l := t.object(), t.l
	if object == nil {
		return
	}
	if object.ResourceVersion != t.checked && *object.Status.ObservedGeneration >= 0 {
		t.checked = object.ResourceVersion
		t.checkInvariants(object)
	}
	if err != nil && !l.s.weather.bad() {
		l.note("pass failed: %v", err)
	}
	state := l.s.pass.key.State
	if l.s.pass.answered && finished && t.owns() && (state == kms.KeyStateDisabled || state == kms.KeyStatePendingDeletion) {
		l.disabled = true // of a key without an owner only the status tells, until a failed look overwrites it
	}
	if t.owns() && l.s.pass.fresh && l.s.pass.seen(finished) {
		l.checkInterrupted()
	}
	ready := t.condition("Ready")
	if ready == nil || ready.Status != metav1.ConditionTrue || l.s.pass.disturbed || !finished || t.cacheLags() {
		return
	}
	if t.owns() {
		l.checkReady(object)
	} else if l.caughtUp() && l.record() != nil {
		l.s.violated(l, "Ready, and the object does not own the key")
	}
}

// checkInterrupted checks that the status of a key that the operator has emptied for a moment says so.
func (l *life) checkInterrupted() {
	record := l.record()
	known := l.refilling() && record.Withdrawal.CompletedAt != nil && l.state() == kms.KeyStatePendingImport
	if known && l.condition("Interrupted") == nil {
		l.s.violated(l, "emptied by an interruption, and the status does not say so")
	}
}

// checkReady checks that a status that says Ready has every right to.
func (l *life) checkReady(object *v1alpha1.KMSKeyImport) {
	s := l.s
	if l.s.pass.answered && l.s.pass.exact && !l.usable() {
		s.violated(l, "Ready, and the key is %s", l.state())
	}
	told := l.condition("Reconciling") != nil || l.condition("OtherMaterialExpires") != nil // which also says that in QKMS
	if s.pass.answered && s.pass.exact && l.holdsOther && !told {
		s.violated(l, "Ready, and the key holds other material")
	}
	if validTo := object.Status.ValidTo; validTo != nil && !validTo.After(s.pass.began) {
		s.violated(l, "Ready, and status.validTo has passed")
	}
	unseen := s.timeline.elapsed - max(l.lastLook, l.lastStart, s.lastStep)
	if unseen > 3**resync+repair && object.Spec.Suspend == nil { // who is suspended is told so by another condition
		s.violated(l, "Ready, and KMS was last seen %s ago", unseen)
	}
	record := l.record()
	if record == nil || record.Imported == nil {
		s.violated(l, "Ready, and the record vouches for nothing")
		return
	}
	if l.fingerprint == "" {
		l.fingerprint = s.fingerprintOf(l)
	}
	if record.Imported.Fingerprint != l.fingerprint || object.Status.Material.Fingerprint != l.fingerprint {
		s.violated(l, "Ready, and the record vouches for other material")
	}
}

func (s *simulation) fingerprintOf(l *life) string {
	fingerprinter, err := keymaterial.NewFingerprinter(s.fingerprintKey())
	s.must(err)
	material, err := keymaterial.Decode(keymaterial.Raw, l.material)
	s.must(err)
	return string(fingerprinter.Fingerprint(l.keyARN, material))
}

// checkInvariants checks those of docs/design.md, section 6.
func (t *seat) checkInvariants(object *v1alpha1.KMSKeyImport) {
	l := t.l
	ready, reconciling, stalled := t.condition("Ready"), t.condition("Reconciling") != nil, t.condition("Stalled") != nil
	if ready == nil {
		l.s.violated(l, "a status without Ready")
		return
	}
	l.note("status of %s: %s", t.name, summary(object))
	if reconciling && stalled || stalled && ready.Status != metav1.ConditionFalse {
		l.s.violated(l, "contradictory conditions: %s", summary(object))
	}
	want := status.CurrentStatus
	switch {
	case object.DeletionTimestamp != nil:
		want = status.TerminatingStatus
	case *object.Status.ObservedGeneration < object.Generation:
		want = status.InProgressStatus
	case stalled:
		want = status.FailedStatus
	case reconciling, ready.Status != metav1.ConditionTrue:
		want = status.InProgressStatus
	}
	if is, err := kstatusOf(object); err != nil || is != want {
		l.s.violated(l, "kstatus computes %s, not %s, of %s (%v)", is, want, summary(object), err)
	}
}

func kstatusOf(object *v1alpha1.KMSKeyImport) (status.Status, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return "", err
	}
	computed, err := status.Compute(&unstructured.Unstructured{Object: content})
	if err != nil {
		return "", err
	}
	if computed == nil {
		return "", errors.New("no status")
	}
	return computed.Status, nil
}

func summary(object *v1alpha1.KMSKeyImport) string {
	text := fmt.Sprintf("generation %d of %d", *object.Status.ObservedGeneration, object.Generation)
	for _, condition := range object.Status.Conditions {
		text += fmt.Sprintf(", %s %s %s", condition.Type, condition.Status, condition.Reason)
	}
	if object.Status.Key != nil {
		text += ", key " + object.Status.Key.State
	}
	return text
}
