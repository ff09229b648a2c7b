package localkms

import (
	"fmt"
	"net/http"
)

// apiError is an error of the protocol. AWS answers every mistake of a client with 400 and leaves the
// distinction to the code, so only the server's own failures and the front end differ in status.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// errorBody is how an error is encoded. Some of AWS's errors have no message at all.
type errorBody struct {
	Type    string `json:"__type"`
	Message string `json:"message,omitempty"`
}

func (e *apiError) body() errorBody { return errorBody{Type: e.code, Message: e.message} }

func clientError(code, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

// The front end.

func errUnknownPath() error {
	return &apiError{http.StatusNotFound, "UnknownOperationException", "requests go to POST /"}
}

func errMethodNotAllowed() error {
	return &apiError{http.StatusMethodNotAllowed, "UnknownOperationException", "requests go to POST /"}
}

func errUnsupportedMediaType() error {
	return &apiError{http.StatusUnsupportedMediaType, "UnsupportedMediaTypeException", "the Content-Type header must be " + contentType}
}

func errBodyTooLarge() error {
	return &apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", fmt.Sprintf("the request body is larger than %d bytes", maxBody)}
}

func errUnknownOperation() error {
	return clientError("UnknownOperationException", "the X-Amz-Target header must name a known operation, as in %sDescribeKey", targetPrefix)
}

func errMissingAuthenticationToken() error {
	return clientError("MissingAuthenticationTokenException", "Missing Authentication Token")
}

func errIncompleteSignature(why string) error {
	return clientError("IncompleteSignatureException", "%s", why)
}

func errInvalidSignature(why string) error {
	return clientError("InvalidSignatureException", "%s", why)
}

func errUnrecognizedClient() error {
	return clientError("UnrecognizedClientException", "The security token included in the request is invalid.")
}

// The request as such.

func errSerialization(why string) error { return clientError("SerializationException", "%s", why) }

func errValidation(format string, args ...any) error {
	return clientError("ValidationException", format, args...)
}

func errUnsupported(format string, args ...any) error {
	return clientError("UnsupportedOperationException", format, args...)
}

func errInvalidMarker() error { return clientError("InvalidMarkerException", "Invalid marker") }

// Which key.

func errInvalidARN() error {
	return clientError("InvalidArnException", "an ARN must read arn:aws:kms:<region>:<account>:key/<key ID>")
}

func errForeignRegion(region string) error {
	return clientError("NotFoundException", "Invalid arn %s", region)
}

func errInvalidKeyID(id string) error {
	return clientError("NotFoundException", "Invalid keyId '%s'", id)
}

func errKeyNotFound(arn string) error {
	return clientError("NotFoundException", "Key '%s' does not exist", arn)
}

func errAliasNotFound(arn string) error {
	return clientError("NotFoundException", "Alias %s is not found.", arn)
}

func errMaterialNotFound(id string) error {
	return clientError("NotFoundException", "Key material '%s' does not exist", id)
}

// The state of the key.

func errPendingImport(arn string) error {
	return clientError("KMSInvalidStateException", "%s is pending import.", arn)
}

func errPendingDeletion(arn string) error {
	return clientError("KMSInvalidStateException", "%s is pending deletion.", arn)
}

func errNotPendingDeletion(arn string) error {
	return clientError("KMSInvalidStateException", "%s is not pending deletion.", arn)
}

func errDisabled(arn string) error {
	return clientError("DisabledException", "%s is disabled.", arn)
}

// What the key is for.

func errOrigin(arn, origin string) error {
	return errUnsupported("%s origin is %s which is not valid for this operation.", arn, origin)
}

func errKeyUsage(arn, usage, operation string) error {
	return clientError("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", arn, usage, operation)
}

func errAlgorithm(algorithm, spec string) error {
	return clientError("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", algorithm, spec)
}

// Import.

func errInvalidImportToken(why string) error {
	return clientError("InvalidImportTokenException", "%s", why)
}

func errExpiredImportToken() error {
	return clientError("ExpiredImportTokenException", "The import token has expired. Get new import parameters and encrypt the key material again.")
}

func errUnwrap() error {
	return clientError("InvalidCiphertextException", "The encrypted key material cannot be decrypted with the wrapping key and algorithm of the import token. OAEP and its MGF1 must use the same hash.")
}

func errIncorrectMaterial(why string) error {
	return clientError("IncorrectKeyMaterialException", "%s", why)
}

// Use.

func errInvalidCiphertext() error { return clientError("InvalidCiphertextException", "") }

func errIncorrectKey() error {
	return clientError("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
}

// errForeignCiphertext answers for a key that is not there: the ciphertext does not reveal whether it ever was.
func errForeignCiphertext() error {
	return clientError("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
}

func errInvalidMAC() error { return clientError("KMSInvalidMacException", "") }

func errDryRun() error {
	return clientError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

// The server itself.

func errInternal(why string) *apiError {
	return &apiError{http.StatusInternalServerError, "KMSInternalException", why}
}
