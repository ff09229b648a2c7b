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
		"CancelKeyDeletion":               handle(s, s.cancelKeyDeletion),
		"CreateAlias":                     handle(s, s.createAlias),
		"CreateKey":                       handle(s, s.createKey),
		"Decrypt":                         handle(s, s.decrypt),
		"DeleteAlias":                     handle(s, s.deleteAlias),
		"DeleteImportedKeyMaterial":       handle(s, s.deleteImportedKeyMaterial),
		"DeriveSharedSecret":              handle(s, s.deriveSharedSecret),
		"DescribeKey":                     handle(s, s.describeKey),
		"DisableKey":                      handle(s, s.disableKey),
		"EnableKey":                       handle(s, s.enableKey),
		"Encrypt":                         handle(s, s.encrypt),
		"GenerateDataKey":                 handle(s, s.generateDataKey),
		"GenerateDataKeyWithoutPlaintext": handle(s, s.generateDataKeyWithoutPlaintext),
		"GenerateMac":                     handle(s, s.generateMac),
		"GenerateRandom":                  handle(s, s.generateRandom),
		"GetKeyPolicy":                    handle(s, s.getKeyPolicy),
		"GetKeyRotationStatus":            handle(s, s.getKeyRotationStatus),
		"GetParametersForImport":          handle(s, s.getParametersForImport),
		"GetPublicKey":                    handle(s, s.getPublicKey),
		"ImportKeyMaterial":               handle(s, s.importKeyMaterial),
		"ListAliases":                     handle(s, s.listAliases),
		"ListKeyPolicies":                 handle(s, s.listKeyPolicies),
		"ListKeyRotations":                handle(s, s.listKeyRotations),
		"ListKeys":                        handle(s, s.listKeys),
		"ListResourceTags":                handle(s, s.listResourceTags),
		"PutKeyPolicy":                    handle(s, s.putKeyPolicy),
		"ReEncrypt":                       handle(s, s.reEncrypt),
		"ReplicateKey":                    handle(s, s.replicateKey),
		"RotateKeyOnDemand":               handle(s, s.rotateKeyOnDemand),
		"ScheduleKeyDeletion":             handle(s, s.scheduleKeyDeletion),
		"Sign":                            handle(s, s.sign),
		"TagResource":                     handle(s, s.tagResource),
		"UntagResource":                   handle(s, s.untagResource),
		"UpdateAlias":                     handle(s, s.updateAlias),
		"UpdateKeyDescription":            handle(s, s.updateKeyDescription),
		"Verify":                          handle(s, s.verify),
		"VerifyMac":                       handle(s, s.verifyMac),
	}
}

// isOperation tells whether there is an operation of a name in any dialect.
func isOperation(name string) bool {
	_, found := new(Server).routes()[name]
	return found
}

// An input is the parameters of an operation, which know how to read themselves.
type input[In any] interface {
	*In
	read(r *reader)
}

// handle makes an operation of a method with typed parameters: the one place where bodies are decoded.
func handle[In, Out any, P input[In]](s *Server, do func(*call, In) (Out, error)) operation {
	return func(c *call, body []byte) (any, error) {
		r, err := newReader(body, s.rules)
		if err != nil {
			return nil, err
		}
		var in In
		P(&in).read(r)
		if err := r.err(); err != nil {
			return nil, err
		}
		if asked, ok := any(&in).(conditional); ok {
			c.conditions = asked.conditions()
		}
		out, err := do(c, in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// conditional is an input that key policies can ask about.
type conditional interface {
	conditions() map[string]string
}

// empty is the answer of operations that return nothing: a 200 without body.
type empty struct{}

// respond writes the one answer of a request and returns its outcome for the log: OK or the error's code.
func (s *Server) respond(w http.ResponseWriter, requestID string, out any, err error) string {
	status, outcome := http.StatusOK, "OK"
	if errors.Is(err, errDropped) {
		return outcomeDropped
	}
	if err != nil {
		failure := asAPIError(err)
		status, outcome, out = s.rules.status(failure), failure.code, s.rules.errorBody(failure)
	}
	var body []byte
	if _, isEmpty := out.(empty); !isEmpty || s.rules.answersEmptyObject() {
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
