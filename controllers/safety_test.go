package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// What changes between the look and the effect must not be overlooked.

var _ = Describe("Between look and import", func() {
	var (
		secret *corev1.Secret
		key    string
	)

	BeforeEach(func(ctx context.Context) {
		secret = newSecret(ctx, "material", randomMaterial())
		key = newSymmetricKey(ctx)
	})

	It("a Secret that withdraws its consent is not imported", func(ctx context.Context) {
		apiWire.aheadOf(readsSecretData, func() {
			defer GinkgoRecover()
			edit(ctx, secret, func(s *corev1.Secret) { s.Labels = nil })
		})
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False SecretNotConsenting, Reconciling")
		Expect(kmsWire.changes(key)).To(BeZero())
	})

	It("a key that somebody else claims is left to them", func(ctx context.Context) {
		rival := newImport(ctx, "rival", key, suspended)
		rival = expectOutcome(ctx, rival, "Ready=Unknown Suspended, Suspended")
		apiWire.aheadOf(writesRecord, func() {
			defer GinkgoRecover()
			claim := recordFor(key)
			claim.Owner = &v1alpha1.RecordOwner{Namespace: namespace, Name: "rival", UID: rival.UID}
			Expect(k8s.Create(ctx, claim)).To(Succeed())
		})
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KeyConflict, Stalled")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(BeZero())
	})

	It("a record that somebody else changes stops the import", func(ctx context.Context) {
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		deleteMaterial(ctx, key)
		imports := -1
		apiWire.aheadOf(writesRecord, func() {
			defer GinkgoRecover()
			edit(ctx, recordOf(ctx, key), func(r *v1alpha1.KMSKeyRecord) { r.Labels["touched"] = "yes" })
		})
		kmsWire.set(key, "GetParametersForImport", func(pass func() (*http.Response, error)) (*http.Response, error) {
			imports = kmsWire.count(key, "ImportKeyMaterial")
			return pass()
		})
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(imports).To(Equal(1), "asked for parameters again before anything was imported")
		Expect(kmsWire.count(key, "GetParametersForImport")).To(Equal(3), "one for the import, one in vain, one to heal")
	})

	It("an object that owns a key already, which the cache does not know yet, gets no second one", func(ctx context.Context) {
		other := newSymmetricKey(ctx)
		apiWire.aheadOf(readsRecord, func() {
			defer GinkgoRecover()
			object := reload(ctx, named("payments"))
			claim := recordFor(other)
			claim.Labels = map[string]string{"kms.keyimport.dev/owner-uid": string(object.UID)}
			claim.Owner = &v1alpha1.RecordOwner{Namespace: namespace, Name: object.Name, UID: object.UID}
			Expect(k8s.Create(ctx, claim)).To(Succeed())
		})
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KeyTargetChanged, Stalled")
		Expect(kmsWire.changes(key)).To(BeZero())
		Expect(recordOf(ctx, key)).To(BeNil())
	})

	It("an intent that took too long to write is not carried out", func(ctx context.Context) {
		apiWire.aheadOf(writesRecord, func() { now.advance(31 * time.Second) })
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Expect(kmsWire.count(key, "GetParametersForImport")).To(Equal(2), "the first were not used")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("an object that is suspended is not imported", func(ctx context.Context) {
		kmsWire.set(key, "GetParametersForImport", func(pass func() (*http.Response, error)) (*http.Response, error) {
			defer GinkgoRecover()
			edit(ctx, named("payments"), suspended)
			return pass()
		})
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=Unknown Suspended, Suspended")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(BeZero())
		Expect(recordOf(ctx, key)).To(BeNil())
	})

	It("an object that is deleted is not imported", func(ctx context.Context) {
		kmsWire.set(key, "GetParametersForImport", func(pass func() (*http.Response, error)) (*http.Response, error) {
			defer GinkgoRecover()
			Expect(k8s.Delete(ctx, named("payments"))).To(Succeed())
			return pass()
		})
		newImport(ctx, "payments", key)
		Eventually(func() int { return kmsWire.count(key, "GetParametersForImport") }).WithTimeout(patience).Should(Equal(1))
		Consistently(func() int { return kmsWire.count(key, "ImportKeyMaterial") }).WithTimeout(promptly).Should(BeZero())
		Expect(recordOf(ctx, key)).To(BeNil())
	})
})

// named is an object of this spec that exists or will.
func named(name string) *v1alpha1.KMSKeyImport {
	object := &v1alpha1.KMSKeyImport{}
	object.Namespace, object.Name = namespace, name
	return object
}

func suspended(object *v1alpha1.KMSKeyImport) { object.Spec.Suspend = new(true) }

var _ = Describe("At the rate that AWS grants", func() {
	BeforeEach(func() {
		operator.stop()
		operator = startOperator(func(s *settings) { s.parametersRate = 1 })
		DeferCleanup(func() {
			operator.stop()
			operator = startOperator()
		})
	})

	It("a blob that does not unwrap is tried twice and not for ever", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "ImportKeyMaterial", refuses("InvalidCiphertextException", ""))
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False InvalidWrapping, Stalled")
		expectFixedPoint(ctx, object)
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))

		kmsWire.set(key, "ImportKeyMaterial", nil)
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("several first imports take turns", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		var objects []*v1alpha1.KMSKeyImport
		for _, name := range []string{"a", "b", "c"} {
			objects = append(objects, newImport(ctx, name, newSymmetricKey(ctx)))
		}
		for _, object := range objects {
			object = expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.count(object.Status.Key.ARN, "GetParametersForImport")).To(Equal(1))
			Expect(kmsWire.count(object.Status.Key.ARN, "DescribeKey")).To(BeNumerically("<=", 3), "one look more for having waited")
		}
	})
})

