package awskms

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

func TestDescribeKeyAnswers(t *testing.T) {
	cases := map[string]struct {
		reason string
		answer string
		want   kms.Key
	}{
		"empty key": {
			"a key that waits for its material, as recorded from AWS",
			`{"KeyMetadata":{"AWSAccountId":"111122223333","Arn":"` + testARN + `","CreationDate":1798761600.123,"Enabled":false,` +
				`"KeyId":"1234abcd","KeyManager":"CUSTOMER","KeySpec":"SYMMETRIC_DEFAULT","KeyState":"PendingImport",` +
				`"KeyUsage":"ENCRYPT_DECRYPT","MultiRegion":false,"Origin":"EXTERNAL"}}`,
			kms.Key{
				ARN: testARN, State: kms.KeyStatePendingImport, Spec: kms.KeySpecSymmetricDefault, Usage: "ENCRYPT_DECRYPT",
				Origin: kms.OriginExternal,
			},
		},
		"expiring material": {
			"ValidTo in whole seconds of UTC",
			`{"KeyMetadata":{"Arn":"` + testARN + `","KeyState":"Enabled","MultiRegion":true,"ExpirationModel":"KEY_MATERIAL_EXPIRES",` +
				`"ValidTo":1798761600.987,"CurrentKeyMaterialId":"0a0b"}}`,
			kms.Key{
				ARN: testARN, State: kms.KeyStateEnabled, MultiRegion: true, CurrentKeyMaterialID: "0a0b",
				Expiry: kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
			},
		},
		"permanent material": {
			"a date that does not count is left out",
			`{"KeyMetadata":{"Arn":"` + testARN + `","ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE","ValidTo":1798761600}}`,
			kms.Key{ARN: testARN, Expiry: kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}},
		},
		"unknown values": {
			"enumerations grow; what to do with a value is not decided here",
			`{"KeyMetadata":{"Arn":"` + testARN + `","KeyState":"Napping","KeySpec":"ML_KEM_768","Novelty":{"a":[1]}}}`,
			kms.Key{ARN: testARN, State: "Napping", Spec: "ML_KEM_768"},
		},
		"ARN alone": {
			"every other field may be absent or null",
			`{"KeyMetadata":{"Arn":"` + testARN + `","KeyState":null,"ValidTo":null,"MultiRegion":null}}`,
			kms.Key{ARN: testARN},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, _ := serve(t, answering(200, tc.answer))
			key, err := service.DescribeKey(context.Background(), testARN)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, key); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if key.Expiry.ValidTo.Location() != time.UTC {
				t.Errorf("ValidTo in %s", key.Expiry.ValidTo.Location())
			}
		})
	}
}

func TestDescribeKeyByOtherNames(t *testing.T) {
	for _, keyID := range []string{"1234abcd", "alias/key/payments", "arn:aws:kms:eu-west-1:111122223333:alias/key/payments"} {
		service, _ := serve(t, answering(200, `{"KeyMetadata":{"Arn":"`+testARN+`"}}`))
		key, err := service.DescribeKey(context.Background(), keyID)
		if err != nil || key.ARN != testARN {
			t.Errorf("%s: %v, %v", keyID, key, err)
		}
	}
}

