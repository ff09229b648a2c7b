//go:build conformance

package awskms

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms/kmstest"
)

// What make conformance asks for (docs/conformance.md).
var (
	askedEndpoint = flag.String("endpoint", "", "URL of the KMS; empty: AWS's own of the Region, or QKMS's")
	askedDialect  = flag.String("dialect", "AWS", "what it speaks: AWS or QKMS")
	askedRegion   = flag.String("region", "", "Region; empty: the one of the environment or the AWS profile")
	askedKey      = flag.String("key", "", "ID or ARN of an empty key to use up; empty: create keys")
	askedSettle   = flag.Duration("settle", -1, "how long to wait for a change to show; default: 5s, and none on a loopback address")
	askedYes      = flag.Bool("yes", false, "do it without asking")
)

// The most requests that a run makes, and how often it waits for a change to show: what is announced and, at the end,
// held against what was.
const (
	mostRequests   = 500
	mostParameters = 100
	mostWaits      = 160
)

// TestConformance checks the contract of kms.Service on a KMS that is not ours, in an account that is somebody's.
func TestConformance(t *testing.T) {
	a := openAccount(t)
	harness := kmstest.Harness{
		Service: paced{a.service, a.parametersRate()}, Stranger: a.stranger, Dialect: a.dialect, Keys: a.keys,
		Now: time.Now, Settle: a.wait,
	}
	if *askedKey != "" {
		harness.Key, harness.NoOtherKeys = a.emptyKey(t, *askedKey), true
	}
	scope := kmstest.ScopeOf(harness)
	a.announce(os.Stdout, harness.Key, scope)
	if !*askedYes {
		confirm(t)
	}
	t.Cleanup(func() { a.leave(t, harness.NoOtherKeys, harness.Key) })
	if harness.Key == "" {
		keyARN, err := a.keys.Create(t.Context(), kms.KeySpecSymmetricDefault, kms.OriginExternal)
		if err != nil {
			t.Fatal(err)
		}
		a.wait()
		harness.Key = keyARN
	}
	kmstest.Contract(t, harness)
	a.checkAnnouncement(t)
}

// emptyKey is the ARN of a key that may be used up. One that holds material, has had some or is of another kind is
// refused, whoever asks: nothing here may destroy a key.
func (a *account) emptyKey(t *testing.T, keyID string) string {
	t.Helper()
	if strings.Contains(keyID, "alias/") {
		t.Fatal("KEY must be a key ID or a key ARN: an alias may be pointed at another key")
	}
	key, err := a.service.DescribeKey(t.Context(), keyID)
	switch {
	case err != nil:
		t.Fatalf("KEY is not used: %v", err)
	case key.Origin != kms.OriginExternal:
		t.Fatalf("KEY is not used: its Origin is %s and not EXTERNAL", key.Origin)
	case key.Spec != kms.KeySpecSymmetricDefault || key.MultiRegion:
		t.Fatalf("KEY is not used: it must be a SYMMETRIC_DEFAULT key of one Region")
	case key.State != kms.KeyStatePendingImport:
		t.Fatalf("KEY is not used: it is %s and not PendingImport", key.State)
	case key.CurrentKeyMaterialID != "":
		t.Fatal("KEY is not used: it has had material before, which could be imported again")
	}
	return key.ARN
}

// confirm ends the test unless a person says yes.
func confirm(t *testing.T) {
	t.Helper()
	fmt.Print("Go on? Only yes does: ")
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Println()
	switch {
	case err != nil:
		t.Fatal("there is nobody to ask, and nothing was done: say YES=1 to go on without")
	case strings.TrimSpace(answer) != "yes":
		t.Fatal("nothing was done")
	}
}

func (a *account) announce(w io.Writer, keyARN string, scope kmstest.Scope) {
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	_, _ = fmt.Fprintln(w, "conformance: what will be done")
	line("KMS", "%s at %s, Region %s", a.dialect, a.endpoint(), a.service.client.Options().Region)
	line("credentials", "%s", a.credentialsSource)
	if keyARN == "" {
		line("keys", "%d are created, each with the description %q.", scope.Keys+1, keyDescription)
		line("", "At the end, also after a failure or Ctrl-C, each is scheduled for deletion in %d days.", deletionDays)
	} else {
		line("key", "%s, and no other.", keyARN)
		line("", "It gets material made at random, which is deleted at the end and which nobody has kept.")
		line("", "THAT USES THE KEY UP: AWS KMS lets no other material into it, ever. Deleting it is left to you.")
	}
	if keyARN != "" && a.dialect == kms.DialectQKMS {
		line("", "QKMS does not say whether a key has had material before. Say no if this one may have.")
	}
	line("cost", "%s", a.cost())
	line("requests", "at most %d, of these at most %d of GetParametersForImport, for which an account has", mostRequests, mostParameters)
	line("", "a quota of about one a second: others that import in this account and Region may be throttled.")
	line("time", "at most %s, %s of it waiting for changes to show (SETTLE).", a.longest().Round(time.Second), mostWaits*a.settle)
	line("promises", "%d are checked, %d left out:", len(scope.Checked), len(scope.LeftOut))
	for _, omission := range scope.LeftOut {
		line("", "- %s (%s)", omission.Promise, omission.Reason)
	}
}

func (a *account) endpoint() string {
	if set := a.service.client.Options().BaseEndpoint; set != nil {
		return *set
	}
	return "AWS's own endpoint"
}

func (a *account) isAWS() bool {
	endpoint, err := url.Parse(a.endpoint())
	return a.dialect == kms.DialectAWS && err == nil && (endpoint.Host == "" || strings.HasSuffix(endpoint.Hostname(), ".amazonaws.com"))
}

func (a *account) cost() string {
	if a.isAWS() {
		return "AWS charges $1 a month for a key, prorated hourly, until it is scheduled for deletion, and for requests:\n" +
			strings.Repeat(" ", 15) + "see https://aws.amazon.com/kms/pricing"
	}
	return "whatever the KMS at this endpoint charges for keys and requests (AWS: see https://aws.amazon.com/kms/pricing)"
}

// longest is how long a run takes: it waits, keeps to the rate, and a request takes a part of a second.
func (a *account) longest() time.Duration {
	longest := mostWaits*a.settle + mostRequests*100*time.Millisecond
	if !a.isLoopback() {
		longest += mostParameters * time.Second
	}
	return longest
}

func (a *account) checkAnnouncement(t *testing.T) {
	t.Helper()
	requests, parameters, waits := a.requests.Load(), a.parameters.Load(), a.waits.Load()
	t.Logf("%d requests, %d of GetParametersForImport; %d times waited for a change to show", requests, parameters, waits)
	if requests > mostRequests || parameters > mostParameters || waits > mostWaits {
		t.Error("that is more than was announced")
	}
}
