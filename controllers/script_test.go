package controllers

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// callKind is what a call of the Reconciler is to its outside.
type callKind string

const (
	kindRead   callKind = "read"   // of Kubernetes
	kindWrite  callKind = "write"  // to Kubernetes
	kindAsk    callKind = "ask"    // a KMS call that changes no key
	kindEffect callKind = "effect" // ImportKeyMaterial, DeleteImportedKeyMaterial
)

// madeCall is one call, as it was counted.
type madeCall struct {
	kind callKind
	name string
}

// script counts the calls of a Reconciler once it is armed, and has the n-th of them fail.
type script struct {
	assumed []localkms.Assumption // of the KMS's behaviour

	armed bool
	at    int // counts from 0; -1: none
	way   way
	calls []madeCall

	fired bool
	next  *way // in which the next import fails, apart from that
}

// way is one way in which a call fails.
type way struct {
	name string
	kind callKind
	done bool  // what was asked for has happened all the same
	err  error // that is returned; nil: the process dies
	lag  bool  // worth another try with a cache that lags behind
}

// death is what a process panics with that dies.
type death struct{}

// call makes a call, or has it fail.
func (s *script) call(kind callKind, name string, run func() error) error {
	this := -2
	if s.armed {
		this = len(s.calls)
		s.calls = append(s.calls, madeCall{kind, name})
	}
	switch {
	case this == s.at:
		s.fired = true
		return s.way.fail(name, run)
	case kind == kindEffect && s.next != nil:
		next := s.next
		s.next = nil
		return next.fail(name, run)
	default:
		return run()
	}
}

// count is how often a call was made.
func (s *script) count(name string) int {
	times := 0
	for _, call := range s.calls {
		if call.name == name {
			times++
		}
	}
	return times
}

// lostAnswer reports whether an import was made and its answer was lost: on its way, or with the process that had it.
func (s *script) lostAnswer() bool {
	if s.way.kind == kindEffect {
		return s.way.done
	}
	return s.way.dies() && !s.way.done && s.at > 0 && s.calls[s.at-1].kind == kindEffect
}

func (w way) dies() bool { return w.err == nil }

// fail makes a call fail.
func (w way) fail(name string, run func() error) error {
	if w.done {
		if err := run(); err != nil {
			return err
		}
	}
	if w.dies() {
		panic(death{})
	}
	if kmsError, ok := kms.AsError(w.err); ok {
		named := *kmsError
		named.Operation = name
		return &named
	}
	return w.err
}

// ways are all in which one call can fail.
func ways() []way {
	resource := schema.GroupResource{Group: "kms.keyimport.dev", Resource: "things"}
	conflict := apierrors.NewConflict(resource, "one", errors.New("the object has been modified"))
	timeout := apierrors.NewTimeoutError("request did not complete within requested timeout", 0)
	forbidden := apierrors.NewForbidden(resource, "one", errors.New("not you"))
	unreachable := &kms.Error{Class: kms.ClassUnreachable, Message: "connection reset"}
	throttled := &kms.Error{Class: kms.ClassThrottled, Code: "ThrottlingException"}
	internal := &kms.Error{Class: kms.ClassServerFault, Code: "KMSInternalException"}
	return []way{
		{"times out", kindRead, false, timeout, false},
		{"conflict", kindWrite, false, conflict, true},
		{"forbidden", kindWrite, false, forbidden, false},
		{"times out", kindWrite, false, timeout, false},
		{"times out, done", kindWrite, true, timeout, true},
		{"dies before", kindWrite, false, nil, false},
		{"dies after", kindWrite, true, nil, true},
		{"not sent", kindAsk, false, unreachable, false},
		{"throttled", kindAsk, false, throttled, false},
		{"internal error", kindAsk, false, internal, false},
		{"not sent", kindEffect, false, unreachable, false},
		{"throttled", kindEffect, false, throttled, false},
		{"internal error", kindEffect, false, internal, true},
		{"answer lost", kindEffect, true, unreachable, false},
		{"internal error, done", kindEffect, true, internal, true},
		{"dies before", kindEffect, false, nil, false},
		{"dies after", kindEffect, true, nil, true},
	}
}
