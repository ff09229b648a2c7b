//go:build kill && unix

package kill_test

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// fate is what happens to an object with its deletion, after which it is applied again.
type fate string

const (
	retains   fate = "by policy"          // its deletionPolicy is Retain
	withdraws fate = "withdrawn"          // the one that deletes the material
	pruned    fate = "Secret pruned too"  // so that the material could not be brought back
	suspends  fate = "suspended"          // at the last moment
	adopts    fate = "adopted"            // its material was in the key before
	renames   fate = "under another name" // the same manifest is applied under another name at once
)

// asksForDeletion reports whether the object's deletionPolicy is DeleteKeyMaterial.
func (k *key) asksForDeletion() bool {
	return k.object.DeletionPolicy == v1alpha1.DeletionPolicyDeleteKeyMaterial
}

// interruptible reports whether the material may be deleted in order to import it again.
func (k *key) interruptible() bool {
	return k.object.ReimportPolicy == v1alpha1.ReimportAllowInterruption
}

func (k *key) needsFinalizer() bool { return k.asksForDeletion() || k.interruptible() }

// ask gives an object a fate.
func (k *key) ask(what fate) {
	k.fate = what
	if what != retains {
		k.object.DeletionPolicy = v1alpha1.DeletionPolicyDeleteKeyMaterial
	}
	k.adopted = k.adopted || what == adopts
}

// leave deletes an object, and with it what its fate says.
func (f *fleet) leave(ctx context.Context, k *key) error {
	object := &v1alpha1.KMSKeyImport{}
	if err := f.w.k8s.Get(ctx, k.name, object); err != nil {
		return err
	}
	k.away = true
	switch k.fate {
	case withdraws:
		f.permit(k, v1alpha1.WithdrawnWithObject)
	case suspends:
		patch := client.MergeFrom(object.DeepCopy())
		object.Spec.Suspend = new(true)
		if err := f.w.k8s.Patch(ctx, object, patch); err != nil {
			return err
		}
	case pruned:
		if err := f.w.k8s.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.name.Namespace, Name: k.secret}}); err != nil {
			return err
		}
	case retains, adopts, renames:
	}
	if err := f.w.k8s.Delete(ctx, object); err != nil || k.fate != renames {
		return err
	}
	return f.rename(ctx, k)
}

// permit expects a manager to delete the material of a key.
func (f *fleet) permit(k *key, cause v1alpha1.WithdrawalCause) {
	k.permits++
	f.w.kms.permit(k.arn, permit{cause: cause, object: k.name, secret: k.secret, value: k.value})
}

// rename applies the object under another name.
func (f *fleet) rename(ctx context.Context, k *key) error {
	delete(f.byName, k.name)
	k.name.Name += "-renamed"
	f.byName[k.name] = k
	f.retained[k.fate]++
	k.away = false
	return f.apply(ctx, k)
}

// comeBack applies an object again once it is gone, and makes sure first that its deletion has done what it should have,
// and no more.
func (f *fleet) comeBack(ctx context.Context, k *key) error {
	empty, err := f.w.isEmpty(ctx, k.arn)
	switch {
	case err != nil:
		return err
	case empty != (k.fate == withdraws):
		return fmt.Errorf("the object is gone (%s), and that KMS holds no material is %t", k.fate, empty)
	case k.fate == withdraws:
		f.w.kms.revoke(k.arn)
	default:
		f.retained[k.fate]++
		if err := k.take(ctx, f.w.users, k.kept); err != nil {
			return err
		}
	}
	if k.fate == pruned {
		if err := f.createSecret(ctx, k); err != nil {
			return err
		}
	}
	k.away = false
	return f.apply(ctx, k)
}

// apply makes the object.
func (f *fleet) apply(ctx context.Context, k *key) error {
	k.applied++
	k.back = k.applied > 1
	return f.w.k8s.Create(ctx, &v1alpha1.KMSKeyImport{
		ObjectMeta: metav1.ObjectMeta{Namespace: k.name.Namespace, Name: k.name.Name}, Spec: *k.object.DeepCopy(),
	})
}

// lookAfter does for an object that is gone, or going, what its people would.
func (f *fleet) lookAfter(ctx context.Context, k *key, object *v1alpha1.KMSKeyImport) error {
	if object == nil {
		return f.comeBack(ctx, k)
	}
	return f.endDoubt(ctx, k, object)
}

// endDoubt deletes material by hand where the operator has announced to do so, and nobody has: the request was lost. The
// operator would wait for five minutes before it announces that anew.
func (f *fleet) endDoubt(ctx context.Context, k *key, object *v1alpha1.KMSKeyImport) error {
	const sent = 12 * time.Second // a request that was announced is sent within 10 s, or not at all
	record := &v1alpha1.KMSKeyRecord{}
	if err := f.w.k8s.Get(ctx, f.w.recordName(k.arn), record); err != nil {
		return err
	}
	doubtful := record.Withdrawal
	if doubtful == nil || doubtful.CompletedAt != nil || time.Since(doubtful.Time.Time) < sent {
		return nil
	}
	empty, err := f.w.isEmpty(ctx, k.arn)
	if err != nil || empty {
		return err
	}
	f.byHand++
	if err := f.deleteMaterial(ctx, k, time.Time{}); err != nil {
		return err
	}
	err = f.annotate(ctx, object, v1alpha1.AnnotationReconcileRequestedAt, f.newRequest())
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// bringIn imports the material into a key by hand, and uses it.
func (k *key) bringIn(ctx context.Context, w *world) error {
	if err := k.reimport(ctx, w.users, k.bytes); err != nil {
		return err
	}
	made, err := k.make(ctx, w.users)
	k.kept = made
	return err
}
