package policy

import (
	"fmt"
	"slices"
)

// MaxBytes is the longest key policy that KMS accepts. [Parse] leaves it to the caller to refuse longer ones.
const MaxBytes = 32768

// Versions of the policy language.
const (
	version2012 = "2012-10-17"
	version2008 = "2008-10-17"
)

// Document is a parsed key policy. It never changes, and is safe for concurrent use.
type Document struct {
	statements []statement
}

// Parse reads a key policy. Its error is one sentence that starts with the place, such as
//
//	Statement[1].Condition.StringEquals: unknown condition operator
//
// and quotes no more than the beginning of what is wrong.
func Parse(text string) (*Document, error) {
	root, err := readJSON(text)
	if err != nil {
		return nil, err
	}
	document, err := root.object("Version", "Id", "Statement")
	if err != nil {
		return nil, err
	}
	variables, err := parseVersion(document)
	if err != nil {
		return nil, err
	}
	if err := document.checkText("Id"); err != nil {
		return nil, err
	}
	statements, err := document.required("Statement")
	if err != nil {
		return nil, err
	}
	parsed := &Document{}
	for _, n := range statements.list() {
		s, err := parseStatement(n, variables)
		if err != nil {
			return nil, err
		}
		parsed.statements = append(parsed.statements, s)
	}
	if len(parsed.statements) == 0 {
		return nil, statements.errorf("there must be at least one statement")
	}
	return parsed, nil
}

// parseVersion tells whether values may hold policy variables, which came with the newer version.
func parseVersion(document object) (variables bool, err error) {
	n, err := document.required("Version")
	if err != nil {
		return false, err
	}
	version, err := n.text()
	if err != nil {
		return false, err
	}
	if version != version2012 && version != version2008 {
		return false, n.errorf("must be %q or %q, not %.40q", version2012, version2008, version)
	}
	return version == version2012, nil
}

// Decision is what a policy says about a request.
type Decision int

// The decisions. The zero value allows nothing.
const (
	// NoAllow: no statement that applies allows it, and none denies it. KMS says "because no resource-based policy
	// allows the ... action".
	NoAllow Decision = iota
	// Allowed: a statement allows it, and none denies it.
	Allowed
	// ExplicitDeny: a statement denies it, whatever others allow. KMS says "with an explicit deny in a
	// resource-based policy".
	ExplicitDeny
)

// String returns the decision's name.
func (d Decision) String() string {
	switch d {
	case NoAllow:
		return "NoAllow"
	case Allowed:
		return "Allowed"
	case ExplicitDeny:
		return "ExplicitDeny"
	}
	return fmt.Sprintf("Decision(%d)", int(d))
}

// Request is what a policy is asked about.
type Request struct {
	// Principal is the ARN of the caller: a user, a role, a session of a role, or an account's root user.
	Principal string
	// Action is the KMS operation with its prefix, as in "kms:ImportKeyMaterial".
	Action string
	// Resource is the ARN of the key that holds the policy.
	Resource string
	// Context has the values of condition keys, one each; a key that is not there is absent from the request. Keys
	// are compared without regard to case. Times are epoch seconds in decimal or ISO 8601.
	Context map[string]string
}

// Evaluate decides a request. An explicit deny wins.
func (d *Document) Evaluate(r Request) Decision {
	decision, caller := NoAllow, layersOf(r.Principal)
	for _, s := range d.statements {
		switch {
		case !s.applies(r, caller):
		case s.denies:
			return ExplicitDeny
		default:
			decision = Allowed
		}
	}
	return decision
}

func (s statement) applies(r Request, caller []string) bool {
	return s.principals.match(caller) && s.actions.match(r.Action) && s.resources.match(r.Resource) &&
		!slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.holds(r.Context) })
}
