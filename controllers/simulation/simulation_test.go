// Package simulation_test lets many keys live for years within a minute: the real Reconciler and the real adapter over a
// local KMS in this process, an API server and a work queue on one virtual clock, and a seed that decides what happens to
// each key. An oracle that knows what the operator cannot know checks after every pass what docs/design.md promises.
package simulation_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/controllers"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// The size of each simulation.
var (
	keyCount = flag.Int("keys", 40, "how many keys")
	years    = flag.Int("years", 1, "how many years they live")
	resync   = flag.Duration("resync", 12*time.Hour, "how often a settled key is looked at")
)

// TestLives runs the seeds that are always run, or the one that SEED names.
func TestLives(t *testing.T) {
	seeds := []uint64{1, 2}
	if given := os.Getenv("SEED"); given != "" {
		seed, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("SEED is no number: %v", err)
		}
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		for _, kind := range []accountKind{inAWS, inQKMS, inQKMSAhead} {
			keys := max(*keyCount/5, 2)
			if kind.dialect == kms.DialectAWS {
				keys = *keyCount - 2*keys
			}
			t.Run(fmt.Sprintf("seed %d in %s", seed, kind.name), func(t *testing.T) {
				s := newSimulation(t, seed, kind, keys)
				s.live(time.Duration(*years) * 365 * day)
				s.settle()
				t.Log(s.counts.summary())
				if keys >= 8 && *years > 0 { // fewer may never come to that
					s.counts.checkVariety(t, s.qkms())
				}
			})
		}
	}
}

// checkVariety demands that the world had what it is about.
func (c counts) checkVariety(t *testing.T, qkms bool) {
	t.Helper()
	if c.withdrawals == 0 || qkms && c.interruptions == 0 || !qkms && (c.adoptions == 0 || c.renewals == 0) {
		t.Errorf("too little has happened to show anything: %s", c.summary())
	}
}

// A seed decides everything, or a failure could not be replayed.
func TestSeedsReplay(t *testing.T) {
	var ends [2]uint64
	for i := range ends {
		s := newSimulation(t, 7, inQKMSAhead, 8)
		s.live(90 * day)
		s.settle()
		ends[i] = s.random.Uint64()
	}
	if ends[0] != ends[1] {
		t.Error("the same seed led to two different worlds")
	}
}

// simulation is a world.
type simulation struct {
	t        *testing.T
	kind     accountKind
	ctx      context.Context
	seed     uint64
	random   *rand.Rand
	timeline *timeline
	clock    *wallClock // the operator's
	kmsClock *wallClock
	api      *apiServer
	account  account
	operator *operator
	lives    []*life
	byRef    map[ref]*life
	weather  weather
	counts   counts
	lastStep time.Duration // when a clock was last set
	apiUp    time.Duration // when the API server was last down
	failed   bool

	calm    bool  // nothing goes wrong
	current *life // whose pass is under way
	pass    *pass
}

func newSimulation(t *testing.T, seed uint64, kind accountKind, keys int) *simulation {
	t.Helper()
	s := &simulation{
		t: t, kind: kind, ctx: quietContext(t.Context()), seed: seed, random: rand.New(rand.NewPCG(seed, 0)), timeline: &timeline{},
		byRef: map[ref]*life{}, counts: counts{incidents: map[string]int{}, weather: map[string]int{}},
	}
	s.clock, s.kmsClock = &wallClock{timeline: s.timeline}, &wallClock{timeline: s.timeline}
	s.account = openAccount(t, kind, s.kmsClock.Now)
	s.api = newAPIServer(s.kmsClock, s.random)
	s.api.changed = s.notify
	s.operator = &operator{s: s}
	for number := range keys {
		s.bear(number)
	}
	s.operator.start(0)
	return s
}

func (s *simulation) qkms() bool { return s.kind.dialect == kms.DialectQKMS }

// live lets years pass in which things happen.
func (s *simulation) live(span time.Duration) {
	for _, l := range s.lives {
		s.often(18*day, func() { s.happen(l) })
		s.timeline.after(s.between(time.Hour, 72*time.Hour), l.visit)
		if s.random.IntN(10) == 0 {
			s.timeline.after(s.between(0, span), func() { l.suffer("rotated by hand", true, (*life).rotate) })
		}
	}
	s.often(10*day, s.spell)
	s.often(12*day, func() {
		s.counts.restarts++
		s.operator.start(s.between(0, time.Minute))
	})
	s.often(60*day, s.stepClock)
	s.timeline.runUntil(span)
}

