package simulation_test

import (
	"container/heap"
	"time"
)

const day = 24 * time.Hour

// epoch is when every simulation begins.
var epoch = time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC)

// timeline is the time that passes: timers run on it, as they run on the monotonic clock of a process.
type timeline struct {
	elapsed time.Duration
	agenda  agenda
}

// pass lets time go by without anything happening but what is already going on.
func (t *timeline) pass(by time.Duration) { t.elapsed += by }

// after makes an appointment.
func (t *timeline) after(delay time.Duration, do func()) *appointment {
	return t.at(t.elapsed+delay, do)
}

func (t *timeline) at(elapsed time.Duration, do func()) *appointment {
	t.agenda.order++
	made := &appointment{at: elapsed, order: t.agenda.order, do: do}
	heap.Push(&t.agenda, made)
	return made
}

// runUntil keeps the appointments up to a moment. Late ones are kept as soon as possible.
func (t *timeline) runUntil(end time.Duration) {
	for len(t.agenda.appointments) > 0 && t.agenda.appointments[0].at <= end {
		next := heap.Pop(&t.agenda).(*appointment)
		if next.cancelled {
			continue
		}
		t.elapsed = max(t.elapsed, next.at)
		next.do()
	}
	t.elapsed = max(t.elapsed, end)
}

// appointment is something to do at a time; of those at one time the older comes first.
type appointment struct {
	at        time.Duration
	order     int
	do        func()
	cancelled bool
}

type agenda struct {
	appointments []*appointment
	order        int
}

func (a *agenda) Len() int { return len(a.appointments) }

func (a *agenda) Less(i, j int) bool {
	one, other := a.appointments[i], a.appointments[j]
	return one.at < other.at || one.at == other.at && one.order < other.order
}

func (a *agenda) Swap(i, j int) {
	a.appointments[i], a.appointments[j] = a.appointments[j], a.appointments[i]
}

func (a *agenda) Push(made any) { a.appointments = append(a.appointments, made.(*appointment)) }

func (a *agenda) Pop() any {
	last := len(a.appointments) - 1
	popped := a.appointments[last]
	a.appointments[last] = nil
	a.appointments = a.appointments[:last]
	return popped
}

// wallClock is what everybody reads. Unlike the timeline it may be set.
type wallClock struct {
	timeline *timeline
	offset   time.Duration
}

func (c *wallClock) Now() time.Time                  { return epoch.Add(c.timeline.elapsed + c.offset) }
func (c *wallClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// until is how long it takes until the clock shows a time, if nobody sets it.
func (c *wallClock) until(t time.Time) time.Duration { return t.Sub(c.Now()) }
