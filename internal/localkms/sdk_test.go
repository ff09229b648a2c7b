package localkms_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// sdkCase makes one call through the SDK. What it returns is the whole output, with what is random proven and taken out,
// and the output that it should be: nothing that the SDK has a field for is missing, or spelt in another way.
type sdkCase func(ctx context.Context, f *fixture) (got, want any, err error)

// TestSDK is the round trip of every operation.
func TestSDK(t *testing.T) {
	cases := map[string]sdkCase{}
	for _, group := range []map[string]sdkCase{sdkKeys(), sdkImports(), sdkDescriptions(), sdkLists(), sdkUses(), sdkSignatures()} {
		maps.Copy(cases, group)
	}
	for _, operation := range localkms.Operations() {
		one, found := cases[operation]
		if !found {
			t.Errorf("%s has no case here", operation)
			continue
		}
		t.Run(operation, func(t *testing.T) {
			got, want, err := one(t.Context(), newFixture(t))
			if err != nil {
				t.Fatal(err)
			}
			metadata := cmpopts.IgnoreTypes(middleware.Metadata{})
			unexported := cmp.FilterPath(func(p cmp.Path) bool {
				field, isField := p.Last().(cmp.StructField)
				return isField && field.Name() == "noSmithyDocumentSerde"
			}, cmp.Ignore())
			if diff := cmp.Diff(want, got, metadata, unexported); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// shown is the metadata of a symmetric key that was just made.
func shown(keyID string, origin types.OriginType) *types.KeyMetadata {
	return &types.KeyMetadata{
		AWSAccountId: new("111122223333"), KeyId: &keyID, Arn: new(arnOf(keyID)), CreationDate: new(start), Description: new(""),
		Enabled: origin == "AWS_KMS", KeyState: map[types.OriginType]types.KeyState{"AWS_KMS": "Enabled", "EXTERNAL": "PendingImport"}[origin],
		KeyUsage: "ENCRYPT_DECRYPT", Origin: origin, KeyManager: "CUSTOMER", KeySpec: "SYMMETRIC_DEFAULT",
		CustomerMasterKeySpec: "SYMMETRIC_DEFAULT", //nolint:staticcheck // deprecated, and answered nevertheless
		EncryptionAlgorithms:  []types.EncryptionAlgorithmSpec{"SYMMETRIC_DEFAULT"}, MultiRegion: new(false),
	}
}

func sdkKeys() map[string]sdkCase {
	return map[string]sdkCase{
		"CreateKey": func(ctx context.Context, f *fixture) (any, any, error) {
			out, err := f.client.CreateKey(ctx, &kms.CreateKeyInput{
				Origin: "EXTERNAL", Description: new("what for"), MultiRegion: new(true), Policy: new(allowAll),
				Tags: []types.Tag{{TagKey: new("a"), TagValue: new("b")}},
			})
			if err != nil {
				return nil, nil, err
			}
			want := shown(*out.KeyMetadata.KeyId, "EXTERNAL")
			want.Description, want.MultiRegion = new("what for"), new(true)
			want.MultiRegionConfiguration = &types.MultiRegionConfiguration{
				MultiRegionKeyType: "PRIMARY", PrimaryKey: &types.MultiRegionKey{Arn: want.Arn, Region: new("us-east-1")}, ReplicaKeys: []types.MultiRegionKey{},
			}
			return out, &kms.CreateKeyOutput{KeyMetadata: want}, nil
		},
		"DescribeKey": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
			id := f.importMaterial(keyID, bytesOf(1, 32), object{"ExpirationModel": nil, "ValidTo": start.Add(time.Hour).Unix()}).fields["KeyMaterialId"].(string)
			f.must("ScheduleKeyDeletion", object{"KeyId": keyID, "PendingWindowInDays": 7})
			out, err := f.client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &keyID, GrantTokens: []string{"x"}})
			want := shown(keyID, "EXTERNAL")
			want.KeyState, want.DeletionDate = "PendingDeletion", new(start.Add(7*24*time.Hour))
			want.ExpirationModel, want.ValidTo, want.CurrentKeyMaterialId = "KEY_MATERIAL_EXPIRES", new(start.Add(time.Hour)), &id
			return out, &kms.DescribeKeyOutput{KeyMetadata: want}, err
		},
		"DisableKey": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &keyID})
			f.expectState(keyID, "Disabled")
			return out, &kms.DisableKeyOutput{}, err
		},
		"EnableKey": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.keyIn("Disabled", bytesOf(1, 32))
			out, err := f.client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &keyID})
			f.expectState(keyID, "Enabled")
			return out, &kms.EnableKeyOutput{}, err
		},
		"ScheduleKeyDeletion": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &keyID, PendingWindowInDays: new(int32(8))})
			return out, &kms.ScheduleKeyDeletionOutput{
				KeyId: new(arnOf(keyID)), KeyState: "PendingDeletion", DeletionDate: new(start.Add(8 * 24 * time.Hour)), PendingWindowInDays: new(int32(8)),
			}, err
		},
		"CancelKeyDeletion": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.keyIn("PendingDeletion", bytesOf(1, 32))
			out, err := f.client.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &keyID})
			f.expectState(keyID, "Disabled")
			return out, &kms.CancelKeyDeletionOutput{KeyId: new(arnOf(keyID))}, err
		},
		"ReplicateKey": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.multiRegionKey()
			out, err := f.client.ReplicateKey(ctx, &kms.ReplicateKeyInput{
				KeyId: &keyID, ReplicaRegion: new("eu-west-1"), Description: new("there"), Policy: new(allowAll), Tags: []types.Tag{{TagKey: new("a"), TagValue: new("b")}},
			})
			want := shown(keyID, "EXTERNAL")
			here, there := types.MultiRegionKey{Arn: want.Arn, Region: new("us-east-1")}, types.MultiRegionKey{Arn: new("arn:aws:kms:eu-west-1:111122223333:key/" + keyID), Region: new("eu-west-1")}
			want.Arn, want.Description, want.KeyState, want.MultiRegion, want.CreationDate = there.Arn, new("there"), "Creating", new(true), new(f.clock.Now())
			want.MultiRegionConfiguration = &types.MultiRegionConfiguration{MultiRegionKeyType: "REPLICA", PrimaryKey: &here, ReplicaKeys: []types.MultiRegionKey{there}}
			return out, &kms.ReplicateKeyOutput{
				ReplicaKeyMetadata: want, ReplicaPolicy: new(allowAll), ReplicaTags: []types.Tag{{TagKey: new("a"), TagValue: new("b")}},
			}, err
		},
	}
}

