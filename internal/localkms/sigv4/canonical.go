package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest is the text that both sides hash.
func canonicalRequest(r *http.Request, auth authorization, body []byte) string {
	var headers strings.Builder
	for name := range strings.SplitSeq(auth.signedHeaders, ";") {
		headers.WriteString(name + ":" + canonicalHeader(r, name) + "\n")
	}
	return strings.Join([]string{
		r.Method, canonicalPath(r.URL), canonicalQuery(r.URL), headers.String(), auth.signedHeaders, hexSHA256(body),
	}, "\n")
}

// canonicalPath is the path as it came, percent-encoded once more. Dots and double slashes stay: no KMS serves a path
// that has any.
func canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		return "/"
	}
	return strings.ReplaceAll(percentEncoded(path), "%2F", "/")
}

// canonicalHeader is a header's value with blanks trimmed and runs of them made one. Go's server keeps some
// headers outside the map.
func canonicalHeader(r *http.Request, name string) string {
	values := r.Header.Values(name)
	switch {
	case name == "host":
		values = []string{r.Host}
	case name == "content-length" && len(values) == 0:
		values = []string{strconv.FormatInt(r.ContentLength, 10)}
	}
	trimmed := make([]string, len(values))
	for i, value := range values {
		trimmed[i] = strings.Join(strings.Fields(value), " ")
	}
	return strings.Join(trimmed, ",")
}

// canonicalQuery is the query sorted by name, then value, each percent-encoded but for the unreserved characters.
// A query that does not parse stands for itself, so that nothing in it escapes the signature.
func canonicalQuery(u *url.URL) string {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return u.RawQuery
	}
	var pairs []string
	for name, values := range query {
		for _, value := range values {
			pairs = append(pairs, percentEncoded(name)+"\x00"+percentEncoded(value))
		}
	}
	slices.Sort(pairs) // the zero byte sorts before every other, so that "a" comes before "a-"
	return strings.ReplaceAll(strings.Join(pairs, "&"), "\x00", "=")
}

func percentEncoded(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
