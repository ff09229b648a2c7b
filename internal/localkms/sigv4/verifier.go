package sigv4

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"time"
)

const (
	service    = "kms"
	terminator = "aws4_request"
	dateFormat = "20060102T150405Z"
	// skew is how far a signature's date may be from the clock.
	skew = 5 * time.Minute
)

// Credential is what a principal signs with.
type Credential struct {
	AccessKeyID     string
	SecretAccessKey string
	// SessionToken makes the credential a temporary one: requests have to present it. Default: none, and requests must
	// not present any.
	SessionToken string
	// ExpiresAt is when the session ends. Default: never.
	ExpiresAt time.Time
}

// Options configures a [Verifier].
type Options struct {
	// Credentials are those that may sign. Where two have one access key ID, the later counts.
	Credentials []Credential
	// ValidRegion tells whether requests may be signed for a Region. It is called concurrently. Required.
	ValidRegion func(region string) bool
	// Now is the clock that dates of signatures and ends of sessions are compared with. It is called concurrently.
	// Required.
	Now func() time.Time
	// ExactHeaders takes only requests that sign content-type, host, x-amz-date and x-amz-target and nothing else, as
	// QKMS's own SDK does. That leaves no place for a session token: a credential with one never verifies.
	ExactHeaders bool
}

// Verifier verifies signatures. It never changes, and is safe for concurrent use.
type Verifier struct {
	credentials map[string]Credential
	// nobody stands in for the credential of an unknown access key.
	nobody       Credential
	service      string
	validRegion  func(string) bool
	now          func() time.Time
	exactHeaders bool
}

// New makes a verifier.
func New(o Options) *Verifier {
	v := &Verifier{
		credentials:  make(map[string]Credential, len(o.Credentials)),
		nobody:       Credential{SecretAccessKey: rand.Text()},
		service:      service,
		validRegion:  o.ValidRegion,
		now:          o.Now,
		exactHeaders: o.ExactHeaders,
	}
	for _, c := range o.Credentials {
		v.credentials[c.AccessKeyID] = c
	}
	return v
}

// Identity is who signed a request, and for where.
type Identity struct {
	AccessKeyID string
	// Region is that of the credential scope.
	Region string
}

// Verify tells who signed r, whose body was read already. Its error is an [*Error].
func (v *Verifier) Verify(r *http.Request, body []byte) (Identity, error) {
	auth, err := parseAuthorization(r.Header)
	if err != nil {
		return Identity{}, err
	}
	if err := v.checkScope(auth); err != nil {
		return Identity{}, err
	}
	if err := v.checkSignedHeaders(auth, r.Header); err != nil {
		return Identity{}, err
	}
	if err := v.checkSigner(auth, r, body); err != nil {
		return Identity{}, err
	}
	return Identity{AccessKeyID: auth.accessKeyID, Region: auth.region}, nil
}

// checkSigner does all of the work before it looks at any of the results.
func (v *Verifier) checkSigner(auth authorization, r *http.Request, body []byte) error {
	credential, known := v.credentials[auth.accessKeyID]
	if !known {
		credential = v.nobody
	}
	now := v.now()
	signed := hmac.Equal(auth.signature, auth.sign(credential.SecretAccessKey, canonicalRequest(r, auth, body)))
	sameToken := equalSecrets(r.Header.Get(tokenHeader), credential.SessionToken)
	switch {
	case !known:
		return &Error{UnrecognizedClient, invalidToken}
	case !sameToken:
		return &Error{InvalidToken, invalidToken}
	case !credential.ExpiresAt.IsZero() && !now.Before(credential.ExpiresAt):
		return &Error{ExpiredToken, "The security token included in the request is expired"}
	case now.Sub(auth.date) > skew:
		return outsideWindow(Expired, "Signature expired: %s is now earlier than %s (%s - 5 min.)", auth.date, now, -skew)
	case auth.date.Sub(now) > skew:
		return outsideWindow(NotYetCurrent, "Signature not yet current: %s is still later than %s (%s + 5 min.)", auth.date, now, skew)
	case !signed:
		return &Error{SignatureMismatch, "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
	}
	return nil
}

// equalSecrets compares digests, so that not even the length of the expected one shows.
func equalSecrets(presented, expected string) bool {
	p, e := sha256.Sum256([]byte(presented)), sha256.Sum256([]byte(expected))
	return subtle.ConstantTimeCompare(p[:], e[:]) == 1
}