func TestDescribeKeyRefusesAnswers(t *testing.T) {
	cases := map[string]struct {
		reason string
		answer string
		want   string
	}{
		"empty body":      {"no metadata", ``, "DescribeKey: the answer holds no key metadata"},
		"empty object":    {"no metadata", `{}`, "DescribeKey: the answer holds no key metadata"},
		"null":            {"no metadata", `{"KeyMetadata":null}`, "DescribeKey: the answer holds no key metadata"},
		"no ARN":          {"nothing to pin", `{"KeyMetadata":{"KeyId":"1234abcd"}}`, "DescribeKey: the answer holds no key ARN"},
		"over-long ARN":   {"nothing a record could hold", `{"KeyMetadata":{"Arn":"arn:` + strings.Repeat("x", 2045) + `"}}`, "DescribeKey: the answer holds no key ARN"},
		"ARN with breaks": {"it would write lines of its own", `{"KeyMetadata":{"Arn":"arn:aws\nReady"}}`, "DescribeKey: the answer holds no key ARN"},
		"another key": {
			"who asks for a key ARN gets that key or nothing", `{"KeyMetadata":{"Arn":"` + testARN + `c"}}`,
			"DescribeKey: the answer is about another key",
		},
		"state with a sentence": {
			"it would stand in a condition", `{"KeyMetadata":{"Arn":"` + testARN + `","KeyState":"Enabled, trust me"}}`,
			"DescribeKey: the answer holds a field that is no identifier",
		},
		"over-long material ID": {
			"it would stand in a record", `{"KeyMetadata":{"Arn":"` + testARN + `","CurrentKeyMaterialId":"` + strings.Repeat("a", 129) + `"}}`,
			"DescribeKey: the answer holds a field that is no identifier",
		},
		"before the epoch": {
			"no KMS is that old",
			`{"KeyMetadata":{"Arn":"` + testARN + `","ExpirationModel":"KEY_MATERIAL_EXPIRES","ValidTo":-86400}}`,
			"DescribeKey: the answer holds an impossible date",
		},
		"date as text": {
			"no KMS of the AWS dialect writes one",
			`{"KeyMetadata":{"Arn":"` + testARN + `","ValidTo":"2027-01-01T00:00:00Z"}}`,
			"DescribeKey: the endpoint answered HTTP 200 with something that is no answer of a KMS",
		},
		"not JSON": {
			"a login page, say", `<html><body>Welcome</body></html>`,
			"DescribeKey: the endpoint answered HTTP 200 with something that is no answer of a KMS",
		},
		"cut-off JSON": {
			"a whole body that is half an answer", `{"KeyMetadata":{"Arn":`,
			"DescribeKey: the endpoint answered HTTP 200 with something that is no answer of a KMS",
		},
		"over a MiB": {
			"nobody's memory is the endpoint's to fill", `{"KeyMetadata":{"Arn":"` + testARN + `"}` + strings.Repeat(" ", 1<<20) + `}`,
			"DescribeKey: the answer is longer than 1048576 bytes",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, _ := serve(t, answering(200, tc.answer))
			_, err := service.DescribeKey(context.Background(), testARN)
			assertError(t, err, kms.ClassUnexpectedResponse, tc.want, true)
		})
	}
}

func TestGetParametersForImportAnswer(t *testing.T) {
	publicKey := rsa.PublicKey{N: modulus(3072), E: 65537}
	service, _ := serve(t, answering(200, parametersAnswer(testARN, spki(t, &publicKey), "token")))
	wrapping := kms.Wrapping{Algorithm: kms.RSAESOAEPSHA1, KeySpec: kms.WrappingKeyRSA3072}
	parameters, err := service.GetParametersForImport(context.Background(), testARN, wrapping)
	if err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC); !parameters.ValidTo().Equal(want) {
		t.Errorf("ValidTo = %s, want %s", parameters.ValidTo(), want)
	}
	material, err := parameters.Seal(func(w kms.Wrapping, key *rsa.PublicKey) ([]byte, error) {
		if w != wrapping || !key.Equal(&publicKey) {
			t.Errorf("sealed with %v under another key", w)
		}
		return []byte("wrapped"), nil
	})
	if err != nil || material.KeyARN() != testARN || string(material.ImportToken()) != "token" {
		t.Errorf("sealed for %s with token %q, error %v", material.KeyARN(), material.ImportToken(), err)
	}
}

func TestGetParametersForImportAnswerWithoutDate(t *testing.T) {
	body := `{"KeyId":"` + testARN + `","ImportToken":"dG9rZW4=","PublicKey":"` + spki(t, &rsa.PublicKey{N: modulus(2048), E: 65537}) + `"}`
	service, _ := serve(t, answering(200, body))
	parameters, err := service.GetParametersForImport(context.Background(), testARN, oaep2048)
	if err != nil || !parameters.ValidTo().IsZero() {
		t.Errorf("ValidTo %s, error %v", parameters.ValidTo(), err)
	}
}

