//go:build kill && unix

package kill_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// kmsDoor is the way to the local KMS. It keeps account of what managers asked for; others pass unseen.
type kmsDoor struct {
	ambush *ambush
	next   http.Handler

	// witness is called before an import is carried out, and says what is wrong with it.
	witness func(asked importRequest) error
	// mayDelete is called before material is deleted, and says what is wrong with that.
	mayDelete func(keyARN string) error
	// isEmpty looks at a key.
	isEmpty func(ctx context.Context, keyARN string) (bool, error)

	mutex      sync.Mutex
	spoken     map[string]chan struct{} // by manager: closed at its first request
	imports    map[string][]string      // by key ARN: the request IDs of imports that succeeded, in their order
	importsBy  map[string]int           // by manager: imports received
	looksBy    map[string]int           // by manager: looks that succeeded
	looksAt    map[look]int             // likewise, by key too
	forbidden  map[string]bool          // key ARNs that no manager may import into now
	permits    map[string]*permit       // by key ARN: what managers may delete
	ledger     []deletion               // in their order
	losing     string                   // the operation whose next answer to a manager is lost
	dropped    map[string]int           // by operation: requests of managers that got no answer
	violations []string
}

// importRequest is what a manager asks of ImportKeyMaterial.
type importRequest struct {
	who     string
	KeyId   string //nolint:revive // KMS's spelling
	ValidTo float64
}

type look struct{ who, keyARN string }

func newKMSDoor(next http.Handler, a *ambush) *kmsDoor {
	return &kmsDoor{
		ambush: a, next: next, witness: func(importRequest) error { return nil },
		spoken: map[string]chan struct{}{}, imports: map[string][]string{}, importsBy: map[string]int{}, looksBy: map[string]int{}, looksAt: map[look]int{}, forbidden: map[string]bool{},
		permits: map[string]*permit{}, dropped: map[string]int{},
	}
}

var signer = regexp.MustCompile(`Credential=([^/]+)/`)

// ServeHTTP implements http.Handler.
func (d *kmsDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer d.notePanic(r)
	found := signer.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil || found[1] == localkms.DefaultAccessKeyID {
		d.next.ServeHTTP(w, r)
		return
	}
	who := found[1]
	d.speaks(who)
	switch operation := operationOf(r); operation {
	case "ImportKeyMaterial":
		d.importKeyMaterial(w, r, who)
	case "DeleteImportedKeyMaterial":
		d.deleteImportedKeyMaterial(w, r, who)
	case "GetParametersForImport":
		d.pass(w, r, who, parametersDone, func(string) {})
	case "DescribeKey":
		d.describeKey(w, r, who)
	default:
		d.violation("%s asked for %s", who, operation)
		d.next.ServeHTTP(w, r)
	}
}

func (d *kmsDoor) describeKey(w http.ResponseWriter, r *http.Request, who string) {
	var asked struct{ KeyId string } //nolint:revive // KMS's spelling
	d.read(r, &asked)
	d.pass(w, r, who, lookDone, func(string) {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		d.looksBy[who]++
		d.looksAt[look{who, asked.KeyId}]++
	})
}

// read decodes a request, and leaves it to be read again.
func (d *kmsDoor) read(r *http.Request, into any) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		panic(http.ErrAbortHandler) // the manager is gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
}

func (d *kmsDoor) importKeyMaterial(w http.ResponseWriter, r *http.Request, who string) {
	asked := importRequest{who: who}
	d.read(r, &asked)
	if err := d.witness(asked); err != nil {
		d.violation("%s, import into %s: %v", who, asked.KeyId, err)
	}
	d.count(asked)
	if d.ambush.reach(who, importReceived) {
		panic(http.ErrAbortHandler)
	}
	d.pass(w, r, who, importDone, func(requestID string) {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		d.imports[asked.KeyId] = append(d.imports[asked.KeyId], requestID)
	})
}

