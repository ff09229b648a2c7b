package controllers_test

import (
	"context"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// resync is the operator's; what repeats at each of a hundred is never done with.
const resync = time.Hour

// aHundredLooks makes as many passes, past the work queue, each a resync later than the last.
func aHundredLooks(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	awaitCaches(ctx, object)
	for range 100 {
		now.advance(resync)
		_, err := operator.reconciler.Reconcile(ctx, requestFor(object))
		Expect(err).NotTo(HaveOccurred())
	}
}

var aHundred = cost{Look: 100}

var _ = Describe("A key that was rotated elsewhere", func() {
	var (
		material []byte
		key      string
	)

	BeforeEach(func(ctx context.Context) {
		material = randomMaterial()
		newSecret(ctx, "material", material)
		key = newSymmetricKey(ctx)
	})

	Describe("after its import", func() {
		imported := func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
			GinkgoHelper()
			return expectOutcome(ctx, newImport(ctx, "payments", key, changes...), "Ready=True Imported")
		}

		It("is not disturbed by material that waits for its rotation", func(ctx context.Context) {
			object := imported(ctx)
			importByHand(ctx, key, randomMaterial(), asNewMaterial)
			Expect(costOf(key, func() { object = twoLooks(ctx, object) })).To(Equal(cost{Look: 2}))
			Expect(summary(object)).To(Equal("Ready=True Imported"))
		})

		DescribeTable("is left alone, and that is said once",
			func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) {
				object := imported(ctx, changes...)
				ciphertext := encrypt(ctx, key, "written before")
				rotateByHand(ctx, key, randomMaterial())
				Expect(costOf(key, func() { expectPass(ctx, object) })).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}))
				object = expectOutcome(ctx, object, "Ready=False MaterialSuperseded, Stalled")
				Expect(message(object, "Stalled")).To(Equal("the key was rotated elsewhere: its current material is not the one this operator imported; " +
					"manage it where it was rotated, or use a new key"))

				Expect(costOf(key, func() { aHundredLooks(ctx, object) })).To(Equal(aHundred))
				restart()
				requestReimport(ctx, object)
				expectOutcome(ctx, object, "Ready=False MaterialSuperseded, Stalled")
				Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
				Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
				Eventually(eventsAbout(ctx, "MaterialSuperseded")).WithContext(ctx).WithTimeout(patience).Should(HaveLen(1))
			},
			Entry("permanent"),
			Entry("valid for a duration, over the time of its renewal", validFor(20*day, 19*day)),
		)

		It("is left alone also when it has no material any more", func(ctx context.Context) {
			object := imported(ctx)
			rotateByHand(ctx, key, randomMaterial())
			expectPass(ctx, object)
			deleteOneMaterial(ctx, key, object.Status.Material.KeyMaterialID)
			Expect(costOf(key, func() { object = twoLooks(ctx, object) })).To(Equal(cost{Look: 2, Kubernetes: budget{Status: 1}}))
			Expect(summary(object)).To(Equal("Ready=False MaterialSuperseded, Stalled"))
			Expect(object.Status.Key.State).To(Equal("PendingImport"))
		})
	})

	Describe("before its import", func() {
		var (
			other   []byte
			otherID string
		)

		// imported has its current material from the operator; the other is somebody else's.
		imported := func(ctx context.Context, otherExpires func(*awskmssdk.ImportKeyMaterialInput), changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
			GinkgoHelper()
			other = randomMaterial()
			otherID = importByHand(ctx, key, other, otherExpires)
			deleteOneMaterial(ctx, key, rotateByHand(ctx, key, material))
			return newImport(ctx, "payments", key, changes...)
		}
		permanent := func(*awskmssdk.ImportKeyMaterialInput) {}

		It("is imported once when the other material is missing, which finds out, and never again", func(ctx context.Context) {
			object := expectOutcome(ctx, imported(ctx, permanent), "Ready=True Imported")
			deleteOneMaterial(ctx, key, otherID)
			Expect(costOf(key, func() {
				expectPass(ctx, object)
				now.advance(5 * time.Second)
				expectPass(ctx, object)
				Expect(summary(reload(ctx, object))).To(Equal("Ready=False Progressing, Reconciling"))
				now.advance(5 * time.Minute)
				expectPass(ctx, object)
			})).To(Equal(cost{4, 1, 1, budget{Records: 3, Status: 3, SecretReads: 1}}), "three records: intent, result, and that it is not confirmed")
			object = expectOutcome(ctx, object, "Ready=False OtherMaterialMissing, Stalled")
			Expect(message(object, "Stalled")).To(Equal("KMS took the material and still reports the key as pending import: " +
				"another material of the same key is missing; import that one by hand"))

			Expect(costOf(key, func() { aHundredLooks(ctx, object) })).To(Equal(aHundred))
			restart()
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=False OtherMaterialMissing, Stalled")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
			Eventually(eventsAbout(ctx, "OtherMaterialMissing")).WithContext(ctx).WithTimeout(patience).Should(HaveLen(1))

			By("until somebody imports it")
			importByHand(ctx, key, other)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(recordOf(ctx, key).Imported.Unconfirmed).To(BeNil())
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		})

		It("is warned of when the other material expires earlier, and said to miss it when it has", func(ctx context.Context) {
			object := imported(ctx, expiringAt(now.Now().Add(30*day)))
			expectOutcome(ctx, object, "Ready=True Imported, Reconciling Progressing")
			Expect(costOf(key, func() { object = passAt(ctx, object, now.Now().Add(5*time.Minute)) })).
				To(Equal(cost{Look: 1, Kubernetes: budget{Records: 1, Status: 1}}))
			object = expectOutcome(ctx, object, "Ready=True Imported, OtherMaterialExpires EarlierExpiry")
			Expect(message(object, "OtherMaterialExpires")).To(Equal("KMS reports another expiry than was imported: " +
				"most likely another material of the same key expires first; import that one by hand with a later expiry"))
			Expect(object.Status.ValidTo.Unix()).To(Equal(describe(ctx, key).ValidTo.Unix()))

			Expect(costOf(key, func() { aHundredLooks(ctx, object) })).To(Equal(aHundred))
			restart()
			requestReconcile(ctx, object)
			object = expectOutcome(ctx, object, "Ready=True Imported, OtherMaterialExpires EarlierExpiry")
			object = passAt(ctx, object, object.Status.ValidTo.Add(-14*day))
			Expect(summary(object)).To(Equal("Ready=True Imported, OtherMaterialExpires EarlierExpiry, Expiring ExpiresSoon"))
			Expect(message(object, "Expiring")).To(Equal("the material expires within 14 days and will not be renewed: see the condition OtherMaterialExpires"))

			By("expired")
			object = passAt(ctx, object, object.Status.ValidTo.Time)
			Expect(summary(object)).To(Equal("Ready=False OtherMaterialMissing, Stalled"))
			Expect(costOf(key, func() { aHundredLooks(ctx, object) })).To(Equal(aHundred))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
			Eventually(eventsAbout(ctx, "OtherMaterialMissing")).WithContext(ctx).WithTimeout(patience).Should(HaveLen(1))
			Expect(eventsAbout(ctx, "EarlierExpiry")(Default)).To(BeEmpty(), "a warning is a condition")

			By("imported with a later expiry, by hand")
			importByHand(ctx, key, other)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		})

		It("is renewed once each time, whatever the other material's expiry", func(ctx context.Context) {
			object := imported(ctx, expiringAt(now.Now().Add(80*day)), validFor(90*day))
			expectOutcome(ctx, object, "Ready=True Imported, Reconciling Progressing")
			object = passAt(ctx, object, now.Now().Add(5*time.Minute))
			Expect(summary(object)).To(Equal("Ready=True Imported, OtherMaterialExpires EarlierExpiry"))

			object = passAt(ctx, object, object.Status.RenewalTime.Time)
			Expect(summary(object)).To(Equal("Ready=True Imported, Reconciling Progressing"))
			object = passAt(ctx, object, now.Now().Add(5*time.Minute))
			Expect(summary(object)).To(Equal("Ready=True Imported, OtherMaterialExpires EarlierExpiry"))
			Expect(costOf(key, func() { aHundredLooks(ctx, object) })).To(Equal(aHundred))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		})
	})
})
