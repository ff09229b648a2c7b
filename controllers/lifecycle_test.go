package controllers_test

import (
	"context"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

var _ = Describe("An imported key", func() {
	var (
		material []byte
		secret   *corev1.Secret
		key      string
	)

	BeforeEach(func(ctx context.Context) {
		material = randomMaterial()
		secret = newSecret(ctx, "material", material)
		key = newSymmetricKey(ctx)
	})

	imported := func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
		GinkgoHelper()
		return expectOutcome(ctx, newImport(ctx, "payments", key, changes...), "Ready=True Imported")
	}

	Describe("whose material was deleted in KMS", func() {
		It("gets the same material again when asked to look", func(ctx context.Context) {
			object := imported(ctx)
			ciphertext := encrypt(ctx, key, "written before")
			deleteMaterial(ctx, key)

			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
			record := recordOf(ctx, key)
			Expect(string(record.Imported.Operation)).To(Equal("Reimport"))
			Expect(record.Imported.KeyMaterialID).To(Equal(object.Status.Material.KeyMaterialID))
		})

		It("is healed by itself once two looks have seen it", func(ctx context.Context) {
			object := imported(ctx)
			deleteMaterial(ctx, key)
			expectPass(ctx, object)
			expectOutcome(ctx, object, "Ready=False Progressing, Reconciling")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1), "one look is not enough")

			now.advance(5 * time.Second)
			expectPass(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		})

		It("is not given other bytes", func(ctx context.Context) {
			object := imported(ctx)
			deleteMaterial(ctx, key)
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
			expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("waits for a Secret that is gone", func(ctx context.Context) {
			object := imported(ctx)
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			deleteMaterial(ctx, key)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=False SecretNotFound, Reconciling, SourceMissing")
			newSecret(ctx, "material", material)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("is held when that happened while it was disabled", func(ctx context.Context) {
			object := imported(ctx)
			_, err := local.admin.DisableKey(ctx, &awskmssdk.DisableKeyInput{KeyId: &key})
			Expect(err).NotTo(HaveOccurred())
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=False KeyDisabled, Reconciling")
			deleteMaterial(ctx, key)
			expectPass(ctx, object)
			expectOutcome(ctx, object, "Ready=False HeldAfterDisable, Stalled")

			By("also after a look that failed and after a restart")
			kmsWire.set(key, "DescribeKey", refuses("ThrottlingException", "Rate exceeded"))
			askForLook(ctx, object)
			expectOutcome(ctx, object, "Ready=False Throttled, Reconciling")
			edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Annotations = nil })
			operator.stop()
			operator = startOperator()
			kmsWire.set(key, "DescribeKey", nil)
			expectOutcome(ctx, object, "Ready=False HeldAfterDisable, Stalled")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

			By("until a person asks")
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		})
	})

	Describe("whose Secret", func() {
		It("holds other bytes keeps working and says so", func(ctx context.Context) {
			object := imported(ctx)
			ciphertext := encrypt(ctx, key, "written before")
			before := kmsWire.changes(key)
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
			object = expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
			Expect(message(object, "Stalled")).To(Equal(`Secret "material" no longer holds the bytes that were imported, and nothing is imported over them: ` +
				`put the old bytes back, or create a new key and KMSKeyImport for the new ones`))
			Expect(kmsWire.changes(key)).To(Equal(before))
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))

			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.changes(key)).To(Equal(before))
		})

		It("holds no material at all is a change like any other", func(ctx context.Context) {
			object := imported(ctx)
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = []byte("short") })
			expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
		})

		It("is gone works on with a warning", func(ctx context.Context) {
			object := imported(ctx)
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			object = expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound")
			newSecret(ctx, "material", material)
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("consents no longer works on with a warning", func(ctx context.Context) {
			object := imported(ctx)
			edit(ctx, secret, func(s *corev1.Secret) { s.Labels = nil })
			expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotConsenting")
		})

		It("lost its key works on with a warning", func(ctx context.Context) {
			object := imported(ctx)
			edit(ctx, secret, func(s *corev1.Secret) { s.Data = nil })
			expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretKeyMissing")
		})
	})

	Describe("with a fixed expiry", func() {
		It("gets a new one when the spec changes, and none when it is removed", func(ctx context.Context) {
			object := imported(ctx, validTo(50*24*time.Hour))
			ciphertext := encrypt(ctx, key, "written before")
			edit(ctx, object, validTo(100*24*time.Hour))
			Eventually(func() int64 { return describe(ctx, key).ValidTo.Unix() }).WithTimeout(patience).
				Should(Equal(object.Spec.Expiration.ValidTo.Unix()))
			Eventually(func() int64 { return reload(ctx, object).Status.ValidTo.Unix() }).WithTimeout(patience).
				Should(Equal(object.Spec.Expiration.ValidTo.Unix()))

			edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Expiration = nil })
			Eventually(func() string { return string(describe(ctx, key).ExpirationModel) }).WithTimeout(patience).
				Should(Equal("KEY_MATERIAL_DOES_NOT_EXPIRE"))
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(3))
		})

		It("is unusable once that has passed, and says how to get on", func(ctx context.Context) {
			object := imported(ctx, validTo(20*24*time.Hour))
			now.advance(20 * 24 * time.Hour)
			requestReconcile(ctx, object)
			object = expectOutcome(ctx, object, "Ready=False MaterialExpired, Stalled")
			Expect(object.Status.Key.State).To(Equal("PendingImport"))
			Expect(object.Status.ValidTo).To(BeNil())
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

			edit(ctx, object, validTo(30*24*time.Hour))
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("is not ready past it even while KMS cannot be reached", func(ctx context.Context) {
			object := imported(ctx, validTo(20*24*time.Hour))
			kmsWire.set(key, "DescribeKey", unreachable)
			now.advance(20 * 24 * time.Hour)
			askForLook(ctx, object)
			Eventually(func() string { return summary(reload(ctx, object)) }).WithTimeout(patience).
				Should(Equal("Ready=False KMSUnreachable, Reconciling"))
		})

		It("that somebody moved in KMS is corrected", func(ctx context.Context) {
			object := imported(ctx, validTo(100*24*time.Hour))
			kmsWire.set(key, "DescribeKey", metadata(func(k map[string]any) {
				if kmsWire.count(key, "ImportKeyMaterial") == 1 {
					k["ValidTo"] = k["ValidTo"].(float64) - 86400
				}
			}))
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		})
	})

	Describe("that is suspended", func() {
		It("is left as it is until it is resumed", func(ctx context.Context) {
			object := imported(ctx)
			edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Suspend = new(true) })
			object = expectOutcome(ctx, object, "Ready=True Imported, Suspended Suspended")
			Expect(*object.Status.ObservedGeneration).To(Equal(object.Generation))
			looks := kmsWire.count(key, "DescribeKey")
			deleteMaterial(ctx, key)
			edit(ctx, secret, func(s *corev1.Secret) { s.Annotations = map[string]string{"touched": "yes"} })
			Consistently(func() int { return kmsWire.count(key, "DescribeKey") }).WithTimeout(time.Second).Should(Equal(looks))

			edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Suspend = nil })
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("from the start is not looked at", func(ctx context.Context) {
			newImport(ctx, "payments", key, func(o *v1alpha1.KMSKeyImport) { o.Spec.Suspend = new(true) })
			object := &v1alpha1.KMSKeyImport{}
			object.Namespace, object.Name = namespace, "payments"
			expectOutcome(ctx, object, "Ready=Unknown Suspended, Suspended")
			Expect(kmsWire.count(key, "DescribeKey")).To(BeZero())
		})
	})

	Describe("that was rotated elsewhere", func() {
		It("is left alone", func(ctx context.Context) {
			object := imported(ctx)
			kmsWire.set(key, "DescribeKey", metadata(func(k map[string]any) {
				k["CurrentKeyMaterialId"] = "0000000000000000000000000000000000000000000000000000000000000000"
			}))
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=False MaterialSuperseded, Stalled")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		})

		It("is not imported again and again when another material is missing", func(ctx context.Context) {
			object := imported(ctx)
			kmsWire.set(key, "DescribeKey", inState("PendingImport"))
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=False Progressing, Reconciling")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))

			now.advance(5 * time.Minute)
			for range 100 {
				expectPass(ctx, object)
			}
			expectOutcome(ctx, object, "Ready=False OtherMaterialMissing, Stalled")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		})
	})
})
