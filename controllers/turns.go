package controllers

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
)

// turnValidity is how long an object may be late for its turn. A turn that was missed for longer is lost, or many late
// ones together would exceed the rate.
const turnValidity = 3 * time.Second

// turns rations GetParametersForImport, which every caller of an account shares. An object that must wait is told for
// how long and keeps its place, so that waiting costs one look and not one look a second.
type turns struct {
	mutex   sync.Mutex
	limiter *rate.Limiter
	held    map[types.UID]time.Time
	latest  time.Time // when somebody last asked
}

func newTurns(perSecond float64) *turns {
	return &turns{limiter: rate.NewLimiter(rate.Limit(perSecond), 1), held: map[types.UID]time.Time{}}
}

// take returns zero when it is the object's turn now, and otherwise how long it has to wait before it asks again.
func (t *turns) take(uid types.UID, now time.Time) time.Duration {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.dropMissed(now)
	t.latest = now
	if at, holds := t.held[uid]; holds {
		if wait := at.Sub(now); wait > 0 {
			return wait
		}
		delete(t.held, uid)
		return 0
	}
	wait := t.limiter.ReserveN(now, 1).DelayFrom(now)
	if wait > 0 {
		t.held[uid] = now.Add(wait)
	}
	return wait
}

// borrow is for a second try in the same pass, which must not wait: it goes at once, and whoever comes next waits longer.
func (t *turns) borrow(now time.Time) {
	t.limiter.ReserveN(now, 1)
}

// dropMissed forgets turns that nobody took, and all of them when the clock was set back: they would lie far ahead.
func (t *turns) dropMissed(now time.Time) {
	if now.Before(t.latest) {
		clear(t.held)
	}
	for uid, at := range t.held {
		if now.Sub(at) > turnValidity {
			delete(t.held, uid)
		}
	}
}
