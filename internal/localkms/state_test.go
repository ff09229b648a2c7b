package localkms_test

import (
	"maps"
	"strings"
	"testing"
	"time"
)

// TestOperationsByState is the facts' table of operations and key states, for a symmetric EXTERNAL key.
func TestOperationsByState(t *testing.T) {
	f := newFixture(t)
	material := bytesOf(1, 32)
	const (
		pendingImport   = "KMSInvalidStateException: ARN is pending import."
		pendingDeletion = "KMSInvalidStateException: ARN is pending deletion."
		notPending      = "KMSInvalidStateException: ARN is not pending deletion."
		disabled        = "DisabledException: ARN is disabled."
	)
	const allowEverything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}`
	// outcome is the state afterwards, or the error, in which ARN stands for the key's.
	type outcome = string
	do := func(operation string, extra object) func(*fixture, string) answer {
		return func(f *fixture, keyID string) answer {
			body := object{"KeyId": keyID}
			maps.Copy(body, extra)
			return f.call(operation, body.String())
		}
	}
	for name, c := range map[string]struct {
		reason          string
		do              func(f *fixture, keyID string) answer
		enabled         outcome
		disabled        outcome
		pendingImport   outcome
		pendingDeletion outcome
	}{
		"DescribeKey": {
			reason: "always shows", do: do("DescribeKey", nil),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: "PendingDeletion",
		},
		"GetParametersForImport": {
			reason: "changes no state", do: do("GetParametersForImport", object{"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: pendingDeletion,
		},
		"ImportKeyMaterial": {
			reason: "enables, a disabled key too: the harsher reading",
			do: func(f *fixture, keyID string) answer {
				body := object{"KeyId": keyID, "ImportToken": bytesOf(1, 100), "EncryptedKeyMaterial": bytesOf(1, 256), "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
				if f.metadata(keyID)["KeyState"] == "PendingDeletion" {
					return f.call("ImportKeyMaterial", body.String())
				}
				return f.importMaterial(keyID, material, nil)
			},
			enabled: "Enabled", disabled: "Enabled", pendingImport: "Enabled", pendingDeletion: pendingDeletion,
		},
		"DeleteImportedKeyMaterial": {
			reason: "no effect on PendingImport, no change of state on PendingDeletion", do: do("DeleteImportedKeyMaterial", nil),
			enabled: "PendingImport", disabled: "PendingImport", pendingImport: "PendingImport", pendingDeletion: "PendingDeletion",
		},
		"Encrypt": {
			reason: "a cryptographic operation", do: do("Encrypt", object{"Plaintext": []byte("x")}),
			enabled: "Enabled", disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"GenerateMac": {
			reason:   "the state is looked at before the usage",
			do:       do("GenerateMac", object{"Message": []byte("x"), "MacAlgorithm": "HMAC_SHA_256"}),
			enabled:  "InvalidKeyUsageException: ARN key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.",
			disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"EnableKey": {
			reason: "needs material", do: do("EnableKey", nil),
			enabled: "Enabled", disabled: "Enabled", pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"DisableKey": {
			reason: "an EXTERNAL key cannot be disabled before its first import", do: do("DisableKey", nil),
			enabled: "Disabled", disabled: "Disabled", pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"ScheduleKeyDeletion": {
			reason: "once", do: do("ScheduleKeyDeletion", nil),
			enabled: "PendingDeletion", disabled: "PendingDeletion", pendingImport: "PendingDeletion", pendingDeletion: pendingDeletion,
		},
		"GetKeyPolicy": {
			reason: "always shows", do: do("GetKeyPolicy", nil),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: "PendingDeletion",
		},
		"PutKeyPolicy": {
			reason: "always possible", do: do("PutKeyPolicy", object{"Policy": allowEverything}),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: "PendingDeletion",
		},
		"ListKeyPolicies": {
			reason: "always shows", do: do("ListKeyPolicies", nil),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: "PendingDeletion",
		},
		"ListAliases": {
			reason: "always shows", do: do("ListAliases", nil),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: "PendingDeletion",
		},
		"ListResourceTags": {
			reason: "always shows", do: do("ListResourceTags", nil),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: "PendingDeletion",
		},
		"ListKeyRotations": {
			reason: "always shows", do: do("ListKeyRotations", nil),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: "PendingDeletion",
		},
		"GetKeyRotationStatus": {
			reason: "not while waiting for the deletion", do: do("GetKeyRotationStatus", nil),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: pendingDeletion,
		},
		"TagResource": {
			reason: "not while waiting for the deletion", do: do("TagResource", object{"Tags": []object{{"TagKey": "a", "TagValue": "b"}}}),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: pendingDeletion,
		},
		"UntagResource": {
			reason: "not while waiting for the deletion", do: do("UntagResource", object{"TagKeys": []string{"a"}}),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: pendingDeletion,
		},
		"UpdateKeyDescription": {
			reason: "not while waiting for the deletion", do: do("UpdateKeyDescription", object{"Description": "x"}),
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: pendingDeletion,
		},
		"CreateAlias": {
			reason: "not while waiting for the deletion",
			do: func(f *fixture, keyID string) answer {
				return f.call("CreateAlias", object{"AliasName": "alias/" + keyID, "TargetKeyId": keyID}.String())
			},
			enabled: "Enabled", disabled: "Disabled", pendingImport: "PendingImport", pendingDeletion: pendingDeletion,
		},
		"RotateKeyOnDemand": {
			reason: "the state is looked at before what there is to rotate", do: do("RotateKeyOnDemand", nil),
			enabled: "KMSInvalidStateException: No available key material pending rotation for the key: ARN.", disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"ReplicateKey": {
			reason: "the state is looked at before the kind of key", do: do("ReplicateKey", object{"ReplicaRegion": "eu-west-1"}),
			enabled: "UnsupportedOperationException: ARN is not a multi-Region key which is not valid for this operation.", disabled: "UnsupportedOperationException: ARN is not a multi-Region key which is not valid for this operation.", pendingImport: "UnsupportedOperationException: ARN is not a multi-Region key which is not valid for this operation.", pendingDeletion: pendingDeletion,
		},
		"GenerateDataKey": {
			reason: "a cryptographic operation", do: do("GenerateDataKey", object{"KeySpec": "AES_256"}),
			enabled: "Enabled", disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"GenerateDataKeyWithoutPlaintext": {
			reason: "a cryptographic operation", do: do("GenerateDataKeyWithoutPlaintext", object{"NumberOfBytes": 1}),
			enabled: "Enabled", disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"Sign": {
			reason: "the state is looked at before the usage", do: do("Sign", object{"Message": []byte("x"), "SigningAlgorithm": "ECDSA_SHA_256"}),
			enabled: "InvalidKeyUsageException: ARN key usage is ENCRYPT_DECRYPT which is not valid for Sign.", disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"Verify": {
			reason: "the state is looked at before the usage", do: do("Verify", object{"Message": []byte("x"), "SigningAlgorithm": "ECDSA_SHA_256", "Signature": []byte("x")}),
			enabled: "InvalidKeyUsageException: ARN key usage is ENCRYPT_DECRYPT which is not valid for Verify.", disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"VerifyMac": {
			reason: "the state is looked at before the usage", do: do("VerifyMac", object{"Message": []byte("x"), "MacAlgorithm": "HMAC_SHA_256", "Mac": []byte("x")}),
			enabled: "InvalidKeyUsageException: ARN key usage is ENCRYPT_DECRYPT which is not valid for VerifyMac.", disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"DeriveSharedSecret": {
			reason: "the state is looked at before the usage", do: do("DeriveSharedSecret", object{"PublicKey": []byte("x"), "KeyAgreementAlgorithm": "ECDH"}),
			enabled: "InvalidKeyUsageException: ARN key usage is ENCRYPT_DECRYPT which is not valid for DeriveSharedSecret.", disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"GetPublicKey": {
			reason: "the state is looked at before the kind of key", do: do("GetPublicKey", nil),
			enabled: "UnsupportedOperationException: ARN key spec is SYMMETRIC_DEFAULT which is not valid for this operation.", disabled: disabled, pendingImport: pendingImport, pendingDeletion: pendingDeletion,
		},
		"CancelKeyDeletion": {
			reason: "leaves the key Disabled", do: do("CancelKeyDeletion", nil),
			enabled: notPending, disabled: notPending, pendingImport: notPending, pendingDeletion: "Disabled",
		},
	} {
		for state, want := range map[string]outcome{
			"Enabled": c.enabled, "Disabled": c.disabled, "PendingImport": c.pendingImport, "PendingDeletion": c.pendingDeletion,
		} {
			t.Run(name+"/"+state, func(t *testing.T) {
				f := f.in(t)
				keyID := f.keyIn(state, material)
				a := c.do(f, keyID)
				code, message, isError := strings.Cut(strings.ReplaceAll(want, "ARN", arnOf(keyID)), ": ")
				if isError {
					f.expect(a, code, message)
					f.expectState(keyID, state)
					return
				}
				f.expect(a, "", "")
				f.expectState(keyID, want)
			})
		}
	}
}

// TestDecryptByState adds Decrypt to the table: it needs a ciphertext from better times.
func TestDecryptByState(t *testing.T) {
	f := newFixture(t)
	for state, c := range map[string]struct {
		reason    string
		operation string
		code      string
	}{
		"Enabled":         {reason: "the base", operation: "DescribeKey"},
		"Disabled":        {reason: "DisabledException", operation: "DisableKey", code: "DisabledException"},
		"PendingImport":   {reason: "no material", operation: "DeleteImportedKeyMaterial", code: "KMSInvalidStateException"},
		"PendingDeletion": {reason: "not while waiting", operation: "ScheduleKeyDeletion", code: "KMSInvalidStateException"},
	} {
		t.Run(state, func(t *testing.T) {
			f := f.in(t)
			keyID := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32))
			ciphertext := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}).fields["CiphertextBlob"]
			f.must(c.operation, object{"KeyId": keyID})
			f.expectState(keyID, state)
			f.expect(f.call("Decrypt", object{"CiphertextBlob": ciphertext}.String()), c.code, "")
		})
	}
}

// TestOriginByOperation shows the recorded sentence for keys that KMS made the material of.
func TestOriginByOperation(t *testing.T) {
	f := newFixture(t)
	for _, spec := range []string{"SYMMETRIC_DEFAULT", "HMAC_256"} {
		keyID := f.createKey(spec, "AWS_KMS")
		f.expectState(keyID, "Enabled")
		sentence := arnOf(keyID) + " origin is AWS_KMS which is not valid for this operation."
		for operation, body := range map[string]object{
			"GetParametersForImport":    {"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
			"ImportKeyMaterial":         importBody(keyID, []byte("token"), []byte("material")),
			"DeleteImportedKeyMaterial": {"KeyId": keyID},
		} {
			t.Run(spec+"/"+operation, func(t *testing.T) {
				f := f.in(t)
				f.expect(f.call(operation, body.String()), "UnsupportedOperationException", sentence)
			})
		}
		f.must("ScheduleKeyDeletion", object{"KeyId": keyID})
		f.expect(f.call("GetParametersForImport", object{"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}.String()),
			"KMSInvalidStateException", arnOf(keyID)+" is pending deletion.")
	}
}

func TestMaterialExpiry(t *testing.T) {
	f := newFixture(t)
	material := bytesOf(1, 32)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	expiring := func(d time.Duration) object {
		return object{"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": f.clock.Now().Add(d).Unix()}
	}
	f.expect(f.importMaterial(keyID, material, expiring(time.Hour)), "", "")
	ciphertext := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}).fields["CiphertextBlob"]

	f.clock.advance(time.Hour - time.Nanosecond)
	f.expectState(keyID, "Enabled")
	f.clock.advance(time.Nanosecond)
	f.expect(f.call("Decrypt", object{"CiphertextBlob": ciphertext}.String()), "KMSInvalidStateException", arnOf(keyID)+" is pending import.")
	f.expectState(keyID, "PendingImport")
	if metadata := f.metadata(keyID); metadata["ValidTo"] != nil || metadata["ExpirationModel"] != nil || metadata["CurrentKeyMaterialId"] == nil {
		t.Errorf("metadata of an expired key: %v", metadata)
	}

	f.expect(f.importMaterial(keyID, bytesOf(2, 32), nil), "IncorrectKeyMaterialException", "")
	f.expect(f.importMaterial(keyID, material, expiring(time.Hour)), "", "")
	f.clock.advance(30 * time.Minute)
	f.expect(f.importMaterial(keyID, material, expiring(time.Hour)), "", "")
	f.clock.advance(45 * time.Minute)
	f.expectState(keyID, "Enabled") // the renewal moved the date
	f.must("Decrypt", object{"CiphertextBlob": ciphertext})
	f.must("DisableKey", object{"KeyId": keyID})
	f.clock.advance(time.Hour)
	f.expectState(keyID, "PendingImport")

	f.expect(f.importMaterial(keyID, material, nil), "", "")
	f.clock.advance(10 * 365 * 24 * time.Hour)
	f.expectState(keyID, "Enabled") // what does not expire stays
}

func TestDeletion(t *testing.T) {
	f := newFixture(t)
	keyID := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32))
	ciphertext := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}).fields["CiphertextBlob"]
	scheduled := f.must("ScheduleKeyDeletion", object{"KeyId": keyID, "PendingWindowInDays": 7})
	if scheduled.fields["KeyId"] != arnOf(keyID) || scheduled.fields["KeyState"] != "PendingDeletion" ||
		scheduled.fields["PendingWindowInDays"] != 7.0 || scheduled.fields["DeletionDate"] != float64(start.Add(7*24*time.Hour).Unix()) {
		t.Errorf("ScheduleKeyDeletion: %s", scheduled.body)
	}
	if got := f.metadata(keyID)["DeletionDate"]; got != float64(start.Add(7*24*time.Hour).Unix()) {
		t.Errorf("DeletionDate %v", got)
	}
	cancelled := f.must("CancelKeyDeletion", object{"KeyId": keyID})
	if cancelled.fields["KeyId"] != arnOf(keyID) || f.metadata(keyID)["DeletionDate"] != nil {
		t.Errorf("CancelKeyDeletion: %s", cancelled.body)
	}
	f.expectState(keyID, "Disabled")
	f.must("EnableKey", object{"KeyId": keyID})
	f.must("Decrypt", object{"CiphertextBlob": ciphertext})

	if days := f.must("ScheduleKeyDeletion", object{"KeyId": keyID}).fields["PendingWindowInDays"]; days != 30.0 {
		t.Errorf("PendingWindowInDays %v, want 30", days)
	}
	f.clock.advance(30*24*time.Hour - time.Nanosecond)
	f.expectState(keyID, "PendingDeletion")
	f.clock.advance(time.Nanosecond)
	if listed := f.must("ListKeys", object{}); strings.Contains(listed.body, keyID) {
		t.Errorf("ListKeys shows a deleted key: %s", listed.body)
	}
	for _, operation := range []string{"DescribeKey", "CancelKeyDeletion"} {
		f.expect(f.call(operation, object{"KeyId": keyID}.String()), "NotFoundException", "Key '"+arnOf(keyID)+"' does not exist")
	}
	f.expect(f.call("Decrypt", object{"CiphertextBlob": ciphertext}.String()), "AccessDeniedException", "")
}

// TestCancelledWithoutMaterial shows what a key without material becomes after its deletion was cancelled.
func TestCancelledWithoutMaterial(t *testing.T) {
	f := newFixture(t)
	keyID := f.keyIn("PendingImport", nil)
	f.must("ScheduleKeyDeletion", object{"KeyId": keyID})
	f.must("CancelKeyDeletion", object{"KeyId": keyID})
	f.expectState(keyID, "Disabled")
	f.must("EnableKey", object{"KeyId": keyID})
	f.expectState(keyID, "PendingImport")
}

func TestDeleteImportedKeyMaterial(t *testing.T) {
	f := newFixture(t)
	keyID := f.importedKey("SYMMETRIC_DEFAULT", bytesOf(1, 32))
	id := f.metadata(keyID)["CurrentKeyMaterialId"]
	unknown := strings.Repeat("0", 64)
	f.expect(f.call("DeleteImportedKeyMaterial", object{"KeyId": keyID, "KeyMaterialId": unknown}.String()), "NotFoundException", "")
	f.expectState(keyID, "Enabled")
	for _, body := range []object{{"KeyId": keyID, "KeyMaterialId": id}, {"KeyId": keyID}} {
		deleted := f.must("DeleteImportedKeyMaterial", body)
		if deleted.fields["KeyId"] != arnOf(keyID) || deleted.fields["KeyMaterialId"] != id {
			t.Errorf("DeleteImportedKeyMaterial: %s", deleted.body)
		}
		f.expectState(keyID, "PendingImport")
	}
	hmacKey := f.importedKey("HMAC_256", bytesOf(1, 32))
	if deleted := f.must("DeleteImportedKeyMaterial", object{"KeyId": hmacKey}); deleted.fields["KeyMaterialId"] != nil {
		t.Errorf("KeyMaterialId for an HMAC key: %s", deleted.body)
	}
	f.expectState(hmacKey, "PendingImport")
}

// TestDeletionWindowCondition shows that a policy can refuse short waiting periods.
func TestDeletionWindowCondition(t *testing.T) {
	f := newFixture(t)
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"kms:ScheduleKeyDeletion","Resource":"*","Condition":{"NumericLessThan":{"kms:ScheduleKeyDeletionPendingWindowInDays":"30"}}}]}`
	keyID := f.must("CreateKey", object{"Origin": "EXTERNAL", "Policy": policy}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
	f.expect(f.call("ScheduleKeyDeletion", object{"KeyId": keyID, "PendingWindowInDays": 7}.String()), "AccessDeniedException", "")
	f.must("ScheduleKeyDeletion", object{"KeyId": keyID})
}

// TestKeyConditions shows that a policy can ask what kind of key its key is.
func TestKeyConditions(t *testing.T) {
	f := newFixture(t)
	for condition, value := range map[string]string{
		"kms:KeyOrigin": "EXTERNAL", "kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyUsage": "ENCRYPT_DECRYPT", "kms:MultiRegion": "false",
	} {
		policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},` +
			`{"Effect":"Deny","Principal":"*","Action":"kms:DescribeKey","Resource":"*","Condition":{"StringEquals":{"` + condition + `":"` + value + `"}}}]}`
		keyID := f.must("CreateKey", object{"Origin": "EXTERNAL", "Policy": policy}).fields["KeyMetadata"].(map[string]any)["KeyId"].(string)
		f.expect(f.call("DescribeKey", object{"KeyId": keyID}.String()), "AccessDeniedException", "")
	}
}
