package keymaterial

import (
	"fmt"
	"io"
	"log/slog"
)

// redaction is what every printer, encoder and logger gets instead of a secret.
const redaction = "[redacted]"

// redacted is embedded by the types that hold secrets, and answers for them wherever Go asks a value to describe
// itself. Format comes before every verb, %x and %d included.
type redacted struct{}

// String implements fmt.Stringer.
func (redacted) String() string { return redaction }

// GoString implements fmt.GoStringer.
func (redacted) GoString() string { return redaction }

// Format implements fmt.Formatter.
func (redacted) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redaction) }

// MarshalText implements encoding.TextMarshaler.
func (redacted) MarshalText() ([]byte, error) { return []byte(redaction), nil }

// MarshalJSON implements json.Marshaler.
func (redacted) MarshalJSON() ([]byte, error) { return []byte(`"` + redaction + `"`), nil }

// LogValue implements slog.LogValuer.
func (redacted) LogValue() slog.Value { return slog.StringValue(redaction) }

// secret holds bytes where printers cannot follow. What sits in an unexported field of somebody's struct is not asked
// to describe itself: fmt walks into it, through a pointer too when the verb does not fit. Of a function it sees the
// address.
type secret func() *[]byte

func keep(raw []byte) secret {
	return func() *[]byte { return &raw }
}
