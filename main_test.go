package main

import (
	"bytes"
	"strings"
	"testing"

	ctrl "sigs.k8s.io/controller-runtime"

	"k8s.io/klog/v2"
)

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{
		"--kms-endpoint", "--kms-region", "--kms-dialect", "--get-parameters-rate", "--resync-interval", "--max-concurrent-reconciles",
		"--namespaces", "--leader-elect", "--leader-election-namespace", "--leader-election-lease-duration", "--leader-election-renew-deadline",
		"--leader-election-retry-period", "--metrics-bind-address", "--health-probe-bind-address", "--log-level", "--log-format", "--version",
	} {
		if !strings.Contains(out.String(), flag) {
			t.Errorf("--help does not mention %s", flag)
		}
	}
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--version"}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "kms-key-import-operator unknown, commit unknown, go1.") {
		t.Errorf("got %q", out.String())
	}
}

func TestBadFlags(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown flag":          {[]string{"--bogus"}, "unknown flag: --bogus (--help lists the flags)"},
		"argument":              {[]string{"start"}, `unexpected argument "start": the manager takes flags only (--help lists them)`},
		"no rate":               {[]string{"--get-parameters-rate=0"}, "--get-parameters-rate must be above 0: it is the number of GetParametersForImport calls per second"},
		"resync too short":      {[]string{"--resync-interval=1ms"}, "--resync-interval must be at least 1s"},
		"nobody works":          {[]string{"--max-concurrent-reconciles=0"}, "--max-concurrent-reconciles must be at least 1"},
		"empty namespace":       {[]string{"--namespaces=a,,b"}, "--namespaces contains an empty name: leave the flag out to watch all namespaces"},
		"lease shorter":         {[]string{"--leader-election-lease-duration=5s"}, "--leader-election-lease-duration must be longer than --leader-election-renew-deadline, and that longer than --leader-election-retry-period"},
		"verbosity by number":   {[]string{"--log-level=10"}, `--log-level "10" is not one of error, info, debug`},
		"unknown log format":    {[]string{"--log-format=xml"}, `--log-format "xml" is not one of json, text`},
		"unknown dialect":       {[]string{"--kms-dialect=GCP"}, `--kms-dialect "GCP" is unknown: the dialects are AWS and QKMS`},
		"plain http to a name":  {[]string{"--kms-endpoint=http://kms.example.com"}, "--kms-endpoint: the endpoint must be an https URL: http is for loopback addresses, 127.0.0.0/8, alone"},
		"duration without unit": {[]string{"--resync-interval=10"}, `invalid argument "10" for "--resync-interval" flag: time: missing unit in duration "10" (--help lists the flags)`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), test.args, &bytes.Buffer{})
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// The Kubernetes client logs request and response bodies, Secrets among them, from V(8).
func TestBodiesCannotBeLogged(t *testing.T) {
	setLogger(flags{logLevel: "debug", logFormat: "json"})
	if !ctrl.Log.V(4).Enabled() {
		t.Error("debug shows nothing more than info")
	}
	for _, verbosity := range []int{6, 8, 10} {
		if ctrl.Log.V(verbosity).Enabled() || klog.Background().V(verbosity).Enabled() || klog.V(klog.Level(verbosity)).Enabled() {
			t.Errorf("V(%d) is enabled at the highest log level there is", verbosity)
		}
	}
}
