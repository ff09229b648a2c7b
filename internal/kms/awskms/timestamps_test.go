package awskms

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// What a text in a timestamp member becomes.
func TestEpoch(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   string // empty: it is left as it is
	}{
		"UTC":                   {"RFC 3339", "2027-01-01T00:00:00Z", "1798761600"},
		"offset":                {"as the pages of QKMS show it", "2023-12-01T00:00:00-07:00", "1701414000"},
		"offset east":           {"the same moment elsewhere", "2023-12-01T12:30:00+05:30", "1701414000"},
		"no colon in offset":    {"as ISO 8601 has it, and Java writes it", "2023-12-01T00:00:00-0700", "1701414000"},
		"fraction":              {"whole seconds are what counts", "2027-01-01T00:00:00.987654321Z", "1798761600"},
		"fraction, no colon":    {"both at once", "2023-12-01T00:00:00.5-0700", "1701414000"},
		"before the epoch":      {"for others to find impossible", "1969-12-31T23:59:59Z", "-1"},
		"quoted epoch":          {"as it is", "1668815672", "1668815672"},
		"quoted with fraction":  {"as it is", "1668815672.123", "1668815672.123"},
		"quoted with exponent":  {"as floating-point numbers are printed", "1.668815672e+09", "1.668815672e+09"},
		"quoted, negative":      {"for others to find impossible", "-5", "-5"},
		"empty":                 {"no time", "", "null"},
		"Go's zero time":        {"no time, as servers in Go write it", "0001-01-01T00:00:00Z", "null"},
		"date only":             {"a day is no moment", "2027-01-01", ""},
		"no offset":             {"whose midnight?", "2027-01-01T00:00:00", ""},
		"hours-only offset":     {"not RFC 3339, and not what anybody is known to send", "2027-01-01T00:00:00+05", ""},
		"space for T":           {"not RFC 3339", "2027-01-01 00:00:00Z", ""},
		"lower case":            {"allowed by RFC 3339, and refused by Go", "2027-01-01t00:00:00z", ""},
		"one-digit hour":        {"not RFC 3339", "2027-01-01T0:00:00Z", ""},
		"comma":                 {"not RFC 3339", "2027-01-01T00:00:00,5Z", ""},
		"no such day":           {"a mistake", "2027-02-30T00:00:00Z", ""},
		"no such offset":        {"a mistake", "2027-01-01T00:00:00+99:00", ""},
		"after 2262":            {"the SDK would make another date of it", "9999-12-31T23:59:59Z", ""},
		"before 1677":           {"the SDK would make another date of it", "1600-01-01T00:00:00Z", ""},
		"words":                 {"no time", "tomorrow", ""},
		"HTTP date":             {"another format", "Fri, 01 Jan 2027 00:00:00 GMT", ""},
		"number and more":       {"no JSON number", "1668815672s", ""},
		"hexadecimal":           {"no JSON number", "0x63781fb8", ""},
		"leading zero":          {"no JSON number", "01668815672", ""},
		"infinity":              {"no JSON number", "Infinity", ""},
		"something else inside": {"no way out of the member", `1,"KeyState":"Enabled"`, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			number, isTime := epoch(tc.text)
			if !isTime {
				number = ""
			}
			if number != tc.want || isTime != (tc.want != "") {
				t.Errorf("%s: %q becomes %q, want %q", tc.reason, tc.text, number, tc.want)
			}
		})
	}
}

