package localkms

import (
	"errors"
	"net/http"
	"strings"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/sigv4"
)

func newVerifier(o Options, isRegion func(string) bool) *sigv4.Verifier {
	credentials := make([]sigv4.Credential, len(o.Principals))
	for i, p := range o.Principals {
		credentials[i] = sigv4.Credential{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey, SessionToken: p.SessionToken}
	}
	return sigv4.New(sigv4.Options{
		Credentials: credentials, ValidRegion: isRegion, Now: o.SigningNow, ExactHeaders: o.StrictSigning,
	})
}

// authenticate finds out who sent a request, and for which Region.
func (s *Server) authenticate(c *call, r *http.Request, body []byte) error {
	identity, err := s.signatures.Verify(r, body)
	if err != nil {
		return s.rules.errUnauthenticated(err)
	}
	// A copy, because keys remember it: what it is cut out of is the whole header.
	c.principal, c.region = s.principals[identity.AccessKeyID], strings.Clone(identity.Region)
	if s.rules.isQKMS() {
		c.region = DefaultRegion
	}
	return nil
}

// errUnauthenticated gives a failure the code of the dialect. QKMS has one for all, and one text is known.
func (r rules) errUnauthenticated(err error) error {
	failure, ok := errors.AsType[*sigv4.Error](err)
	switch {
	case !ok:
		return err
	case r.isQKMS() && (failure.Kind == sigv4.Missing || failure.Kind == sigv4.Incomplete):
		return clientError(r.accessDeniedCode(), "Request is missing required authentication parameters")
	case r.isQKMS():
		return clientError(r.accessDeniedCode(), "%s", failure.Message)
	}
	return clientError(authenticationCode(failure.Kind), "%s", failure.Message)
}

func authenticationCode(kind sigv4.Kind) string {
	switch kind {
	case sigv4.Missing:
		return "MissingAuthenticationTokenException"
	case sigv4.Malformed, sigv4.Incomplete:
		return "IncompleteSignatureException"
	case sigv4.UnrecognizedClient, sigv4.InvalidToken:
		return "UnrecognizedClientException"
	case sigv4.ExpiredToken:
		return "ExpiredTokenException"
	case sigv4.ScopeMismatch, sigv4.UnsignedHeader, sigv4.UnexpectedHeaders, sigv4.Expired, sigv4.NotYetCurrent, sigv4.SignatureMismatch:
	}
	return "InvalidSignatureException"
}
