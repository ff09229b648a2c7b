package simulation_test

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keyimport-dev/kms-key-import-operator/controllers"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const (
	operatorNamespace = "kms-key-import-system"
	namespace         = "keys"

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
	waiting    map[*life]*appointment
	failures   map[*life]int
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
		Recorder:       silence{},
		Clock:          s.clock,
		Namespace:      operatorNamespace,
		Resync:         *resync,
		ParametersRate: 1,
	})
	o.waiting, o.failures = map[*life]*appointment{}, map[*life]int{}
	o.upAt = s.timeline.elapsed + downtime
	for _, l := range s.lives {
		l.restarts++
		l.lastStart = o.upAt
		if s.timeline.elapsed-l.lastImport < propagation {
			l.cause("a restart before the import was confirmed")
		}
		o.wake(l, 0)
	}
}

// wake puts an object into the queue.
func (o *operator) wake(l *life, delay time.Duration) {
	at := max(o.s.timeline.elapsed+delay, o.upAt)
	if already := o.waiting[l]; already != nil {
		if already.at <= at {
			return
		}
		already.cancelled = true
	}
	o.waiting[l] = o.s.timeline.at(at, func() {
		delete(o.waiting, l)
		o.work(l)
	})
}

// work makes a pass and does with its result what controller-runtime does.
func (o *operator) work(l *life) {
	result, crashed, err := o.reconcile(l)
	switch {
	case crashed:
		o.s.counts.crashes++
		l.cause("a crash")
		o.start(o.s.between(time.Second, time.Minute))
	case err != nil:
		o.failures[l]++
		o.wake(l, o.backoff(o.failures[l]))
	case result.RequeueAfter > 0:
		delete(o.failures, l)
		o.wake(l, result.RequeueAfter)
	default:
		delete(o.failures, l)
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
func (o *operator) reconcile(l *life) (result ctrl.Result, crashed bool, err error) {
	s := o.s
	l.account()
	s.beginPass(l)
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
	result, err = o.reconciler.Reconcile(s.ctx, l.request())
	s.endPass(l, result, err)
	return result, false, err
}

func (l *life) request() ctrl.Request {
	return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: l.name}}
}

// pass is what the oracle notes during one.
type pass struct {
	began     time.Time
	faults    int
	apiFailed bool // the API server, at least once
	disturbed bool // the world changed meanwhile
	// unconfirmed is the same, but since the object was last read from the API server.
	unconfirmed bool
	answered    bool // KMS answered a look, and nothing was imported since
	exact       bool // and showed the key as it is
	key         kms.Key
	writes      int
}

func (p *pass) looked(key kms.Key, exact bool) { p.answered, p.key, p.exact = true, key, exact }

func (s *simulation) beginPass(l *life) {
	s.counts.passes++
	s.current, s.pass = l, &pass{began: s.clock.Now(), writes: s.api.writes}
}

// endPass checks what a pass left behind; now and then it makes another one at once, in which nothing goes wrong and
// which must not write anything.
func (s *simulation) endPass(l *life, result ctrl.Result, err error) {
	if result.Priority == nil && err == nil && l.object() != nil && !l.cacheLags() {
		s.violated(l, "a result without a priority")
	}
	finished := !s.pass.apiFailed && result.RequeueAfter != conflictDelay // an error is then one of KMS, and in the status
	l.afterPass(finished, err)
	quiet := err == nil && finished && s.pass.faults == 0 && !s.pass.disturbed && (s.pass.exact || !s.pass.answered) && l.caughtUp()
	if !quiet || l.object() == nil || !s.happens(0.01) {
		return
	}
	s.counts.repeated++
	calm := s.calm
	s.calm = true
	before := s.api.writes
	again, err := s.operator.reconciler.Reconcile(s.ctx, l.request())
	s.calm = calm
	if err == nil && s.api.writes != before {
		s.violated(l, "a second pass without a change in the world wrote %d times", s.api.writes-before)
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
