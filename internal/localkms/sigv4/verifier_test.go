package sigv4_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/sigv4"
)

const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// fixture is a verifier, the secrets of those it knows, and a request that the SDK can sign.
type fixture struct {
	t *testing.T
	*sigv4.Verifier
	now     time.Time
	secrets map[string]aws.Credentials
}

func newFixture(t *testing.T, mutate ...func(*sigv4.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, now: time.Date(2031, time.March, 1, 12, 0, 0, 0, time.UTC), secrets: map[string]aws.Credentials{}}
	options := sigv4.Options{
		ValidRegion: func(region string) bool { return region == "us-east-1" || region == "eu-west-1" },
		Now:         func() time.Time { return f.now },
	}
	for id, token := range map[string]string{"alice": "", "bob": "", "session": rand.Text()} {
		secret := rand.Text() + "/+"
		f.secrets[id] = aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}
		options.Credentials = append(options.Credentials, sigv4.Credential{
			AccessKeyID: id, SecretAccessKey: secret, SessionToken: token,
		})
	}
	for _, m := range mutate {
		m(&options)
	}
	f.Verifier = sigv4.New(options)
	return f
}

const body = `{"KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab"}`

func (f *fixture) request() *http.Request {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "http://localhost:8080/", strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.DescribeKey")
	return r
}

func (f *fixture) sign(r *http.Request, credentials aws.Credentials, region string, at time.Time) {
	f.t.Helper()
	digest := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(f.t.Context(), credentials, r, hex.EncodeToString(digest[:]), "kms", region, at); err != nil {
		f.t.Fatal(err)
	}
}

// expect compares the outcome of a verification with a kind, zero for a success, and a message where one is named.
func (f *fixture) expect(r *http.Request, kind sigv4.Kind, message string) {
	f.t.Helper()
	identity, err := f.Verify(r, []byte(body))
	if kind == 0 {
		if err != nil {
			f.t.Errorf("refused: %v", err)
		}
		return
	}
	failure, ok := errors.AsType[*sigv4.Error](err)
	if !ok || failure.Kind != kind || message != "" && failure.Message != message || failure.Error() != failure.Message {
		f.t.Errorf("got %T %+v\nwant kind %d %q", err, err, kind, message)
	}
	if identity != (sigv4.Identity{}) {
		f.t.Errorf("refused, with an identity: %v", identity)
	}
}

