package localkms

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// Duration is a [time.Duration] that JSON writes as "1.5s".
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// faultsPath is where the faults are.
const faultsPath = "/faults"

// ServeHTTP sets and clears faults: PUT /faults adds those of a JSON list, PUT /faults/aws-quotas those of [AWSQuotas],
// DELETE /faults/<operation> removes one, DELETE /faults all. GET /faults, and every success, answers with what is set.
// It asks for no credentials: it belongs on a loopback address.
func (f *Faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case "/"+path != faultsPath:
		http.Error(w, "faults are at "+faultsPath, http.StatusNotFound)
		return
	case r.Method != http.MethodDelete && r.Method != http.MethodPut && (r.Method != http.MethodGet || name != ""):
		w.Header().Set("Allow", "GET, PUT, DELETE")
		http.Error(w, "GET, PUT or DELETE "+faultsPath, http.StatusMethodNotAllowed)
		return
	}
	if err := f.handle(w, r, name); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(f.List()) // a client that has gone needs no answer
}

// handle does what a request asks for; GET asks for nothing.
func (f *Faults) handle(w http.ResponseWriter, r *http.Request, name string) error {
	switch {
	case r.Method == http.MethodPut:
		return f.put(w, r, name)
	case r.Method != http.MethodDelete:
		return nil
	case name != "" && name != anyOperation && !isOperation(name):
		return errNoOperation(name)
	}
	f.Clear(name)
	return nil
}

func (f *Faults) put(w http.ResponseWriter, r *http.Request, preset string) error {
	switch preset {
	case "aws-quotas":
		return f.Set(AWSQuotas()...)
	case "":
		faults, err := readFaults(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			return err
		}
		return f.Set(faults...)
	default:
		return errUnknownPreset(preset)
	}
}

func readFaults(body io.Reader) (faults []Fault, err error) {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&faults); err != nil {
		return nil, errFaultsFormat(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errFaultsFormat(errors.New("something follows the list"))
	}
	return faults, nil
}
