package localkms_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEncryption(t *testing.T) {
	f := newFixture(t)
	material := bytesOf(1, 32)
	keyID, twin := f.importedKey("SYMMETRIC_DEFAULT", material), f.importedKey("SYMMETRIC_DEFAULT", material)
	kmsKey, hmacKey := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS"), f.createKey("HMAC_256", "AWS_KMS")
	context := object{"purpose": "test", "a": "b"}
	sealed := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("plaintext"), "EncryptionContext": context})
	if sealed.fields["KeyId"] != arnOf(keyID) || sealed.fields["EncryptionAlgorithm"] != "SYMMETRIC_DEFAULT" || sealed.fields["KeyMaterialId"] != nil {
		t.Errorf("Encrypt: %s", sealed.body)
	}
	blob := sealed.blob(t, "CiphertextBlob")
	changed := func(at int) []byte {
		c := append([]byte{}, blob...)
		c[at] ^= 1
		return c
	}
	materialID, twinMaterialID := f.metadata(keyID)["CurrentKeyMaterialId"].(string), f.metadata(twin)["CurrentKeyMaterialId"].(string)
	elsewhere := []byte(strings.NewReplacer(keyID, twin, materialID, twinMaterialID).Replace(string(blob)))
	nowhere := []byte(strings.Replace(string(blob), keyID, someKeyID, 1))
	const invalid = "InvalidCiphertextException"
	for name, c := range map[string]struct {
		reason  string
		request object
		code    string
		message string
	}{
		"right":                {reason: "no KeyId needed", request: object{"CiphertextBlob": blob, "EncryptionContext": context}},
		"with key ID":          {reason: "the right one", request: object{"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": keyID}},
		"with key ARN":         {reason: "the right one", request: object{"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": arnOf(keyID)}},
		"with another key":     {reason: "IncorrectKeyException", request: object{"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": kmsKey}, code: "IncorrectKeyException", message: "The key ID in the request does not identify a CMK that can perform this operation."},
		"with a twin":          {reason: "the same bytes are not the same key", request: object{"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": twin}, code: "IncorrectKeyException"},
		"with unknown key":     {reason: "which key comes first", request: object{"CiphertextBlob": blob, "EncryptionContext": context, "KeyId": someKeyID}, code: "NotFoundException"},
		"no context":           {reason: "authenticated", request: object{"CiphertextBlob": blob}, code: invalid},
		"other context":        {reason: "authenticated", request: object{"CiphertextBlob": blob, "EncryptionContext": object{"purpose": "test", "a": "c"}}, code: invalid},
		"context run together": {reason: "parts are kept apart", request: object{"CiphertextBlob": blob, "EncryptionContext": object{"ab": "", "purpose": "test"}}, code: invalid},
		"first byte":           {reason: "not ours", request: object{"CiphertextBlob": changed(0), "EncryptionContext": context}, code: invalid},
		"last byte":            {reason: "authenticated", request: object{"CiphertextBlob": changed(len(blob) - 1), "EncryptionContext": context}, code: invalid},
		"material ID":          {reason: "authenticated", request: object{"CiphertextBlob": changed(60), "EncryptionContext": context}, code: invalid},
		"cut":                  {reason: "too short for a tag", request: object{"CiphertextBlob": blob[:len(blob)-20], "EncryptionContext": context}, code: invalid},
		"header only":          {reason: "nothing sealed", request: object{"CiphertextBlob": blob[:112]}, code: invalid},
		"moved to a twin":      {reason: "no other key can open it", request: object{"CiphertextBlob": elsewhere, "EncryptionContext": context}, code: invalid},
		"moved to nowhere":     {reason: "AWS does not tell unknown from forbidden", request: object{"CiphertextBlob": nowhere, "EncryptionContext": context}, code: "AccessDeniedException", message: "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."},
		"other algorithm":      {reason: "not one of a symmetric key", request: object{"CiphertextBlob": blob, "EncryptionContext": context, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}, code: "InvalidKeyUsageException", message: "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT."},
		"dry run":              {reason: "the recorded sentence", request: object{"CiphertextBlob": blob, "EncryptionContext": context, "DryRun": true}, code: "DryRunOperationException", message: "The request would have succeeded, but the DryRun option is set."},
		"dry run that fails":   {reason: "it would not have succeeded", request: object{"CiphertextBlob": blob, "DryRun": true}, code: invalid},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			a := f.call("Decrypt", c.request.String())
			f.expect(a, c.code, c.message)
			if c.code == invalid && a.body != `{"__type":"InvalidCiphertextException"}` {
				t.Errorf("it comes without message: %s", a.body)
			}
			want := map[string]any{
				"Plaintext": base64Of([]byte("plaintext")), "KeyId": arnOf(keyID), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
				"KeyMaterialId": f.metadata(keyID)["CurrentKeyMaterialId"],
			}
			if diff := cmp.Diff(want, a.fields); c.code == "" && diff != "" {
				t.Errorf("Decrypt (-want +got):\n%s", diff)
			}
		})
	}
	f.expect(f.call("Encrypt", object{"KeyId": hmacKey, "Plaintext": []byte("x")}.String()),
		"InvalidKeyUsageException", arnOf(hmacKey)+" key usage is GENERATE_VERIFY_MAC which is not valid for Encrypt.")
	f.expect(f.call("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x"), "EncryptionAlgorithm": "SM2PKE"}.String()), "InvalidKeyUsageException", "")
	f.expect(f.call("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x"), "DryRun": true}.String()), "DryRunOperationException", "")
	f.expect(f.call("Encrypt", object{"KeyId": keyID, "Plaintext": bytesOf(0, 4097)}.String()), "ValidationException",
		"1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096")
}

