package controllers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// wire carries the operator's requests to the local KMS. It counts them, and specs put faults into it.
type wire struct {
	next http.RoundTripper

	mutex   sync.Mutex
	counts  map[string]int // by key and operation
	faults  map[string]fault
	imports map[string][]sentImport // by key
}

// sentImport is what a request to import says beside the material itself.
type sentImport struct {
	ExpirationModel string
	ValidTo         int64 // seconds since the epoch; zero when it is left out
	ImportType      string
	KeyMaterialID   string `json:"KeyMaterialId"`
}

// fault answers a request, with or without passing it on.
type fault func(pass func() (*http.Response, error)) (*http.Response, error)

func newWire(next http.RoundTripper) *wire {
	return &wire{next: next, counts: map[string]int{}, faults: map[string]fault{}, imports: map[string][]sentImport{}}
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	var named struct {
		KeyID string `json:"KeyId"`
		sentImport
	}
	if err := json.Unmarshal(body, &named); err != nil {
		return nil, err
	}
	operation := strings.TrimPrefix(request.Header.Get("X-Amz-Target"), "TrentService.")
	name := shortID(named.KeyID) + " " + operation
	w.mutex.Lock()
	w.counts[name]++
	if operation == "ImportKeyMaterial" {
		w.imports[shortID(named.KeyID)] = append(w.imports[shortID(named.KeyID)], named.sentImport)
	}
	answer := w.faults[name]
	w.mutex.Unlock()
	pass := func() (*http.Response, error) { return w.next.RoundTrip(request) }
	if answer == nil {
		return pass()
	}
	return answer(pass)
}

// shortID is the key ID of a key ARN; anything else is returned as it is.
func shortID(id string) string {
	if _, short, isARN := strings.Cut(id, ":key/"); isARN {
		return short
	}
	return id
}

// set makes all requests of one operation for one key run into a fault; nil removes it.
func (w *wire) set(keyID, operation string, f fault) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if f == nil {
		delete(w.faults, shortID(keyID)+" "+operation)
		return
	}
	w.faults[shortID(keyID)+" "+operation] = f
}

// count is how many requests of an operation were made for a key.
func (w *wire) count(keyID, operation string) int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.counts[shortID(keyID)+" "+operation]
}

// sent are the imports that were asked of a key, in order.
func (w *wire) sent(keyID string) []sentImport {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return slices.Clone(w.imports[shortID(keyID)])
}

// changes counts the requests that may change a key or spend the scarce quota.
func (w *wire) changes(keyID string) int {
	return w.count(keyID, "GetParametersForImport") + w.count(keyID, "ImportKeyMaterial") + w.count(keyID, "DeleteImportedKeyMaterial")
}

// allChanges are those of all keys.
func (w *wire) allChanges() int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	total := 0
	for name, count := range w.counts {
		_, operation, _ := strings.Cut(name, " ")
		if operation != "DescribeKey" {
			total += count
		}
	}
	return total
}

// refuses answers with an error of KMS.
func refuses(code, message string) fault {
	return func(func() (*http.Response, error)) (*http.Response, error) {
		return jsonAnswer(http.StatusBadRequest, map[string]any{"__type": code, "message": message}), nil
	}
}

// failsWith answers with a bare HTTP status.
func failsWith(status int) fault {
	return func(func() (*http.Response, error)) (*http.Response, error) {
		return jsonAnswer(status, map[string]any{}), nil
	}
}

// unreachable never gets through.
func unreachable(func() (*http.Response, error)) (*http.Response, error) {
	return nil, errors.New("connection refused by the test")
}

// answerLost gets through, once, and the answer is lost on the way back; from then on it is as without the fault.
func answerLost() fault { return answersLost(1) }

// answersLost is answerLost, so many times.
func answersLost(count int64) fault {
	var lost atomic.Int64
	return func(pass func() (*http.Response, error)) (*http.Response, error) {
		response, err := pass()
		if lost.Add(1) > count {
			return response, err
		}
		if err == nil {
			_ = response.Body.Close()
		}
		return nil, errors.New("connection reset by the test")
	}
}

