package localkms_test

import (
	"crypto"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

func qkms(o *localkms.Options) { o.Dialect = localkms.QKMS }

func verencARN(keyID string) string { return "arn:verenc:111122223333:key/" + keyID }

// isoTime is how QKMS writes times: ISO 8601 with an offset.
var isoTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-07:00$`)

// qkmsParameters gets import parameters from raw fields, whose dates the SDK cannot read.
func (f *fixture) qkmsParameters(keyID string) parameters {
	f.t.Helper()
	a := f.must("GetParametersForImport", object{"KeyId": keyID, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"})
	return parameters{token: a.blob(f.t, "ImportToken"), publicKey: a.blob(f.t, "PublicKey"), hash: crypto.SHA256, algorithm: "RSAES_OAEP_SHA_256"}
}

func (f *fixture) qkmsImport(keyID string, material []byte, extra object) answer {
	f.t.Helper()
	p := f.qkmsParameters(keyID)
	body := importBody(keyID, p.token, p.wrap(f.t, material))
	maps.Copy(body, extra)
	return f.call("ImportKeyMaterial", body.String())
}

// TestQKMSShapes is what the pages say of answers.
func TestQKMSShapes(t *testing.T) {
	f := newFixture(t, qkms)
	created := f.must("CreateKey", object{"Origin": "EXTERNAL"}).fields["KeyMetadata"].(map[string]any)
	keyID := created["KeyId"].(string)
	if created["Arn"] != verencARN(keyID) {
		t.Errorf("Arn %v", created["Arn"])
	}
	if created["AccountId"] != "111122223333" || created["AWSAccountId"] != nil {
		t.Errorf("CreateKey spells the account AccountId: %v", created)
	}
	described := f.metadata(keyID)
	if described["AWSAccountId"] != "111122223333" || described["AccountId"] != nil {
		t.Errorf("DescribeKey spells the account AWSAccountId: %v", described)
	}
	parameters := f.must("GetParametersForImport", object{"KeyId": verencARN(keyID), "WrappingAlgorithm": "RSAES_OAEP_SHA_1", "WrappingKeySpec": "RSA_2048"})
	if parameters.fields["KeyId"] != verencARN(keyID) {
		t.Errorf("KeyId %v", parameters.fields["KeyId"])
	}
	imported := f.qkmsImport(keyID, bytesOf(1, 32), object{"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": start.Add(time.Hour).Unix()})
	if imported.body != "" {
		t.Errorf("ImportKeyMaterial answers %q, want nothing", imported.body)
	}
	described = f.metadata(keyID)
	if described["CurrentKeyMaterialId"] != nil {
		t.Error("no page mentions CurrentKeyMaterialId")
	}
	if described["ValidTo"] != "2031-03-01T06:00:00-07:00" {
		t.Errorf("ValidTo %v", described["ValidTo"])
	}
	if deleted := f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID}); deleted.body != "{}" {
		t.Errorf("DeleteImportedKeyMaterial answers %q, want {}", deleted.body)
	}
	scheduled := f.must("ScheduleKeyDeletion", object{"KeyId": keyID})
	for name, value := range map[string]any{
		"CreationDate": described["CreationDate"], "ParametersValidTo": parameters.fields["ParametersValidTo"], "DeletionDate": scheduled.fields["DeletionDate"],
	} {
		if text, ok := value.(string); !ok || !isoTime.MatchString(text) {
			t.Errorf("%s is %v, want an ISO string", name, value)
		}
	}
}

// TestQKMSRefusals is what the pages leave out.
func TestQKMSRefusals(t *testing.T) {
	f := newFixture(t, qkms)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	imported := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	f.expect(f.qkmsImport(imported, bytesOf(1, 32), nil), "", "")
	parameters := func(keyID, algorithm, spec string) object {
		return object{"KeyId": keyID, "WrappingAlgorithm": algorithm, "WrappingKeySpec": spec}
	}
	for name, c := range map[string]struct {
		reason    string
		operation string
		body      object
		code      string
		message   string
	}{
		"HMAC":               {reason: "symmetric keys only", operation: "CreateKey", body: object{"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, code: "UnsupportedOperationException"},
		"multi-Region":       {reason: "there are no Regions", operation: "CreateKey", body: object{"MultiRegion": true}, code: "UnsupportedOperationException"},
		"origin QKMS":        {reason: "in the examples", operation: "CreateKey", body: object{"Origin": "QKMS"}},
		"RSA_3072":           {reason: "RSA_2048 only", operation: "GetParametersForImport", body: parameters(keyID, "RSAES_OAEP_SHA_256", "RSA_3072"), code: "ValidationException"},
		"key wrap":           {reason: "OAEP only", operation: "GetParametersForImport", body: parameters(keyID, "RSA_AES_KEY_WRAP_SHA_256", "RSA_2048"), code: "ValidationException"},
		"over material":      {reason: "the key must have no material", operation: "GetParametersForImport", body: parameters(imported, "RSAES_OAEP_SHA_256", "RSA_2048"), code: "KMSInvalidStateException"},
		"AWS ARN":            {reason: "other ARNs", operation: "DescribeKey", body: object{"KeyId": arnOf(keyID)}, code: "InvalidArnException", message: "an ARN must read arn:verenc:111122223333:key/<key ID>"},
		"other account":      {reason: "not this one's key", operation: "DescribeKey", body: object{"KeyId": "arn:verenc:999999999999:key/" + keyID}, code: "NotFoundException"},
		"no ExpirationModel": {reason: "required", operation: "ImportKeyMaterial", body: object{"KeyId": keyID, "ImportToken": "AAAA", "EncryptedKeyMaterial": "AAAA"}, code: "ValidationException", message: "1 validation error detected: Value null at 'expirationModel' failed to satisfy constraint: Member must not be null"},
		"fraction":           {reason: "an int64 to its server, perhaps", operation: "ImportKeyMaterial", body: object{"KeyId": keyID, "ImportToken": "AAAA", "EncryptedKeyMaterial": "AAAA", "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": 1668815672.5}, code: "SerializationException", message: "ValidTo is not a whole number"},
		"rotation":           {reason: "no such page", operation: "RotateKeyOnDemand", body: object{"KeyId": imported}, code: "UnknownOperationException"},
		"rotations":          {reason: "no such page", operation: "ListKeyRotations", body: object{"KeyId": imported}, code: "UnknownOperationException"},
		"replication":        {reason: "no such page", operation: "ReplicateKey", body: object{"KeyId": imported, "ReplicaRegion": "eu-west-1"}, code: "UnknownOperationException"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			f.expect(f.call(c.operation, c.body.String()), c.code, c.message)
		})
	}
}

// TestQKMSMaterial is the life of material: no import over any, and after a deletion the same or another.
func TestQKMSMaterial(t *testing.T) {
	f := newFixture(t, qkms)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	older, newer := f.qkmsParameters(keyID), f.qkmsParameters(keyID)
	f.expect(f.call("ImportKeyMaterial", importBody(keyID, older.token, older.wrap(t, bytesOf(1, 32))).String()), "InvalidImportTokenException",
		"The import token was replaced by a newer one.")
	f.expect(f.call("ImportKeyMaterial", importBody(keyID, newer.token, newer.wrap(t, bytesOf(1, 32))).String()), "", "")
	ciphertext := f.must("Encrypt", object{"KeyId": keyID, "Plaintext": []byte("x")}).fields["CiphertextBlob"]
	f.expect(f.call("ImportKeyMaterial", importBody(keyID, newer.token, newer.wrap(t, bytesOf(1, 32))).String()), "KMSInvalidStateException", "")

	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
	f.expectState(keyID, "PendingImport")
	f.expect(f.qkmsImport(keyID, bytesOf(1, 32), nil), "", "")
	f.must("Decrypt", object{"CiphertextBlob": ciphertext})

	f.must("DeleteImportedKeyMaterial", object{"KeyId": keyID})
	f.expect(f.qkmsImport(keyID, bytesOf(2, 32), nil), "", "")
	f.expect(f.call("Decrypt", object{"CiphertextBlob": ciphertext}.String()), "InvalidCiphertextException", "")
}

// exampleRequest is the body of the example on the QKMS page of ImportKeyMaterial, word for word: token and material are
// one sample blob, and the date is past.
// https://docs.quilibrium.com/docs/api/q-kms/api-reference/key-operations/import-key-material
const exampleRequest = `{
  "EncryptedKeyMaterial": "AQICAHiBzWrXqca+q2GRHuHjYWJP+Xz9sXBxqt/9pB1lXKg4HQGZ4gXL/8Aw/zrIQEUHAAAAfjB8BgkqhkiG9w0BBwagbzBtAgEAMGgGCSqGSIb3DQEHATAeBglghkgBZQMEAS4wEQQM6v4DhjrVUqgdqVEuAgEQgDsgli8KqqW4qp0g9ZWnHdRGYc3ZJzpV3xH9qVGFRwzVVKJNK/Ey/fGS2tl4TOQXLcTYJMEOxR8gPjA=",
  "ExpirationModel": "KEY_MATERIAL_EXPIRES",
  "ImportToken": "AQICAHiBzWrXqca+q2GRHuHjYWJP+Xz9sXBxqt/9pB1lXKg4HQGZ4gXL/8Aw/zrIQEUHAAAAfjB8BgkqhkiG9w0BBwagbzBtAgEAMGgGCSqGSIb3DQEHATAeBglghkgBZQMEAS4wEQQM6v4DhjrVUqgdqVEuAgEQgDsgli8KqqW4qp0g9ZWnHdRGYc3ZJzpV3xH9qVGFRwzVVKJNK/Ey/fGS2tl4TOQXLcTYJMEOxR8gPjA=",
  "KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab",
  "ValidTo": 1668815672
}`

// specialErrors are those that the QKMS page of ImportKeyMaterial lists.
var specialErrors = []string{
	"DependencyTimeoutException", "ExpiredImportTokenException", "IncorrectKeyMaterialException", "InvalidArnException",
	"InvalidCiphertextException", "InvalidImportTokenException", "KMSInternalException", "KMSInvalidStateException", "NotFoundException",
}

// TestQKMSExample replays the example; the source of the page writes the date with a decimal point.
func TestQKMSExample(t *testing.T) {
	f := newFixture(t, qkms)
	for name, body := range map[string]string{"as shown": exampleRequest, "as in its source": strings.Replace(exampleRequest, "1668815672", "1668815672.0", 1)} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			f.expect(f.call("ImportKeyMaterial", body), "NotFoundException", "Key 'arn:verenc:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab' does not exist")
		})
	}
}

// TestQKMSSpecialErrors provokes each of the nine, the two of the server's side as faults.
func TestQKMSSpecialErrors(t *testing.T) {
	faults := localkms.NewFaults()
	f := newFixture(t, qkms, func(o *localkms.Options) { o.Faults = faults })
	material := bytesOf(1, 32)
	fails := func(code string) func(*fixture, string) object {
		return func(f *fixture, keyID string) object {
			p := f.qkmsParameters(keyID)
			if err := faults.Set(localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Code: code}); err != nil {
				f.t.Fatal(err)
			}
			return importBody(keyID, p.token, p.wrap(f.t, material))
		}
	}
	provoke := map[string]func(f *fixture, keyID string) object{
		"DependencyTimeoutException": fails("DependencyTimeoutException"),
		"KMSInternalException":       fails("KMSInternalException"),
		"ExpiredImportTokenException": func(f *fixture, keyID string) object {
			p := f.qkmsParameters(keyID)
			f.clock.advance(24 * time.Hour)
			return importBody(keyID, p.token, p.wrap(f.t, material))
		},
		"IncorrectKeyMaterialException": func(f *fixture, keyID string) object {
			p := f.qkmsParameters(keyID)
			return importBody(keyID, p.token, p.wrap(f.t, material[:31]))
		},
		"InvalidArnException": func(f *fixture, keyID string) object {
			p := f.qkmsParameters(keyID)
			return importBody("arn:verenc:"+keyID, p.token, p.wrap(f.t, material))
		},
		"InvalidCiphertextException": func(f *fixture, keyID string) object {
			p := f.qkmsParameters(keyID)
			return importBody(keyID, p.token, bytesOf(1, 256))
		},
		"InvalidImportTokenException": func(f *fixture, keyID string) object {
			p := f.qkmsParameters(f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL"))
			return importBody(keyID, p.token, p.wrap(f.t, material))
		},
		"KMSInvalidStateException": func(f *fixture, keyID string) object {
			p := f.qkmsParameters(keyID)
			f.must("ScheduleKeyDeletion", object{"KeyId": keyID})
			return importBody(keyID, p.token, p.wrap(f.t, material))
		},
		"NotFoundException": func(f *fixture, keyID string) object {
			p := f.qkmsParameters(keyID)
			return importBody(someKeyID, p.token, p.wrap(f.t, material))
		},
	}
	for _, code := range specialErrors {
		t.Run(code, func(t *testing.T) {
			f := f.in(t)
			keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
			body := provoke[code](f, keyID)
			a := f.call("ImportKeyMaterial", body.String())
			wantStatus := map[string]int{"DependencyTimeoutException": 503, "KMSInternalException": 500}[code]
			if a.code != code || wantStatus != 0 && a.status != wantStatus || wantStatus == 0 && a.status != 400 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// TestQKMSAuthentication shows the one code that stands for all of AWS's.
func TestQKMSAuthentication(t *testing.T) {
	f := newFixture(t, qkms, func(o *localkms.Options) { o.StrictSigning = true })
	unsigned := f.request("ListKeys", "{}")
	f.expect(f.send(unsigned), "NotAuthorizedException", "Request is missing required authentication parameters")
	_, err := f.client.ListKeys(t.Context(), &kms.ListKeysInput{}) // signs amz-sdk-* headers and content-length too
	if failure, ok := errors.AsType[smithy.APIError](err); !ok || failure.ErrorCode() != "NotAuthorizedException" {
		t.Errorf("strict signing takes other headers: %v", err)
	}
	f.expect(f.callStrictly("ListKeys", "{}"), "", "")
	wrong := newFixture(t, qkms)
	r := wrong.request("ListKeys", "{}")
	sign(t, r, "{ }", time.Now())
	wrong.expect(wrong.send(r), "NotAuthorizedException", "")
	keys, err := wrong.client.ListKeys(t.Context(), &kms.ListKeysInput{})
	if err != nil || len(keys.Keys) != 0 {
		t.Errorf("without strict signing the SDK is welcome: %v", err)
	}
}

// TestQKMSPolicies shows that a denial has that code too.
func TestQKMSPolicies(t *testing.T) {
	f := newFixture(t, qkms)
	keyID := f.createKey("SYMMETRIC_DEFAULT", "EXTERNAL")
	denied := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"kms:DisableKey","Resource":"*"}]}`
	f.must("PutKeyPolicy", object{"KeyId": keyID, "Policy": denied})
	f.expect(f.call("DisableKey", object{"KeyId": keyID}.String()), "NotAuthorizedException", "")
}

// TestQKMSSlashes shows what the edge does to a path with too many slashes.
func TestQKMSSlashes(t *testing.T) {
	f := newFixture(t, qkms)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"//", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusMovedPermanently || response.Header.Get("Location") != "/" {
		t.Errorf("%s to %q", response.Status, response.Header.Get("Location"))
	}
}
