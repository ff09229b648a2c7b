package v1alpha1_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// A real API server says what the CRDs say.
var (
	cluster *rest.Config
	k8s     client.Client
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	var err error
	if cluster, err = environment.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "start API server:", err)
		return 1
	}
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop API server:", err)
		}
	}()
	if k8s, err = client.New(cluster, client.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, "make client:", err)
		return 1
	}
	return m.Run()
}

// minimal is the shortest manifest that is accepted.
func minimal(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kms.keyimport.dev/v1alpha1",
		"kind":       "KMSKeyImport",
		"metadata":   map[string]any{"name": name, "namespace": "default"},
		"spec": map[string]any{
			"keyID":    "1234abcd-12ab-34cd-56ef-1234567890ab",
			"material": map[string]any{"secretRef": map[string]any{"name": "payments-material"}},
		},
	}}
}

func set(value any, path ...string) func(*unstructured.Unstructured) {
	return func(object *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(object.Object, value, path...); err != nil {
			panic(err)
		}
	}
}

func TestRefusedAtTheDoor(t *testing.T) {
	tests := map[string]struct {
		reason string
		change func(*unstructured.Unstructured)
		want   string
	}{
		"empty keyID": {
			reason: "an empty ID leads nowhere",
			change: set("", "spec", "keyID"),
			want:   "keyID is empty: set it to a key ID, key ARN, alias name (alias/...) or alias ARN",
		},
		"over-long keyID": {
			reason: "KMS takes at most 2048 characters",
			change: set(strings.Repeat("a", 2049), "spec", "keyID"),
			want:   "spec.keyID: Too long: may not be more than 2048",
		},
		"white space in keyID": {
			reason: "a pasted line break is easily missed",
			change: set("1234abcd ", "spec", "keyID"),
			want:   "keyID contains white space: remove it",
		},
		"no keyID": {
			reason: "there is no key to guess",
			change: func(o *unstructured.Unstructured) { unstructured.RemoveNestedField(o.Object, "spec", "keyID") },
			want:   "spec.keyID: Required value",
		},
		"no material": {
			reason: "there is nothing to import",
			change: func(o *unstructured.Unstructured) { unstructured.RemoveNestedField(o.Object, "spec", "material") },
			want:   "spec.material: Required value",
		},
		"Secret name that leads elsewhere": {
			reason: "a Secret is one of the same namespace, by its plain name",
			change: set("other/material", "spec", "material", "secretRef", "name"),
			want:   "name is not a name a Secret can have: use lower case letters, digits, '-' and '.'",
		},
		"empty Secret name": {
			reason: "there is no Secret to guess",
			change: set("", "spec", "material", "secretRef", "name"),
			want:   "name is empty: set it to the name of the Secret that holds the key material",
		},
		"a key no Secret can have": {
			reason: "it could never be found",
			change: set("a/b", "spec", "material", "secretRef", "key"),
			want:   "key is not a key a Secret can have: use letters, digits, '-', '_' and '.'",
		},
		"empty wrapping": {
			reason: "it chooses nothing",
			change: set(map[string]any{}, "spec", "wrapping"),
			want:   "wrapping is empty: set algorithm or keySpec, or remove wrapping to have the strongest chosen",
		},
		"unknown encoding": {
			reason: "an encoding is never guessed",
			change: set("Hexx", "spec", "material", "encoding"),
			want:   `supported values: "Raw", "Base64", "Hex", "PEM"`,
		},
		"unknown weak material policy": {
			reason: "an enum",
			change: set("Maybe", "spec", "material", "weakMaterialPolicy"),
			want:   `supported values: "Reject", "Allow"`,
		},
		"unknown response to a deletion": {
			reason: "an enum",
			change: set("Ignore", "spec", "onMaterialDeleted"),
			want:   `supported values: "Reimport", "Hold"`,
		},
		"unknown wrapping algorithm": {
			reason: "KMS withdrew PKCS #1 v1.5 in 2023",
			change: set("RSAES_PKCS1_V1_5", "spec", "wrapping", "algorithm"),
			want:   `supported values: "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"`,
		},
		"unknown wrapping key spec": {
			reason: "an enum",
			change: set("RSA_1024", "spec", "wrapping", "keySpec"),
			want:   `supported values: "RSA_2048", "RSA_3072", "RSA_4096"`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := minimal("refused")
			test.change(object)
			expectInvalid(t, test.reason, k8s.Create(t.Context(), object), test.want)
		})
	}
}

func expectInvalid(t *testing.T, reason string, err error, want string) {
	t.Helper()
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want an Invalid error that says %q", reason, err, want)
	}
}

