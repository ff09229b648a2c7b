//go:build kill && unix

package kill_test

import "sync"

// A moment is a point in the dealings of a manager with KMS and the API server that can be told from outside. "received"
// is before anything was done about a request, "done" is after, when the answer is still to come, and "answered" is when
// that has been sent.
type moment string

const (
	lookDone       moment = "DescribeKey done"
	parametersDone moment = "GetParametersForImport done"
	importReceived moment = "ImportKeyMaterial received"
	importDone     moment = "ImportKeyMaterial done"
	intentReceived moment = "record with intent received"
	intentDone     moment = "record with intent done"
	holdReceived   moment = "record with hold received"
	holdDone       moment = "record with hold done"

	finalizerReceived   moment = "finalizer received"
	finalizerDone       moment = "finalizer done"
	withdrawingReceived moment = "record with withdrawal received"
	withdrawingDone     moment = "record with withdrawal done"
	deletionReceived    moment = "DeleteImportedKeyMaterial received"
	deletionDone        moment = "DeleteImportedKeyMaterial done"
	deletionAnswered    moment = "DeleteImportedKeyMaterial answered"
	withdrawnReceived   moment = "record with completed withdrawal received"
	withdrawnDone       moment = "record with completed withdrawal done"
	releasedReceived    moment = "record released after withdrawal received"
	releasedDone        moment = "record released after withdrawal done"

	resultReceived moment = "record with result received"
	resultDone     moment = "record with result done"
	statusReceived moment = "status received"
	statusDone     moment = "status done"
)

// An ambush waits for a manager at a moment, for the n-th time that it is reached, and strikes there, once. The request
// goes on when that is over.
type ambush struct {
	mutex   sync.Mutex
	who     string // empty: whoever comes
	at      moment
	left    int
	strike  func(who string)
	sprung  chan string
	reached map[moment]int // how often an ambush was sprung at each
}

// lay replaces what was laid before. The channel gets the name of the manager that was struck.
func (a *ambush) lay(who string, at moment, nth int, strike func(who string)) <-chan string {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.who, a.at, a.left, a.strike, a.sprung = who, at, nth, strike, make(chan string, 1)
	return a.sprung
}

// lift takes away what was laid.
func (a *ambush) lift() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.left = 0
}

// reach tells of a moment, and reports whether the manager was struck.
func (a *ambush) reach(who string, at moment) bool {
	strike, sprung := a.take(who, at)
	if strike == nil {
		return false
	}
	strike(who)
	sprung <- who
	return true
}

func (a *ambush) take(who string, at moment) (strike func(string), sprung chan<- string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.left == 0 || a.at != at || a.who != "" && a.who != who {
		return nil, nil
	}
	if a.left--; a.left > 0 {
		return nil, nil
	}
	if a.reached == nil {
		a.reached = map[moment]int{}
	}
	a.reached[at]++
	return a.strike, a.sprung
}

// times is how often an ambush was sprung at a moment.
func (a *ambush) times(at moment) int {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.reached[at]
}
