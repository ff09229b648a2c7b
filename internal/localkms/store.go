package localkms

import (
	"slices"
	"sync"
	"time"
)

// A store holds the keys. Whatever happens to a key happens inside its lock, on a key brought up to the time.
type store struct {
	now func() time.Time

	mu      sync.Mutex
	byID    map[string]*key
	inOrder []*key // by number, so that pages of ListKeys stay put
	created int
}

func newStore(now func() time.Time) store {
	return store{now: now, byID: map[string]*key{}}
}

// add takes in a new key and stamps it.
func (s *store) add(k *key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created++
	k.number, k.created = s.created, s.now()
	s.byID[k.id] = k
	s.inOrder = append(s.inOrder, k)
}

// with runs do on the key with an ID, or tells that there is none. The lock is held meanwhile: do does not wait.
func (s *store) with(id string, do func(k *key, now time.Time)) (found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	k, found := s.byID[id]
	if !found {
		return false
	}
	if k.gone(now) {
		s.remove(k)
		return false
	}
	k.settle(now)
	do(k, now)
	return true
}

// remove forgets a key. It is called with the lock held.
func (s *store) remove(k *key) {
	k.dropMaterial()
	delete(s.byID, k.id)
	at, _ := slices.BinarySearchFunc(s.inOrder, k.number, byNumber)
	s.inOrder = slices.Delete(s.inOrder, at, at+1)
}

// page returns up to limit key IDs in the order of creation, beginning behind the key with number after. next
// is the number to go on behind; 0 means that there is no more.
func (s *store) page(after, limit int) (ids []string, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	from, _ := slices.BinarySearchFunc(s.inOrder, after+1, byNumber)
	last := 0
	for _, k := range s.inOrder[from:] {
		if k.gone(now) {
			continue
		}
		if len(ids) == limit {
			return ids, last
		}
		ids, last = append(ids, k.id), k.number
	}
	return ids, 0
}

func byNumber(k *key, number int) int { return k.number - number }

// onKey runs an operation on the key that a KeyId parameter names.
func onKey[Out any](s *Server, c *call, ref string, do func(k *key, now time.Time) (Out, error)) (out Out, err error) {
	id, err := s.account.resolve(ref)
	if err != nil {
		return out, err
	}
	found := s.keys.with(id, func(k *key, now time.Time) {
		c.keyID = k.id
		out, err = do(k, now)
	})
	if !found {
		return out, errKeyNotFound(s.account.keyARN(id))
	}
	return out, err
}
