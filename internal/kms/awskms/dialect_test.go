package awskms

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	staticcredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// verencARN is a key ARN of QKMS.
const verencARN = "arn:verenc:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

var bothDialects = []kms.Dialect{"AWS", "QKMS"}

// The bytes that QKMS gets, as literals.
func TestGoldenRequestsOfQKMS(t *testing.T) {
	expiring := kms.Expiry{Model: "KEY_MATERIAL_EXPIRES", ValidTo: time.Unix(1798761600, 987654321)}
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
			reason: "a key ARN of four parts",
			call: func(s *Service) error {
				_, err := s.DescribeKey(context.Background(), verencARN)
				return err
			},
			answer: `{"KeyMetadata":{"KeyId":"1234abcd","Arn":"` + verencARN + `"}}`,
			target: "TrentService.DescribeKey",
			want:   `{"KeyId":"` + verencARN + `"}`,
		},
		"GetParametersForImport": {
			reason: "all three inputs are required",
			call: func(s *Service) error {
				_, err := s.GetParametersForImport(context.Background(), verencARN, oaep2048)
				return err
			},
			answer: parametersAnswer(verencARN, goodSPKI(t), "token"),
			target: "TrentService.GetParametersForImport",
			want:   `{"KeyId":"` + verencARN + `","WrappingAlgorithm":"RSAES_OAEP_SHA_256","WrappingKeySpec":"RSA_2048"}`,
		},
		"permanent import": {
			reason: "ExpirationModel is required here",
			call:   importing(kms.ImportRequest{Material: sealedFor(t, verencARN), Expiry: kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}}),
			target: "TrentService.ImportKeyMaterial",
			want: `{"EncryptedKeyMaterial":"d3JhcHBlZA==","ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE","ImportToken":"dG9rZW4=",` +
				`"KeyId":"` + verencARN + `"}`,
		},
		"expiring import": {
			reason: "an integer for a date: a fraction may break the whole body",
			call:   importing(kms.ImportRequest{Material: sealedFor(t, verencARN), Expiry: expiring}),
			target: "TrentService.ImportKeyMaterial",
			want: `{"EncryptedKeyMaterial":"d3JhcHBlZA==","ExpirationModel":"KEY_MATERIAL_EXPIRES","ImportToken":"dG9rZW4=",` +
				`"KeyId":"` + verencARN + `","ValidTo":1798761600}`,
		},
		"permanent re-import": {
			reason: "QKMS knows no ImportType and no KeyMaterialId",
			call: importing(kms.ImportRequest{
				Material: sealedFor(t, verencARN), Expiry: kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"}, ReimportOf: strings.Repeat("0a", 32),
			}),
			target: "TrentService.ImportKeyMaterial",
			want: `{"EncryptedKeyMaterial":"d3JhcHBlZA==","ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE","ImportToken":"dG9rZW4=",` +
				`"KeyId":"` + verencARN + `"}`,
		},
		"expiring re-import": {
			reason: "likewise",
			call:   importing(kms.ImportRequest{Material: sealedFor(t, verencARN), Expiry: expiring, ReimportOf: strings.Repeat("0a", 32)}),
			target: "TrentService.ImportKeyMaterial",
			want: `{"EncryptedKeyMaterial":"d3JhcHBlZA==","ExpirationModel":"KEY_MATERIAL_EXPIRES","ImportToken":"dG9rZW4=",` +
				`"KeyId":"` + verencARN + `","ValidTo":1798761600}`,
		},
		"deletion of material": {
			reason: "QKMS knows the key alone",
			call:   deleting(kms.DeletionRequest{KeyARN: verencARN}),
			target: "TrentService.DeleteImportedKeyMaterial",
			want:   `{"KeyId":"` + verencARN + `"}`,
		},
		"deletion of certain material": {
			reason: "QKMS knows no KeyMaterialId",
			call:   deleting(kms.DeletionRequest{KeyARN: verencARN, KeyMaterialID: strings.Repeat("0a", 32)}),
			target: "TrentService.DeleteImportedKeyMaterial",
			want:   `{"KeyId":"` + verencARN + `"}`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, fake := serveDialect(t, "QKMS", answering(200, tc.answer))
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
		})
	}
}

