package controllers

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// CacheOptions are what the manager's cache must be made with: of Secrets, only the metadata of those that consent and
// of that only what is needed; of records, those of the operator's namespace. Without namespaces it watches all.
//
// A Secret's metadata is not harmless: `kubectl apply` copies the data into an annotation.
func CacheOptions(operatorNamespace string, namespaces []string) cache.Options {
	watched := map[string]cache.Config{}
	for _, namespace := range namespaces {
		watched[namespace] = cache.Config{}
	}
	return cache.Options{
		DefaultNamespaces:           watched,
		ReaderFailOnMissingInformer: true,
		ByObject: map[client.Object]cache.ByObject{
			secretMetadata(): {
				Label:     labels.SelectorFromSet(labels.Set{v1alpha1.LabelKeyMaterial: v1alpha1.LabelKeyMaterialConsent}),
				Transform: stripSecret,
			},
			&v1alpha1.KMSKeyRecord{}: {
				Namespaces: map[string]cache.Config{operatorNamespace: {}},
			},
		},
	}
}

// stripSecret keeps of a Secret's metadata its identity, its version and its consent.
func stripSecret(object any) (any, error) {
	if tombstone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		stripped, err := stripSecret(tombstone.Obj)
		tombstone.Obj = stripped
		return tombstone, err
	}
	full, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	return &metav1.PartialObjectMetadata{
		TypeMeta: full.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       full.Namespace,
			Name:            full.Name,
			UID:             full.UID,
			ResourceVersion: full.ResourceVersion,
			Labels:          map[string]string{v1alpha1.LabelKeyMaterial: full.Labels[v1alpha1.LabelKeyMaterial]},
		},
	}, nil
}
