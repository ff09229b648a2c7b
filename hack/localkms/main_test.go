package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// started is the command, running.
type started struct {
	address  string // where it listens
	greeting string
	stop     func() (log string)
}

// start runs the command on a port of its own choosing until stop, or the end of the test.
func start(t testing.TB, args ...string) *started {
	t.Helper()
	addressFile := filepath.Join(t.TempDir(), "address")
	ctx, cancel := context.WithCancel(context.Background())
	var stderr bytes.Buffer
	greeting, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"--listen=127.0.0.1:0", "--address-file=" + addressFile}, args...), stdout, &stderr)
		_ = stdout.Close() // ends the greeting if run ended before
		ended <- err
	}()
	printed := make([]byte, 4096) // the greeting is one write, and comes after the file
	n, err := greeting.Read(printed)
	if err != nil {
		t.Fatalf("%v, %v", err, <-ended)
	}
	written, err := os.ReadFile(addressFile)
	if err != nil {
		t.Fatal(err)
	}
	s := &started{address: strings.TrimSpace(string(written)), greeting: string(printed[:n])}
	stopped := false
	s.stop = func() string {
		if !stopped {
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("stopped with %v", err)
			}
			if _, err := os.Stat(addressFile); !os.IsNotExist(err) {
				t.Errorf("the address file outlives the server: %v", err)
			}
		}
		return stderr.String()
	}
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *started) client(change ...func(*kms.Options)) *kms.Client {
	options := kms.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://" + s.address), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("localkms", "localkms", ""),
	}
	return kms.New(options, change...)
}

func signingAs(id, secret string) func(*kms.Options) {
	return func(o *kms.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(id, secret, "") }
}

// TestRun starts the command, uses it, and stops it.
func TestRun(t *testing.T) {
	s := start(t, "--region=eu-west-1", "--account-id=000000000042", "--access-key-id=me", "--secret-access-key=mine")
	for _, want := range []string{
		"local KMS (AWS) listening on http://" + s.address, "AWS_ACCESS_KEY_ID='me'", "AWS_SECRET_ACCESS_KEY='mine'", "AWS_REGION='eu-west-1'",
	} {
		if !strings.Contains(s.greeting, want) {
			t.Errorf("greeting lacks %s:\n%s", want, s.greeting)
		}
	}
	created, err := s.client(signingAs("me", "mine")).CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:kms:eu-west-1:000000000042:key/"; !strings.HasPrefix(*created.KeyMetadata.Arn, want) {
		t.Errorf("ARN %s, want %s...", *created.KeyMetadata.Arn, want)
	}
	health, err := http.Get("http://" + s.address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = health.Body.Close()
	if health.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", health.Status)
	}
	if log := s.stop(); !strings.Contains(log, "operation=CreateKey") || strings.Contains(log, "mine") {
		t.Errorf("log: %s", log)
	}
}

// TestRunStopsAtOnce is for a signal that comes before the server serves.
func TestRunStopsAtOnce(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := run(ctx, []string{"--listen=127.0.0.1:0"}, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
}

// TestTakenAddress leaves nothing behind: neither files nor listeners.
func TestTakenAddress(t *testing.T) {
	folder := t.TempDir()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	err = run(t.Context(), []string{
		"--listen=127.0.0.1:0", "--enable-faults", "--admin-listen=" + taken.Addr().String(), "--address-file=" + folder + "/address",
	}, io.Discard, io.Discard)
	left, readErr := os.ReadDir(folder)
	if err == nil || readErr != nil || len(left) != 0 {
		t.Errorf("%v; %v, %v", err, left, readErr)
	}
}

func TestHelp(t *testing.T) {
	var stdout bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &stdout, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`--listen address`, `(default "127.0.0.1:4566")`, "--address-file file", "--region region", "(default: any)",
		"--account-id account", `(default "111122223333")`, "--access-key-id ID", "--secret-access-key secret",
		"--import-token-ttl duration", "(default 24h0m0s)", "--dialect AWS or QKMS", `(default "AWS")`,
		"  TokenReusable (AWS, QKMS)\n", "  ParametersOverMaterial (QKMS)\n",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("--help lacks %s:\n%s", want, stdout.String())
		}
	}
}

