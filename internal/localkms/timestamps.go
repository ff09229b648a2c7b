package localkms

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// timestamp reads seconds since the epoch, whole or with a fraction of which milliseconds are kept.
func (r *reader) timestamp(name string, dst *time.Time) {
	const latest = 253402300799 // the last second of the year 9999
	var seconds float64
	if !r.value(name, "Timestamp", &seconds) {
		return
	}
	switch {
	case math.Abs(seconds) > latest:
		r.refuse(errSerialization(name + " is out of range"))
	case r.rules.takesWholeSecondsOnly() && seconds != math.Trunc(seconds):
		r.refuse(errSerialization(name + " is not a whole number"))
	default:
		*dst = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	}
}

// epochSeconds is a time as a number, with milliseconds where there are any.
func epochSeconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// timeStyle is how times are written in answers.
type timeStyle int

const (
	epochNumber timeStyle = iota // 1668815672.5: seconds, with milliseconds where there are any
	epochString                  // "1668815672"
	isoString                    // "2022-11-18T16:54:32-07:00", with an offset as in the example of the QKMS pages
)

// timestamp is a time in an answer.
type timestamp struct {
	time  time.Time
	style timeStyle
}

// stamp is a time as the dialect writes it.
func (s *Server) stamp(t time.Time) timestamp { return timestamp{t, s.rules.timeStyle()} }

// IsZero keeps times that are not set out of answers.
func (t timestamp) IsZero() bool { return t.time.IsZero() }

// MarshalJSON implements [json.Marshaler].
func (t timestamp) MarshalJSON() ([]byte, error) {
	epoch := epochSeconds(t.time)
	switch t.style {
	case epochString:
		return json.Marshal(epoch)
	case isoString:
		return json.Marshal(t.time.In(time.FixedZone("", -7*60*60)).Format(time.RFC3339))
	case epochNumber:
	}
	return []byte(epoch), nil
}
