//go:build kill && unix

package kill_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8stypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// fleet is all keys of a world, and those who own, use and damage them.
type fleet struct {
	w        *world
	keys     []*key
	byName   map[k8stypes.NamespacedName]*key
	requests int
	byHand   int          // how often people have deleted what a manager was about to, and has not
	retained map[fate]int // how many objects went and left the material in the key
	struckAt time.Time    // when the leader was paused
	strays   int          // how many imports a leader may have sent that was overtaken: they are in no record
}

// newFleet makes the keys in KMS. Their objects come later.
func newFleet(t *testing.T, w *world, size int) *fleet {
	t.Helper()
	f := &fleet{w: w, byName: map[k8stypes.NamespacedName]*key{}, retained: map[fate]int{}}
	for n := range size {
		f.add(t, newKey(n, w.namespaces[n/2%len(w.namespaces)]))
	}
	return f
}

// add makes a key in KMS, with its material where it is to be adopted.
func (f *fleet) add(t *testing.T, k *key) {
	t.Helper()
	k.arn = f.w.createKey(t, k.spec)
	k.object.KeyID = k.arn
	f.keys = append(f.keys, k)
	f.byName[k.name] = k
	if !k.adopted {
		return
	}
	if err := k.bringIn(t.Context(), f.w); err != nil {
		t.Fatal(err)
	}
}

// create makes the Secret and the object of a key.
func (f *fleet) create(ctx context.Context, k *key) error {
	if err := f.createSecret(ctx, k); err != nil {
		return err
	}
	return f.apply(ctx, k)
}

func (f *fleet) createSecret(ctx context.Context, k *key) error {
	return f.w.k8s.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: k.name.Namespace, Name: k.secret, Labels: map[string]string{"kms.keyimport.dev/key-material": "true"}},
		Data:       map[string][]byte{"material": k.value},
	})
}

// rewrite writes a new version of the Secret with the same bytes: now and then a new Secret.
func (f *fleet) rewrite(ctx context.Context, k *key, anew bool) error {
	secret := &corev1.Secret{}
	if err := f.w.k8s.Get(ctx, k8stypes.NamespacedName{Namespace: k.name.Namespace, Name: k.secret}, secret); err != nil {
		return err
	}
	if !anew {
		secret.Annotations = map[string]string{"rewritten": f.newRequest()}
		return f.w.k8s.Update(ctx, secret)
	}
	if err := f.w.k8s.Delete(ctx, secret); err != nil {
		return err
	}
	secret.ObjectMeta = metav1.ObjectMeta{Namespace: secret.Namespace, Name: secret.Name, Labels: secret.Labels}
	return f.w.k8s.Create(ctx, secret)
}

// deleteMaterial deletes the material in KMS, to be told of at a time.
func (f *fleet) deleteMaterial(ctx context.Context, k *key, tellAt time.Time) error {
	k.told, k.tellAt = false, tellAt
	_, err := f.w.users.DeleteImportedKeyMaterial(ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: &k.arn})
	return err
}

// isSettled reports whether an object says that all is well and nothing under way.
func isSettled(object *v1alpha1.KMSKeyImport) bool {
	return len(object.Status.Conditions) == 1 && meta.IsStatusConditionTrue(object.Status.Conditions, "Ready")
}

// visit looks at every object and does what its people would: use the key once it can be used, ask for a look at what
// was deleted, and apply again what is gone.
func (f *fleet) visit(ctx context.Context, now time.Time) error {
	list := &v1alpha1.KMSKeyImportList{}
	if err := f.w.k8s.List(ctx, list); err != nil {
		return err
	}
	found := map[k8stypes.NamespacedName]*v1alpha1.KMSKeyImport{}
	for i := range list.Items {
		found[client.ObjectKeyFromObject(&list.Items[i])] = &list.Items[i]
	}
	for _, k := range f.keys {
		if err := f.call(ctx, k, found[k.name], now); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return nil
}

func (f *fleet) call(ctx context.Context, k *key, object *v1alpha1.KMSKeyImport, now time.Time) error {
	switch {
	case k.away:
		return f.lookAfter(ctx, k, object)
	case object == nil: // not made yet
		return nil
	case !k.seen() && isSettled(object):
		return f.keep(ctx, k, object)
	case k.back && isSettled(object):
		k.back = false
		return k.take(ctx, f.w.users, k.kept)
	case !k.tellAt.IsZero() && !now.Before(k.tellAt):
		return f.tell(ctx, k, object, now)
	case k.seen() && k.interruptible() && !isSettled(object):
		return f.endDoubt(ctx, k, object)
	}
	return nil
}

// tell asks for a look at a key whose material was deleted, and again after a while if that was answered and led to
// nothing: a manager that died, or a KMS that failed, leaves the next one waiting for an import to show that was there.
func (f *fleet) tell(ctx context.Context, k *key, object *v1alpha1.KMSKeyImport, now time.Time) error {
	const again = 5 * time.Second
	switch {
	case !k.told, isAnswered(object) && !isSettled(object):
		k.told, k.tellAt = true, now.Add(again)
		return f.annotate(ctx, object, v1alpha1.AnnotationReconcileRequestedAt, f.newRequest())
	case isAnswered(object):
		k.told, k.tellAt = false, time.Time{}
	}
	return nil
}

// keep uses the key for the first time. That its object is settled means that it can be used.
func (f *fleet) keep(ctx context.Context, k *key, object *v1alpha1.KMSKeyImport) error {
	made, err := k.make(ctx, f.w.users)
	if err != nil {
		return fmt.Errorf("the object is settled and the key cannot be used: %w", err)
	}
	if k.kept == nil {
		k.kept = made
	}
	k.fingerprint = object.Status.Material.Fingerprint
	if object.Status.ValidTo != nil {
		k.validTo = object.Status.ValidTo.Time
	}
	return nil
}

func (f *fleet) annotate(ctx context.Context, object *v1alpha1.KMSKeyImport, annotation, value string) error {
	patch := client.MergeFrom(object.DeepCopy())
	metav1.SetMetaDataAnnotation(&object.ObjectMeta, annotation, value)
	return f.w.k8s.Patch(ctx, object, patch)
}

func (f *fleet) newRequest() string {
	f.requests++
	return fmt.Sprintf("request %d", f.requests)
}

func stalledReason(object *v1alpha1.KMSKeyImport) string {
	if stalled := meta.FindStatusCondition(object.Status.Conditions, "Stalled"); stalled != nil {
		return stalled.Reason
	}
	return ""
}

// isServed reports whether everybody has had a first use of the key, and an answer to what was asked for.
func (f *fleet) isServed() error {
	for _, k := range f.keys {
		if !k.idle() || !k.tellAt.IsZero() {
			return fmt.Errorf("%s (%s) is not done with: used=%t, material deleted=%t, object deleted=%t, applied again=%t",
				k.name, k.fate, k.seen(), !k.tellAt.IsZero(), k.away, k.back)
		}
	}
	return nil
}

// serve runs a manager until that is so, and kills it.
func (f *fleet) serve(t *testing.T) {
	t.Helper()
	p := f.w.begin(t)
	eventually(t, func() error { return errors.Join(f.visit(t.Context(), time.Now()), f.isServed()) })
	p.kill()
	p.end(t)
}
