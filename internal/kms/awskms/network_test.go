package awskms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// The text may hold no address, no port and nothing else that changes from one attempt to the next.
func TestNetworkCauses(t *testing.T) {
	dial := func(err error) error {
		source := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 54321}
		return &net.OpError{Op: "dial", Net: "tcp", Source: source, Addr: source, Err: err}
	}
	unverified := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	cases := map[string]struct {
		reason string
		err    error
		want   string
	}{
		"refused":           {"nobody listens", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "connection refused"},
		"reset":             {"cut off", dial(os.NewSyscallError("read", syscall.ECONNRESET)), "connection reset"},
		"broken pipe":       {"cut off", dial(os.NewSyscallError("write", syscall.EPIPE)), "connection reset"},
		"no route":          {"the network says no", dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "no route to host"},
		"no network":        {"the network says no", dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), "no route to host"},
		"dial time-out":     {"nobody answers", dial(os.ErrDeadlineExceeded), "time-out"},
		"closed":            {"cut off", io.EOF, "the connection was closed before the answer was complete"},
		"no such host":      {"a typing error", dial(&net.DNSError{Err: "no such host", Name: "kms.example", Server: "10.0.0.2:53", IsNotFound: true}), "no such host"},
		"DNS time-out":      {"the resolver's fault", dial(&net.DNSError{IsTimeout: true, Server: "10.0.0.2:53"}), "time-out while resolving the host name"},
		"DNS failure":       {"the resolver's fault", dial(&net.DNSError{Err: "server misbehaving", IsTemporary: true}), "the host name could not be resolved"},
		"unknown authority": {"a private CA", unverified(x509.UnknownAuthorityError{}), "TLS: certificate signed by unknown authority"},
		"other host":        {"another's certificate", unverified(x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}), "TLS: the certificate is not for this host name"},
		"expired":           {"out of date", unverified(x509.CertificateInvalidError{Reason: x509.Expired}), "TLS: the certificate has expired or is not valid yet"},
		"not a server":      {"made for something else", unverified(x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}), "TLS: the certificate is not valid"},
		"no TLS":            {"another protocol", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, "TLS: the endpoint does not speak TLS"},
		"plain HTTP":        {"http behind an https URL", http.ErrSchemeMismatch, "TLS: the endpoint does not speak TLS"},
		"alert":             {"no version in common", tls.AlertError(70), "TLS: the endpoint refused the handshake"},
		"anything else":     {"a fixed text for what nobody thought of", errors.New("malformed HTTP status code \"0x7f3a\""), "no answer"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service := newTestService(t, Config{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, tc.err })})
			_, err := service.ImportKeyMaterial(context.Background(), permanentImport(t))
			assertError(t, err, "Unreachable", "ImportKeyMaterial: "+tc.want, true)
			if _, interrupted := errors.AsType[*interruptedError](err); interrupted {
				t.Errorf("%s, and not the caller's doing", tc.reason)
			}
		})
	}
}

// The same causes from a real network, as far as a loopback interface has them.
func TestRealNetworkCauses(t *testing.T) {
	plain := newFakeKMS(t, answering(200, "{}"))
	secure := httptest.NewUnstartedServer(answering(200, "{}"))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake that fails is the client's choice
	secure.StartTLS()
	t.Cleanup(secure.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	half := newFakeKMS(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"KeyId":"`)
	})
	none := newFakeKMS(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	cases := map[string]struct {
		reason   string
		endpoint string
		want     string
	}{
		"closed port":      {"nobody listens", closed.URL, "connection refused"},
		"self-signed":      {"the system does not know the authority", secure.URL, "TLS: certificate signed by unknown authority"},
		"no TLS":           {"https URL of an http server", strings.Replace(plain.URL, "http:", "https:", 1), "TLS: the endpoint does not speak TLS"},
		"dropped":          {"after the request, before the answer", none.URL, "the connection was closed before the answer was complete"},
		"dropped midway":   {"in the middle of the answer", half.URL, "the connection was closed before the answer was complete"},
		"no such endpoint": {"names under .invalid never resolve", "https://kms.invalid", ""},
	}
	isolate(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := build(t, Config{Endpoint: tc.endpoint}).ImportKeyMaterial(context.Background(), permanentImport(t))
			if tc.want == "" { // which of its texts a resolver causes is up to the machine
				kmsError, ok := kms.AsError(err)
				if !ok || kmsError.Class != "Unreachable" || strings.ContainsAny(kmsError.Message, "0123456789") {
					t.Errorf("%s: %v", tc.reason, err)
				}
				return
			}
			assertError(t, err, "Unreachable", "ImportKeyMaterial: "+tc.want, true)
		})
	}
}

