package localkms

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
)

// page is the Limit and the Marker of an operation that lists.
type page struct {
	limit  int
	marker string
}

func (p *page) read(r *reader, usual, maximum int) {
	p.limit = usual
	r.integer("Limit", &p.limit, 1, maximum)
	r.text("Marker", &p.marker, 1, 1024)
}

// offset is the number that a marker stands for, 0 without one.
func (p *page) offset() (int, error) {
	if p.marker == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(p.marker, 10, 31)
	if err != nil {
		return 0, errInvalidMarker()
	}
	return int(n), nil
}

// paged cuts a page out of a whole list. next is the marker of the page behind it, empty if there is none.
func paged[E any](p page, all []E) (entries []E, next string, err error) {
	from, err := p.offset()
	if err != nil {
		return nil, "", err
	}
	from = min(from, len(all))
	to := min(from+p.limit, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return append([]E{}, all[from:to]...), next, nil
}

// pagedByName is paged for a list in the order of names, parts of which may be gone before the next page is asked for:
// the marker is the last name of a page, so that none is passed over.
func pagedByName[E any](p page, all []E, name func(E) string) (entries []E, next string, err error) {
	last, err := base64.RawURLEncoding.DecodeString(p.marker)
	if err != nil {
		return nil, "", errInvalidMarker()
	}
	from, found := slices.BinarySearchFunc(all, string(last), func(e E, target string) int { return cmp.Compare(name(e), target) })
	if found {
		from++
	}
	to := min(from+p.limit, len(all))
	if to < len(all) {
		next = base64.RawURLEncoding.EncodeToString([]byte(name(all[to-1])))
	}
	return append([]E{}, all[from:to]...), next, nil
}
