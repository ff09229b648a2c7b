package awskms

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go/middleware"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const deleteImportedKeyMaterial = "DeleteImportedKeyMaterial"

// DeleteImportedKeyMaterial implements kms.Service.
func (s *Service) DeleteImportedKeyMaterial(ctx context.Context, request kms.DeletionRequest) (kms.DeletionResult, error) {
	// Any other name may lead to another key by the time KMS reads it.
	if !isKeyARN(request.KeyARN) {
		return kms.DeletionResult{}, invalidRequest(deleteImportedKeyMaterial, "a deletion names its key by ARN")
	}
	callCtx, cancel := context.WithTimeout(ctx, s.importTimeout)
	defer cancel()
	output, err := s.client.DeleteImportedKeyMaterial(callCtx, s.deletionInput(request))
	if err != nil {
		return kms.DeletionResult{}, classify(ctx, deleteImportedKeyMaterial, err)
	}
	if defect := s.deletionDefect(output, request); defect != "" {
		return kms.DeletionResult{}, unexpected(deleteImportedKeyMaterial, defect)
	}
	return kms.DeletionResult{RequestID: requestIDOf(output.ResultMetadata)}, nil
}

// deletionInput names the material wherever it has an ID: KMS then takes out that one or none. QKMS knows no such field.
func (s *Service) deletionInput(request kms.DeletionRequest) *sdk.DeleteImportedKeyMaterialInput {
	input := &sdk.DeleteImportedKeyMaterialInput{KeyId: aws.String(request.KeyARN)}
	if request.KeyMaterialID != "" && s.dialect != kms.DialectQKMS {
		input.KeyMaterialId = aws.String(request.KeyMaterialID)
	}
	return input
}

// deletionDefect takes an empty answer for what it is: KMS sent no other before 2025, and QKMS documents none.
func (s *Service) deletionDefect(output *sdk.DeleteImportedKeyMaterialOutput, request kms.DeletionRequest) string {
	keyID, materialID := aws.ToString(output.KeyId), aws.ToString(output.KeyMaterialId)
	switch {
	case keyID != "" && !s.names(keyID, request.KeyARN):
		return otherKey
	case !isNameOrEmpty(materialID):
		return notAName
	case request.KeyMaterialID != "" && materialID != "" && materialID != request.KeyMaterialID:
		return otherMaterial
	default:
		return ""
	}
}

// requestIDOf is KMS's ID of a request; empty where it sent none that could be kept.
func requestIDOf(metadata middleware.Metadata) string {
	requestID, _ := awsmiddleware.GetRequestIDMetadata(metadata)
	if !isName(requestID, maxName) {
		return ""
	}
	return requestID
}