func TestDeadlines(t *testing.T) {
	if readTimeout != 10*time.Second || importTimeout != 15*time.Second {
		t.Errorf("deadlines are %s and %s, want 10s and 15s", readTimeout, importTimeout)
	}
	service, fake := serve(t, hangingUp)
	service.readTimeout, service.importTimeout = 50*time.Millisecond, 50*time.Millisecond
	for operation, call := range calls(t) {
		err := call(context.Background(), service)
		assertError(t, err, "Unreachable", operation+": time-out", true)
	}
	if got := len(fake.exchanges()); got > 4 {
		t.Errorf("%d requests by 4 calls: a call that timed out has no time left for another attempt", got)
	}
}

func TestSlowBodyTimesOut(t *testing.T) {
	service, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "{")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	service.importTimeout = 50 * time.Millisecond
	_, err := service.ImportKeyMaterial(context.Background(), permanentImport(t))
	assertError(t, err, "Unreachable", "ImportKeyMaterial: time-out", true)
}

func TestCallersContextPassesThrough(t *testing.T) {
	cases := map[string]struct {
		reason string
		ctx    func() (context.Context, context.CancelFunc)
		cause  error
		want   string
	}{
		"cancelled before": {
			"the manager stops", func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				return ctx, cancel
			},
			context.Canceled, "the call was cancelled",
		},
		"deadline of the caller": {
			"shorter than ours", func() (context.Context, context.CancelFunc) {
				return context.WithTimeout(context.Background(), 20*time.Millisecond)
			},
			context.DeadlineExceeded, "time-out",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, _ := serve(t, hangingUp)
			for operation, call := range calls(t) {
				ctx, cancel := tc.ctx()
				err := call(ctx, service)
				assertError(t, err, "Unreachable", operation+": "+tc.want, true)
				if !errors.Is(err, tc.cause) {
					t.Errorf("%s: %v is not %v", tc.reason, err, tc.cause)
				}
				cancel()
			}
		})
	}
}

func TestCancelledDuringTheCall(t *testing.T) {
	arrived := make(chan struct{})
	service, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	for operation, call := range calls(t) {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-arrived
			cancel()
		}()
		err := call(ctx, service)
		assertError(t, err, "Unreachable", operation+": the call was cancelled", true)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v is not context.Canceled", err)
		}
	}
}

// hangingUp answers nothing until the client has gone.
func hangingUp(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// calls is each operation of the port, with input that reaches the endpoint.
func calls(t *testing.T) map[string]func(context.Context, *Service) error {
	t.Helper()
	request := permanentImport(t)
	return map[string]func(context.Context, *Service) error{
		"DescribeKey": func(ctx context.Context, s *Service) error {
			_, err := s.DescribeKey(ctx, testARN)
			return err
		},
		"GetParametersForImport": func(ctx context.Context, s *Service) error {
			_, err := s.GetParametersForImport(ctx, testARN, oaep2048)
			return err
		},
		"ImportKeyMaterial": func(ctx context.Context, s *Service) error {
			_, err := s.ImportKeyMaterial(ctx, request)
			return err
		},
		"DeleteImportedKeyMaterial": func(ctx context.Context, s *Service) error {
			_, err := s.DeleteImportedKeyMaterial(ctx, kms.DeletionRequest{KeyARN: testARN})
			return err
		},
	}
}

func TestCredentialFailures(t *testing.T) {
	refusal := &smithy.GenericAPIError{Code: "AccessDenied", Message: "Not authorized to perform sts:AssumeRoleWithWebIdentity"}
	const missing = "no AWS credentials were found: give the operator some, for example by a role for its service account " +
		"or by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	cases := map[string]struct {
		reason   string
		provider aws.CredentialsProvider
		want     string
	}{
		"empty chain":   {"what the chain of a bare machine says", nil, missing},
		"expired SSO":   {"a session that a person must renew", failing(errors.New("the SSO session has expired, request ID 1234")), missing},
		"STS refuses":   {"the role's trust policy is wrong", failing(fmt.Errorf("assume role: %w", refusal)), "the service that issues AWS credentials refused to (AccessDenied): check the role and its trust policy"},
		"odd STS codes": {"cleaned like any other code", failing(&smithy.GenericAPIError{Code: "see https://evil.example"}), missing},
	}
	isolate(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fake := newFakeKMS(t, answering(200, "{}"))
			service, err := New(context.Background(), Config{Region: "eu-west-1", Endpoint: fake.URL, Credentials: tc.provider})
			if err != nil {
				t.Fatal(err)
			}
			for operation, call := range calls(t) {
				assertError(t, call(context.Background(), service), "AccessDenied", operation+": "+tc.want, false)
			}
			if got := len(fake.exchanges()); got != 0 {
				t.Errorf("%s: %d requests were sent, unsigned", tc.reason, got)
			}
		})
	}
}

func failing(err error) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, err })
}
