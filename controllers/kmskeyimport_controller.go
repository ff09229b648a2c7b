// Package controllers carries out what internal/plan decides: it observes, executes and persists.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
	"github.com/keyimport-dev/kms-key-import-operator/internal/status"
)

// +kubebuilder:rbac:groups=kms.keyimport.dev,resources=kmskeyimports,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=kms.keyimport.dev,resources=kmskeyimports/status,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
// +kubebuilder:rbac:groups=kms.keyimport.dev,resources=kmskeyrecords,verbs=get;list;watch;create;update,namespace=kms-key-import-system
// +kubebuilder:rbac:groups="",resources=secrets,verbs=create,namespace=kms-key-import-system
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=kms-key-import-fingerprint-key,verbs=get,namespace=kms-key-import-system
// +kubebuilder:rbac:groups="",resources=events,verbs=create;patch,namespace=kms-key-import-system
// +kubebuilder:rbac:groups=coordination.k8s.io,resources=leases,verbs=get;create;update,namespace=kms-key-import-system

const (
	// maxSteps bounds a pass. The longest looks, lifts a hold, accepts a Secret, empties the key, imports what was sealed,
	// imports once more with fresh parameters, with a look before and after each, and ends.
	maxSteps = 14

	// conflictDelay lets the cache catch up with the write that was faster.
	conflictDelay = time.Second
)

// Options configure a Reconciler. All fields but Dialect and Watched are required.
type Options struct {
	Client    client.Client // reads from the cache
	Live      client.Reader // reads from the API server
	KMS       kms.Service
	Dialect   kms.Dialect // what that speaks; empty: AWS
	Recorder  events.EventRecorder
	Clock     clock.PassiveClock
	Namespace string        // the operator's own: records and the fingerprint key live there
	Watched   []string      // the namespaces whose objects are reconciled; empty: all
	Resync    time.Duration // how often a settled key is looked at
	// ParametersRate is how many GetParametersForImport calls are made per second.
	ParametersRate float64
}

// Reconciler keeps the keys that KMSKeyImports name imported.
type Reconciler struct {
	client       client.Client
	live         client.Reader
	kms          kms.Service
	dialect      kms.Dialect
	recorder     events.EventRecorder
	clock        clock.PassiveClock
	resync       time.Duration
	watched      []string
	records      records
	secrets      secrets
	fingerprints *fingerprints
	memories     *memories
	turns        *turns
}

// NewReconciler returns a Reconciler that has seen nothing yet.
func NewReconciler(options Options) *Reconciler {
	return &Reconciler{
		client:       options.Client,
		live:         options.Live,
		kms:          options.KMS,
		dialect:      options.Dialect,
		recorder:     options.Recorder,
		clock:        options.Clock,
		resync:       options.Resync,
		watched:      options.Watched,
		records:      records{cached: options.Client, live: options.Live, namespace: options.Namespace},
		secrets:      secrets{cached: options.Client, live: options.Live},
		fingerprints: &fingerprints{client: options.Client, live: options.Live, namespace: options.Namespace},
		memories:     newMemories(),
		turns:        newTurns(options.ParametersRate),
	}
}

// Reconcile makes one pass over one object, or gives up the key of one that is gone.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	result, err := r.reconcile(ctx, request.NamespacedName)
	if isConflict(err) {
		logf.FromContext(ctx).V(1).Info("Somebody else was faster; looking again", "cause", err.Error())
		priority := int(plan.PriorityEdit)
		return ctrl.Result{RequeueAfter: conflictDelay, Priority: &priority}, nil
	}
	return result, err
}

