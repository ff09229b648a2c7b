package awskms

import (
	"context"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// The bytes on the wire, as literals.
func TestGoldenRequests(t *testing.T) {
	publicKey := spki(t, &rsa.PublicKey{N: modulus(2048), E: 65537})
	expiring := func(validTo time.Time) kms.Expiry { return kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: validTo} }
	importing := func(request kms.ImportRequest) func(*Service) error {
		return func(s *Service) error {
			_, err := s.ImportKeyMaterial(context.Background(), request)
			return err
		}
	}
	deleting := func(request kms.DeletionRequest) func(*Service) error {
		return func(s *Service) error {
			_, err := s.DeleteImportedKeyMaterial(context.Background(), request)
			return err
		}
	}
	cases := map[string]struct {
		reason string
		call   func(*Service) error
		answer string
		target string
		want   string
	}{
		"DescribeKey": {
			reason: "aliases go through as they are",
			call: func(s *Service) error {
				_, err := s.DescribeKey(context.Background(), "alias/payments")
				return err
			},
			answer: `{"KeyMetadata":{"KeyId":"1234abcd","Arn":"` + testARN + `"}}`,
			target: "TrentService.DescribeKey",
			want:   `{"KeyId":"alias/payments"}`,
		},
		"GetParametersForImport": {
			reason: "all three inputs are required",
			call: func(s *Service) error {
				_, err := s.GetParametersForImport(context.Background(), testARN, oaep2048)
				return err
			},
			answer: parametersAnswer(testARN, publicKey, "token"),
			target: "TrentService.GetParametersForImport",
			want:   `{"KeyId":"` + testARN + `","WrappingAlgorithm":"RSAES_OAEP_SHA_256","WrappingKeySpec":"RSA_2048"}`,
		},
		"GetParametersForImport for a private key": {
			reason: "names go through as they are",
			call: func(s *Service) error {
				wrapping := kms.Wrapping{Algorithm: kms.RSAAESKeyWrapSHA256, KeySpec: kms.WrappingKeyRSA4096}
				_, err := s.GetParametersForImport(context.Background(), testARN, wrapping)
				return err
			},
			answer: parametersAnswer(testARN, spki(t, &rsa.PublicKey{N: modulus(4096), E: 65537}), "token"),
			target: "TrentService.GetParametersForImport",
			want:   `{"KeyId":"` + testARN + `","WrappingAlgorithm":"RSA_AES_KEY_WRAP_SHA_256","WrappingKeySpec":"RSA_4096"}`,
		},
		// Of keys that are not symmetric, re-imports look like this too: KMS takes ImportType and KeyMaterialId for no other.
		"permanent import": {
			reason: "ExpirationModel always, ValidTo never",
			call:   importing(kms.ImportRequest{Material: sealed(t), Expiry: kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}}),
			target: "TrentService.ImportKeyMaterial",
			want: `{"EncryptedKeyMaterial":"d3JhcHBlZA==","ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE","ImportToken":"dG9rZW4=",` +
				`"KeyId":"` + testARN + `"}`,
		},
		"expiring import": {
			reason: "ValidTo in whole seconds, an integer: some endpoints refuse a body with a fraction",
			call:   importing(kms.ImportRequest{Material: sealed(t), Expiry: expiring(time.Unix(1798761600, 987654321))}),
			target: "TrentService.ImportKeyMaterial",
			want: `{"EncryptedKeyMaterial":"d3JhcHBlZA==","ExpirationModel":"KEY_MATERIAL_EXPIRES","ImportToken":"dG9rZW4=",` +
				`"KeyId":"` + testARN + `","ValidTo":1798761600}`,
		},
		"permanent re-import": {
			reason: "ImportType and KeyMaterialId for material the key has had, and then only",
			call: importing(kms.ImportRequest{
				Material: sealed(t), Expiry: kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}, ReimportOf: strings.Repeat("0a", 32),
			}),
			target: "TrentService.ImportKeyMaterial",
			want: `{"EncryptedKeyMaterial":"d3JhcHBlZA==","ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE","ImportToken":"dG9rZW4=",` +
				`"ImportType":"EXISTING_KEY_MATERIAL","KeyId":"` + testARN + `",` +
				`"KeyMaterialId":"` + strings.Repeat("0a", 32) + `"}`,
		},
		"expiring re-import": {
			reason: "likewise",
			call: importing(kms.ImportRequest{
				Material: sealed(t), Expiry: expiring(time.Unix(1798761600, 0)), ReimportOf: strings.Repeat("0a", 32),
			}),
			target: "TrentService.ImportKeyMaterial",
			want: `{"EncryptedKeyMaterial":"d3JhcHBlZA==","ExpirationModel":"KEY_MATERIAL_EXPIRES","ImportToken":"dG9rZW4=",` +
				`"ImportType":"EXISTING_KEY_MATERIAL","KeyId":"` + testARN + `",` +
				`"KeyMaterialId":"` + strings.Repeat("0a", 32) + `","ValidTo":1798761600}`,
		},
		"deletion of material": {
			reason: "the key alone, where its material has no ID",
			call:   deleting(kms.DeletionRequest{KeyARN: testARN}),
			target: "TrentService.DeleteImportedKeyMaterial",
			want:   `{"KeyId":"` + testARN + `"}`,
		},
		"deletion of certain material": {
			reason: "KMS deletes that one or none",
			call:   deleting(kms.DeletionRequest{KeyARN: testARN, KeyMaterialID: strings.Repeat("0a", 32)}),
			target: "TrentService.DeleteImportedKeyMaterial",
			want:   `{"KeyId":"` + testARN + `","KeyMaterialId":"` + strings.Repeat("0a", 32) + `"}`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, fake := serve(t, answering(200, tc.answer))
			if err := tc.call(service); err != nil {
				t.Fatal(err)
			}
			seen := fake.exchanges()
			if len(seen) != 1 {
				t.Fatalf("%d requests, want 1", len(seen))
			}
			if diff := cmp.Diff(tc.want, seen[0].body); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			header := seen[0].header
			if seen[0].method != "POST" || seen[0].path != "/" || header.Get("X-Amz-Target") != tc.target ||
				header.Get("Content-Type") != "application/x-amz-json-1.1" {
				t.Errorf("%s %s with headers %v", seen[0].method, seen[0].path, header)
			}
			if !strings.Contains(header.Get("Authorization"), "/eu-west-1/kms/aws4_request") {
				t.Errorf("not signed for the Region: %s", header.Get("Authorization"))
			}
		})
	}
}

