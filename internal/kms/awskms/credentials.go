package awskms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// errTemporary is about credentials that a service of AWS issued: a role's, say, which every Pod on EKS may have.
// QKMS documents four signed headers, and none of them is the session token, which must be signed where it is sent.
var errTemporary = errors.New("the credentials have a session token")

// credentials marks the errors of a credential chain, which end a call before anything is sent.
type credentials struct {
	chain   aws.CredentialsProvider
	dialect kms.Dialect
}

// Retrieve implements aws.CredentialsProvider.
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.chain.Retrieve(ctx)
	if err == nil && c.dialect == kms.DialectQKMS && found.SessionToken != "" {
		err = errTemporary
	}
	if err != nil {
		return aws.Credentials{}, &credentialsError{cause: err, dialect: c.dialect}
	}
	return found, nil
}

// credentialsError does not unwrap to its cause: an answer of STS is none of KMS.
type credentialsError struct {
	cause   error
	dialect kms.Dialect
}

func (e *credentialsError) Error() string { return "get AWS credentials: " + e.cause.Error() }

// message tells absent credentials from refused ones, by the code of the service that refused.
func (e *credentialsError) message() string {
	const qkmsKey = "give the operator an access key of QKMS by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	var refusal smithy.APIError
	switch {
	case errors.Is(e.cause, errTemporary):
		return "the credentials that were found are temporary ones of AWS, with a session token, which QKMS does not take: " + qkmsKey
	case errors.As(e.cause, &refusal) && cleanCode(refusal.ErrorCode()) != "":
		return fmt.Sprintf("the service that issues AWS credentials refused to (%s): check the role and its trust policy",
			cleanCode(refusal.ErrorCode()))
	case e.dialect == kms.DialectQKMS:
		return "no credentials were found: " + qkmsKey
	default:
		return "no AWS credentials were found: give the operator some, for example by a role for its service account " +
			"or by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	}
}