// often does something again and again, at random times with a mean distance, until nothing goes wrong any more.
func (s *simulation) often(mean time.Duration, do func()) {
	next := time.Duration(s.random.ExpFloat64() * float64(mean))
	s.timeline.after(next, func() {
		if !s.calm {
			do()
			s.often(mean, do)
		}
	})
}

// settle ends all trouble. After two weeks of mending every key is as it should be, and in the two days that follow
// nothing is written but what belongs to an import.
func (s *simulation) settle() {
	s.calm = true
	s.clearUp()
	s.setClocksRight()
	for _, l := range s.lives {
		l.suffer("all permitted", true, func(l *life) { clear(l.denied) })
		if object := l.object(); object != nil && object.Spec.Expiration != nil && object.Spec.Expiration.ValidTo != nil {
			l.suffer("date replaced by a duration", true, (*life).extend)
		}
	}
	s.timeline.runUntil(s.timeline.elapsed + 14*day)
	for _, l := range s.lives {
		l.checkSettled()
	}
	before, writes := s.counts, s.api.writes
	s.timeline.runUntil(s.timeline.elapsed + 2*day)
	writes = s.api.writes - writes
	imports, parameters := s.counts.imports-before.imports, s.counts.parameters-before.parameters
	interruptions := s.counts.interruptions - before.interruptions
	if !s.kind.ahead {
		parameters -= interruptions // which find out that there are none over material
	}
	if withdrawn := s.counts.withdrawals + s.counts.interruptions; withdrawn != *s.account.deletions {
		s.violated(s.lives[0], "%d withdrawals were permitted, and KMS has carried out %d", withdrawn, *s.account.deletions)
	}
	// One more of each import: an object that waits for the key shows the new expiry too.
	if writes > 4*imports+3*interruptions || imports != parameters {
		s.violated(s.lives[0], "%d writes, %d imports and %d import parameters among keys at rest", writes, imports, parameters)
	}
}

// checkSettled checks that a key is as it should be.
func (l *life) checkSettled() {
	object := l.object()
	if l.superseded {
		if !l.stalledFor("MaterialSuperseded") && !l.stalledFor("MaterialMismatch") {
			l.s.violated(l, "rotated by hand, and in the end: %s", summary(object))
		}
		return
	}
	ready := l.condition("Ready")
	if ready.Status != "True" || l.condition("Reconciling") != nil || l.condition("Stalled") != nil || *object.Status.ObservedGeneration != object.Generation {
		l.s.violated(l, "in the end: %s: %s", summary(object), ready.Message)
	}
	if !l.usable() || !l.holds() {
		l.s.violated(l, "in the end the key is %s, or has other material", l.state())
	}
	if l.askedFor(object) {
		l.s.violated(l, "a request for an import was never answered")
	}
}

// notify puts into the queue whoever the watches of controllers/setup.go would.
func (s *simulation) notify(at ref, before, after client.Object, lag time.Duration) {
	l := s.byRef[at]
	if l == nil || s.operator.reconciler == nil {
		return
	}
	for _, t := range l.seats {
		if at == t.at(kindImport) {
			t.watchDeletion(after)
		}
		if !t.concerned(at, before, after) {
			continue
		}
		if lag == 0 {
			s.operator.wake(t, 0)
		} else { // an event of its own, which an earlier one does not swallow
			s.timeline.after(lag, func() { s.operator.wake(t, 0) })
		}
	}
}

func (t *seat) watchDeletion(after client.Object) {
	switch {
	case after == nil:
		t.deletionEnds()
	case after.GetDeletionTimestamp() != nil && t.deletion == nil:
		t.deletionBegins(after.GetUID())
	}
}

// concerned reports whether a change wakes the operator up for this seat.
func (t *seat) concerned(at ref, before, after client.Object) bool {
	switch at.kind {
	case kindImport:
		return at == t.at(kindImport) && !sameForWatch(before, after)
	case kindSecret:
		return at == t.at(kindSecret) && t.object() != nil && (consents(before) || consents(after))
	default:
		return before != nil && (after == nil || ownerOf(before) != ownerOf(after)) && t.claims(ownerOf(before), ownerOf(after))
	}
}

