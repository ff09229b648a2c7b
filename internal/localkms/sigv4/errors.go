package sigv4

import (
	"fmt"
	"time"
)

// invalidToken is AWS's sentence for an unknown access key as for a wrong token.
const invalidToken = "The security token included in the request is invalid."

// Kind classifies failures.
type Kind int

// The kinds, in the order in which a request meets them.
const (
	// Missing: there is no Authorization header.
	Missing Kind = iota + 1
	// Malformed: what is there cannot be read: the algorithm, the credential, the signature or the date.
	Malformed
	// Incomplete: a parameter of the Authorization header, or the X-Amz-Date header, is missing.
	Incomplete
	// ScopeMismatch: the credential is scoped to another Region, service, terminator or day.
	ScopeMismatch
	// UnsignedHeader: a header that decides about the request was not signed.
	UnsignedHeader
	// UnexpectedHeaders: other headers were signed than [Options.ExactHeaders] names.
	UnexpectedHeaders
	// UnrecognizedClient: there is no such access key.
	UnrecognizedClient
	// InvalidToken: the session token is another, or missing, or one where there is none.
	InvalidToken
	// ExpiredToken: the session is over.
	ExpiredToken
	// Expired: the signature is more than five minutes old.
	Expired
	// NotYetCurrent: the signature is more than five minutes ahead.
	NotYetCurrent
	// SignatureMismatch: the signature is of another request, or made with another secret.
	SignatureMismatch
)

// Error is why a request was refused.
type Error struct {
	// Kind is for programs.
	Kind Kind
	// Message is for people: AWS's sentence. It holds no secret, and little of the request.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

func newError(kind Kind, format string, args ...any) error {
	return &Error{kind, fmt.Sprintf(format, args...)}
}

// outsideWindow names the date of the signature, the edge of the window and the clock that it is seen from.
func outsideWindow(kind Kind, format string, date, now time.Time, edge time.Duration) error {
	stamp := func(t time.Time) string { return t.UTC().Format(dateFormat) }
	return newError(kind, format, stamp(date), stamp(now.Add(edge)), stamp(now))
}
