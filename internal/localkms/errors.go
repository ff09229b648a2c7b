package localkms

import (
	"errors"
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

func (r rules) errorBody(e *apiError) errorBody {
	if e.code == "IncorrectKeyMaterialException" && r.isQKMS() && r.assumed[TextlessIncorrectMaterial] {
		return errorBody{Type: e.code}
	}
	return errorBody{Type: e.code, Message: e.message}
}

func clientError(code, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...)}
}

// status is the HTTP status of an error.
func (r rules) status(e *apiError) int {
	if !r.assumed[ModeledStatus] || e.status != http.StatusBadRequest {
		return e.status
	}
	switch e.code {
	case "NotFoundException":
		return http.StatusNotFound
	case "KMSInvalidStateException", "DisabledException", "AlreadyExistsException", "ConflictException":
		return http.StatusConflict
	case "DryRunOperationException":
		return http.StatusPreconditionFailed
	default:
		return e.status
	}
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

func errThrottled() error {
	return clientError("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
}

func (r rules) accessDeniedCode() string {
	if r.isQKMS() {
		return "NotAuthorizedException"
	}
	return "AccessDeniedException"
}

func (r rules) errAccessDenied(principal, action, resource, why string) error {
	return clientError(r.accessDeniedCode(), "User: %s is not authorized to perform: %s on resource: %s %s", principal, action, resource, why)
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

func errInvalidARN(n namespace) error {
	return clientError("InvalidArnException", "an ARN must read %s", n.arn("<region>", "key/<key ID>"))
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

// isNotFound tells whether a key is not there.
func isNotFound(err error) bool {
	failure, ok := errors.AsType[*apiError](err)
	return ok && failure.code == "NotFoundException"
}

func errAliasNotFound(arn string) error {
	return clientError("NotFoundException", "Alias %s is not found.", arn)
}

func errMaterialNotFound(id string) error {
	return clientError("NotFoundException", "Key material '%s' does not exist", id)
}

// The state of the key.

func errPendingImport(arn string) error {
	return invalidState("%s is pending import.", arn)
}

// stateError is what an operation answers that the state of the key does not allow.
func (r rules) stateError(k *key) error {
	switch k.state() {
	case stateDisabled:
		return errDisabled(k.arn)
	case statePendingImport:
		return errPendingImport(k.arn)
	case statePendingDeletion, statePendingReplicaDeletion:
		if r.assumed[LongPendingDeletionText] {
			return invalidState("%s is pending deletion (or pending replica deletion).", k.arn)
		}
		return invalidState("%s is pending deletion.", k.arn)
	case stateCreating:
		return invalidState("%s is creating.", k.arn)
	case stateEnabled:
	}
	return invalidState("%s is in a state that does not allow this operation.", k.arn)
}

// checkLive refuses keys that are not there yet, or are about to be deleted.
func (r rules) checkLive(k *key) error {
	switch k.state() {
	case statePendingDeletion, statePendingReplicaDeletion, stateCreating:
		return r.stateError(k)
	case stateEnabled, stateDisabled, statePendingImport:
	}
	return nil
}

func invalidState(format string, args ...any) error {
	return clientError("KMSInvalidStateException", format, args...)
}

func errNotPendingDeletion(arn string) error {
	return invalidState("%s is not pending deletion.", arn)
}

func errHoldsMaterial(arn string) error {
	return invalidState("%s has key material. Delete it first.", arn)
}

// errWrongOriginState is the only error that the QKMS pages of the importing operations leave for a key of another origin.
func errWrongOriginState(arn, origin string) error { return invalidState(wrongOrigin, arn, origin) }

func errAnotherPending(arn, id, pending string) error {
	return invalidState("New key material (id: %s) cannot be imported into KMS key %s, because another key material (id: %s) is pending rotation.", id, arn, pending)
}

func errNothingPending(arn string) error {
	return invalidState("No available key material pending rotation for the key: %s.", arn)
}

func errRotationInProgress(arn string) error {
	return clientError("ConflictException", "A rotation is in progress for the key: %s.", arn)
}

func errRotationLimit(arn string) error {
	return clientError("LimitExceededException", "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: %s", arn)
}

func errDisabled(arn string) error {
	return clientError("DisabledException", "%s is disabled.", arn)
}

// What the key is for.

const wrongOrigin = "%s origin is %s which is not valid for this operation."

func errOrigin(arn, origin string) error { return errUnsupported(wrongOrigin, arn, origin) }

func errKeyUsage(arn, usage, operation string) error {
	return clientError("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", arn, usage, operation)
}

func errAlgorithm(algorithm, spec string) error {
	return clientError("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", algorithm, spec)
}

func errWrapping(algorithm, wrappingKeySpec, spec string) error {
	return errValidation("Wrapping algorithm %s and wrapping key spec %s cannot be used to import a %s key.", algorithm, wrappingKeySpec, spec)
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
func (r rules) errForeignCiphertext() error {
	return clientError(r.accessDeniedCode(), "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
}

func errContextNotAllowed() error {
	return errValidation("An encryption context cannot be used with an asymmetric algorithm.")
}

func errInvalidSignatureOfMessage() error { return clientError("KMSInvalidSignatureException", "") }

func errInvalidMAC() error { return clientError("KMSInvalidMacException", "") }

func errDryRun() error {
	return clientError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

// The server itself.

func errInternal(why string) *apiError {
	return &apiError{http.StatusInternalServerError, "KMSInternalException", why}
}
