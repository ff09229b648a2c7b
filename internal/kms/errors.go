package kms

import (
	"errors"
	"fmt"
)

// ErrorClass says what an error means for the operator, whatever code the service chose.
type ErrorClass string

// The classes. KMS error codes are named without their "Exception" suffix.
const (
	ClassNotFound           ErrorClass = "NotFound"           // no such key or alias (NotFound, InvalidArn)
	ClassAccessDenied       ErrorClass = "AccessDenied"       // credentials absent, refused or not allowed to make the call
	ClassThrottled          ErrorClass = "Throttled"          // request rate exceeded
	ClassUnreachable        ErrorClass = "Unreachable"        // no answer: DNS, connection, TLS, time-out
	ClassServerFault        ErrorClass = "ServerFault"        // 5xx, KMSInternal, DependencyTimeout, KeyUnavailable
	ClassInvalidState       ErrorClass = "InvalidState"       // KMSInvalidState, Disabled: DescribeKey tells more
	ClassUnsupported        ErrorClass = "Unsupported"        // UnsupportedOperation: not for a key of this kind
	ClassUnknownOperation   ErrorClass = "UnknownOperation"   // UnknownOperation: the endpoint has no such operation at all
	ClassInvalidRequest     ErrorClass = "InvalidRequest"     // ValidationException: the request can never succeed as it is
	ClassTokenRefused       ErrorClass = "TokenRefused"       // ExpiredImportToken, InvalidImportToken: fresh parameters help
	ClassCiphertextRefused  ErrorClass = "CiphertextRefused"  // InvalidCiphertext: KMS could not unwrap the material
	ClassMaterialRefused    ErrorClass = "MaterialRefused"    // IncorrectKeyMaterial: not the material this key has had, or not fit for it
	ClassRedirected         ErrorClass = "Redirected"         // a 3xx answer: the endpoint URL is wrong
	ClassUnexpectedResponse ErrorClass = "UnexpectedResponse" // an answer that breaks the contract: other key, wrong size, not JSON
	ClassOther              ErrorClass = "Other"              // a client error this package has no class for
)

// Error is what went wrong in one call. Its text is stable across attempts: it holds the operation, the code and the
// service's message, and never a request ID.
type Error struct {
	Operation string     // for example "DescribeKey"
	Class     ErrorClass // never empty
	Code      string     // the service's error code without namespace, empty where there was no answer
	Message   string     // one sentence, empty where the service sent none
}

func (e *Error) Error() string {
	switch {
	case e.Code == "" && e.Message == "":
		return fmt.Sprintf("%s: %s", e.Operation, e.Class)
	case e.Code == "":
		return fmt.Sprintf("%s: %s", e.Operation, e.Message)
	case e.Message == "":
		return fmt.Sprintf("%s: %s", e.Operation, e.Code)
	default:
		return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, e.Message)
	}
}

// OutcomeUnknown reports whether the call may have taken effect although it failed.
func (e *Error) OutcomeUnknown() bool {
	switch e.Class {
	case ClassUnreachable, ClassServerFault, ClassUnexpectedResponse:
		return true
	case ClassNotFound, ClassAccessDenied, ClassThrottled, ClassInvalidState, ClassUnsupported, ClassUnknownOperation,
		ClassInvalidRequest, ClassTokenRefused, ClassCiphertextRefused, ClassMaterialRefused, ClassRedirected, ClassOther:
		return false
	default:
		return true
	}
}

// AsError finds the *Error in err's chain.
func AsError(err error) (*Error, bool) {
	var kmsError *Error
	ok := errors.As(err, &kmsError)
	return kmsError, ok
}
