package controllers

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// restart is a new process: it remembers nothing. What it reads from its cache does not fail.
func (w *world) restart() {
	cached := interceptor.NewClient(w.objects, interceptor.Funcs{
		Get: func(ctx context.Context, next client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			return w.getCached(ctx, next, key, object, options...)
		},
		List: func(ctx context.Context, next client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			return w.listCached(ctx, next, list, options...)
		},
		Create: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return w.write("create "+kindOf(object), func() error { return next.Create(ctx, object, options...) })
		},
		Update: func(ctx context.Context, next client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return w.write("update "+kindOf(object), func() error { return next.Update(ctx, object, options...) })
		},
		Patch: func(ctx context.Context, next client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return w.write("patch "+kindOf(object), func() error { return next.Patch(ctx, object, patch, options...) })
		},
		SubResourceUpdate: func(ctx context.Context, next client.Client, subResource string, object client.Object, options ...client.SubResourceUpdateOption) error {
			return w.write("update "+subResource, func() error { return next.SubResource(subResource).Update(ctx, object, options...) })
		},
	})
	live := interceptor.NewClient(w.objects, interceptor.Funcs{
		Get: func(ctx context.Context, next client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			return w.read("read "+kindOf(object), func() error { return next.Get(ctx, key, object, options...) })
		},
		List: func(ctx context.Context, next client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			return w.read("list "+listed(list), func() error { return next.List(ctx, list, options...) })
		},
	})
	w.reconciler = NewReconciler(Options{
		Client: cached, Live: live, KMS: scriptedKMS{w}, Dialect: w.dialect, Recorder: &events.FakeRecorder{}, Clock: w.clock,
		Namespace: operatorsOwn, Resync: worldResync, ParametersRate: 1000,
	})
}

func listed(list client.ObjectList) string {
	if _, ok := list.(*v1alpha1.KMSKeyRecordList); ok {
		return "records"
	}
	return "objects"
}

func kindOf(object client.Object) string {
	switch object.(type) {
	case *v1alpha1.KMSKeyRecord:
		return "record"
	case *v1alpha1.KMSKeyImport:
		return "object"
	case *corev1.Secret:
		return "Secret"
	default:
		return "metadata"
	}
}

func (w *world) write(name string, run func() error) error {
	return w.script.call(kindWrite, name, func() error {
		err := run()
		if err == nil {
			w.wrote++
		}
		return err
	})
}

func (w *world) read(name string, run func() error) error { return w.script.call(kindRead, name, run) }

// scriptedKMS is the operator's KMS.
type scriptedKMS struct{ w *world }

// DescribeKey implements kms.Service.
func (s scriptedKMS) DescribeKey(ctx context.Context, keyID string) (key kms.Key, err error) {
	err = s.w.script.call(kindAsk, "DescribeKey", func() (err error) {
		s.w.looked++
		key, err = s.w.kms.DescribeKey(ctx, keyID)
		return err
	})
	return key, err
}

// GetParametersForImport implements kms.Service.
func (s scriptedKMS) GetParametersForImport(ctx context.Context, keyARN string, wrapping kms.Wrapping) (parameters kms.ImportParameters, err error) {
	err = s.w.script.call(kindAsk, "GetParametersForImport", func() (err error) {
		parameters, err = s.w.kms.GetParametersForImport(ctx, keyARN, wrapping)
		return err
	})
	return parameters, err
}

// ImportKeyMaterial implements kms.Service. It counts what KMS really did.
func (s scriptedKMS) ImportKeyMaterial(ctx context.Context, request kms.ImportRequest) (result kms.ImportResult, err error) {
	s.w.checkEffect(request)
	err = s.w.script.call(kindEffect, "ImportKeyMaterial", func() (err error) {
		result, err = s.w.kms.ImportKeyMaterial(ctx, request)
		if err == nil {
			s.w.made = append(s.w.made, request.Expiry)
		}
		return err
	})
	return result, err
}

// DeleteImportedKeyMaterial implements kms.Service.
func (s scriptedKMS) DeleteImportedKeyMaterial(ctx context.Context, request kms.DeletionRequest) (result kms.DeletionResult, err error) {
	s.w.checkWithdrawal(request)
	err = s.w.script.call(kindEffect, "DeleteImportedKeyMaterial", func() (err error) {
		result, err = s.w.kms.DeleteImportedKeyMaterial(ctx, request)
		if err == nil {
			s.w.withdrawn++
		}
		return err
	})
	return result, err
}
