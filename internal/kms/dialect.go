package kms

// Dialect is the variant of KMS's protocol that an endpoint speaks.
type Dialect string

// The dialects.
const (
	DialectAWS  Dialect = "AWS"
	DialectQKMS Dialect = "QKMS" // Quilibrium's KMS
)
