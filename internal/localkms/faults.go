package localkms

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// anyOperation stands for every operation that has no fault of its own.
const anyOperation = "*"

// A Fault is something that goes wrong with the requests of an operation. The zero value of each field leaves that out.
type Fault struct {
	// Operation is the one that fails, such as ImportKeyMaterial; "*" is every one that has no fault of its own.
	Operation string `json:"operation"`
	// Count is how many requests it happens to, after which the fault is gone. Default: until it is cleared.
	Count int `json:"count,omitempty"`
	// Delay is how long a request is held up first, in wall-clock time, as [time.ParseDuration] reads it.
	Delay Duration `json:"delay,omitzero"`
	// Code is the error to answer with, such as KMSInternalException, instead of carrying the request out.
	Code string `json:"code,omitempty"`
	// Message goes with Code.
	Message string `json:"message,omitempty"`
	// Status is the HTTP status that goes with Code. Default: that of the code.
	Status int `json:"status,omitempty"`
	// Drop ends the connection without an answer.
	Drop Drop `json:"drop,omitempty"`
	// Rate is how many requests a second are carried out; the rest get ThrottlingException. A second's worth may come at
	// once. It counts requests by the wall clock.
	Rate float64 `json:"rate,omitempty"`
}

// Drop says when a connection is dropped.
type Drop string

// The two moments.
const (
	DropBefore Drop = "before" // the request is not carried out
	DropAfter  Drop = "after"  // the request was carried out; the client cannot know
)

// Faults are the faults of a server, one for an operation at most. They are set and cleared while it runs. A nil *Faults
// has none. Faults are safe for concurrent use; [NewFaults] makes them.
type Faults struct {
	now func() time.Time

	mu   sync.Mutex
	byOp map[string]*activeFault
}

// activeFault is a fault that is set. The fault of every operation keeps the account of its rate for each apart.
type activeFault struct {
	Fault
	buckets map[string]*bucket
}

// NewFaults makes an empty set.
func NewFaults() *Faults { return &Faults{now: time.Now, byOp: map[string]*activeFault{}} }

// Set adds faults, each in the place of the one that its operation had. If one makes no sense, none is added.
func (f *Faults) Set(faults ...Fault) error {
	if f == nil {
		return errors.New("faults are not enabled")
	}
	for _, one := range faults {
		if err := one.validate(); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range faults {
		f.byOp[one.Operation] = &activeFault{one, map[string]*bucket{}}
	}
	return nil
}

// Clear removes the fault of an operation, or all with an empty name.
func (f *Faults) Clear(operation string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if operation == "" {
		clear(f.byOp)
	}
	delete(f.byOp, operation)
}

// List returns what is set, by operation, with what is left of each Count.
func (f *Faults) List() []Fault {
	if f == nil {
		return []Fault{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]Fault, 0, len(f.byOp))
	for _, one := range f.byOp {
		list = append(list, one.Fault)
	}
	slices.SortFunc(list, func(a, b Fault) int { return cmp.Compare(a.Operation, b.Operation) })
	return list
}

// validate names the operation in front of what is wrong.
func (f Fault) validate() error {
	if f.Operation == "" {
		return errors.New("a fault needs an operation, such as ImportKeyMaterial or *")
	}
	if f.Operation != anyOperation && !isOperation(f.Operation) {
		return errNoOperation(f.Operation)
	}
	for _, check := range []func() error{f.validateNumbers, f.validateDrop, f.validateCode} {
		if err := check(); err != nil {
			return fmt.Errorf("fault of %s: %w", f.Operation, err)
		}
	}
	return nil
}

func (f Fault) validateNumbers() error {
	switch {
	case f.Count < 0 || f.Delay < 0 || f.Rate < 0:
		return errors.New("count, delay and rate cannot be negative")
	case f.Code == "" && f.Drop == "" && f.Delay == 0 && f.Rate == 0:
		return errors.New("say a code, a delay, a drop or a rate")
	case f.Rate > 0 && f.Count > 0:
		return errors.New("a rate has no count")
	}
	return nil
}

func (f Fault) validateDrop() error {
	switch {
	case f.Drop != "" && f.Drop != DropBefore && f.Drop != DropAfter:
		return fmt.Errorf("drop is %q or %q, not %q", DropBefore, DropAfter, f.Drop)
	case f.Drop != "" && f.Code != "":
		return errors.New("a dropped connection carries no code")
	}
	return nil
}

func (f Fault) validateCode() error {
	switch {
	case f.Code == "" && (f.Message != "" || f.Status != 0):
		return errors.New("message and status go with a code")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status %d is not one of an error (400 to 599)", f.Status)
	}
	return nil
}

func errNoOperation(name string) error {
	return fmt.Errorf("%q is not an operation of the local KMS", name)
}

func errUnknownPreset(name string) error {
	return fmt.Errorf("%q is not a preset: the one there is is aws-quotas", name)
}

func errFaultsFormat(cause error) error {
	return fmt.Errorf("faults are a JSON list such as [{\"operation\": \"ImportKeyMaterial\", \"count\": 1, \"code\": \"KMSInternalException\"}]: %w", cause)
}

// errDropped ends the connection.
var errDropped = errors.New("the connection is dropped")

const outcomeDropped = "dropped"

// around carries a request out, or lets go wrong what is to go wrong.
func (f *Faults) around(c *call, run func() (any, error)) (any, error) {
	fault, throttled := f.take(c.operation)
	if throttled {
		return nil, errThrottled()
	}
	if fault.Delay > 0 {
		timer := time.NewTimer(time.Duration(fault.Delay))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.abandoned:
		}
	}
	switch {
	case fault.Drop == DropBefore:
		return nil, errDropped
	case fault.Code != "":
		return nil, fault.failure()
	}
	out, err := run()
	if fault.Drop == DropAfter {
		return nil, errDropped
	}
	return out, err
}

