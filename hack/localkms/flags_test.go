package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// defined are all flags.
func defined() *pflag.FlagSet {
	flags, c := pflag.NewFlagSet("", pflag.ContinueOnError), &config{}
	c.defineServing(flags)
	c.defineBehaviour(flags)
	return flags
}

// TestFlags sets one flag after the other, and compares the server's options with those that no flag gives.
func TestFlags(t *testing.T) {
	const alice = "arn:aws:iam::111122223333:user/alice"
	cases := map[string]struct {
		reason string
		args   []string
		change func(*localkms.Options) // nil for what the server does not learn of
	}{
		"access-key-id":    {reason: "of the first principal", args: []string{"me"}, change: func(o *localkms.Options) { o.Principals[0].AccessKeyID = "me" }},
		"account-id":       {reason: "of the server", args: []string{"000000000042"}, change: func(o *localkms.Options) { o.AccountID = "000000000042" }},
		"address-file":     {reason: "see TestRun", args: []string{"x"}},
		"admin-listen":     {reason: "see TestAdminListener", args: []string{"127.0.0.1:0", "--enable-faults"}, change: func(o *localkms.Options) { o.Faults = localkms.NewFaults() }},
		"assume":           {reason: "a list", args: []string{"LongHMAC,TenRotations", "--assume=PlainJSON"}, change: func(o *localkms.Options) { o.Assume = []localkms.Assumption{"LongHMAC", "TenRotations", "PlainJSON"} }},
		"dialect":          {reason: "of the server", args: []string{"QKMS"}, change: func(o *localkms.Options) { o.Dialect = "QKMS" }},
		"enable-faults":    {reason: "see TestFaults", args: []string{"true"}, change: func(o *localkms.Options) { o.Faults = localkms.NewFaults() }},
		"import-token-ttl": {reason: "of the server", args: []string{"90s"}, change: func(o *localkms.Options) { o.ImportTokenTTL = 90 * time.Second }},
		"late-expiry":      {reason: "of the server", args: []string{"5m"}, change: func(o *localkms.Options) { o.LateExpiry = 5 * time.Minute }},
		"listen":           {reason: "see TestRun", args: []string{"127.0.0.1:0"}},
		"principal": {reason: "beside the first, with colons in the secret", args: []string{alice + "=a:b:c"}, change: func(o *localkms.Options) {
			o.Principals = append(o.Principals, localkms.Principal{ARN: alice, AccessKeyID: "a", SecretAccessKey: "b:c"})
		}},
		"propagation-delay": {reason: "of the server", args: []string{"10s"}, change: func(o *localkms.Options) { o.Propagation.Delay = 10 * time.Second }},
		"propagation-flicker": {reason: "of the server", args: []string{"true", "--propagation-delay=3s"}, change: func(o *localkms.Options) {
			o.Propagation = localkms.Propagation{Delay: 3 * time.Second, Flicker: true}
		}},
		"region":            {reason: "a list", args: []string{"eu-west-1,eu-west-2"}, change: func(o *localkms.Options) { o.Regions = []string{"eu-west-1", "eu-west-2"} }},
		"rotation-time":     {reason: "of the server", args: []string{"30s"}, change: func(o *localkms.Options) { o.RotationTime = 30 * time.Second }},
		"secret-access-key": {reason: "of the first principal, with any characters", args: []string{"a=b:c,d"}, change: func(o *localkms.Options) { o.Principals[0].SecretAccessKey = "a=b:c,d" }},
		"strict-signing":    {reason: "of the server", args: []string{"true"}, change: func(o *localkms.Options) { o.StrictSigning = true }},
		"tls-ca-file":       {reason: "see TestTLS", args: []string{"x", "--tls-self-signed"}},
		"tls-host":          {reason: "see TestTLS", args: []string{"x", "--tls-self-signed", "--tls-ca-file=x"}},
		"tls-self-signed":   {reason: "see TestTLS", args: []string{"true", "--tls-ca-file=x"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			want := localkms.Options{
				Dialect: "AWS", AccountID: "111122223333", ImportTokenTTL: 24 * time.Hour,
				Principals: []localkms.Principal{{AccessKeyID: "localkms", SecretAccessKey: "localkms"}},
			}
			if c.change != nil {
				c.change(&want)
			}
			parsed, err := parse(append([]string{"--" + name + "=" + c.args[0]}, c.args[1:]...), io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			got := parsed.options(io.Discard)
			if got.Logger == nil || (got.Faults == nil) != (want.Faults == nil) {
				t.Errorf("logger %v, faults %v", got.Logger, got.Faults)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(&localkms.Faults{}, &slog.Logger{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
	defined().VisitAll(func(flag *pflag.Flag) {
		if _, found := cases[flag.Name]; !found {
			t.Errorf("--%s has no case here", flag.Name)
		}
	})
}

// TestHelpIsComplete shows that --help says of every flag what it is, what it takes and what it is otherwise, and the same
// of every assumption.
func TestHelpIsComplete(t *testing.T) {
	var stdout bytes.Buffer
	if _, err := parse([]string{"--help"}, &stdout); err == nil {
		t.Fatal("--help is no start")
	}
	help := stdout.String()
	switches := map[string]bool{"enable-faults": true, "propagation-flicker": true, "strict-signing": true, "tls-self-signed": true}
	defined().VisitAll(func(flag *pflag.Flag) {
		line := regexp.MustCompile(`(?m)^ +--` + flag.Name + `( [a-zA-Z=:. ]*[^ \n])?   +(.*)$`).FindStringSubmatch(help)
		if line == nil || line[2] == "" || (line[1] == "") != switches[flag.Name] {
			t.Errorf("--%s: %q", flag.Name, line)
		}
	})
	for _, info := range localkms.Assumptions() {
		dialects := strings.Trim(strings.ReplaceAll(fmt.Sprint(info.Dialects), " ", ", "), "[]")
		want := fmt.Sprintf("\n  %s (%s)\n      %s\n      otherwise: %s\n", info.Assumption, dialects, info.Meaning, info.Otherwise)
		if strings.Count(help, want) != 1 {
			t.Errorf("--help has %q %d times", want, strings.Count(help, want))
		}
	}
	for line := range strings.SplitSeq(help, "\n") {
		if strings.HasSuffix(line, " ") || strings.Contains(line, "%!") {
			t.Errorf("%q", line)
		}
	}
}
