package localkms

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signature Version 4:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
const (
	signatureAlgorithm  = "AWS4-HMAC-SHA256"
	signatureTimeFormat = "20060102T150405Z"
	signatureService    = "kms"
	signatureTerminator = "aws4_request"
	// signatureSkew is how far a signature's date may be from the clock.
	signatureSkew = 5 * time.Minute
)

// signatureVerifier decides whether a request was signed by someone who knows a secret access key.
type signatureVerifier struct {
	secrets map[string]string
	region  string
	now     func() time.Time
}

// verify checks the signature of r, whose body was read already.
func (v signatureVerifier) verify(r *http.Request, body []byte) error {
	header := r.Header.Get("Authorization")
	if header == "" {
		return errMissingAuthenticationToken()
	}
	auth, err := parseAuthorization(header)
	if err != nil {
		return err
	}
	stamp := r.Header.Get("X-Amz-Date")
	date, err := time.Parse(signatureTimeFormat, stamp)
	if err != nil {
		return errIncompleteSignature("Authorization header requires existence of an 'X-Amz-Date' header in ISO-8601 'basic format'.")
	}
	if err := v.checkScope(auth, stamp); err != nil {
		return err
	}
	if err := checkSignedHeaders(auth, r.Header); err != nil {
		return err
	}
	secret, known := v.secrets[auth.accessKeyID]
	if !known || r.Header.Get("X-Amz-Security-Token") != "" { // the credentials here are not temporary ones
		return errUnrecognizedClient()
	}
	if err := v.checkDate(date); err != nil {
		return err
	}
	expected := auth.sign(secret, stamp, canonicalRequest(r, auth, body))
	if !hmac.Equal(expected, auth.signature) {
		return errInvalidSignature("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// checkScope compares what the credential says it is good for with what this server is.
func (v signatureVerifier) checkScope(auth authorization, stamp string) error {
	switch {
	case auth.region != v.region:
		return errInvalidSignature("Credential should be scoped to a valid region, not '" + abridged(auth.region) + "'.")
	case auth.service != signatureService:
		return errInvalidSignature("Credential should be scoped to correct service: '" + signatureService + "'.")
	case auth.terminator != signatureTerminator:
		return errInvalidSignature("Credential should be scoped with a valid terminator: '" + signatureTerminator + "'.")
	case auth.date != stamp[:len("20060102")]:
		return errInvalidSignature("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	}
	return nil
}

// checkSignedHeaders makes sure that what decides about the request was signed: a header that was not could
// have been added or changed on the way.
func checkSignedHeaders(auth authorization, headers http.Header) error {
	if !slices.Contains(auth.signedHeaders, "host") {
		return errInvalidSignature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for name := range headers {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !slices.Contains(auth.signedHeaders, name) {
			return errInvalidSignature("'" + abridged(name) + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	return nil
}

func (v signatureVerifier) checkDate(date time.Time) error {
	age := v.now().Sub(date)
	switch {
	case age > signatureSkew:
		return errInvalidSignature("Signature expired: it is more than 5 minutes old.")
	case age < -signatureSkew:
		return errInvalidSignature("Signature not yet current: it is more than 5 minutes ahead.")
	}
	return nil
}

// authorization is a parsed Authorization header.
type authorization struct {
	accessKeyID, date, region, service, terminator string
	signedHeaders                                  []string
	signature                                      []byte
}

func parseAuthorization(header string) (authorization, error) {
	algorithm, rest, _ := strings.Cut(header, " ")
	if algorithm != signatureAlgorithm {
		return authorization{}, errIncompleteSignature("Unsupported AWS 'algorithm': it must be '" + signatureAlgorithm + "'.")
	}
	parameters := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parameters[name] = value
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parameters[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if missing != nil {
		return authorization{}, errIncompleteSignature(strings.Join(missing, " "))
	}
	scope := strings.Split(parameters["Credential"], "/")
	if len(scope) != 5 {
		return authorization{}, errIncompleteSignature("Credential must have exactly 5 slash-delimited elements, as in keyid/date/region/service/term.")
	}
	signature, err := hex.DecodeString(parameters["Signature"])
	if err != nil || len(signature) != sha256.Size {
		return authorization{}, errIncompleteSignature("Signature must be 64 hexadecimal digits.")
	}
	return authorization{
		accessKeyID: scope[0], date: scope[1], region: scope[2], service: scope[3], terminator: scope[4],
		signedHeaders: strings.Split(parameters["SignedHeaders"], ";"),
		signature:     signature,
	}, nil
}

// sign computes the signature that the owner of secret would have made.
func (a authorization) sign(secret, stamp, canonical string) []byte {
	key := []byte("AWS4" + secret)
	for _, step := range []string{a.date, a.region, a.service, a.terminator} {
		key = hmacSHA256(key, step)
	}
	scope := strings.Join([]string{a.date, a.region, a.service, a.terminator}, "/")
	return hmacSHA256(key, strings.Join([]string{signatureAlgorithm, stamp, scope, hexSHA256([]byte(canonical))}, "\n"))
}

// canonicalRequest is the text that both sides hash. The path is always "/", because no other is served.
func canonicalRequest(r *http.Request, auth authorization, body []byte) string {
	var headers strings.Builder
	for _, name := range auth.signedHeaders {
		headers.WriteString(name + ":" + canonicalHeader(r, name) + "\n")
	}
	return strings.Join([]string{
		r.Method, "/", canonicalQuery(r.URL), headers.String(), strings.Join(auth.signedHeaders, ";"), hexSHA256(body),
	}, "\n")
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

func hmacSHA256(key []byte, data string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(data))
	return mac.Sum(nil)
}

func hexSHA256(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
