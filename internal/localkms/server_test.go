package localkms_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// TestFrontEnd changes the HTTP part of a request that is right and signed.
func TestFrontEnd(t *testing.T) {
	f := newFixture(t)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		reason    string
		operation string
		change    func(*http.Request)
		body      string
		status    int
		code      string
	}{
		"right":                   {reason: "the base", status: 200},
		"charset":                 {reason: "media types have parameters", change: header("Content-Type", "application/x-amz-json-1.1; charset=utf-8"), status: 200},
		"no content type":         {reason: "required", change: func(r *http.Request) { r.Header.Del("Content-Type") }, status: 415, code: "UnsupportedMediaTypeException"},
		"plain JSON":              {reason: "another content type", change: header("Content-Type", "application/json"), status: 415, code: "UnsupportedMediaTypeException"},
		"JSON 1.0":                {reason: "another protocol", change: header("Content-Type", "application/x-amz-json-1.0"), status: 415, code: "UnsupportedMediaTypeException"},
		"malformed content type":  {reason: "not a media type", change: header("Content-Type", ";;"), status: 415, code: "UnsupportedMediaTypeException"},
		"no target":               {reason: "required", change: func(r *http.Request) { r.Header.Del("X-Amz-Target") }, status: 400, code: "UnknownOperationException"},
		"target without service":  {reason: "required", change: header("X-Amz-Target", "ListKeys"), status: 400, code: "UnknownOperationException"},
		"other service":           {reason: "not KMS", change: header("X-Amz-Target", "DynamoDB_20120810.ListTables"), status: 400, code: "UnknownOperationException"},
		"unknown operation":       {reason: "not one of KMS", operation: "MakeKey", status: 400, code: "UnknownOperationException"},
		"operation in lower case": {reason: "names are case-sensitive", operation: "listKeys", status: 400, code: "UnknownOperationException"},
		"no operation":            {reason: "nothing behind the dot", operation: "", change: header("X-Amz-Target", "TrentService."), status: 400, code: "UnknownOperationException"},
		"largest body":            {reason: "1 MiB", body: "{" + strings.Repeat(" ", 1<<20-2) + "}", status: 200},
		"larger body":             {reason: "a byte more", body: "{" + strings.Repeat(" ", 1<<20-1) + "}", status: 413, code: "RequestEntityTooLargeException"},
		"GET":                     {reason: "only POST", change: func(r *http.Request) { r.Method = http.MethodGet }, status: 405, code: "UnknownOperationException"},
		"other path":              {reason: "only /", change: func(r *http.Request) { r.URL.Path = "/x" }, status: 404, code: "UnknownOperationException"},
		"two slashes":             {reason: "only /", change: func(r *http.Request) { r.URL.Path = "//" }, status: 404, code: "UnknownOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			operation, body := c.operation, c.body
			if operation == "" {
				operation = "ListKeys"
			}
			if body == "" {
				body = "{}"
			}
			r := f.request(operation, body)
			if c.change != nil {
				c.change(r)
			}
			sign(t, r, body, time.Now())
			a := f.send(r)
			if a.status != c.status || a.code != c.code {
				t.Errorf("%d %s, want %d %q", a.status, a.body, c.status, c.code)
			}
			if got := a.header.Get("Content-Type"); got != "application/x-amz-json-1.1" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	f := newFixture(t)
	response, err := http.Get(f.url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || string(body) != "ok\n" {
		t.Errorf("%d %q %v", response.StatusCode, body, err)
	}
}

// TestModeledErrors shows that the SDK makes its own types of the answers.
func TestModeledErrors(t *testing.T) {
	f := newFixture(t)
	_, err := f.client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: new(someKeyID)})
	notFound, ok := errors.AsType[*types.NotFoundException](err)
	if !ok || notFound.ErrorMessage() != "Key '"+arnOf(someKeyID)+"' does not exist" {
		t.Errorf("%v", err)
	}
}