func sdkImports() map[string]sdkCase {
	return map[string]sdkCase{
		"GetParametersForImport": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
			out, err := f.client.GetParametersForImport(ctx, &kms.GetParametersForImportInput{KeyId: &keyID, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048"})
			if err != nil {
				return nil, nil, err
			}
			p := parameters{token: out.ImportToken, publicKey: out.PublicKey, hash: crypto.SHA256}
			f.must("ImportKeyMaterial", importBody(keyID, p.token, p.wrap(f.t, bytesOf(1, 32))))
			out.ImportToken, out.PublicKey = nil, nil
			return out, &kms.GetParametersForImportOutput{KeyId: new(arnOf(keyID)), ParametersValidTo: new(f.clock.Now().Add(24 * time.Hour))}, nil
		},
		"ImportKeyMaterial": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
			p := f.fresh(keyID)
			out, err := f.client.ImportKeyMaterial(ctx, &kms.ImportKeyMaterialInput{
				KeyId: &keyID, ImportToken: p.token, EncryptedKeyMaterial: p.wrap(f.t, bytesOf(1, 32)), ExpirationModel: "KEY_MATERIAL_EXPIRES",
				ValidTo: new(start.Add(90*time.Minute + 500*time.Millisecond)), ImportType: "NEW_KEY_MATERIAL", KeyMaterialDescription: new("first"),
			})
			metadata := f.metadata(keyID)
			if metadata["ValidTo"] != float64(start.Add(90*time.Minute).Unix())+0.5 { // the SDK sends milliseconds
				f.t.Errorf("ValidTo %v", metadata["ValidTo"])
			}
			id, _ := metadata["CurrentKeyMaterialId"].(string)
			return out, &kms.ImportKeyMaterialOutput{KeyId: new(arnOf(keyID)), KeyMaterialId: &id}, err
		},
		"DeleteImportedKeyMaterial": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32))
			id := f.metadata(keyID)["CurrentKeyMaterialId"].(string)
			out, err := f.client.DeleteImportedKeyMaterial(ctx, &kms.DeleteImportedKeyMaterialInput{KeyId: &keyID, KeyMaterialId: &id})
			f.expectState(keyID, "PendingImport")
			return out, &kms.DeleteImportedKeyMaterialOutput{KeyId: new(arnOf(keyID)), KeyMaterialId: &id}, err
		},
		"RotateKeyOnDemand": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			before := f.metadata(keyID)["CurrentKeyMaterialId"]
			out, err := f.client.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &keyID})
			if f.metadata(keyID)["CurrentKeyMaterialId"] == before {
				f.t.Error("the key still has its material")
			}
			return out, &kms.RotateKeyOnDemandOutput{KeyId: new(arnOf(keyID))}, err
		},
		"GetKeyRotationStatus": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &keyID})
			return out, &kms.GetKeyRotationStatusOutput{KeyId: new(arnOf(keyID))}, err
		},
		"ListKeyRotations": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
			first := f.importMaterial(keyID, bytesOf(1, 32), object{"KeyMaterialDescription": "first"}).fields["KeyMaterialId"].(string)
			second := f.importMaterial(keyID, bytesOf(2, 32), newMaterial).fields["KeyMaterialId"].(string)
			f.must("RotateKeyOnDemand", object{"KeyId": keyID})
			third := f.importMaterial(keyID, bytesOf(3, 32), object{"ImportType": "NEW_KEY_MATERIAL", "ExpirationModel": nil, "ValidTo": start.Add(time.Hour).Unix()}).fields["KeyMaterialId"].(string)
			f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID, "KeyMaterialId": first})
			out, err := f.client.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &keyID, IncludeKeyMaterial: "ALL_KEY_MATERIAL", Limit: new(int32(9))})
			return out, &kms.ListKeyRotationsOutput{Rotations: []types.RotationsListEntry{
				{KeyId: new(arnOf(keyID)), KeyMaterialId: &first, KeyMaterialDescription: new("first"), ImportState: "PENDING_IMPORT", KeyMaterialState: "NON_CURRENT"},
				{
					KeyId: new(arnOf(keyID)), KeyMaterialId: &second, ImportState: "IMPORTED", KeyMaterialState: "CURRENT",
					ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", RotationDate: new(f.clock.Now()), RotationType: "ON_DEMAND",
				},
				{
					KeyId: new(arnOf(keyID)), KeyMaterialId: &third, ImportState: "IMPORTED", KeyMaterialState: "PENDING_ROTATION",
					ExpirationModel: "KEY_MATERIAL_EXPIRES", ValidTo: new(start.Add(time.Hour)),
				},
			}}, err
		},
	}
}

