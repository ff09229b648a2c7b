package localkms_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// TestSignatures changes one thing of a request that the SDK signed.
func TestSignatures(t *testing.T) {
	f := newFixture(t)
	const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	edit := func(header, old, replacement string) func(*http.Request) {
		return func(r *http.Request) {
			before := r.Header.Get(header)
			if !strings.Contains(before, old) {
				panic(header + " lacks " + old)
			}
			r.Header.Set(header, strings.Replace(before, old, replacement, 1))
		}
	}
	for name, c := range map[string]struct {
		reason  string
		before  func(*http.Request) // signing
		after   func(*http.Request)
		at      time.Duration // of the signature, from now
		code    string
		message string
	}{
		"untouched":          {reason: "the base"},
		"query":              {reason: "part of what is signed", before: func(r *http.Request) { r.URL.RawQuery = "b=2%2F%20&a=1&a=0&a-=~" }},
		"blanks in a header": {reason: "blanks do not count", before: func(r *http.Request) { r.Header.Set("X-Amz-Note", "  a   b ") }},
		"header with values": {reason: "joined by commas", before: func(r *http.Request) { r.Header["X-Amz-Note"] = []string{"a", "b"} }},
		"four minutes old":   {reason: "within five", at: -4 * time.Minute},
		"four minutes ahead": {reason: "within five", at: 4 * time.Minute},
		"unsigned harmless":  {reason: "proxies add headers", after: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "x") }},
		"missing":            {reason: "no Authorization", after: func(r *http.Request) { r.Header.Del("Authorization") }, code: "MissingAuthenticationTokenException", message: "Missing Authentication Token"},
		"empty":              {reason: "as good as missing", after: func(r *http.Request) { r.Header.Set("Authorization", "") }, code: "MissingAuthenticationTokenException"},
		"other scheme":       {reason: "not SigV4", after: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, code: "IncompleteSignatureException"},
		"nothing but scheme": {reason: "all parameters missing", after: func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256") }, code: "IncompleteSignatureException", message: "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
		"no signature":       {reason: "a parameter missing", after: edit("Authorization", "Signature=", "Sig="), code: "IncompleteSignatureException", message: "Authorization header requires 'Signature' parameter."},
		"short scope":        {reason: "five parts", after: edit("Authorization", "/aws4_request", ""), code: "IncompleteSignatureException"},
		"signature not hex":  {reason: "64 digits", after: edit("Authorization", "Signature=", "Signature=x"), code: "IncompleteSignatureException"},
		"signature cut":      {reason: "64 digits", after: func(r *http.Request) { h := r.Header.Get("Authorization"); r.Header.Set("Authorization", h[:len(h)-2]) }, code: "IncompleteSignatureException"},
		"no date":            {reason: "X-Amz-Date is required", after: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, code: "IncompleteSignatureException"},
		"date not a date":    {reason: "basic ISO 8601", after: edit("X-Amz-Date", "T", "x"), code: "IncompleteSignatureException"},
		"six minutes old":    {reason: "over five", at: -6 * time.Minute, code: "InvalidSignatureException", message: "Signature expired: it is more than 5 minutes old."},
		"six minutes ahead":  {reason: "over five", at: 6 * time.Minute, code: "InvalidSignatureException", message: "Signature not yet current: it is more than 5 minutes ahead."},
		"redated": {reason: "the date is signed", after: func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().UTC().Add(time.Second).Format("20060102T150405Z"))
		}, code: "InvalidSignatureException"},
		"other Region":       {reason: "scope", after: edit("Authorization", "us-east-1", "us-west-2"), code: "InvalidSignatureException", message: "Credential should be scoped to a valid region, not 'us-west-2'."},
		"other service":      {reason: "scope", after: edit("Authorization", "/kms/", "/s3/"), code: "InvalidSignatureException", message: "Credential should be scoped to correct service: 'kms'."},
		"other terminator":   {reason: "scope", after: edit("Authorization", "aws4_request", "aws5_request"), code: "InvalidSignatureException"},
		"other scope date":   {reason: "scope", after: edit("Authorization", "localkms/20", "localkms/19"), code: "InvalidSignatureException"},
		"other access key":   {reason: "unknown", after: edit("Authorization", "localkms", "stranger"), code: "UnrecognizedClientException", message: "The security token included in the request is invalid."},
		"session token":      {reason: "these credentials have none", before: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, code: "UnrecognizedClientException"},
		"host not signed":    {reason: "the host must be", after: edit("Authorization", "host;", ""), code: "InvalidSignatureException"},
		"target not signed":  {reason: "it decides what happens", after: edit("Authorization", ";x-amz-target", ""), code: "InvalidSignatureException", message: "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."},
		"other target":       {reason: "the header is signed", after: edit("X-Amz-Target", "DescribeKey", "EnableKey"), code: "InvalidSignatureException", message: mismatch},
		"other content type": {reason: "the header is signed", after: func(r *http.Request) { r.Header.Set("Content-Type", "application/x-amz-json-1.1; charset=utf-8") }, code: "InvalidSignatureException", message: mismatch},
		"other query":        {reason: "the query is signed", after: func(r *http.Request) { r.URL.RawQuery = "a=1" }, code: "InvalidSignatureException", message: mismatch},
		"unparsable query":   {reason: "the query is signed", after: func(r *http.Request) { r.URL.RawQuery = "a;b" }, code: "InvalidSignatureException", message: mismatch},
		"other signature": {reason: "a digit of it", after: func(r *http.Request) {
			h := r.Header.Get("Authorization")
			r.Header.Set("Authorization", h[:len(h)-1]+map[bool]string{true: "1", false: "0"}[h[len(h)-1] == '0'])
		}, code: "InvalidSignatureException", message: mismatch},
		"header not there": {reason: "listed as signed but absent", after: edit("Authorization", "host;", "host;x-absent;"), code: "InvalidSignatureException", message: mismatch},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
			body := object{"KeyId": keyID}.String()
			r := f.request("DescribeKey", body)
			if c.before != nil {
				c.before(r)
			}
			sign(t, r, body, time.Now().Add(c.at))
			if c.after != nil {
				c.after(r)
			}
			f.expect(f.send(r), c.code, c.message)
		})
	}
}