// deleteImportedKeyMaterial finds out whether it was carried out also where the answer was dropped.
func (d *kmsDoor) deleteImportedKeyMaterial(w http.ResponseWriter, r *http.Request, who string) {
	var asked struct{ KeyId string } //nolint:revive // KMS's spelling
	d.read(r, &asked)
	if err := d.mayDelete(asked.KeyId); err != nil {
		d.violation("%s, deletion of the material of %s: %v", who, asked.KeyId, err)
	}
	if d.ambush.reach(who, deletionReceived) {
		panic(http.ErrAbortHandler)
	}
	answered := false
	defer func() {
		if answered {
			return
		}
		empty, err := d.isEmpty(context.WithoutCancel(r.Context()), asked.KeyId)
		if err != nil {
			d.violation("%s, deletion of the material of %s: what came of it is not known: %v", who, asked.KeyId, err)
		}
		if empty {
			d.enter(deletion{who: who, keyARN: asked.KeyId, dropped: true})
		}
	}()
	d.pass(w, r.WithContext(context.WithoutCancel(r.Context())), who, deletionDone, func(requestID string) {
		d.enter(deletion{who: who, keyARN: asked.KeyId, requestID: requestID})
	})
	answered = true
	if err := http.NewResponseController(w).Flush(); err == nil { // otherwise the manager is gone
		d.ambush.reach(who, deletionAnswered)
	}
}

// carryOut has KMS carry out a request, and counts the answers that are lost. KMS panics where it drops one.
func (d *kmsDoor) carryOut(answer http.ResponseWriter, r *http.Request) {
	answered := false
	defer func() {
		if !answered {
			d.mutex.Lock()
			defer d.mutex.Unlock()
			d.dropped[operationOf(r)]++
		}
	}()
	d.next.ServeHTTP(answer, r)
	answered = !d.loses(operationOf(r))
	if !answered {
		panic(http.ErrAbortHandler)
	}
}

// lose has the next answer to a manager be lost. Faults of KMS happen to everybody.
func (d *kmsDoor) lose(operation string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.losing = operation
}

func (d *kmsDoor) loses(operation string) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.losing != operation {
		return false
	}
	d.losing = ""
	return true
}

func operationOf(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
}

// notePanic is deferred: a handler panics in order to end a connection without an answer, and for no other reason.
func (d *kmsDoor) notePanic(r *http.Request) {
	reason := recover()
	if reason == nil {
		return
	}
	if reason != http.ErrAbortHandler { //nolint:errorlint // what was thrown, and nothing that wraps it
		d.violation("a handler panicked over %s: %v", operationOf(r), reason)
	}
	panic(http.ErrAbortHandler)
}

// pass has a request carried out, takes note of its success, and answers it after the ambush for that moment.
func (d *kmsDoor) pass(w http.ResponseWriter, r *http.Request, who string, done moment, note func(requestID string)) {
	answer := httptest.NewRecorder()
	d.carryOut(answer, r)
	if answer.Code == http.StatusOK {
		note(answer.Header().Get("X-Amzn-Requestid"))
		d.ambush.reach(who, done)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // whoever is gone needs no answer
}

func (d *kmsDoor) count(asked importRequest) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.importsBy[asked.who]++
	if d.forbidden[asked.KeyId] {
		d.violations = append(d.violations, fmt.Sprintf("%s imports into %s, whose material was deleted and is held", asked.who, asked.KeyId))
	}
}

func (d *kmsDoor) violation(format string, arguments ...any) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.violations = append(d.violations, fmt.Sprintf(format, arguments...))
}

func (d *kmsDoor) speaks(who string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	spoken := d.spokenOf(who)
	select {
	case <-spoken:
	default:
		close(spoken)
	}
}

func (d *kmsDoor) spokenOf(who string) chan struct{} {
	if d.spoken[who] == nil {
		d.spoken[who] = make(chan struct{})
	}
	return d.spoken[who]
}

// firstRequest is closed once a manager has asked KMS for something.
func (d *kmsDoor) firstRequest(who string) <-chan struct{} {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.spokenOf(who)
}

// forbid says whether managers may import into a key.
func (d *kmsDoor) forbid(keyARN string, forbidden bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.forbidden[keyARN] = forbidden
}

// succeeded are the request IDs of the imports into a key that KMS answered with success, whether or not anybody heard.
func (d *kmsDoor) succeeded(keyARN string) []string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Clone(d.imports[keyARN])
}

// received is how many imports a manager asked for.
func (d *kmsDoor) received(who string) int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.importsBy[who]
}

// hasSeen reports whether a manager has looked at a key.
func (d *kmsDoor) hasSeen(who, keyARN string) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.looksAt[look{who, keyARN}] > 0
}

// looks is how often a manager looked at keys.
func (d *kmsDoor) looks(who string) int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.looksBy[who]
}

// unanswered is how many requests of managers got no answer from KMS, by operation.
func (d *kmsDoor) unanswered() map[string]int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return maps.Clone(d.dropped)
}

func (d *kmsDoor) violated() []string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Clone(d.violations)
}