func sdkDescriptions() map[string]sdkCase {
	return map[string]sdkCase{
		"CreateAlias": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: new("alias/created"), TargetKeyId: &keyID})
			f.expectAliases(object{"KeyId": keyID}, "alias/created")
			return out, &kms.CreateAliasOutput{}, err
		},
		"UpdateAlias": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			f.alias("alias/updated", f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"))
			out, err := f.client.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: new("alias/updated"), TargetKeyId: &keyID})
			f.expectAliases(object{"KeyId": keyID}, "alias/updated")
			return out, &kms.UpdateAliasOutput{}, err
		},
		"DeleteAlias": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			f.alias("alias/deleted", keyID)
			out, err := f.client.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: new("alias/deleted")})
			f.expectAliases(object{"KeyId": keyID})
			return out, &kms.DeleteAliasOutput{}, err
		},
		"TagResource": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.TagResource(ctx, &kms.TagResourceInput{KeyId: &keyID, Tags: []types.Tag{{TagKey: new("a"), TagValue: new("b")}}})
			f.expectTags(keyID, "a", "b")
			return out, &kms.TagResourceOutput{}, err
		},
		"UntagResource": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			f.must("TagResource", object{"KeyId": keyID, "Tags": tagsOf("a", "b", "c", "d")})
			out, err := f.client.UntagResource(ctx, &kms.UntagResourceInput{KeyId: &keyID, TagKeys: []string{"a"}})
			f.expectTags(keyID, "c", "d")
			return out, &kms.UntagResourceOutput{}, err
		},
		"UpdateKeyDescription": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.UpdateKeyDescription(ctx, &kms.UpdateKeyDescriptionInput{KeyId: &keyID, Description: new("what for")})
			if got := f.metadata(keyID)["Description"]; got != "what for" {
				f.t.Errorf("Description %q", got)
			}
			return out, &kms.UpdateKeyDescriptionOutput{}, err
		},
		"GetKeyPolicy": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			f.putPolicy(keyID, allowAll)
			out, err := f.client.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &keyID, PolicyName: new("default")})
			return out, &kms.GetKeyPolicyOutput{Policy: new(allowAll), PolicyName: new("default")}, err
		},
		"PutKeyPolicy": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &keyID, Policy: new(allowAll), BypassPolicyLockoutSafetyCheck: true})
			if got := f.policy(keyID); got != allowAll {
				f.t.Errorf("policy %q", got)
			}
			return out, &kms.PutKeyPolicyOutput{}, err
		},
	}
}

