package awskms

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

const getParametersForImport = "GetParametersForImport"

// maxToken is the longest import token in bytes
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html).
const maxToken = 6144

// Public exponents: the smallest that FIPS 186-5 allows (appendix A.1.1), which is the one everybody uses, and the
// largest that Go encrypts with.
const (
	minExponent = 65537
	maxExponent = 1<<31 - 1
)

// GetParametersForImport implements kms.Service. It makes one attempt: AWS allows about one a second per account, and
// the caller's limiter counts calls.
func (s *Service) GetParametersForImport(ctx context.Context, keyARN string, wrapping kms.Wrapping) (kms.ImportParameters, error) {
	bits := wrapping.KeySpec.Bits()
	if bits == 0 {
		return kms.ImportParameters{}, invalidRequest(getParametersForImport, fmt.Sprintf("wrapping key spec %q is not supported", wrapping.KeySpec))
	}
	callCtx, cancel := context.WithTimeout(ctx, s.readTimeout)
	defer cancel()
	output, err := s.client.GetParametersForImport(callCtx, &sdk.GetParametersForImportInput{
		KeyId:             aws.String(keyARN),
		WrappingAlgorithm: types.AlgorithmSpec(wrapping.Algorithm),
		WrappingKeySpec:   types.WrappingKeySpec(wrapping.KeySpec),
	})
	if err != nil {
		return kms.ImportParameters{}, classify(ctx, getParametersForImport, err)
	}
	validTo := wholeSeconds(aws.ToTime(output.ParametersValidTo))
	if defect := s.parametersDefect(output, keyARN, validTo); defect != "" {
		return kms.ImportParameters{}, unexpected(getParametersForImport, defect)
	}
	publicKey, err := wrappingKey(output.PublicKey, bits)
	if err != nil {
		return kms.ImportParameters{}, unexpected(getParametersForImport, err.Error())
	}
	return kms.NewImportParameters(keyARN, wrapping, publicKey, output.ImportToken, validTo), nil
}

func (s *Service) parametersDefect(output *sdk.GetParametersForImportOutput, keyARN string, validTo time.Time) string {
	switch {
	case !s.names(aws.ToString(output.KeyId), keyARN):
		return otherKey
	case len(output.ImportToken) == 0 || len(output.ImportToken) > maxToken:
		return fmt.Sprintf("the import token must have 1 to %d bytes", maxToken)
	case !isPlausible(validTo):
		return impossibleDate
	default:
		return ""
	}
}

// wrappingKey reads the DER of a SubjectPublicKeyInfo. A weak key would give the material away to whoever sees it
// pass, so nothing but the size asked for is taken.
func wrappingKey(der []byte, bits int) (*rsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("the wrapping public key is not a DER-encoded public key")
	}
	publicKey, isRSA := parsed.(*rsa.PublicKey)
	switch {
	case !isRSA:
		return nil, errors.New("the wrapping public key is not an RSA key")
	case publicKey.N.BitLen() != bits:
		return nil, fmt.Errorf("the wrapping public key does not have the %d bits asked for", bits)
	case publicKey.E < minExponent || publicKey.E > maxExponent || publicKey.E%2 == 0 || publicKey.N.Bit(0) == 0:
		return nil, fmt.Errorf("the wrapping public key is unsound: modulus and exponent must be odd, the exponent from %d to %d",
			minExponent, maxExponent)
	default:
		return publicKey, nil
	}
}