func TestAcceptedAtTheDoor(t *testing.T) {
	for value, path := range map[string][]string{
		"Raw":                      {"spec", "material", "encoding"},
		"Base64":                   {"spec", "material", "encoding"},
		"Hex":                      {"spec", "material", "encoding"},
		"PEM":                      {"spec", "material", "encoding"},
		"RSAES_OAEP_SHA_1":         {"spec", "wrapping", "algorithm"},
		"RSAES_OAEP_SHA_256":       {"spec", "wrapping", "algorithm"},
		"RSA_AES_KEY_WRAP_SHA_1":   {"spec", "wrapping", "algorithm"},
		"RSA_AES_KEY_WRAP_SHA_256": {"spec", "wrapping", "algorithm"},
		"RSA_2048":                 {"spec", "wrapping", "keySpec"},
		"RSA_3072":                 {"spec", "wrapping", "keySpec"},
		"RSA_4096":                 {"spec", "wrapping", "keySpec"},
		"Reimport":                 {"spec", "onMaterialDeleted"},
		"Hold":                     {"spec", "onMaterialDeleted"},
	} {
		t.Run(value, func(t *testing.T) {
			object := minimal("accepted")
			set(value, path...)(object)
			create(t, object)
			if got, _, err := unstructured.NestedString(object.Object, path...); err != nil || got != value {
				t.Errorf("it was stored as %q (error %v)", got, err)
			}
		})
	}
}

func TestKeyIDIsImmutable(t *testing.T) {
	object := create(t, minimal("immutable"))
	set("another", "spec", "keyID")(object)
	expectInvalid(t, "the material is in the old key", k8s.Update(t.Context(), object),
		"keyID is immutable: to import into another key, create a new KMSKeyImport")
}

func TestDefaults(t *testing.T) {
	object := create(t, minimal("defaults"))
	got := map[string]any{"spec": object.Object["spec"], "status": object.Object["status"]}
	want := map[string]any{
		"spec": map[string]any{
			"keyID": "1234abcd-12ab-34cd-56ef-1234567890ab",
			"material": map[string]any{
				"secretRef":          map[string]any{"name": "payments-material", "key": "material"},
				"encoding":           "Raw",
				"weakMaterialPolicy": "Reject",
			},
			"onMaterialDeleted": "Reimport",
			"reimportPolicy":    "InPlace",
			"deletionPolicy":    "Retain",
		},
		"status": map[string]any{"observedGeneration": int64(-1)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestPrintColumns(t *testing.T) {
	object := create(t, minimal("columns"))
	status := map[string]any{
		"observedGeneration": int64(1),
		"key":                map[string]any{"arn": "arn:aws:kms:eu-west-1:111122223333:key/1", "state": "Enabled"},
		"validTo":            "2027-02-21T09:00:00Z",
		"renewalTime":        "2027-01-22T09:00:00Z",
		"conditions": []any{map[string]any{
			"type": "Ready", "status": "True", "reason": "Imported", "message": "", "lastTransitionTime": "2026-11-23T09:00:00Z",
		}},
	}
	set(status, "status")(object)
	if err := k8s.Status().Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	names, cells := table(t, "kmskeyimports/columns")
	wantNames := []string{"Name", "Key-State", "Ready", "Reason", "Expires", "Renewal", "Age", "Key-ARN"}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	// Times to come are strings: kubectl prints a future date column as <invalid>.
	want := []any{"columns", "Enabled", "True", "Imported", "2027-02-21T09:00:00Z", "2027-01-22T09:00:00Z", "arn:aws:kms:eu-west-1:111122223333:key/1"}
	if diff := cmp.Diff(want, append(cells[:6:6], cells[7])); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

func TestRecordKeyARNIsImmutable(t *testing.T) {
	record := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kms.keyimport.dev/v1alpha1",
		"kind":       "KMSKeyRecord",
		"metadata":   map[string]any{"name": "record", "namespace": "default"},
		"keyARN":     "arn:a",
	}}
	create(t, record)
	set("arn:b", "keyARN")(record)
	if err := k8s.Update(t.Context(), record); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "keyARN is immutable") {
		t.Errorf("got %v, want an Invalid error", err)
	}
}

// create stores an object for the length of the test.
func create(t *testing.T, object *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	if err := k8s.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := k8s.Delete(ctx, object); err != nil {
			t.Error(err)
		}
	})
	return object
}

// table is what kubectl get -o wide asks the server for.
func table(t *testing.T, resource string) (columns []string, cells []any) {
	t.Helper()
	config := rest.CopyConfig(cluster)
	config.GroupVersion = &schema.GroupVersion{Group: "kms.keyimport.dev", Version: "v1alpha1"}
	config.APIPath = "/apis"
	config.NegotiatedSerializer = scheme.Codecs
	server, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	body, err := server.Get().AbsPath("/apis/kms.keyimport.dev/v1alpha1/namespaces/default/"+resource).
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var answer metav1.Table
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	for _, column := range answer.ColumnDefinitions {
		columns = append(columns, column.Name)
	}
	return columns, answer.Rows[0].Cells
}
