package awskms

import (
	"context"
	"crypto/rsa"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// An endpoint that means harm is as free in its answers as a KMS is, in either dialect. None of these is followed by an
// import, and none brings more than one line of text into a condition.
func TestHostileEndpoint(t *testing.T) {
	const notKMS = "the endpoint answered HTTP 200 with something that is no answer of a KMS"
	const unsound = "the wrapping public key is unsound: modulus and exponent must be odd, the exponent from 65537 to 2147483647"
	parameters := func(keyID string, bits, exponent int) http.HandlerFunc {
		return answering(200, parametersAnswer(keyID, spki(t, &rsa.PublicKey{N: modulus(bits), E: exponent}), "token"))
	}
	cases := map[string]struct {
		reason string
		answer http.HandlerFunc
		class  kms.ErrorClass
		want   string
	}{
		"larger key":     {"its own, and not what was asked for", parameters(testARN, 4096, 65537), "UnexpectedResponse", "the wrapping public key does not have the 2048 bits asked for"},
		"1024-bit key":   {"one that others can break", parameters(testARN, 1024, 65537), "UnexpectedResponse", "the wrapping public key does not have the 2048 bits asked for"},
		"exponent 3":     {"one that others may break", parameters(testARN, 2048, 3), "UnexpectedResponse", unsound},
		"exponent 1":     {"the material in clear", parameters(testARN, 2048, 1), "UnexpectedResponse", unsound},
		"another key":    {"material for one key into another", parameters(testARN+"c", 2048, 65537), "UnexpectedResponse", "the answer is about another key"},
		"redirect":       {"elsewhere", redirecting(307, "https://evil.example/"), "Redirected", "the endpoint redirects to https://evil.example/, which is not followed: if that is the KMS, make https://evil.example/ the endpoint"},
		"huge body":      {"memory is not the endpoint's to fill", answering(200, `{"KeyId":"`+strings.Repeat("x", 1<<20)+`"}`), "UnexpectedResponse", "the answer is longer than 1048576 bytes"},
		"endless body":   {"memory is not the endpoint's to fill", endless, "UnexpectedResponse", "the answer is longer than 1048576 bytes"},
		"huge error":     {"memory is not the endpoint's to fill", answering(400, `{"__type":"`+strings.Repeat("x", 1<<20)+`"}`), "UnexpectedResponse", "the answer is longer than 1048576 bytes"},
		"slow body":      {"time is not the endpoint's to take", slow, "Unreachable", "time-out"},
		"invalid UTF-8":  {"what Kubernetes would not store", answering(400, "{\"__type\":\"ValidationException\",\"message\":\"b\xffd \xc3(\"}"), "InvalidRequest", "ValidationException: bd ("},
		"bad UTF-8 code": {"no code", answering(400, "{\"__type\":\"Validation\xff\",\"message\":\"x\"}"), "UnexpectedResponse", "the endpoint answered HTTP 400 with something that is no answer of a KMS"},
		"bad UTF-8 ARN":  {"another key", answering(200, strings.Replace(parametersAnswer(testARN, goodSPKI(t), "token"), ":key/", ":key/\xff", 1)), "UnexpectedResponse", "the answer is about another key"},
		"deep objects":   {"no stack is the endpoint's to fill", answering(200, strings.Repeat(`{"ValidTo":`, 90_000)), "UnexpectedResponse", notKMS},
		"deep lists":     {"no stack is the endpoint's to fill", answering(200, strings.Repeat("[", 1<<19)), "UnexpectedResponse", notKMS},
		"deep and whole": {"no stack is the endpoint's to fill", answering(200, `{"x":`+strings.Repeat("[", 1<<18)+strings.Repeat("]", 1<<18)+"}"), "UnexpectedResponse", notKMS},
		"date as list":   {"no date", answering(200, `{"KeyId":"`+testARN+`","ParametersValidTo":[1]}`), "UnexpectedResponse", notKMS},
		"date in words":  {"no date", answering(200, `{"KeyId":"`+testARN+`","ParametersValidTo":"soon"}`), "UnexpectedResponse", notKMS},
		"other protocol": {"no KMS", answering(200, "<html><body>Welcome</body></html>"), "UnexpectedResponse", notKMS},
	}
	for name, tc := range cases {
		for _, dialect := range bothDialects {
			t.Run(name+", "+string(dialect), func(t *testing.T) {
				service, fake := serveDialect(t, dialect, tc.answer)
				service.readTimeout = 5 * time.Second
				if tc.want == "time-out" {
					service.readTimeout = 50 * time.Millisecond
				}
				_, err := service.GetParametersForImport(context.Background(), testARN, oaep2048)
				assertError(t, err, tc.class, "GetParametersForImport: "+tc.want, tc.class == "UnexpectedResponse" || tc.class == "Unreachable")
				if err != nil && (!utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 1024) {
					t.Errorf("%s: %q is no line for a condition", tc.reason, err)
				}
				if got := len(fake.exchanges()); got != 1 {
					t.Errorf("%s: %d requests, want 1", tc.reason, got)
				}
			})
		}
	}
}

func redirecting(status int, location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	}
}