// metadata passes the request on and changes the KeyMetadata of the answer.
func metadata(change func(map[string]any)) fault {
	return func(pass func() (*http.Response, error)) (*http.Response, error) {
		response, err := pass()
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		var answer map[string]map[string]any
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return nil, err
		}
		change(answer["KeyMetadata"])
		return jsonAnswer(response.StatusCode, answer), nil
	}
}

// inState makes DescribeKey report a key state that the local KMS does not reach by itself.
func inState(state string) fault {
	return metadata(func(key map[string]any) { key["KeyState"] = state })
}

func jsonAnswer(status int, body any) *http.Response {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:       io.NopCloser(bytes.NewReader(encoded)),
	}
}

// apiCalls counts the operator's requests to the API server.
type apiCalls struct {
	mutex       sync.Mutex
	writes      map[string]int // by resource; events and leases apart
	secretReads int            // of data, metadata-only reads apart
	ahead       func(*http.Request)
	refused     func(*http.Request) bool // requests that get no further than here
	refusal     int                      // and what they are answered with
}

// refuse has requests that match answered with an error, until the end of the spec or until it is called with nil.
func (a *apiCalls) refuse(matches func(*http.Request) bool, status int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.refused, a.refusal = matches, status
}

// refuses is the status that a request is refused with; 0 lets it pass.
func (a *apiCalls) refuses(request *http.Request) int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.refused == nil || !a.refused(request) {
		return 0
	}
	return a.refusal
}

// once matches the first request that matches.
func once(matches func(*http.Request) bool) func(*http.Request) bool {
	var matched atomic.Bool
	return func(request *http.Request) bool { return matches(request) && matched.CompareAndSwap(false, true) }
}

// aheadOf runs something once, just ahead of the next request that matches.
func (a *apiCalls) aheadOf(matches func(*http.Request) bool, run func()) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.ahead = func(request *http.Request) {
		if matches(request) {
			a.ahead = nil
			run()
		}
	}
}

func readsSecretData(request *http.Request) bool {
	return request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/secrets/") &&
		!strings.Contains(request.Header.Get("Accept"), "PartialObjectMetadata")
}

func readsRecord(request *http.Request) bool {
	return request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/kmskeyrecords/")
}

func writesRecord(request *http.Request) bool {
	return request.Method != http.MethodGet && strings.Contains(request.URL.Path, "/kmskeyrecords")
}

func readsNamespace(request *http.Request) bool {
	return request.Method == http.MethodGet && strings.HasPrefix(request.URL.Path, "/api/v1/namespaces/") && strings.Count(request.URL.Path, "/") == 4
}

func patchesObject(request *http.Request) bool {
	return request.Method == http.MethodPatch && strings.Contains(request.URL.Path, "/kmskeyimports/")
}

func (a *apiCalls) around(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		a.note(request)
		if status := a.refuses(request); status != 0 {
			reason := map[int]metav1.StatusReason{http.StatusForbidden: metav1.StatusReasonForbidden}[status]
			return jsonAnswer(status, metav1.Status{
				TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
				Code: int32(status), Reason: reason, Message: "refused by the test",
			}), nil
		}
		return next.RoundTrip(request)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func (a *apiCalls) note(request *http.Request) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.writes == nil {
		a.writes = map[string]int{}
	}
	if a.ahead != nil {
		a.ahead(request)
	}
	path := request.URL.Path
	switch {
	case strings.Contains(path, "/events") || strings.Contains(path, "/leases"):
	case request.Method != http.MethodGet && strings.HasSuffix(path, "/status"):
		a.writes["status"]++
	case request.Method != http.MethodGet && strings.Contains(path, "/kmskeyrecords"):
		a.writes["records"]++
	case request.Method != http.MethodGet:
		a.writes["other"]++
	case readsSecretData(request):
		a.secretReads++
	}
}

// reset starts a new count.
func (a *apiCalls) reset() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.writes, a.secretReads = map[string]int{}, 0
}

// budget is what an object costs the API server, in the words of docs/design.md section 8.
type budget struct{ Records, Status, Other, SecretReads int }

func (a *apiCalls) spent() budget {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return budget{Records: a.writes["records"], Status: a.writes["status"], Other: a.writes["other"], SecretReads: a.secretReads}
}

// lockedBuffer collects logs of many goroutines.
type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}
