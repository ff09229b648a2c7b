package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// Of what people keep in Git the operator writes nothing, in any spec of this suite, and of the rest the status and, where
// the spec asks for something that the operator must not miss, its finalizer. The API server keeps account.
var _ = JustAfterEach(func(ctx context.Context) {
	objects := &v1alpha1.KMSKeyImportList{}
	Expect(k8s.List(ctx, objects, client.InNamespace(namespace))).To(Succeed())
	for _, object := range objects.Items {
		allowed := []string{"f:status of status"}
		if object.Spec.DeletionPolicy == "DeleteKeyMaterial" || object.Spec.ReimportPolicy == "AllowInterruption" {
			allowed = append(allowed, `f:metadata f:finalizers v:"kms.keyimport.dev/key-material"`)
		}
		Expect(allowed).To(ContainElements(writtenByOperator(object.ManagedFields)), "fields of %s that the operator wrote", object.Name)
	}
	secrets := &corev1.SecretList{}
	Expect(k8s.List(ctx, secrets, client.InNamespace(namespace))).To(Succeed())
	for _, secret := range secrets.Items {
		Expect(writtenByOperator(secret.ManagedFields)).To(BeEmpty(), "the operator wrote to Secret %s", secret.Name)
	}
})

// writtenByOperator are the topmost fields that the operator manages, and the subresource through which it wrote them; of
// the metadata it is the parts.
func writtenByOperator(entries []metav1.ManagedFieldsEntry) []string {
	GinkgoHelper()
	written := []string{}
	for _, entry := range entries {
		if entry.Manager != operatorName {
			continue
		}
		fields := map[string]any{}
		Expect(json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields)).To(Succeed())
		through := ""
		if entry.Subresource != "" {
			through = " of " + entry.Subresource
		}
		for path, below := range fields {
			for _, part := range parts(path, below) {
				written = append(written, part+through)
			}
		}
	}
	return written
}

// parts are a field itself or, of the metadata, what is in it to the last level.
func parts(path string, below any) []string {
	fields, ok := below.(map[string]any)
	if !ok || len(fields) == 0 || !strings.HasPrefix(path, "f:metadata") {
		return []string{path}
	}
	var found []string
	for name, within := range fields {
		if name != "." { // the list itself
			found = append(found, parts(path+" "+name, within)...)
		}
	}
	return found
}

