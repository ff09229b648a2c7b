package localkms_test

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// TestFrontEnd changes the HTTP part of a request that is right and signed, in both dialects.
func TestFrontEnd(t *testing.T) {
	dialects := map[localkms.Dialect]*fixture{localkms.AWS: newFixture(t), localkms.QKMS: newFixture(t, qkms)}
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
		only      localkms.Dialect // default: both
	}{
		"right":                   {reason: "the base", status: 200},
		"capitals":                {reason: "media types are not case-sensitive", change: header("Content-Type", "Application/X-AMZ-JSON-1.1"), status: 200},
		"empty content type":      {reason: "as good as none", change: header("Content-Type", ""), status: 415, code: "UnsupportedMediaTypeException"},
		"two content types":       {reason: "one of them", change: header("Content-Type", "application/x-amz-json-1.1, application/json"), status: 415, code: "UnsupportedMediaTypeException"},
		"empty target":            {reason: "as good as none", change: header("X-Amz-Target", ""), status: 400, code: "UnknownOperationException"},
		"service in lower case":   {reason: "names are case-sensitive", change: header("X-Amz-Target", "trentservice.ListKeys"), status: 400, code: "UnknownOperationException"},
		"something behind":        {reason: "not the name of one", change: header("X-Amz-Target", "TrentService.ListKeys.x"), status: 400, code: "UnknownOperationException"},
		"operation of AWS":        {reason: "not in the list of QKMS", operation: "ListKeyRotations", status: 400, code: "UnknownOperationException", only: localkms.QKMS},
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
		"two slashes":             {reason: "only /; for QKMS see TestQKMSSlashes", change: func(r *http.Request) { r.URL.Path = "//" }, status: 404, code: "UnknownOperationException", only: localkms.AWS},
	} {
		for dialect, f := range dialects {
			if c.only != "" && c.only != dialect {
				continue
			}
			t.Run(name+"/"+string(dialect), func(t *testing.T) {
				f := f.in(t)
				operation, body := cmp.Or(c.operation, "ListKeys"), cmp.Or(c.body, "{}")
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
		"broken Region":   {reason: "it is part of ARNs", options: localkms.Options{Regions: []string{"a:b"}}, want: `configure local KMS: region "a:b" is not a Region name such as us-east-1`},
		"negative TTL":    {reason: "tokens live", options: localkms.Options{ImportTokenTTL: -1}, want: `configure local KMS: import token TTL -1ns is negative`},
		"nobody":          {reason: "someone must sign", options: localkms.Options{Principals: []localkms.Principal{}}, want: `configure local KMS: no principals: nobody could sign a request`},
		"empty secret":    {reason: "no secret is no secret", options: localkms.Options{Principals: []localkms.Principal{{AccessKeyID: "a"}}}, want: `configure local KMS: access key ID "a": it and its secret must not be empty, and it cannot hold a slash, comma, equals sign or space`},
		"slash in the ID": {reason: "it delimits the scope", options: localkms.Options{Principals: []localkms.Principal{{AccessKeyID: "a/b", SecretAccessKey: "c"}}}, want: `configure local KMS: access key ID "a/b": it and its secret must not be empty, and it cannot hold a slash, comma, equals sign or space`},
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

// TestConcurrentChanges lets clients do to one multi-Region key, in both of its Regions, whatever changes it: the race
// detector looks on, every answer is one of the protocol, and in the end the key still works in both.
func TestConcurrentChanges(t *testing.T) {
	f := newFixture(t, func(o *localkms.Options) { o.Propagation = localkms.Propagation{Delay: time.Minute, Flicker: true} })
	keyID := f.must("CreateKey", object{"Origin": "EXTERNAL", "MultiRegion": true}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	f.must("ReplicateKey", object{"KeyId": keyID, "ReplicaRegion": "eu-west-1"})
	f.clock.advance(time.Hour)
	regions := []*fixture{f, f.region("eu-west-1")}
	for _, g := range regions {
		g.expect(g.importMaterial(keyID, bytesOf(1, 32), nil), "", "")
	}
	requests := map[string]object{
		"DescribeKey": {}, "DisableKey": {}, "EnableKey": {}, "DeleteImportedKeyMaterial": {}, "RotateKeyOnDemand": {}, "GetKeyPolicy": {},
		"ListKeyRotations": {"IncludeKeyMaterial": "ALL_KEY_MATERIAL"}, "Encrypt": {"Plaintext": "AAAA"}, "ListResourceTags": {},
		"TagResource": {"Tags": []object{{"TagKey": "a", "TagValue": "b"}}}, "UntagResource": {"TagKeys": []string{"a"}},
		"PutKeyPolicy": {"Policy": policyOf(statement("Allow", "*", "kms:*"))}, "UpdateKeyDescription": {"Description": "x"},
		"ScheduleKeyDeletion": {}, "CancelKeyDeletion": {}, "ListAliases": {},
	}
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			g := regions[i%2]
			for operation, body := range requests {
				mine := maps.Clone(body)
				mine["KeyId"] = keyID
				if a := g.call(operation, mine.String()); a.status >= 500 {
					t.Errorf("%s: %s", operation, a.body)
				}
				g.call("CreateAlias", object{"AliasName": "alias/" + operation, "TargetKeyId": keyID}.String())
				g.call("DeleteAlias", object{"AliasName": "alias/" + operation}.String())
				if a := g.importRaw(keyID, bytesOf(byte(1+i%3), 32), nil); a.status >= 500 {
					t.Errorf("import: %s", a.body)
				}
				f.clock.advance(time.Second)
			}
		})
	}
	clients.Wait()
	f.clock.advance(time.Hour)
	for _, g := range regions {
		g.call("CancelKeyDeletion", object{"KeyId": keyID}.String())
		f.clock.advance(time.Hour)
		g.expect(g.importRaw(keyID, bytesOf(1, 32), nil), "", "")
		f.clock.advance(time.Hour)
		g.must("EnableKey", object{"KeyId": keyID})
		f.clock.advance(time.Hour)
		g.expectState(keyID, "Enabled")
	}
}

// TestFaultRateSetAnew shows that a rate for all operations takes the place of the earlier one.
func TestFaultRateSetAnew(t *testing.T) {
	faults := localkms.NewFaults()
	f := newFixture(t, func(o *localkms.Options) { o.Faults = faults })
	if err := faults.Set(localkms.Fault{Operation: "*", Rate: 0.001}); err != nil {
		t.Fatal(err)
	}
	f.expect(f.call("ListKeys", "{}"), "", "")
	f.expect(f.call("ListKeys", "{}"), "ThrottlingException", "")
	if err := faults.Set(localkms.Fault{Operation: "*", Rate: 100}); err != nil {
		t.Fatal(err)
	}
	f.expect(f.call("ListKeys", "{}"), "", "")
}