func TestTamperedBody(t *testing.T) {
	f := newFixture(t)
	r := f.request("DescribeKey", `{"KeyId":"a"}`)
	sign(t, r, `{"KeyId":"b"}`, time.Now())
	f.expect(f.send(r), "InvalidSignatureException", "")
}

// TestSDKSignatures shows that the checks and the SDK's own signing agree about who may.
func TestSDKSignatures(t *testing.T) {
	f := newFixture(t, func(o *localkms.Options) { o.Credentials = map[string]string{"alice": "secret/+A", "bob": "b"} })
	for name, c := range map[string]struct {
		reason     string
		id, secret string
		code       string
	}{
		"first":            {reason: "known", id: "alice", secret: "secret/+A"},
		"second":           {reason: "known", id: "bob", secret: "b"},
		"secret of others": {reason: "known, but not with this secret", id: "alice", secret: "b", code: "InvalidSignatureException"},
		"unknown":          {reason: "not known", id: "localkms", secret: "localkms", code: "UnrecognizedClientException"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(f.url, c.id, c.secret).ListKeys(t.Context(), &kms.ListKeysInput{})
			code := ""
			if apiErr, ok := errors.AsType[smithy.APIError](err); ok {
				code = apiErr.ErrorCode()
			}
			if code != c.code || (err == nil) != (c.code == "") {
				t.Errorf("%v, want %q", err, c.code)
			}
		})
	}
}

// TestSigningClock shows that signature dates follow SigningNow and nothing else does.
func TestSigningClock(t *testing.T) {
	f := newFixture(t, func(o *localkms.Options) {
		o.SigningNow = func() time.Time { return time.Now().Add(24 * time.Hour) }
	})
	body := "{}"
	late := f.request("ListKeys", body)
	sign(t, late, body, time.Now())
	f.expect(f.send(late), "InvalidSignatureException", "")
	timely := f.request("ListKeys", body)
	sign(t, timely, body, time.Now().Add(24*time.Hour))
	f.expect(f.send(timely), "", "")
}

// TestPresignedRequests shows that signatures in the query are not signatures here.
func TestPresignedRequests(t *testing.T) {
	f := newFixture(t)
	r := f.request("ListKeys", "{}")
	credentials := aws.Credentials{AccessKeyID: "localkms", SecretAccessKey: "localkms"}
	url, _, err := v4.NewSigner().PresignHTTP(t.Context(), credentials, r, strings.Repeat("0", 64), "kms", "us-east-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	presigned := f.request("ListKeys", "{}")
	if presigned.URL, err = presigned.URL.Parse(url); err != nil {
		t.Fatal(err)
	}
	f.expect(f.send(presigned), "MissingAuthenticationTokenException", "")
}
