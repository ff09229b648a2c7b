package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// paste runs lines in a shell. What they call is there and says with what.
func paste(t *testing.T, script string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sh", "-eu", "-c", `
		aws() { printf 'aws\n'; printf '%s\n' "$@"; }
		curl() { printf 'curl\n'; printf '%s\n' "$@"; }
		`+script)
	command.Env = []string{"PATH=" + os.Getenv("PATH")}
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return string(output)
}

// indented are the lines of the greeting that are for a shell.
func indented(greeting string) (script string) {
	for line := range strings.Lines(greeting) {
		if strings.HasPrefix(line, "  ") {
			script += line
		}
	}
	return script
}

// TestGreetingPastes gives the greeting to a shell, whatever is in it.
func TestGreetingPastes(t *testing.T) {
	t.Chdir(t.TempDir())
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reason string
		args   []string
		env    map[string]string
		calls  []string // in which ADDRESS stands for the server's
	}{
		"plain": {
			reason: "the defaults",
			env:    map[string]string{"AWS_ACCESS_KEY_ID": "localkms", "AWS_SECRET_ACCESS_KEY": "localkms", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_CA_BUNDLE": ""},
			calls:  []string{"aws", "kms", "create-key", "--origin", "EXTERNAL", "--endpoint-url", "http://ADDRESS"},
		},
		"special characters": {
			reason: "a secret may hold any", args: []string{"--access-key-id=it's", `--secret-access-key=$HOME "\ 'x' ` + "`id`", "--region=eu-west-1"},
			env:   map[string]string{"AWS_ACCESS_KEY_ID": "it's", "AWS_SECRET_ACCESS_KEY": `$HOME "\ 'x' ` + "`id`", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"},
			calls: []string{"aws", "kms", "create-key", "--origin", "EXTERNAL", "--endpoint-url", "http://ADDRESS"},
		},
		"TLS": {
			reason: "the shell may be in another folder", args: []string{"--tls-self-signed", "--tls-ca-file=the ca's.crt"},
			env:   map[string]string{"AWS_CA_BUNDLE": filepath.Join(folder, "the ca's.crt")},
			calls: []string{"aws", "kms", "create-key", "--origin", "EXTERNAL", "--endpoint-url", "https://ADDRESS"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, c.args...)
			script := indented(s.greeting)
			for variable, want := range c.env {
				if got := paste(t, script+"printf '\\n%s' \"${"+variable+":-}\""); !strings.HasSuffix(got, "\n"+want) {
					t.Errorf("%s: got %q, want %q", variable, got, want)
				}
			}
			want := strings.ReplaceAll(strings.Join(c.calls, "\n")+"\n", "ADDRESS", s.address)
			if diff := cmp.Diff(want, paste(t, script)); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if !strings.HasSuffix(s.greeting, "Keys live in memory. Stop with Ctrl-C.\n") {
				t.Errorf("greeting:\n%s", s.greeting)
			}
		})
	}
}

// TestFaultsGreetingPastes does the same for how to set a fault: it must be one that can be set.
func TestFaultsGreetingPastes(t *testing.T) {
	s := start(t, "--enable-faults")
	_, curl, _ := strings.Cut(paste(t, indented(s.greeting)), "curl\n")
	words := strings.Split(strings.TrimSpace(curl), "\n")
	if len(words) != 5 || words[0] != "-X" || words[1] != "PUT" || words[3] != "--data" {
		t.Fatalf("curl is called with %q", words)
	}
	var faults []localkms.Fault
	if err := json.Unmarshal([]byte(words[4]), &faults); err != nil || len(faults) != 1 {
		t.Errorf("%s: %v", words[4], err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, words[2], strings.NewReader(words[4]))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), faults[0].Operation) {
		t.Errorf("%s: %s, %v", response.Status, text, err)
	}
}

