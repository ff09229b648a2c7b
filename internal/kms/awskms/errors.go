package awskms

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// noCode is what the SDK puts for an error code, and for a message, that the answer does not hold.
const noCode = "UnknownError"

// interruptedError is the error of a call that the caller ended: a *kms.Error, and the caller's own context error too.
type interruptedError struct {
	kmsError *kms.Error
	cause    error
}

func (e *interruptedError) Error() string   { return e.kmsError.Error() }
func (e *interruptedError) Unwrap() []error { return []error{e.kmsError, e.cause} }

// classify turns an error of the SDK into a *kms.Error whose text is stable across attempts. The context is the
// caller's, without the deadline of the call.
func classify(ctx context.Context, operation string, err error) error {
	var response *awshttp.ResponseError
	answered := errors.As(err, &response) && response.HTTPStatusCode() != 0
	kmsError := &kms.Error{Operation: operation}
	switch {
	case answered && isRedirect(response.HTTPStatusCode()):
		kmsError.Class = kms.ClassRedirected
		kmsError.Message = redirectMessage(response.HTTPResponse())
	case answered && classifyAnswer(kmsError, response, err):
	case ctx.Err() != nil:
		kmsError.Class = kms.ClassUnreachable
		kmsError.Message = interruption(ctx.Err())
		return &interruptedError{kmsError: kmsError, cause: ctx.Err()}
	default:
		classifySilence(kmsError, err)
	}
	return kmsError
}

func interruption(cause error) string {
	if errors.Is(cause, context.DeadlineExceeded) {
		return "time-out"
	}
	return "the call was cancelled"
}

// classifyAnswer is for answers that arrived; it reports false for one that broke off.
func classifyAnswer(kmsError *kms.Error, response *awshttp.ResponseError, err error) bool {
	var modeled smithy.APIError
	var broken *readError
	var tooLong *http.MaxBytesError
	status := response.HTTPStatusCode()
	switch {
	case errors.As(err, &tooLong):
		kmsError.Class = kms.ClassUnexpectedResponse
		kmsError.Message = fmt.Sprintf("the answer is longer than %d bytes", maxAnswer)
	case errors.As(err, &broken):
		return false
	case errors.As(err, &modeled) && cleanCode(modeled.ErrorCode()) != "":
		kmsError.Code = cleanCode(modeled.ErrorCode())
		kmsError.Class = classOf(kmsError.Code, status)
		kmsError.Message = serviceMessage(modeled, response.ServiceRequestID())
	default:
		kmsError.Class = classOfStatus(status, kms.ClassUnexpectedResponse)
		kmsError.Message = fmt.Sprintf("the endpoint answered HTTP %d with something that is no answer of a KMS", status)
	}
	return true
}

// classOf goes by the code. The status speaks for codes unknown here, since KMS sends most errors with status 400.
func classOf(code string, status int) kms.ErrorClass {
	if class, known := classes[code]; known {
		return class
	}
	return classOfStatus(status, kms.ClassOther)
}

func classOfStatus(status int, otherwise kms.ErrorClass) kms.ErrorClass {
	switch {
	case status >= http.StatusInternalServerError:
		return kms.ClassServerFault
	case status == http.StatusTooManyRequests:
		return kms.ClassThrottled
	default:
		return otherwise
	}
}

// classifySilence is for calls that got no whole answer.
func classifySilence(kmsError *kms.Error, err error) {
	var unauthenticated *credentialsError
	var broken *readError
	var unsent *smithyhttp.RequestSendError
	var canceled interface{ CanceledError() bool }
	var incomplete smithy.InvalidParamsError
	switch {
	case errors.As(err, &unauthenticated):
		kmsError.Class = kms.ClassAccessDenied
		kmsError.Message = unauthenticated.message()
	case errors.As(err, &broken), errors.As(err, &unsent), errors.As(err, &canceled), errors.Is(err, context.DeadlineExceeded):
		kmsError.Class = kms.ClassUnreachable
		kmsError.Message = networkCause(err)
	case errors.As(err, &incomplete):
		kmsError.Class = kms.ClassInvalidRequest
		kmsError.Message = clean(incomplete.Error())
	default:
		// Nothing says that the request was not sent, so its outcome is unknown.
		kmsError.Class = kms.ClassUnreachable
		kmsError.Message = "the call failed: " + clean(withoutOperation(err).Error())
	}
}

// withoutOperation takes off the SDK's own prefix, which repeats the operation.
func withoutOperation(err error) error {
	if operation, ok := errors.AsType[*smithy.OperationError](err); ok {
		return operation.Err
	}
	return err
}

func unexpected(operation, message string) error {
	return &kms.Error{Operation: operation, Class: kms.ClassUnexpectedResponse, Message: message}
}

func invalidRequest(operation, message string) error {
	return &kms.Error{Operation: operation, Class: kms.ClassInvalidRequest, Message: message}
}
