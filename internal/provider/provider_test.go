package provider

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		config Config
		want   string
	}{
		"AWS":           {"the flags' defaults", Config{Dialect: "AWS"}, ""},
		"endpoint":      {"an endpoint compatible with AWS KMS", Config{Dialect: "AWS", Endpoint: "https://kms.example/"}, ""},
		"local KMS":     {"http to a loopback address", Config{Dialect: "AWS", Endpoint: "http://127.0.0.1:4566", Region: "us-east-1"}, ""},
		"QKMS":          {"endpoint and Region have defaults", Config{Dialect: "QKMS"}, ""},
		"no dialect":    {"the flag has a default", Config{}, `--kms-dialect "" is unknown: the dialects are AWS and QKMS`},
		"lower case":    {"dialects are spelled as in the API", Config{Dialect: "aws"}, `--kms-dialect "aws" is unknown: the dialects are AWS and QKMS`},
		"http endpoint": {"material is not sent in the clear", Config{Dialect: "AWS", Endpoint: "http://kms.example"}, "--kms-endpoint: the endpoint must be an https URL: http is for loopback addresses, 127.0.0.0/8, alone"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := tc.config.Validate(); err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("%s: error %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		config Config
		want   string
	}{
		"no Region": {
			"neither flag nor environment nor profile", Config{Dialect: "AWS"},
			"no AWS Region is configured: set --kms-region or the environment variable AWS_REGION",
		},
		"bad Region": {
			"it would become part of a host name", Config{Dialect: "AWS", Region: "evil.example/"},
			`configure the KMS client (--kms-region, --kms-endpoint): "evil.example/" is not the name of an AWS Region such as eu-west-1`,
		},
		"invalid": {
			"validated again, whoever forgot to", Config{Dialect: "qkms", Region: "eu-west-1"},
			`--kms-dialect "qkms" is unknown: the dialects are AWS and QKMS`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			_, err := New(context.Background(), tc.config)
			if err == nil || err.Error() != tc.want {
				t.Errorf("%s: error %v, want %s", tc.reason, err, tc.want)
			}
		})
	}
}

func TestNew(t *testing.T) {
	const arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	scope := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scope = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{"KeyMetadata":{"Arn":"`+arn+`"}}`)
	}))
	t.Cleanup(server.Close)
	isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "us-west-2")

	service, err := New(context.Background(), Config{Dialect: "AWS", Endpoint: server.URL + "/", Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := service.DescribeKey(context.Background(), arn)
	if err != nil || key.ARN != arn {
		t.Errorf("got %+v, %v", key, err)
	}
	if !strings.Contains(scope, "AKIDEXAMPLE/") || !strings.Contains(scope, "/eu-west-1/kms/") {
		t.Errorf("signed with %s", scope)
	}
}

// The dialect reaches the wire: four headers are signed, for the Region that stands in where none is configured.
func TestNewOfQKMS(t *testing.T) {
	const arn = "arn:verenc:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	authorization := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{"KeyMetadata":{"Arn":"`+arn+`","CreationDate":"2023-12-01T00:00:00-07:00"}}`)
	}))
	t.Cleanup(server.Close)
	isolate(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	service, err := New(context.Background(), Config{Dialect: "QKMS", Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	key, err := service.DescribeKey(context.Background(), arn)
	if err != nil || key.ARN != arn {
		t.Errorf("got %+v, %v", key, err)
	}
	if !strings.Contains(authorization, "/us-east-1/kms/") || !strings.Contains(authorization, "SignedHeaders=content-type;host;x-amz-date;x-amz-target,") {
		t.Errorf("signed with %s", authorization)
	}
}

// isolate keeps the developer's own AWS configuration out of a test.
func isolate(t *testing.T) {
	t.Helper()
	nowhere := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
}
