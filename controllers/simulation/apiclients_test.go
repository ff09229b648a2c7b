package simulation_test

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// cacheClient is the operator's client: it reads from the cache. Methods that the operator has no use for are nil.
type cacheClient struct {
	client.Client
	*apiServer
	faults *apiFaults
}

// liveReader reads from the API server.
type liveReader struct {
	client.Reader
	*apiServer
	faults *apiFaults
}

func (c *cacheClient) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	return get(refOf(named(into, key)), c.cached, into)
}

func (l *liveReader) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	at := refOf(named(into, key))
	if err := l.faults.read(at); err != nil {
		return err
	}
	switch at.kind {
	case kindImport:
		l.faults.s.pass.unconfirmed = false
	case kindSecret:
		if at == l.faults.s.pass.seat.at(kindSecret) { // and not the fingerprint key's
			l.faults.s.pass.unread = false
		}
	}
	return get(at, l.live, into)
}

func named(object client.Object, key client.ObjectKey) client.Object {
	object.SetNamespace(key.Namespace)
	object.SetName(key.Name)
	return object
}

func get(at ref, from func(ref) client.Object, into client.Object) error {
	found := from(at)
	if found == nil {
		return apierrors.NewNotFound(resource(at), at.name)
	}
	hand(found, into)
	return nil
}

func (c *cacheClient) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	return c.list(list, c.cached, options)
}

func (l *liveReader) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := l.faults.read(ref{kind: kindRecord}); err != nil {
		return err
	}
	return l.list(list, l.live, options)
}

// list knows all imports, and how records are found: by the UID or by the name of their owner.
func (a *apiServer) list(list client.ObjectList, from func(ref) client.Object, options []client.ListOption) error {
	if imports, ok := list.(*v1alpha1.KMSKeyImportList); ok {
		for at := range a.objects {
			if found, ok := from(at).(*v1alpha1.KMSKeyImport); ok {
				imports.Items = append(imports.Items, *found)
			}
		}
		return nil
	}
	selected := (&client.ListOptions{}).ApplyOptions(options)
	records := list.(*v1alpha1.KMSKeyRecordList)
	candidates, matches := a.selector(selected)
	for _, at := range candidates {
		found := from(at)
		if found != nil && found.(*v1alpha1.KMSKeyRecord).Owner != nil && matches(*found.(*v1alpha1.KMSKeyRecord).Owner) {
			records.Items = append(records.Items, *found.(*v1alpha1.KMSKeyRecord).DeepCopy())
		}
	}
	return nil
}

func (a *apiServer) selector(selected *client.ListOptions) ([]ref, func(v1alpha1.RecordOwner) bool) {
	if labels := selected.LabelSelector; labels != nil {
		requirements, _ := labels.Requirements()
		uid := types.UID(requirements[0].Values().List()[0])
		return a.owned[uid], func(owner v1alpha1.RecordOwner) bool { return owner.UID == uid }
	}
	requirement := selected.FieldSelector.Requirements()[0]
	switch requirement.Field {
	case "owner.uid":
		return a.owned[types.UID(requirement.Value)], func(owner v1alpha1.RecordOwner) bool {
			return string(owner.UID) == requirement.Value
		}
	case "owner.name":
		return a.named[requirement.Value], func(owner v1alpha1.RecordOwner) bool {
			return owner.Namespace+"/"+owner.Name == requirement.Value
		}
	default:
		panic("no index " + requirement.Field)
	}
}

func (c *cacheClient) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	return c.faults.write(refOf(object), func() error { return c.create(object) })
}

func (c *cacheClient) Update(_ context.Context, object client.Object, _ ...client.UpdateOption) error {
	return c.faults.write(refOf(object), func() error { return c.replace(object, specOnly) })
}

// Patch is made of finalizers alone, under an optimistic lock.
func (c *cacheClient) Patch(_ context.Context, object client.Object, _ client.Patch, _ ...client.PatchOption) error {
	return c.faults.write(refOf(object), func() error { return c.replace(object, specOnly) })
}

func (c *cacheClient) Status() client.SubResourceWriter { return statusWriter{c: c} }

type statusWriter struct {
	client.SubResourceWriter
	c *cacheClient
}

func (w statusWriter) Update(_ context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	return w.c.faults.write(refOf(object), func() error { return w.c.replace(object, statusOnly) })
}

// apiFaults are between the operator and the API server.
type apiFaults struct {
	s *simulation
}

func (f *apiFaults) read(at ref) error {
	f.s.timeline.pass(f.s.between(time.Millisecond, 20*time.Millisecond))
	f.s.interfere()
	if f.s.weather.apiDown || f.s.happens(0.002) {
		return f.fail(at, apierrors.NewServerTimeout(resource(at), "get", 1))
	}
	return nil
}

// write may fail before or after it has taken effect, and the process may be paused or end then.
func (f *apiFaults) write(at ref, do func() error) error {
	f.s.timeline.pass(f.s.between(time.Millisecond, 50*time.Millisecond))
	f.s.interfere()
	switch {
	case f.s.weather.apiDown || f.s.happens(0.003):
		return f.fail(at, apierrors.NewServerTimeout(resource(at), "update", 1))
	case f.s.happens(0.003):
		return f.fail(at, apierrors.NewConflict(resource(at), at.name, errors.New("simulated")))
	}
	if err := do(); err != nil {
		return err
	}
	if f.s.happens(0.002) {
		f.s.timeline.pass(45 * time.Second)
	}
	f.s.crashes()
	if f.s.happens(0.003) {
		return f.fail(at, apierrors.NewTimeoutError("simulated", 1))
	}
	return nil
}

func (f *apiFaults) fail(at ref, err error) error {
	f.s.pass.apiFailed = true
	if at.kind == kindRecord {
		f.s.current.cause("a record that was not written")
	}
	return f.s.fault(err)
}