// TestAdminListener shows that the admin path is on a loopback address of its own, and goes when the server goes.
func TestAdminListener(t *testing.T) {
	s := start(t, "--enable-faults", "--admin-listen=127.0.0.1:0")
	_, rest, _ := strings.Cut(s.greeting, "Faults: http://")
	address, _, _ := strings.Cut(rest, "/")
	if host, _, err := net.SplitHostPort(address); err != nil || host != "127.0.0.1" || address == s.address {
		t.Errorf("admin path at %q, %v", address, err)
	}
	get := func(url string) int {
		response, err := http.Get(url)
		if err != nil {
			return 0
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	for url, want := range map[string]int{
		"http://" + address + "/faults": 200, "http://" + address + "/healthz": 404, "http://" + s.address + "/faults": 404, "http://" + s.address + "/healthz": 200,
	} {
		if got := get(url); got != want {
			t.Errorf("%s: %d, want %d", url, got, want)
		}
	}
	s.stop()
	for _, url := range []string{"http://" + address + "/faults", "http://" + s.address + "/healthz"} {
		if got := get(url); got != 0 {
			t.Errorf("%s still answers with %d", url, got)
		}
	}
}

func TestAdminAddresses(t *testing.T) {
	for address, allowed := range map[string]bool{
		"127.0.0.1:0": true, "127.8.9.10:1": true, "[::1]:0": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:0": false, "[::]:0": false, ":0": false, "192.0.2.1:1": false, "10.0.0.1:1": false, "localhost:0": false, "127.0.0.1": false,
		"": false, "127.0.0.1.example:1": false, "[::1%lo]:0": true,
	} {
		_, err := parse([]string{"--enable-faults", "--admin-listen=" + address}, io.Discard)
		if (err == nil) != allowed {
			t.Errorf("%q: %v", address, err)
		}
		if err != nil && !strings.Contains(err.Error(), "--admin-listen must be a loopback IP address such as 127.0.0.1:4567, not ") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestNothingStays shows that a start that fails half-way takes back what it wrote, and nothing else.
func TestNothingStays(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, c := range map[string]struct {
		reason string
		args   []string
	}{
		"admin address taken":    {reason: "the CA file is written before", args: []string{"--listen=127.0.0.1:0", "--enable-faults", "--admin-listen=" + taken.Addr().String(), "--address-file=address"}},
		"no place for the file":  {reason: "the CA file is written before", args: []string{"--listen=127.0.0.1:0", "--address-file=nowhere/address"}},
		"address taken":          {reason: "nothing is written", args: []string{"--listen=" + taken.Addr().String(), "--address-file=address"}},
		"file of another server": {reason: "it still serves", args: []string{"--listen=" + taken.Addr().String(), "--address-file=other"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("other", []byte("127.0.0.1:1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := run(t.Context(), append(c.args, "--tls-self-signed", "--tls-ca-file=ca.crt"), io.Discard, io.Discard); err == nil {
				t.Fatal("started")
			}
			left, err := os.ReadDir(".")
			if err != nil || len(left) != 1 || left[0].Name() != "other" {
				t.Errorf("%v, %v", left, err)
			}
		})
	}
}

// TestTLSTrust shows that the CA in the file is what makes the server trusted, that it is not the server's certificate,
// and that without TLS nobody is served.
func TestTLSTrust(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.crt")
	s := start(t, "--listen=:0", "--tls-self-signed", "--tls-ca-file="+file) // as in a container
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "PRIVATE") {
		t.Error("the CA file holds a private key")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate: %s", text)
	}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		t.Fatal(err)
	}
	get := func(url string, trusted *x509.CertPool) (int, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
		defer client.CloseIdleConnections()
		response, err := client.Get(url)
		if err != nil {
			return 0, err
		}
		_ = response.Body.Close()
		return response.StatusCode, nil
	}
	for _, host := range []string{s.address, "127.0.0.1:" + port, "localhost:" + port} {
		if status, err := get("https://"+host+"/healthz", roots); status != http.StatusOK {
			t.Errorf("%s: %d, %v", host, status, err)
		}
	}
	if _, err := get("https://"+s.address+"/healthz", x509.NewCertPool()); err == nil {
		t.Error("trusted without the CA")
	}
	if status, err := get("http://127.0.0.1:"+port+"/healthz", roots); err == nil && status != http.StatusBadRequest {
		t.Errorf("without TLS: %d", status)
	}
	connection, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots}}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	leaf := connection.(*tls.Conn).ConnectionState().PeerCertificates[0]
	if leaf.IsCA || leaf.CheckSignatureFrom(leaf) == nil {
		t.Error("the server shows the CA's certificate")
	}
}

// TestStopWithOpenConnections shows that a client that keeps its connection does not keep the server.
func TestStopWithOpenConnections(t *testing.T) {
	s := start(t)
	connection, err := new(net.Dialer).DialContext(context.Background(), "tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if _, err := connection.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1024)
	if n, err := connection.Read(answer); err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 200")) {
		t.Fatalf("%q, %v", answer[:n], err)
	}
	s.stop()
}
