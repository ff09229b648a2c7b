package simulation_test

import (
	"bytes"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// seat is where a KMSKeyImport may stand that names a key. Each key has two: in one namespace and with one Secret, or in
// two namespaces, each with a Secret of its own.
type seat struct {
	l          *life
	namespace  string
	name       string
	secretName string
	checked    string // the resourceVersion whose invariants were checked
	deletion   *deletion
}

func (t *seat) at(kind string) ref {
	switch kind {
	case kindSecret:
		return ref{kind: kind, namespace: t.namespace, name: t.secretName}
	case kindSpace:
		return ref{kind: kind, name: t.namespace}
	default:
		return ref{kind: kind, namespace: t.namespace, name: t.name}
	}
}

// object and secret are what the API server holds; nil when it holds none.
func (t *seat) object() *v1alpha1.KMSKeyImport {
	found, _ := t.l.s.api.live(t.at(kindImport)).(*v1alpha1.KMSKeyImport)
	return found
}

func (t *seat) secret() *corev1.Secret {
	found, _ := t.l.s.api.live(t.at(kindSecret)).(*corev1.Secret)
	return found
}

func (t *seat) isDeleted() bool {
	object := t.object()
	return object != nil && object.DeletionTimestamp != nil
}

// asks reports whether there is an object that is not being deleted.
func (t *seat) asks() bool { return t.object() != nil && !t.isDeleted() }

func (t *seat) terminating() bool {
	space := t.l.s.api.live(t.at(kindSpace))
	return space != nil && space.GetDeletionTimestamp() != nil
}

func (t *seat) owns() bool {
	object, record := t.object(), t.l.record()
	return object != nil && record != nil && record.Owner != nil && record.Owner.UID == object.UID
}

// holder is the seat of the record's owner or, where it has none, of whoever should become it.
func (l *life) holder() *seat {
	for _, fits := range []func(*seat) bool{(*seat).owns, (*seat).asks, func(t *seat) bool { return t.object() != nil }} {
		for _, t := range l.seats {
			if fits(t) {
				return t
			}
		}
	}
	return l.seats[0]
}

// vacant is a seat without an object.
func (l *life) vacant() *seat {
	for _, t := range l.seats {
		if t.object() == nil {
			return t
		}
	}
	return nil
}

func (l *life) object() *v1alpha1.KMSKeyImport { return l.holder().object() }

func (l *life) edit(change func(*v1alpha1.KMSKeyImport)) { l.holder().edit(change) }

func (l *life) editSecret(change func(*corev1.Secret)) { l.holder().editSecret(change) }

// sourceIntact reports whether the Secret is there, consents and holds the material.
func (l *life) sourceIntact() bool { return l.holder().sourceIntact() }

func (t *seat) sourceIntact() bool {
	secret := t.secret()
	return secret != nil && secret.Labels[v1alpha1.LabelKeyMaterial] == "true" && bytes.Equal(secret.Data["material"], t.l.material)
}

// haveNamespace makes it where it is missing; false while the last one of that name is going.
func (t *seat) haveNamespace() bool {
	if t.l.s.api.live(t.at(kindSpace)) == nil {
		space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: t.namespace, Finalizers: []string{"kubernetes"}}}
		t.l.s.must(t.l.s.api.create(space))
	}
	return !t.terminating()
}

func (t *seat) createSecret() {
	if !t.haveNamespace() || t.secret() != nil {
		return
	}
	t.l.s.must(t.l.s.api.create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: t.namespace, Name: t.secretName, Labels: map[string]string{v1alpha1.LabelKeyMaterial: "true"},
		},
		Data: map[string][]byte{"material": bytes.Clone(t.l.material)},
	}))
}

func (t *seat) createObject() {
	l := t.l
	t.create(v1alpha1.KMSKeyImportSpec{
		KeyID: l.keyARN,
		Material: v1alpha1.KeyMaterialSource{
			Encoding:           v1alpha1.MaterialEncodingRaw,
			WeakMaterialPolicy: v1alpha1.WeakMaterialReject,
		},
		Wrapping:          l.s.randomWrapping(),
		Expiration:        l.s.randomExpiration(),
		OnMaterialDeleted: l.s.randomResponse(),
		ReimportPolicy:    l.s.randomReimport(),
		DeletionPolicy:    l.s.randomDeletion(),
	})
}

func (t *seat) create(spec v1alpha1.KMSKeyImportSpec) {
	if !t.haveNamespace() || t.object() != nil {
		return
	}
	unseen := int64(-1)
	spec.Material.SecretRef = v1alpha1.SecretKeyReference{Name: t.secretName, Key: "material"}
	object := &v1alpha1.KMSKeyImport{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: t.name},
		Spec:       spec,
		Status:     v1alpha1.KMSKeyImportStatus{ObservedGeneration: &unseen},
	}
	if t.l.requests > 0 { // as backup and GitOps restore it
		object.Annotations = map[string]string{v1alpha1.AnnotationReimportRequestedAt: fmt.Sprint(t.l.requests)}
	}
	t.l.s.must(t.l.s.api.create(object))
}

// edit changes the object as kubectl edit does.
func (t *seat) edit(change func(*v1alpha1.KMSKeyImport)) {
	if found := t.object(); found != nil {
		object := found.DeepCopy()
		change(object)
		t.l.s.must(t.l.s.api.replace(object, specOnly))
	}
}

func (t *seat) editSecret(change func(*corev1.Secret)) {
	if found := t.secret(); found != nil {
		secret := found.DeepCopy()
		if secret.Labels == nil {
			secret.Labels = map[string]string{}
		}
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		change(secret)
		t.l.s.must(t.l.s.api.replace(secret, specOnly))
	}
}

func (l *life) suspend() { l.edit(func(o *v1alpha1.KMSKeyImport) { o.Spec.Suspend = aws.Bool(true) }) }

// cacheLags reports whether the operator sees the object as it was.
func (t *seat) cacheLags() bool { return t.l.s.api.lags(t.at(kindImport)) }

func (t *seat) condition(conditionType string) *metav1.Condition {
	if object := t.object(); object != nil {
		return meta.FindStatusCondition(object.Status.Conditions, conditionType)
	}
	return nil
}

func (l *life) condition(conditionType string) *metav1.Condition {
	return l.holder().condition(conditionType)
}

func (t *seat) stalledFor(reason string) bool {
	stalled := t.condition("Stalled")
	return stalled != nil && stalled.Reason == reason
}

func (l *life) stalledFor(reason string) bool { return l.holder().stalledFor(reason) }

func (t *seat) request() ctrl.Request {
	return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: t.namespace, Name: t.name}}
}

// claims reports whether the operator, by what a watch tells it of a record, comes to look at this seat.
func (t *seat) claims(owners ...v1alpha1.RecordOwner) bool {
	for _, owner := range owners {
		if owner.Namespace == t.namespace && owner.Name == t.name {
			return true
		}
	}
	object := t.object()
	return object != nil && object.Status.Key != nil
}
