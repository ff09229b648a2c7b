package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
)

func code(err error) string {
	if failure, ok := errors.AsType[smithy.APIError](err); ok {
		return failure.ErrorCode()
	}
	return ""
}

// TestTLS calls the server as its clients will: with the CA that it wrote, by each of its names.
func TestTLS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	s := start(t, "--tls-self-signed", "--tls-ca-file="+file, "--tls-host=kms.example", "--tls-host=192.0.2.7,192.0.2.8")
	if want := " AWS_CA_BUNDLE='" + file + "'"; !strings.Contains(s.greeting, want) || !strings.Contains(s.greeting, "https://"+s.address) {
		t.Errorf("greeting lacks %s or https:\n%s", want, s.greeting)
	}
	ca, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, trusted := range map[string]bool{
		"127.0.0.1": true, "::1": true, "localhost": true, hostname: true, "kms.example": true, "192.0.2.7": true, "192.0.2.8": true,
		"other.example": false,
	} {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: name}}
		connection, err := dialer.DialContext(t.Context(), "tcp", s.address)
		if (err == nil) != trusted {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_ = connection.Close()
		}
	}
	client := s.client(func(o *kms.Options) {
		o.BaseEndpoint = aws.String("https://" + s.address)
		o.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	})
	if _, err := client.ListKeys(t.Context(), &kms.ListKeysInput{}); err != nil {
		t.Error(err)
	}
	s.stop()
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the CA file outlives the server: %v", err)
	}
}

// TestFaults sets one where the greeting says, and clears it.
func TestFaults(t *testing.T) {
	s := start(t, "--enable-faults")
	admin := regexp.MustCompile(`Faults: (http://127\.0\.0\.1:\d+/faults)`).FindStringSubmatch(s.greeting)
	if admin == nil {
		t.Fatalf("the greeting does not say where:\n%s", s.greeting)
	}
	send := func(method, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, admin[1], strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s, %s, %v", method, response.Status, text, err)
		}
	}
	list := func() error {
		_, err := s.client().ListKeys(t.Context(), &kms.ListKeysInput{})
		return err
	}
	send(http.MethodPut, `[{"operation": "ListKeys", "code": "KMSInternalException"}]`)
	if err := list(); code(err) != "KMSInternalException" {
		t.Errorf("with the fault: %v", err)
	}
	send(http.MethodDelete, "")
	if err := list(); err != nil {
		t.Errorf("without it: %v", err)
	}
}

// TestNoFaults shows that they are off, wherever one asks.
func TestNoFaults(t *testing.T) {
	s := start(t)
	if strings.Contains(s.greeting, "faults") {
		t.Errorf("greeting:\n%s", s.greeting)
	}
	response, err := http.Get("http://" + s.address + "/faults")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Error(response.Status)
	}
}

// TestPrincipals tells two users apart by a key policy.
func TestPrincipals(t *testing.T) {
	s := start(t, "--principal=arn:aws:iam::111122223333:user/alice=alice:of:secrets")
	policy := `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"},
		{"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:user/alice"}, "Action": "kms:DescribeKey", "Resource": "*"}]}`
	created, err := s.client().CreateKey(t.Context(), &kms.CreateKeyInput{Policy: &policy})
	if err != nil {
		t.Fatal(err)
	}
	describe := &kms.DescribeKeyInput{KeyId: created.KeyMetadata.KeyId}
	if _, err := s.client().DescribeKey(t.Context(), describe); err != nil {
		t.Error(err)
	}
	if _, err := s.client(signingAs("alice", "of:secrets")).DescribeKey(t.Context(), describe); code(err) != "AccessDeniedException" {
		t.Error(err)
	}
}

// TestQKMS shows that dialect and assumptions arrive.
func TestQKMS(t *testing.T) {
	s := start(t, "--dialect=QKMS", "--assume=EpochTimestamps,PlainJSON") // the SDK reads no other times
	created, err := s.client().CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:verenc:111122223333:key/"; !strings.HasPrefix(*created.KeyMetadata.Arn, want) {
		t.Errorf("ARN %s, want %s...", *created.KeyMetadata.Arn, want)
	}
}

// BenchmarkStart is a start, the first answer, and the stop.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s := start(b)
		if _, err := s.client().ListKeys(b.Context(), &kms.ListKeysInput{}); err != nil {
			b.Fatal(err)
		}
		s.stop()
	}
}
