// Package awskms is the kms.Service of AWS KMS, of QKMS, and of endpoints that speak the protocol of either, on the AWS
// SDK for Go.
package awskms

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// Service is one Region of an account, or one endpoint.
type Service struct {
	client        *sdk.Client
	dialect       kms.Dialect
	readRetryer   aws.Retryer
	readTimeout   time.Duration
	importTimeout time.Duration
}

var _ kms.Service = (*Service)(nil)

// What is wrong with an answer, where several calls may get it.
const (
	otherKey       = "the answer is about another key"
	otherMaterial  = "the answer is about other key material"
	notAName       = "the answer holds a field that is no identifier"
	impossibleDate = "the answer holds an impossible date"
)
