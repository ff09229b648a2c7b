package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

var _ = Describe("An imported key with a fixed expiry", func() {
	var key string

	BeforeEach(func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key = newSymmetricKey(ctx)
	})

	imported := func(ctx context.Context, expiration func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
		GinkgoHelper()
		return expectOutcome(ctx, newImport(ctx, "payments", key, expiration), "Ready=True Imported")
	}

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
})
