package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// speakQKMS has an operator in the QKMS dialect work on a local KMS in it, until the end of the container.
func speakQKMS(options localkms.Options) {
	GinkgoHelper()
	operator.stop()
	aws := local
	options.Dialect, options.StrictSigning = localkms.QKMS, true
	local = startLocalKMS(options)
	operator = startOperator()
	DeferCleanup(func() {
		operator.stop()
		local = aws
		operator = startOperator()
	})
}

func keyOfObject(object client.Object) client.ObjectKey { return client.ObjectKeyFromObject(object) }

var _ = Describe("A key of QKMS that already holds material", Ordered, ContinueOnFailure, func() {
	BeforeAll(func() { speakQKMS(localkms.Options{}) })

	DescribeTable("is left alone, and a person is told the way out and what it risks",
		func(ctx context.Context, ahead time.Duration) {
			material := randomMaterial()
			newSecret(ctx, "material", material)
			key := newSymmetricKey(ctx)
			held := permanently
			if ahead > 0 {
				held = expiringIn(ahead)
			}
			importByHand(ctx, key, material, held)
			ciphertext, reported := encrypt(ctx, key, "written before"), describe(ctx, key)

			object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False MaterialUnverifiable, Stalled")
			Expect(message(object, "Stalled")).To(Equal("the key already holds material that this operator has not imported, and this KMS gives no way " +
				"to tell whether it is the Secret's: use a key without material, or delete the key's material in KMS if you are certain that the " +
				"Secret holds the same bytes, and it is imported again; if it does not, everything that was encrypted under the key is lost for good"))
			Expect(kmsWire.changes(key)).To(BeZero())
			Expect(describe(ctx, key)).To(Equal(reported))
			Expect(recordOf(ctx, key)).To(BeNil(), "nothing is claimed")

			By("who goes that way")
			deleteMaterial(ctx, key)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
			Expect(recordOf(ctx, key).Imported.Adopted).To(BeNil(), "it was empty")
		},
		Entry("permanent", time.Duration(0)),
		Entry("expiring", 40*day),
	)

	It("is refused to whoever asks for an import by the annotation", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		importByHand(ctx, key, randomMaterial())
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False MaterialUnverifiable, Stalled")
		requestReimport(ctx, object)
		expectOutcome(ctx, object, "Ready=False MaterialUnverifiable, Stalled")
		Expect(kmsWire.changes(key)).To(BeZero())
	})
})
