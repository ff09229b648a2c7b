package awskms

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// credentials marks the errors of a credential chain, which end a call before anything is sent.
type credentials struct {
	chain aws.CredentialsProvider
}

// Retrieve implements aws.CredentialsProvider.
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.chain.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, &credentialsError{err}
	}
	return found, nil
}

// credentialsError does not unwrap to its cause: an answer of STS is none of KMS.
type credentialsError struct {
	cause error
}

func (e *credentialsError) Error() string { return "get AWS credentials: " + e.cause.Error() }
