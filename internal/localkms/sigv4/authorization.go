package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	dateHeader  = "X-Amz-Date"
	tokenHeader = "X-Amz-Security-Token"
	// exactHeaders is what QKMS's SDK signs: https://github.com/QuilibriumNetwork/qkms-sdk
	exactHeaders = "content-type;host;x-amz-date;x-amz-target"
)

// authorization is a parsed Authorization header, with the date that belongs to it.
type authorization struct {
	accessKeyID, day, region, service, terminator string
	signedHeaders                                 string
	signature                                     []byte
	// stamp is date as it was written.
	stamp string
	date  time.Time
}

func parseAuthorization(headers http.Header) (authorization, error) {
	header := headers.Get("Authorization")
	if header == "" {
		return authorization{}, &Error{Missing, "Missing Authentication Token"}
	}
	parameters, err := parseParameters(header)
	if err != nil {
		return authorization{}, err
	}
	scope := strings.Split(parameters["Credential"], "/")
	if len(scope) != 5 {
		return authorization{}, &Error{Malformed, "Credential must have exactly 5 slash-delimited elements, as in keyid/date/region/service/term."}
	}
	signature, err := hex.DecodeString(parameters["Signature"])
	if err != nil || len(signature) != sha256.Size {
		return authorization{}, &Error{Malformed, "Signature must be 64 hexadecimal digits."}
	}
	auth := authorization{
		accessKeyID: scope[0], day: scope[1], region: scope[2], service: scope[3], terminator: scope[4],
		signedHeaders: parameters["SignedHeaders"],
		signature:     signature,
		stamp:         headers.Get(dateHeader),
	}
	if auth.stamp == "" {
		return authorization{}, &Error{Incomplete, "Authorization header requires existence of an 'X-Amz-Date' header."}
	}
	auth.date, err = time.Parse(dateFormat, auth.stamp)
	if err != nil || len(auth.stamp) != len(dateFormat) { // Parse takes fractions of a second, asked or not
		return authorization{}, &Error{Malformed, "Date must be in ISO-8601 'basic format', as in " + dateFormat + "."}
	}
	return auth, nil
}

func parseParameters(header string) (map[string]string, error) {
	name, rest, _ := strings.Cut(header, " ")
	if name != algorithm {
		return nil, &Error{Malformed, "Unsupported AWS 'algorithm': it must be '" + algorithm + "'."}
	}
	parameters := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parameters[name] = value
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parameters[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if missing != nil {
		return nil, &Error{Incomplete, strings.Join(missing, " ")}
	}
	return parameters, nil
}

// checkScope compares what the credential says it is good for with what this server is.
func (v *Verifier) checkScope(auth authorization) error {
	switch {
	case !v.validRegion(auth.region):
		return newError(ScopeMismatch, "Credential should be scoped to a valid region, not '%.64s'.", auth.region)
	case auth.service != v.service:
		return newError(ScopeMismatch, "Credential should be scoped to correct service: '%s'.", v.service)
	case auth.terminator != terminator:
		return newError(ScopeMismatch, "Credential should be scoped with a valid terminator: '%s'.", terminator)
	case auth.day != auth.stamp[:len("20060102")]:
		return newError(ScopeMismatch, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	}
	return nil
}

// checkSignedHeaders makes sure that what decides about the request was signed: a header that was not could
// have been added or changed on the way.
func (v *Verifier) checkSignedHeaders(auth authorization, headers http.Header) error {
	if v.exactHeaders && auth.signedHeaders != exactHeaders {
		return newError(UnexpectedHeaders, "SignedHeaders must be exactly '%s'.", exactHeaders)
	}
	signed := strings.Split(auth.signedHeaders, ";")
	if !slices.Contains(signed, "host") {
		return newError(UnsignedHeader, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !slices.Contains(signed, name) {
			return newError(UnsignedHeader, "'%.64s' must be a 'SignedHeader' in the AWS Authorization.", name)
		}
	}
	return nil
}

// sign computes the signature that the owner of secret would have made.
func (a authorization) sign(secret, canonical string) []byte {
	scope := []string{a.day, a.region, a.service, a.terminator}
	key := []byte("AWS4" + secret)
	for _, step := range scope {
		key = hmacSHA256(key, step)
	}
	return hmacSHA256(key, strings.Join([]string{algorithm, a.stamp, strings.Join(scope, "/"), hexSHA256([]byte(canonical))}, "\n"))
}

func hmacSHA256(key []byte, data string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(data))
	return mac.Sum(nil)
}

func hexSHA256(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
