package simulation_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

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
	excused  string
	calm     time.Duration // when the last excuse ended, or the weather changed

	causeOfImport string // what has happened since the last import that another one may follow from
	disabled      bool   // the operator has seen the key disabled or scheduled for deletion, and not enabled since
	expiryByHand  bool   // somebody else chose the expiry of the material that is in the key

	lastLook, lastStart, lastImport time.Duration
	keyMaterialID                   string
	fingerprint                     string
	checked                         string // the resourceVersion whose invariants were checked

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
	case object == nil, object.Spec.Suspend != nil:
		return "not asked to"
	case !l.sourceIntact():
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

func (l *life) stalledFor(reason string) bool {
	stalled := l.condition("Stalled")
	return stalled != nil && stalled.Reason == reason
}

func (l *life) condition(conditionType string) *metav1.Condition {
	if object := l.object(); object != nil {
		return meta.FindStatusCondition(object.Status.Conditions, conditionType)
	}
	return nil
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
	case !l.usable() || l.excused != "":
		l.well = never
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
	if record == nil || record.Intent == nil || record.Intent.NotAfter.Time.Before(s.clock.Now()) {
		s.violated(l, "an import without an intent that is in force")
		return
	}
	seen := s.pass.key.State
	if !s.pass.answered || seen != kms.KeyStateEnabled && seen != kms.KeyStatePendingImport {
		s.violated(l, "an import into a key that was last seen %q", seen)
	}
	if object := l.object(); !s.pass.unconfirmed && (object == nil || object.Spec.Suspend != nil) {
		s.violated(l, "an import that the object does not ask for")
	}
	if !disturbed && l.superseded && record.Imported != nil && record.Imported.KeyMaterialID != "" {
		s.violated(l, "an import into a key that was rotated by hand")
	}
	if !disturbed && l.disabled && seen == kms.KeyStatePendingImport && !l.askedFor(l.object()) {
		s.violated(l, "an import into a key that had lost its material while it was seen disabled")
	}
	if !disturbed && s.clock.Now().Before(l.revoked) {
		s.violated(l, "an import although somebody deleted the material, which onMaterialDeleted: Hold respects")
	}
	if !disturbed && l.causeOfImport == "" && !l.renewalDue() {
		s.violated(l, "an import for no new reason")
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
// the middle of the pass, or the clocks differ.
func (l *life) importRefused(err error) {
	kmsError, _ := kms.AsError(err)
	excusable := l.s.pass.disturbed || l.s.weather.skewed || !l.s.pass.exact
	if kmsError == nil || kmsError.Class == kms.ClassMaterialRefused || !excusable {
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
	l.lastImport, l.revoked, l.disabled = s.timeline.elapsed, time.Time{}, false
	l.expiryByHand = false
	if !s.pass.disturbed { // what came after the pass began is not done with
		l.causeOfImport = ""
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
func (l *life) afterPass(finished bool, err error) {
	object := l.object()
	if object == nil {
		return
	}
	if object.ResourceVersion != l.checked && *object.Status.ObservedGeneration >= 0 {
		l.checked = object.ResourceVersion
		l.checkInvariants(object)
	}
	if err != nil && !l.s.weather.bad() {
		l.note("pass failed: %v", err)
	}
	switch state := l.s.pass.key.State; {
	case !l.s.pass.answered || l.record() == nil:
	case state == kms.KeyStateEnabled: // which a pass that then failed may have written down
		l.disabled = false
	case finished && (state == kms.KeyStateDisabled || state == kms.KeyStatePendingDeletion):
		l.disabled = true
	}
	ready := l.condition("Ready")
	if ready == nil || ready.Status != metav1.ConditionTrue || l.s.pass.disturbed || !finished {
		return
	}
	l.checkReady(object)
}

// checkReady checks that a status that says Ready has every right to.
func (l *life) checkReady(object *v1alpha1.KMSKeyImport) {
	s := l.s
	if l.s.pass.answered && l.s.pass.exact && !l.usable() {
		s.violated(l, "Ready, and the key is %s", l.state())
	}
	if validTo := object.Status.ValidTo; validTo != nil && !validTo.After(s.pass.began) && !l.cacheLags() {
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

func (l *life) cacheLags() bool {
	entry := l.s.api.objects[l.at(kindImport)]
	return l.s.timeline.elapsed < entry.beforeUntil
}

func (s *simulation) fingerprintOf(l *life) string {
	fingerprinter, err := keymaterial.NewFingerprinter(s.fingerprintKey())
	s.must(err)
	material, err := keymaterial.Decode(keymaterial.Raw, l.material)
	s.must(err)
	return string(fingerprinter.Fingerprint(l.keyARN, material))
}

// checkInvariants checks those of docs/design.md, section 6.
func (l *life) checkInvariants(object *v1alpha1.KMSKeyImport) {
	ready, reconciling, stalled := l.condition("Ready"), l.condition("Reconciling") != nil, l.condition("Stalled") != nil
	if ready == nil {
		l.s.violated(l, "a status without Ready")
		return
	}
	l.note("status: %s", summary(object))
	if reconciling && stalled || stalled && ready.Status != metav1.ConditionFalse {
		l.s.violated(l, "contradictory conditions: %s", summary(object))
	}
	want := status.CurrentStatus
	switch {
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
