package simulation_test

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keyimport-dev/kms-key-import-operator/controllers"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const (
	operatorNamespace = "kms-key-import-system"

	// propagation is for how long an import that KMS does not show is believed, and what it takes to write that down.
	propagation = 5*time.Minute + 2*time.Minute

	// conflictDelay is after how long the Reconciler wants to see an object again of which somebody else wrote a newer
	// version meanwhile. Such a pass has written no status.
	conflictDelay = time.Second
)

// operator is a process with the real Reconciler, and the work queue in front of it: one entry for each object, at the
// earliest time that somebody asked for.
type operator struct {
	s          *simulation
	reconciler *controllers.Reconciler
	upAt       time.Duration
	waiting    map[*seat]*appointment
	failures   map[*seat]int
}

// crash is how a process ends in the middle of a pass.
type crash struct{}

// start begins a new process: memories, limiter and queue are empty, and it sees all objects.
func (o *operator) start(downtime time.Duration) {
	s := o.s
	for _, waiting := range o.waiting {
		waiting.cancelled = true
	}
	for _, entry := range s.api.objects {
		entry.beforeUntil = 0 // a new cache lists what there is
	}
	faults := &apiFaults{s}
	o.reconciler = controllers.NewReconciler(controllers.Options{
		Client:         &cacheClient{apiServer: s.api, faults: faults},
		Live:           &liveReader{apiServer: s.api, faults: faults},
		KMS:            wire{s},
		Dialect:        s.kind.dialect,
		Recorder:       silence{},
		Clock:          s.clock,
		Namespace:      operatorNamespace,
		Resync:         *resync,
		ParametersRate: 1,
	})
	o.waiting, o.failures = map[*seat]*appointment{}, map[*seat]int{}
	o.upAt = s.timeline.elapsed + downtime
	for _, l := range s.lives {
		l.restarts++
		l.lastStart = o.upAt
		if s.timeline.elapsed-l.lastImport < propagation {
			l.cause("a restart before the import was confirmed")
		}
		for _, t := range l.seats {
			if record := l.record(); t.object() != nil || record != nil && record.Owner != nil && t.claims(*record.Owner) {
				o.wake(t, 0)
			}
		}
	}
}

// wake puts an object into the queue.
func (o *operator) wake(t *seat, delay time.Duration) {
	at := max(o.s.timeline.elapsed+delay, o.upAt)
	if already := o.waiting[t]; already != nil {
		if already.at <= at {
			return
		}
		already.cancelled = true
	}
	o.waiting[t] = o.s.timeline.at(at, func() {
		delete(o.waiting, t)
		o.work(t)
	})
}

// work makes a pass and does with its result what controller-runtime does.
func (o *operator) work(t *seat) {
	result, crashed, err := o.reconcile(t)
	switch {
	case crashed:
		o.s.counts.crashes++
		t.l.cause("a crash")
		o.start(o.s.between(time.Second, time.Minute))
	case err != nil:
		o.failures[t]++
		o.wake(t, o.backoff(o.failures[t]))
	case result.RequeueAfter > 0:
		delete(o.failures, t)
		o.wake(t, result.RequeueAfter)
	default:
		delete(o.failures, t)
	}
}

// backoff is that of controllers/setup.go.
func (o *operator) backoff(failures int) time.Duration {
	const first, last = time.Second, 5 * time.Minute
	delay := last
	if failures <= 9 {
		delay = min(first<<(failures-1), last)
	}
	jitter := time.Duration(o.s.random.Float64() * float64(delay) / 5)
	return min(delay+jitter, last)
}

// reconcile makes one pass under the eyes of the oracle.
func (o *operator) reconcile(t *seat) (result ctrl.Result, crashed bool, err error) {
	s, l := o.s, t.l
	l.account()
	s.beginPass(t)
	defer func() {
		if what := recover(); what != nil {
			if _, isCrash := what.(crash); !isCrash {
				s.violated(l, "the pass panicked: %v", what)
			}
			crashed = true
		}
		s.current = nil
		l.account()
	}()
	result, err = o.reconciler.Reconcile(s.ctx, t.request())
	s.endPass(t, result, err)
	return result, false, err
}

// pass is what the oracle notes during one.
type pass struct {
	seat      *seat
	began     time.Time
	fresh     bool // the caches show everything as it is
	faults    int
	apiFailed bool // the API server, at least once
	disturbed bool // the world changed meanwhile
	// unconfirmed is the same, but since the object was last read from the API server.
	unconfirmed bool
	unread      bool // and since the Secret was last read there
	answered    bool // KMS answered a look, and nothing was imported since
	exact       bool // and showed the key as it is
	key         kms.Key
	writes      int
}

func (p *pass) looked(key kms.Key, exact bool) { p.answered, p.key, p.exact = true, key, exact }

// seen reports whether the pass has written of the world as it is.
func (p *pass) seen(finished bool) bool { return finished && !p.disturbed && p.exact == p.answered }

func (s *simulation) beginPass(t *seat) {
	s.counts.passes++
	s.current, s.pass = t.l, &pass{seat: t, fresh: !t.cacheLags() && !s.api.lags(t.l.recordAt), began: s.clock.Now(), writes: s.api.writes}
}

// endPass checks what a pass left behind; now and then it makes another one at once, in which nothing goes wrong and
// which must not write anything.
func (s *simulation) endPass(t *seat, result ctrl.Result, err error) {
	l := t.l
	if result.Priority == nil && err == nil && t.object() != nil && !t.cacheLags() {
		s.violated(l, "a result without a priority")
	}
	finished := !s.pass.apiFailed && result.RequeueAfter != conflictDelay // an error is then one of KMS, and in the status
	t.afterPass(finished, err)
	quiet := err == nil && finished && s.pass.faults == 0 && !s.pass.disturbed && (s.pass.exact || !s.pass.answered) && l.caughtUp()
	dueMeanwhile := result.RequeueAfter > 0 && result.RequeueAfter < 10*time.Second // a renewal, say
	if !quiet || t.object() == nil || !s.happens(0.01) || dueMeanwhile {
		return
	}
	s.counts.repeated++
	calm := s.calm
	s.calm = true
	before, object, record := s.api.writes, t.object(), l.record()
	again, err := s.operator.reconciler.Reconcile(s.ctx, t.request())
	s.calm = calm
	if err == nil && s.api.writes != before {
		s.violated(l, "a second pass without a change in the world wrote %d times: %s%s",
			s.api.writes-before, cmp.Diff(object, t.object()), cmp.Diff(record, l.record()))
	}
	if again.RequeueAfter == 0 && result.RequeueAfter != 0 && err == nil {
		s.violated(l, "a second pass asks for no wake-up where the first asked for one")
	}
}

// silence hears events.
type silence struct{}

// Eventf implements events.EventRecorder.
func (silence) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

func quietContext(ctx context.Context) context.Context {
	return logf.IntoContext(ctx, logr.Discard())
}