// endless goes on until the client has gone.
func endless(w http.ResponseWriter, r *http.Request) {
	filler := []byte(`{"KeyId":"` + strings.Repeat("x", 1<<16))
	for r.Context().Err() == nil {
		if _, err := w.Write(filler); err != nil {
			return
		}
	}
}

// slow begins an answer and never ends it.
func slow(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "{")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// Whatever arrives, the port answers with a key or with a classified error of one printable line.
func FuzzAnswers(f *testing.F) {
	f.Add(200, "", []byte(`{"KeyMetadata":{"Arn":"`+testARN+`","ValidTo":"2027-01-01T00:00:00Z","ExpirationModel":"KEY_MATERIAL_EXPIRES"}}`))
	f.Add(400, "", []byte(`{"__type":"com.amazonaws.kms#NotFoundException","message":"Key 'x' does not exist"}`))
	f.Add(400, "ThrottlingException:", []byte(`{"Message":"slow down"}`))
	f.Add(307, "", []byte(`<html>Moved</html>`))
	f.Add(503, "", []byte(`busy`))
	f.Add(200, "", []byte("\xff[[[["))
	var answer struct {
		status int
		code   string
		body   []byte
	}
	transport := roundTripper(func(request *http.Request) (*http.Response, error) {
		header := http.Header{"X-Amzn-Errortype": {answer.code}, "X-Amzn-Requestid": {answer.code}, "Location": {answer.code}}
		return &http.Response{
			StatusCode: answer.status, Header: header, Body: io.NopCloser(strings.NewReader(string(answer.body))), Request: request,
		}, nil
	})
	services := map[kms.Dialect]*Service{}
	for _, dialect := range bothDialects {
		service, err := New(context.Background(), Config{
			Dialect: dialect, Region: "eu-west-1", Endpoint: "https://kms.example", Credentials: testCredentials(), Transport: transport,
		})
		if err != nil {
			f.Fatal(err)
		}
		service.readRetryer = aws.NopRetryer{}
		services[dialect] = service
	}
	f.Fuzz(func(t *testing.T, status int, code string, body []byte) {
		answer.status, answer.code, answer.body = 100+(status%500+500)%500, code, body
		for dialect, service := range services {
			key, err := service.DescribeKey(context.Background(), testARN)
			if err == nil && key.ARN != testARN {
				t.Errorf("%s: another key %q", dialect, key.ARN)
			}
			assertClassified(t, err)
			_, err = service.GetParametersForImport(context.Background(), testARN, oaep2048)
			assertClassified(t, err)
			_, err = service.ImportKeyMaterial(context.Background(), permanentImport(t))
			assertClassified(t, err)
			_, err = service.DeleteImportedKeyMaterial(context.Background(), kms.DeletionRequest{KeyARN: testARN, KeyMaterialID: "0a0b"})
			assertClassified(t, err)
		}
	})
}

func assertClassified(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	kmsError, ok := kms.AsError(err)
	if !ok || kmsError.Class == "" || kmsError.Operation == "" {
		t.Fatalf("error %q is not classified", err)
	}
	text := err.Error()
	printable := func(r rune) bool { return r >= ' ' && r != 0x7f && r != utf8.RuneError }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !printable(r) }) || utf8.RuneCountInString(text) > 2048 {
		t.Fatalf("error %q is no line for a condition", text)
	}
}
