package controllers_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// What somebody tries with objects and Secrets of their own. These specs are rows of the table in docs/security.md too.

const finalizer = "kms.keyimport.dev/key-material"

var _ = Describe("Attack", func() {
	var (
		tenant client.Client
		secret *corev1.Secret
		key    string
	)

	BeforeEach(func(ctx context.Context) {
		tenant = newTenant(ctx, namespace)
		secret = newSecret(ctx, "material", randomMaterial())
		key = newSymmetricKey(ctx)
	})

	tries := func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
		GinkgoHelper()
		newImportBy(ctx, tenant, "mine", key, changes...)
		return expectOutcome(ctx, named("mine"), "Ready=True Imported")
	}
	gone := func(ctx context.Context, object client.Object) func() error {
		return func() error { return k8s.Get(ctx, client.ObjectKeyFromObject(object), &v1alpha1.KMSKeyImport{}) }
	}
	withFinalizer := func(name string) func(*v1alpha1.KMSKeyImport) {
		return func(o *v1alpha1.KMSKeyImport) { o.Finalizers = append(o.Finalizers, name) }
	}

	It("Forge the finalizer on an object that asks for nothing", func(ctx context.Context) {
		object := tries(ctx, withFinalizer(finalizer))
		Expect(object.Finalizers).To(BeEmpty())
		edit(ctx, object, withFinalizer(finalizer))
		Expect(tenant.Delete(ctx, object)).To(Succeed())
		Eventually(gone(ctx, object)).WithTimeout(patience).Should(Satisfy(apierrors.IsNotFound))
		Expect(string(describe(ctx, key).KeyState)).To(Equal("Enabled"))
		Expect(kmsWire.count(key, "DeleteImportedKeyMaterial")).To(BeZero())
	})

	It("Remove the finalizer from an object that asks for its material to be deleted", func(ctx context.Context) {
		object := tries(ctx, takingItsMaterial)
		Expect(object.Finalizers).To(ConsistOf(finalizer))
		as(tenant, func() {
			edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Finalizers = nil })
			requestReconcile(ctx, object)
			Expect(reload(ctx, object).Finalizers).To(ConsistOf(finalizer), "a pass puts it back")

			edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Finalizers = nil })
			Expect(k8s.Delete(ctx, object)).To(Succeed())
		})
		Eventually(func() *v1alpha1.RecordOwner { return recordOf(ctx, key).Owner }).WithTimeout(patience).Should(BeNil())
		Expect(string(describe(ctx, key).KeyState)).To(Equal("Enabled"))
		Expect(kmsWire.count(key, "DeleteImportedKeyMaterial")).To(BeZero())
		history := recordOf(ctx, key).History
		Expect(history[len(history)-1].Message).To(Equal("the owner was deleted; nothing was done to the key"))
	})

	It("Keep a deleted object by a finalizer of one's own", func(ctx context.Context) {
		object := tries(ctx, withFinalizer("tenant.example/kept"))
		Expect(tenant.Delete(ctx, object)).To(Succeed())
		Expect(costOf(key, func() { expectPass(ctx, object) })).To(Equal(cost{}), "it is cared for no more")
		expectOutcome(ctx, newImport(ctx, "next", key), "Ready=False KeyConflict, Stalled")

		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Finalizers = nil })
		expectOutcome(ctx, named("next"), "Ready=True Imported")
	})

	It("Swap the Secret between inspection and import", func(ctx context.Context) {
		object := tries(ctx, validFor(90*day))
		ciphertext := encrypt(ctx, key, "written before")
		Expect(tenant.Delete(ctx, object)).To(Succeed())
		Eventually(func() *v1alpha1.RecordOwner { return recordOf(ctx, key).Owner }).WithTimeout(patience).Should(BeNil())
		now.advance(91 * day)
		material := secret.Data["material"]
		apiWire.aheadOf(writesRecord, func() { // the claim, which the inspected bytes have earned
			defer GinkgoRecover()
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		})
		newImportBy(ctx, tenant, "again", key)
		expectOutcome(ctx, named("again"), "Ready=False MaterialChanged, Stalled")
		Expect(recordOf(ctx, key).Owner.Name).To(Equal("again"))
		Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")

		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
		expectOutcome(ctx, named("again"), "Ready=True Imported")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("Swap the Secret after it was read for an import", func(ctx context.Context) {
		material, other := secret.Data["material"], randomMaterial()
		apiWire.aheadOf(writesRecord, func() { // the intent
			defer GinkgoRecover()
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = other })
		})
		newImportBy(ctx, tenant, "mine", key)
		expectOutcome(ctx, named("mine"), "Ready=False MaterialChanged, Stalled")
		Expect(recordOf(ctx, key).Imported.Secret.ResourceVersion).NotTo(Equal(secret.ResourceVersion))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
		expectOutcome(ctx, named("mine"), "Ready=True Imported")
	})

	It("Swap the Secret while the key is proven to hold it", func(ctx context.Context) {
		material := randomMaterial()
		importByHand(ctx, key, material)
		reported := describe(ctx, key)
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
		apiWire.aheadOf(readsSecretData, func() {
			defer GinkgoRecover()
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		})
		newImportBy(ctx, tenant, "mine", key)
		expectOutcome(ctx, named("mine"), "Ready=False MaterialMismatch, Stalled")
		Expect(describe(ctx, key)).To(Equal(reported))
		Expect(recordOf(ctx, key).Imported).To(BeNil())
	})

	It("Have a Secret of another kind read, such as a TLS key", func(ctx context.Context) {
		tls := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tls"}, Type: corev1.SecretTypeTLS,
			Data: map[string][]byte{"tls.crt": []byte("certificate"), "tls.key": randomMaterial()},
		}
		Expect(k8s.Create(ctx, tls)).To(Succeed())
		apiWire.reset()
		newImportBy(ctx, tenant, "mine", key, fromSecret("tls", "Raw"), func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.SecretRef.Key = "tls.key" })
		expectOutcome(ctx, named("mine"), "Ready=False SecretNotConsenting, Reconciling")
		Expect(apiWire.spent().SecretReads).To(BeZero())
	})

	It("Have a Secret of 1 MiB read", func(ctx context.Context) {
		huge := []byte(strings.Repeat("x", 1<<20-100))
		newSecretWith(ctx, "huge", map[string][]byte{"material": huge})
		newImportBy(ctx, tenant, "mine", key, fromSecret("huge", "Raw"))
		object := expectOutcome(ctx, named("mine"), "Ready=False InvalidKeyMaterial, Stalled")
		Expect(len(asJSON(object))).To(BeNumerically("<", 8<<10), "none of it is told")
		Expect(kmsWire.changes(key)).To(BeZero())

		newSecretWith(ctx, "padded", map[string][]byte{"material": randomMaterial(), "padding": huge[:len(huge)-64]})
		edit(ctx, object, fromSecret("padded", "Raw"))
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("Ask by an annotation of 256 KiB, of a key that is held", func(ctx context.Context) {
		const reimport, reconcile = "kms.keyimport.dev/reimport-requested-at", "kms.keyimport.dev/reconcile-requested-at"
		object := tries(ctx, holding)
		ask := func(name string) {
			as(tenant, func() {
				edit(ctx, object, func(o *v1alpha1.KMSKeyImport) {
					o.Annotations = map[string]string{name: strings.Repeat("é", (1<<18-len(name))/2)}
				})
			})
		}
		ask(reconcile)
		Eventually(func() int { return len(reload(ctx, object).Status.LastHandledReconcileAt) }).WithTimeout(patience).Should(BeNumerically(">", 261_000))
		deleteMaterial(ctx, key)
		ask(reimport)
		Eventually(func() string { return summary(reload(ctx, object)) }).WithTimeout(patience).Should(HavePrefix("Ready=False Progressing"))
		object = passAt(ctx, object, now.Now().Add(5*time.Second))
		Expect(summary(object)).To(Equal("Ready=False MaterialDeleted, Stalled"))
		Expect(*recordOf(ctx, key).Hold.Request).To(HaveLen(len("sha256:")+64), "the record keeps a hash of it")
		Expect(object.Status.LastHandledReimportAt).To(HaveLen(len(object.Annotations[reimport])))
		Expect(object.Status.LastHandledReconcileAt).To(BeEmpty())

		By("which keeps nobody from asking again")
		requestReimport(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("Fill a record, so that nothing more is written into it", func(ctx context.Context) {
		object := tries(ctx, holding)
		fullest := recordOf(ctx, key)
		fill(fullest)
		edit(ctx, fullest, fill)
		Expect(len(asJSON(recordOf(ctx, key)))).To(And(BeNumerically(">", 60_000), BeNumerically("<", 200_000)), "etcd takes 1.5 MiB")
		requestReimport(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(recordOf(ctx, key).History).To(HaveLen(20))
	})

	It("Ask again and again by new annotations", func(ctx context.Context) {
		object := tries(ctx)
		for range 3 {
			as(tenant, func() { requestReimport(ctx, object) })
		}
		imported := recordOf(ctx, key).Imported
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(4))
		Expect(imported.Fingerprint).To(Equal(object.Status.Material.Fingerprint), "the same bytes each time")
	})

	It("Push what was done to a key out of its history by new annotations", func(ctx context.Context) {
		object := tries(ctx)
		for range v1alpha1.HistoryLimit {
			as(tenant, func() { requestReimport(ctx, object) })
		}
		record := recordOf(ctx, key)
		Expect(record.History).To(HaveLen(v1alpha1.HistoryLimit))
		for _, entry := range record.History {
			Expect(string(entry.Event + " " + v1alpha1.HistoryEvent(entry.Cause))).To(Equal("Imported Requested"))
		}
		Expect(record.Owner.Name).To(Equal("mine"))
		Expect(record.Imported.Fingerprint).To(Equal(object.Status.Material.Fingerprint))
	})

	It("Bring the annotations of a request along in a manifest", func(ctx context.Context) {
		tries(ctx, asked)
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})
})

// fill makes a record as large as its owner can make it by what it asks for and the operator by what it writes.
func fill(record *v1alpha1.KMSKeyRecord) {
	stamp := metav1.NewTime(now.Now())
	request := strings.Repeat("r", 512)
	record.Hold = &v1alpha1.KeyHold{KeyState: "Disabled", Time: stamp, Request: &request}
	record.History = nil
	for i := range 20 {
		record.History = append(record.History, v1alpha1.HistoryEntry{
			Time: stamp, Event: "ImportRefused", Owner: strings.Repeat("o", 507), Cause: "OutcomeUnknown", Secret: record.Imported.Secret.DeepCopy(),
			Fingerprint: strings.Repeat("f", 128), Message: fmt.Sprint(i, strings.Repeat("é", 1000)), RequestID: strings.Repeat("r", 128),
		})
	}
}
