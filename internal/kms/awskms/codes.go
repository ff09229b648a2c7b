package awskms

import "github.com/keyimport-dev/kms-key-import-operator/internal/kms"

// classes is the meaning of each error code that KMS, or the AWS front end before it, is known to send
// (https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html and the pages of the operations).
//
//nolint:gochecknoglobals // a table that nothing writes to
var classes = map[string]kms.ErrorClass{
	"NotFoundException":   kms.ClassNotFound,
	"InvalidArnException": kms.ClassNotFound,

	"AccessDenied":                        kms.ClassAccessDenied,
	"AccessDeniedException":               kms.ClassAccessDenied,
	"AuthFailure":                         kms.ClassAccessDenied,
	"ExpiredToken":                        kms.ClassAccessDenied,
	"ExpiredTokenException":               kms.ClassAccessDenied,
	"IncompleteSignature":                 kms.ClassAccessDenied,
	"IncompleteSignatureException":        kms.ClassAccessDenied,
	"InvalidClientTokenId":                kms.ClassAccessDenied,
	"InvalidSignature":                    kms.ClassAccessDenied,
	"InvalidSignatureException":           kms.ClassAccessDenied,
	"MissingAuthenticationToken":          kms.ClassAccessDenied,
	"MissingAuthenticationTokenException": kms.ClassAccessDenied,
	"NotAuthorized":                       kms.ClassAccessDenied,
	"NotAuthorizedException":              kms.ClassAccessDenied, // QKMS: signature or permission
	"OptInRequired":                       kms.ClassAccessDenied,
	"RequestExpired":                      kms.ClassAccessDenied,
	"RequestTimeTooSkewed":                kms.ClassAccessDenied,
	"SignatureDoesNotMatch":               kms.ClassAccessDenied,
	"UnauthorizedException":               kms.ClassAccessDenied,
	"UnrecognizedClient":                  kms.ClassAccessDenied,
	"UnrecognizedClientException":         kms.ClassAccessDenied,

	"RequestLimitExceeded":      kms.ClassThrottled,
	"RequestThrottled":          kms.ClassThrottled,
	"RequestThrottledException": kms.ClassThrottled,
	"SlowDown":                  kms.ClassThrottled,
	"ThrottledException":        kms.ClassThrottled,
	"Throttling":                kms.ClassThrottled,
	"ThrottlingException":       kms.ClassThrottled,
	"TooManyRequestsException":  kms.ClassThrottled,

	"DependencyTimeoutException":  kms.ClassServerFault,
	"InternalError":               kms.ClassServerFault,
	"InternalFailure":             kms.ClassServerFault,
	"InternalServerError":         kms.ClassServerFault,
	"InternalServerException":     kms.ClassServerFault,
	"KMSInternalException":        kms.ClassServerFault,
	"KeyUnavailableException":     kms.ClassServerFault,
	"RequestTimeout":              kms.ClassServerFault,
	"RequestTimeoutException":     kms.ClassServerFault,
	"ServiceUnavailable":          kms.ClassServerFault,
	"ServiceUnavailableException": kms.ClassServerFault,

	"DisabledException":        kms.ClassInvalidState,
	"KMSInvalidStateException": kms.ClassInvalidState,

	"InvalidAction":             kms.ClassUnknownOperation,
	"UnknownOperation":          kms.ClassUnknownOperation,
	"UnknownOperationException": kms.ClassUnknownOperation,

	"UnsupportedOperationException": kms.ClassUnsupported,

	"InvalidKeyUsageException": kms.ClassInvalidRequest,
	"SerializationException":   kms.ClassInvalidRequest,
	"TagException":             kms.ClassInvalidRequest,
	"ValidationError":          kms.ClassInvalidRequest,
	"ValidationException":      kms.ClassInvalidRequest,

	"ExpiredImportTokenException":   kms.ClassTokenRefused,
	"InvalidImportTokenException":   kms.ClassTokenRefused,
	"InvalidCiphertextException":    kms.ClassCiphertextRefused,
	"IncorrectKeyMaterialException": kms.ClassMaterialRefused,

	"AlreadyExistsException":       kms.ClassOther,
	"ConflictException":            kms.ClassOther,
	"DryRunOperationException":     kms.ClassOther,
	"KMSInvalidMacException":       kms.ClassOther,
	"KMSInvalidSignatureException": kms.ClassOther,
	"LimitExceededException":       kms.ClassOther, // a quota on a resource and not on a rate: time alone does not help
}

// fixedMessage stands in for messages that carry a time stamp or a canonical request, and differ at every attempt.
func fixedMessage(code string) (string, bool) {
	switch code {
	case "AuthFailure", "IncompleteSignature", "IncompleteSignatureException", "InvalidSignature", "InvalidSignatureException",
		"RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch":
		return "the signature was refused: check the secret access key, the Region and this machine's clock", true
	default:
		return "", false
	}
}
