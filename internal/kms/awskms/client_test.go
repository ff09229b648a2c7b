package awskms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/logging"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// One attempt at what has an effect or a scarce quota, a few at a look: whatever fails, whatever the environment asks.
func TestAttempts(t *testing.T) {
	failures := map[string]struct {
		reason string
		answer http.HandlerFunc
		reads  int
	}{
		"500":           {"the SDK retries it by default", answering(500, `{"__type":"KMSInternalException","message":"x"}`), 3},
		"503 page":      {"the SDK retries it by default", answering(503, `busy`), 3},
		"throttled":     {"the SDK retries it by default", answering(400, `{"__type":"ThrottlingException","message":"x"}`), 3},
		"limit":         {"the SDK retries it by default", answering(400, `{"__type":"LimitExceededException","message":"x"}`), 3},
		"dropped":       {"the SDK retries it by default", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3},
		"clock skew":    {"the SDK signs again with the server's time", skewed(`{"__type":"InvalidSignatureException","message":"x"}`), 2},
		"skewed denial": {"the SDK takes it for clock skew", skewed(`{"__type":"AccessDeniedException","message":"x"}`), 2},
		"refused":       {"retrying cannot help", answering(400, `{"__type":"NotFoundException","message":"x"}`), 1},
	}
	isolate(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "7")
	t.Setenv("AWS_RETRY_MODE", "adaptive")
	for name, tc := range failures {
		t.Run(name, func(t *testing.T) {
			for operation, call := range calls(t) {
				want := 1
				if operation == "DescribeKey" {
					want = tc.reads
				}
				fake := newFakeKMS(t, tc.answer)
				if err := call(context.Background(), build(t, Config{Endpoint: fake.URL})); err == nil {
					t.Errorf("%s succeeded", operation)
				}
				if got := len(fake.exchanges()); got != want {
					t.Errorf("%s: %s was sent %d times, want %d", tc.reason, operation, got, want)
				}
			}
		})
	}
}

// skewed answers with a Date an hour off.
func skewed(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		answering(400, body)(w, r)
	}
}

// A connection that the endpoint drops after it took a request: net/http sends some requests again by itself.
func TestImportIsNotSentAgainOnADroppedConnection(t *testing.T) {
	answered := false
	service, fake := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if answered {
			panic(http.ErrAbortHandler)
		}
		answered = true
		answering(200, "{}")(w, r)
	})
	if _, err := service.ImportKeyMaterial(context.Background(), permanentImport(t)); err != nil {
		t.Fatal(err)
	}
	_, err := service.ImportKeyMaterial(context.Background(), permanentImport(t)) // on the same connection
	kmsError, ok := kms.AsError(err)
	if !ok || kmsError.Class != "Unreachable" || !kmsError.OutcomeUnknown() {
		t.Errorf("error %v", err)
	}
	if got := len(fake.exchanges()); got != 2 {
		t.Errorf("%d requests for two imports", got)
	}
}

func TestALookSucceedsAtTheSecondAttempt(t *testing.T) {
	attempts := 0
	service, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		attempts++
		if attempts == 1 {
			answering(500, `{"__type":"KMSInternalException"}`)(w, r)
			return
		}
		answering(200, `{"KeyMetadata":{"Arn":"`+testARN+`"}}`)(w, r)
	})
	if key, err := service.DescribeKey(context.Background(), testARN); err != nil || key.ARN != testARN {
		t.Errorf("got %v, %v", key, err)
	}
}

// Whoever can set a variable or a profile must not be able to say where material goes.
func TestConfiguredEndpointsAreIgnored(t *testing.T) {
	decoy := newFakeKMS(t, answering(200, "{}"))
	chosen := newFakeKMS(t, answering(200, "{}"))
	profile := filepath.Join(t.TempDir(), "config")
	text := "[default]\nregion = eu-west-1\nendpoint_url = " + decoy.URL + "\nservices = decoy\n" +
		"[services decoy]\nkms =\n  endpoint_url = " + decoy.URL + "\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environments := map[string]map[string]string{
		"AWS_ENDPOINT_URL_KMS": {"AWS_ENDPOINT_URL_KMS": decoy.URL},
		"AWS_ENDPOINT_URL":     {"AWS_ENDPOINT_URL": decoy.URL},
		"both":                 {"AWS_ENDPOINT_URL_KMS": decoy.URL, "AWS_ENDPOINT_URL": decoy.URL},
		"profile":              {"AWS_CONFIG_FILE": profile},
		"FIPS and dual stack":  {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
	}
	for name, environment := range environments {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			for variable, value := range environment {
				t.Setenv(variable, value)
			}
			before := len(chosen.exchanges())
			if _, err := build(t, Config{Endpoint: chosen.URL}).ImportKeyMaterial(context.Background(), permanentImport(t)); err != nil {
				t.Error(err)
			}
			if len(chosen.exchanges()) != before+1 {
				t.Error("the chosen endpoint was not asked")
			}
			want := "kms.eu-west-1.amazonaws.com"
			if name == "FIPS and dual stack" { // a choice among AWS's own endpoints, and so the environment's to make
				want = "kms-fips.eu-west-1.api.aws"
			}
			if got := hostAsked(t); got != want {
				t.Errorf("without an endpoint, %s was asked", got)
			}
			if len(decoy.exchanges()) != 0 {
				t.Error("the endpoint of the environment was asked")
			}
		})
	}
}