// QKMS documents which headers are signed. What could be taken for one that should have been is not sent either.
func TestSignedHeaders(t *testing.T) {
	cases := map[string]struct {
		reason  string
		dialect kms.Dialect
		signed  string
		sent    []string
	}{
		"AWS": {
			"all that the SDK sends", "AWS",
			"amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-date;x-amz-target",
			[]string{"Accept-Encoding", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "Authorization", "Content-Length", "Content-Type", "User-Agent", "X-Amz-Date", "X-Amz-Target"},
		},
		"QKMS": {
			"the four that it documents", "QKMS", "content-type;host;x-amz-date;x-amz-target",
			[]string{"Accept-Encoding", "Authorization", "Content-Length", "Content-Type", "User-Agent", "X-Amz-Date", "X-Amz-Target"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, fake := serveDialect(t, tc.dialect, answering(500, `{"__type":"KMSInternalException"}`))
			for _, call := range calls(t) { // a look is tried three times, and signed three times
				_ = call(context.Background(), service)
			}
			if got := len(fake.exchanges()); got != 6 {
				t.Errorf("%d requests, want 6", got)
			}
			for _, seen := range fake.exchanges() {
				if signed := between(seen.header.Get("Authorization"), "SignedHeaders=", ","); signed != tc.signed {
					t.Errorf("%s: signed %s, want %s", tc.reason, signed, tc.signed)
				}
				sent := make([]string, 0, len(seen.header))
				for header := range seen.header {
					sent = append(sent, header)
				}
				slices.Sort(sent)
				if diff := cmp.Diff(tc.sent, sent); diff != "" {
					t.Errorf("%s: sent (-want +got):\n%s", tc.reason, diff)
				}
			}
		})
	}
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

func TestQKMSDefaults(t *testing.T) {
	cases := map[string]struct {
		reason      string
		region      string
		endpoint    string
		environment map[string]string
		wantURL     string
		wantRegion  string
	}{
		"nothing":           {"its documentation names both", "", "", nil, "https://qkms.quilibrium.com/", "us-east-1"},
		"Region":            {"what is configured counts", "eu-west-1", "", nil, "https://qkms.quilibrium.com/", "eu-west-1"},
		"AWS_REGION":        {"as in every AWS tool", "", "", map[string]string{"AWS_REGION": "eu-west-1"}, "https://qkms.quilibrium.com/", "eu-west-1"},
		"endpoint":          {"a compatible KMS", "", "https://qkms.example", nil, "https://qkms.example/", "us-east-1"},
		"slashes":           {"// is answered with a redirect", "", "https://qkms.example//", nil, "https://qkms.example/", "us-east-1"},
		"endpoint variable": {"endpoints come from the configuration alone", "", "", map[string]string{"AWS_ENDPOINT_URL_KMS": "https://evil.example"}, "https://qkms.quilibrium.com/", "us-east-1"},
		"FIPS":              {"a choice among AWS's endpoints", "", "", map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "https://qkms.quilibrium.com/", "us-east-1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			isolate(t)
			for variable, value := range tc.environment {
				t.Setenv(variable, value)
			}
			var url, authorization string
			service, err := New(context.Background(), Config{
				Dialect: "QKMS", Region: tc.region, Endpoint: tc.endpoint, Credentials: testCredentials(),
				Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					url, authorization = r.URL.String(), r.Header.Get("Authorization")
					return nil, errors.New("seen enough")
				}),
			})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = service.ImportKeyMaterial(context.Background(), permanentImport(t))
			if url != tc.wantURL || !strings.Contains(authorization, "/"+tc.wantRegion+"/kms/aws4_request") {
				t.Errorf("%s: asked %s, signed %s", tc.reason, url, authorization)
			}
		})
	}
}

