package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// TestRun starts the command on a port of its own choosing, uses it, and stops it.
func TestRun(t *testing.T) {
	addressFile := filepath.Join(t.TempDir(), "address")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stderr bytes.Buffer
	greeting, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{
			"--listen=127.0.0.1:0", "--address-file=" + addressFile, "--region=eu-west-1", "--account-id=000000000042",
			"--access-key-id=me", "--secret-access-key=mine",
		}, stdout, &stderr)
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
	url := "http://" + strings.TrimSpace(string(written))
	for _, want := range []string{url, "AWS_ACCESS_KEY_ID='me'", "AWS_SECRET_ACCESS_KEY='mine'", "AWS_REGION='eu-west-1'"} {
		if !strings.Contains(string(printed[:n]), want) {
			t.Errorf("greeting lacks %s:\n%s", want, printed[:n])
		}
	}

	client := kms.New(kms.Options{
		Region: "eu-west-1", BaseEndpoint: &url, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("me", "mine", ""),
	})
	created, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:kms:eu-west-1:000000000042:key/"; !strings.HasPrefix(*created.KeyMetadata.Arn, want) {
		t.Errorf("ARN %s, want %s...", *created.KeyMetadata.Arn, want)
	}
	health, err := http.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = health.Body.Close()
	if health.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", health.Status)
	}

	stop()
	if err := <-ended; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if _, err := os.Stat(addressFile); !os.IsNotExist(err) {
		t.Errorf("the address file outlives the server: %v", err)
	}
	if log := stderr.String(); !strings.Contains(log, "operation=CreateKey") || strings.Contains(log, "mine") {
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

func TestHelp(t *testing.T) {
	var stdout bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &stdout, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`--listen address`, `(default "127.0.0.1:4566")`, "--address-file file", "--region region", `(default "us-east-1")`,
		"--account-id account", `(default "111122223333")`, "--access-key-id ID", "--secret-access-key secret",
		"--import-token-ttl duration", "(default 24h0m0s)",
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
		"unknown flag":   {reason: "pflag says so", args: []string{"--what"}, want: "unknown flag: --what"},
		"argument":       {reason: "there are none", args: []string{"what"}, want: `unexpected argument "what": see --help`},
		"account":        {reason: "the package says so", args: []string{"--account-id=1"}, want: `configure local KMS: account ID "1" is not 12 digits`},
		"TTL":            {reason: "tokens live", args: []string{"--import-token-ttl=0s"}, want: "--import-token-ttl must be positive, not 0s"},
		"no credentials": {reason: "nobody could sign", args: []string{"--secret-access-key="}, want: "--access-key-id and --secret-access-key must not be empty"},
		"address":        {reason: "the net package says so", args: []string{"--listen=127.0.0.1:99999"}, want: "listen tcp: address 99999: invalid port"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), c.args, io.Discard, io.Discard)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestWarning(t *testing.T) {
	for address, warns := range map[string]bool{"127.0.0.1:1": false, "[::1]:1": false, "0.0.0.0:1": true, "192.0.2.1:1": true, "[::]:1": true} {
		var stderr bytes.Buffer
		new(config).greet(io.Discard, &stderr, address)
		if got := strings.Contains(stderr.String(), "warning: listening on "+address); got != warns {
			t.Errorf("%s: %q", address, stderr.String())
		}
	}
}