// sdkLists are lists of more than a page.
func sdkLists() map[string]sdkCase {
	return map[string]sdkCase{
		"ListAliases": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			f.alias("alias/listed", keyID)
			out, err := f.client.ListAliases(ctx, &kms.ListAliasesInput{KeyId: &keyID, Limit: new(int32(1))})
			now := f.clock.Now()
			return out, &kms.ListAliasesOutput{Aliases: []types.AliasListEntry{{
				AliasName: new("alias/listed"), AliasArn: new(aliasARNOf("alias/listed")), TargetKeyId: &keyID, CreationDate: &now, LastUpdatedDate: &now,
			}}}, err
		},
		"ListKeyPolicies": func(ctx context.Context, f *fixture) (any, any, error) {
			out, err := f.client.ListKeyPolicies(ctx, &kms.ListKeyPoliciesInput{KeyId: new(f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")), Limit: new(int32(1))})
			return out, &kms.ListKeyPoliciesOutput{PolicyNames: []string{"default"}}, err
		},
		"ListKeys": func(ctx context.Context, f *fixture) (any, any, error) {
			first, second := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"), f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.ListKeys(ctx, &kms.ListKeysInput{Limit: new(int32(1))})
			if err != nil {
				return nil, nil, err
			}
			next, err := f.client.ListKeys(ctx, &kms.ListKeysInput{Limit: new(int32(1)), Marker: out.NextMarker})
			out.NextMarker = nil
			return []*kms.ListKeysOutput{out, next}, []*kms.ListKeysOutput{
				{Keys: []types.KeyListEntry{{KeyId: &first, KeyArn: new(arnOf(first))}}, Truncated: true},
				{Keys: []types.KeyListEntry{{KeyId: &second, KeyArn: new(arnOf(second))}}},
			}, err
		},
		"ListResourceTags": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			f.must("TagResource", object{"KeyId": keyID, "Tags": tagsOf("a", "b", "c", "d")})
			out, err := f.client.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &keyID, Limit: new(int32(1))})
			if err != nil {
				return nil, nil, err
			}
			next, err := f.client.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &keyID, Limit: new(int32(1)), Marker: out.NextMarker})
			out.NextMarker = nil
			return []*kms.ListResourceTagsOutput{out, next}, []*kms.ListResourceTagsOutput{
				{Tags: []types.Tag{{TagKey: new("a"), TagValue: new("b")}}, Truncated: true}, {Tags: []types.Tag{{TagKey: new("c"), TagValue: new("d")}}},
			}, err
		},
	}
}