// A session token must be signed where it is sent, and QKMS documents no place for it. It is not a thing to send to
// another service than the one that it is for, either.
func TestQKMSCredentials(t *testing.T) {
	const key = "give the operator an access key of QKMS by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	cases := map[string]struct {
		reason   string
		provider aws.CredentialsProvider
		want     string
	}{
		"session token": {
			"what a role on EKS has", staticcredentials.NewStaticCredentialsProvider("ASIAEXAMPLE", "secret", "token"),
			"the credentials that were found are temporary ones of AWS, with a session token, which QKMS does not take: " + key,
		},
		"none": {"what a bare machine has", failing(errors.New("no EC2 IMDS role found")), "no credentials were found: " + key},
	}
	isolate(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			fake := newFakeKMS(t, answering(200, "{}"))
			service := build(t, Config{Dialect: "QKMS", Endpoint: fake.URL, Credentials: tc.provider})
			for operation, call := range calls(t) {
				assertError(t, call(context.Background(), service), "AccessDenied", operation+": "+tc.want, false)
			}
			if got := len(fake.exchanges()); got != 0 {
				t.Errorf("%s: %d requests were sent", tc.reason, got)
			}
		})
	}
}

// AWS takes the token as a fifth signed header.
func TestSessionTokensAreForAWS(t *testing.T) {
	fake := newFakeKMS(t, answering(200, "{}"))
	service := newTestService(t, Config{Endpoint: fake.URL, Credentials: staticcredentials.NewStaticCredentialsProvider("ASIAEXAMPLE", "secret", "token")})
	if _, err := service.ImportKeyMaterial(context.Background(), permanentImport(t)); err != nil {
		t.Fatal(err)
	}
	header := fake.exchanges()[0].header
	if header.Get("X-Amz-Security-Token") != "token" || !strings.Contains(header.Get("Authorization"), ";x-amz-security-token;") {
		t.Errorf("sent %v", header)
	}
}

// Which key an answer may name, where the pinned key is asked for.
func TestAnswersNameThePinnedKey(t *testing.T) {
	const awsOther, verencOther = testARN + "c", verencARN + "c"
	cases := map[string]struct {
		reason       string
		dialect      kms.Dialect
		pinned       string
		answer       string
		inParameters bool // GetParametersForImport takes it
		inEffect     bool // ImportKeyMaterial and DeleteImportedKeyMaterial take it
	}{
		"AWS, ARN":              {"as AWS answers", "AWS", testARN, testARN, true, true},
		"AWS, absent":           {"AWS leaves it out of empty answers only", "AWS", testARN, "", false, true},
		"AWS, key ID":           {"AWS answers ARNs", "AWS", testARN, "1234abcd-12ab-34cd-56ef-1234567890ab", false, false},
		"AWS, other":            {"another key", "AWS", testARN, awsOther, false, false},
		"QKMS, ARN":             {"four parts", "QKMS", verencARN, verencARN, true, true},
		"QKMS, ARN as of AWS":   {"which shape it has is not documented once and for all", "QKMS", testARN, testARN, true, true},
		"QKMS, absent":          {"not documented for every answer", "QKMS", verencARN, "", true, true},
		"QKMS, key ID":          {"what its pages show", "QKMS", verencARN, "1234abcd-12ab-34cd-56ef-1234567890ab", true, true},
		"QKMS, other":           {"another key", "QKMS", verencARN, verencOther, false, false},
		"QKMS, other ID":        {"another key", "QKMS", verencARN, "ffffffff-12ab-34cd-56ef-1234567890ab", false, false},
		"QKMS, end of the ID":   {"no ID at all", "QKMS", verencARN, "1234567890ab", false, false},
		"QKMS, other account":   {"another's key", "QKMS", verencARN, "arn:verenc:999922223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", false, false},
		"QKMS, other ARN shape": {"the pin is DescribeKey's, to the letter", "QKMS", verencARN, testARN, false, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, _ := serveDialect(t, tc.dialect, answering(200, parametersAnswer(tc.answer, goodSPKI(t), "token")))
			_, err := service.GetParametersForImport(context.Background(), tc.pinned, oaep2048)
			if (err == nil) != tc.inParameters {
				t.Errorf("%s: GetParametersForImport: %v", tc.reason, err)
			}
			_, err = service.ImportKeyMaterial(context.Background(), kms.ImportRequest{
				Material: sealedFor(t, tc.pinned), Expiry: kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
			})
			if (err == nil) != tc.inEffect {
				t.Errorf("%s: ImportKeyMaterial: %v", tc.reason, err)
			}
			_, err = service.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: tc.pinned})
			if (err == nil) != tc.inEffect {
				t.Errorf("%s: DeleteImportedKeyMaterial: %v", tc.reason, err)
			}
		})
	}
}

