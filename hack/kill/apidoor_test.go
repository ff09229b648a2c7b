//go:build kill && unix

package kill_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// apiDoor is the way from managers to the API server. Each has a path of its own, which is its name.
type apiDoor struct {
	ambush *ambush
	proxy  *httputil.ReverseProxy
}

// visit is what the door remembers of a request until it is done.
type visit struct {
	who  string
	done moment
}

type visitKey struct{}

func newAPIDoor(cluster *rest.Config, a *ambush) (*apiDoor, error) {
	client, err := rest.HTTPClientFor(cluster)
	if err != nil {
		return nil, err
	}
	target, _, err := rest.DefaultServerUrlFor(cluster)
	if err != nil {
		return nil, err
	}
	return &apiDoor{ambush: a, proxy: &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     client.Transport,
		FlushInterval: -1, // watches
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // the manager is gone; where it is not, no answer is an answer
		},
		ModifyResponse: func(response *http.Response) error {
			if v, ok := response.Request.Context().Value(visitKey{}).(visit); ok && response.StatusCode < http.StatusMultipleChoices {
				a.reach(v.who, v.done)
			}
			return nil
		},
	}}, nil
}

// ServeHTTP implements http.Handler. What is not a write that matters goes straight on.
func (d *apiDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	r.URL.Path, r.URL.RawPath = "/"+path, ""
	received, done := momentsOf(r)
	if received == "" {
		d.proxy.ServeHTTP(w, r)
		return
	}
	if d.ambush.reach(who, received) {
		panic(http.ErrAbortHandler)
	}
	// A write that has come this far is made, whatever becomes of its manager.
	ctx := context.WithValue(context.WithoutCancel(r.Context()), visitKey{}, visit{who, done})
	d.proxy.ServeHTTP(w, r.WithContext(ctx))
}

// momentsOf are the moments of a write that matters, before and after.
func momentsOf(r *http.Request) (received, done moment) {
	switch {
	case r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/kmskeyimports/"):
		return finalizerReceived, finalizerDone
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		return "", ""
	case strings.Contains(r.URL.Path, "/kmskeyrecords"):
		return momentsOfRecord(recordIn(r))
	case strings.Contains(r.URL.Path, "/kmskeyimports/"):
		return statusReceived, statusDone
	default:
		return "", ""
	}
}

func momentsOfRecord(record v1alpha1.KMSKeyRecord) (received, done moment) {
	switch {
	case record.Intent != nil:
		return intentReceived, intentDone
	case record.Hold != nil:
		return holdReceived, holdDone
	case record.Withdrawal == nil:
		return resultReceived, resultDone
	case record.Withdrawal.CompletedAt == nil:
		return withdrawingReceived, withdrawingDone
	case record.Owner != nil:
		return withdrawnReceived, withdrawnDone
	default:
		return releasedReceived, releasedDone
	}
}

// recordIn is the record that a request writes. It is not there where the manager is gone.
func recordIn(r *http.Request) (record v1alpha1.KMSKeyRecord) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &record)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return record
}