func TestEncryptionIsRandomised(t *testing.T) {
	f := newFixture(t)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	request := object{"KeyId": keyID, "Plaintext": []byte("x")}
	first, second := f.must("Encrypt", request), f.must("Encrypt", request)
	if first.body == second.body {
		t.Error("the same plaintext twice gives the same ciphertext")
	}
}

func TestMACs(t *testing.T) {
	f := newFixture(t)
	// RFC 4231 has no key of 32 bytes, so the known answer is that of
	// printf 'Hi There' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b...0b -binary | base64
	keyID := f.importedKey("HMAC_256", bytesOf(0x0b, 32))
	symmetric := f.createKey("SYMMETRIC_DEFAULT", "AWS_KMS")
	request := func(change object) object {
		body := object{"KeyId": keyID, "Message": []byte("Hi There"), "MacAlgorithm": "HMAC_SHA_256"}
		maps.Copy(body, change)
		return body
	}
	const known = "GYpgfrRL+8aZA6Dxzyu9xboKo/PZrjwcejsWlqC2jPc="
	generated := f.must("GenerateMac", request(nil))
	want := map[string]any{"KeyId": arnOf(keyID), "Mac": known, "MacAlgorithm": "HMAC_SHA_256"}
	if diff := cmp.Diff(want, generated.fields); diff != "" {
		t.Errorf("GenerateMac (-want +got):\n%s", diff)
	}
	verified := f.must("VerifyMac", request(object{"Mac": known}))
	want = map[string]any{"KeyId": arnOf(keyID), "MacValid": true, "MacAlgorithm": "HMAC_SHA_256"}
	if diff := cmp.Diff(want, verified.fields); diff != "" {
		t.Errorf("VerifyMac (-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		reason    string
		operation string
		change    object
		body      string
	}{
		"wrong MAC":          {reason: "without message", operation: "VerifyMac", change: object{"Mac": []byte("x")}, body: `{"__type":"KMSInvalidMacException"}`},
		"cut MAC":            {reason: "all of it counts", operation: "VerifyMac", change: object{"Mac": generated.blob(t, "Mac")[:31]}, body: `{"__type":"KMSInvalidMacException"}`},
		"other message":      {reason: "what it is about", operation: "VerifyMac", change: object{"Mac": known, "Message": []byte("x")}, body: `{"__type":"KMSInvalidMacException"}`},
		"wrong MAC, dry run": {reason: "it would not have succeeded", operation: "VerifyMac", change: object{"Mac": []byte("x"), "DryRun": true}, body: `{"__type":"KMSInvalidMacException"}`},
		"verify, dry run":    {reason: "the recorded sentence", operation: "VerifyMac", change: object{"Mac": known, "DryRun": true}, body: `{"__type":"DryRunOperationException","message":"The request would have succeeded, but the DryRun option is set."}`},
		"generate, dry run":  {reason: "the recorded sentence", operation: "GenerateMac", change: object{"DryRun": true}, body: `{"__type":"DryRunOperationException","message":"The request would have succeeded, but the DryRun option is set."}`},
		"other algorithm":    {reason: "one per spec", operation: "GenerateMac", change: object{"MacAlgorithm": "HMAC_SHA_512"}, body: `{"__type":"InvalidKeyUsageException","message":"Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256."}`},
		"symmetric key":      {reason: "the recorded sentence", operation: "GenerateMac", change: object{"KeyId": symmetric}, body: `{"__type":"InvalidKeyUsageException","message":"` + arnOf(symmetric) + ` key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac."}`},
	} {
		t.Run(name, func(t *testing.T) {
			if a := f.in(t).call(c.operation, request(c.change).String()); a.status != 400 || a.body != c.body {
				t.Errorf("got  %d %s\nwant 400 %s", a.status, a.body, c.body)
			}
		})
	}
}

// TestForgedCiphertexts shows that a ciphertext naming what is no key ID is one that is not of this KMS.
func TestForgedCiphertexts(t *testing.T) {
	f := newFixture(t)
	for _, name := range []string{"", "x", "arn:x", "alias/a", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"} {
		blob := []byte("localkms1\n" + name + "\nx\ny")
		f.expect(f.call("Decrypt", object{"CiphertextBlob": blob}.String()), "InvalidCiphertextException", "")
	}
}