func sdkUses() map[string]sdkCase {
	plaintext, encryptionContext := []byte("plaintext"), map[string]string{"a": "b"}
	// opens shows that a ciphertext holds what it should.
	opens := func(f *fixture, ciphertext, want []byte) {
		f.t.Helper()
		if got := f.must("Decrypt", object{"CiphertextBlob": ciphertext, "EncryptionContext": encryptionContext}).blob(f.t, "Plaintext"); !slices.Equal(got, want) {
			f.t.Error("the ciphertext is of something else")
		}
	}
	return map[string]sdkCase{
		"Encrypt": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &keyID, Plaintext: plaintext, EncryptionContext: encryptionContext, GrantTokens: []string{"x"}})
			if err != nil {
				return nil, nil, err
			}
			opens(f, out.CiphertextBlob, plaintext)
			out.CiphertextBlob = nil
			return out, &kms.EncryptOutput{KeyId: new(arnOf(keyID)), EncryptionAlgorithm: "SYMMETRIC_DEFAULT"}, nil
		},
		"Decrypt": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			ciphertext := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": plaintext, "EncryptionContext": encryptionContext}).blob(f.t, "CiphertextBlob")
			out, err := f.client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: ciphertext, EncryptionContext: encryptionContext})
			return out, &kms.DecryptOutput{
				Plaintext: plaintext, KeyId: new(arnOf(keyID)), KeyMaterialId: new(f.metadata(keyID)["CurrentKeyMaterialId"].(string)), EncryptionAlgorithm: "SYMMETRIC_DEFAULT",
			}, err
		},
		"ReEncrypt": func(ctx context.Context, f *fixture) (any, any, error) {
			from, to := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"), f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			ciphertext := f.must("Encrypt", object{"KeyId": from, "Plaintext": plaintext}).blob(f.t, "CiphertextBlob")
			out, err := f.client.ReEncrypt(ctx, &kms.ReEncryptInput{CiphertextBlob: ciphertext, DestinationKeyId: &to, DestinationEncryptionContext: encryptionContext})
			if err != nil {
				return nil, nil, err
			}
			opens(f, out.CiphertextBlob, plaintext)
			out.CiphertextBlob = nil
			return out, &kms.ReEncryptOutput{
				SourceKeyId: new(arnOf(from)), KeyId: new(arnOf(to)), SourceEncryptionAlgorithm: "SYMMETRIC_DEFAULT", DestinationEncryptionAlgorithm: "SYMMETRIC_DEFAULT",
				SourceKeyMaterialId:      new(f.metadata(from)["CurrentKeyMaterialId"].(string)),
				DestinationKeyMaterialId: new(f.metadata(to)["CurrentKeyMaterialId"].(string)),
			}, nil
		},
		"GenerateDataKey": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &keyID, KeySpec: "AES_128", EncryptionContext: encryptionContext})
			if err != nil {
				return nil, nil, err
			}
			opens(f, out.CiphertextBlob, out.Plaintext)
			if len(out.Plaintext) != 16 {
				f.t.Errorf("a data key of %d bytes, want 16", len(out.Plaintext))
			}
			out.CiphertextBlob, out.Plaintext = nil, nil
			return out, &kms.GenerateDataKeyOutput{KeyId: new(arnOf(keyID)), KeyMaterialId: new(f.metadata(keyID)["CurrentKeyMaterialId"].(string))}, nil
		},
		"GenerateDataKeyWithoutPlaintext": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
			out, err := f.client.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: &keyID, NumberOfBytes: new(int32(7))})
			if err != nil {
				return nil, nil, err
			}
			if got := f.must("Decrypt", object{"CiphertextBlob": out.CiphertextBlob}).blob(f.t, "Plaintext"); len(got) != 7 {
				f.t.Errorf("a data key of %d bytes, want 7", len(got))
			}
			out.CiphertextBlob = nil
			return out, &kms.GenerateDataKeyWithoutPlaintextOutput{KeyId: new(arnOf(keyID)), KeyMaterialId: new(f.metadata(keyID)["CurrentKeyMaterialId"].(string))}, nil
		},
		"GenerateRandom": func(ctx context.Context, f *fixture) (any, any, error) {
			out, err := f.client.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: new(int32(32))})
			if err != nil {
				return nil, nil, err
			}
			if again := f.must("GenerateRandom", object{"NumberOfBytes": 32}).blob(f.t, "Plaintext"); len(out.Plaintext) != 32 || slices.Equal(out.Plaintext, again) {
				f.t.Error("not 32 bytes, or the same twice")
			}
			out.Plaintext = nil
			return out, &kms.GenerateRandomOutput{}, nil
		},
		"DeriveSharedSecret": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKeyFor("ECC_NIST_P256", "AWS_KMS", "KEY_AGREEMENT")
			mine, err := ecdh.P256().GenerateKey(rand.Reader)
			if err != nil {
				return nil, nil, err
			}
			encoded, err := x509.MarshalPKIXPublicKey(mine.PublicKey())
			if err != nil {
				return nil, nil, err
			}
			out, err := f.client.DeriveSharedSecret(ctx, &kms.DeriveSharedSecretInput{KeyId: &keyID, KeyAgreementAlgorithm: "ECDH", PublicKey: encoded})
			theirs, _ := x509.ParsePKIXPublicKey(f.must("GetPublicKey", object{"KeyId": keyID}).blob(f.t, "PublicKey"))
			peer, _ := theirs.(*ecdsa.PublicKey).ECDH()
			secret, _ := mine.ECDH(peer)
			return out, &kms.DeriveSharedSecretOutput{KeyId: new(arnOf(keyID)), KeyAgreementAlgorithm: "ECDH", KeyOrigin: "AWS_KMS", SharedSecret: secret}, err
		},
	}
}