func TestRewriteTimestamps(t *testing.T) {
	const iso = `"2027-01-01T00:00:00Z"`
	cases := map[string]struct {
		reason string
		body   string
		want   string
	}{
		"every member": {
			"the timestamps of all answers",
			`{"CreationDate":` + iso + `,"DeletionDate":` + iso + `,"LastUpdatedDate":` + iso + `,"NextRotationDate":` + iso +
				`,"OnDemandRotationStartDate":` + iso + `,"ParametersValidTo":` + iso + `,"RotationDate":` + iso + `,"ValidTo":` + iso + `}`,
			`{"CreationDate":1798761600,"DeletionDate":1798761600,"LastUpdatedDate":1798761600,"NextRotationDate":1798761600,` +
				`"OnDemandRotationStartDate":1798761600,"ParametersValidTo":1798761600,"RotationDate":1798761600,"ValidTo":1798761600}`,
		},
		"wherever it is": {"in objects and lists", `{"a":[{"ValidTo":` + iso + `},{"ValidTo":"5"}]}`, `{"a":[{"ValidTo":1798761600},{"ValidTo":5}]}`},
		"white space":    {"kept", "{\n\t\"ValidTo\" : " + iso + "\r\n}", "{\n\t\"ValidTo\" : 1798761600\r\n}"},
		"escapes":        {"the same text written otherwise", `{"Valid\u0054o":"2027\u002d01-01T00:00:00Z"}`, `{"Valid\u0054o":1798761600}`},
		"twice":          {"the SDK decides which counts", `{"ValidTo":` + iso + `,"ValidTo":"5"}`, `{"ValidTo":1798761600,"ValidTo":5}`},

		"number":           {"as it should be", `{"ValidTo":1798761600.5}`, ""},
		"null":             {"as it may be", `{"ValidTo":null}`, ""},
		"other member":     {"a description may look like a date", `{"Description":` + iso + `}`, ""},
		"other case":       {"KMS's names have one spelling", `{"validTo":` + iso + `}`, ""},
		"name as value":    {"a value is no member", `{"Description":"ValidTo","b":` + iso + `}`, ""},
		"name in a list":   {"nor there", `["ValidTo",` + iso + `]`, ""},
		"list as value":    {"not a time", `{"ValidTo":[` + iso + `]}`, ""},
		"object as value":  {"not a time", `{"ValidTo":{"x":` + iso + `}}`, ""},
		"after an object":  {"a member has one value", `{"ValidTo":{},"x":` + iso + `}`, ""},
		"no time":          {"for the SDK to refuse", `{"ValidTo":"tomorrow"}`, ""},
		"no time, unread":  {"a creation date that nobody looks at makes no answer useless", `{"CreationDate":"2023-12-01","ValidTo":"5"}`, `{"CreationDate":null,"ValidTo":5}`},
		"text":             {"valid JSON", iso, ""},
		"empty":            {"not JSON, and what QKMS sends", "", ""},
		"cut off":          {"not JSON", `{"ValidTo":` + iso, ""},
		"more than one":    {"not JSON", `{"ValidTo":` + iso + `}{}`, ""},
		"a page":           {"not JSON", `<html>{"ValidTo":` + iso + `}</html>`, ""},
		"invalid UTF-8":    {"the bytes are kept", "{\"Description\":\"\xff\"}", ""},
		"huge number":      {"no number of Go's", `{"x":1e999}`, ""},
		"byte order mark":  {"not JSON", "\xef\xbb\xbf" + `{"ValidTo":` + iso + `}`, ""},
		"deeply nested":    {"more than Go's JSON takes", strings.Repeat(`{"ValidTo":`, 20_000) + iso + strings.Repeat("}", 20_000), ""},
		"control in text":  {"not JSON", "{\"ValidTo\":\"\n5\"}", ""},
		"number then name": {"no member either", `{"a":1,"b":"ValidTo"}`, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := tc.want
			if want == "" {
				want = tc.body
			}
			if diff := cmp.Diff(want, string(rewriteTimestamps([]byte(tc.body)))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// Whatever the body, only the values of timestamp members change, and only from a text into a number or null.
func FuzzRewriteTimestamps(f *testing.F) {
	for _, seed := range []string{
		"", "{}", `{"KeyMetadata":{"CreationDate":"2023-12-01T00:00:00-07:00","ValidTo":"1668815672"}}`, `[{"ValidTo":""}]`,
		`{"ValidTo":"0001-01-01T00:00:00Z","DeletionDate":1}`, `{"a":"ValidTo","ParametersValidTo":{"ValidTo":"5"}}`, "{\"ValidTo\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := string(body)
		rewritten := rewriteTimestamps(body)
		if string(body) != before {
			t.Fatal("the body itself was changed")
		}
		if !json.Valid(body) {
			if string(rewritten) != before {
				t.Fatalf("%q is not JSON and became %q", before, rewritten)
			}
			return
		}
		if !json.Valid(rewritten) {
			t.Fatalf("%q became %q, which is not JSON", before, rewritten)
		}
		if again := rewriteTimestamps(rewritten); string(again) != string(rewritten) {
			t.Fatalf("%q became %q and then %q", before, rewritten, again)
		}
		if difference := changedBeyondTimestamps(decoded(t, body), decoded(t, rewritten)); difference != "" {
			t.Fatalf("%q became %q: %s", before, rewritten, difference)
		}
	})
}

func decoded(t *testing.T, body []byte) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func changedBeyondTimestamps(before, after any) string {
	switch before := before.(type) {
	case map[string]any:
		object, ok := after.(map[string]any)
		if !ok || len(object) != len(before) {
			return "an object changed"
		}
		for name, value := range before {
			_, wasText := value.(string)
			_, isNumber := object[name].(json.Number)
			if isTimestamp(name) && wasText && (isNumber || object[name] == nil) {
				continue
			}
			if difference := changedBeyondTimestamps(value, object[name]); difference != "" {
				return difference
			}
		}
	case []any:
		list, ok := after.([]any)
		if !ok || len(list) != len(before) {
			return "a list changed"
		}
		for i := range before {
			if difference := changedBeyondTimestamps(before[i], list[i]); difference != "" {
				return difference
			}
		}
	default:
		if !reflect.DeepEqual(before, after) {
			return "a value changed"
		}
	}
	return ""
}

// In whatever way an endpoint of QKMS writes times, the port reports the same.
func TestQKMSTimestamps(t *testing.T) {
	want := kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	for name, written := range map[string]string{
		"number": `1798761600`, "fraction": `1798761600.25`, "ISO": `"2027-01-01T00:00:00Z"`, "ISO with offset": `"2026-12-31T17:00:00.25-07:00"`,
		"quoted": `"1798761600"`, "quoted fraction": `"1798761600.25"`,
	} {
		t.Run(name, func(t *testing.T) {
			service, _ := serveDialect(t, "QKMS", answering(200, `{"KeyMetadata":{"Arn":"`+verencARN+`","KeyState":"Enabled","CreationDate":`+written+
				`,"DeletionDate":`+written+`,"ExpirationModel":"KEY_MATERIAL_EXPIRES","ValidTo":`+written+`}}`))
			key, err := service.DescribeKey(context.Background(), verencARN)
			if err != nil || key.Expiry != want {
				t.Errorf("got %+v, %v", key.Expiry, err)
			}
			service, _ = serveDialect(t, "QKMS", answering(200,
				strings.ReplaceAll(parametersAnswer(verencARN, goodSPKI(t), "token"), "1798761600.5", written)))
			parameters, err := service.GetParametersForImport(context.Background(), verencARN, oaep2048)
			if err != nil || !parameters.ValidTo().Equal(want.ValidTo) {
				t.Errorf("got %s, %v", parameters.ValidTo(), err)
			}
		})
	}
}

// The answer that the SDK gets is as long as it says, and closes what it was read from.
func TestRewrittenAnswerIsWhole(t *testing.T) {
	closed := 0
	next := roundTripper(func(*http.Request) (*http.Response, error) {
		body := `{"ValidTo":"2027-01-01T00:00:00Z"}`
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(body)), Body: &countingCloser{strings.NewReader(body), &closed}}, nil
	})
	response, err := numericTimestamps{direct{next}}.Do(&http.Request{})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != `{"ValidTo":1798761600}` || response.ContentLength != int64(len(body)) {
		t.Errorf("got %q, %v, said to be %d bytes", body, err, response.ContentLength)
	}
	if err := response.Body.Close(); err != nil || closed != 1 {
		t.Errorf("closed %d times, %v", closed, err)
	}
}

type countingCloser struct {
	io.Reader
	count *int
}

func (c *countingCloser) Close() error {
	*c.count++
	return nil
}
