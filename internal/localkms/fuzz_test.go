package localkms_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// FuzzRequest sends signed requests with any operation and body to a server that has some keys. Whatever they are, the
// answer is one of the protocol, and never the server's fault. In a body, @mac@ and the like stand for what only a server
// can say, so that what the fuzzer finds means the same to the next one.
func FuzzRequest(f *testing.F) {
	for operation, valid := range validRequests() {
		f.Add(operation, valid.String())
	}
	for _, operation := range sdkOperations() {
		for _, key := range []string{"@symmetric@", "@mac@", "@elliptic@", "@external@"} {
			f.Add(operation, everyParameter(key).String())
		}
	}
	f.Add("ImportKeyMaterial", `{"KeyId":null,"ValidTo":1e308,"ImportToken":""}`)
	f.Add("ImportKeyMaterial", object{
		"KeyId": "@external@", "ImportToken": "@token@", "EncryptedKeyMaterial": "@wrapped@", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
	}.String())
	f.Add("Decrypt", `{"CiphertextBlob":"`+base64Of([]byte("localkms1\nx\ny\n"))+`"}`)
	f.Add("ListKeys", `{"Limit":-1,"Marker":"-1"}`)
	f.Fuzz(func(t *testing.T, operation, body string) {
		h := newHandler(t, localkms.Options{})
		body = h.fill(t, body)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "TrentService."+operation)
		sign(t, r, body, h.signed)
		checkFuzzed(t, h, r)
	})
}

// fill makes the keys that a body names by what stands for them, and puts in what they are.
func (h *handler) fill(t *testing.T, body string) string {
	t.Helper()
	put := func(name string, value func() string) {
		if strings.Contains(body, name) {
			body = strings.ReplaceAll(body, name, value())
		}
	}
	external := h.createKey(t, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL")
	put("@external@", func() string { return external })
	symmetric := h.createKey(t, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
	put("@symmetric@", func() string { return symmetric })
	put("@sealed@", func() string {
		return base64Of(h.answerOf(t, "Encrypt", object{"KeyId": symmetric, "Plaintext": "AAAA"}).CiphertextBlob)
	})
	put("@mac@", func() string { return h.createKey(t, "HMAC_256", "GENERATE_VERIFY_MAC", "AWS_KMS") })
	put("@elliptic@", func() string { return h.createKey(t, "ECC_NIST_P256", "SIGN_VERIFY", "AWS_KMS") })
	if strings.Contains(body, "@token@") || strings.Contains(body, "@wrapped@") {
		p := h.importParameters(t, external, "RSAES_OAEP_SHA_256", "RSA_2048")
		put("@token@", func() string { return base64Of(p.token) })
		put("@wrapped@", func() string { return base64Of(p.wrap(t, randomBytes(t, 32))) })
	}
	return body
}

// everyParameter has a value for each parameter of each operation. Those that an operation does not know are ignored.
func everyParameter(key string) object {
	id := strings.Repeat("0", 64)
	return object{
		"KeyId": key, "TargetKeyId": key, "DestinationKeyId": key, "SourceKeyId": key, "AliasName": "alias/a", "Description": "x",
		"Origin": "EXTERNAL", "KeySpec": "AES_256", "Policy": "{}", "PolicyName": "default", "MultiRegion": true, "ReplicaRegion": "eu-west-1",
		"BypassPolicyLockoutSafetyCheck": true, "Tags": []object{{"TagKey": "a", "TagValue": "b"}}, "TagKeys": []string{"a"},
		"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048", "EncryptedKeyMaterial": "@wrapped@", "ImportToken": "@token@",
		"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE", "ImportType": "NEW_KEY_MATERIAL", "KeyMaterialDescription": "x", "KeyMaterialId": id,
		"PendingWindowInDays": 7, "IncludeKeyMaterial": "ALL_KEY_MATERIAL", "Limit": 1, "Marker": "1", "GrantTokens": []string{"x"}, "DryRun": false,
		"Plaintext": "AAAA", "CiphertextBlob": "@sealed@", "EncryptionContext": object{},
		"NumberOfBytes": 1, "Message": "AAAA", "MessageType": "RAW", "Mac": "AAAA", "MacAlgorithm": "HMAC_SHA_256", "Signature": "AAAA",
		"SigningAlgorithm": "ECDSA_SHA_256", "KeyAgreementAlgorithm": "ECDH", "PublicKey": "AAAA",
	}
}

// FuzzHeaders sends any Authorization, date, target, content type and query.
func FuzzHeaders(f *testing.F) {
	h := newHandler(f, localkms.Options{})
	f.Add("AWS4-HMAC-SHA256 Credential=localkms/20310301/us-east-1/kms/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("0", 64),
		"20310301T120000Z", "TrentService.ListKeys", "application/x-amz-json-1.1", "a=b")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=;,Signature=00", "", "TrentService.", "a/b;c", "%;")
	f.Fuzz(func(t *testing.T, authorization, date, target, contentType, query string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}"))
		r.URL.RawQuery = query
		r.Header.Set("Authorization", authorization)
		r.Header.Set("X-Amz-Date", date)
		r.Header.Set("X-Amz-Target", target)
		r.Header.Set("Content-Type", contentType)
		checkFuzzed(t, h, r)
	})
}

func checkFuzzed(t *testing.T, handler http.Handler, r *http.Request) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if a := parseAnswer(t, w.Code, w.Header(), w.Body.Bytes()); a.status >= 500 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
