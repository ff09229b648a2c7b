package localkms

import (
	"maps"
	"slices"
	"time"
)

// Operations names every operation of the routes, for tests that must leave none out.
func Operations() []string { return slices.Sorted(maps.Keys(new(Server).routes())) }

// NewFaultsByClock makes an empty set whose rates count by a clock of the test's.
func NewFaultsByClock(now func() time.Time) *Faults {
	f := NewFaults()
	f.now = now
	return f
}

// Do carries out an operation for the first principal in the default Region, without transport and signature.
func (s *Server) Do(operation string, body []byte) (any, error) {
	c := &call{operation: operation, action: operation, principal: s.principals[DefaultAccessKeyID], region: DefaultRegion}
	return s.operations[operation](c, body)
}
