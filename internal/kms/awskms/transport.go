package awskms

import (
	"errors"
	"io"
	"net/http"
)

// maxAnswer is the longest body in bytes that is read of an answer. The longest that KMS sends is DescribeKey's, of
// some tens of KiB for a multi-Region key with many replicas.
const maxAnswer = 1 << 20

// direct is an HTTP client that makes one exchange. http.Client, the SDK's own included, would follow a 307 or 308 to
// wherever the endpoint points, and send the request there.
type direct struct {
	transport http.RoundTripper
}

// Do implements the SDK's HTTPClient.
func (d direct) Do(request *http.Request) (*http.Response, error) {
	response, err := d.transport.RoundTrip(withPlainBody(request))
	if err != nil {
		return nil, err
	}
	response.Body = answer{http.MaxBytesReader(nil, response.Body, maxAnswer)}
	return response, nil
}

// withPlainBody hides the WriteTo of the SDK's request body. The SDK closes that body as soon as an answer begins to
// arrive; a WriteTo after that returns io.EOF, which net/http takes for a failed write, and it drops the connection
// with the answer half read. After Close, Read is well-behaved.
func withPlainBody(request *http.Request) *http.Request {
	if request.Body == nil {
		return request
	}
	plain := request.WithContext(request.Context()) // a shallow copy: the request is the SDK's
	plain.Body = struct{ io.ReadCloser }{request.Body}
	return plain
}

// answer marks what goes wrong while a body is read, to tell it from a body that is wrong.
type answer struct {
	io.ReadCloser
}

func (a answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &readError{err}
	}
	return n, err
}

type readError struct {
	cause error
}

func (e *readError) Error() string { return "read answer: " + e.cause.Error() }
func (e *readError) Unwrap() error { return e.cause }