// reconcile is: observe, decide, execute until there is nothing left to do, then persist.
func (r *Reconciler) reconcile(ctx context.Context, name types.NamespacedName) (ctrl.Result, error) {
	object := &v1alpha1.KMSKeyImport{}
	err := r.client.Get(ctx, name, object)
	if apierrors.IsNotFound(err) {
		r.memories.forget(name)
		return ctrl.Result{}, r.releaseRecords(ctx, name, "")
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("get KMSKeyImport: %w", err)
	}
	if err := r.releaseRecords(ctx, name, object.UID); err != nil {
		return ctrl.Result{}, err
	}
	p := r.begin(object)
	step, err := r.run(ctx, p)
	r.tellEffects(ctx, p)
	if err != nil {
		return r.obstructed(ctx, p, err)
	}
	if err := r.persist(ctx, p, step); err != nil {
		return ctrl.Result{}, err
	}
	return result(step)
}

// run asks the plan for steps until one ends the pass.
func (r *Reconciler) run(ctx context.Context, p *pass) (plan.Step, error) {
	for range maxSteps {
		if err := r.observe(ctx, p); err != nil {
			return plan.Step{}, err
		}
		step := plan.Next(p.desired, p.observed)
		if _, last := step.Action.(plan.Finish); last {
			return step, nil
		}
		if err := r.execute(ctx, p, step.Action); err != nil {
			return plan.Step{}, err
		}
	}
	return plan.Step{}, fmt.Errorf("pass did not settle within %d steps", maxSteps)
}

// obstructed carries out what follows from an error that has ended a pass, as far as something is known: without the record
// nothing could be said. A conflict is no news.
func (r *Reconciler) obstructed(ctx context.Context, p *pass, cause error) (ctrl.Result, error) {
	if isConflict(cause) || ctx.Err() != nil || p.observed.Ownership == "" {
		return ctrl.Result{}, cause
	}
	p.observed.Obstacle = obstacle(cause)
	step := plan.Next(p.desired, p.observed)
	if release, over := step.Action.(plan.ReleaseObject); over {
		if err := r.releaseObject(ctx, p, release); err != nil {
			return r.obstructed(ctx, p, err)
		}
		return ctrl.Result{}, nil
	}
	if err := r.persist(ctx, p, step); err != nil {
		logf.FromContext(ctx).V(1).Info("Could not write the status", "cause", err.Error())
	}
	if step.After > 0 { // sooner than the backoff
		logf.FromContext(ctx).Error(cause, "The pass could not be finished")
		return result(step)
	}
	return ctrl.Result{}, cause
}

// obstacle says in the operator's own words what has failed. What Kubernetes has answered, or who did not answer, may differ
// at each try, or tell of objects of others: the log has it.
func obstacle(cause error) string {
	inner := errors.Unwrap(cause)
	if inner == nil {
		return cause.Error()
	}
	failed := strings.TrimSuffix(strings.TrimSuffix(cause.Error(), inner.Error()), ": ")
	if reason := apierrors.ReasonForError(cause); reason != metav1.StatusReasonUnknown {
		return fmt.Sprintf("%s: Kubernetes answered %s (see the operator's log)", failed, reason)
	}
	return failed + " failed (see the operator's log)"
}

// persist writes the status if it changed, and then tells of it.
func (r *Reconciler) persist(ctx context.Context, p *pass, step plan.Step) error {
	before := p.object.Status
	after := status.Apply(p.desired, p.observed, step)
	if !equality.Semantic.DeepEqual(before, after) {
		updated := p.object.DeepCopy()
		updated.Status = after
		if err := r.client.Status().Update(ctx, updated); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	r.tellOutcome(ctx, p, before, step)
	return nil
}

// result turns the last step of a pass into what the work queue understands.
func result(step plan.Step) (ctrl.Result, error) {
	priority := int(step.Priority)
	if step.Outcome == plan.OutcomeRetry && step.After == 0 {
		return ctrl.Result{Priority: &priority}, fmt.Errorf("%s: %s", step.Reason, step.Message)
	}
	return ctrl.Result{RequeueAfter: step.After, Priority: &priority}, nil
}

// errStale says that what was observed is not what is there; nothing was done on it.
var errStale = errors.New("observed state is out of date")

func isConflict(err error) bool {
	return errors.Is(err, errStale) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}
