package matrix_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// party is the KMS as a user of one of its keys.
func (e *endpoint) party(t *testing.T, keyARN string, spec kms.KeySpec, usage string, peer []byte) party {
	t.Helper()
	switch usage {
	case "ENCRYPT_DECRYPT":
		algorithm := types.EncryptionAlgorithmSpecSymmetricDefault
		if isRSA(spec) {
			algorithm = types.EncryptionAlgorithmSpecRsaesOaepSha256
		}
		return e.encryption(t, keyARN, algorithm)
	case "GENERATE_VERIFY_MAC":
		return e.macs(t, keyARN, types.MacAlgorithmSpec("HMAC_SHA_"+strings.TrimPrefix(string(spec), "HMAC_")))
	case "SIGN_VERIFY":
		algorithms := map[kms.KeySpec]types.SigningAlgorithmSpec{
			"ECC_NIST_P256": "ECDSA_SHA_256", "ECC_NIST_P384": "ECDSA_SHA_384", "ECC_NIST_P521": "ECDSA_SHA_512", "ECC_SECG_P256K1": "ECDSA_SHA_256",
			"RSA_2048": "RSASSA_PSS_SHA_256", "RSA_3072": "RSASSA_PSS_SHA_256", "RSA_4096": "RSASSA_PSS_SHA_256",
		}
		return e.signatures(t, keyARN, algorithms[spec])
	case "KEY_AGREEMENT":
		return e.agreement(t, keyARN, peer)
	default:
		t.Fatalf("nobody knows how to use a key of KeyUsage %s", usage)
		return party{}
	}
}

func (e *endpoint) encryption(t *testing.T, keyARN string, algorithm types.EncryptionAlgorithmSpec) party {
	return party{
		func() ([]byte, error) {
			answer, err := e.users.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: &keyARN, Plaintext: message(), EncryptionAlgorithm: algorithm})
			if err != nil {
				return nil, err
			}
			return answer.CiphertextBlob, nil
		},
		func(ciphertext []byte) error {
			answer, err := e.users.Decrypt(t.Context(), &sdk.DecryptInput{KeyId: &keyARN, CiphertextBlob: ciphertext, EncryptionAlgorithm: algorithm})
			if err != nil {
				return err
			}
			return takenIf(bytes.Equal(answer.Plaintext, message()))
		},
	}
}

func (e *endpoint) macs(t *testing.T, keyARN string, algorithm types.MacAlgorithmSpec) party {
	return party{
		func() ([]byte, error) {
			answer, err := e.users.GenerateMac(t.Context(), &sdk.GenerateMacInput{KeyId: &keyARN, Message: message(), MacAlgorithm: algorithm})
			if err != nil {
				return nil, err
			}
			return answer.Mac, nil
		},
		func(mac []byte) error {
			answer, err := e.users.VerifyMac(t.Context(), &sdk.VerifyMacInput{KeyId: &keyARN, Message: message(), Mac: mac, MacAlgorithm: algorithm})
			return errors.Join(err, takenIf(err == nil && answer.MacValid))
		},
	}
}

func (e *endpoint) signatures(t *testing.T, keyARN string, algorithm types.SigningAlgorithmSpec) party {
	return party{
		func() ([]byte, error) {
			answer, err := e.users.Sign(t.Context(), &sdk.SignInput{KeyId: &keyARN, Message: message(), SigningAlgorithm: algorithm})
			if err != nil {
				return nil, err
			}
			return answer.Signature, nil
		},
		func(signature []byte) error {
			answer, err := e.users.Verify(t.Context(), &sdk.VerifyInput{KeyId: &keyARN, Message: message(), Signature: signature, SigningAlgorithm: algorithm})
			return errors.Join(err, takenIf(err == nil && answer.SignatureValid))
		},
	}
}

func (e *endpoint) agreement(t *testing.T, keyARN string, peer []byte) party {
	return exactly(func() ([]byte, error) {
		answer, err := e.users.DeriveSharedSecret(t.Context(), &sdk.DeriveSharedSecretInput{
			KeyId: &keyARN, KeyAgreementAlgorithm: types.KeyAgreementAlgorithmSpecEcdh, PublicKey: peer,
		})
		if err != nil {
			return nil, err
		}
		return answer.SharedSecret, nil
	})
}
