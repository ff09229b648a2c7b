package simulation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// apiServer keeps objects as an API server does, with optimistic locks, generations and times in whole seconds, and what
// a cache shows of them, which may be the version before. It is lean: controller-runtime's fake looks at every object for
// every list, and a simulation makes half a million.
type apiServer struct {
	timeline *timeline
	clock    *wallClock
	random   *rand.Rand
	objects  map[ref]*stored
	versions int
	owned    map[types.UID][]ref // the records that an object has ever owned
	named    map[string][]ref    // the same by the owner's namespace and name
	// changed is told of a change at the time when the cache shows it.
	changed func(at ref, before, after client.Object, lag time.Duration)
	writes  int
}

type ref struct{ kind, namespace, name string }

const (
	kindImport = "KMSKeyImport"
	kindRecord = "KMSKeyRecord"
	kindSecret = "Secret"
	kindSpace  = "Namespace"
)

// stored is an object in its present version and the one that the cache shows for the time being; nil is none.
type stored struct {
	now, before client.Object
	beforeUntil time.Duration
}

func newAPIServer(clock *wallClock, random *rand.Rand) *apiServer {
	return &apiServer{
		timeline: clock.timeline, clock: clock, random: random,
		objects: map[ref]*stored{}, owned: map[types.UID][]ref{}, named: map[string][]ref{},
	}
}

func refOf(object client.Object) ref {
	at := ref{namespace: object.GetNamespace(), name: object.GetName()}
	switch object := object.(type) {
	case *v1alpha1.KMSKeyImport:
		at.kind = kindImport
	case *v1alpha1.KMSKeyRecord:
		at.kind = kindRecord
	case *corev1.Secret:
		at.kind = kindSecret
	case *corev1.Namespace:
		at.kind = kindSpace
	case *metav1.PartialObjectMetadata:
		at.kind = object.Kind
	default:
		panic(fmt.Sprintf("no such objects: %T", object))
	}
	return at
}

// live is the present version; nil when there is none.
func (a *apiServer) live(at ref) client.Object {
	if found := a.objects[at]; found != nil {
		return found.now
	}
	return nil
}

// lags reports whether the cache shows another version than the present one.
func (a *apiServer) lags(at ref) bool {
	found := a.objects[at]
	return found != nil && a.timeline.elapsed < found.beforeUntil
}

// cached is the version that the operator's cache shows. Of Secrets it shows those that consent.
func (a *apiServer) cached(at ref) client.Object {
	found := a.objects[at]
	if found == nil {
		return nil
	}
	shown := found.now
	if a.timeline.elapsed < found.beforeUntil {
		shown = found.before
	}
	if at.kind == kindSecret && shown != nil && shown.GetLabels()[v1alpha1.LabelKeyMaterial] != "true" {
		return nil
	}
	return shown
}

// put stores a version that has been checked, nil to delete. A version without a difference is none.
func (a *apiServer) put(at ref, object client.Object) {
	entry := a.objects[at]
	if entry == nil {
		entry = &stored{}
		a.objects[at] = entry
	}
	last := entry.now
	if last != nil && object != nil && equality.Semantic.DeepEqual(last, object) {
		return
	}
	if a.timeline.elapsed >= entry.beforeUntil {
		entry.before = last
	}
	lag := a.lag()
	entry.beforeUntil = max(entry.beforeUntil, a.timeline.elapsed+lag)
	if object != nil {
		a.versions++
		object.SetResourceVersion(strconv.Itoa(a.versions))
		a.index(at, object)
	}
	entry.now = object
	a.writes++
	a.changed(at, last, object, max(entry.beforeUntil-a.timeline.elapsed, 0))
}

// lag is how long the cache shows the version before: mostly not at all.
func (a *apiServer) lag() time.Duration {
	switch dice := a.random.Float64(); {
	case dice < 0.01:
		return time.Duration(a.random.Int64N(int64(time.Minute)))
	case dice < 0.1:
		return time.Duration(a.random.Int64N(int64(3 * time.Second)))
	default:
		return 0
	}
}

func (a *apiServer) index(at ref, object client.Object) {
	record, ok := object.(*v1alpha1.KMSKeyRecord)
	if !ok || record.Owner == nil {
		return
	}
	if !slices.Contains(a.owned[record.Owner.UID], at) {
		a.owned[record.Owner.UID] = append(a.owned[record.Owner.UID], at)
	}
	name := record.Owner.Namespace + "/" + record.Owner.Name
	if !slices.Contains(a.named[name], at) {
		a.named[name] = append(a.named[name], at)
	}
}

