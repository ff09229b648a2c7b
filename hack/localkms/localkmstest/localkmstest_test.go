package localkmstest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/keyimport-dev/kms-key-import-operator/hack/localkms/localkmstest"
)

// TestStart calls the server with what it says about itself.
func TestStart(t *testing.T) {
	for name, c := range map[string]struct {
		reason  string
		options localkmstest.Options
		region  string
	}{
		"defaults":   {reason: "the zero options work", region: "us-east-1"},
		"one Region": {reason: "others are refused", options: localkmstest.Options{Regions: []string{"eu-west-1", "us-east-1"}}, region: "eu-west-1"},
		"principals": {
			reason: "the first one signs",
			options: localkmstest.Options{Principals: []localkmstest.Principal{
				{AccessKeyID: "first", SecretAccessKey: "one", SessionToken: "token"}, {AccessKeyID: "second", SecretAccessKey: "two"},
			}},
			region: "us-east-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := localkmstest.Start(t, c.options)
			client := kms.New(kms.Options{
				Region: server.Region, BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{},
				Credentials: credentials.NewStaticCredentialsProvider(server.AccessKeyID, server.SecretAccessKey, server.SessionToken),
			})
			if _, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{}); err != nil {
				t.Error(err)
			}
			if server.Region != c.region {
				t.Errorf("Region %s, want %s", server.Region, c.region)
			}
		})
	}
}

// TestStartEnds shows that nothing is left when the test that started a server has ended.
func TestStartEnds(t *testing.T) {
	var url string
	t.Run("within", func(t *testing.T) { url = localkmstest.Start(t, localkmstest.Options{}).URL })
	response, err := http.Get(url + "/healthz")
	if err == nil {
		_ = response.Body.Close()
		t.Errorf("%s still answers: %s", url, response.Status)
	}
}

// TestNew is for those who serve it themselves.
func TestNew(t *testing.T) {
	handler, err := localkmstest.New(localkmstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz", http.NoBody))
	if err := handler.Close(); err != nil || answer.Code != http.StatusOK {
		t.Errorf("%d, %v", answer.Code, err)
	}
	if _, err := localkmstest.New(localkmstest.Options{AccountID: "1"}); err == nil {
		t.Error("options that make no sense are taken")
	}
}
