package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// asked has an object bring along requests that somebody once made.
func asked(object *v1alpha1.KMSKeyImport) {
	object.Annotations = map[string]string{
		"kms.keyimport.dev/reconcile-requested-at": "long ago",
		"kms.keyimport.dev/reimport-requested-at":  "longer ago",
	}
}

// asBackedUp is what a backup keeps of an object: no UID, no version, no status.
func asBackedUp[T client.Object](object T) T {
	copied := object.DeepCopyObject().(T)
	copied.SetUID("")
	copied.SetResourceVersion("")
	copied.SetManagedFields(nil)
	return copied
}

var _ = Describe("A restored cluster", func() {
	var (
		material   []byte
		secret     *corev1.Secret
		key        string
		object     *v1alpha1.KMSKeyImport
		record     *v1alpha1.KMSKeyRecord
		ciphertext []byte
	)

	start := func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) {
		GinkgoHelper()
		material = randomMaterial()
		secret = newSecret(ctx, "material", material)
		key = newSymmetricKey(ctx)
		object = expectOutcome(ctx, newImport(ctx, "payments", key, append(changes, asked)...), "Ready=True Imported")
		ciphertext = encrypt(ctx, key, "written before")
		record = recordOf(ctx, key)
	}

	// restored is the cluster made again from its backup: with its records, with other ones, or with none.
	restored := func(ctx context.Context, records ...*v1alpha1.KMSKeyRecord) {
		GinkgoHelper()
		operator.stop()
		for _, lost := range []client.Object{object, secret, recordOf(ctx, key)} {
			Expect(k8s.Delete(ctx, lost)).To(Succeed())
		}
		for _, record := range records {
			Expect(k8s.Create(ctx, asBackedUp(record))).To(Succeed())
		}
		Expect(k8s.Create(ctx, asBackedUp(secret))).To(Succeed())
		again := asBackedUp(object)
		Expect(k8s.Create(ctx, again)).To(Succeed())
		Expect(again.UID).NotTo(Equal(object.UID))
		object = again
		operator = startOperator()
	}
	expectRequestsEchoed := func() {
		GinkgoHelper()
		Expect(object.Status.LastHandledReconcileAt).To(Equal("long ago"))
		Expect(object.Status.LastHandledReimportAt).To(Equal("longer ago"))
	}

	It("goes on without an import where its records are kept", func(ctx context.Context) {
		start(ctx, validFor(90*day))
		restored(ctx, record)
		object = expectOutcome(ctx, object, "Ready=True Imported")
		expectRequestsEchoed()
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		Expect(recordOf(ctx, key).Owner.UID).To(Equal(object.UID))
		Expect(historyOf(recordOf(ctx, key))).To(Equal([]string{"Claimed", "Imported FirstImport", "Released", "Claimed", "SecretVersionChecked"}))
		Expect(recordOf(ctx, key).Imported.Adopted).To(BeNil(), "it is what this operator brought into the key")
		Expect(object.Status.RenewalTime).NotTo(BeNil())
	})

	It("goes on from a record that is older than the last renewal", func(ctx context.Context) {
		start(ctx, validFor(90*day))
		object = passAt(ctx, object, object.Status.RenewalTime.Time)
		renewed := describe(ctx, key).ValidTo
		restored(ctx, record)
		object = expectOutcome(ctx, object, "Ready=True Imported")
		expectRequestsEchoed()
		Expect(describe(ctx, key).ValidTo.Unix()).To(BeNumerically(">=", renewed.Unix()))
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("proves what its keys hold where its records are gone", func(ctx context.Context) {
		start(ctx, validTo(90*day))
		reported := describe(ctx, key)
		restored(ctx)
		object = expectOutcome(ctx, object, "Ready=True Imported")
		expectRequestsEchoed()
		Expect(kmsWire.sent(key)[1:]).To(Equal([]sentImport{asReported(reported)}))
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()), "nothing tells any more who brought it into the key")
		Expect(describe(ctx, key)).To(Equal(reported))
	})

	It("fills an empty key where its records are gone, with nothing but the material that it had", func(ctx context.Context) {
		start(ctx)
		deleteMaterial(ctx, key)
		own := secret.Data
		secret.Data = map[string][]byte{"material": randomMaterial()}
		restored(ctx)
		object = expectOutcome(ctx, object, "Ready=False MaterialMismatch, Stalled")
		expectRequestsEchoed()

		edit(ctx, secret, func(s *corev1.Secret) { s.Data = own })
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("goes on where the whole namespace of the operator is gone", func(ctx context.Context) {
		start(ctx)
		loseFingerprintKey(ctx)
		restored(ctx)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("respects a revocation that its records tell of", func(ctx context.Context) {
		start(ctx, holding)
		deleteMaterial(ctx, key)
		twoLooks(ctx, object)
		object = expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
		restored(ctx, recordOf(ctx, key))
		object = expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
		expectRequestsEchoed()
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("gives up the keys of objects that were not restored", func(ctx context.Context) {
		start(ctx)
		operator.stop()
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		operator = startOperator()
		Eventually(func() *v1alpha1.RecordOwner { return recordOf(ctx, key).Owner }).WithTimeout(patience).Should(BeNil())
		Expect(historyOf(recordOf(ctx, key))).To(Equal([]string{"Claimed", "Imported FirstImport", "Released"}))
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	Describe("on QKMS", Ordered, ContinueOnFailure, func() {
		BeforeAll(func() { speakQKMS(localkms.Options{}) })

		It("goes on without an import where its records are kept", func(ctx context.Context) {
			start(ctx)
			restored(ctx, record)
			object = expectOutcome(ctx, object, "Ready=True Imported")
			expectRequestsEchoed()
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		})

		It("says what to do where its records are gone", func(ctx context.Context) {
			start(ctx)
			restored(ctx)
			object = expectOutcome(ctx, object, "Ready=False MaterialUnverifiable, Stalled")
			expectRequestsEchoed()
			Expect(message(object, "Stalled")).To(ContainSubstring("delete the key's material in KMS if you are certain that the Secret holds the same bytes"))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

			By("which is restoring them too")
			claim := asBackedUp(record)
			Expect(k8s.Create(ctx, claim)).To(Succeed())
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		})
	})
})