func (f Fault) failure() error {
	status := f.Status
	if status == 0 {
		status = statusOf(f.Code)
	}
	return &apiError{status: status, code: f.Code, message: f.Message}
}

// statusOf is the HTTP status of an error code: 400 but for the errors of the server's side.
func statusOf(code string) int {
	switch code {
	case "KMSInternalException", "KeyUnavailableException":
		return http.StatusInternalServerError
	case "DependencyTimeoutException":
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}

// take returns the fault that a request runs into, the zero one if none, and whether it comes too soon.
func (f *Faults) take(operation string) (fault Fault, throttled bool) {
	if f == nil {
		return Fault{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.byOp[operation]
	if found == nil {
		found = f.byOp[anyOperation]
	}
	if found == nil {
		return Fault{}, false
	}
	if found.Rate > 0 {
		return found.Fault, !found.bucket(operation, f.now()).take(f.now())
	}
	if found.Count == 1 {
		delete(f.byOp, found.Operation)
	}
	fault = found.Fault
	found.Count = max(0, found.Count-1)
	return fault, false
}

func (f *activeFault) bucket(operation string, now time.Time) *bucket {
	b, found := f.buckets[operation]
	if !found {
		b = &bucket{rate: f.Rate, size: max(1, f.Rate), level: max(1, f.Rate), last: now}
		f.buckets[operation] = b
	}
	return b
}

// bucket is a token bucket: it fills at a rate and holds a second's worth.
type bucket struct {
	rate, size, level float64
	last              time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.level = min(b.size, b.level+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}

// AWSQuotas are faults that throttle each operation at the default request quota of AWS, per second for an account and
// Region (https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html). Operations of one quota do
// not share it here.
func AWSQuotas() []Fault {
	perSecond := map[string]float64{
		"GetParametersForImport": 1,
		"CreateKey":              5, "RotateKeyOnDemand": 5, "EnableKey": 5, "DisableKey": 5, "CancelKeyDeletion": 5, "CreateAlias": 5,
		"UpdateAlias": 5, "ReplicateKey": 5, "UpdateKeyDescription": 5, "UntagResource": 5,
		"TagResource":       10,
		"ImportKeyMaterial": 15, "DeleteImportedKeyMaterial": 15, "ScheduleKeyDeletion": 15, "DeleteAlias": 15, "PutKeyPolicy": 15,
		"ListKeyRotations": 100,
		"ListKeys":         500, "ListAliases": 500,
		"GetKeyRotationStatus": 1000, "GetKeyPolicy": 1000, "Sign": 1000, "Verify": 1000, "DeriveSharedSecret": 1000,
		"DescribeKey": 2000, "GetPublicKey": 2000, "ListResourceTags": 2000,
		"Encrypt": 10000, "Decrypt": 10000, "ReEncrypt": 10000, "GenerateDataKey": 10000, "GenerateDataKeyWithoutPlaintext": 10000,
		"GenerateMac": 10000, "VerifyMac": 10000, "GenerateRandom": 10000,
	}
	var quotas []Fault
	for _, operation := range slices.Sorted(maps.Keys(perSecond)) {
		quotas = append(quotas, Fault{Operation: operation, Rate: perSecond[operation]})
	}
	return quotas
}
