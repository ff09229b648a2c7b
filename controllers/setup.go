package controllers

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// Indexes of the cached KMSKeyImports.
const (
	indexSecretName = "spec.material.secretRef.name"
	indexKeyARN     = "status.key.arn"
)

const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
)

// SetupWithManager registers the indexes and watches that wake this reconciler up. Its own writes of status and record
// do not.
func (r *Reconciler) SetupWithManager(ctx context.Context, manager ctrl.Manager, concurrency int) error {
	if err := addIndexes(ctx, manager.GetFieldIndexer()); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(manager).
		For(&v1alpha1.KMSKeyImport{}, builder.WithPredicates(specOrRequest())).
		WatchesMetadata(secretMetadata(), handler.EnqueueRequestsFromMapFunc(r.importsOfSecret)).
		Watches(&v1alpha1.KMSKeyRecord{}, handler.EnqueueRequestsFromMapFunc(r.importsOfRecord), builder.WithPredicates(ownership())).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency, RateLimiter: newBackoff()}).
		Complete(r)
}

func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	indexes := []struct {
		object client.Object
		field  string
		value  func(client.Object) string
	}{
		{&v1alpha1.KMSKeyImport{}, indexSecretName, func(o client.Object) string { return o.(*v1alpha1.KMSKeyImport).Spec.Material.SecretRef.Name }},
		{&v1alpha1.KMSKeyImport{}, indexKeyARN, keyARNOf},
		{&v1alpha1.KMSKeyRecord{}, indexOwnerUID, func(o client.Object) string { return string(ownerOf(o).UID) }},
		{&v1alpha1.KMSKeyRecord{}, indexOwnerName, func(o client.Object) string { return ownerName(o).String() }},
	}
	for _, index := range indexes {
		err := indexer.IndexField(ctx, index.object, index.field, func(o client.Object) []string { return []string{index.value(o)} })
		if err != nil {
			return fmt.Errorf("index %T by %s: %w", index.object, index.field, err)
		}
	}
	return nil
}

func keyARNOf(object client.Object) string {
	if key := object.(*v1alpha1.KMSKeyImport).Status.Key; key != nil {
		return key.ARN
	}
	return ""
}

func ownerOf(object client.Object) v1alpha1.RecordOwner {
	if owner := object.(*v1alpha1.KMSKeyRecord).Owner; owner != nil {
		return *owner
	}
	return v1alpha1.RecordOwner{}
}

func ownerName(object client.Object) types.NamespacedName {
	owner := ownerOf(object)
	return types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}
}

// specOrRequest lets pass what people change: the spec and the request annotations.
func specOrRequest() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{
		UpdateFunc: func(update event.UpdateEvent) bool {
			before, after := update.ObjectOld.GetAnnotations(), update.ObjectNew.GetAnnotations()
			return before[v1alpha1.AnnotationReconcileRequestedAt] != after[v1alpha1.AnnotationReconcileRequestedAt] ||
				before[v1alpha1.AnnotationReimportRequestedAt] != after[v1alpha1.AnnotationReimportRequestedAt]
		},
		CreateFunc:  func(event.CreateEvent) bool { return true },
		DeleteFunc:  func(event.DeleteEvent) bool { return true },
		GenericFunc: func(event.GenericEvent) bool { return false },
	})
}

// ownership lets pass what concerns others than the object that has just written the record: a record found at start,
// whose owner may be gone, a new or released owner, and a record that somebody deleted.
func ownership() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(create event.CreateEvent) bool { return create.IsInInitialList },
		UpdateFunc:  func(update event.UpdateEvent) bool { return ownerOf(update.ObjectOld) != ownerOf(update.ObjectNew) },
		DeleteFunc:  func(event.DeleteEvent) bool { return true },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

func (r *Reconciler) importsOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	return r.importsWhere(ctx, client.InNamespace(secret.GetNamespace()), client.MatchingFields{indexSecretName: secret.GetName()})
}

// importsOfRecord are the owner, existing or not, and whoever else waits for the key.
func (r *Reconciler) importsOfRecord(ctx context.Context, object client.Object) []reconcile.Request {
	requests := r.importsWhere(ctx, client.MatchingFields{indexKeyARN: object.(*v1alpha1.KMSKeyRecord).KeyARN})
	if owner := ownerName(object); owner.Name != "" && r.watches(owner.Namespace) {
		requests = append(requests, reconcile.Request{NamespacedName: owner})
	}
	return requests
}

// watches reports whether objects of a namespace are this operator's business.
func (r *Reconciler) watches(namespace string) bool {
	return len(r.watched) == 0 || slices.Contains(r.watched, namespace)
}

func (r *Reconciler) importsWhere(ctx context.Context, selectors ...client.ListOption) []reconcile.Request {
	list := &v1alpha1.KMSKeyImportList{}
	if err := r.client.List(ctx, list, selectors...); err != nil {
		return nil // only when the cache is shutting down
	}
	requests := make([]reconcile.Request, 0, len(list.Items))
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// backoff doubles from firstRetry to lastRetry, with jitter so that what failed together is not retried together.
type backoff struct {
	workqueue.TypedRateLimiter[reconcile.Request]
}

func newBackoff() backoff {
	return backoff{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry)}
}

// When implements workqueue.TypedRateLimiter.
func (b backoff) When(request reconcile.Request) time.Duration {
	delay := b.TypedRateLimiter.When(request)
	jitter := time.Duration(rand.Float64() * float64(delay) / 5) //nolint:gosec // jitter is no secret
	return min(delay+jitter, lastRetry)
}
