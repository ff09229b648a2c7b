package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// QKMS takes any material after a deletion, so what a key holds is known by its expiry alone.
var _ = Describe("On QKMS, an object that asks for its material to be deleted with it", Ordered, ContinueOnFailure, func() {
	BeforeAll(func() {
		operator.stop()
		aws := local
		local = startLocalKMS(localkms.Options{Dialect: localkms.QKMS, StrictSigning: true})
		operator = startOperator()
		DeferCleanup(func() {
			operator.stop()
			local = aws
			operator = startOperator()
		})
	})

	given := func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) testament {
		GinkgoHelper()
		secret, key := newSecret(ctx, "material", randomMaterial()), newSymmetricKey(ctx)
		object := newImport(ctx, "payments", key, append(changes, withdrawing)...)
		return testament{expectOutcome(ctx, object, "Ready=True Imported"), secret, key}
	}

	DescribeTable("has it deleted, and the same manifest brings it back", func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) {
		t := given(ctx, changes...)
		ciphertext := encrypt(ctx, t.key, "written before")
		remove(ctx, t.object)
		expectWithdrawn(ctx, t.object, t.key, 1)
		expectOutcome(ctx, newImport(ctx, "payments", t.key), "Ready=True Imported")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	},
		Entry("without an expiry"),
		Entry("with one", validTo(60*day)),
	)

	It("leaves what somebody else has brought into the key since", func(ctx context.Context) {
		t := given(ctx, validTo(60*day))
		operator.stop()
		deleteMaterial(ctx, t.key)
		importByHand(ctx, t.key, randomMaterial(), expiringAt(now.Now().Add(30*day)))
		Expect(k8s.Delete(ctx, t.object)).To(Succeed())
		now.advance(5 * time.Minute)
		operator = startOperator()
		awaitGrace(ctx, t.object)
		passGrace(ctx, t.object)
		const why = "KMS does not report the expiry that was imported, so whether the material is the same cannot be told"
		expectRetained(ctx, t, why)
		expectToldWhy(ctx, why)
	})

	It("leaves what an import may have brought whose answer was lost", func(ctx context.Context) {
		t := given(ctx)
		deleteMaterial(ctx, t.key)
		kmsWire.set(t.key, "ImportKeyMaterial", answerLost())
		twoLooks(ctx, t.object)
		Expect(recordOf(ctx, t.key).Intent).NotTo(BeNil())
		remove(ctx, t.object)
		const why = "the outcome of its last import is not known"
		expectRetained(ctx, t, why)
		expectToldWhy(ctx, why)
	})
})