func TestBadFlags(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		args   []string
		want   string
	}{
		"unknown flag":       {reason: "pflag says so", args: []string{"--what"}, want: "unknown flag: --what"},
		"argument":           {reason: "there are none", args: []string{"what"}, want: `unexpected argument "what": see --help`},
		"account":            {reason: "the package says so", args: []string{"--account-id=1"}, want: `configure local KMS: account ID "1" is not 12 digits`},
		"dialect":            {reason: "the package says so", args: []string{"--dialect=aws"}, want: `configure local KMS: dialect "aws" is neither AWS nor QKMS`},
		"assumption":         {reason: "the package says so", args: []string{"--assume=TokenReusable,Nothing"}, want: `configure local KMS: there is no assumption "Nothing": localkms --help lists them`},
		"Region":             {reason: "the package says so", args: []string{"--region=europe"}, want: `configure local KMS: region "europe" is not a Region name such as us-east-1`},
		"no Region":          {reason: "left out it is any", args: []string{"--region="}, want: "--region must name a Region; leave it out for any"},
		"flicker of nothing": {reason: "it is within the delay", args: []string{"--propagation-flicker"}, want: "--propagation-flicker goes with --propagation-delay"},
		"TTL":                {reason: "tokens live", args: []string{"--import-token-ttl=0s"}, want: "--import-token-ttl must be positive, not 0s"},
		"no credentials":     {reason: "nobody could sign", args: []string{"--secret-access-key="}, want: "--access-key-id and --secret-access-key must not be empty"},
		"address":            {reason: "the net package says so", args: []string{"--listen=127.0.0.1:99999"}, want: "listen tcp: address 99999: invalid port"},
		"principal":          {reason: "no secret", args: []string{"--principal=arn:aws:iam::111122223333:user/a=a"}, want: "--principal must read ARN=ID:SECRET, as in arn:aws:iam::111122223333:user/ci=ci:secret"},
		"twice the same ID":  {reason: "the package says so", args: []string{"--principal=arn:aws:iam::111122223333:user/a=localkms:b"}, want: `configure local KMS: access key ID "localkms" belongs to two principals`},
		"TLS without a file": {reason: "nobody could trust it", args: []string{"--tls-self-signed"}, want: "--tls-self-signed and --tls-ca-file go together"},
		"a file without TLS": {reason: "nothing to write", args: []string{"--tls-ca-file=x"}, want: "--tls-self-signed and --tls-ca-file go together"},
		"host without TLS":   {reason: "no certificate", args: []string{"--tls-host=x"}, want: "--tls-host goes with --tls-self-signed"},
		"no faults":          {reason: "nothing to listen for", args: []string{"--admin-listen=127.0.0.1:0"}, want: "--admin-listen goes with --enable-faults"},
		"faults for all": {
			reason: "no credentials are asked for", args: []string{"--enable-faults", "--admin-listen=:4567"},
			want: `--admin-listen must be a loopback IP address such as 127.0.0.1:4567, not ":4567": whoever reaches it needs no credentials`,
		},
		"faults by name": {
			reason: "a name may resolve to anything", args: []string{"--enable-faults", "--admin-listen=localhost:4567"},
			want: `--admin-listen must be a loopback IP address such as 127.0.0.1:4567, not "localhost:4567": whoever reaches it needs no credentials`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), c.args, io.Discard, io.Discard)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// listenerAt says that it listens at an address.
type listenerAt struct {
	net.Listener
	address string
}

func (l listenerAt) Addr() net.Addr  { return l }
func (l listenerAt) Network() string { return "tcp" }
func (l listenerAt) String() string  { return l.address }

func TestWarning(t *testing.T) {
	for address, warns := range map[string]bool{"127.0.0.1:1": false, "[::1]:1": false, "0.0.0.0:1": true, "192.0.2.1:1": true, "[::]:1": true} {
		var stderr bytes.Buffer
		if err := new(config).announce(io.Discard, &stderr, &servers{kms: listenerAt{address: address}}); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(stderr.String(), "warning: listening on "+address); got != warns {
			t.Errorf("%s: %q", address, stderr.String())
		}
	}
}