// hostAsked is where a Service without an endpoint sends an import.
func hostAsked(t *testing.T) string {
	t.Helper()
	var host string
	service := build(t, Config{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Host
		if r.URL.Scheme != "https" {
			t.Errorf("asked %s", r.URL)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	})})
	if _, err := service.ImportKeyMaterial(context.Background(), permanentImport(t)); err != nil {
		t.Fatal(err)
	}
	return host
}

func TestEndpointPathAndSlashes(t *testing.T) {
	fake := newFakeKMS(t, answering(200, "{}"))
	for suffix, want := range map[string]string{"": "/", "/": "/", "//": "/", "/kms": "/kms", "/kms//": "/kms"} {
		_, err := newTestService(t, Config{Endpoint: fake.URL + suffix}).ImportKeyMaterial(context.Background(), permanentImport(t))
		if err != nil {
			t.Fatal(err)
		}
		seen := fake.exchanges()
		if got := seen[len(seen)-1].path; got != want {
			t.Errorf("endpoint with %q asks for %q, want %q", suffix, got, want)
		}
	}
}

func TestNothingIsLogged(t *testing.T) {
	options := newTestService(t, Config{}).client.Options()
	if options.ClientLogMode != 0 || options.Logger != (logging.Nop{}) {
		t.Errorf("log mode %v to %T", options.ClientLogMode, options.Logger)
	}
	if options.Retryer.MaxAttempts() != 1 || options.Retryer != (aws.NopRetryer{}) {
		t.Errorf("%d attempts by %T", options.Retryer.MaxAttempts(), options.Retryer)
	}
}

func TestRegion(t *testing.T) {
	cases := map[string]struct {
		reason      string
		region      string
		environment map[string]string
		want        string
	}{
		"given":                   {"what is configured wins", "eu-west-1", map[string]string{"AWS_REGION": "us-east-1"}, "kms.eu-west-1.amazonaws.com"},
		"AWS_REGION":              {"as in every AWS tool", "", map[string]string{"AWS_REGION": "us-east-1"}, "kms.us-east-1.amazonaws.com"},
		"AWS_DEFAULT_REGION":      {"as in every AWS tool", "", map[string]string{"AWS_DEFAULT_REGION": "us-east-1"}, "kms.us-east-1.amazonaws.com"},
		"China":                   {"other partitions have other domains", "cn-north-1", nil, "kms.cn-north-1.amazonaws.com.cn"},
		"one that is yet to come": {"Regions are AWS's to add", "eu-north-9", nil, "kms.eu-north-9.amazonaws.com"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			for variable, value := range tc.environment {
				t.Setenv(variable, value)
			}
			var host string
			service, err := New(context.Background(), Config{
				Region: tc.region, Credentials: testCredentials(), Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					host = r.URL.Host
					return nil, errors.New("seen enough")
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = service.ImportKeyMaterial(context.Background(), permanentImport(t))
			if host != tc.want {
				t.Errorf("%s: asked %q, want %q", tc.reason, host, tc.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	isolate(t)
	if _, err := New(context.Background(), Config{}); !errors.Is(err, ErrNoRegion) {
		t.Errorf("without a Region: %v", err)
	}
	for _, region := range []string{"eu west 1", "evil.example/", "evil.example#", "eu-west-1.evil"} {
		_, err := New(context.Background(), Config{Region: region})
		if want := fmt.Sprintf("%q is not the name of an AWS Region such as eu-west-1", region); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	_, err := New(context.Background(), Config{Region: "eu-west-1", Endpoint: "http://kms.example"})
	if err == nil || err.Error() != "the endpoint must be an https URL: http is for loopback addresses, 127.0.0.0/8, alone" {
		t.Errorf("error %v", err)
	}
	t.Setenv("AWS_CA_BUNDLE", filepath.Join(t.TempDir(), "none"))
	if _, err := New(context.Background(), Config{Region: "eu-west-1"}); err == nil || !strings.HasPrefix(err.Error(), "load AWS configuration: ") {
		t.Errorf("with a CA bundle that is not there: %v", err)
	}
}

// The endpoint's certificate may come from the CA that AWS_CA_BUNDLE names.
func TestCABundleOfTheEnvironment(t *testing.T) {
	isolate(t)
	server, bundle := newTLSServer(t)
	t.Setenv("AWS_CA_BUNDLE", bundle)
	if _, err := build(t, Config{Endpoint: server}).ImportKeyMaterial(context.Background(), permanentImport(t)); err != nil {
		t.Error(err)
	}
}
