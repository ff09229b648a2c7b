package awskms

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// numericTimestamps is an HTTP client that turns the texts that QKMS sends for times into the numbers that the SDK
// expects. A single text would make the SDK refuse the whole answer.
type numericTimestamps struct {
	next aws.HTTPClient
}

// Do implements the SDK's HTTPClient. What it reads is bounded by the client that it wraps.
func (c numericTimestamps) Do(request *http.Request) (*http.Response, error) {
	response, err := c.next.Do(request)
	if err != nil {
		return nil, err
	}
	rewriteBody(response)
	return response, nil
}

func rewriteBody(response *http.Response) {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		// Half an answer is for the SDK to read, and to fail at, as if nobody had been here before.
		response.Body = readBefore{io.MultiReader(bytes.NewReader(body), failed{err}), response.Body}
		return
	}
	rewritten := rewriteTimestamps(body)
	response.Body = readBefore{bytes.NewReader(rewritten), response.Body}
	response.ContentLength = int64(len(rewritten))
}

// readBefore is a body that was read already.
type readBefore struct {
	io.Reader
	io.Closer
}

type failed struct {
	err error
}

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// isTimestamp names the members of KMS's answers that are times
// (https://docs.aws.amazon.com/kms/latest/APIReference/API_Types.html).
func isTimestamp(member string) bool { return isRead(member) || isUnread(member) }

// isRead names those that the operator goes by. One that cannot be read makes the answer useless.
func isRead(member string) bool { return member == "ParametersValidTo" || member == "ValidTo" }

// isUnread names those that nobody here looks at, so that one which cannot be read is as good as absent.
func isUnread(member string) bool {
	switch member {
	case "CreationDate", "DeletionDate", "LastUpdatedDate", "NextRotationDate", "OnDemandRotationStartDate", "RotationDate":
		return true
	default:
		return false
	}
}

// rewriteTimestamps replaces the texts of timestamp members that are times by numbers, and leaves every other byte as it
// is: all of them where the body is not JSON.
func rewriteTimestamps(body []byte) []byte {
	if !json.Valid(body) {
		return body
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var rewritten []byte
	copied, member := 0, ""
	for {
		start := int(decoder.InputOffset())
		token, err := decoder.Token()
		if err != nil { // io.EOF, since the body is valid
			return append(rewritten, body[copied:]...)
		}
		end := int(decoder.InputOffset())
		text, isText := token.(string)
		if isText && isKey(body[end:]) {
			member = text
			continue
		}
		if isText && isTimestamp(member) {
			number, isTime := epoch(text)
			if !isTime && isUnread(member) {
				number, isTime = "null", true
			}
			if isTime {
				quote := start + bytes.IndexByte(body[start:end], '"') // behind a colon and perhaps white space
				rewritten = append(append(rewritten, body[copied:quote]...), number...)
				copied = end
			}
		}
		member = ""
	}
}

// isKey reports whether a string, in front of this rest of valid JSON, is the name of a member.
func isKey(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// epoch is the JSON number, in seconds since 1970, that a text means; false where it is not certain to mean a time.
// Quoted numbers are taken as they are. Servers that must write something where there is no time write an empty text,
// or the zero time of Go.
func epoch(text string) (number string, isTime bool) {
	switch at, isDate := parseDate(text); {
	case text == "":
		return "null", true
	case (text[0] == '-' || '0' <= text[0] && text[0] <= '9') && json.Valid([]byte(text)):
		return text, true
	case !isDate:
		return "", false
	case at.IsZero():
		return "null", true
	default:
		const limit = math.MaxInt64 / int64(time.Second) // in the year 2262, where the SDK's dates wrap around
		return strconv.FormatInt(at.Unix(), 10), -limit <= at.Unix() && at.Unix() <= limit
	}
}

// parseDate reads a date and time of RFC 3339, also with the colon left out of the offset, as ISO 8601 has it. A date
// without a time, or without an offset, may mean any of many moments, and is none.
func parseDate(text string) (at time.Time, isDate bool) {
	if !dateTime.MatchString(text) {
		return time.Time{}, false
	}
	layout := "2006-01-02T15:04:05Z07:00"
	if !strings.Contains(text[len(text)-3:], ":") {
		layout = "2006-01-02T15:04:05Z0700"
	}
	at, err := time.Parse(layout, text)
	return at, err == nil
}

// dateTime is stricter than time.Parse, which takes 0:00:00 and a comma.
var dateTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$`)
