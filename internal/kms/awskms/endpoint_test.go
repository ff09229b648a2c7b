package awskms

import (
	"strings"
	"testing"
)

func TestParseEndpointAccepts(t *testing.T) {
	cases := map[string]struct {
		reason string
		raw    string
		want   string
	}{
		"AWS":              {"an endpoint of AWS", "https://kms.eu-west-1.amazonaws.com", "https://kms.eu-west-1.amazonaws.com"},
		"trailing slash":   {"stripped", "https://qkms.quilibrium.com/", "https://qkms.quilibrium.com"},
		"trailing slashes": {"all of them: // is answered with a redirect", "https://qkms.quilibrium.com///", "https://qkms.quilibrium.com"},
		"path":             {"a gateway may serve the KMS below a path", "https://gateway.example/kms/", "https://gateway.example/kms"},
		"port":             {"any port", "https://kms.example:8443", "https://kms.example:8443"},
		"https to an IP":   {"TLS checks whom it talks to", "https://192.0.2.1", "https://192.0.2.1"},
		"https localhost":  {"TLS checks whom it talks to", "https://localhost:4566", "https://localhost:4566"},
		"upper case":       {"schemes ignore case", "HTTPS://kms.example", "https://kms.example"},
		"http 127.0.0.1":   {"never leaves the machine", "http://127.0.0.1:4566", "http://127.0.0.1:4566"},
		"http 127.8.9.10":  {"the whole 127.0.0.0/8 is loopback", "http://127.8.9.10:4566/", "http://127.8.9.10:4566"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEndpoint(tc.raw)
			if err != nil || got != tc.want {
				t.Errorf("%s: got %q, %v, want %q", tc.reason, got, err, tc.want)
			}
		})
	}
}

func TestParseEndpointRefuses(t *testing.T) {
	const (
		notURL      = "the endpoint must be a URL such as https://kms.eu-west-1.amazonaws.com"
		badHost     = "the endpoint must be a URL with a valid host name and port"
		ipv6        = "the endpoint must name its host or hold an IPv4 address: the AWS SDK takes no IPv6 address"
		userinfo    = "the endpoint must not hold a user name or password: credentials come from the AWS credential chain"
		query       = "the endpoint must not hold a query or a fragment"
		notHTTPS    = "the endpoint must be an https URL, or http with a loopback address such as http://127.0.0.1:4566"
		localhost   = "an http endpoint must name the loopback address itself: use 127.0.0.1 instead of localhost, a name that can be made to resolve elsewhere"
		notLoopback = "the endpoint must be an https URL: http is for loopback addresses, 127.0.0.0/8, alone"
	)
	cases := map[string]struct {
		reason string
		raw    string
		want   string
	}{
		"empty":               {"absence is the caller's case", "", notURL},
		"host only":           {"no scheme", "kms.eu-west-1.amazonaws.com", notURL},
		"host and port":       {"parses as scheme kms.example", "kms.example:443", notURL},
		"no host":             {"nothing to talk to", "https:///kms", notURL},
		"opaque":              {"no authority", "https:kms.example", notURL},
		"space":               {"no host name", "https://kms example", notURL},
		"control character":   {"no URL", "https://kms.example\n", notURL},
		"bad port":            {"no such port", "https://kms.example:65536", badHost},
		"port 0":              {"no such port", "https://kms.example:0", badHost},
		"empty port":          {"cut off", "https://kms.example:", badHost},
		"bad host label":      {"the SDK would refuse it at every call", "https://kms_1!.example", badHost},
		"password":            {"it would end up in logs", "https://me:hunter2@kms.example", userinfo},
		"user name":           {"a host disguised as one", "https://kms.eu-west-1.amazonaws.com@evil.example", userinfo},
		"query":               {"would be signed into each request", "https://kms.example?async=1", query},
		"empty query":         {"cut off", "https://kms.example?", query},
		"fragment":            {"never sent", "https://kms.example#x", query},
		"other scheme":        {"no such protocol", "ftp://kms.example", notHTTPS},
		"unix socket":         {"no such protocol", "unix://kms.example/run/kms.sock", notHTTPS},
		"http to a name":      {"who answers is anybody's guess", "http://kms.example", notLoopback},
		"http to an IP":       {"the network between is anybody's", "http://10.0.0.1", notLoopback},
		"http to localhost":   {"a name, whoever resolves it", "http://localhost:4566", localhost},
		"http to Localhost":   {"names ignore case", "http://LOCALHOST:4566", localhost},
		"http to 0.0.0.0":     {"not a loopback address", "http://0.0.0.0:4566", notLoopback},
		"http to a lookalike": {"a name that begins like an address", "http://127.0.0.1.evil.example", notLoopback},
		"http to 127.1":       {"a spelling that some resolvers take and some do not", "http://127.1:4566", notLoopback},
		"http to ::1":         {"the SDK refuses it at every call; at start it can be told", "http://[::1]:4566", ipv6},
		"https to IPv6":       {"the SDK refuses it at every call", "https://[2001:db8::1]", ipv6},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEndpoint(tc.raw)
			if err == nil || err.Error() != tc.want || got != "" {
				t.Errorf("%s: got %q, %v, want error %s", tc.reason, got, err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error repeats a password")
			}
		})
	}
}