// A hostile endpoint is as free in its answers as a KMS is.
func TestGetParametersForImportRefusesAnswers(t *testing.T) {
	const (
		prefix   = "GetParametersForImport: "
		unsound  = prefix + "the wrapping public key is unsound: modulus and exponent must be odd, the exponent from 65537 to 2147483647"
		notBits  = prefix + "the wrapping public key does not have the 2048 bits asked for"
		notDER   = prefix + "the wrapping public key is not a DER-encoded public key"
		badToken = prefix + "the import token must have 1 to 6144 bytes"
	)
	good := spki(t, &rsa.PublicKey{N: modulus(2048), E: 65537})
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	goodDER, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey := func(n *big.Int, e int) string { return spki(t, &rsa.PublicKey{N: n, E: e}) }
	cases := map[string]struct {
		reason string
		answer string
		want   string
	}{
		"another key":      {"parameters are for the pinned key or for none", parametersAnswer(testARN+"c", good, "token"), prefix + "the answer is about another key"},
		"no key":           {"KMS always names it", `{"PublicKey":"` + good + `","ImportToken":"dG9rZW4="}`, prefix + "the answer is about another key"},
		"empty body":       {"nothing to check", "", prefix + "the answer is about another key"},
		"empty token":      {"nothing to send back", parametersAnswer(testARN, good, ""), badToken},
		"over-long token":  {"6145 bytes", parametersAnswer(testARN, good, strings.Repeat("x", 6145)), badToken},
		"no public key":    {"nothing to wrap with", parametersAnswer(testARN, "", "token"), notDER},
		"garbage":          {"not a key", parametersAnswer(testARN, "Z2FyYmFnZQ==", "token"), notDER},
		"PEM":              {"not DER", parametersAnswer(testARN, base64.StdEncoding.EncodeToString([]byte("-----BEGIN PUBLIC KEY-----")), "token"), notDER},
		"trailing bytes":   {"two things in one", parametersAnswer(testARN, base64.StdEncoding.EncodeToString(append(goodDER, 0)), "token"), notDER},
		"EC key":           {"cannot wrap by OAEP", parametersAnswer(testARN, spki(t, &ecKey.PublicKey), "token"), prefix + "the wrapping public key is not an RSA key"},
		"1024 bits":        {"breakable", parametersAnswer(testARN, rsaKey(modulus(1024), 65537), "token"), notBits},
		"2047 bits":        {"one short", parametersAnswer(testARN, rsaKey(modulus(2047), 65537), "token"), notBits},
		"4096 bits":        {"not what was asked for", parametersAnswer(testARN, rsaKey(modulus(4096), 65537), "token"), notBits},
		"exponent 3":       {"small", parametersAnswer(testARN, rsaKey(modulus(2048), 3), "token"), unsound},
		"exponent 1":       {"the material in clear", parametersAnswer(testARN, rsaKey(modulus(2048), 1), "token"), unsound},
		"huge exponent":    {"Go would not encrypt with it, after the call", parametersAnswer(testARN, rsaKey(modulus(2048), 1<<31+1), "token"), unsound},
		"even exponent":    {"no RSA exponent", parametersAnswer(testARN, rsaKey(modulus(2048), 65538), "token"), unsound},
		"even modulus":     {"no RSA modulus", parametersAnswer(testARN, rsaKey(new(big.Int).Add(modulus(2048), big.NewInt(1)), 65537), "token"), unsound},
		"bad base64":       {"not a blob", `{"KeyId":"` + testARN + `","PublicKey":"%%%"}`, prefix + "the endpoint answered HTTP 200 with something that is no answer of a KMS"},
		"before the epoch": {"no KMS is that old", `{"KeyId":"` + testARN + `","ImportToken":"dG9rZW4=","PublicKey":"` + good + `","ParametersValidTo":-86400}`, prefix + "the answer holds an impossible date"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, _ := serve(t, answering(200, tc.answer))
			_, err := service.GetParametersForImport(context.Background(), testARN, oaep2048)
			assertError(t, err, kms.ClassUnexpectedResponse, tc.want, true)
		})
	}
}

