package awskms

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// ParseEndpoint checks the URL of a KMS endpoint and strips its trailing slashes, behind which an endpoint may answer
// with a redirect. Whoever answers there receives material wrapped under a key of its own choosing, so the URL is
// https, or http to an IPv4 loopback address. Errors are one sentence and never repeat the URL, which may hold a
// password.
func ParseEndpoint(raw string) (string, error) {
	endpoint, err := url.Parse(raw)
	if err != nil || endpoint.Host == "" {
		return "", errors.New("the endpoint must be a URL such as https://kms.eu-west-1.amazonaws.com")
	}
	for _, check := range []func(*url.URL) error{checkParts, checkHost, checkScheme} {
		if err := check(endpoint); err != nil {
			return "", err
		}
	}
	return strings.TrimRight(endpoint.String(), "/"), nil
}

func checkParts(endpoint *url.URL) error {
	if endpoint.User != nil {
		return errors.New("the endpoint must not hold a user name or password: credentials come from the AWS credential chain")
	}
	if endpoint.RawQuery != "" || endpoint.ForceQuery || endpoint.Fragment != "" {
		return errors.New("the endpoint must not hold a query or a fragment")
	}
	return nil
}

func checkHost(endpoint *url.URL) error {
	if strings.HasPrefix(endpoint.Host, "[") {
		return errors.New("the endpoint must name its host or hold an IPv4 address: the AWS SDK takes no IPv6 address")
	}
	if smithyhttp.ValidateEndpointHost(endpoint.Host) != nil || endpoint.Port() == "0" {
		return errors.New("the endpoint must be a URL with a valid host name and port")
	}
	return nil
}

func checkScheme(endpoint *url.URL) error {
	switch {
	case endpoint.Scheme == "https":
		return nil
	case endpoint.Scheme != "http":
		return errors.New("the endpoint must be an https URL, or http with a loopback address such as http://127.0.0.1:4566")
	case strings.EqualFold(endpoint.Hostname(), "localhost"):
		return errors.New("an http endpoint must name the loopback address itself: " +
			"use 127.0.0.1 instead of localhost, a name that can be made to resolve elsewhere")
	case !isLoopback(endpoint.Hostname()):
		return errors.New("the endpoint must be an https URL: " +
			"http is for loopback addresses, 127.0.0.0/8, alone")
	default:
		return nil
	}
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
