package localkms

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A reader takes parameters out of a request body and remembers what was wrong with them, as AWS does: the
// first value of a wrong type ends the request, broken constraints are reported together. Names are matched
// exactly, unknown ones are ignored, and null is the same as absent.
type reader struct {
	rules       rules
	fields      map[string]json.RawMessage
	refusal     error
	constraints []string
}

func newReader(body []byte, rules rules) (*reader, error) {
	r := &reader{rules: rules}
	if err := json.Unmarshal(body, &r.fields); err != nil || r.fields == nil {
		return nil, errSerialization("the request body is not a JSON object")
	}
	return r, nil
}

// err is what the request deserves after all parameters were read.
func (r *reader) err() error {
	switch n := len(r.constraints); {
	case r.refusal != nil:
		return r.refusal
	case n == 0:
		return nil
	case n == 1:
		return errValidation("1 validation error detected: %s", r.constraints[0])
	default:
		return errValidation("%d validation errors detected: %s", n, strings.Join(r.constraints, "; "))
	}
}

func (r *reader) has(name string) bool {
	raw, ok := r.fields[name]
	return ok && string(raw) != "null"
}

func (r *reader) refuse(err error) {
	if r.refusal == nil {
		r.refusal = err
	}
}

// violation records a broken constraint. AWS names members with a small first letter.
func (r *reader) violation(value, name, constraint string) {
	member := strings.ToLower(name[:1]) + name[1:]
	r.constraints = append(r.constraints, fmt.Sprintf("Value%s at '%s' failed to satisfy constraint: Member must %s", value, member, constraint))
}

// require names the parameters that must be there.
func (r *reader) require(names ...string) {
	for _, name := range names {
		if !r.has(name) {
			r.violation(" null", name, "not be null")
		}
	}
}

// unsupported names parameters of AWS that would need what this server does not have.
func (r *reader) unsupported(names ...string) {
	for _, name := range names {
		if r.has(name) {
			r.refuse(errUnsupported("%s is not supported by the local KMS", name))
		}
	}
}

// value decodes one parameter if it is there, and tells whether dst holds it.
func (r *reader) value(name, kind string, dst any) bool {
	if !r.has(name) {
		return false
	}
	if err := json.Unmarshal(r.fields[name], dst); err != nil {
		r.refuse(errSerialization(fmt.Sprintf("%s cannot be converted to %s", jsonKind(r.fields[name]), kind)))
		return false
	}
	return true
}

// jsonKind names the JSON value that raw begins with.
func jsonKind(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "STRING_VALUE"
	case '{':
		return "START_OBJECT"
	case '[':
		return "START_ARRAY"
	case 't':
		return "TRUE_VALUE"
	case 'f':
		return "FALSE_VALUE"
	default:
		return "NUMBER_VALUE"
	}
}

// text reads a string of minimum to maximum characters.
func (r *reader) text(name string, dst *string, minimum, maximum int) {
	if r.value(name, "String", dst) {
		r.length(name, utf8.RuneCountInString(*dst), minimum, maximum)
	}
}

// charset reports characters outside what the pattern, a regular expression for the message, allows.
func (r *reader) charset(name, value, pattern string, allowed func(rune) bool) {
	if strings.ContainsFunc(value, func(c rune) bool { return !allowed(c) }) {
		r.violation("", name, "satisfy regular expression pattern: "+pattern)
	}
}

// enum reads one of the given strings.
func (r *reader) enum(name string, dst *string, values ...string) {
	if r.value(name, "String", dst) && !slices.Contains(values, *dst) {
		r.violation(" '"+abridged(*dst)+"'", name, "satisfy enum value set: ["+strings.Join(values, ", ")+"]")
	}
}

// abridged keeps a misplaced value from being repeated whole.
func abridged(s string) string {
	const longest = 64
	if len(s) <= longest {
		return s
	}
	return s[:longest] + "..."
}

// blob reads base64 of 1 to maximum bytes.
func (r *reader) blob(name string, dst *[]byte, maximum int) {
	var encoded string
	if !r.value(name, "Blob", &encoded) {
		return
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		r.refuse(errSerialization(name + " is not valid base64"))
		return
	}
	*dst = decoded
	r.length(name, len(decoded), 1, maximum)
}

func (r *reader) length(name string, n, minimum, maximum int) {
	if n < minimum {
		r.violation("", name, "have length greater than or equal to "+strconv.Itoa(minimum))
	}
	if n > maximum {
		r.violation("", name, "have length less than or equal to "+strconv.Itoa(maximum))
	}
}

// integer reads a whole number from minimum to maximum.
func (r *reader) integer(name string, dst *int, minimum, maximum int) {
	if !r.value(name, "Integer", dst) {
		return
	}
	value := " '" + strconv.Itoa(*dst) + "'"
	if *dst < minimum {
		r.violation(value, name, "have value greater than or equal to "+strconv.Itoa(minimum))
	}
	if *dst > maximum {
		r.violation(value, name, "have value less than or equal to "+strconv.Itoa(maximum))
	}
}

func (r *reader) boolean(name string, dst *bool) { r.value(name, "Boolean", dst) }

func (r *reader) stringMap(name string, dst *map[string]string) { r.value(name, "Map", dst) }

// grantTokens checks the shape of grant tokens. There are no grants for them to speed up.
func (r *reader) grantTokens() {
	var tokens []string
	r.value("GrantTokens", "List", &tokens)
}

// keyMaterialID reads a KeyMaterialId: 64 hexadecimal digits.
func (r *reader) keyMaterialID(dst *string) {
	r.text("KeyMaterialId", dst, 64, 64)
	r.charset("KeyMaterialId", *dst, "^[a-f0-9]+$", isLowerHex)
}
