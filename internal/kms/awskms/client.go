package awskms

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Bounds of one call, waiting for credentials and all attempts included.
const (
	readTimeout   = 10 * time.Second // DescribeKey, GetParametersForImport
	importTimeout = 15 * time.Second // ImportKeyMaterial; short, so that a stopped leader's import is soon over
)

// Attempts at a call that changes nothing and that no scarce quota stands before. They are for a dropped connection or
// a server that restarts; whatever lasts longer is for the caller's own backoff.
const (
	readAttempts = 3
	readBackoff  = 200 * time.Millisecond
)

// ErrNoRegion is the error of New where neither Config nor the environment nor the AWS profile names a Region.
var ErrNoRegion = errors.New("no AWS Region is configured")

// Config says which KMS a Service talks to.
type Config struct {
	// Dialect is the variant of the protocol; empty is AWS's.
	Dialect kms.Dialect
	// Region signs the requests and, without an Endpoint, chooses AWS's own; empty takes the one of the environment
	// (AWS_REGION) or of the AWS profile, and for QKMS us-east-1 where these name none.
	Region string
	// Endpoint is the URL of the KMS as ParseEndpoint takes it; empty is AWS's own endpoint of the Region, or
	// https://qkms.quilibrium.com.
	// The SDK's endpoint variables (AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_KMS) and profile settings are ignored.
	Endpoint string
	// Credentials sign the requests; nil takes the SDK's default credential chain.
	Credentials aws.CredentialsProvider
	// Transport carries the requests; nil takes the SDK's own, with its proxy and CA bundle settings.
	Transport http.RoundTripper
}

// New builds the adapter. It calls no KMS, and needs no credentials yet.
func New(ctx context.Context, configuration Config) (*Service, error) {
	configuration = configuration.withDefaults()
	endpoint := configuration.Endpoint
	if endpoint != "" {
		var err error
		if endpoint, err = ParseEndpoint(endpoint); err != nil {
			return nil, err
		}
	}
	loaded, err := load(ctx, configuration)
	if err != nil {
		return nil, err
	}
	transport := configuration.Transport
	if transport == nil {
		transport = transportOf(loaded.HTTPClient)
	}
	client := sdk.NewFromConfig(loaded, func(o *sdk.Options) {
		useEndpoint(o, endpoint)
		o.HTTPClient = direct{transport}
		o.Credentials = credentials{chain: loaded.Credentials, dialect: configuration.Dialect}
		// One attempt unless a call asks for more, whatever AWS_MAX_ATTEMPTS and AWS_RETRY_MODE say.
		o.Retryer = aws.NopRetryer{}
		// Bodies hold wrapped material and import tokens. The logger logs nothing either: see load.
		o.ClientLogMode = 0
		speak(configuration.Dialect, o)
	})
	return &Service{
		client: client, dialect: configuration.Dialect,
		readRetryer: newReadRetryer(), readTimeout: readTimeout, importTimeout: importTimeout,
	}, nil
}

func load(ctx context.Context, configuration Config) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if configuration.Region != "" {
		options = append(options, config.WithRegion(configuration.Region))
	}
	if configuration.Credentials != nil {
		options = append(options, config.WithCredentialsProvider(configuration.Credentials))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if loaded.Region == "" && configuration.Dialect == kms.DialectQKMS {
		loaded.Region = qkmsRegion
	}
	switch {
	case err != nil:
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	case loaded.Region == "":
		return aws.Config{}, ErrNoRegion
	case !smithyhttp.ValidHostLabel(loaded.Region):
		return aws.Config{}, fmt.Errorf("%q is not the name of an AWS Region such as eu-west-1", loaded.Region)
	}
	return loaded, nil
}

// useEndpoint sets BaseEndpoint in every case, since what stands here wins over environment and profile.
func useEndpoint(o *sdk.Options, endpoint string) {
	o.BaseEndpoint = nil
	if endpoint == "" {
		return
	}
	o.BaseEndpoint = aws.String(endpoint)
	// FIPS and dual stack choose among AWS's own endpoints; the SDK refuses them beside a given one.
	o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateDisabled
	o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateDisabled
}

func newReadRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = readAttempts
		o.MaxBackoff = readBackoff
	})
}

// transportOf is the transport that the configuration made, with the CA bundle where one is set (AWS_CA_BUNDLE).
func transportOf(client aws.HTTPClient) http.RoundTripper {
	if configured, ok := client.(*awshttp.BuildableClient); ok {
		return configured.GetTransport()
	}
	return awshttp.NewBuildableClient().GetTransport()
}
