package policy

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// matcher compares the value of a request with one value of a policy.
type matcher func(value string) bool

// comparison is what a condition operator does with one value.
type comparison struct {
	// compile makes the matcher of a value in a policy. It refuses a value that is no operand.
	compile func(value string) (matcher, bool)
	// operand completes "must be ..." where compile refuses.
	operand string
	// negated turns the result of all values around.
	negated bool
}

// comparisonNamed returns what an operator does, prefixes and suffixes apart. The names are case-sensitive.
func comparisonNamed(name string) (comparison, bool) {
	text := func(compile func(string) (matcher, bool), negated bool) comparison {
		return comparison{compile: compile, operand: "an ARN with all of its parts", negated: negated}
	}
	c, known := map[string]comparison{
		"StringEquals":              text(equal, false),
		"StringNotEquals":           text(equal, true),
		"StringEqualsIgnoreCase":    text(equalFold, false),
		"StringNotEqualsIgnoreCase": text(equalFold, true),
		"StringLike":                text(like, false),
		"StringNotLike":             text(like, true),
		"ArnEquals":                 text(arnLike, false),
		"ArnLike":                   text(arnLike, false),
		"ArnNotEquals":              text(arnLike, true),
		"ArnNotLike":                text(arnLike, true),
		"Bool":                      {compile: sameBoolean, operand: `"true" or "false"`},
		"BinaryEquals":              {compile: sameBytes, operand: "base64"},
		"IpAddress":                 {compile: inRange, operand: "an IP address or a range of them"},
		"NotIpAddress":              {compile: inRange, operand: "an IP address or a range of them", negated: true},
	}[name]
	if known {
		return c, true
	}
	if order, found := strings.CutPrefix(name, "Numeric"); found {
		return ordered(order, number, "a number")
	}
	if order, found := strings.CutPrefix(name, "Date"); found {
		return ordered(order, instant, "a date and time in ISO 8601, or epoch seconds")
	}
	return comparison{}, false
}

// ordered returns the comparison of numbers or dates that the rest of an operator's name asks for.
func ordered(order string, read func(string) (float64, bool), operand string) (comparison, bool) {
	// The signs of cmp.Compare(value of the request, value of the policy) that match.
	signs, known := map[string][]int{
		"Equals":            {0},
		"NotEquals":         {0},
		"LessThan":          {-1},
		"LessThanEquals":    {-1, 0},
		"GreaterThan":       {1},
		"GreaterThanEquals": {0, 1},
	}[order]
	compile := func(value string) (matcher, bool) {
		bound, ok := read(value)
		return func(value string) bool {
			got, ok := read(value)
			return ok && slices.Contains(signs, cmp.Compare(got, bound))
		}, ok
	}
	return comparison{compile: compile, operand: operand, negated: order == "NotEquals"}, known
}

func equal(want string) (matcher, bool) {
	return func(value string) bool { return value == want }, true
}

func equalFold(want string) (matcher, bool) {
	return func(value string) bool { return strings.EqualFold(value, want) }, true
}

func like(pattern string) (matcher, bool) { return newGlob(pattern).match, true }

// arnLike compares the parts of an ARN one by one, each with wildcards of its own.
func arnLike(pattern string) (matcher, bool) {
	want, ok := arnParts(pattern)
	var globs []glob
	for _, part := range want {
		globs = append(globs, newGlob(part))
	}
	return func(value string) bool {
		parts, ok := arnParts(value)
		return ok && slices.EqualFunc(globs, parts, glob.match)
	}, ok
}

func sameBoolean(want string) (matcher, bool) {
	b, ok := boolean(want)
	return func(value string) bool {
		got, ok := boolean(value)
		return ok && got == b
	}, ok
}

func sameBytes(want string) (matcher, bool) {
	data, err := base64.StdEncoding.DecodeString(want)
	return func(value string) bool {
		got, err := base64.StdEncoding.DecodeString(value)
		return err == nil && bytes.Equal(got, data)
	}, err == nil
}

// inRange takes a CIDR range, or an address as the range that holds it alone.
func inRange(want string) (matcher, bool) {
	prefix, err := netip.ParsePrefix(want)
	if err != nil {
		var address netip.Addr
		address, err = netip.ParseAddr(want)
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	return func(value string) bool {
		address, err := netip.ParseAddr(value)
		return err == nil && prefix.Contains(address)
	}, err == nil
}

func boolean(text string) (value, ok bool) {
	value = strings.EqualFold(text, "true")
	return value, value || strings.EqualFold(text, "false")
}

// number reads a decimal number. The spellings of ParseFloat that are none, such as "inf", are refused.
func number(text string) (float64, bool) {
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, false
	}
	value, err := strconv.ParseFloat(text, 64)
	return value, err == nil
}

// instant reads a date and time of ISO 8601 (https://www.w3.org/TR/NOTE-datetime, the year alone excepted), or epoch
// seconds, of which kms:ValidTo is made. It returns whole milliseconds, so that both notations of one time are equal.
func instant(text string) (milliseconds float64, ok bool) {
	if seconds, ok := number(text); ok {
		return math.Round(seconds * 1000), len(text) != len("2027")
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "20060102T150405Z", time.DateOnly, "2006-01"} {
		if t, err := time.Parse(layout, text); err == nil {
			return float64(t.UnixMilli()), true
		}
	}
	return 0, false
}
