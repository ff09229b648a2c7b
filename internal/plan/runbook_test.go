package plan_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms/awskms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

const runbookFile = "../../docs/runbook.md"

// The operator's calls, as the rows of the runbook put them together.
const (
	anyCall = "DescribeKey GetParametersForImport ImportKeyMaterial"
	look    = "DescribeKey"
	reads   = "DescribeKey GetParametersForImport"
	imports = "GetParametersForImport ImportKeyMaterial"
	wraps   = "GetParametersForImport"
	effect  = "ImportKeyMaterial"
)

// answersOfKMS are what KMS, or what is in its place, can answer to the operator's calls: codes, or a transport that speaks for
// itself under a name.
var answersOfKMS = []struct {
	errors string
	calls  string
}{
	{"KMSInvalidStateException DisabledException", imports},
	{"NotFoundException InvalidArnException", look},
	{"NotFoundException InvalidArnException", imports},
	{"UnsupportedOperationException", imports},
	{"ValidationException", wraps},
	{"ValidationException", "DescribeKey ImportKeyMaterial"},
	{"IncorrectKeyMaterialException", effect},
	{"InvalidCiphertextException", effect},
	{"InvalidImportTokenException ExpiredImportTokenException", effect},
	{"KMSInternalException DependencyTimeoutException KeyUnavailableException", reads},
	{"KMSInternalException DependencyTimeoutException KeyUnavailableException", effect},
	{"ThrottlingException", anyCall},
	{"AccessDeniedException", anyCall},
	{"NotAuthorizedException", anyCall},
	{"MissingAuthenticationTokenException UnrecognizedClientException ExpiredTokenException", anyCall},
	{"IncompleteSignatureException InvalidSignatureException", anyCall},
	{"UnknownOperationException", look},
	{"UnknownOperationException", imports},
	{noAnswer, reads},
	{noAnswer, effect},
	{redirect, anyCall},
	{noKMS, reads},
	{noKMS, effect},
	{"AnyOtherException", anyCall},
}

// What has no code.
const (
	noAnswer = "no answer"
	redirect = "a redirect"
	noKMS    = "what is no answer of a KMS"
)

// TestRunbookHasARowForEveryError drives each error through the adapter and the table of failures, and writes the row that
// the runbook must have.
func TestRunbookHasARowForEveryError(t *testing.T) {
	want := []string{
		"| error | of | class | reason | the message adds | what happens next |",
		"|---|---|---|---|---|---|",
	}
	for _, answer := range answersOfKMS {
		rows := map[string]bool{}
		for _, code := range split(answer.errors) {
			for call := range strings.FieldsSeq(answer.calls) {
				rows[rowOf(t, call, fail(t, call, code))] = true
			}
		}
		if len(rows) != 1 {
			t.Errorf("%s of %s do not come to the same:\n%v", answer.errors, answer.calls, rows)
		}
		for row := range rows {
			want = append(want, fmt.Sprintf("| %s | %s | %s |", named(answer.errors), calls(answer.calls), row))
		}
	}
	text, err := os.ReadFile(runbookFile)
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(text), "\n## Errors of KMS\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	var got []string
	for line := range strings.Lines(chapter) {
		if strings.HasPrefix(line, "|") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the chapter \"Errors of KMS\" of %s must have this table:\n%s\nit has:\n%s", runbookFile, strings.Join(want, "\n"), strings.Join(got, "\n"))
	}
}

func split(names string) []string {
	if strings.Contains(names, "Exception") {
		return strings.Fields(names)
	}
	return []string{names}
}

func named(names string) string {
	if names == "AnyOtherException" {
		return "any other code"
	}
	if !strings.Contains(names, "Exception") {
		return names
	}
	return "`" + strings.Join(strings.Fields(names), "`, `") + "`"
}

func calls(names string) string {
	if names == anyCall {
		return "any call"
	}
	return strings.Join(strings.Fields(names), ", ")
}

