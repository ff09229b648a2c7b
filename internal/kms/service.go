// Package kms is the operator's view of a key management service: the calls it makes, the values that go in and
// come out, and the classes of error it tells apart. Adapters live in sub-packages.
//
// Identifiers are spelled as AWS KMS spells them (https://docs.aws.amazon.com/kms/latest/APIReference/).
package kms

import (
	"context"
	"time"
)

// Service is one KMS account and Region. Every error it returns is, or wraps, an *Error.
// Implementations are safe for concurrent use.
type Service interface {
	// DescribeKey reports a key by key ID, key ARN, alias name or alias ARN. Asked by key ARN, it reports that key or
	// fails.
	DescribeKey(ctx context.Context, keyID string) (Key, error)

	// GetParametersForImport returns a wrapping public key and an import token for the key with this ARN.
	// The answer is checked: a KeyId, key size or exponent other than asked for is an error of ClassUnexpectedResponse.
	GetParametersForImport(ctx context.Context, keyARN string, wrapping Wrapping) (ImportParameters, error)

	// ImportKeyMaterial makes one attempt, without retries. An error for which Error.OutcomeUnknown is true may
	// have taken effect.
	ImportKeyMaterial(ctx context.Context, request ImportRequest) (ImportResult, error)

	// DeleteImportedKeyMaterial makes one attempt, without retries, to take the key's current material out of it. Without
	// material it changes nothing. An error for which Error.OutcomeUnknown is true may have taken effect.
	DeleteImportedKeyMaterial(ctx context.Context, request DeletionRequest) (DeletionResult, error)
}

// Key is what DescribeKey reports. Fields that KMS leaves out are empty.
type Key struct {
	ARN                  string
	State                KeyState
	Spec                 KeySpec
	Usage                string
	Origin               Origin
	MultiRegion          bool
	Expiry               Expiry // zero while the key holds no material
	CurrentKeyMaterialID string // symmetric keys only; kept by KMS after the material was deleted
}

// Expiry is an ExpirationModel with its date.
type Expiry struct {
	Model   ExpirationModel
	ValidTo time.Time // whole seconds, UTC; zero unless Model is KeyMaterialExpires
}

// Equal compares at whole seconds, the precision of ImportKeyMaterial's ValidTo.
func (e Expiry) Equal(other Expiry) bool {
	return e.Model == other.Model && e.ValidTo.Unix() == other.ValidTo.Unix()
}

// ImportRequest is the input of ImportKeyMaterial.
type ImportRequest struct {
	Material SealedMaterial
	Expiry   Expiry
	// ReimportOf is the KeyMaterialId that this import must turn out to be: set when a symmetric key gets material
	// it has had before (ImportType EXISTING_KEY_MATERIAL), empty otherwise.
	ReimportOf string
}

// ImportResult is the answer to a successful ImportKeyMaterial.
type ImportResult struct {
	KeyMaterialID string // empty where KMS reports none
	RequestID     string // KMS's own, for the custody record and CloudTrail look-ups
}

// DeletionRequest is the input of DeleteImportedKeyMaterial.
type DeletionRequest struct {
	KeyARN string
	// KeyMaterialID is the KeyMaterialId that the material must have; empty where it has none.
	KeyMaterialID string
}

// DeletionResult is the answer to a successful DeleteImportedKeyMaterial.
type DeletionResult struct {
	RequestID string // KMS's own, for the custody record and CloudTrail look-ups
}

// KeyState is the KeyState of a KMS key.
type KeyState string

// The key states of https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html.
const (
	KeyStateCreating               KeyState = "Creating"
	KeyStateEnabled                KeyState = "Enabled"
	KeyStateDisabled               KeyState = "Disabled"
	KeyStatePendingDeletion        KeyState = "PendingDeletion"
	KeyStatePendingImport          KeyState = "PendingImport"
	KeyStatePendingReplicaDeletion KeyState = "PendingReplicaDeletion"
	KeyStateUnavailable            KeyState = "Unavailable"
	KeyStateUpdating               KeyState = "Updating"
)

// Origin says where a key's material comes from.
type Origin string

// Origins. Material is imported only into keys of Origin EXTERNAL.
const (
	OriginExternal         Origin = "EXTERNAL"
	OriginAWSCloudHSM      Origin = "AWS_CLOUDHSM"       // a custom key store
	OriginExternalKeyStore Origin = "EXTERNAL_KEY_STORE" // a custom key store
)

// ExpirationModel says whether imported material expires.
type ExpirationModel string

// The two expiration models.
const (
	KeyMaterialExpires       ExpirationModel = "KEY_MATERIAL_EXPIRES"
	KeyMaterialDoesNotExpire ExpirationModel = "KEY_MATERIAL_DOES_NOT_EXPIRE"
)
