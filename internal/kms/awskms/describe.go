package awskms

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const describeKey = "DescribeKey"

// DescribeKey implements kms.Service. It tries a few times. Asked for a key ARN, it takes no answer about another key.
func (s *Service) DescribeKey(ctx context.Context, keyID string) (kms.Key, error) {
	callCtx, cancel := context.WithTimeout(ctx, s.readTimeout)
	defer cancel()
	output, err := s.client.DescribeKey(callCtx, &sdk.DescribeKeyInput{KeyId: aws.String(keyID)},
		func(o *sdk.Options) { o.Retryer = s.readRetryer })
	if err != nil {
		return kms.Key{}, classify(ctx, describeKey, err)
	}
	if output.KeyMetadata == nil {
		return kms.Key{}, unexpected(describeKey, "the answer holds no key metadata")
	}
	key := keyOf(output.KeyMetadata)
	if defect := defectOf(key); defect != "" {
		return kms.Key{}, unexpected(describeKey, defect)
	}
	if isKeyARN(keyID) && key.ARN != keyID {
		return kms.Key{}, unexpected(describeKey, otherKey)
	}
	return key, nil
}

func keyOf(metadata *types.KeyMetadata) kms.Key {
	return kms.Key{
		ARN:                  aws.ToString(metadata.Arn),
		State:                kms.KeyState(metadata.KeyState),
		Spec:                 specOf(metadata),
		Usage:                string(metadata.KeyUsage),
		Origin:               kms.Origin(metadata.Origin),
		MultiRegion:          aws.ToBool(metadata.MultiRegion),
		Expiry:               expiryOf(metadata),
		CurrentKeyMaterialID: aws.ToString(metadata.CurrentKeyMaterialId),
	}
}

// specOf falls back on the older name of the member, the only one that the documentation of QKMS knows.
func specOf(metadata *types.KeyMetadata) kms.KeySpec {
	if metadata.KeySpec == "" {
		return kms.KeySpec(metadata.CustomerMasterKeySpec) //nolint:staticcheck // deprecated by AWS alone
	}
	return kms.KeySpec(metadata.KeySpec)
}

func expiryOf(metadata *types.KeyMetadata) kms.Expiry {
	expiry := kms.Expiry{Model: kms.ExpirationModel(metadata.ExpirationModel)}
	if expiry.Model == kms.KeyMaterialExpires && metadata.ValidTo != nil {
		expiry.ValidTo = wholeSeconds(*metadata.ValidTo)
	}
	return expiry
}

// defectOf says what keeps a key out of a status or a record.
func defectOf(key kms.Key) string {
	names := []string{
		string(key.State), string(key.Spec), key.Usage, string(key.Origin), string(key.Expiry.Model), key.CurrentKeyMaterialID,
	}
	switch {
	case !isName(key.ARN, maxARN):
		return "the answer holds no key ARN"
	case slices.ContainsFunc(names, func(name string) bool { return !isNameOrEmpty(name) }):
		return notAName
	case !isPlausible(key.Expiry.ValidTo):
		return impossibleDate
	default:
		return ""
	}
}

func wholeSeconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// isPlausible refuses dates before 1970, which KMS never means. (Dates after 2262 the SDK wraps around.)
func isPlausible(t time.Time) bool { return t.IsZero() || t.Unix() >= 0 }
