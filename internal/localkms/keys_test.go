package localkms_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

func TestCreateKey(t *testing.T) {
	f := newFixture(t)
	symmetric := func(change object) object {
		metadata := object{
			"AWSAccountId": "111122223333", "CreationDate": float64(start.Unix()), "Description": "", "KeyUsage": "ENCRYPT_DECRYPT",
			"KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "EncryptionAlgorithms": []any{"SYMMETRIC_DEFAULT"},
			"Origin": "EXTERNAL", "KeyState": "PendingImport", "Enabled": false, "KeyManager": "CUSTOMER", "MultiRegion": false,
		}
		for name, value := range change {
			metadata[name] = value
			if value == nil {
				delete(metadata, name)
			}
		}
		return metadata
	}
	mac := object{
		"KeyUsage": "GENERATE_VERIFY_MAC", "KeySpec": "HMAC_256", "CustomerMasterKeySpec": "HMAC_256",
		"EncryptionAlgorithms": nil, "MacAlgorithms": []any{"HMAC_SHA_256"},
	}
	for name, c := range map[string]struct {
		reason   string
		request  object
		metadata object // without what differs from key to key
		code     string
		message  string
	}{
		"external":         {reason: "PendingImport", request: object{"Origin": "EXTERNAL"}, metadata: symmetric(nil)},
		"described":        {reason: "shown as given", request: object{"Origin": "EXTERNAL", "Description": "what for"}, metadata: symmetric(object{"Description": "what for"})},
		"external HMAC":    {reason: "needs KeyUsage", request: object{"Origin": "EXTERNAL", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, metadata: symmetric(mac)},
		"deprecated name":  {reason: "CustomerMasterKeySpec", request: object{"Origin": "EXTERNAL", "CustomerMasterKeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, metadata: symmetric(mac)},
		"default":          {reason: "KMS makes the material, and it has an ID", request: object{}, metadata: symmetric(object{"Origin": "AWS_KMS", "KeyState": "Enabled", "Enabled": true, "CurrentKeyMaterialId": "ID"})},
		"no usage":         {reason: "the recorded sentence", request: object{"KeySpec": "HMAC_256"}, code: "ValidationException", message: "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."},
		"no usage, RSA":    {reason: "for specs that are not there either", request: object{"KeySpec": "RSA_2048"}, code: "ValidationException", message: "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."},
		"other usage":      {reason: "a MAC key cannot encrypt", request: object{"KeySpec": "HMAC_256", "KeyUsage": "ENCRYPT_DECRYPT"}, code: "ValidationException"},
		"both names":       {reason: "one of them", request: object{"KeySpec": "HMAC_256", "CustomerMasterKeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, code: "ValidationException"},
		"SM2":              {reason: "not there", request: object{"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, code: "UnsupportedOperationException"},
		"ML-DSA, external": {reason: "no material can be imported", request: object{"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY", "Origin": "EXTERNAL"}, code: "UnsupportedOperationException", message: "Origin EXTERNAL is not valid for key spec ML_DSA_44."},
		"custom key store": {reason: "not there", request: object{"Origin": "AWS_CLOUDHSM"}, code: "UnsupportedOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			a := f.call("CreateKey", c.request.String())
			f.expect(a, c.code, c.message)
			if c.code != "" {
				return
			}
			metadata := object(a.fields["KeyMetadata"].(map[string]any))
			keyID := metadata["KeyId"].(string)
			if diff := cmp.Diff(metadata, object(f.metadata(keyID))); diff != "" {
				t.Errorf("CreateKey and DescribeKey differ:\n%s", diff)
			}
			if metadata["Arn"] != arnOf(keyID) {
				t.Errorf("Arn %v", metadata["Arn"])
			}
			delete(metadata, "KeyId")
			delete(metadata, "Arn")
			if metadata["CurrentKeyMaterialId"] != nil {
				metadata["CurrentKeyMaterialId"] = "ID"
			}
			if diff := cmp.Diff(c.metadata, metadata); diff != "" {
				t.Errorf("metadata (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrappingCombinations(t *testing.T) {
	f := newFixture(t)
	for _, spec := range []string{"SYMMETRIC_DEFAULT", "HMAC_256"} {
		keyID := f.createKey(spec, "EXTERNAL")
		for _, combination := range []string{
			"RSA_AES_KEY_WRAP_SHA_256 RSA_3072", "RSA_AES_KEY_WRAP_SHA_1 RSA_2048", "RSAES_PKCS1_V1_5 RSA_2048",
			"SM2PKE SM2", "RSAES_OAEP_SHA_256 SM2",
		} {
			t.Run(spec+"/"+combination, func(t *testing.T) {
				f := f.in(t)
				algorithm, wrappingKeySpec, _ := strings.Cut(combination, " ")
				body := object{"KeyId": keyID, "WrappingAlgorithm": algorithm, "WrappingKeySpec": wrappingKeySpec}
				f.expect(f.call("GetParametersForImport", body.String()), "ValidationException",
					"Wrapping algorithm "+algorithm+" and wrapping key spec "+wrappingKeySpec+" cannot be used to import a "+spec+" key.")
			})
		}
	}
}

func TestListKeys(t *testing.T) {
	f := newFixture(t)
	if empty := f.must("ListKeys", object{}); empty.body != `{"Keys":[],"Truncated":false}` {
		t.Errorf("no keys: %s", empty.body)
	}
	var created []string
	for range 5 {
		created = append(created, f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL"))
	}
	var listed []string
	var pages []int
	for pager := kms.NewListKeysPaginator(f.client, &kms.ListKeysInput{Limit: new(int32(2))}); pager.HasMorePages(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, len(page.Keys))
		for _, k := range page.Keys {
			listed = append(listed, *k.KeyId)
			if *k.KeyArn != arnOf(*k.KeyId) {
				t.Errorf("KeyArn %s", *k.KeyArn)
			}
		}
	}
	if diff := cmp.Diff(created, listed); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{2, 2, 1}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	whole := f.must("ListKeys", object{"Limit": 5})
	if whole.fields["Truncated"] != false || whole.fields["NextMarker"] != nil {
		t.Errorf("a page that holds the rest is not truncated: %s", whole.body)
	}
	f.must("ScheduleKeyDeletion", object{"KeyId": created[2], "PendingWindowInDays": 7})
	first := f.must("ListKeys", object{"Limit": 3})
	f.clock.advance(7 * 24 * 60 * 60 * 1e9)
	f.expect(f.call("DescribeKey", object{"KeyId": created[2]}.String()), "NotFoundException", "")
	rest := f.must("ListKeys", object{"Marker": first.fields["NextMarker"]})
	if got := len(rest.fields["Keys"].([]any)); got != 2 {
		t.Errorf("%d keys behind a marker whose key is gone, want 2: %s", got, rest.body)
	}
}

func TestRegionAndAccount(t *testing.T) {
	f := newFixture(t, func(o *localkms.Options) { o.Regions, o.AccountID = []string{"eu-central-2"}, "000000000042" })
	client := kms.New(f.client.Options(), func(o *kms.Options) { o.Region = "eu-central-2" })
	out, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:kms:eu-central-2:000000000042:key/" + *out.KeyMetadata.KeyId; *out.KeyMetadata.Arn != want || *out.KeyMetadata.AWSAccountId != "000000000042" {
		t.Errorf("%s in %s", *out.KeyMetadata.Arn, *out.KeyMetadata.AWSAccountId)
	}
	f.expect(f.call("ListKeys", "{}"), "InvalidSignatureException", "Credential should be scoped to a valid region, not 'us-east-1'.")
}

// TestUpdateAliasKinds shows that an alias goes from one asymmetric key to another of its usage, not to a symmetric one that encrypts too.
func TestUpdateAliasKinds(t *testing.T) {
	f := newFixture(t)
	symmetric := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	rsaEncrypt := f.createKeyFor("RSA_2048", "EXTERNAL", "ENCRYPT_DECRYPT")
	rsaSign := f.createKeyFor("RSA_2048", "EXTERNAL", "SIGN_VERIFY")
	ec := f.createKey("ECC_NIST_P256", "AWS_KMS")
	f.must("CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": symmetric})
	f.expect(f.call("UpdateAlias", object{"AliasName": "alias/a", "TargetKeyId": rsaEncrypt}.String()), "ValidationException", "")
	f.must("CreateAlias", object{"AliasName": "alias/b", "TargetKeyId": rsaSign})
	f.expect(f.call("UpdateAlias", object{"AliasName": "alias/b", "TargetKeyId": ec}.String()), "", "")
}

// TestListAliasesPolicy shows that a key policy has no say in who lists aliases.
func TestListAliasesPolicy(t *testing.T) {
	f := newFixture(t)
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","NotAction":"kms:ListAliases","Resource":"*"}]}`
	keyID := f.must("CreateKey", object{"Policy": policy}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	f.must("CreateAlias", object{"AliasName": "alias/a", "TargetKeyId": keyID})
	if listed := f.must("ListAliases", object{"KeyId": keyID}).fields["Aliases"].([]any); len(listed) != 1 {
		t.Errorf("aliases: %v", listed)
	}
}

// TestEncapsulationAlgorithms shows that the metadata of every usage list its algorithms.
func TestEncapsulationAlgorithms(t *testing.T) {
	f := newFixture(t, func(o *localkms.Options) { o.Assume = []localkms.Assumption{localkms.UnlistedKeySpecs} })
	keyID := f.createKeyFor("ML_KEM_768", "EXTERNAL", "ENCAPSULATE_DECAPSULATE")
	if listed, _ := f.metadata(keyID)["EncapsulationAlgorithms"].([]any); len(listed) != 1 {
		t.Errorf("EncapsulationAlgorithms: %v", listed)
	}
}
