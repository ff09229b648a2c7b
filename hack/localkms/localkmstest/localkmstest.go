// Package localkmstest runs the local KMS inside Go tests, those of other modules too: a KMS for keys with imported
// material that speaks the protocol of AWS KMS or QKMS, in the memory of the test.
//
//	func TestRotation(t *testing.T) {
//		kms := localkmstest.Start(t, localkmstest.Options{})
//		... a client with the endpoint kms.URL, the Region kms.Region, and kms.AccessKeyID with kms.SecretAccessKey
//	}
//
// [Start] serves on a loopback address until the test ends. [New] makes the [net/http.Handler] alone, for a server of
// one's own. Material, import tokens and deletion windows follow [Options].Now, so that a test can move a year ahead at
// once; signatures are judged by the wall clock. Tests that start many servers share one [WrappingKeys], which saves the
// generation of RSA keys.
//
// The server itself is in a package that only this module can import; what is needed to use it has a name here. The
// manual is docs/localkms.md. The package changes with the services that it plays: pin a version.
package localkmstest

import (
	"net/http/httptest"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// A Server is a local KMS that is being served.
type Server struct {
	// URL is its endpoint: http, on a loopback address.
	URL string
	// Region is one that requests may be signed for.
	Region string
	// AccessKeyID and SecretAccessKey may sign requests. SessionToken has to come with them where it is set.
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	// Handler is what is served.
	Handler *Handler
}

// Start serves a local KMS until the test, with its subtests, has ended. It fails the test where the options make no
// sense.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	handler, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		_ = handler.Close() // first, for requests that wait for a wrapping key; never fails
		server.Close()
	})
	s := &Server{
		URL: server.URL, Region: DefaultRegion, Handler: handler,
		AccessKeyID: DefaultAccessKeyID, SecretAccessKey: DefaultSecretAccessKey,
	}
	if len(options.Regions) > 0 {
		s.Region = options.Regions[0]
	}
	if len(options.Principals) > 0 {
		first := options.Principals[0]
		s.AccessKeyID, s.SecretAccessKey, s.SessionToken = first.AccessKeyID, first.SecretAccessKey, first.SessionToken
	}
	return s
}

// New makes a server without keys. It fails only where the options make no sense.
func New(options Options) (*Handler, error) { return localkms.New(options) }
