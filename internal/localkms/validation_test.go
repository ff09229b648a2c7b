package localkms_test

import (
	"maps"
	"strings"
	"testing"
)

const someKeyID = "12345678-1234-1234-1234-123456789012"

// validRequests is one request per operation that passes all checks of its parameters.
func validRequests() map[string]object {
	return map[string]object{
		"CancelKeyDeletion":         {"KeyId": someKeyID},
		"CreateKey":                 {"Origin": "EXTERNAL", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Description": "x", "MultiRegion": false},
		"Decrypt":                   {"CiphertextBlob": "AAAA", "KeyId": someKeyID, "EncryptionContext": object{"a": "b"}, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "DryRun": false},
		"DeleteImportedKeyMaterial": {"KeyId": someKeyID, "KeyMaterialId": strings.Repeat("0", 64)},
		"DescribeKey":               {"KeyId": someKeyID, "GrantTokens": []string{"x"}},
		"DisableKey":                {"KeyId": someKeyID},
		"EnableKey":                 {"KeyId": someKeyID},
		"Encrypt":                   {"KeyId": someKeyID, "Plaintext": "AAAA", "EncryptionContext": object{"a": "b"}, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "DryRun": false},
		"GenerateMac":               {"KeyId": someKeyID, "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256", "DryRun": false},
		"GetParametersForImport":    {"KeyId": someKeyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_4096"},
		"ImportKeyMaterial": {
			"KeyId": someKeyID, "EncryptedKeyMaterial": "AAAA", "ImportToken": "AAAA", "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": 1.5,
			"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialDescription": "x", "KeyMaterialId": strings.Repeat("0", 64),
		},
		"ListKeys":            {"Limit": 1, "Marker": "1"},
		"ScheduleKeyDeletion": {"KeyId": someKeyID, "PendingWindowInDays": 7},
		"VerifyMac":           {"KeyId": someKeyID, "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256", "Mac": "AAAA"},
	}
}

// TestRequiredParameters leaves out and nulls each required parameter of each operation.
func TestRequiredParameters(t *testing.T) {
	f := newFixture(t)
	required := map[string][]string{
		"CancelKeyDeletion": {"KeyId"}, "Decrypt": {"CiphertextBlob"}, "DeleteImportedKeyMaterial": {"KeyId"},
		"DescribeKey": {"KeyId"}, "DisableKey": {"KeyId"}, "EnableKey": {"KeyId"},
		"Encrypt": {"KeyId", "Plaintext"}, "GenerateMac": {"KeyId", "Message", "MacAlgorithm"},
		"GetParametersForImport": {"KeyId", "WrappingAlgorithm", "WrappingKeySpec"},
		"ImportKeyMaterial":      {"KeyId", "EncryptedKeyMaterial", "ImportToken"},
		"ScheduleKeyDeletion":    {"KeyId"}, "VerifyMac": {"KeyId", "Message", "MacAlgorithm", "Mac"},
	}
	for operation, valid := range validRequests() {
		for name := range valid {
			t.Run(operation+"/"+name, func(t *testing.T) {
				f := f.in(t)
				absent, null := maps.Clone(valid), maps.Clone(valid)
				delete(absent, name)
				null[name] = nil
				for how, body := range map[string]object{"absent": absent, "null": null} {
					a := f.call(operation, body.String())
					member := strings.ToLower(name[:1]) + name[1:]
					complaint := "1 validation error detected: Value null at '" + member + "' failed to satisfy constraint: Member must not be null"
					isRequired := strings.Contains(" "+strings.Join(required[operation], " ")+" ", " "+name+" ")
					if got := a.code == "ValidationException" && a.message == complaint; got != isRequired {
						t.Errorf("%s: %s", how, a.body)
					}
				}
			})
		}
	}
}

// TestParameterTypes gives each parameter of each operation a value of every other JSON type.
func TestParameterTypes(t *testing.T) {
	f := newFixture(t)
	for operation, valid := range validRequests() {
		for name, right := range valid {
			t.Run(operation+"/"+name, func(t *testing.T) {
				f := f.in(t)
				for kind, wrong := range map[string]any{
					"string": "x", "number": 7, "boolean": true, "list": []int{1}, "map": object{"a": object{}},
				} {
					if kind == kindOf(right) {
						continue
					}
					body := maps.Clone(valid)
					body[name] = wrong
					if a := f.call(operation, body.String()); a.code != "SerializationException" || a.status != 400 {
						t.Errorf("%s: %d %s", kind, a.status, a.body)
					}
				}
			})
		}
	}
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case int, float64:
		return "number"
	case bool:
		return "boolean"
	case object:
		return "map"
	default:
		return "list"
	}
}

func TestParameterValues(t *testing.T) {
	f := newFixture(t)
	blob := func(length int) string { return base64Of(bytesOf(0, length)) }
	const one = "1 validation error detected: "
	for name, c := range map[string]struct {
		reason    string
		operation string
		change    object
		code      string
		message   string
	}{
		"unknown key spec": {
			reason: "the recorded sentence", operation: "CreateKey", change: object{"KeySpec": "x"}, code: "ValidationException",
			message: one + "Value 'x' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [RSA_2048, RSA_3072, RSA_4096, " +
				"ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, " +
				"ML_DSA_44, ML_DSA_65, ML_DSA_87, ECC_NIST_EDWARDS25519, ML_KEM_512, ML_KEM_768, ML_KEM_1024]",
		},
		"unknown wrapping algorithm": {
			reason: "enum", operation: "GetParametersForImport", change: object{"WrappingAlgorithm": "x"}, code: "ValidationException",
			message: one + "Value 'x' at 'wrappingAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [RSAES_PKCS1_V1_5, " +
				"RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, RSA_AES_KEY_WRAP_SHA_1, RSA_AES_KEY_WRAP_SHA_256, SM2PKE]",
		},
		"unknown wrapping key spec": {
			reason: "enum", operation: "GetParametersForImport", change: object{"WrappingKeySpec": ""}, code: "ValidationException",
			message: one + "Value '' at 'wrappingKeySpec' failed to satisfy constraint: Member must satisfy enum value set: [RSA_2048, RSA_3072, RSA_4096, SM2]",
		},
		"unknown expiration model": {
			reason: "enum", operation: "ImportKeyMaterial", change: object{"ExpirationModel": "x"}, code: "ValidationException",
			message: one + "Value 'x' at 'expirationModel' failed to satisfy constraint: Member must satisfy enum value set: [KEY_MATERIAL_EXPIRES, KEY_MATERIAL_DOES_NOT_EXPIRE]",
		},
		"unknown import type": {
			reason: "enum", operation: "ImportKeyMaterial", change: object{"ImportType": "x"}, code: "ValidationException",
			message: one + "Value 'x' at 'importType' failed to satisfy constraint: Member must satisfy enum value set: [NEW_KEY_MATERIAL, EXISTING_KEY_MATERIAL]",
		},
		"unknown origin":               {reason: "enum", operation: "CreateKey", change: object{"Origin": "x"}, code: "ValidationException"},
		"unknown key usage":            {reason: "enum", operation: "CreateKey", change: object{"KeyUsage": "x"}, code: "ValidationException"},
		"unknown MAC algorithm":        {reason: "enum", operation: "GenerateMac", change: object{"MacAlgorithm": "x"}, code: "ValidationException"},
		"unknown encryption algorithm": {reason: "enum", operation: "Encrypt", change: object{"EncryptionAlgorithm": "x"}, code: "ValidationException"},
		"long enum value": {
			reason: "a misplaced value is not repeated whole", operation: "CreateKey", change: object{"Origin": strings.Repeat("x", 65)}, code: "ValidationException",
			message: one + "Value '" + strings.Repeat("x", 64) + "...' at 'origin' failed to satisfy constraint: Member must satisfy enum value set: [AWS_KMS, EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE]",
		},
		"two at once": {
			reason: "AWS reports broken constraints together", operation: "ImportKeyMaterial", change: object{"ImportToken": "", "KeyMaterialId": "x"}, code: "ValidationException",
			message: "3 validation errors detected: Value at 'importToken' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
				"Value at 'keyMaterialId' failed to satisfy constraint: Member must have length greater than or equal to 64; " +
				"Value at 'keyMaterialId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-f0-9]+$",
		},
		"empty key ID": {
			reason: "at least a character", operation: "DescribeKey", change: object{"KeyId": ""}, code: "ValidationException",
			message: one + "Value at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
		},
		"long key ID": {
			reason: "at most 2048", operation: "DescribeKey", change: object{"KeyId": strings.Repeat("é", 2049)}, code: "ValidationException",
			message: one + "Value at 'keyId' failed to satisfy constraint: Member must have length less than or equal to 2048",
		},
		"longest key ID":            {reason: "characters, not bytes", operation: "DescribeKey", change: object{"KeyId": strings.Repeat("é", 2048)}, code: "NotFoundException"},
		"bad base64":                {reason: "not base64 at all", operation: "Encrypt", change: object{"Plaintext": "%"}, code: "SerializationException", message: "Plaintext is not valid base64"},
		"base64 without padding":    {reason: "padding is part of it", operation: "ImportKeyMaterial", change: object{"ImportToken": "AA"}, code: "SerializationException"},
		"base64 for URLs":           {reason: "another alphabet", operation: "ImportKeyMaterial", change: object{"EncryptedKeyMaterial": "__8="}, code: "SerializationException"},
		"empty plaintext":           {reason: "at least a byte", operation: "Encrypt", change: object{"Plaintext": ""}, code: "ValidationException"},
		"longest plaintext":         {reason: "4096 bytes", operation: "Encrypt", change: object{"Plaintext": blob(4096)}, code: "NotFoundException"},
		"longest message":           {reason: "4096 bytes", operation: "GenerateMac", change: object{"Message": blob(4096)}, code: "NotFoundException"},
		"long message":              {reason: "a byte more", operation: "GenerateMac", change: object{"Message": blob(4097)}, code: "ValidationException"},
		"longest ciphertext":        {reason: "6144 bytes", operation: "Decrypt", change: object{"CiphertextBlob": blob(6144)}, code: "InvalidCiphertextException"},
		"long ciphertext":           {reason: "a byte more", operation: "Decrypt", change: object{"CiphertextBlob": blob(6145)}, code: "ValidationException"},
		"longest token":             {reason: "6144 bytes", operation: "ImportKeyMaterial", change: object{"ImportToken": blob(6144)}, code: "NotFoundException"},
		"long token":                {reason: "a byte more", operation: "ImportKeyMaterial", change: object{"ImportToken": blob(6145)}, code: "ValidationException"},
		"longest wrapped material":  {reason: "6144 bytes", operation: "ImportKeyMaterial", change: object{"EncryptedKeyMaterial": blob(6144)}, code: "NotFoundException"},
		"long wrapped material":     {reason: "a byte more", operation: "ImportKeyMaterial", change: object{"EncryptedKeyMaterial": blob(6145)}, code: "ValidationException"},
		"material ID in upper case": {reason: "lower case", operation: "DeleteImportedKeyMaterial", change: object{"KeyMaterialId": strings.Repeat("A", 64)}, code: "ValidationException"},
		"long description":          {reason: "at most 256", operation: "ImportKeyMaterial", change: object{"KeyMaterialDescription": strings.Repeat("x", 257)}, code: "ValidationException"},
		"date as text":              {reason: "timestamps are numbers", operation: "ImportKeyMaterial", change: object{"ValidTo": "2031-01-01T00:00:00Z"}, code: "SerializationException"},
		"date out of range":         {reason: "no overflow", operation: "ImportKeyMaterial", change: object{"ValidTo": 1e300}, code: "SerializationException", message: "ValidTo is out of range"},
		"six days": {
			reason: "at least 7", operation: "ScheduleKeyDeletion", change: object{"PendingWindowInDays": 6}, code: "ValidationException",
			message: one + "Value '6' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value greater than or equal to 7",
		},
		"31 days":              {reason: "at most 30", operation: "ScheduleKeyDeletion", change: object{"PendingWindowInDays": 31}, code: "ValidationException"},
		"half a day":           {reason: "whole numbers", operation: "ScheduleKeyDeletion", change: object{"PendingWindowInDays": 7.5}, code: "SerializationException"},
		"no page":              {reason: "at least 1", operation: "ListKeys", change: object{"Limit": 0}, code: "ValidationException"},
		"huge page":            {reason: "at most 1000", operation: "ListKeys", change: object{"Limit": 1001}, code: "ValidationException"},
		"marker of our own":    {reason: "not one that ListKeys gave", operation: "ListKeys", change: object{"Marker": "x"}, code: "InvalidMarkerException"},
		"huge marker":          {reason: "no overflow", operation: "ListKeys", change: object{"Marker": "9223372036854775807"}, code: "InvalidMarkerException"},
		"unknown parameter":    {reason: "ignored", operation: "DescribeKey", change: object{"Unknown": 1}, code: "NotFoundException"},
		"name in another case": {reason: "names are case-sensitive", operation: "ScheduleKeyDeletion", change: object{"pendingWindowInDays": 1}, code: "NotFoundException"},
		"policy":               {reason: "refused rather than ignored", operation: "CreateKey", change: object{"Policy": "{}"}, code: "UnsupportedOperationException"},
		"tags":                 {reason: "refused rather than ignored", operation: "CreateKey", change: object{"Tags": []int{}}, code: "UnsupportedOperationException"},
		"multi-Region":         {reason: "refused rather than ignored", operation: "CreateKey", change: object{"MultiRegion": true}, code: "UnsupportedOperationException"},
		"recipient":            {reason: "its plaintext must not go out in the clear", operation: "Decrypt", change: object{"Recipient": object{}}, code: "UnsupportedOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			body := maps.Clone(validRequests()[c.operation])
			maps.Copy(body, c.change)
			f.expect(f.call(c.operation, body.String()), c.code, c.message)
		})
	}
}