// rowOf is what becomes of an error, as the columns of the runbook have it.
func rowOf(t *testing.T, call string, err *kms.Error) string {
	t.Helper()
	found := changed(firstImport, attempt(2, err))
	if call == look {
		found = changed(firstImport, func(f *facts) { f.observed.Look = &plan.LookResult{Err: err} })
	}
	step := found.next()
	words := strings.TrimRight(err.Error(), ".") + ": "
	message := strings.TrimPrefix(step.Message, words)
	if message == step.Message {
		message = "" + strings.Replace(message, "\"alias/payments\"", "…", 1)
	}
	link := fmt.Sprintf("[%s](#%s)", step.Reason, strings.ToLower(step.Reason))
	return strings.Join([]string{string(err.Class), link, message, next(t, call, err, step.Outcome)}, " | ")
}

// next says in words what the table of failures says.
func next(t *testing.T, call string, err *kms.Error, outcome plan.Outcome) string {
	t.Helper()
	_, again := changed(firstImport, attempt(1, err)).next().Action.(plan.ImportMaterial)
	first := ""
	switch {
	case call == look:
	case again:
		first = "once more with fresh parameters, in the same pass; then "
	case plan.InDoubt(err):
		first = "DescribeKey tells what to do; if nothing else, "
	case call == effect && err.OutcomeUnknown():
		first = "the import may have been made, so its intent stays in the record and settles it; "
	}
	switch outcome {
	case plan.OutcomeRetry:
		return first + "tried again with growing pauses"
	case plan.OutcomeStalled:
		return first + "stalled: not sent again as it was"
	case plan.OutcomeWaiting:
		return first + "looked for again, ever more slowly"
	case plan.OutcomeSettled, plan.OutcomeProgressing, plan.OutcomeSuspended, plan.OutcomeUntouched:
	}
	t.Fatalf("%v comes to %s", err, outcome)
	return ""
}

// fail makes a call that fails so.
func fail(t *testing.T, call, how string) *kms.Error {
	t.Helper()
	service, err := awskms.New(t.Context(), awskms.Config{
		Region: "eu-west-1", Endpoint: "http://127.0.0.1:1",
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		Transport:   failing(how),
	})
	if err != nil {
		t.Fatal(err)
	}
	wrapping := kms.Wrapping{Algorithm: kms.RSAESOAEPSHA256, KeySpec: kms.WrappingKeyRSA2048}
	switch call {
	case look:
		_, err = service.DescribeKey(t.Context(), keyARN)
	case wraps:
		_, err = service.GetParametersForImport(t.Context(), keyARN, wrapping)
	case effect:
		parameters := kms.NewImportParameters(keyARN, wrapping, nil, []byte("token"), time.Time{})
		material, _ := parameters.Seal(func(kms.Wrapping, *rsa.PublicKey) ([]byte, error) { return []byte("wrapped"), nil })
		_, err = service.ImportKeyMaterial(t.Context(), kms.ImportRequest{Material: material, Expiry: kms.Expiry{Model: kms.KeyMaterialDoesNotExpire}})
	}
	failure, ok := kms.AsError(err)
	if !ok {
		t.Fatalf("%s did not fail with %s but with %v", call, how, err)
	}
	return failure
}

// failing is a KMS, or what is in its place, that answers every request alike.
type failing string

// RoundTrip implements http.RoundTripper.
func (f failing) RoundTrip(request *http.Request) (*http.Response, error) {
	answer := &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Request: request}
	body := fmt.Sprintf(`{"__type":%q,"message":"Something happened."}`, string(f))
	switch f {
	case noAnswer:
		return nil, errors.New("connection refused")
	case redirect:
		answer.StatusCode, body = http.StatusTemporaryRedirect, ""
	case noKMS:
		body = "<html>"
	}
	answer.Body = io.NopCloser(bytes.NewBufferString(body))
	return answer, context.Cause(request.Context())
}