// TestVerify changes one thing of a request of alice's that the SDK signed.
func TestVerify(t *testing.T) {
	edit := func(header, old, replacement string) func(*http.Request) {
		return func(r *http.Request) {
			before := r.Header.Get(header)
			if !strings.Contains(before, old) {
				panic(header + " lacks " + old)
			}
			r.Header.Set(header, strings.Replace(before, old, replacement, 1))
		}
	}
	set := func(header, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(header, value) }
	}
	for name, c := range map[string]struct {
		reason  string
		before  func(*http.Request) // signing
		after   func(*http.Request)
		at      time.Duration // of the signature, from now
		kind    sigv4.Kind
		message string
	}{
		"untouched":           {reason: "the base"},
		"query":               {reason: "part of what is signed", before: func(r *http.Request) { r.URL.RawQuery = "b=2%2F%20&a=1&a=0&a-=~" }},
		"QKMS's query":        {reason: "as its SDK creates keys", before: func(r *http.Request) { r.URL.RawQuery = "async=1" }},
		"path":                {reason: "encoded twice", before: func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a b/c/d", "/a%20b/c%2Fd" }},
		"no path":             {reason: "is the root", after: func(r *http.Request) { r.URL.Path = "" }},
		"blanks in a header":  {reason: "blanks do not count", before: set("X-Amz-Note", "  a   b ")},
		"blanks changed":      {reason: "blanks do not count", before: set("X-Amz-Note", "a b"), after: set("X-Amz-Note", " a    b")},
		"header with values":  {reason: "joined by commas", before: func(r *http.Request) { r.Header["X-Amz-Note"] = []string{"a", "b"} }},
		"content-length kept": {reason: "servers may leave it in the headers", after: set("Content-Length", "48")},
		"no blanks": {reason: "commas are enough", after: func(r *http.Request) {
			h := r.Header.Get("Authorization")
			r.Header.Set("Authorization", strings.ReplaceAll(h, ", ", ","))
		}},
		"four minutes old":     {reason: "within five", at: -4 * time.Minute},
		"five minutes old":     {reason: "not more than five", at: -5 * time.Minute},
		"five minutes ahead":   {reason: "not more than five", at: 5 * time.Minute},
		"unsigned harmless":    {reason: "proxies add headers", after: set("X-Forwarded-For", "x")},
		"missing":              {reason: "no Authorization", after: func(r *http.Request) { r.Header.Del("Authorization") }, kind: sigv4.Missing, message: "Missing Authentication Token"},
		"empty":                {reason: "as good as missing", after: set("Authorization", ""), kind: sigv4.Missing},
		"other scheme":         {reason: "not SigV4", after: set("Authorization", "Bearer x"), kind: sigv4.Malformed, message: "Unsupported AWS 'algorithm': it must be 'AWS4-HMAC-SHA256'."},
		"asymmetric variant":   {reason: "not SigV4", after: edit("Authorization", "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), kind: sigv4.Malformed},
		"nothing but scheme":   {reason: "all parameters missing", after: set("Authorization", "AWS4-HMAC-SHA256"), kind: sigv4.Incomplete, message: "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
		"no signature":         {reason: "a parameter missing", after: edit("Authorization", "Signature=", "Sig="), kind: sigv4.Incomplete, message: "Authorization header requires 'Signature' parameter."},
		"short scope":          {reason: "five parts", after: edit("Authorization", "/aws4_request", ""), kind: sigv4.Malformed, message: "Credential must have exactly 5 slash-delimited elements, as in keyid/date/region/service/term."},
		"long scope":           {reason: "five parts", after: edit("Authorization", "/aws4_request", "/aws4_request/x"), kind: sigv4.Malformed},
		"signature not hex":    {reason: "64 digits", after: edit("Authorization", "Signature=", "Signature=x"), kind: sigv4.Malformed, message: "Signature must be 64 hexadecimal digits."},
		"signature cut":        {reason: "64 digits", after: func(r *http.Request) { h := r.Header.Get("Authorization"); r.Header.Set("Authorization", h[:len(h)-2]) }, kind: sigv4.Malformed},
		"no date":              {reason: "X-Amz-Date is required", after: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, kind: sigv4.Incomplete, message: "Authorization header requires existence of an 'X-Amz-Date' header."},
		"date not a date":      {reason: "basic ISO 8601", after: edit("X-Amz-Date", "T", "x"), kind: sigv4.Malformed, message: "Date must be in ISO-8601 'basic format', as in 20060102T150405Z."},
		"date with a fraction": {reason: "no fractions in the basic format", after: edit("X-Amz-Date", "Z", ".5Z"), kind: sigv4.Malformed},
		"other Region":         {reason: "scope", after: edit("Authorization", "us-east-1", "us-west-2"), kind: sigv4.ScopeMismatch, message: "Credential should be scoped to a valid region, not 'us-west-2'."},
		"long Region":          {reason: "a message is short", after: edit("Authorization", "us-east-1", strings.Repeat("x", 100)), kind: sigv4.ScopeMismatch, message: "Credential should be scoped to a valid region, not '" + strings.Repeat("x", 64) + "'."},
		"Region, re-scoped":    {reason: "valid, but another than was signed for", after: edit("Authorization", "us-east-1", "eu-west-1"), kind: sigv4.SignatureMismatch, message: mismatch},
		"other service":        {reason: "scope", after: edit("Authorization", "/kms/", "/s3/"), kind: sigv4.ScopeMismatch, message: "Credential should be scoped to correct service: 'kms'."},
		"other terminator":     {reason: "scope", after: edit("Authorization", "aws4_request", "aws5_request"), kind: sigv4.ScopeMismatch, message: "Credential should be scoped with a valid terminator: 'aws4_request'."},
		"other scope date":     {reason: "scope", after: edit("Authorization", "/2031", "/2030"), kind: sigv4.ScopeMismatch, message: "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."},
		"host not signed":      {reason: "the host must be", after: edit("Authorization", "host;", ""), kind: sigv4.UnsignedHeader, message: "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		"target not signed":    {reason: "it decides what happens", after: edit("Authorization", ";x-amz-target", ""), kind: sigv4.UnsignedHeader, message: "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."},
		"header added":         {reason: "what starts with x-amz- must be signed", after: set("X-Amz-Added", "x"), kind: sigv4.UnsignedHeader, message: "'x-amz-added' must be a 'SignedHeader' in the AWS Authorization."},
		"other access key":     {reason: "unknown", after: edit("Authorization", "alice", "stranger"), kind: sigv4.UnrecognizedClient, message: "The security token included in the request is invalid."},
		"key of another":       {reason: "known, but not with this secret", after: edit("Authorization", "alice", "bob"), kind: sigv4.SignatureMismatch, message: mismatch},
		"six minutes old":      {reason: "over five", at: -6 * time.Minute, kind: sigv4.Expired, message: "Signature expired: 20310301T115400Z is now earlier than 20310301T115500Z (20310301T120000Z - 5 min.)"},
		"six minutes ahead":    {reason: "over five", at: 6 * time.Minute, kind: sigv4.NotYetCurrent, message: "Signature not yet current: 20310301T120600Z is still later than 20310301T120500Z (20310301T120000Z + 5 min.)"},
		"redated":              {reason: "the date is signed", after: edit("X-Amz-Date", "120000", "120001"), kind: sigv4.SignatureMismatch, message: mismatch},
		"other method":         {reason: "signed", after: func(r *http.Request) { r.Method = http.MethodPut }, kind: sigv4.SignatureMismatch},
		"other host":           {reason: "signed", after: func(r *http.Request) { r.Host = "elsewhere" }, kind: sigv4.SignatureMismatch},
		"other path":           {reason: "signed", after: func(r *http.Request) { r.URL.Path = "/x" }, kind: sigv4.SignatureMismatch},
		"other target":         {reason: "signed", after: edit("X-Amz-Target", "DescribeKey", "EnableKey"), kind: sigv4.SignatureMismatch},
		"other content type":   {reason: "signed", after: edit("Content-Type", "1.1", "1.0"), kind: sigv4.SignatureMismatch},
		"other length":         {reason: "signed", after: func(r *http.Request) { r.ContentLength = 1 }, kind: sigv4.SignatureMismatch},
		"query added":          {reason: "signed", after: func(r *http.Request) { r.URL.RawQuery = "async=1" }, kind: sigv4.SignatureMismatch},
		"query taken away":     {reason: "signed", before: func(r *http.Request) { r.URL.RawQuery = "async=1" }, after: func(r *http.Request) { r.URL.RawQuery = "" }, kind: sigv4.SignatureMismatch},
		"unparsable query":     {reason: "signed", after: func(r *http.Request) { r.URL.RawQuery = "a;b" }, kind: sigv4.SignatureMismatch},
		"value added":          {reason: "all values are signed", before: set("X-Amz-Note", "a"), after: func(r *http.Request) { r.Header.Add("X-Amz-Note", "b") }, kind: sigv4.SignatureMismatch},
		"header not there":     {reason: "listed as signed but absent", after: edit("Authorization", "host;", "host;x-absent;"), kind: sigv4.SignatureMismatch},
		"other signature": {reason: "a digit of it", after: func(r *http.Request) {
			h := r.Header.Get("Authorization")
			r.Header.Set("Authorization", h[:len(h)-1]+map[bool]string{true: "1", false: "0"}[h[len(h)-1] == '0'])
		}, kind: sigv4.SignatureMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.request()
			if c.before != nil {
				c.before(r)
			}
			f.sign(r, f.secrets["alice"], "us-east-1", f.now.Add(c.at))
			if c.after != nil {
				c.after(r)
			}
			f.expect(r, c.kind, c.message)
		})
	}
}

func TestBody(t *testing.T) {
	f := newFixture(t)
	r := f.request()
	f.sign(r, f.secrets["alice"], "us-east-1", f.now)
	_, err := f.Verify(r, []byte(strings.Replace(body, "1234", "1235", 1)))
	if failure, ok := errors.AsType[*sigv4.Error](err); !ok || failure.Kind != sigv4.SignatureMismatch {
		t.Errorf("another body: %v", err)
	}
}

// TestIdentities shows that the verifier tells who signed, and for which of several Regions.
func TestIdentities(t *testing.T) {
	f := newFixture(t)
	for _, id := range []string{"alice", "bob", "session"} {
		for _, region := range []string{"us-east-1", "eu-west-1"} {
			r := f.request()
			f.sign(r, f.secrets[id], region, f.now)
			if identity, err := f.Verify(r, []byte(body)); err != nil || identity != (sigv4.Identity{AccessKeyID: id, Region: region}) {
				t.Errorf("%s in %s: %v, %v", id, region, identity, err)
			}
		}
	}
}

func TestSessions(t *testing.T) {
	const invalid = "The security token included in the request is invalid."
	end := time.Date(2031, time.March, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		reason  string
		id      string
		token   func(own string) string // presented and signed
		after   func(*http.Request)
		expires time.Time
		kind    sigv4.Kind
		message string
	}{
		"own token":         {reason: "the base", id: "session", token: func(own string) string { return own }},
		"no token":          {reason: "a session presents it", id: "session", token: func(string) string { return "" }, kind: sigv4.InvalidToken, message: invalid},
		"other token":       {reason: "of another session", id: "session", token: func(own string) string { return own + "x" }, kind: sigv4.InvalidToken, message: invalid},
		"token of others":   {reason: "alice is no session", id: "alice", token: func(string) string { return "x" }, kind: sigv4.InvalidToken, message: invalid},
		"token not signed":  {reason: "it could be another's", id: "alice", token: func(own string) string { return own }, after: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, kind: sigv4.UnsignedHeader, message: "'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization."},
		"token replaced":    {reason: "compared before the signature", id: "session", token: func(own string) string { return own }, after: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, kind: sigv4.InvalidToken},
		"before the end":    {reason: "a second is left", id: "session", token: func(own string) string { return own }, expires: end.Add(time.Second)},
		"at the end":        {reason: "over", id: "session", token: func(own string) string { return own }, expires: end, kind: sigv4.ExpiredToken, message: "The security token included in the request is expired"},
		"after, no token":   {reason: "the token comes first", id: "session", token: func(string) string { return "" }, expires: end, kind: sigv4.InvalidToken},
		"another's session": {reason: "an end of one's own", id: "alice", token: func(own string) string { return own }, expires: end},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *sigv4.Options) {
				for i := range o.Credentials {
					if o.Credentials[i].AccessKeyID == "session" {
						o.Credentials[i].ExpiresAt = c.expires
					}
				}
			})
			credentials := f.secrets[c.id]
			credentials.SessionToken = c.token(credentials.SessionToken)
			r := f.request()
			f.sign(r, credentials, "us-east-1", f.now)
			if c.after != nil {
				c.after(r)
			}
			f.expect(r, c.kind, c.message)
		})
	}
}