func TestIsKeyARN(t *testing.T) {
	cases := map[string]struct {
		reason string
		keyID  string
		want   bool
	}{
		"AWS":             {"six parts", testARN, true},
		"China":           {"another partition", "arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd", true},
		"QKMS":            {"four parts", verencARN, true},
		"AWS alias ARN":   {"leads to a key, and is none", "arn:aws:kms:eu-west-1:111122223333:alias/key/payments", false},
		"QKMS alias ARN":  {"leads to a key, and is none", "arn:verenc:111122223333:alias/payments", false},
		"key ID":          {"no ARN", "1234abcd-12ab-34cd-56ef-1234567890ab", false},
		"alias":           {"no ARN", "alias/payments", false},
		"resource":        {"no ARN", "key/1234abcd", false},
		"what looks like": {"no ARN", "barn:verenc:111122223333:key/1234abcd", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := isKeyARN(tc.keyID); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}

// The older name of KeySpec is the only one that the documentation of QKMS knows.
func TestKeySpecByItsOlderName(t *testing.T) {
	for _, dialect := range bothDialects {
		for answer, want := range map[string]kms.KeySpec{
			`"CustomerMasterKeySpec":"SYMMETRIC_DEFAULT"`:                      "SYMMETRIC_DEFAULT",
			`"KeySpec":"HMAC_256","CustomerMasterKeySpec":"SYMMETRIC_DEFAULT"`: "HMAC_256",
			`"KeyUsage":"ENCRYPT_DECRYPT"`:                                     "",
		} {
			service, _ := serveDialect(t, dialect, answering(200, `{"KeyMetadata":{"Arn":"`+verencARN+`",`+answer+`}}`))
			if key, err := service.DescribeKey(context.Background(), verencARN); err != nil || key.Spec != want {
				t.Errorf("%s: got %q, %v, want %q", answer, key.Spec, err, want)
			}
		}
	}
}

// The answers of QKMS, in its documented shapes.
func TestQKMSAnswers(t *testing.T) {
	service, _ := serveDialect(t, "QKMS", answering(200, `{"KeyMetadata":{"AWSAccountId":"111122223333","Arn":"`+verencARN+`",`+
		`"CreationDate":"2023-12-01T00:00:00-07:00","CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","DeletionDate":"","Enabled":false,`+
		`"KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab","KeyState":"PendingImport","KeyUsage":"ENCRYPT_DECRYPT","Origin":"EXTERNAL"}}`))
	for _, keyID := range []string{verencARN, "1234abcd-12ab-34cd-56ef-1234567890ab", "alias/payments"} {
		key, err := service.DescribeKey(context.Background(), keyID)
		if err != nil {
			t.Fatal(err)
		}
		want := kms.Key{ARN: verencARN, State: "PendingImport", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", Origin: "EXTERNAL"}
		if diff := cmp.Diff(want, key); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", keyID, diff)
		}
	}
	for _, body := range []string{"", "{}"} {
		service, _ := serveDialect(t, "QKMS", answering(200, body))
		result, err := service.ImportKeyMaterial(context.Background(), permanentImport(t))
		if err != nil || result.KeyMaterialID != "" {
			t.Errorf("answered %q: %+v, %v", body, result, err)
		}
	}
	denying, _ := serveDialect(t, "QKMS", answering(400, `{"__type":"NotAuthorizedException","message":"Request is missing required authentication parameters"}`))
	_, err := denying.ImportKeyMaterial(context.Background(), permanentImport(t))
	assertError(t, err, "AccessDenied", "ImportKeyMaterial: NotAuthorizedException: Request is missing required authentication parameters", false)
	lacking, _ := serveDialect(t, "QKMS", answering(400, `{"__type":"UnknownOperationException"}`))
	_, err = lacking.GetParametersForImport(context.Background(), verencARN, oaep2048)
	assertError(t, err, "UnknownOperation", "GetParametersForImport: UnknownOperationException", false)
}
