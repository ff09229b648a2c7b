package awskms

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Limits, in runes or bytes, of what an endpoint may write into conditions, records and logs.
const (
	maxMessage   = 512
	maxCode      = 64
	maxARN       = 2048
	maxName      = 128 // enumeration values, key material IDs, request IDs
	minRequestID = 8   // anything shorter is no identifier, and taking it out of a message would garble that
)

// serviceMessage is the service's own sentence.
func serviceMessage(modeled smithy.APIError, requestID string) string {
	if fixed, ok := fixedMessage(cleanCode(modeled.ErrorCode())); ok {
		return fixed
	}
	message := modeled.ErrorMessage()
	if message == noCode {
		return ""
	}
	if len(requestID) >= minRequestID {
		message = strings.ReplaceAll(message, requestID, "(request ID)")
	}
	message = sessionName.ReplaceAllString(message, "$1")
	return clean(blob.ReplaceAllString(message, "(data)"))
}

// blob is what a service repeats of wrapped material or an import token, as Base64 or hex. Both are longer; names of
// KMS's, key material IDs with their 64 characters among them, are shorter.
var blob = regexp.MustCompile(`[A-Za-z0-9+/_-]{128,}=*`)

// sessionName is the end of an assumed role's ARN in AWS's sentences. The SDK makes up a new one whenever it renews its
// credentials, so it would change a condition that says nothing new.
var sessionName = regexp.MustCompile(`(:assumed-role/[^/\s]+)/[^\s,;]+`)

// clean makes one line of printable text out of what an endpoint sent.
func clean(text string) string {
	printable := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r) && r != unicode.ReplacementChar:
			return r
		default:
			return -1
		}
	}, text)
	line := strings.Join(strings.Fields(printable), " ")
	if runes := []rune(line); len(runes) > maxMessage {
		return string(runes[:maxMessage-1]) + "…"
	}
	return line
}

// cleanCode is the error code, or nothing where the answer holds none or one that no service would send.
func cleanCode(code string) string {
	if code == noCode || !isName(code, maxCode) {
		return ""
	}
	return code
}

// isName reports whether text is something that a KMS might call a thing: printable ASCII without spaces, not too
// long.
func isName(text string, limit int) bool {
	outside := func(r rune) bool { return r <= ' ' || r > '~' }
	return text != "" && len(text) <= limit && !strings.ContainsFunc(text, outside)
}

// isNameOrEmpty is isName for what KMS may leave out.
func isNameOrEmpty(text string) bool {
	return text == "" || isName(text, maxName)
}

func isRedirect(status int) bool { return status >= 300 && status <= 399 }

// redirectMessage names where the endpoint points, without the parts of a URL that may hold a credential.
func redirectMessage(response *smithyhttp.Response) string {
	location, err := response.Location()
	if err != nil || location.Host == "" {
		return "the endpoint answers with a redirect, which is not followed: the endpoint must be the URL that answers itself"
	}
	target := url.URL{Scheme: location.Scheme, Host: location.Host, Path: location.Path}
	return fmt.Sprintf("the endpoint redirects to %[1]s, which is not followed: if that is the KMS, make %[1]s the endpoint",
		clean(target.String()))
}
