package localkms

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"strings"
	"time"
)

const (
	// maxBody bounds a request. The largest legitimate one, a Decrypt with its encryption context, is far below.
	maxBody = 1 << 20

	contentType  = "application/x-amz-json-1.1"
	targetPrefix = "TrentService."
	healthPath   = "/healthz"
)

// Server is the local KMS. It is safe for concurrent use. [New] makes one, Close ends it.
type Server struct {
	account      account
	signatures   signatureVerifier
	operations   map[string]operation
	keys         store
	wrappingKeys *WrappingKeys
	ownsPool     bool
	tokens       tokenSealer
	tokenTTL     time.Duration
	materialIDs  materialIdentifier
	log          *slog.Logger
}

var _ http.Handler = (*Server)(nil)

// New makes a server without keys. It fails only when the options make no sense.
func New(options Options) (*Server, error) {
	o := options.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("configure local KMS: %w", err)
	}
	s := &Server{
		account:      account{region: o.Region, id: o.AccountID},
		signatures:   signatureVerifier{secrets: maps.Clone(o.Credentials), region: o.Region, now: o.SigningNow},
		keys:         newStore(o.Now),
		wrappingKeys: o.WrappingKeys,
		tokens:       newTokenSealer(),
		tokenTTL:     o.ImportTokenTTL,
		materialIDs:  newMaterialIdentifier(),
		log:          o.Logger,
	}
	if s.wrappingKeys == nil {
		s.wrappingKeys, s.ownsPool = NewWrappingKeys(), true
	}
	s.operations = s.routes()
	return s, nil
}

// Close ends the background generation of wrapping keys, unless they are shared ([Options.WrappingKeys]). Requests
// that wait for one fail with KMSInternalException. Close does not wait for a key that is being generated, and
// never fails.
func (s *Server) Close() error {
	if s.ownsPool {
		return s.wrappingKeys.Close()
	}
	return nil
}

// A call is one request on its way through the server.
type call struct {
	// operation is the operation asked for, known or not; empty until the signature was found good.
	operation string
	// keyID is the ID of the key the request turned out to be about, empty until it is found.
	keyID string
	// abandoned is closed when the client has gone.
	abandoned <-chan struct{}
}

// ServeHTTP answers KMS requests at POST / and says "ok" at GET /healthz.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == healthPath && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "ok\n") // a client that has gone needs no answer
		return
	}
	start := time.Now()
	c := &call{abandoned: r.Context().Done()}
	requestID := newUUID()
	out, err := s.answer(c, w, r)
	outcome := respond(w, requestID, out, err)
	s.log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "request",
		slog.String("operation", c.operation), slog.String("key", c.keyID), slog.String("outcome", outcome),
		slog.Duration("duration", time.Since(start)), slog.String("requestID", requestID))
}

// answer takes a request through the checks in the order of the AWS front end: the protocol, the signature,
// the operation, and only then what the operation itself checks.
func (s *Server) answer(c *call, w http.ResponseWriter, r *http.Request) (any, error) {
	if r.URL.Path != "/" {
		return nil, errUnknownPath()
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, errMethodNotAllowed()
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != contentType {
		return nil, errUnsupportedMediaType()
	}
	name, found := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if !found {
		return nil, errUnknownOperation()
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	if err := s.signatures.verify(r, body); err != nil {
		return nil, err
	}
	c.operation = abridged(name)
	run, found := s.operations[name]
	if !found {
		return nil, errUnknownOperation()
	}
	return run(c, body)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errBodyTooLarge()
	}
	if err != nil {
		return nil, errSerialization("the request body could not be read")
	}
	return body, nil
}

// newUUID returns a random UUID (RFC 9562, version 4) in lower case, the shape of key IDs and request IDs.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
