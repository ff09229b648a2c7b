package v1alpha1_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// Objects with every field there is, as they are stored in clusters. What stands here was shipped: it is added to, and
// never changed.
const (
	everyField = `{
		"spec": {
			"keyID": "alias/payments",
			"material": {
				"secretRef": {"name": "payments-material", "key": "aes256.b64"},
				"encoding": "Base64",
				"weakMaterialPolicy": "Allow"
			},
			"wrapping": {"algorithm": "RSAES_OAEP_SHA_1", "keySpec": "RSA_3072"},
			"expiration": {"validFor": "2160h0m0s", "renewBefore": "720h0m0s"},
			"onMaterialDeleted": "Hold",
			"reimportPolicy": "AllowInterruption",
			"deletionPolicy": "DeleteKeyMaterial",
			"suspend": true
		},
		"status": {
			"observedGeneration": 3,
			"conditions": [{
				"type": "Ready", "status": "True", "observedGeneration": 3, "lastTransitionTime": "2026-11-23T09:00:00Z",
				"reason": "Imported", "message": "the key is usable"
			}],
			"key": {
				"arn": "arn:aws:kms:eu-west-1:111122223333:key/1", "state": "Enabled", "spec": "SYMMETRIC_DEFAULT",
				"usage": "ENCRYPT_DECRYPT", "multiRegion": false
			},
			"expirationModel": "KEY_MATERIAL_EXPIRES",
			"validTo": "2027-02-21T09:00:00Z",
			"renewalTime": "2027-01-22T09:00:00Z",
			"material": {
				"fingerprint": "hmac-sha256:1:2", "keyMaterialID": "3", "importedAt": "2026-11-23T09:00:00Z",
				"wrappingAlgorithm": "RSAES_OAEP_SHA_1", "wrappingKeySpec": "RSA_3072"
			},
			"lastHandledReconcileAt": "2026-11-23T08:00:00Z",
			"lastHandledReimportAt": "2026-11-23T08:30:00Z"
		}
	}`
	fixedDate = `{
		"spec": {
			"keyID": "alias/payments",
			"material": {"secretRef": {"name": "payments-material", "key": "material"}, "encoding": "Raw", "weakMaterialPolicy": "Reject"},
			"expiration": {"validTo": "2027-06-01T00:00:00Z"},
			"onMaterialDeleted": "Reimport",
			"reimportPolicy": "InPlace",
			"deletionPolicy": "Retain"
		},
		"status": {"observedGeneration": -1}
	}`
	everyRecordField = `{
		"keyARN": "arn:aws:kms:eu-west-1:111122223333:key/1",
		"owner": {"namespace": "payments", "name": "card-key", "uid": "1"},
		"imported": {
			"operation": "Reimport", "cause": "Renewal", "fingerprint": "hmac-sha256:1:2",
			"secret": {"name": "payments-material", "uid": "2", "resourceVersion": "3", "key": "material", "encoding": "Raw"},
			"expirationModel": "KEY_MATERIAL_EXPIRES", "validTo": "2027-02-21T09:00:00Z", "validFor": "2160h0m0s",
			"wrappingAlgorithm": "RSAES_OAEP_SHA_256", "wrappingKeySpec": "RSA_4096",
			"time": "2026-11-23T09:00:00Z", "keyMaterialID": "4", "requestID": "5", "adopted": true, "unconfirmed": true
		},
		"intent": {
			"operation": "Reimport", "cause": "MaterialWithdrawn", "fingerprint": "hmac-sha256:1:2",
			"secret": {"name": "payments-material", "uid": "2", "resourceVersion": "3", "key": "material", "encoding": "Raw"},
			"expirationModel": "KEY_MATERIAL_EXPIRES", "validTo": "2027-05-22T09:00:00Z", "validFor": "2160h0m0s",
			"wrappingAlgorithm": "RSAES_OAEP_SHA_256", "wrappingKeySpec": "RSA_4096",
			"time": "2027-01-22T09:00:00Z", "keyState": "Enabled", "notAfter": "2027-01-22T09:00:30Z"
		},
		"withdrawal": {
			"cause": "Interruption",
			"secret": {"name": "payments-material", "uid": "2", "resourceVersion": "3", "key": "material", "encoding": "Raw"},
			"time": "2027-01-22T09:00:00Z", "notAfter": "2027-01-22T09:00:10Z", "completedAt": "2027-01-22T09:00:01Z", "requestID": "6",
			"sealed": {
				"encryptedKeyMaterial": "c2VhbGVk", "importToken": "dG9rZW4=", "parametersValidTo": "2027-01-23T09:00:00Z",
				"wrappingAlgorithm": "RSAES_OAEP_SHA_256", "wrappingKeySpec": "RSA_2048"
			}
		},
		"hold": {"keyState": "PendingImport", "time": "2027-01-22T09:00:00Z", "request": "2027-01-22T08:00:00Z", "lifted": true},
		"history": [{
			"time": "2026-11-23T09:00:00Z", "event": "Imported", "owner": "payments/card-key", "message": "as asked for", "requestID": "5",
			"cause": "Renewal", "fingerprint": "hmac-sha256:1:2", "keyMaterialID": "4",
			"secret": {"name": "payments-material", "uid": "2", "resourceVersion": "3", "key": "material", "encoding": "Raw"},
			"expirationModel": "KEY_MATERIAL_EXPIRES", "validTo": "2027-02-21T09:00:00Z",
			"wrappingAlgorithm": "RSAES_OAEP_SHA_256", "wrappingKeySpec": "RSA_4096"
		}]
	}`
)

