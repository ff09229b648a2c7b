package localkms

import (
	"slices"
	"time"
)

// Propagation is how far readers lag behind changes, as in a service whose parts are eventually consistent. Zero means
// that every change is seen at once.
type Propagation struct {
	// Delay is how long after a change readers still see what was before: the key that is not there yet, the state of
	// before the import. It runs on [Options.Now].
	Delay time.Duration
	// Flicker makes every second look within Delay see the change already, so that readers see it come and go.
	Flicker bool
}

// history is a value that changes, with those of its past values that a reader may still see.
type history[T any] struct {
	versions []version[T]
	looks    int // within the delay of the last change
}

type version[T any] struct {
	since time.Time
	value T
}

// put changes the value and forgets what nobody can see any more.
func (h *history[T]) put(now time.Time, value T, p Propagation) {
	h.looks = 0
	visible := h.index(now.Add(-p.Delay))
	if p.Delay == 0 {
		h.versions = []version[T]{{now, value}}
		return
	}
	h.versions = append(h.versions[max(visible, 0):], version[T]{now, value})
}

// latest is the value as it is.
func (h *history[T]) latest() (value T) {
	if len(h.versions) == 0 {
		return value
	}
	return h.versions[len(h.versions)-1].value
}

// seen is the value as a reader sees it, and the moment at which it was so; false where the reader sees none yet.
func (h *history[T]) seen(now time.Time, p Propagation) (value T, at time.Time, ok bool) {
	newest := len(h.versions) - 1
	if newest < 0 {
		return value, now, false
	}
	if p.Delay == 0 || !h.versions[newest].since.After(now.Add(-p.Delay)) {
		return h.versions[newest].value, now, true
	}
	h.looks++
	if p.Flicker && h.looks%2 == 0 {
		return h.versions[newest].value, now, true
	}
	past := now.Add(-p.Delay)
	value, ok = h.at(past)
	return value, past, ok
}

// at is the value as it was at a time, one that a reader may still see; false where there was none yet.
func (h *history[T]) at(past time.Time) (value T, ok bool) {
	i := h.index(past)
	if i < 0 {
		return value, false
	}
	return h.versions[i].value, true
}

// index is that of the version that was the latest at a time, -1 if there was none.
func (h *history[T]) index(at time.Time) int {
	for i, v := range slices.Backward(h.versions) {
		if !v.since.After(at) {
			return i
		}
	}
	return -1
}
