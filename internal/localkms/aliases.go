package localkms

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	aliasPrefix    = "alias/"
	reservedAlias  = "alias/aws/"
	aliasesPerKey  = 50
	maxAliasLength = 256
)

// alias is a name of a key. It is not changed once it is stored.
type alias struct {
	place
	target  string // the key ID
	created time.Time
	updated time.Time
}

// seenAlias returns the alias at a place as a reader sees it, nil if there is none to be seen or its key is gone.
func (t tx) seenAlias(at place) *alias {
	h, found := t.aliases[at]
	if !found {
		return nil
	}
	a, _, _ := h.seen(t.now, t.propagation)
	if a == nil || t.latest(place{at.region, a.target}) == nil {
		return nil
	}
	return a
}

// latestAlias returns the alias at a place as it is, nil if there is none.
func (t tx) latestAlias(at place) *alias {
	h, found := t.aliases[at]
	if !found {
		return nil
	}
	a := h.latest()
	if a == nil || t.latest(place{at.region, a.target}) == nil {
		return nil
	}
	return a
}

func (t tx) putAlias(at place, a *alias) {
	h, found := t.aliases[at]
	if !found {
		h = &history[*alias]{}
		t.aliases[at] = h
	}
	h.put(t.now, a, t.propagation)
}

// dropAliases forgets the aliases of a key that is gone. A replica may come again to the same place.
func (t tx) dropAliases(gone place) {
	maps.DeleteFunc(t.aliases, func(at place, h *history[*alias]) bool {
		a := h.latest()
		return a != nil && place{at.region, a.target} == gone
	})
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html
type aliasInput struct {
	name  string
	keyID string
}

func (in *aliasInput) read(r *reader) {
	r.require("AliasName", "TargetKeyId")
	r.aliasName(&in.name)
	r.text("TargetKeyId", &in.keyID, 1, maxKeyIDLength)
}

// aliasName reads an AliasName, which no ARN is.
func (r *reader) aliasName(dst *string) {
	r.text("AliasName", dst, 1, maxAliasLength)
	r.charset("AliasName", *dst, "^[a-zA-Z0-9:/_-]+$", func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(":/_-", c)
	})
}

// checkAliasName refuses what is no name of an alias of one's own.
func checkAliasName(name string) error {
	switch {
	case !strings.HasPrefix(name, aliasPrefix):
		return errValidation("Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html")
	case name == aliasPrefix || strings.Contains(name, ":"):
		return clientError("InvalidAliasNameException", "%s is not a valid alias name.", name)
	case strings.HasPrefix(name, reservedAlias):
		return clientError("NotAuthorizedException", "Alias names that begin with alias/aws/ are reserved.")
	}
	return nil
}

func (s *Server) createAlias(c *call, in aliasInput) (empty, error) {
	return empty{}, s.changeAlias(c, in, func(t tx, at place, k *key) error {
		if t.latestAlias(at) != nil {
			return clientError("AlreadyExistsException", "An alias with the name %s already exists", s.names.aliasARN(at))
		}
		if err := t.checkAliasLimit(k); err != nil {
			return err
		}
		t.putAlias(at, &alias{place: at, target: k.id, created: t.now, updated: t.now})
		return nil
	})
}

// checkAliasLimit refuses another alias for a key that has all it can have.
func (t tx) checkAliasLimit(k *key) error {
	if len(t.aliasesOf(k, tx.latestAlias)) >= aliasesPerKey {
		return clientError("LimitExceededException", "A key can have %d aliases.", aliasesPerKey)
	}
	return nil
}

// updateAlias gives an alias to another key of the same type and usage, so that whoever uses the alias gets no surprise.
func (s *Server) updateAlias(c *call, in aliasInput) (empty, error) {
	return empty{}, s.changeAlias(c, in, func(t tx, at place, k *key) error {
		present := t.latestAlias(at)
		if present == nil {
			return errAliasNotFound(s.names.aliasARN(at))
		}
		former := t.latest(place{c.region, present.target})
		if err := s.authorize(c, former); err != nil {
			return err
		}
		// Symmetric keys, which have material IDs, and RSA keys both encrypt: the usage alone does not tell the type.
		if former.usage != k.usage || former.spec.HasMaterialID() != k.spec.HasMaterialID() {
			return errValidation("An alias can only be given to a key of the same type and usage.")
		}
		if former.id != k.id {
			if err := t.checkAliasLimit(k); err != nil {
				return err
			}
		}
		t.putAlias(at, &alias{place: at, target: k.id, created: present.created, updated: t.now})
		return nil
	})
}

