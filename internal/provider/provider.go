// Package provider says where keys live, and builds the kms.Service of each place. In this version there is one
// provider, named "default" and defined by the manager's flags.
package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms/awskms"
)

// Config defines the provider "default". Its errors name the manager's flags.
type Config struct {
	Endpoint string      // --kms-endpoint; empty is AWS's own endpoint of the Region, or that of QKMS
	Region   string      // --kms-region; empty is the Region of the environment or the AWS profile
	Dialect  kms.Dialect // --kms-dialect
}

// Validate checks what can be checked without the environment.
func (c Config) Validate() error {
	if c.Dialect != kms.DialectAWS && c.Dialect != kms.DialectQKMS {
		return fmt.Errorf("--kms-dialect %q is unknown: the dialects are AWS and QKMS", c.Dialect)
	}
	if c.Endpoint == "" {
		return nil
	}
	if _, err := awskms.ParseEndpoint(c.Endpoint); err != nil {
		return fmt.Errorf("--kms-endpoint: %w", err)
	}
	return nil
}

// New builds the service of the provider "default": once, for the life of the manager. It calls no KMS: credentials
// are looked for when the first call needs them.
func New(ctx context.Context, config Config) (kms.Service, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	service, err := awskms.New(ctx, awskms.Config{Dialect: config.Dialect, Region: config.Region, Endpoint: config.Endpoint})
	if errors.Is(err, awskms.ErrNoRegion) {
		return nil, errors.New("no AWS Region is configured: set --kms-region or the environment variable AWS_REGION")
	}
	if err != nil {
		return nil, fmt.Errorf("configure the KMS client (--kms-region, --kms-endpoint): %w", err)
	}
	return service, nil
}
