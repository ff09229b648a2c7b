package controllers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// The work queue of a world.

// rest makes passes until one finds nothing to do, as the work queue would: again after the time that a pass asks for, after
// a growing while where it failed, and in a new process where it died.
func (w *world) rest() {
	w.t.Helper()
	failures := 0
	var last ending
	for range passesUntilAtRest {
		fired := w.script.fired
		if !w.lags {
			w.pastRecord, w.pastObject = w.record(), w.object()
		}
		last = w.pass()
		w.lags = w.lagging && w.script.fired && !fired && w.pastObject != nil
		w.checkPass(last)
		switch {
		case last.died:
			w.restart()
			w.wait(longestTakeover)
		case last.err != nil:
			w.wait(min(firstRetry<<failures, lastRetry))
			failures++
		case w.atRest(last):
			return
		default:
			w.wait(last.RequeueAfter)
		}
	}
	w.t.Fatalf("not at rest after %d passes, the last of which came to %+v: %s", passesUntilAtRest, last, w.summary())
}

// ending is how a pass ended.
type ending struct {
	ctrl.Result
	err  error
	died bool
}

// whole reports whether the pass came to its own end.
func (e ending) whole() bool { return !e.died && e.err == nil && e.RequeueAfter != conflictDelay }

func (w *world) wait(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

// pass is one Reconcile, of a process that may die in it.
func (w *world) pass() (end ending) {
	w.wrote, w.looked = 0, 0
	w.passes++
	defer func() {
		switch recovered := recover().(type) {
		case nil:
		case death:
			end.died = true
		default:
			panic(recovered)
		}
	}()
	end.Result, end.err = w.reconciler.Reconcile(w.ctx, ctrl.Request{NamespacedName: w.name()})
	return end
}

// atRest reports whether a pass that did not fail changed nothing, and whether the next will not either.
func (w *world) atRest(end ending) bool {
	object := w.object()
	switch {
	case w.wrote > 0 || w.lags || !end.whole(), object != nil && object.DeletionTimestamp != nil:
		return false
	case object == nil || object.Spec.Suspend != nil:
		return true
	case w.looked == 0:
		return false
	default:
		reconciling := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReconciling)
		return reconciling == nil || reconciling.Reason == v1alpha1.ReasonKeyDisabled || reconciling.Reason == v1alpha1.ReasonSecretNotFound
	}
}

// summary is the status in one line.
func (w *world) summary() string {
	object := w.object()
	if object == nil {
		return "no object"
	}
	var all []string
	for _, condition := range object.Status.Conditions {
		all = append(all, fmt.Sprintf("%s=%s %s", condition.Type, condition.Status, condition.Reason))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
