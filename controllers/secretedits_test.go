package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

var _ = Describe("An imported key whose Secret", func() {
	var (
		material   []byte
		secret     *corev1.Secret
		key        string
		object     *v1alpha1.KMSKeyImport
		ciphertext []byte
	)

	BeforeEach(func(ctx context.Context) {
		material = randomMaterial()
		secret = newSecret(ctx, "material", material)
		key = newSymmetricKey(ctx)
		object = expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		ciphertext = encrypt(ctx, key, "written before")
	})

	// Nothing that happens to a Secret alone takes the key out of use, or is a reason to import.
	AfterEach(func(ctx context.Context) {
		Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		Expect(decrypt(ctx, encrypt(ctx, key, "written since"))).To(Equal("written since"))
	})

	It("holds other bytes works on, and both ways out are said", func(ctx context.Context) {
		Expect(costOf(key, func() {
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
			object = expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
		})).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1, SecretReads: 1}}))
		Expect(message(object, "Stalled")).To(Equal(`Secret "material" no longer holds the bytes that were imported, and nothing is imported over them: ` +
			`put the old bytes back, or create a new key and KMSKeyImport for the new ones`))
		Expect(object.Status.Key.State).To(Equal("Enabled"), "this is not what is wrong")
		Expect(decrypt(ctx, encrypt(ctx, key, "while it is stalled"))).To(Equal("while it is stalled"))
		Eventually(eventsAbout(ctx, "MaterialChanged")).WithContext(ctx).WithTimeout(patience).Should(HaveLen(1))

		By("one is to put the old bytes back")
		Expect(costOf(key, func() {
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
			object = expectOutcome(ctx, object, "Ready=True Imported")
		})).To(Equal(cost{Look: 1, Kubernetes: budget{Records: 1, Status: 1, SecretReads: 1}}))

		By("the other is a new key")
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
		expectOutcome(ctx, newImport(ctx, "new", newSymmetricKey(ctx)), "Ready=True Imported")
	})

	It("holds other bytes is stalled however often it is looked at, and after a restart", func(ctx context.Context) {
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
		restart()
		requestReconcile(ctx, object)
		requestReimport(ctx, object)
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
		Eventually(eventsAbout(ctx, "MaterialChanged")).WithContext(ctx).WithTimeout(patience).Should(HaveLen(1))
	})

	It("holds no material at all is a change like any other", func(ctx context.Context) {
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = []byte("short") })
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
	})

	It("is rewritten with the same bytes costs a look, a read and a write of the record", func(ctx context.Context) {
		for range 3 {
			Expect(costOf(key, func() {
				edit(ctx, secret, rewritten)
				Eventually(func() string { return recordOf(ctx, key).Imported.Secret.ResourceVersion }).
					WithTimeout(patience).Should(Equal(secret.ResourceVersion))
			})).To(Equal(cost{Look: 1, Kubernetes: budget{Records: 1, SecretReads: 1}}))
			expectOutcome(ctx, object, "Ready=True Imported")
		}
	})

	It("is gone works on with a warning, and without one when it is back", func(ctx context.Context) {
		Expect(costOf(key, func() {
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			object = expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound")
		})).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}))
		Expect(message(object, "SourceMissing")).To(Equal(
			`without its Secret the key can be neither healed nor renewed: Secret "material" does not exist in this namespace: create it`))
		Expect(costOf(key, func() {
			newSecret(ctx, "material", material)
			expectOutcome(ctx, object, "Ready=True Imported")
		})).To(Equal(cost{Look: 1, Kubernetes: budget{Records: 1, Status: 1, SecretReads: 1}}))
	})

	It("is made again with other bytes is a changed one", func(ctx context.Context) {
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound")
		newSecret(ctx, "material", randomMaterial())
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
	})

	It("consents no longer works on with a warning", func(ctx context.Context) {
		edit(ctx, secret, func(s *corev1.Secret) { s.Labels = nil })
		expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotConsenting")
	})

	It("lost its key works on with a warning", func(ctx context.Context) {
		edit(ctx, secret, func(s *corev1.Secret) { s.Data = nil })
		expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretKeyMissing")
	})

	It("is not the one that the spec has come to name is compared with that one", func(ctx context.Context) {
		newSecret(ctx, "same", material)
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.SecretRef.Name = "same" })
		expectOutcome(ctx, object, "Ready=True Imported")
		newSecret(ctx, "another", randomMaterial())
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.SecretRef.Name = "another" })
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
	})
})