func TestImportKeyMaterialAnswers(t *testing.T) {
	const requestID = "b1e2c3d4-0000-4444-8888-aaaabbbbcccc"
	cases := map[string]struct {
		reason     string
		answer     string
		reimportOf string
		want       kms.ImportResult
	}{
		"empty body":     {"what KMS sent before 2025", "", "", kms.ImportResult{RequestID: requestID}},
		"empty object":   {"what other endpoints send", "{}", "", kms.ImportResult{RequestID: requestID}},
		"key alone":      {"HMAC keys have no material ID", `{"KeyId":"` + testARN + `"}`, "", kms.ImportResult{RequestID: requestID}},
		"symmetric":      {"with material ID", `{"KeyId":"` + testARN + `","KeyMaterialId":"0a0b"}`, "", kms.ImportResult{KeyMaterialID: "0a0b", RequestID: requestID}},
		"re-import":      {"the ID asked for", `{"KeyId":"` + testARN + `","KeyMaterialId":"0a0b"}`, "0a0b", kms.ImportResult{KeyMaterialID: "0a0b", RequestID: requestID}},
		"re-import, {}":  {"KMS has compared the IDs itself", `{}`, "0a0b", kms.ImportResult{RequestID: requestID}},
		"unknown fields": {"answers grow", `{"KeyId":"` + testARN + `","Novelty":1}`, "", kms.ImportResult{RequestID: requestID}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, _ := serve(t, answering(200, tc.answer))
			request := permanentImport(t)
			request.ReimportOf = tc.reimportOf
			result, err := service.ImportKeyMaterial(context.Background(), request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, result); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestImportKeyMaterialRefusesAnswers(t *testing.T) {
	cases := map[string]struct {
		reason     string
		answer     string
		reimportOf string
		want       string
	}{
		"another key": {
			"something was imported somewhere", `{"KeyId":"` + testARN + `c"}`, "",
			"ImportKeyMaterial: the answer is about another key",
		},
		"other material": {
			"not the material that this import must turn out to be", `{"KeyId":"` + testARN + `","KeyMaterialId":"0c0d"}`, "0a0b",
			"ImportKeyMaterial: the answer is about other key material",
		},
		"material ID with a sentence": {
			"it would stand in a record", `{"KeyMaterialId":"all is well"}`, "",
			"ImportKeyMaterial: the answer holds a field that is no identifier",
		},
		"not JSON": {
			"a login page, say", `<html>`, "",
			"ImportKeyMaterial: the endpoint answered HTTP 200 with something that is no answer of a KMS",
		},
		"over a MiB": {
			"nobody's memory is the endpoint's to fill", strings.Repeat(" ", 1<<20+1), "",
			"ImportKeyMaterial: the answer is longer than 1048576 bytes",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			service, _ := serve(t, answering(200, tc.answer))
			request := permanentImport(t)
			request.ReimportOf = tc.reimportOf
			_, err := service.ImportKeyMaterial(context.Background(), request)
			assertError(t, err, kms.ClassUnexpectedResponse, tc.want, true)
		})
	}
}

func TestImportKeyMaterialDropsUnlikelyRequestIDs(t *testing.T) {
	for _, requestID := range []string{"", "two words", strings.Repeat("a", 129)} {
		service, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Amzn-Requestid", requestID) })
		result, err := service.ImportKeyMaterial(context.Background(), permanentImport(t))
		if err != nil || result.RequestID != "" {
			t.Errorf("request ID %q, error %v", result.RequestID, err)
		}
	}
}

// Large answers arrive whole, many times over: see withPlainBody.
func TestLargeAnswersArriveWhole(t *testing.T) {
	filler := strings.Repeat("x", 1<<19)
	service, fake := serve(t, answering(200, `{"KeyId":"`+testARN+`","Filler":"`+filler+`"}`))
	for range 100 {
		if _, err := service.ImportKeyMaterial(context.Background(), permanentImport(t)); err != nil {
			t.Fatalf("after %d calls: %v", len(fake.exchanges()), err)
		}
	}
}