// Whoever reads an object and writes it back, as the operator does, loses and changes nothing.
func TestShippedObjectsSurvive(t *testing.T) {
	t.Run("every field", func(t *testing.T) { survives(t, "KMSKeyImport", everyField, &v1alpha1.KMSKeyImport{}) })
	t.Run("a fixed date", func(t *testing.T) { survives(t, "KMSKeyImport", fixedDate, &v1alpha1.KMSKeyImport{}) })
	t.Run("every field of a record", func(t *testing.T) { survives(t, "KMSKeyRecord", everyRecordField, &v1alpha1.KMSKeyRecord{}) })
}

func survives(t *testing.T, kind, text string, typed client.Object) {
	t.Helper()
	want := decoded(t, text)
	object := &unstructured.Unstructured{Object: decoded(t, text)}
	object.SetAPIVersion("kms.keyimport.dev/v1alpha1")
	object.SetKind(kind)
	object.SetNamespace("default")
	object.SetName("survives")
	create(t, object)
	writer := typedClient(t)
	if status, found := want["status"]; found { // which is not taken at a creation
		set(status, "status")(object)
		if err := k8s.Status().Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}

	if err := writer.Get(t.Context(), client.ObjectKeyFromObject(object), typed); err != nil {
		t.Fatal(err)
	}
	if err := writer.Update(t.Context(), typed); err != nil {
		t.Fatal(err)
	}
	if _, found := want["status"]; found {
		if err := writer.Status().Update(t.Context(), typed); err != nil {
			t.Fatal(err)
		}
	}
	got := object.DeepCopy()
	if err := k8s.Get(t.Context(), client.ObjectKeyFromObject(object), got); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"apiVersion", "kind", "metadata"} {
		delete(got.Object, field)
	}
	if diff := cmp.Diff(want, got.Object); diff != "" {
		t.Errorf("written back (-stored +got):\n%s", diff)
	}
}

// typedClient is what the operator writes with.
func typedClient(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	typed, err := client.New(cluster, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return typed
}

// decoded has whole numbers, as the API server's answers have.
func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := utiljson.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// The objects above have every field that the types have.
func TestShippedObjectsAreComplete(t *testing.T) {
	imports := map[string]bool{}
	for _, text := range []string{everyField, fixedDate} {
		maps.Copy(imports, written("", decoded(t, text)))
	}
	for name, test := range map[string]struct {
		object any
		shown  map[string]bool
	}{
		"KMSKeyImport": {v1alpha1.KMSKeyImport{}, imports},
		"KMSKeyRecord": {v1alpha1.KMSKeyRecord{}, written("", decoded(t, everyRecordField))},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(declared("", reflect.TypeOf(test.object)), slices.Sorted(maps.Keys(test.shown))); diff != "" {
				t.Errorf("fields (-of the type +of the object):\n%s", diff)
			}
		})
	}
}

// written are the paths of an object's values.
func written(path string, value any) map[string]bool {
	found := map[string]bool{}
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			maps.Copy(found, written(path+"."+key, inner))
		}
	case []any:
		for _, inner := range value {
			maps.Copy(found, written(path+"[]", inner))
		}
	default:
		found[path] = true
	}
	return found
}

// declared are the paths of a type's values, but for TypeMeta and ObjectMeta.
func declared(path string, of reflect.Type) []string {
	switch {
	case of.Kind() == reflect.Pointer:
		return declared(path, of.Elem())
	case of.Kind() == reflect.Slice && of.Elem().Kind() != reflect.Uint8: // bytes are written as one string
		return declared(path+"[]", of.Elem())
	case of.Kind() != reflect.Struct, reflect.PointerTo(of).Implements(reflect.TypeFor[json.Marshaler]()):
		return []string{path}
	}
	var found []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Name == "TypeMeta" || field.Name == "ObjectMeta":
		case name == "":
			found = append(found, declared(path, field.Type)...)
		default:
			found = append(found, declared(path+"."+name, field.Type)...)
		}
	}
	slices.Sort(found)
	return found
}