// What can be known wrong beforehand is never sent.
func TestRequestsRefusedBeforeSending(t *testing.T) {
	cases := map[string]struct {
		reason string
		call   func(*Service) error
		want   string
	}{
		"unknown wrapping key": {
			"the answer could not be checked",
			func(s *Service) error {
				_, err := s.GetParametersForImport(context.Background(), testARN, kms.Wrapping{Algorithm: kms.RSAESOAEPSHA256, KeySpec: "SM2"})
				return err
			},
			`GetParametersForImport: wrapping key spec "SM2" is not supported`,
		},
		"no expiration model": {
			"KMS would take it for KEY_MATERIAL_EXPIRES",
			func(s *Service) error {
				_, err := s.ImportKeyMaterial(context.Background(), kms.ImportRequest{Material: sealed(t)})
				return err
			},
			"ImportKeyMaterial: an import needs an expiration model",
		},
		"expiry without a date": {
			"KMS requires the date",
			func(s *Service) error {
				_, err := s.ImportKeyMaterial(context.Background(), kms.ImportRequest{
					Material: sealed(t), Expiry: kms.Expiry{Model: kms.KeyMaterialExpires},
				})
				return err
			},
			"ImportKeyMaterial: an import has an expiry date exactly when the material expires",
		},
		"date without expiry": {
			"the caller contradicts itself",
			func(s *Service) error {
				_, err := s.ImportKeyMaterial(context.Background(), kms.ImportRequest{
					Material: sealed(t), Expiry: kms.Expiry{Model: kms.KeyMaterialDoesNotExpire, ValidTo: time.Unix(1798761600, 0)},
				})
				return err
			},
			"ImportKeyMaterial: an import has an expiry date exactly when the material expires",
		},
		"deletion by key ID": {
			"the record's ARN is the pin",
			func(s *Service) error {
				_, err := s.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: "1234abcd-12ab-34cd-56ef-1234567890ab"})
				return err
			},
			"DeleteImportedKeyMaterial: a deletion names its key by ARN",
		},
		"deletion by alias": {
			"it may lead to another key by the time KMS reads it",
			func(s *Service) error {
				_, err := s.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: "alias/payments"})
				return err
			},
			"DeleteImportedKeyMaterial: a deletion names its key by ARN",
		},
		"deletion by alias ARN": {
			"likewise",
			func(s *Service) error {
				_, err := s.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: "arn:aws:kms:eu-west-1:111122223333:alias/key/payments"})
				return err
			},
			"DeleteImportedKeyMaterial: a deletion names its key by ARN",
		},
		"deletion from no key": {
			"there is none to guess",
			func(s *Service) error {
				_, err := s.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{})
				return err
			},
			"DeleteImportedKeyMaterial: a deletion names its key by ARN",
		},
		"nothing sealed": {
			"the SDK requires a token and material",
			func(s *Service) error {
				_, err := s.ImportKeyMaterial(context.Background(), kms.ImportRequest{Expiry: kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}})
				return err
			},
			"ImportKeyMaterial: 2 validation error(s) found. " +
				"- missing required field, ImportKeyMaterialInput.ImportToken. " +
				"- missing required field, ImportKeyMaterialInput.EncryptedKeyMaterial.",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, fake := serve(t, answering(400, `{"__type":"ValidationException","message":"no"}`))
			err := tc.call(service)
			assertError(t, err, kms.ClassInvalidRequest, tc.want, false)
			if len(fake.exchanges()) != 0 {
				t.Errorf("%s, and yet a request was sent", tc.reason)
			}
		})
	}
}
