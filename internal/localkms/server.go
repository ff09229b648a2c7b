package localkms

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms/sigv4"
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
	rules         rules
	names         namespace
	regions       []string
	principals    map[string]Principal // by access key ID
	signatures    *sigv4.Verifier
	operations    map[string]operation
	keys          store
	defaultPolicy policyText
	wrappingKeys  *WrappingKeys
	ownsPool      bool
	tokens        tokenSealer
	tokenTTL      time.Duration
	rotationTime  time.Duration
	materialIDs   materialIdentifier
	faults        *Faults
	log           *slog.Logger
}

var _ http.Handler = (*Server)(nil)

// New makes a server without keys. It fails only when the options make no sense.
func New(options Options) (*Server, error) {
	o := options.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("configure local KMS: %w", err)
	}
	r := newRules(o.Dialect, o.Assume)
	s := &Server{
		rules:        r,
		names:        namespace{account: o.AccountID, verenc: r.isQKMS() && !r.assumed[AWSKeyARNs]},
		regions:      o.Regions,
		keys:         newStore(o),
		wrappingKeys: o.WrappingKeys,
		tokens:       newTokenSealer(),
		tokenTTL:     o.ImportTokenTTL,
		rotationTime: o.RotationTime,
		materialIDs:  newMaterialIdentifier(),
		faults:       o.Faults,
		log:          o.Logger,
	}
	s.principals = o.byAccessKeyID(s.names)
	s.signatures = newVerifier(o, s.isRegion)
	if s.wrappingKeys == nil {
		s.wrappingKeys, s.ownsPool = NewWrappingKeys(), true
	}
	var err error
	if s.defaultPolicy, err = newDefaultPolicy(s.names); err != nil {
		return nil, err
	}
	s.operations = s.routes()
	return s, nil
}

// isRegion tells whether this server plays a Region.
func (s *Server) isRegion(name string) bool {
	return isRegion(name) && (len(s.regions) == 0 || slices.Contains(s.regions, name))
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
	// action is what key policies are asked about: the operation, but for the few whose actions have other names.
	action string
	// principal is who signed the request.
	principal Principal
	// region is where the keys are that the request can be about: the Region that it was signed for.
	region string
	// conditions are what key policies can ask about the request.
	conditions map[string]string
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
	if s.rules.isQKMS() && strings.HasPrefix(r.URL.Path, "//") {
		http.Redirect(w, r, "/", http.StatusMovedPermanently)
		return
	}
	start := time.Now()
	c := &call{abandoned: r.Context().Done()}
	requestID := newUUID()
	out, err := s.answer(c, w, r)
	outcome := s.respond(w, requestID, out, err)
	s.log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelInfo, "request",
		slog.String("operation", c.operation), slog.String("key", c.keyID), slog.String("outcome", outcome),
		slog.Duration("duration", time.Since(start)), slog.String("requestID", requestID))
	if outcome == outcomeDropped {
		panic(http.ErrAbortHandler) // what net/http documents for ending a connection without an answer
	}
}

// answer takes a request through the checks in the order of the AWS front end: the protocol, the signature,
// the operation, and only then what the operation itself checks.
func (s *Server) answer(c *call, w http.ResponseWriter, r *http.Request) (any, error) {
	name, err := s.checkProtocol(w, r)
	if err != nil {
		return nil, err
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	if err := s.authenticate(c, r, body); err != nil {
		return nil, err
	}
	c.operation, c.action = abridged(name), name
	run, found := s.operations[name]
	if !found || !s.rules.hasOperation(name) {
		return nil, errUnknownOperation()
	}
	return s.faults.around(c, func() (any, error) { return run(c, body) })
}

// checkProtocol returns the operation that a request names.
func (s *Server) checkProtocol(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.URL.Path != "/" {
		return "", errUnknownPath()
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return "", errMethodNotAllowed()
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || !s.rules.takesContentType(mediaType) {
		return "", errUnsupportedMediaType()
	}
	name, found := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	if !found {
		return "", errUnknownOperation()
	}
	return name, nil
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
