package policy

import (
	"slices"
	"strings"
)

// statement is one rule of a policy.
type statement struct {
	denies     bool
	principals principals
	actions    patterns
	resources  patterns
	conditions []condition
}

func parseStatement(n *node, variables bool) (statement, error) {
	o, err := n.object("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
	if err != nil {
		return statement{}, err
	}
	if err := o.checkText("Sid"); err != nil {
		return statement{}, err
	}
	var s statement
	if s.denies, err = parseEffect(o); err != nil {
		return statement{}, err
	}
	if s.principals, err = parsePrincipals(o, s.denies); err != nil {
		return statement{}, err
	}
	if s.actions, err = parseActions(o); err != nil {
		return statement{}, err
	}
	if s.resources, err = parseResources(o, variables); err != nil {
		return statement{}, err
	}
	s.conditions, err = parseConditions(o, variables)
	return s, err
}

func parseEffect(o object) (denies bool, err error) {
	n, err := o.required("Effect")
	if err != nil {
		return false, err
	}
	effect, err := n.text()
	if err != nil {
		return false, err
	}
	if effect != "Allow" && effect != "Deny" {
		return false, n.errorf(`must be "Allow" or "Deny", not %.40q`, effect)
	}
	return effect == "Deny", nil
}

// patterns are values with wildcards, of which one has to match, or none where they are negated.
type patterns struct {
	globs    []glob
	negated  bool
	foldCase bool
}

func (p patterns) match(value string) bool {
	if p.foldCase {
		value = strings.ToLower(value)
	}
	return slices.ContainsFunc(p.globs, func(g glob) bool { return g.match(value) }) != p.negated
}

// parseActions reads Action or NotAction. The names are case-insensitive.
func parseActions(o object) (patterns, error) {
	n, negated, err := o.either("Action", "NotAction")
	if err != nil {
		return patterns{}, err
	}
	if n == nil {
		return patterns{}, o.node.errorf("Action is missing")
	}
	values, err := n.texts()
	if err != nil {
		return patterns{}, err
	}
	p := patterns{negated: negated, foldCase: true}
	for _, v := range values {
		action, _ := v.text()
		if action != "*" && !hasVendor(action) {
			return patterns{}, v.errorf("must be \"*\" or start with a service, as in \"kms:Decrypt\", not %.60q", action)
		}
		p.globs = append(p.globs, newGlob(strings.ToLower(action)))
	}
	return p, nil
}

// hasVendor tells whether the name of an action or a condition key starts with a service's prefix.
func hasVendor(name string) bool {
	vendor, rest, _ := strings.Cut(name, ":")
	return rest != "" && vendor != "" && strings.Trim(strings.ToLower(vendor), "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// parseResources reads Resource or NotResource. Without either, the zero patterns match nothing.
func parseResources(o object, variables bool) (patterns, error) {
	n, negated, err := o.either("Resource", "NotResource")
	if err != nil || n == nil {
		return patterns{}, err
	}
	values, err := n.texts()
	if err != nil {
		return patterns{}, err
	}
	p := patterns{negated: negated}
	for _, v := range values {
		resource, _ := v.text()
		if resource != "*" && !strings.HasPrefix(resource, "arn:") {
			return patterns{}, v.errorf("must be \"*\" or an ARN, not %.60q", resource)
		}
		if err := refuseVariables(v, resource, variables); err != nil {
			return patterns{}, err
		}
		p.globs = append(p.globs, newGlob(resource))
	}
	return p, nil
}

// refuseVariables stops a policy that means something else by its values than what they say.
func refuseVariables(n *node, value string, variables bool) error {
	if variables && strings.Contains(value, "${") {
		return n.errorf("policy variables such as %.60q are not supported", value)
	}
	return nil
}
