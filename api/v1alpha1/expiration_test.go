package v1alpha1_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What spec.expiration may say, and how it says what it may not.

// expiration is the shortest manifest with a spec.expiration.
func expiration(name string, fields map[string]any) *unstructured.Unstructured {
	object := minimal(name)
	set(fields, "spec", "expiration")(object)
	return object
}

func TestExpirationRefusedAtTheDoor(t *testing.T) {
	const (
		noDuration    = "validFor is no duration: write hours, minutes and seconds, such as 2160h or 1h30m"
		tooShort      = "validFor is under 10 minutes, which leaves no time to renew the material: set it to at least 10m"
		tooLong       = "validFor is over 364 days, and KMS refuses an expiry more than 365 days ahead: set it to at most 8736h"
		noLead        = "renewBefore is no duration: write hours, minutes and seconds, such as 720h or 1h30m"
		leadTooShort  = "renewBefore is under 1 minute, which leaves no time to renew the material: set it to at least 1m"
		leadTooLong   = "renewBefore must be at least 1 minute shorter than validFor: otherwise each renewal would be due as soon as the last one is done"
		bothOfThem    = "validFor and validTo exclude each other: keep validFor for material that is renewed, validTo for a fixed date"
		notRenewed    = "renewBefore goes with validFor: a fixed validTo is not renewed"
		neitherOfThem = "expiration is empty: set validFor or validTo, or remove expiration for material that does not expire"
	)
	tests := map[string]struct {
		reason string
		fields map[string]any
		want   string
	}{
		"empty":                          {"it says neither that the material expires nor that it does not", map[string]any{}, neitherOfThem},
		"validFor and validTo":           {"only one can be meant", map[string]any{"validFor": "2160h", "validTo": "2027-06-01T00:00:00Z"}, bothOfThem},
		"renewBefore with validTo":       {"a fixed date is not renewed", map[string]any{"validTo": "2027-06-01T00:00:00Z", "renewBefore": "720h"}, notRenewed},
		"renewBefore alone":              {"before what?", map[string]any{"renewBefore": "720h"}, notRenewed},
		"renewBefore alone is no expiry": {"both are said", map[string]any{"renewBefore": "720h"}, neitherOfThem},
		"renewBefore of all validFor":    {"each renewal would be due at once", map[string]any{"validFor": "2160h", "renewBefore": "2160h"}, leadTooLong},
		"renewBefore over validFor":      {"each renewal would be overdue", map[string]any{"validFor": "2160h", "renewBefore": "2161h"}, leadTooLong},
		"59 seconds between them":        {"the limit is a minute", map[string]any{"validFor": "1h", "renewBefore": "59m1s"}, leadTooLong},
		"renewBefore of 59 seconds":      {"nobody renews in a breath", map[string]any{"validFor": "1h", "renewBefore": "59s"}, leadTooShort},
		"renewBefore of nothing":         {"it would be renewed when it is gone", map[string]any{"validFor": "1h", "renewBefore": "0s"}, leadTooShort},
		"renewBefore of days":            {"as for validFor", map[string]any{"validFor": "2160h", "renewBefore": "30d"}, noLead},
		"negative renewBefore":           {"after the expiry there is nothing to renew", map[string]any{"validFor": "2160h", "renewBefore": "-1h"}, noLead},
		"9m59s":                          {"the limit is 10 minutes", map[string]any{"validFor": "9m59s"}, tooShort},
		"nothing":                        {"it would have expired before it is imported", map[string]any{"validFor": "0s"}, tooShort},
		"8736h1s":                        {"the limit is 364 days", map[string]any{"validFor": "8736h1s"}, tooLong},
		"the longest there is":           {"no overflow lets it pass", map[string]any{"validFor": "99999h999999m99999999s"}, tooLong},
		"days":                           {"durations have none", map[string]any{"validFor": "1d"}, noDuration},
		"a word":                         {"no duration", map[string]any{"validFor": "abc"}, noDuration},
		"negative":                       {"the past", map[string]any{"validFor": "-5m"}, noDuration},
		"a fraction":                     {"other tools read it in other ways", map[string]any{"validFor": "1.5h"}, noDuration},
		"a bare number":                  {"hours or seconds?", map[string]any{"validFor": "2160"}, noDuration},
		"parts of a second":              {"KMS keeps seconds", map[string]any{"validFor": "1h500ms"}, noDuration},
		"units the other way round":      {"one spelling is enough", map[string]any{"validFor": "30m1h"}, noDuration},
		"white space":                    {"one spelling is enough", map[string]any{"validFor": "1h 30m"}, noDuration},
		"a digit too many":               {"no number overflows", map[string]any{"validFor": "100000h"}, noDuration},
		"no text at all":                 {"a unit is missing", map[string]any{"validFor": ""}, "spec.expiration.validFor"},
		"a number":                       {"a unit is missing", map[string]any{"validFor": int64(2160)}, "spec.expiration.validFor"},
		"over-long":                      {"nobody writes that", map[string]any{"validFor": "000000000000000000000000000000010h"}, "spec.expiration.validFor"},
		"validTo that is no time":        {"RFC 3339 only", map[string]any{"validTo": "tomorrow"}, "spec.expiration.validTo"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			expectInvalid(t, test.reason, k8s.Create(t.Context(), expiration("refused", test.fields)), test.want)
		})
	}
}