// sameForWatch is what the predicates of the watch leave out.
func sameForWatch(before, after client.Object) bool {
	return before != nil && after != nil && before.GetUID() == after.GetUID() && before.GetGeneration() == after.GetGeneration() &&
		maps.Equal(before.GetAnnotations(), after.GetAnnotations())
}

func consents(secret client.Object) bool {
	return secret != nil && secret.GetLabels()[v1alpha1.LabelKeyMaterial] == "true"
}

func ownerOf(record client.Object) v1alpha1.RecordOwner {
	if record == nil {
		return v1alpha1.RecordOwner{}
	}
	if owner := record.(*v1alpha1.KMSKeyRecord).Owner; owner != nil {
		return *owner
	}
	return v1alpha1.RecordOwner{}
}

// recordName is how controllers/records.go names the record of a key.
func recordName(keyARN string) string {
	digest := sha256.Sum256([]byte(keyARN))
	return "key-" + hex.EncodeToString(digest[:])
}

// interfere lets something happen in the middle of a pass.
func (s *simulation) interfere() {
	if s.current != nil && s.happens(0.001) {
		s.happen(s.current)
	}
}

// crashes ends the process in the middle of a pass.
func (s *simulation) crashes() {
	if s.current != nil && s.happens(0.0003) {
		s.current.note("crash")
		panic(crash{})
	}
}

// happens is true with a probability, and never in calm times.
func (s *simulation) happens(probability float64) bool {
	return !s.calm && s.random.Float64() < probability
}

func (s *simulation) between(shortest, longest time.Duration) time.Duration {
	return shortest + time.Duration(s.random.Int64N(int64(longest-shortest)+1))
}

// fault counts an error that is not the operator's.
func (s *simulation) fault(err error) error {
	s.counts.faults++
	if s.pass != nil {
		s.pass.faults++
	}
	if s.current != nil {
		if !s.weather.bad() {
			s.current.note("fault: %v", err)
		}
	}
	return err
}

// must is for what cannot go wrong in a world without errors of its own.
func (s *simulation) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("the simulation itself failed: %v", err)
	}
}

// violated ends the simulation: the operator has broken a promise, or the world is not what it is taken for.
func (s *simulation) violated(l *life, format string, arguments ...any) {
	s.t.Helper()
	if s.failed {
		return
	}
	s.failed = true
	s.t.Fatalf("%s %s (%s): %s\n\nWhat happened to it last:\n  %s\n\nTo replay: SEED=%d go test ./controllers/simulation -keys=%d -years=%d -resync=%s",
		s.stamp(), l.name, l.spec, fmt.Sprintf(format, arguments...), strings.Join(l.trace, "\n  "), s.seed, *keyCount, *years, *resync)
}

func (s *simulation) stamp() string {
	return fmt.Sprintf("day %d %s", s.timeline.elapsed/day, s.clock.Now().Format(time.TimeOnly))
}

func (s *simulation) relative(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return "in " + s.clock.until(at).String()
}

func (s *simulation) fingerprintKey() []byte {
	at := ref{kind: kindSecret, namespace: operatorNamespace, name: controllers.FingerprintSecretName}
	return s.api.live(at).(*corev1.Secret).Data["key"]
}

// counts is what a simulation consisted of.
type counts struct {
	passes, repeated, imports, adoptions, withdrawals, interruptions, heals, renewals, parameters, faults, crashes, restarts, staleLooks int
	longest                                                                                                                              time.Duration
	incidents, weather                                                                                                                   map[string]int
}

func (c counts) summary() string {
	return fmt.Sprintf("%d passes (%d repeated), %d imports (%d into empty keys, %d renewals, %d adoptions), %d withdrawals, %d interruptions, %d parameters, "+
		"%d faults, %d crashes, %d restarts, %d looks at the past\nlongest unusable without an excuse or a restart: %s\nweather %v\nincidents %v",
		c.passes, c.repeated, c.imports, c.heals, c.renewals, c.adoptions, c.withdrawals, c.interruptions, c.parameters, c.faults, c.crashes, c.restarts, c.staleLooks,
		c.longest.Round(time.Second), c.weather, c.incidents)
}