func TestBodies(t *testing.T) {
	f := newFixture(t)
	for name, body := range map[string]string{
		"empty": "", "null": "null", "list": "[]", "string": `"x"`, "number": "1", "cut": `{"KeyId":`, "two": "{}{}",
		"not JSON": "KeyId=x", "deep": strings.Repeat("[", 20000), "not UTF-8": "{\"KeyId\xff",
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			f.expect(f.call("DescribeKey", body), "SerializationException", "the request body is not a JSON object")
		})
	}
}

func TestKeyIDs(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	for name, c := range map[string]struct {
		reason  string
		keyID   string
		code    string
		message string
	}{
		"key ID":             {reason: "as CreateKey gave it", keyID: keyID},
		"key ARN":            {reason: "as CreateKey gave it", keyID: "arn:aws:kms:us-east-1:111122223333:key/" + keyID},
		"unknown":            {reason: "the recorded sentence", keyID: someKeyID, code: "NotFoundException", message: "Key 'arn:aws:kms:us-east-1:111122223333:key/" + someKeyID + "' does not exist"},
		"unknown multi":      {reason: "well-formed", keyID: "mrk-" + strings.Repeat("0", 32), code: "NotFoundException", message: "Key 'arn:aws:kms:us-east-1:111122223333:key/mrk-00000000000000000000000000000000' does not exist"},
		"malformed":          {reason: "the recorded sentence", keyID: "x", code: "NotFoundException", message: "Invalid keyId 'x'"},
		"malformed multi":    {reason: "too short", keyID: "mrk-0", code: "NotFoundException", message: "Invalid keyId 'mrk-0'"},
		"upper case":         {reason: "key IDs are lower case", keyID: strings.ToUpper("abcdef01-1234-1234-1234-123456789012"), code: "NotFoundException", message: "Invalid keyId 'ABCDEF01-1234-1234-1234-123456789012'"},
		"no dashes":          {reason: "of the right length", keyID: strings.Repeat("0", 36), code: "NotFoundException", message: "Invalid keyId '000000000000000000000000000000000000'"},
		"other Region":       {reason: "the recorded sentence", keyID: "arn:aws:kms:eu-west-1:111122223333:key/" + keyID, code: "NotFoundException", message: "Invalid arn eu-west-1"},
		"other account":      {reason: "import does not work across accounts", keyID: "arn:aws:kms:us-east-1:999999999999:key/" + keyID, code: "NotFoundException", message: "Key 'arn:aws:kms:us-east-1:999999999999:key/" + keyID + "' does not exist"},
		"malformed ARN":      {reason: "too few parts", keyID: "arn:aws:kms", code: "InvalidArnException"},
		"ARN of other":       {reason: "another service", keyID: "arn:aws:s3:us-east-1:111122223333:key/" + keyID, code: "InvalidArnException"},
		"ARN without type":   {reason: "neither key nor alias", keyID: "arn:aws:kms:us-east-1:111122223333:" + keyID, code: "InvalidArnException"},
		"ARN with malformed": {reason: "the key ID in it", keyID: "arn:aws:kms:us-east-1:111122223333:key/x", code: "NotFoundException", message: "Invalid keyId 'x'"},
		"alias":              {reason: "there are none", keyID: "alias/x", code: "NotFoundException", message: "Alias arn:aws:kms:us-east-1:111122223333:alias/x is not found."},
		"alias ARN":          {reason: "there are none", keyID: "arn:aws:kms:us-east-1:111122223333:alias/x", code: "NotFoundException", message: "Alias arn:aws:kms:us-east-1:111122223333:alias/x is not found."},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			f.expect(f.call("DescribeKey", object{"KeyId": c.keyID}.String()), c.code, c.message)
		})
	}
}
