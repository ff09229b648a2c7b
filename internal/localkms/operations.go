package localkms

import (
	"encoding/json"
	"errors"
	"net/http"
)

// An operation answers one decoded request. What it returns is encoded as the answer's JSON body; nil is an
// answer without body.
type operation func(c *call, body []byte) (any, error)

// routes is every operation the server knows.
func (s *Server) routes() map[string]operation {
	return map[string]operation{
		"CancelKeyDeletion":         handle(s.cancelKeyDeletion),
		"CreateKey":                 handle(s.createKey),
		"Decrypt":                   handle(s.decrypt),
		"DeleteImportedKeyMaterial": handle(s.deleteImportedKeyMaterial),
		"DescribeKey":               handle(s.describeKey),
		"DisableKey":                handle(s.disableKey),
		"EnableKey":                 handle(s.enableKey),
		"Encrypt":                   handle(s.encrypt),
		"GenerateMac":               handle(s.generateMac),
		"GetParametersForImport":    handle(s.getParametersForImport),
		"ImportKeyMaterial":         handle(s.importKeyMaterial),
		"ListKeys":                  handle(s.listKeys),
		"ScheduleKeyDeletion":       handle(s.scheduleKeyDeletion),
		"VerifyMac":                 handle(s.verifyMac),
	}
}

// An input is the parameters of an operation, which know how to read themselves.
type input[In any] interface {
	*In
	read(r *reader)
}

// handle makes an operation of a method with typed parameters: the one place where bodies are decoded.
func handle[In, Out any, P input[In]](do func(*call, In) (Out, error)) operation {
	return func(c *call, body []byte) (any, error) {
		r, err := newReader(body)
		if err != nil {
			return nil, err
		}
		var in In
		P(&in).read(r)
		if err := r.err(); err != nil {
			return nil, err
		}
		out, err := do(c, in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// empty is the answer of operations that return nothing: a 200 without body.
type empty struct{}

// respond writes the one answer of a request and returns its outcome for the log: OK or the error's code.
func respond(w http.ResponseWriter, requestID string, out any, err error) string {
	status, outcome := http.StatusOK, "OK"
	if err != nil {
		failure := asAPIError(err)
		status, outcome, out = failure.status, failure.code, failure.body()
	}
	var body []byte
	if _, isEmpty := out.(empty); !isEmpty {
		if body, err = json.Marshal(out); err != nil {
			failure := errInternal("the answer could not be encoded")
			status, outcome, body = failure.status, failure.code, nil
		}
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Amzn-Requestid", requestID)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
	return outcome
}

// asAPIError finds the error of the protocol in err. Anything else is a mistake of this server, and its text
// stays inside.
func asAPIError(err error) *apiError {
	if failure, ok := errors.AsType[*apiError](err); ok {
		return failure
	}
	return errInternal("")
}