func TestExpirationAcceptedAtTheDoor(t *testing.T) {
	for name, fields := range map[string]map[string]any{
		"validFor":                      {"validFor": "2160h"},
		"the shortest":                  {"validFor": "10m"},
		"the shortest, in seconds":      {"validFor": "600s"},
		"the longest":                   {"validFor": "8736h"},
		"all three units":               {"validFor": "1h30m15s"},
		"as typed clients write it":     {"validFor": "2160h0m0s", "renewBefore": "720h0m0s"},
		"renewBefore":                   {"validFor": "2160h", "renewBefore": "720h"},
		"the shortest renewBefore":      {"validFor": "2160h", "renewBefore": "1m"},
		"the longest renewBefore":       {"validFor": "2160h", "renewBefore": "2159h59m"},
		"renewBefore in another unit":   {"validFor": "1h", "renewBefore": "30m"},
		"a fixed date":                  {"validTo": "2027-06-01T00:00:00Z"},
		"a fixed date in the past":      {"validTo": "2007-06-01T00:00:00Z"}, // which the operator tells of
		"a fixed date of another place": {"validTo": "2027-06-01T02:00:00+02:00"},
	} {
		t.Run(name, func(t *testing.T) {
			create(t, expiration("accepted", fields))
		})
	}
}

// Each step of a life is judged like a first one.
func TestExpirationChanges(t *testing.T) {
	object := create(t, expiration("changes", map[string]any{"validFor": "2160h", "renewBefore": "720h"}))
	for _, step := range []struct {
		reason string
		fields map[string]any
		want   string
	}{
		{"a shorter validFor may get too short for renewBefore", map[string]any{"validFor": "720h", "renewBefore": "720h"}, "renewBefore must be at least 1 minute shorter"},
		{"rolling becomes fixed", map[string]any{"validTo": "2027-06-01T00:00:00Z"}, ""},
		{"one is added and the other forgotten", map[string]any{"validTo": "2027-06-01T00:00:00Z", "validFor": "2160h"}, "exclude each other"},
		{"fixed becomes rolling", map[string]any{"validFor": "2160h"}, ""},
		{"emptied rather than removed", map[string]any{}, "expiration is empty"},
	} {
		changed := object.DeepCopy()
		set(step.fields, "spec", "expiration")(changed)
		err := k8s.Update(t.Context(), changed)
		switch {
		case step.want != "":
			expectInvalid(t, step.reason, err, step.want)
		case err != nil:
			t.Errorf("%s: %v", step.reason, err)
		default:
			object = changed
		}
	}
	unstructured.RemoveNestedField(object.Object, "spec", "expiration")
	if err := k8s.Update(t.Context(), object); err != nil {
		t.Errorf("removed: %v", err)
	}
}
