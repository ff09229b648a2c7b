package controllers

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestTurns(t *testing.T) {
	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	type ask struct {
		uid  types.UID
		at   time.Duration
		want time.Duration
	}
	ms := time.Millisecond
	cases := map[string]struct {
		reason string
		rate   float64
		asks   []ask
	}{
		"alone": {
			"the first needs not wait", 1, []ask{{"a", 0, 0}},
		},
		"one a second": {
			"each is told when its turn is", 1, []ask{{"a", 0, 0}, {"b", 0, time.Second}, {"c", 0, 2 * time.Second}},
		},
		"one in two seconds": {
			"the rate is the flag's", 0.5, []ask{{"a", 0, 0}, {"b", 0, 2 * time.Second}},
		},
		"ten a second": {
			"the rate is the flag's", 10, []ask{{"a", 0, 0}, {"b", 0, 100 * ms}},
		},
		"asks again early": {
			"it keeps its place, and takes no second one", 1,
			[]ask{{"a", 0, 0}, {"b", 0, time.Second}, {"b", 250 * ms, 750 * ms}, {"b", 500 * ms, 500 * ms}, {"c", 500 * ms, 1500 * ms}},
		},
		"in time": {
			"its turn has come, once", 1,
			[]ask{{"a", 0, 0}, {"b", 0, time.Second}, {"b", time.Second, 0}, {"b", time.Second, time.Second}},
		},
		"a little late": {
			"its turn is still its own", 1, []ask{{"a", 0, 0}, {"b", 0, time.Second}, {"b", 4 * time.Second, 0}},
		},
		"too late": {
			"the turn is lost: it is asked for anew", 1,
			[]ask{{"a", 0, 0}, {"b", 0, time.Second}, {"c", 4*time.Second + ms, 0}, {"b", 4*time.Second + ms, time.Second}},
		},
		"two by two": {
			"who comes later waits longer, whoever asks again first", 1,
			[]ask{{"a", 0, 0}, {"b", 0, time.Second}, {"c", 0, 2 * time.Second}, {"c", time.Second, time.Second}, {"b", time.Second, 0}, {"c", 2 * time.Second, 0}},
		},
		"after a rest": {
			"no burst is saved up", 1, []ask{{"a", 0, 0}, {"a", time.Hour, 0}, {"b", time.Hour, time.Second}},
		},
		"the same object, twice at once": {
			"a second try with fresh parameters waits too", 1, []ask{{"a", 0, 0}, {"a", 0, time.Second}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			turns := newTurns(tc.rate)
			for i, ask := range tc.asks {
				if got := turns.take(ask.uid, start.Add(ask.at)); got != ask.want {
					t.Errorf("%s: ask %d, %s after %s: told to wait %s, want %s", tc.reason, i, ask.uid, ask.at, got, ask.want)
				}
			}
		})
	}
}

// A second try in the same pass goes at once, and whoever comes next waits longer.
func TestTurnsAreBorrowed(t *testing.T) {
	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	turns := newTurns(1)
	for _, step := range []struct {
		reason string
		borrow bool
		uid    types.UID
		at     time.Duration
		want   time.Duration
	}{
		{"the first needs not wait", false, "a", 0, 0},
		{"its second try neither", true, "a", 0, 0},
		{"the next pays for both", false, "b", 0, 2 * time.Second},
		{"a place once given is kept", true, "a", time.Second, 0},
		{"though another borrows", false, "b", 2 * time.Second, 0},
		{"the last pays", false, "c", 2 * time.Second, 2 * time.Second},
	} {
		if step.borrow {
			turns.borrow(start.Add(step.at))
			continue
		}
		if got := turns.take(step.uid, start.Add(step.at)); got != step.want {
			t.Errorf("%s: %s after %s: told to wait %s, want %s", step.reason, step.uid, step.at, got, step.want)
		}
	}
	if len(turns.held) != 1 {
		t.Errorf("%d turns are held, want c's alone", len(turns.held))
	}
}

// However often a crowd asks, no more than the rate gets through, and everybody does.
func TestTurnsKeepTheRate(t *testing.T) {
	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	turns := newTurns(1)
	served := map[types.UID]bool{}
	for tick := range 60 * 10 {
		at := start.Add(time.Duration(tick) * 100 * time.Millisecond)
		for i := range 50 {
			uid := types.UID(fmt.Sprint(i))
			if !served[uid] && turns.take(uid, at) == 0 {
				served[uid] = true
			}
		}
		if most := tick/10 + 1; len(served) > most {
			t.Fatalf("%d were let through in %s, want at most %d", len(served), at.Sub(start), most)
		}
	}
	if len(served) != 50 {
		t.Errorf("%d of 50 were let through in a minute", len(served))
	}
	if len(turns.held) != 0 {
		t.Errorf("%d turns are still held", len(turns.held))
	}
}

// An object that goes away leaves nothing behind.
func TestMissedTurnsAreForgotten(t *testing.T) {
	start := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	turns := newTurns(1)
	for i := range 5 {
		turns.take(types.UID(fmt.Sprint(i)), start)
	}
	turns.take("late", start.Add(time.Minute))
	if len(turns.held) != 0 {
		t.Errorf("%d turns are held for objects that never came back", len(turns.held))
	}
}
