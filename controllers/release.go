package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// heirsAtOnce is how many KMSKeyImports are read from the API server at once.
const heirsAtOnce = 500

// setFinalizer adds the finalizer or takes it off. A last version of the object that is gone by then is what was wanted.
func (r *Reconciler) setFinalizer(ctx context.Context, p *pass, wanted bool) error {
	changed := p.object.DeepCopy()
	if wanted {
		controllerutil.AddFinalizer(changed, v1alpha1.FinalizerKeyMaterial)
	} else {
		controllerutil.RemoveFinalizer(changed, v1alpha1.FinalizerKeyMaterial)
	}
	patch := client.MergeFromWithOptions(p.object, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, changed, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("patch finalizers of KMSKeyImport: %w", err)
	}
	changed.Status = p.object.Status
	p.object, p.desired.Finalizer = changed, wanted
	return nil
}

// releaseObject gives up the key first, so that the record says why, and then lets the object go.
func (r *Reconciler) releaseObject(ctx context.Context, p *pass, action plan.ReleaseObject) error {
	p.observed.Unreleasable = true // until it is released
	if p.observed.Ownership == plan.Mine {
		record := p.observed.Record
		fate := fateOf(record, action)
		if err := r.client.Update(ctx, released(record, fate, r.clock.Now())); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("release KMSKeyRecord: %w", err)
		}
		p.observed.Record, p.observed.Ownership = nil, plan.Unclaimed
		r.tellRelease(ctx, p, record, action, fate)
	}
	if err := r.setFinalizer(ctx, p, false); err != nil {
		return err
	}
	p.observed.Unreleasable = false
	return nil
}

// fateOf is what became of the material of a key that is given up, as far as its record tells.
func fateOf(record *v1alpha1.KMSKeyRecord, action plan.ReleaseObject) string {
	switch {
	case action.Interrupted != "" && record.Intent != nil:
		return "an import into the key that the operator had emptied was not answered, so whether it holds its material is not known: " + action.Interrupted
	case action.Interrupted != "":
		return "the key is left without the material that the operator deleted in order to import it again: " + action.Interrupted
	case outcomeUnknown(record):
		return "whether the key's material was deleted is not known"
	case record.Withdrawal != nil && action.Retained == "":
		return "the key's material was deleted"
	case action.Retained != "":
		return "the key's material was not deleted: " + action.Retained
	default:
		return "nothing was done to the key"
	}
}

// outcomeUnknown reports whether a withdrawal may have been made whose answer was lost.
func outcomeUnknown(record *v1alpha1.KMSKeyRecord) bool {
	return record.Withdrawal != nil && record.Withdrawal.CompletedAt == nil
}

// observeSurroundings tells whether the key is wanted after this object is gone.
func (r *Reconciler) observeSurroundings(ctx context.Context, p *pass) error {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.live.Get(ctx, types.NamespacedName{Name: p.object.Namespace}, namespace)
	if err != nil && !apierrors.IsForbidden(err) {
		return fmt.Errorf("get Namespace: %w", err)
	}
	heir, listErr := r.heir(ctx, p)
	p.observed.Surroundings = plan.Surroundings{
		NamespaceTerminating: namespace.DeletionTimestamp != nil,
		NamespaceHidden:      err != nil,
		Heir:                 heir,
	}
	return listErr
}

// heir reports whether another object, which is not being deleted, names this object's key: the same manifest under
// another name perhaps. An alias is known by where it led to or, in the same namespace, as long as that is not known.
func (r *Reconciler) heir(ctx context.Context, p *pass) (bool, error) {
	if p.observed.Ownership != plan.Mine {
		return false, nil
	}
	list := &v1alpha1.KMSKeyImportList{}
	if err := r.client.List(ctx, list); err != nil {
		return false, fmt.Errorf("list KMSKeyImports: %w", err)
	}
	return slices.ContainsFunc(list.Items, p.inheritedBy), nil
}

// inheritedBy reports whether the key is, or may be, that of another object as well.
func (p *pass) inheritedBy(other v1alpha1.KMSKeyImport) bool {
	return other.UID != p.object.UID && other.DeletionTimestamp == nil &&
		(mayName(&other, p.observed.Record.KeyARN, p.object.Namespace) || other.Spec.KeyID == p.desired.KeyID)
}

// confirmNoHeir asks the API server for what the cache may not show yet.
func (r *Reconciler) confirmNoHeir(ctx context.Context, p *pass) error {
	namespaces := r.watched
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, namespace := range namespaces {
		if err := r.confirmNoHeirIn(ctx, p, namespace); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) confirmNoHeirIn(ctx context.Context, p *pass, namespace string) error {
	for next := ""; ; {
		list := &v1alpha1.KMSKeyImportList{}
		if err := r.live.List(ctx, list, client.InNamespace(namespace), client.Limit(heirsAtOnce), client.Continue(next)); err != nil {
			return fmt.Errorf("list KMSKeyImports: %w", err)
		}
		if slices.ContainsFunc(list.Items, p.inheritedBy) {
			return fmt.Errorf("objects that name the key: %w", errStale)
		}
		if next = list.Continue; next == "" {
			return nil
		}
	}
}

func mayName(object *v1alpha1.KMSKeyImport, keyARN, namespace string) bool {
	keyID := object.Spec.KeyID
	isAlias := strings.HasPrefix(keyID, "alias/") || strings.Contains(keyID, ":alias/")
	return keyARNOf(object) == keyARN || keyID == keyARN || strings.HasSuffix(keyARN, "/"+keyID) ||
		isAlias && object.Status.Key == nil && object.Namespace == namespace
}