// changeAlias finds the key that an alias is to name.
func (s *Server) changeAlias(c *call, in aliasInput, do func(t tx, at place, k *key) error) error {
	if err := checkAliasName(in.name); err != nil {
		return err
	}
	return s.keys.locked(func(t tx) error {
		target, err := s.locate(t, c, in.keyID, false)
		if err != nil {
			return err
		}
		k, err := s.admit(c, target, t.latest(target))
		if err != nil {
			return err
		}
		if err := s.rules.checkLive(k); err != nil {
			return err
		}
		return do(t, place{c.region, in.name}, k)
	})
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteAlias.html
type deleteAliasInput struct {
	name string
}

func (in *deleteAliasInput) read(r *reader) {
	r.require("AliasName")
	r.aliasName(&in.name)
}

func (s *Server) deleteAlias(c *call, in deleteAliasInput) (empty, error) {
	if err := checkAliasName(in.name); err != nil {
		return empty{}, err
	}
	return empty{}, s.keys.locked(func(t tx) error {
		at := place{c.region, in.name}
		present := t.latestAlias(at)
		if present == nil {
			return errAliasNotFound(s.names.aliasARN(at))
		}
		target := place{c.region, present.target}
		if _, err := s.admit(c, target, t.latest(target)); err != nil {
			return err
		}
		t.putAlias(at, nil)
		return nil
	})
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html
type listAliasesInput struct {
	page
	keyID string
}

func (in *listAliasesInput) read(r *reader) {
	r.text("KeyId", &in.keyID, 1, maxKeyIDLength)
	in.page.read(r, 50, 100)
}

type aliasEntry struct {
	AliasName       string
	AliasARN        string `json:"AliasArn"`
	TargetKeyID     string `json:"TargetKeyId"`
	CreationDate    timestamp
	LastUpdatedDate timestamp
}

type listAliasesOutput struct {
	Aliases    []aliasEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// listAliases asks no key policy: on AWS the permission comes from IAM alone, also for the aliases of one key.
func (s *Server) listAliases(c *call, in listAliasesInput) (out listAliasesOutput, err error) {
	var found []*alias
	err = s.keys.locked(func(t tx) error {
		if in.keyID == "" {
			found = t.aliasesIn(c.region, tx.seenAlias)
			return nil
		}
		at, err := s.locate(t, c, in.keyID, false)
		if err != nil {
			return err
		}
		k := t.seen(at)
		if k == nil {
			return errKeyNotFound(s.names.keyARN(at))
		}
		c.keyID = k.id
		found = t.aliasesOf(k, tx.seenAlias)
		return nil
	})
	if err != nil {
		return out, err
	}
	entries := make([]aliasEntry, len(found))
	for i, a := range found {
		entries[i] = aliasEntry{
			AliasName: a.name, AliasARN: s.names.aliasARN(a.place), TargetKeyID: a.target,
			CreationDate: s.stamp(a.created), LastUpdatedDate: s.stamp(a.updated),
		}
	}
	out.Aliases, out.NextMarker, err = pagedByName(in.page, entries, func(e aliasEntry) string { return e.AliasName })
	out.Truncated = out.NextMarker != ""
	return out, err
}

// aliasesIn are the aliases of a Region by name.
func (t tx) aliasesIn(region string, get func(tx, place) *alias) (found []*alias) {
	for at := range t.aliases {
		if at.region != region {
			continue
		}
		if a := get(t, at); a != nil {
			found = append(found, a)
		}
	}
	slices.SortFunc(found, func(a, b *alias) int { return cmp.Compare(a.name, b.name) })
	return found
}

func (t tx) aliasesOf(k *key, get func(tx, place) *alias) []*alias {
	return slices.DeleteFunc(t.aliasesIn(k.region, get), func(a *alias) bool { return a.target != k.id })
}
