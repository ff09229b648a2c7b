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

// TestAuthenticationFailures sends what package sigv4 tells apart, and checks the codes.
func TestAuthenticationFailures(t *testing.T) {
	f := newFixture(t)
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
		"untouched":         {reason: "the base"},
		"query":             {reason: "part of what is signed", before: func(r *http.Request) { r.URL.RawQuery = "b=2%2F%20&a=1&a=0&a-=~" }},
		"unsigned harmless": {reason: "proxies add headers", after: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "x") }},
		"missing":           {reason: "no Authorization", after: func(r *http.Request) { r.Header.Del("Authorization") }, code: "MissingAuthenticationTokenException", message: "Missing Authentication Token"},
		"malformed":         {reason: "not SigV4", after: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, code: "IncompleteSignatureException"},
		"incomplete":        {reason: "a parameter missing", after: edit("Authorization", "Signature=", "Sig="), code: "IncompleteSignatureException", message: "Authorization header requires 'Signature' parameter."},
		"other Region":      {reason: "scope", after: edit("Authorization", "us-east-1", "nowhere"), code: "InvalidSignatureException", message: "Credential should be scoped to a valid region, not 'nowhere'."},
		"target not signed": {reason: "it decides what happens", after: edit("Authorization", ";x-amz-target", ""), code: "InvalidSignatureException", message: "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization."},
		"other access key":  {reason: "unknown", after: edit("Authorization", "localkms", "stranger"), code: "UnrecognizedClientException", message: "The security token included in the request is invalid."},
		"session token":     {reason: "these credentials have none", before: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, code: "UnrecognizedClientException"},
		"six minutes old":   {reason: "over five", at: -6 * time.Minute, code: "InvalidSignatureException"},
		"six minutes ahead": {reason: "over five", at: 6 * time.Minute, code: "InvalidSignatureException"},
		"other target":      {reason: "the header is signed", after: edit("X-Amz-Target", "DescribeKey", "EnableKey"), code: "InvalidSignatureException", message: "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."},
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
	f := newFixture(t, func(o *localkms.Options) {
		o.Principals = []localkms.Principal{{AccessKeyID: "alice", SecretAccessKey: "secret/+A"}, {AccessKeyID: "bob", SecretAccessKey: "b"}}
	})
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
