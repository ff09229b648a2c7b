package localkms

import "strings"

// locate returns the place that a KeyId parameter names. Only some operations take aliases.
func (s *Server) locate(t tx, c *call, ref string, takesAlias bool) (place, error) {
	name, err := s.names.name(ref, c.region)
	if err != nil {
		return place{}, err
	}
	at := place{c.region, name}
	if !strings.HasPrefix(name, aliasPrefix) {
		return at, nil
	}
	if !takesAlias {
		return place{}, errInvalidKeyID(ref)
	}
	found := t.seenAlias(at)
	if found == nil {
		return place{}, errAliasNotFound(s.names.aliasARN(at))
	}
	return place{c.region, found.target}, nil
}

// find returns the key that a KeyId parameter names by ID or ARN, as readers see it, if the caller may do with it what
// the call is about.
func (s *Server) find(c *call, ref string) (*key, error) { return s.look(c, ref, false, tx.seen) }

// findByAnyName is find for the operations that take the name or ARN of an alias as well.
func (s *Server) findByAnyName(c *call, ref string) (*key, error) {
	return s.look(c, ref, true, tx.seen)
}

// findLatest is find for the first half of a change: it shows the key as it is.
func (s *Server) findLatest(c *call, ref string) (*key, error) {
	return s.look(c, ref, false, tx.latest)
}

func (s *Server) look(c *call, ref string, takesAlias bool, get func(tx, place) *key) (found *key, err error) {
	err = s.keys.locked(func(t tx) error {
		at, err := s.locate(t, c, ref, takesAlias)
		if err != nil {
			return err
		}
		found, err = s.admit(c, at, get(t, at))
		return err
	})
	return found, err
}

// admit lets the caller have a key, or says why not.
func (s *Server) admit(c *call, at place, k *key) (*key, error) {
	if k == nil {
		return nil, errKeyNotFound(s.names.keyARN(at))
	}
	c.keyID = k.id
	return k, s.authorize(c, k)
}

// change changes the key that a KeyId parameter names: do gets a copy, which is stored if do returns no error.
func (s *Server) change(c *call, ref string, do func(t tx, k *key) error) error {
	return s.keys.locked(func(t tx) error {
		at, err := s.locate(t, c, ref, false)
		if err != nil {
			return err
		}
		k, err := s.admit(c, at, t.latest(at))
		if err != nil {
			return err
		}
		changed := k.clone()
		if err := do(t, changed); err != nil {
			return err
		}
		t.putChanged(changed)
		return nil
	})
}
