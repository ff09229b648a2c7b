package localkms_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

const someKeyID = "12345678-1234-1234-1234-123456789012"

// validRequests is one request per operation that passes all checks of its parameters, with every parameter that the
// operation takes: those left out are the other of a pair (see [otherOfPair]), or not for this server ([unsupported]).
func validRequests() map[string]object {
	requests := map[string]object{
		"CancelKeyDeletion": {"KeyId": someKeyID},
		"CreateAlias":       {"AliasName": "alias/x", "TargetKeyId": someKeyID},
		"CreateKey": {
			"Origin": "EXTERNAL", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Description": "x", "MultiRegion": false,
			"Policy": allowAll, "BypassPolicyLockoutSafetyCheck": false, "Tags": []object{{"TagKey": "a", "TagValue": "b"}},
		},
		"Decrypt":                   {"CiphertextBlob": "AAAA", "KeyId": someKeyID, "EncryptionContext": object{"a": "b"}, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "DryRun": false},
		"DeleteAlias":               {"AliasName": "alias/x"},
		"DeleteImportedKeyMaterial": {"KeyId": someKeyID, "KeyMaterialId": strings.Repeat("0", 64)},
		"DeriveSharedSecret":        {"KeyId": someKeyID, "KeyAgreementAlgorithm": "ECDH", "PublicKey": "AAAA", "DryRun": false},
		"DescribeKey":               {"KeyId": someKeyID},
		"DisableKey":                {"KeyId": someKeyID},
		"EnableKey":                 {"KeyId": someKeyID},
		"Encrypt":                   {"KeyId": someKeyID, "Plaintext": "AAAA", "EncryptionContext": object{"a": "b"}, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "DryRun": false},
		"GenerateDataKey":           {"KeyId": someKeyID, "KeySpec": "AES_256", "EncryptionContext": object{"a": "b"}, "DryRun": false},
		"GenerateDataKeyWithoutPlaintext": {
			"KeyId": someKeyID, "NumberOfBytes": 7, "EncryptionContext": object{"a": "b"}, "DryRun": false,
		},
		"GenerateMac":            {"KeyId": someKeyID, "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256", "DryRun": false},
		"GenerateRandom":         {"NumberOfBytes": 7},
		"GetKeyPolicy":           {"KeyId": someKeyID, "PolicyName": "default"},
		"GetKeyRotationStatus":   {"KeyId": someKeyID},
		"GetParametersForImport": {"KeyId": someKeyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_4096"},
		"GetPublicKey":           {"KeyId": someKeyID},
		"ImportKeyMaterial": {
			"KeyId": someKeyID, "EncryptedKeyMaterial": "AAAA", "ImportToken": "AAAA", "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": 2,
			"ImportType": "EXISTING_KEY_MATERIAL", "KeyMaterialDescription": "x", "KeyMaterialId": strings.Repeat("0", 64),
		},
		"ListAliases":      {"KeyId": someKeyID, "Limit": 1, "Marker": "1"},
		"ListKeyPolicies":  {"KeyId": someKeyID, "Limit": 1, "Marker": "1"},
		"ListKeyRotations": {"KeyId": someKeyID, "IncludeKeyMaterial": "ALL_KEY_MATERIAL", "Limit": 1, "Marker": "1"},
		"ListKeys":         {"Limit": 1, "Marker": "1"},
		"ListResourceTags": {"KeyId": someKeyID, "Limit": 1, "Marker": "1"},
		"PutKeyPolicy":     {"KeyId": someKeyID, "PolicyName": "default", "Policy": allowAll, "BypassPolicyLockoutSafetyCheck": false},
		"ReEncrypt": {
			"CiphertextBlob": "AAAA", "SourceKeyId": someKeyID, "SourceEncryptionContext": object{"a": "b"}, "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
			"DestinationKeyId": someKeyID, "DestinationEncryptionContext": object{"a": "b"}, "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT", "DryRun": false,
		},
		"ReplicateKey": {
			"KeyId": someKeyID, "ReplicaRegion": "eu-west-1", "Description": "x", "Policy": allowAll, "BypassPolicyLockoutSafetyCheck": false,
			"Tags": []object{{"TagKey": "a", "TagValue": "b"}},
		},
		"RotateKeyOnDemand":    {"KeyId": someKeyID},
		"ScheduleKeyDeletion":  {"KeyId": someKeyID, "PendingWindowInDays": 7},
		"Sign":                 {"KeyId": someKeyID, "Message": "AAAA", "MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256", "DryRun": false},
		"TagResource":          {"KeyId": someKeyID, "Tags": []object{{"TagKey": "a", "TagValue": "b"}}},
		"UntagResource":        {"KeyId": someKeyID, "TagKeys": []string{"a"}},
		"UpdateAlias":          {"AliasName": "alias/x", "TargetKeyId": someKeyID},
		"UpdateKeyDescription": {"KeyId": someKeyID, "Description": "x"},
		"Verify":               {"KeyId": someKeyID, "Message": "AAAA", "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256", "Signature": "AAAA", "DryRun": false},
		"VerifyMac":            {"KeyId": someKeyID, "Message": "AAAA", "MacAlgorithm": "HMAC_SHA_256", "Mac": "AAAA", "DryRun": false},
	}
	for _, operation := range []string{
		"Decrypt", "DeriveSharedSecret", "DescribeKey", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GetPublicKey",
		"ReEncrypt", "Sign", "Verify", "VerifyMac",
	} {
		requests[operation]["GrantTokens"] = []string{"x"}
	}
	return requests
}

// allowAll is a key policy that locks nobody out.
const allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}`

// otherOfPair are parameters that cannot come with another one of [validRequests].
var otherOfPair = map[string]string{
	"CreateKey": "CustomerMasterKeySpec", "GenerateDataKey": "NumberOfBytes", "GenerateDataKeyWithoutPlaintext": "KeySpec",
}

// unsupported are the parameters that would need what this server does not have: they are refused rather than ignored.
var unsupported = map[string][]string{
	"CreateKey":          {"CustomKeyStoreId", "XksKeyId"},
	"Decrypt":            {"Recipient", "DryRunModifiers"},
	"DeriveSharedSecret": {"Recipient"},
	"GenerateDataKey":    {"Recipient"},
	"GenerateRandom":     {"Recipient", "CustomKeyStoreId"},
	"ReEncrypt":          {"DryRunModifiers"},
}

// parameter is one of an operation as the SDK's model, which the server shares nothing with, has it.
type parameter struct {
	operation string
	name      string
	kind      reflect.Type
	required  bool
}

func (p parameter) isBlob() bool { return p.kind == reflect.TypeFor[[]byte]() }

// values are those of an enum, nothing for any other kind.
func (p parameter) values() (values []string) {
	method, isEnum := p.kind.MethodByName("Values")
	if !isEnum {
		return nil
	}
	all := method.Func.Call([]reflect.Value{reflect.Zero(p.kind)})[0]
	for i := range all.Len() {
		values = append(values, all.Index(i).String())
	}
	return values
}

// member is how AWS's complaints name the parameter.
func (p parameter) member() string { return strings.ToLower(p.name[:1]) + p.name[1:] }

// modelled are all parameters of all operations.
func modelled(t *testing.T) (all []parameter) {
	t.Helper()
	client := reflect.ValueOf(newClient("http://127.0.0.1:1", "x", "x")) // nothing is sent
	for _, operation := range localkms.Operations() {
		method := client.MethodByName(operation)
		input := reflect.New(method.Type().In(1).Elem())
		required := map[string]bool{}
		if input.Elem().NumField() > 0 {
			err, _ := reflect.TypeAssert[error](method.Call([]reflect.Value{reflect.ValueOf(cancelled(t)), input})[1])
			if missing, ok := errors.AsType[smithy.InvalidParamsError](err); ok {
				for _, one := range missing.Errs() {
					if param, ok := errors.AsType[smithy.InvalidParamError](one); ok {
						_, name, _ := strings.Cut(param.Field(), ".")
						required[name] = true
					}
				}
			}
		}
		for field := range input.Elem().Type().Fields() {
			if field.IsExported() {
				all = append(all, parameter{operation, field.Name, field.Type, required[field.Name]})
			}
		}
	}
	return all
}

// cancelled is a context that lets no request out.
func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestEveryParameter shows that no operation and no parameter of the SDK's model is left out by the tests below.
func TestEveryParameter(t *testing.T) {
	valid := validRequests()
	for _, p := range modelled(t) {
		_, isValid := valid[p.operation][p.name]
		if !isValid && otherOfPair[p.operation] != p.name && !slices.Contains(unsupported[p.operation], p.name) {
			t.Errorf("%s of %s is tested by nothing", p.name, p.operation)
		}
	}
	if diff := cmp.Diff(localkms.Operations(), slices.Sorted(maps.Keys(valid))); diff != "" {
		t.Errorf("operations (-routes +tests):\n%s", diff)
	}
}

// TestUnsupportedParameters shows that what cannot be honoured is refused.
func TestUnsupportedParameters(t *testing.T) {
	f := newFixture(t)
	for operation, names := range unsupported {
		for _, name := range names {
			body := maps.Clone(validRequests()[operation])
			body[name] = object{}
			f.expect(f.call(operation, body.String()), "UnsupportedOperationException", name+" is not supported by the local KMS")
		}
	}
}

// TestRequiredParameters leaves out and nulls each parameter of each operation, in both dialects: the required ones are
// missed.
func TestRequiredParameters(t *testing.T) {
	dialects := map[localkms.Dialect]*fixture{localkms.AWS: newFixture(t), localkms.QKMS: newFixture(t, qkms)}
	for _, p := range modelled(t) {
		valid := validRequests()[p.operation]
		if _, found := valid[p.name]; !found {
			continue
		}
		for dialect, f := range dialects {
			if dialect == localkms.QKMS && slices.Contains([]string{"GetKeyRotationStatus", "ListKeyRotations", "ReplicateKey", "RotateKeyOnDemand"}, p.operation) {
				continue // there are no such operations
			}
			t.Run(string(dialect)+"/"+p.operation+"/"+p.name, func(t *testing.T) {
				f := f.in(t)
				absent, null := maps.Clone(valid), maps.Clone(valid)
				delete(absent, p.name)
				null[p.name] = nil
				want := p.complaint(dialect)
				for how, body := range map[string]object{"absent": absent, "null": null} {
					a := f.call(p.operation, body.String())
					isMissed := strings.Contains(a.message, "Member must not be null") || strings.Contains(a.message, "required")
					if isMissed != (want != "") || isMissed && (a.code != "ValidationException" || a.message != want) {
						t.Errorf("%s: %s, want %q", how, a.body, want)
					}
				}
			})
		}
	}
}

// complaint is what a request without the parameter is told; empty if it can do without.
func (p parameter) complaint(dialect localkms.Dialect) string {
	null := "1 validation error detected: Value null at '" + p.member() + "' failed to satisfy constraint: Member must not be null"
	switch where := p.operation + "/" + p.name; {
	case p.required:
		return null
	case where == "GenerateRandom/NumberOfBytes":
		return "NumberOfBytes is required." // recorded
	case where == "Decrypt/CiphertextBlob", where == "ReEncrypt/CiphertextBlob":
		return null // the model can do without since there are DryRunModifiers, which are not supported here
	case where == "ImportKeyMaterial/ExpirationModel" && dialect == localkms.QKMS:
		return null
	}
	return ""
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

// TestBase64 gives each blob of each operation what is no base64, no bytes, and too many.
func TestBase64(t *testing.T) {
	f := newFixture(t)
	for _, p := range modelled(t) {
		if !p.isBlob() {
			continue
		}
		t.Run(p.operation+"/"+p.name, func(t *testing.T) {
			f := f.in(t)
			with := func(value string) answer {
				body := maps.Clone(validRequests()[p.operation])
				body[p.name] = value
				return f.call(p.operation, body.String())
			}
			for _, malformed := range []string{"%", "AA", "__8=", "AAAA=", "AAB=", " AAAA"} {
				f.expect(with(malformed), "SerializationException", p.name+" is not valid base64")
			}
			f.expect(with(""), "ValidationException",
				"1 validation error detected: Value at '"+p.member()+"' failed to satisfy constraint: Member must have length greater than or equal to 1")
			f.expect(with(base64Of(bytesOf(0, 8193))), "ValidationException", "")
		})
	}
}

// TestEnums shows that each enum of each operation takes exactly the values of the SDK's model.
func TestEnums(t *testing.T) {
	f := newFixture(t)
	for _, p := range modelled(t) {
		if p.values() == nil {
			continue
		}
		t.Run(p.operation+"/"+p.name, func(t *testing.T) {
			f := f.in(t)
			with := func(value string) answer {
				body := maps.Clone(validRequests()[p.operation])
				body[p.name] = value
				return f.call(p.operation, body.String())
			}
			const constraint = "' failed to satisfy constraint: Member must satisfy enum value set: ["
			for _, wrong := range []string{"x", "", strings.ToLower(p.values()[0])} {
				a := with(wrong)
				list, isEnum := strings.CutPrefix(a.message, "1 validation error detected: Value '"+wrong+"' at '"+p.member()+constraint)
				listed := strings.Split(strings.TrimSuffix(list, "]"), ", ")
				slices.Sort(listed)
				if diff := cmp.Diff(slices.Sorted(slices.Values(p.values())), listed); a.code != "ValidationException" || !isEnum || diff != "" {
					t.Errorf("%q: %s\n(-want +got):\n%s", wrong, a.body, diff)
				}
			}
			for _, value := range p.values() {
				if a := with(value); strings.Contains(a.message, "enum value set") {
					t.Errorf("%s: %s", value, a.message)
				}
			}
		})
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
		"no random bytes": {
			reason: "the recorded sentence", operation: "GenerateRandom", change: object{"NumberOfBytes": 0}, code: "ValidationException",
			message: one + "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
		},
		"too many random bytes": {
			reason: "the recorded sentence", operation: "GenerateRandom", change: object{"NumberOfBytes": 1025}, code: "ValidationException",
			message: one + "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
		},
		"data key of both sizes":      {reason: "one of them", operation: "GenerateDataKey", change: object{"NumberOfBytes": 32}, code: "ValidationException"},
		"data key of no size":         {reason: "one of them", operation: "GenerateDataKey", change: object{"KeySpec": nil}, code: "ValidationException"},
		"data key of 0 bytes":         {reason: "at least 1", operation: "GenerateDataKeyWithoutPlaintext", change: object{"NumberOfBytes": 0}, code: "ValidationException"},
		"data key of 1025 bytes":      {reason: "at most 1024", operation: "GenerateDataKeyWithoutPlaintext", change: object{"NumberOfBytes": 1025}, code: "ValidationException"},
		"data key of 1024 bytes":      {reason: "the longest", operation: "GenerateDataKeyWithoutPlaintext", change: object{"NumberOfBytes": 1024}, code: "NotFoundException"},
		"long description, create":    {reason: "at most 8192", operation: "CreateKey", change: object{"Description": strings.Repeat("é", 8193)}, code: "ValidationException"},
		"long description, update":    {reason: "at most 8192", operation: "UpdateKeyDescription", change: object{"Description": strings.Repeat("é", 8193)}, code: "ValidationException"},
		"long description, replicate": {reason: "at most 8192", operation: "ReplicateKey", change: object{"Description": strings.Repeat("é", 8193)}, code: "ValidationException"},
		"longest description":         {reason: "characters, not bytes", operation: "UpdateKeyDescription", change: object{"Description": strings.Repeat("é", 8192)}, code: "NotFoundException"},
		"no description any more":     {reason: "an empty one is one", operation: "UpdateKeyDescription", change: object{"Description": ""}, code: "NotFoundException"},
		"empty policy name":           {reason: "at least a character", operation: "GetKeyPolicy", change: object{"PolicyName": ""}, code: "ValidationException"},
		"long policy name":            {reason: "at most 128", operation: "PutKeyPolicy", change: object{"PolicyName": strings.Repeat("x", 129)}, code: "ValidationException"},
		"long Region":                 {reason: "at most 32", operation: "ReplicateKey", change: object{"ReplicaRegion": strings.Repeat("x", 33)}, code: "ValidationException"},
		"not a Region":                {reason: "it becomes part of an ARN", operation: "ReplicateKey", change: object{"ReplicaRegion": "moon"}, code: "ValidationException", message: "Invalid ReplicaRegion 'moon'"},
		"page of 51 tags":             {reason: "at most 50", operation: "ListResourceTags", change: object{"Limit": 51}, code: "ValidationException"},
		"page of 50 tags":             {reason: "the largest", operation: "ListResourceTags", change: object{"Limit": 50}, code: "NotFoundException"},
		"page of 101 aliases":         {reason: "at most 100", operation: "ListAliases", change: object{"Limit": 101}, code: "ValidationException"},
		"page of 100 aliases":         {reason: "the largest", operation: "ListAliases", change: object{"Limit": 100}, code: "NotFoundException"},
		"page of 1001 policies":       {reason: "at most 1000", operation: "ListKeyPolicies", change: object{"Limit": 1001}, code: "ValidationException"},
		"page of 1000 policies":       {reason: "the largest", operation: "ListKeyPolicies", change: object{"Limit": 1000}, code: "NotFoundException"},
		"page of 1001 rotations":      {reason: "at most 1000", operation: "ListKeyRotations", change: object{"Limit": 1001}, code: "ValidationException"},
		"page of 1000 rotations":      {reason: "the largest", operation: "ListKeyRotations", change: object{"Limit": 1000}, code: "NotFoundException"},
		"empty marker":                {reason: "at least a character", operation: "ListKeys", change: object{"Marker": ""}, code: "ValidationException"},
		"list of numbers":             {reason: "grant tokens are strings", operation: "Encrypt", change: object{"GrantTokens": []int{1}}, code: "SerializationException"},
		"context of numbers":          {reason: "contexts hold strings", operation: "Encrypt", change: object{"EncryptionContext": object{"a": 1}}, code: "SerializationException"},
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
