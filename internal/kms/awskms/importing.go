package awskms

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const importKeyMaterial = "ImportKeyMaterial"

// ImportKeyMaterial implements kms.Service.
func (s *Service) ImportKeyMaterial(ctx context.Context, request kms.ImportRequest) (kms.ImportResult, error) {
	if defect := requestDefect(request); defect != "" {
		return kms.ImportResult{}, invalidRequest(importKeyMaterial, defect)
	}
	callCtx, cancel := context.WithTimeout(ctx, s.importTimeout)
	defer cancel()
	output, err := s.client.ImportKeyMaterial(callCtx, s.importInput(request))
	if err != nil {
		return kms.ImportResult{}, classify(ctx, importKeyMaterial, err)
	}
	if defect := s.importDefect(output, request); defect != "" {
		return kms.ImportResult{}, unexpected(importKeyMaterial, defect)
	}
	return kms.ImportResult{KeyMaterialID: aws.ToString(output.KeyMaterialId), RequestID: requestIDOf(output.ResultMetadata)}, nil
}

// requestDefect catches what KMS would fill in by itself: it takes an absent expiration model for
// KEY_MATERIAL_EXPIRES.
func requestDefect(request kms.ImportRequest) string {
	expires := request.Expiry.Model == kms.KeyMaterialExpires
	switch {
	case !expires && request.Expiry.Model != kms.KeyMaterialDoesNotExpire:
		return "an import needs an expiration model"
	case expires == request.Expiry.ValidTo.IsZero():
		return "an import has an expiry date exactly when the material expires"
	default:
		return ""
	}
}

// importInput leaves out what KMS takes for one kind of key or import only: ImportType and KeyMaterialId are for
// material that a symmetric key has had before, and QKMS knows neither.
func (s *Service) importInput(request kms.ImportRequest) *sdk.ImportKeyMaterialInput {
	input := &sdk.ImportKeyMaterialInput{
		KeyId:                aws.String(request.Material.KeyARN()),
		EncryptedKeyMaterial: request.Material.EncryptedKeyMaterial(),
		ImportToken:          request.Material.ImportToken(),
		ExpirationModel:      types.ExpirationModelType(request.Expiry.Model),
	}
	if request.Expiry.Model == kms.KeyMaterialExpires {
		// The SDK writes a fraction where there is one, and some endpoints refuse a body with one.
		input.ValidTo = aws.Time(wholeSeconds(request.Expiry.ValidTo))
	}
	if request.ReimportOf != "" && s.dialect != kms.DialectQKMS {
		input.ImportType = types.ImportTypeExistingKeyMaterial
		input.KeyMaterialId = aws.String(request.ReimportOf)
	}
	return input
}

// importDefect takes an empty answer for what it is: KMS sent no other before 2025, and QKMS documents none.
func (s *Service) importDefect(output *sdk.ImportKeyMaterialOutput, request kms.ImportRequest) string {
	keyID, materialID := aws.ToString(output.KeyId), aws.ToString(output.KeyMaterialId)
	switch {
	case keyID != "" && !s.names(keyID, request.Material.KeyARN()):
		return otherKey
	case !isNameOrEmpty(materialID):
		return notAName
	case request.ReimportOf != "" && materialID != "" && materialID != request.ReimportOf:
		return otherMaterial
	default:
		return ""
	}
}
