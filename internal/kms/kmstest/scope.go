package kmstest

import "github.com/keyimport-dev/kms-key-import-operator/internal/kms"

// Scope is what Contract checks with a harness.
type Scope struct {
	// Checked are the promises.
	Checked []string
	// LeftOut are those that cannot be checked with this harness, or that this dialect does not make.
	LeftOut []Omission
	// Keys is how many keys it makes beside Harness.Key, where there is that.
	Keys int
}

// Omission is a promise that is not checked, and why.
type Omission struct {
	Promise string
	Reason  string
}

// ScopeOf tells what Contract will do. It calls nothing.
func ScopeOf(harness Harness) (scope Scope) {
	for _, p := range promises(harness.Dialect) {
		if reason := p.terms.unmet(harness); reason != "" {
			scope.LeftOut = append(scope.LeftOut, Omission{Promise: p.name, Reason: reason})
			continue
		}
		scope.Checked = append(scope.Checked, p.name)
		scope.Keys += p.terms.keys
	}
	return scope
}

// terms are what it takes to check a promise.
type terms struct {
	// keys is how many keys it makes where one symmetric key will not do, or would be lost.
	keys int
	// hours is for what takes a clock that can be moved.
	hours bool
	// notQKMS says why QKMS does not promise it; empty where it does.
	notQKMS string
}

// Why QKMS does not promise what AWS does.
const (
	symmetricOnly = "QKMS has symmetric keys only"
	noIDs         = "QKMS documents no IDs of material"
)

// unmet says why a promise is left out; empty where it is not.
func (t terms) unmet(harness Harness) string {
	switch {
	case harness.Dialect == kms.DialectQKMS && t.notQKMS != "":
		return t.notQKMS
	case t.hours && harness.Advance == nil:
		return "it takes hours to see kept"
	case t.keys > 0 && harness.NoOtherKeys:
		return "it takes other keys than the one given, or would use that up"
	default:
		return ""
	}
}