var _ = Describe("An operator that watches some namespaces", func() {
	It("leaves the records of others alone", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		operator.stop()
		before := len(logs.String())
		operator = startOperator(func(s *settings) { s.namespaces = []string{"default"} })
		Consistently(func() string { return logs.String()[before:] }).WithTimeout(promptly).ShouldNot(ContainSubstring("ERROR"))
		operator.stop()
		operator = startOperator()
		Expect(recordOf(ctx, key).Owner.UID).To(Equal(object.UID))
	})
})

var _ = Describe("What the operator keeps and tells", func() {
	It("the fingerprint key cannot be changed by accident", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		expectOutcome(ctx, newImport(ctx, "payments", newSymmetricKey(ctx)), "Ready=True Imported")
		secret := &corev1.Secret{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "kms-key-import-fingerprint-key"}, secret)).To(Succeed())
		Expect(secret.Data["key"]).To(HaveLen(32))
		secret.Data["key"] = make([]byte, 32)
		Expect(k8s.Update(ctx, secret)).To(MatchError(ContainSubstring("immutable")))
	})

	It("an import is told although its status was overtaken by an edit", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "ImportKeyMaterial", func(pass func() (*http.Response, error)) (*http.Response, error) {
			defer GinkgoRecover()
			edit(ctx, named("payments"), func(o *v1alpha1.KMSKeyImport) { o.Labels = map[string]string{"edited": "yes"} })
			return pass()
		})
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Eventually(func(g Gomega) {
			events := &eventsv1.EventList{}
			g.Expect(k8s.List(ctx, events, client.InNamespace(namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(HaveField("Note", ContainSubstring("was imported into "+key))))
		}).WithTimeout(patience).Should(Succeed())
	})

	It("Ready names the Secret that was imported, not the one that the spec has come to name", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		object := expectOutcome(ctx, newImport(ctx, "payments", newSymmetricKey(ctx)), "Ready=True Imported")
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.SecretRef.Name = "elsewhere" })
		object = expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound")
		Expect(message(object, "Ready")).To(Equal(`the key is usable and holds the material that was imported from Secret "material"`))
		Expect(strings.Contains(message(object, "SourceMissing"), `"elsewhere"`)).To(BeTrue())
	})

	It("a key whose other material is missing is not imported again by a restart", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		kmsWire.set(key, "DescribeKey", inState("PendingImport"))
		requestReconcile(ctx, object)
		now.advance(5 * time.Minute)
		expectPass(ctx, object)
		expectOutcome(ctx, object, "Ready=False OtherMaterialMissing, Stalled")
		operator.stop()
		operator = startOperator()
		Eventually(func() int { return kmsWire.count(key, "DescribeKey") }).WithTimeout(patience).Should(BeNumerically(">=", 4))
		now.advance(time.Minute)
		expectPass(ctx, object)
		expectOutcome(ctx, object, "Ready=False OtherMaterialMissing, Stalled")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
	})
})
