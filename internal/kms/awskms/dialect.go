package awskms

import (
	"strings"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// What stands in for what is not configured. QKMS has one endpoint, and wants a Region in signatures only.
const (
	qkmsEndpoint = "https://qkms.quilibrium.com"
	qkmsRegion   = "us-east-1"
)

// withDefaults fills in what does not depend on the environment.
func (c Config) withDefaults() Config {
	if c.Dialect == "" {
		c.Dialect = kms.DialectAWS
	}
	if c.Dialect == kms.DialectQKMS && c.Endpoint == "" {
		c.Endpoint = qkmsEndpoint
	}
	return c
}

// speak makes a client of the dialect out of one of AWS's.
func speak(dialect kms.Dialect, o *sdk.Options) {
	if dialect != kms.DialectQKMS {
		return
	}
	o.HTTPClient = numericTimestamps{o.HTTPClient}
	o.HTTPSignerV4 = fourHeaders{v4.NewSigner()}
}

// names reports whether the KeyId of an answer is the key with this ARN. QKMS leaves it out of some answers, and its
// documentation shows a key ID in its place.
func (s *Service) names(keyID, keyARN string) bool {
	if keyID == keyARN {
		return true
	}
	return s.dialect == kms.DialectQKMS && (keyID == "" || strings.HasSuffix(keyARN, ":key/"+keyID))
}

// isKeyARN tells a key ARN from a key ID, an alias and an alias ARN. AWS's have six parts
// (arn:aws:kms:eu-west-1:111122223333:key/...), QKMS's four (arn:verenc:111122223333:key/...).
func isKeyARN(keyID string) bool {
	resource := keyID[strings.LastIndex(keyID, ":")+1:]
	return strings.HasPrefix(keyID, "arn:") && strings.HasPrefix(resource, "key/")
}
