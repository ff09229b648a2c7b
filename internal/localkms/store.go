package localkms

import (
	"slices"
	"sync"
	"time"
)

// A store holds the keys and the aliases. What it hands out are snapshots that nobody changes any more, so that the work
// on them, which may be slow cryptography, needs no lock. A change is made to a copy, under the lock.
type store struct {
	clock       func() time.Time
	propagation Propagation
	lateExpiry  time.Duration

	mu      sync.Mutex
	entries map[place]*entry
	inOrder []*entry // by number, so that pages of ListKeys stay put
	created int
	aliases map[place]*history[*alias]
}

// An entry is where a key is kept.
type entry struct {
	place
	number  int // counts keys in the order of their creation
	history history[*key]
}

func newStore(o Options) store {
	return store{
		clock: o.Now, propagation: o.Propagation, lateExpiry: o.LateExpiry,
		entries: map[place]*entry{}, aliases: map[place]*history[*alias]{},
	}
}

// tx is what the holder of the store's lock can do, all at one moment.
type tx struct {
	*store
	now time.Time
}

// locked runs do with the lock held: do does not wait.
func (s *store) locked(do func(t tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return do(tx{s, s.clock()})
}

// seen returns the key at a place as a reader sees it, nil if there is none to be seen.
func (t tx) seen(at place) *key {
	e, found := t.entries[at]
	if !found {
		return nil
	}
	k, moment, ok := e.history.seen(t.now, t.propagation)
	if !ok {
		return nil
	}
	return t.settle(e, k, moment)
}

// latest returns the key at a place as it is, nil if there is none.
func (t tx) latest(at place) *key {
	e, found := t.entries[at]
	if !found {
		return nil
	}
	return t.settle(e, e.history.latest(), t.now)
}

// settle brings a key up to a moment, and forgets it when its waiting period is over.
func (t tx) settle(e *entry, k *key, moment time.Time) *key {
	if settled := k.settled(moment, t.lateExpiry); !settled.gone() {
		t.align(settled)
		return settled
	}
	delete(t.entries, e.place)
	i, _ := slices.BinarySearchFunc(t.inOrder, e.number, byNumber)
	t.inOrder = slices.Delete(t.inOrder, i, i+1)
	t.dropAliases(e.place)
	return nil
}

// put stores a key, new or changed. Nobody changes it afterwards.
func (t tx) put(k *key) {
	e, found := t.entries[k.place()]
	if !found {
		t.created++
		e = &entry{place: k.place(), number: t.created}
		t.entries[e.place] = e
		t.inOrder = append(t.inOrder, e)
	}
	e.history.put(t.now, k, t.propagation)
}

// page returns up to limit keys of a Region in the order of creation, beginning behind the key with number after. next
// is the number to go on behind; 0 means that there is no more.
func (t tx) page(region string, after, limit int) (page []*key, next int) {
	from, _ := slices.BinarySearchFunc(t.inOrder, after+1, byNumber)
	last := 0
	for _, e := range slices.Clone(t.inOrder[from:]) { // a look may remove what is gone
		if e.region != region {
			continue
		}
		k := t.seen(e.place)
		if k == nil {
			continue
		}
		if len(page) == limit {
			return page, last
		}
		page, last = append(page, k), e.number
	}
	return page, 0
}

func byNumber(e *entry, number int) int { return e.number - number }
