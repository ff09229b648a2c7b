package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// node is a JSON value that knows where in the document it stands, and says so when it is wrong.
type node struct {
	parent *node
	// step leads here from the parent: the name of a member, or an index in brackets.
	step string
	// value is a string, json.Number, bool, nil, []*node for an array, or an object.
	value any
}

// object is a JSON object. It keeps the order of its members, and holds no name twice: the grammar forbids it, and
// which of the two counts would be a secret of the parser's.
type object struct {
	node    *node
	members []*node
}

// readJSON reads the whole text as one JSON value of the characters that a key policy may hold.
func readJSON(text string) (*node, error) {
	for i, c := range text {
		if c != '\t' && c != '\n' && c != '\r' && (c < ' ' || c > '\u00ff') {
			return nil, fmt.Errorf("policy: the character %U at byte %d is not allowed", c, i)
		}
	}
	var syntax json.RawMessage
	if err := json.Unmarshal([]byte(text), &syntax); err != nil {
		if at, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("policy: not JSON at byte %d: %w", at.Offset, err)
		}
		return nil, fmt.Errorf("policy: not JSON: %w", err)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	root := &node{}
	return root, root.read(decoder)
}

func (n *node) read(decoder *json.Decoder) error {
	token, err := decoder.Token()
	if err != nil {
		return n.errorf("not JSON: %w", err)
	}
	switch token {
	case json.Delim('{'):
		return n.readObject(decoder)
	case json.Delim('['):
		return n.readArray(decoder)
	}
	n.value = token
	return nil
}

func (n *node) readObject(decoder *json.Decoder) error {
	o, seen := object{node: n}, map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return n.errorf("not JSON: %w", err)
		}
		name, _ := token.(string)
		member := &node{parent: n, step: name}
		if seen[name] {
			return member.errorf("is there twice")
		}
		seen[name] = true
		if err := member.read(decoder); err != nil {
			return err
		}
		o.members = append(o.members, member)
	}
	n.value = o
	return n.readEnd(decoder)
}

func (n *node) readArray(decoder *json.Decoder) error {
	var elements []*node
	for decoder.More() {
		element := &node{parent: n, step: "[" + strconv.Itoa(len(elements)) + "]"}
		if err := element.read(decoder); err != nil {
			return err
		}
		elements = append(elements, element)
	}
	n.value = elements
	return n.readEnd(decoder)
}

// readEnd reads the closing bracket.
func (n *node) readEnd(decoder *json.Decoder) error {
	if _, err := decoder.Token(); err != nil {
		return n.errorf("not JSON: %w", err)
	}
	return nil
}

// errorf says what is wrong with n, after where it is.
func (n *node) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", n.path(), fmt.Errorf(format, args...))
}

func (n *node) path() string {
	var steps []string
	for ; n.parent != nil; n = n.parent {
		step := fmt.Sprintf("%.60s", n.step)
		if !strings.HasPrefix(step, "[") && n.parent.parent != nil {
			step = "." + step
		}
		steps = append(steps, step)
	}
	if len(steps) == 0 {
		return "policy"
	}
	slices.Reverse(steps)
	return fmt.Sprintf("%.300s", strings.Join(steps, ""))
}

func (n *node) text() (string, error) {
	text, ok := n.value.(string)
	if !ok {
		return "", n.errorf("must be a string")
	}
	return text, nil
}

// list returns the elements of an array, or n itself where it is none: one value needs no brackets.
func (n *node) list() []*node {
	if elements, ok := n.value.([]*node); ok {
		return elements
	}
	return []*node{n}
}

// values is list for where at least one value must be.
func (n *node) values() ([]*node, error) {
	values := n.list()
	if len(values) == 0 {
		return nil, n.errorf("must hold at least one value")
	}
	return values, nil
}

// texts is values of strings.
func (n *node) texts() ([]*node, error) {
	values, err := n.values()
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if _, err := v.text(); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// object returns n as an object with no members but the named ones, or with any where none are named.
func (n *node) object(names ...string) (object, error) {
	o, ok := n.value.(object)
	if !ok {
		return object{}, n.errorf("must be an object")
	}
	for _, member := range o.members {
		if len(names) > 0 && !slices.Contains(names, member.step) {
			return object{}, member.errorf("unknown element; there are %s", strings.Join(names, ", "))
		}
	}
	return o, nil
}

// member returns the member of that name, nil where there is none.
func (o object) member(name string) *node {
	i := slices.IndexFunc(o.members, func(n *node) bool { return n.step == name })
	if i < 0 {
		return nil
	}
	return o.members[i]
}

func (o object) required(name string) (*node, error) {
	n := o.member(name)
	if n == nil {
		return nil, o.node.errorf("%s is missing", name)
	}
	return n, nil
}

// checkText makes sure that the member of that name is a string where it is there. Names and remarks mean nothing.
func (o object) checkText(name string) error {
	n := o.member(name)
	if n == nil {
		return nil
	}
	_, err := n.text()
	return err
}

// either returns the one of two members that exclude each other, nil where there is neither, and whether it is the
// one that negates.
func (o object) either(name, negation string) (n *node, negated bool, err error) {
	n, not := o.member(name), o.member(negation)
	switch {
	case not == nil:
		return n, false, nil
	case n != nil:
		return nil, false, o.node.errorf("%s and %s exclude each other", name, negation)
	}
	return not, true, nil
}