// overWire is what is left of an object on its way through JSON: times in whole seconds, for example.
func overWire[T client.Object](object T, empty T) T {
	text, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(empty); err != nil {
		panic(err)
	}
	return empty
}

func copyThroughWire(object client.Object) client.Object {
	switch object := object.(type) {
	case *v1alpha1.KMSKeyImport:
		return overWire(object, &v1alpha1.KMSKeyImport{})
	case *v1alpha1.KMSKeyRecord:
		return overWire(object, &v1alpha1.KMSKeyRecord{})
	case *corev1.Secret:
		return overWire(object, &corev1.Secret{})
	case *corev1.Namespace:
		return overWire(object, &corev1.Namespace{})
	default:
		panic(fmt.Sprintf("nobody writes %T", object))
	}
}

// hand gives a reader a copy.
func hand(from, to client.Object) {
	switch to := to.(type) {
	case *v1alpha1.KMSKeyImport:
		from.(*v1alpha1.KMSKeyImport).DeepCopyInto(to)
	case *v1alpha1.KMSKeyRecord:
		from.(*v1alpha1.KMSKeyRecord).DeepCopyInto(to)
	case *corev1.Secret:
		from.(*corev1.Secret).DeepCopyInto(to)
	case *corev1.Namespace:
		from.(*corev1.Namespace).DeepCopyInto(to)
	case *metav1.PartialObjectMetadata:
		to.ObjectMeta = metav1.ObjectMeta{
			Namespace: from.GetNamespace(), Name: from.GetName(), UID: from.GetUID(),
			ResourceVersion: from.GetResourceVersion(), Labels: map[string]string{},
			DeletionTimestamp: from.GetDeletionTimestamp(), OwnerReferences: from.GetOwnerReferences(),
		}
		maps.Copy(to.Labels, from.GetLabels())
	}
}

func resource(at ref) schema.GroupResource { return schema.GroupResource{Resource: at.kind} }

// create and replace are what writers of any kind go through; the object becomes what was stored.
func (a *apiServer) create(object client.Object) error {
	at := refOf(object)
	if a.live(at) != nil {
		return apierrors.NewAlreadyExists(resource(at), at.name)
	}
	if object.GetUID() == "" {
		a.versions++
		object.SetUID(types.UID(fmt.Sprintf("uid-%d", a.versions)))
	}
	made := copyThroughWire(object)
	made.SetGeneration(1)
	a.put(at, made)
	hand(made, object)
	return nil
}

func (a *apiServer) replace(object client.Object, merge func(last, next client.Object)) error {
	at := refOf(object)
	last := a.live(at)
	if last == nil {
		return apierrors.NewNotFound(resource(at), at.name)
	}
	if last.GetUID() != object.GetUID() || last.GetResourceVersion() != object.GetResourceVersion() {
		return apierrors.NewConflict(resource(at), at.name, errors.New("the object has been modified"))
	}
	next := copyThroughWire(object)
	merge(last, next)
	if next.GetDeletionTimestamp() != nil && len(next.GetFinalizers()) == 0 {
		a.put(at, nil)
		return nil
	}
	a.put(at, next)
	hand(a.live(at), object)
	return nil
}

// statusOnly and specOnly keep the other half of an import as it was.
func statusOnly(last, next client.Object) {
	is, was := next.(*v1alpha1.KMSKeyImport), last.(*v1alpha1.KMSKeyImport).DeepCopy()
	status := is.Status
	*is = *was
	is.Status = status
}

func specOnly(last, next client.Object) {
	is, ok := next.(*v1alpha1.KMSKeyImport)
	if !ok {
		return
	}
	was := last.(*v1alpha1.KMSKeyImport)
	was.Status.DeepCopyInto(&is.Status)
	is.Generation = was.Generation
	if !equality.Semantic.DeepEqual(is.Spec, was.Spec) {
		is.Generation++
	}
}

// remove deletes an object if it is there, or marks it as deleted while finalizers keep it.
func (a *apiServer) remove(at ref) {
	last := a.live(at)
	switch {
	case last == nil, last.GetDeletionTimestamp() != nil:
		return
	case len(last.GetFinalizers()) == 0:
		a.put(at, nil)
		return
	}
	next := copyThroughWire(last)
	now := metav1.NewTime(a.clock.Now().Truncate(time.Second))
	next.SetDeletionTimestamp(&now)
	next.SetGeneration(next.GetGeneration() + 1)
	a.put(at, next)
}
