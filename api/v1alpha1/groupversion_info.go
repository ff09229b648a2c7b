// Package v1alpha1 is the kms.keyimport.dev/v1alpha1 API: KMSKeyImport, which people write, and KMSKeyRecord, which
// the operator keeps for itself.
//
// +kubebuilder:object:generate=true
// +groupName=kms.keyimport.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "kms.keyimport.dev", Version: "v1alpha1"}

// AddToScheme registers the kinds of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&KMSKeyImport{}, &KMSKeyImportList{},
		&KMSKeyRecord{}, &KMSKeyRecordList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
