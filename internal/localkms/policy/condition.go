package policy

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// condition is one key under one operator. All conditions of a statement have to hold.
type condition struct {
	key string
	// test judges the key's value in the request, which is empty where the key is absent.
	test func(value string, present bool) bool
}

// holds looks the key up without regard to case, as AWS does.
func (c condition) holds(context map[string]string) bool {
	for key, value := range context {
		if strings.EqualFold(key, c.key) {
			return c.test(value, true)
		}
	}
	return c.test("", false)
}

// quantifier says how many of a key's values have to match.
type quantifier int

const (
	single quantifier = iota
	forAnyValue
	forAllValues
)

// operator is a condition operator, taken apart: ForAnyValue:StringLikeIfExists.
type operator struct {
	quantifier quantifier
	// null is the operator Null, which compares nothing.
	null bool
	comparison
	ifExists bool
}

// parseOperator reads the name of the member n.
func parseOperator(n *node) (operator, error) {
	var o operator
	name := n.step
	if rest, found := strings.CutPrefix(name, "ForAnyValue:"); found {
		o.quantifier, name = forAnyValue, rest
	} else if rest, found := strings.CutPrefix(name, "ForAllValues:"); found {
		o.quantifier, name = forAllValues, rest
	}
	name, o.ifExists = strings.CutSuffix(name, "IfExists")
	if o.null = name == "Null"; o.null {
		if n.step != name {
			return operator{}, n.errorf("Null takes neither a set operator nor IfExists")
		}
		return o, nil
	}
	var known bool
	if o.comparison, known = comparisonNamed(name); !known {
		return operator{}, n.errorf("unknown condition operator")
	}
	return o, nil
}

// parseConditions reads Condition: operators, with keys under each, with values under each of those.
func parseConditions(o object, variables bool) ([]condition, error) {
	n := o.member("Condition")
	if n == nil {
		return nil, nil
	}
	operators, err := n.object()
	if err != nil {
		return nil, err
	}
	var all []condition
	for _, member := range operators.members {
		conditions, err := parseOperatorBlock(member, variables)
		if err != nil {
			return nil, err
		}
		all = append(all, conditions...)
	}
	return all, nil
}

// parseOperatorBlock reads the keys under one operator.
func parseOperatorBlock(n *node, variables bool) ([]condition, error) {
	o, err := parseOperator(n)
	if err != nil {
		return nil, err
	}
	keys, err := n.object()
	if err != nil {
		return nil, err
	}
	var conditions []condition
	for _, key := range keys.members {
		if !hasVendor(key.step) {
			return nil, key.errorf("a condition key must start with a service, as in \"kms:ValidTo\"")
		}
		values, err := key.literals(variables)
		if err != nil {
			return nil, err
		}
		test, err := o.test(values)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, condition{key: key.step, test: test})
	}
	return conditions, nil
}

// literal is a value in a condition: a string, or what a number or a Boolean without quotation marks reads.
type literal struct {
	node *node
	text string
}

func (n *node) literals(variables bool) ([]literal, error) {
	values, err := n.values()
	if err != nil {
		return nil, err
	}
	var literals []literal
	for _, v := range values {
		l := literal{node: v}
		switch value := v.value.(type) {
		case string:
			l.text = value
		case json.Number:
			l.text = value.String()
		case bool:
			l.text = strconv.FormatBool(value)
		default:
			return nil, v.errorf("must be a string, a number or a Boolean")
		}
		if err := refuseVariables(v, l.text, variables); err != nil {
			return nil, err
		}
		literals = append(literals, l)
	}
	return literals, nil
}

// test makes the test of one key. Several values in the policy are alternatives, and with a negated operator
// they are all excluded.
func (o operator) test(values []literal) (func(string, bool) bool, error) {
	if o.null {
		return nullTest(values)
	}
	var matchers []matcher
	for _, v := range values {
		m, ok := o.compile(v.text)
		if !ok {
			return nil, v.node.errorf("must be %s, not %.60q", o.operand, v.text)
		}
		matchers = append(matchers, m)
	}
	return func(value string, present bool) bool {
		switch {
		case value == "" && o.quantifier != single:
			// An absent key and an empty one are the empty set. It decides before IfExists does, as is observed: AWS's pages
			// have a sentence for each and none for both.
			return o.quantifier == forAllValues
		case !present:
			return o.ifExists || o.negated
		}
		return slices.ContainsFunc(matchers, func(m matcher) bool { return m(value) }) != o.negated
	}, nil
}

// nullTest makes the test of the operator Null: true asks for the key to be absent, false for it to be there.
func nullTest(values []literal) (func(string, bool) bool, error) {
	var absent []bool
	for _, v := range values {
		b, ok := boolean(v.text)
		if !ok {
			return nil, v.node.errorf(`must be "true" or "false", not %.60q`, v.text)
		}
		absent = append(absent, b)
	}
	return func(_ string, present bool) bool { return slices.Contains(absent, !present) }, nil
}
