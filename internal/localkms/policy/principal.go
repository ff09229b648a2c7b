package policy

import (
	"slices"
	"strings"
)

// everyone is the one wildcard that a principal may be.
const everyone = "*"

// principals are the callers that a statement is about.
type principals struct {
	// layers are in the notation of layersOf, or everyone.
	layers  []string
	negated bool
}

// match tells whether the statement is about a caller of these layers. One listed layer is enough to be meant; to be
// exempt by NotPrincipal takes all of them.
func (p principals) match(caller []string) bool {
	listed := func(layer string) bool { return slices.Contains(p.layers, layer) }
	if slices.Contains(p.layers, everyone) {
		return !p.negated
	}
	if p.negated {
		return slices.ContainsFunc(caller, func(layer string) bool { return !listed(layer) })
	}
	return slices.ContainsFunc(caller, listed)
}

// parsePrincipals reads Principal or NotPrincipal.
func parsePrincipals(o object, denies bool) (principals, error) {
	n, negated, err := o.either("Principal", "NotPrincipal")
	switch {
	case err != nil:
		return principals{}, err
	case n == nil:
		return principals{}, o.node.errorf("Principal is missing")
	case negated && !denies:
		return principals{}, n.errorf(`must be used with "Effect": "Deny"`)
	case n.value == everyone:
		return principals{layers: []string{everyone}, negated: negated}, nil
	}
	layers, err := parsePrincipalMap(n)
	return principals{layers: layers, negated: negated}, err
}

// parsePrincipalMap reads principals by their kinds. No service and no federated identity ever calls, so only those
// of the kind AWS count.
func parsePrincipalMap(n *node) (layers []string, err error) {
	kinds, err := n.object("AWS", "Service", "Federated", "CanonicalUser")
	if err != nil {
		return nil, err
	}
	if len(kinds.members) == 0 {
		return nil, n.errorf("must name a principal")
	}
	for _, kind := range kinds.members {
		values, err := kind.texts()
		if err != nil {
			return nil, err
		}
		if kind.step == "AWS" {
			if layers, err = parsePrincipalList(values); err != nil {
				return nil, err
			}
		}
	}
	return layers, nil
}

func parsePrincipalList(values []*node) ([]string, error) {
	var layers []string
	for _, v := range values {
		layer, err := parsePrincipal(v)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// parsePrincipal returns the layer that a principal of the kind AWS names, or everyone.
func parsePrincipal(n *node) (string, error) {
	principal, err := n.text()
	switch {
	case err != nil:
		return "", err
	case principal == everyone:
		return everyone, nil
	case isAccountID(principal):
		return accountLayer(principal), nil
	case strings.ContainsAny(principal, "*?"):
		return "", n.errorf("invalid principal %.100q: a wildcard can only stand alone, as \"*\"", principal)
	}
	layers, ok := parsePrincipalARN(principal)
	if !ok {
		return "", n.errorf("invalid principal %.100q: there are account IDs and the ARNs of accounts, users, roles, assumed roles and federated users", principal)
	}
	return layers[len(layers)-1], nil
}

// layersOf returns all that a caller is, from the widest to the narrowest: the account; the user or the role; the
// session. What is no ARN of a principal is itself alone.
func layersOf(principal string) []string {
	if layers, ok := parsePrincipalARN(principal); ok {
		return layers
	}
	return []string{principal}
}

// parsePrincipalARN takes arn:<partition>:<iam or sts>::<account>:<resource>, and arn:verenc:<account>:<resource>, in
// which QKMS writes neither service nor Region.
func parsePrincipalARN(arn string) (layers []string, ok bool) {
	parts, ok := arnParts(arn)
	if !ok {
		return nil, false
	}
	account, resource := parts[len(parts)-2], parts[len(parts)-1]
	kind, name, named := strings.Cut(resource, "/")
	if len(parts) == 6 && (parts[2] != principalService(kind) || parts[3] != "") || !isAccountID(account) {
		return nil, false
	}
	layers = []string{accountLayer(account)}
	switch role, session, _ := strings.Cut(name, "/"); kind {
	case "root":
		return layers, !named
	case "user", "federated-user":
		return append(layers, arn), name != ""
	case "role": // by its name, which is unique in the account: the ARN of a session has no path
		role = name[strings.LastIndex(name, "/")+1:]
		return append(layers, roleLayer(account, role)), role != ""
	case "assumed-role":
		return append(layers, roleLayer(account, role), arn), role != "" && session != ""
	}
	return nil, false
}

// principalService is where principals of a kind come from.
func principalService(kind string) string {
	if kind == "assumed-role" || kind == "federated-user" {
		return "sts"
	}
	return "iam"
}

// The slash at the front keeps these apart from ARNs.

func accountLayer(account string) string { return "/account/" + account }

func roleLayer(account, name string) string { return "/role/" + account + "/" + name }

// arnParts splits an ARN at its colons: into six parts, or four for QKMS. The last may hold further colons.
func arnParts(text string) ([]string, bool) {
	count := 6
	if strings.HasPrefix(text, "arn:verenc:") {
		count = 4
	}
	parts := strings.SplitN(text, ":", count)
	return parts, len(parts) == count && parts[0] == "arn"
}

func isAccountID(text string) bool {
	return len(text) == 12 && strings.Trim(text, "0123456789") == ""
}
