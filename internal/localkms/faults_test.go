package localkms_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// newFaulty is a fixture whose server has faults, rates of which count by the clock.
func newFaulty(t *testing.T, change ...func(*localkms.Options)) (*fixture, *localkms.Faults, *clock) {
	t.Helper()
	ticks := &clock{now: start}
	faults := localkms.NewFaultsByClock(ticks.Now)
	return newFixture(t, append(change, func(o *localkms.Options) { o.Faults = faults })...), faults, ticks
}

// set sets faults that have to be good.
func set(t *testing.T, faults *localkms.Faults, all ...localkms.Fault) {
	t.Helper()
	if err := faults.Set(all...); err != nil {
		t.Fatal(err)
	}
}

// dropped sends a signed request whose connection has to end without an answer.
func (f *fixture) dropped(operation, body string) {
	f.t.Helper()
	r := f.request(operation, body)
	sign(f.t, r, body, time.Now())
	response, err := http.DefaultClient.Do(r)
	if err == nil {
		_ = response.Body.Close()
		f.t.Fatalf("%s: answered with %s", operation, response.Status)
	}
	if !errors.Is(err, io.EOF) {
		f.t.Errorf("%s: %v, want an end of the connection", operation, err)
	}
}

// TestFaultCodes shows the errors that can be provoked, as a client gets them.
func TestFaultCodes(t *testing.T) {
	f, faults, _ := newFaulty(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	for name, c := range map[string]struct {
		reason string
		fault  localkms.Fault
		status int
		body   string
	}{
		"client's":       {reason: "400 as all of AWS's", fault: localkms.Fault{Code: "LimitExceededException"}, status: 400, body: `{"__type":"LimitExceededException"}`},
		"with message":   {reason: "as it was set", fault: localkms.Fault{Code: "ThrottlingException", Message: "slow \"down\""}, status: 400, body: `{"__type":"ThrottlingException","message":"slow \"down\""}`},
		"internal":       {reason: "the server's side", fault: localkms.Fault{Code: "KMSInternalException"}, status: 500, body: `{"__type":"KMSInternalException"}`},
		"unavailable":    {reason: "the server's side", fault: localkms.Fault{Code: "KeyUnavailableException"}, status: 500, body: `{"__type":"KeyUnavailableException"}`},
		"dependency":     {reason: "the server's side", fault: localkms.Fault{Code: "DependencyTimeoutException"}, status: 503, body: `{"__type":"DependencyTimeoutException"}`},
		"other status":   {reason: "as it was set", fault: localkms.Fault{Code: "KMSInternalException", Status: 400}, status: 400, body: `{"__type":"KMSInternalException"}`},
		"code of no one": {reason: "clients must get by", fault: localkms.Fault{Code: "MadeUpException", Status: 599}, status: 599, body: `{"__type":"MadeUpException"}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			c.fault.Operation = "DisableKey"
			set(t, faults, c.fault)
			if a := f.call("DisableKey", object{"KeyId": keyID}.String()); a.status != c.status || a.body != c.body {
				t.Errorf("got  %d %s\nwant %d %s", a.status, a.body, c.status, c.body)
			}
			f.expectState(keyID, "Enabled") // instead of carrying it out
		})
	}
	set(t, faults, localkms.Fault{Operation: "DescribeKey", Code: "KMSInternalException", Message: "broken"})
	_, err := f.client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &keyID})
	if internal, ok := errors.AsType[*types.KMSInternalException](err); !ok || internal.ErrorMessage() != "broken" {
		t.Errorf("the SDK makes of it: %v", err)
	}
}

// TestFaultCount shows how many requests a fault happens to, and whose.
func TestFaultCount(t *testing.T) {
	f, faults, _ := newFaulty(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	expect := func(operation, code string) {
		t.Helper()
		if a := f.call(operation, object{"KeyId": keyID}.String()); a.code != code {
			t.Errorf("%s: got %q, want %q", operation, a.code, code)
		}
	}
	listed := func(want ...localkms.Fault) {
		t.Helper()
		if diff := cmp.Diff(append([]localkms.Fault{}, want...), faults.List()); diff != "" {
			t.Errorf("what is set (-want +got):\n%s", diff)
		}
	}
	listed()
	set(t, faults, localkms.Fault{Operation: "DescribeKey", Count: 2, Code: "A"}, localkms.Fault{Operation: "*", Code: "B"})
	expect("DescribeKey", "A")
	listed(localkms.Fault{Operation: "*", Code: "B"}, localkms.Fault{Operation: "DescribeKey", Count: 1, Code: "A"})
	expect("GetKeyPolicy", "B")
	expect("ListKeys", "B")
	expect("DescribeKey", "A")
	listed(localkms.Fault{Operation: "*", Code: "B"})
	expect("DescribeKey", "B") // which has none of its own any more
	faults.Clear("*")
	expect("DescribeKey", "")
	expect("GetKeyPolicy", "")

	set(t, faults, localkms.Fault{Operation: "*", Count: 2, Code: "B"})
	expect("DescribeKey", "B")
	expect("GetKeyPolicy", "B") // two in all, not of each
	expect("ListKeys", "")

	set(t, faults, localkms.Fault{Operation: "DescribeKey", Code: "A"}, localkms.Fault{Operation: "ListKeys", Code: "A"})
	set(t, faults, localkms.Fault{Operation: "DescribeKey", Code: "C"})
	expect("DescribeKey", "C") // in the place of the other
	expect("ListKeys", "A")
	faults.Clear("GetKeyPolicy")
	faults.Clear("DescribeKey")
	expect("DescribeKey", "")
	expect("ListKeys", "A")
	set(t, faults, localkms.Fault{Operation: "DescribeKey", Code: "A"})
	faults.Clear("")
	expect("DescribeKey", "")
	expect("ListKeys", "")
	listed()
}

// TestFaultsAfterSignature shows that only requests of a known operation by a known client run into faults.
func TestFaultsAfterSignature(t *testing.T) {
	f, faults, _ := newFaulty(t)
	set(t, faults, localkms.Fault{Operation: "*", Count: 1, Code: "KMSInternalException"})
	unsigned := f.request("ListKeys", "{}")
	f.expect(f.send(unsigned), "MissingAuthenticationTokenException", "")
	f.expect(f.call("MakeKey", "{}"), "UnknownOperationException", "")
	if left := faults.List(); len(left) != 1 {
		t.Errorf("the fault happened to neither of them, and is gone: %v", left)
	}
	if a := f.call("ListKeys", "not JSON"); a.code != "KMSInternalException" { // before anything is read
		t.Errorf("%s", a.body)
	}
}

// TestDrops shows the two moments to lose a connection: the client cannot tell which it was, the key can.
func TestDrops(t *testing.T) {
	var log lockedBuffer
	f, faults, _ := newFaulty(t, func(o *localkms.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	p := f.fresh(keyID)
	body := importBody(keyID, p.token, p.wrap(t, bytesOf(1, 32))).String()

	set(t, faults, localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Drop: localkms.DropBefore})
	f.dropped("ImportKeyMaterial", body)
	f.expectState(keyID, "PendingImport")
	set(t, faults, localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Drop: localkms.DropAfter})
	f.dropped("ImportKeyMaterial", body)
	f.expectState(keyID, "Enabled")
	f.expect(f.call("ImportKeyMaterial", body), "InvalidImportTokenException", "The import token has been used.")

	set(t, faults, localkms.Fault{Operation: "DisableKey", Count: 1, Drop: localkms.DropAfter})
	_, err := f.client.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &keyID})
	if err == nil {
		t.Error("the SDK got an answer")
	}
	f.expectState(keyID, "Disabled")
	set(t, faults, localkms.Fault{Operation: "DisableKey", Count: 1, Drop: localkms.DropAfter})
	f.dropped("DisableKey", object{"KeyId": someKeyID}.String()) // an error is lost as well

	for _, line := range []string{"operation=ImportKeyMaterial key=" + keyID + " outcome=dropped", "operation=ImportKeyMaterial key=\"\" outcome=dropped"} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("not logged: %s\n%s", line, log.String())
		}
	}
}

// TestDelay holds requests up, in time that the test makes pass.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := localkms.NewFaults()
		handler, err := localkms.New(localkms.Options{Faults: faults}) // not with the shared keys, which other tests wait for outside
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = handler.Close() }()
		call := func(ctx context.Context, operation string, body object) answer {
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body.String()))
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			r.Header.Set("X-Amz-Target", "TrentService."+operation)
			sign(t, r, body.String(), time.Now())
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return parseAnswer(t, w.Code, w.Header(), w.Body.Bytes())
		}
		keyID := call(t.Context(), "CreateKey", object{}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
		took := func(ctx context.Context, operation string, want time.Duration, code string) {
			t.Helper()
			before := time.Now()
			if a := call(ctx, operation, object{"KeyId": keyID}); a.code != code {
				t.Errorf("%s: %s", operation, a.body)
			}
			if got := time.Since(before); got != want {
				t.Errorf("%s took %s, want %s", operation, got, want)
			}
		}
		set(t, faults,
			localkms.Fault{Operation: "DescribeKey", Count: 1, Delay: localkms.Duration(90 * time.Second)},
			localkms.Fault{Operation: "EnableKey", Delay: localkms.Duration(time.Minute), Code: "DependencyTimeoutException"},
			localkms.Fault{Operation: "DisableKey", Delay: localkms.Duration(time.Hour)},
		)
		took(t.Context(), "DescribeKey", 90*time.Second, "")
		took(t.Context(), "DescribeKey", 0, "")
		took(t.Context(), "EnableKey", time.Minute, "DependencyTimeoutException") // late, and failed
		impatient, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		took(impatient, "DisableKey", time.Second, "") // nobody waits; it is carried out all the same
		took(t.Context(), "Encrypt", 0, "ValidationException")
		if state := call(t.Context(), "DescribeKey", object{"KeyId": keyID}).fields["KeyMetadata"].(map[string]any)["KeyState"]; state != "Disabled" {
			t.Errorf("KeyState %v after a request that its client gave up", state)
		}
	})
}

// TestRates throttles by a clock that moves when the test says so.
func TestRates(t *testing.T) {
	f, faults, ticks := newFaulty(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	// passes counts the requests that are carried out until the first that is not.
	passes := func(operation string) (n int) {
		t.Helper()
		for ; n < 100; n++ {
			a := f.call(operation, object{"KeyId": keyID}.String())
			if a.code != "" {
				f.expect(a, "ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
				return n
			}
		}
		return n
	}
	expect := func(operation string, want int) {
		t.Helper()
		if got := passes(operation); got != want {
			t.Errorf("%d requests of %s pass, want %d", got, operation, want)
		}
	}
	set(t, faults, localkms.Fault{Operation: "DescribeKey", Rate: 4})
	expect("DescribeKey", 4) // a second's worth at once
	expect("DescribeKey", 0)
	expect("GetKeyPolicy", 100)
	ticks.advance(249 * time.Millisecond)
	expect("DescribeKey", 0)
	ticks.advance(time.Millisecond)
	expect("DescribeKey", 1)
	ticks.advance(time.Hour)
	expect("DescribeKey", 4) // nothing is saved up

	set(t, faults, localkms.Fault{Operation: "DescribeKey", Rate: 0.25})
	expect("DescribeKey", 1)
	ticks.advance(4*time.Second - time.Nanosecond)
	expect("DescribeKey", 0)
	ticks.advance(time.Nanosecond)
	expect("DescribeKey", 1)
	if diff := cmp.Diff([]localkms.Fault{{Operation: "DescribeKey", Rate: 0.25}}, faults.List()); diff != "" {
		t.Errorf("a rate stays (-want +got):\n%s", diff)
	}

	set(t, faults, localkms.Fault{Operation: "*", Rate: 2})
	expect("GetKeyPolicy", 2)
	expect("ListKeyPolicies", 2) // each operation has its own account
	expect("DescribeKey", 0)     // and this one its own fault
	set(t, faults, localkms.Fault{Operation: "*", Rate: 3})
	expect("GetKeyPolicy", 3) // a new fault, and nothing left of the old one
	faults.Clear("*")
	set(t, faults, localkms.Fault{Operation: "*", Rate: 5})
	expect("GetKeyPolicy", 5)
	faults.Clear("")
	expect("DescribeKey", 100)
	expect("GetKeyPolicy", 100)
}

// TestRateAndCode shows that what passes a rate fails in the way that was asked for.
func TestRateAndCode(t *testing.T) {
	f, faults, _ := newFaulty(t)
	set(t, faults, localkms.Fault{Operation: "ListKeys", Rate: 1, Code: "DisabledException"})
	f.expect(f.call("ListKeys", "{}"), "DisabledException", "")
	f.expect(f.call("ListKeys", "{}"), "ThrottlingException", "")
}

// TestAWSQuotas compares the preset with the facts, and tries its scarcest.
func TestAWSQuotas(t *testing.T) {
	f, faults, ticks := newFaulty(t)
	want := map[string]float64{
		"GetParametersForImport": 1,
		"CreateKey":              5, "RotateKeyOnDemand": 5, "EnableKey": 5, "DisableKey": 5, "CancelKeyDeletion": 5, "CreateAlias": 5,
		"UpdateAlias": 5, "ReplicateKey": 5, "UpdateKeyDescription": 5, "UntagResource": 5,
		"TagResource":       10,
		"ImportKeyMaterial": 15, "DeleteImportedKeyMaterial": 15, "ScheduleKeyDeletion": 15, "DeleteAlias": 15, "PutKeyPolicy": 15,
		"ListKeyRotations": 100,
		"ListKeys":         500, "ListAliases": 500,
		"GetKeyRotationStatus": 1000, "GetKeyPolicy": 1000, "Sign": 1000, "Verify": 1000, "DeriveSharedSecret": 1000,
		"DescribeKey": 2000, "GetPublicKey": 2000, "ListResourceTags": 2000,
		"Encrypt": 10000, "Decrypt": 10000, "ReEncrypt": 10000, "GenerateDataKey": 10000, "GenerateDataKeyWithoutPlaintext": 10000,
		"GenerateMac": 10000, "VerifyMac": 10000, "GenerateRandom": 10000,
	}
	got := map[string]float64{}
	for _, quota := range localkms.AWSQuotas() {
		got[quota.Operation] = quota.Rate
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("quotas (-want +got):\n%s", diff)
	}
	without := slices.DeleteFunc(localkms.Operations(), func(operation string) bool { return got[operation] > 0 })
	if diff := cmp.Diff([]string{"ListKeyPolicies"}, without); diff != "" { // of which the facts know no quota
		t.Errorf("operations without a quota (-want +got):\n%s", diff)
	}

	set(t, faults, localkms.AWSQuotas()...)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	parameters := object{"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}.String()
	for _, code := range []string{"", "ThrottlingException", "ThrottlingException"} {
		f.expect(f.call("GetParametersForImport", parameters), code, "")
	}
	ticks.advance(time.Second)
	f.expect(f.call("GetParametersForImport", parameters), "", "")
	for range 15 {
		f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
	}
	f.expect(f.call("DeleteImportedKeyMaterial", object{"KeyId": keyID}.String()), "ThrottlingException", "")
}

// TestFaultRules shows what makes no sense, in words that help. If one of several is wrong, none is set.
func TestFaultRules(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		fault  localkms.Fault
		want   string
	}{
		"empty":             {reason: "whose?", fault: localkms.Fault{}, want: "a fault needs an operation, such as ImportKeyMaterial or *"},
		"unknown operation": {reason: "it would never happen", fault: localkms.Fault{Operation: "Importkeymaterial", Code: "A"}, want: `"Importkeymaterial" is not an operation of the local KMS`},
		"nothing wrong":     {reason: "what goes wrong?", fault: localkms.Fault{Operation: "ListKeys", Count: 1}, want: "fault of ListKeys: say a code, a delay, a drop or a rate"},
		"negative count":    {reason: "no number of times", fault: localkms.Fault{Operation: "*", Count: -1, Code: "A"}, want: "fault of *: count, delay and rate cannot be negative"},
		"negative delay":    {reason: "no time", fault: localkms.Fault{Operation: "*", Delay: -1, Code: "A"}, want: "fault of *: count, delay and rate cannot be negative"},
		"negative rate":     {reason: "no rate", fault: localkms.Fault{Operation: "*", Rate: -1}, want: "fault of *: count, delay and rate cannot be negative"},
		"rate with count":   {reason: "a rate is for good", fault: localkms.Fault{Operation: "ListKeys", Rate: 1, Count: 1}, want: "fault of ListKeys: a rate has no count"},
		"unknown drop":      {reason: "before or after", fault: localkms.Fault{Operation: "ListKeys", Drop: "between"}, want: `fault of ListKeys: drop is "before" or "after", not "between"`},
		"drop with code":    {reason: "there is nothing to write it to", fault: localkms.Fault{Operation: "ListKeys", Drop: "after", Code: "A"}, want: "fault of ListKeys: a dropped connection carries no code"},
		"message alone":     {reason: "of which error?", fault: localkms.Fault{Operation: "ListKeys", Rate: 1, Message: "x"}, want: "fault of ListKeys: message and status go with a code"},
		"status alone":      {reason: "of which error?", fault: localkms.Fault{Operation: "ListKeys", Delay: 1, Status: 500}, want: "fault of ListKeys: message and status go with a code"},
		"status of success": {reason: "an error has none", fault: localkms.Fault{Operation: "ListKeys", Code: "A", Status: 200}, want: "fault of ListKeys: status 200 is not one of an error (400 to 599)"},
		"status of nothing": {reason: "there are none", fault: localkms.Fault{Operation: "ListKeys", Code: "A", Status: 600}, want: "fault of ListKeys: status 600 is not one of an error (400 to 599)"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := localkms.NewFaults()
			err := faults.Set(localkms.Fault{Operation: "ListKeys", Code: "A"}, c.fault)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if left := faults.List(); len(left) != 0 {
				t.Errorf("set nevertheless: %v", left)
			}
		})
	}
}

// TestNoFaults shows that nil has none and takes none.
func TestNoFaults(t *testing.T) {
	var none *localkms.Faults
	if err := none.Set(localkms.Fault{Operation: "ListKeys", Code: "A"}); err == nil || err.Error() != "faults are not enabled" {
		t.Errorf("Set: %v", err)
	}
	none.Clear("")
	if list := none.List(); list == nil || len(list) != 0 {
		t.Errorf("List: %v", list)
	}
	f := newFixture(t)
	f.must("ListKeys", object{})
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} { // not at the KMS's own address
		r, err := http.NewRequestWithContext(t.Context(), method, f.url+"/faults", strings.NewReader(`[{"operation":"*","code":"A"}]`))
		if err != nil {
			t.Fatal(err)
		}
		if a := f.send(r); a.status != http.StatusNotFound {
			t.Errorf("%s /faults: %d %s", method, a.status, a.body)
		}
	}
	f.must("ListKeys", object{})
}

// admin is what people send to the admin path.
func admin(t *testing.T, url, method, path, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestFaultsHandler sets and clears faults over HTTP, and sees them happen.
func TestFaultsHandler(t *testing.T) {
	f, faults, _ := newFaulty(t)
	server := httptest.NewServer(faults)
	defer server.Close()
	expect := func(method, path, body string, want ...localkms.Fault) {
		t.Helper()
		status, text := admin(t, server.URL, method, path, body)
		var got []localkms.Fault
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
		if diff := cmp.Diff(append([]localkms.Fault{}, want...), got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", method, path, diff)
		}
	}
	one := localkms.Fault{Operation: "ListKeys", Count: 1, Code: "KMSInternalException", Message: "x", Status: 503}
	two := localkms.Fault{Operation: "Encrypt", Delay: localkms.Duration(1500 * time.Millisecond), Drop: localkms.DropAfter}
	three := localkms.Fault{Operation: "*", Rate: 0.5}
	expect("GET", "/faults", "")
	expect("PUT", "/faults", `[{"operation":"ListKeys","count":1,"code":"KMSInternalException","message":"x","status":503}]`, one)
	expect("PUT", "/faults", ` [ {"operation":"Encrypt","delay":"1.5s","drop":"after"}, {"operation":"*","rate":0.5} ] `+"\n", three, two, one)
	expect("GET", "/faults", "", three, two, one)
	if a := f.call("ListKeys", "{}"); a.status != 503 || a.message != "x" {
		t.Errorf("%d %s", a.status, a.body)
	}
	expect("GET", "/faults/", "", three, two)
	expect("DELETE", "/faults/*", "", two)
	expect("DELETE", "/faults/DescribeKey", "", two)
	expect("PUT", "/faults", "[]", two)
	expect("DELETE", "/faults", "")
	f.must("ListKeys", object{})
	expect("PUT", "/faults/aws-quotas", "", localkms.AWSQuotas()...)
	expect("DELETE", "/faults/", "")

	if _, text := admin(t, server.URL, "PUT", "/faults", `[{"operation":"*","delay":"90s","drop":"before","count":3}]`); text != `[
  {
    "operation": "*",
    "count": 3,
    "delay": "1m30s",
    "drop": "before"
  }
]
` {
		t.Errorf("what people read: %s", text)
	}
}

// TestFaultsHandlerRefusals shows what bad input is told, and that nothing comes of it.
func TestFaultsHandlerRefusals(t *testing.T) {
	faults := localkms.NewFaults()
	server := httptest.NewServer(faults)
	defer server.Close()
	const format = `faults are a JSON list such as [{"operation": "ImportKeyMaterial", "count": 1, "code": "KMSInternalException"}]: `
	for name, c := range map[string]struct {
		reason       string
		method, path string // default: PUT /faults
		body         string
		status       int // default 400
		want         string
		more         bool // in the words of the standard library
	}{
		"nothing":           {reason: "not a list", body: "", want: format, more: true},
		"one fault":         {reason: "not a list", body: `{"operation":"ListKeys","code":"A"}`, want: format, more: true},
		"not JSON":          {reason: "not a list", body: "x", want: format, more: true},
		"two lists":         {reason: "the second would be lost", body: `[{"operation":"ListKeys","code":"A"}][]`, want: format + "something follows the list"},
		"garbage behind":    {reason: "half a mistake", body: `[{"operation":"ListKeys","code":"A"}]]`, want: format + "something follows the list"},
		"unknown field":     {reason: "a slip of the pen", body: `[{"operation":"ListKeys","kode":"A"}]`, want: format, more: true},
		"number of seconds": {reason: "a duration has a unit", body: `[{"operation":"ListKeys","delay":5}]`, want: format, more: true},
		"broken duration":   {reason: "a duration has a unit", body: `[{"operation":"ListKeys","delay":"5"}]`, want: format + `time: missing unit in duration "5"`},
		"second is wrong":   {reason: "all or nothing", body: `[{"operation":"ListKeys","code":"A"},{"operation":"Listkeys","code":"A"}]`, want: `"Listkeys" is not an operation of the local KMS`},
		"too much":          {reason: "a mistake in any case", body: "[" + strings.Repeat(" ", 1<<20) + "]", want: format, more: true},
		"unknown preset":    {reason: "there is one", path: "/faults/gcp-quotas", want: `"gcp-quotas" is not a preset: the one there is is aws-quotas`},
		"PUT one operation": {reason: "not a preset", path: "/faults/ListKeys", body: `[{"operation":"ListKeys","code":"A"}]`, want: `"ListKeys" is not a preset: the one there is is aws-quotas`},
		"DELETE of nothing": {reason: "as PUT has it", method: "DELETE", path: "/faults/Foo", status: 400, want: `"Foo" is not an operation of the local KMS`},
		"POST":              {reason: "PUT adds", method: "POST", status: 405, want: "GET, PUT or DELETE /faults"},
		"GET one operation": {reason: "GET shows all", method: "GET", path: "/faults/ListKeys", status: 405, want: "GET, PUT or DELETE /faults"},
		"other path":        {reason: "not here", method: "GET", path: "/", status: 404, want: "faults are at /faults"},
		"longer path":       {reason: "not here", path: "/faultsaws-quotas", status: 404, want: "faults are at /faults"},
		"KMS":               {reason: "it is elsewhere", method: "POST", path: "/", status: 404, want: "faults are at /faults"},
	} {
		t.Run(name, func(t *testing.T) {
			method, path, status := c.method, c.path, c.status
			if method == "" {
				method = "PUT"
			}
			if path == "" {
				path = "/faults"
			}
			if status == 0 {
				status = 400
			}
			gotStatus, got := admin(t, server.URL, method, path, c.body)
			isRight := got == c.want+"\n" || c.more && strings.HasPrefix(got, c.want) && len(got) > len(c.want)+1
			if gotStatus != status || !isRight {
				t.Errorf("got  %d %swant %d %s", gotStatus, got, status, c.want)
			}
			if left := faults.List(); len(left) != 0 {
				t.Errorf("set nevertheless: %v", left)
			}
		})
	}
}

// TestConcurrentFaults is there for the race detector.
func TestConcurrentFaults(t *testing.T) {
	f, faults, _ := newFaulty(t)
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for range 20 {
				if a := f.call("ListKeys", "{}"); a.code != "" && a.code != "A" && a.code != "ThrottlingException" {
					f.t.Errorf("%s", a.body)
				}
			}
		})
		clients.Go(func() {
			for range 20 {
				if err := faults.Set(localkms.Fault{Operation: "ListKeys", Count: 3, Code: "A"}, localkms.Fault{Operation: "*", Rate: 1}); err != nil {
					f.t.Error(err)
				}
				faults.List()
				faults.Clear("ListKeys")
			}
		})
	}
	clients.Wait()
}