func sdkSignatures() map[string]sdkCase {
	message, digest := []byte("message"), sha256.Sum256([]byte("message"))
	mac := func(material []byte) []byte {
		h := hmac.New(sha256.New, material)
		h.Write(message)
		return h.Sum(nil)
	}
	return map[string]sdkCase{
		"GenerateMac": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.importedKey("HMAC_256", bytesOf(1, 32))
			out, err := f.client.GenerateMac(ctx, &kms.GenerateMacInput{KeyId: &keyID, Message: message, MacAlgorithm: "HMAC_SHA_256"})
			return out, &kms.GenerateMacOutput{KeyId: new(arnOf(keyID)), MacAlgorithm: "HMAC_SHA_256", Mac: mac(bytesOf(1, 32))}, err
		},
		"VerifyMac": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.importedKey("HMAC_256", bytesOf(1, 32))
			out, err := f.client.VerifyMac(ctx, &kms.VerifyMacInput{KeyId: &keyID, Message: message, MacAlgorithm: "HMAC_SHA_256", Mac: mac(bytesOf(1, 32))})
			return out, &kms.VerifyMacOutput{KeyId: new(arnOf(keyID)), MacAlgorithm: "HMAC_SHA_256", MacValid: true}, err
		},
		"Sign": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("ECC_NIST_P256", "AWS_KMS")
			out, err := f.client.Sign(ctx, &kms.SignInput{KeyId: &keyID, Message: message, SigningAlgorithm: "ECDSA_SHA_256"})
			if err != nil {
				return nil, nil, err
			}
			public, err := x509.ParsePKIXPublicKey(f.must("GetPublicKey", object{"KeyId": keyID}).blob(f.t, "PublicKey"))
			if err != nil || !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], out.Signature) {
				f.t.Errorf("the signature is not one of this key: %v", err)
			}
			out.Signature = nil
			return out, &kms.SignOutput{KeyId: new(arnOf(keyID)), SigningAlgorithm: "ECDSA_SHA_256"}, nil
		},
		"Verify": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("ECC_NIST_P256", "AWS_KMS")
			signature := f.must("Sign", object{"KeyId": keyID, "Message": message, "SigningAlgorithm": "ECDSA_SHA_256"}).blob(f.t, "Signature")
			out, err := f.client.Verify(ctx, &kms.VerifyInput{KeyId: &keyID, Message: digest[:], MessageType: "DIGEST", SigningAlgorithm: "ECDSA_SHA_256", Signature: signature})
			return out, &kms.VerifyOutput{KeyId: new(arnOf(keyID)), SigningAlgorithm: "ECDSA_SHA_256", SignatureValid: true}, err
		},
		"GetPublicKey": func(ctx context.Context, f *fixture) (any, any, error) {
			keyID := f.createKey("ECC_NIST_P256", "AWS_KMS")
			out, err := f.client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &keyID})
			if err != nil {
				return nil, nil, err
			}
			if _, err := x509.ParsePKIXPublicKey(out.PublicKey); err != nil {
				f.t.Error(err)
			}
			out.PublicKey = nil
			return out, &kms.GetPublicKeyOutput{
				KeyId: new(arnOf(keyID)), KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY", SigningAlgorithms: []types.SigningAlgorithmSpec{"ECDSA_SHA_256"},
				CustomerMasterKeySpec: "ECC_NIST_P256", //nolint:staticcheck // deprecated, and answered nevertheless
			}, nil
		},
	}
}