func TestExactHeaders(t *testing.T) {
	const refusal = "SignedHeaders must be exactly 'content-type;host;x-amz-date;x-amz-target'."
	for name, c := range map[string]struct {
		reason  string
		id      string
		before  func(*http.Request)
		after   func(*http.Request)
		kind    sigv4.Kind
		message string
	}{
		"the four":       {reason: "as QKMS's SDK signs", id: "alice"},
		"with query":     {reason: "signed too", id: "alice", before: func(r *http.Request) { r.URL.RawQuery = "async=1" }},
		"content-length": {reason: "what the SDKs of AWS sign more", id: "alice", before: func(r *http.Request) { r.ContentLength = int64(len(body)) }, kind: sigv4.UnexpectedHeaders, message: refusal},
		"no target":      {reason: "one less", id: "alice", before: func(r *http.Request) { r.Header.Del("X-Amz-Target") }, kind: sigv4.UnexpectedHeaders, message: refusal},
		"session":        {reason: "its token has no place", id: "session", kind: sigv4.UnexpectedHeaders, message: refusal},
		"unsigned added": {reason: "x-amz- stays refused", id: "alice", after: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, kind: sigv4.UnsignedHeader},
		"tampered":       {reason: "the signature counts", id: "alice", after: func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.EnableKey") }, kind: sigv4.SignatureMismatch, message: mismatch},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *sigv4.Options) { o.ExactHeaders = true })
			r := f.request()
			r.ContentLength = -1 // unknown, so that the SDK does not sign it
			if c.before != nil {
				c.before(r)
			}
			f.sign(r, f.secrets[c.id], "us-east-1", f.now)
			if c.after != nil {
				c.after(r)
			}
			f.expect(r, c.kind, c.message)
		})
	}
}

// TestPresigned shows that a signature in the query is none.
func TestPresigned(t *testing.T) {
	f := newFixture(t)
	url, _, err := v4.NewSigner().PresignHTTP(t.Context(), f.secrets["alice"], f.request(), strings.Repeat("0", 64), "kms", "us-east-1", f.now)
	if err != nil {
		t.Fatal(err)
	}
	r := f.request()
	if r.URL, err = r.URL.Parse(url); err != nil {
		t.Fatal(err)
	}
	f.expect(r, sigv4.Missing, "Missing Authentication Token")
}

// TestLaterCredential shows which of two credentials with one access key ID counts.
func TestLaterCredential(t *testing.T) {
	f := newFixture(t, func(o *sigv4.Options) {
		o.Credentials = append(o.Credentials, sigv4.Credential{AccessKeyID: "alice", SecretAccessKey: rand.Text()})
	})
	r := f.request()
	f.sign(r, f.secrets["alice"], "us-east-1", f.now)
	f.expect(r, sigv4.SignatureMismatch, mismatch)
}