// TestEmptyAnswers shows the two operations that answer with nothing at all.
func TestEmptyAnswers(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	for _, operation := range []string{"DisableKey", "EnableKey"} {
		if a := f.must(operation, object{"KeyId": keyID}); a.body != "" {
			t.Errorf("%s answers %q", operation, a.body)
		}
	}
	if _, err := f.client.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &keyID}); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		options localkms.Options
		want    string
	}{
		"short account":   {reason: "12 digits", options: localkms.Options{AccountID: "1"}, want: `configure local KMS: account ID "1" is not 12 digits`},
		"worded account":  {reason: "12 digits", options: localkms.Options{AccountID: "aaaaaaaaaaaa"}, want: `configure local KMS: account ID "aaaaaaaaaaaa" is not 12 digits`},
		"broken Region":   {reason: "it is part of ARNs", options: localkms.Options{Region: "a:b"}, want: `configure local KMS: region "a:b" is not a Region name such as us-east-1`},
		"negative TTL":    {reason: "tokens live", options: localkms.Options{ImportTokenTTL: -1}, want: `configure local KMS: import token TTL -1ns is negative`},
		"nobody":          {reason: "someone must sign", options: localkms.Options{Credentials: map[string]string{}}, want: `configure local KMS: no credentials: nobody could sign a request`},
		"empty secret":    {reason: "no secret is no secret", options: localkms.Options{Credentials: map[string]string{"a": ""}}, want: `configure local KMS: access key ID "a": it and its secret must not be empty, and it cannot hold a slash, comma, equals sign or space`},
		"slash in the ID": {reason: "it delimits the scope", options: localkms.Options{Credentials: map[string]string{"a/b": "c"}}, want: `configure local KMS: access key ID "a/b": it and its secret must not be empty, and it cannot hold a slash, comma, equals sign or space`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := localkms.New(c.options)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestLog shows what is logged, and that nothing else is.
func TestLog(t *testing.T) {
	var log lockedBuffer
	f := newFixture(t, func(o *localkms.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	material, plaintext := []byte("material-material-material-mater"), []byte("plaintext-plaintext")
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	p := f.fresh(keyID)
	wrapped := p.wrap(t, material)
	f.must("ImportKeyMaterial", importBody(keyID, p.token, wrapped))
	f.expect(f.call("ImportKeyMaterial", importBody(keyID, p.token, wrapped).String()), "InvalidImportTokenException", "")
	f.must("Encrypt", object{"KeyId": keyID, "Plaintext": plaintext})
	f.expect(f.call("Unknown", "{}"), "UnknownOperationException", "")

	logged := log.String()
	for _, line := range []string{
		`msg=request operation=CreateKey key=` + keyID + ` outcome=OK duration=`,
		`msg=request operation=ImportKeyMaterial key=` + keyID + ` outcome=OK duration=`,
		`msg=request operation=ImportKeyMaterial key=` + keyID + ` outcome=InvalidImportTokenException duration=`,
		`msg=request operation=Encrypt key=` + keyID + ` outcome=OK duration=`,
		`msg=request operation=Unknown key="" outcome=UnknownOperationException duration=`,
	} {
		if !strings.Contains(logged, line) {
			t.Errorf("not logged: %s", line)
		}
	}
	for _, secret := range [][]byte{material, plaintext, p.token, wrapped} {
		if strings.Contains(logged, string(secret)) || strings.Contains(logged, base64Of(secret)[:20]) {
			t.Errorf("logged a secret:\n%s", logged)
		}
	}
	if lines := strings.Count(logged, "\n"); lines != 6 {
		t.Errorf("%d lines for 6 requests:\n%s", lines, logged)
	}
}

// lockedBuffer is a buffer that requests may write to while a test reads.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// TestConcurrentClients is there for the race detector.
func TestConcurrentClients(t *testing.T) {
	f := newFixture(t)
	shared := f.importedKey("HMAC_256", bytesOf(1, 32))
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			own := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(byte(i), 32))
			for range 5 {
				f.must("GenerateMac", object{"KeyId": shared, "Message": []byte("x"), "MacAlgorithm": "HMAC_SHA_256"})
				f.expect(f.importMaterial(shared, bytesOf(1, 32), nil), "", "")
				sealed := f.must("Encrypt", object{"KeyId": own, "Plaintext": []byte("x")}).fields["CiphertextBlob"]
				f.must("Decrypt", object{"CiphertextBlob": sealed})
				f.must("ListKeys", object{"Limit": 2})
			}
		})
	}
	clients.Wait()
}