var _ = Describe("A manifest from Git", func() {
	const (
		least = `{"keyID": %q, "material": {"secretRef": {"name": "material"}}}`
		fixed = `{"keyID": %q, "material": {"secretRef": {"name": "material"}}, "expiration": {"validTo": %q}}`
		most  = `{"keyID": %q, "material": {"secretRef": {"name": "material", "key": "material"}, "encoding": "Raw", "weakMaterialPolicy": "Reject"},
			"wrapping": {"algorithm": "RSAES_OAEP_SHA_1", "keySpec": "RSA_3072"}, "expiration": {"validFor": "2160h", "renewBefore": "720h"},
			"onMaterialDeleted": "Hold", "deletionPolicy": "Retain", "reimportPolicy": "InPlace", "suspend": false}`
		withdrawn = `{"keyID": %q, "material": {"secretRef": {"name": "material"}}, "deletionPolicy": "DeleteKeyMaterial"}`
	)
	in30Days := func() string { return now.Now().Add(30 * 24 * time.Hour).UTC().Format(time.RFC3339) }

	DescribeTable("stays as it is, whatever happens to its key", func(ctx context.Context, apply func(context.Context, string), spec func(string) string) {
		secret := newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		manifest := fmt.Sprintf(`{"apiVersion": "kms.keyimport.dev/v1alpha1", "kind": "KMSKeyImport",
			"metadata": {"name": "payments", "labels": {"app.kubernetes.io/part-of": "payments"}}, "spec": %s}`, spec(key))
		apply(ctx, manifest)
		object := reload(ctx, &v1alpha1.KMSKeyImport{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "payments"}})
		applied := withoutBookkeeping(object)
		stays := func() {
			GinkgoHelper()
			now := withoutBookkeeping(reload(ctx, object))
			Expect(now.Spec).To(Equal(applied.Spec))
			Expect(now.ObjectMeta).To(Equal(applied.ObjectMeta))
			keepForComparison(ctx, manifest)
			stored := &corev1.Secret{}
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(secret), stored)).To(Succeed())
			Expect(stored.ResourceVersion).To(Equal(secret.ResourceVersion))
		}

		version := expectOutcome(ctx, object, "Ready=True Imported").ResourceVersion
		stays()
		apply(ctx, manifest)
		Expect(reload(ctx, object).ResourceVersion).To(Equal(version), "applied once more it changes nothing")

		kubectl(ctx, "", "annotate", "kki/payments", "kms.keyimport.dev/reimport-requested-at=now")
		Eventually(func() string { return reload(ctx, object).Status.LastHandledReimportAt }).WithTimeout(patience).Should(Equal("now"))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		stays()

		kmsWire.set(key, "DescribeKey", refuses("AccessDeniedException", "no"))
		expectPass(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported, Reconciling AccessDenied")
		stays()

		kmsWire.set(key, "DescribeKey", nil)
		expectPass(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		stays()
	},
		Entry("with the least there is, by kubectl", applyByKubectl, func(key string) string { return fmt.Sprintf(least, key) }),
		Entry("with the least there is, by the server", applyByServer, func(key string) string { return fmt.Sprintf(least, key) }),
		Entry("with a date, by kubectl", applyByKubectl, func(key string) string { return fmt.Sprintf(fixed, key, in30Days()) }),
		Entry("with a date, by the server", applyByServer, func(key string) string { return fmt.Sprintf(fixed, key, in30Days()) }),
		Entry("that deletes with it what it imported, by kubectl", applyByKubectl, func(key string) string { return fmt.Sprintf(withdrawn, key) }),
		Entry("that deletes with it what it imported, by the server", applyByServer, func(key string) string { return fmt.Sprintf(withdrawn, key) }),
		Entry("with every field, by kubectl", applyByKubectl, func(key string) string { return fmt.Sprintf(most, key) }),
		Entry("with every field, by the server", applyByServer, func(key string) string { return fmt.Sprintf(most, key) }),
	)
})

// applyByKubectl applies as Argo CD does by itself.
func applyByKubectl(ctx context.Context, manifest string) {
	GinkgoHelper()
	kubectl(ctx, manifest, "apply", "-f", "-")
}

// applyByServer applies as Argo CD does with ServerSideApply=true, and as Flux does.
func applyByServer(ctx context.Context, manifest string) {
	GinkgoHelper()
	kubectl(ctx, manifest, "apply", "--server-side", "--field-manager=argocd-controller", "-f", "-")
}

// kubectl runs as people do. What it is given goes through standard input: arguments can be read by others.
func kubectl(ctx context.Context, input string, arguments ...string) {
	GinkgoHelper()
	command := kubectlCommand(ctx, arguments...)
	command.Stdin = strings.NewReader(input)
	output, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", output)
}

// withoutBookkeeping is an object without what the API server writes for every write, without what the spec asked, and
// without the operator's finalizer.
func withoutBookkeeping(object *v1alpha1.KMSKeyImport) *v1alpha1.KMSKeyImport {
	copied := object.DeepCopy()
	copied.ResourceVersion, copied.ManagedFields = "", nil
	controllerutil.RemoveFinalizer(copied, "kms.keyimport.dev/key-material")
	if len(copied.Finalizers) == 0 {
		copied.Finalizers = nil
	}
	delete(copied.Annotations, "kms.keyimport.dev/reimport-requested-at")
	if len(copied.Annotations) == 0 {
		copied.Annotations = nil
	}
	return copied
}

// keepForComparison keeps the object beside its manifest, which has the namespace that GitOps tools give it.
func keepForComparison(ctx context.Context, text string) {
	GinkgoHelper()
	manifest := &unstructured.Unstructured{}
	Expect(json.Unmarshal([]byte(text), manifest)).To(Succeed())
	manifest.SetNamespace(namespace)
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(manifest.GroupVersionKind())
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(manifest), live)).To(Succeed())
	writeApplied(manifest, live)
}
