package controllers_test

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

var _ = Describe("An import whose answer is lost", func() {
	It("is done again, which is the proof", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "ImportKeyMaterial", answerLost())
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		Expect(recordOf(ctx, key).Intent).To(BeNil())
		Expect(object.Status.Material.KeyMaterialID).To(Equal(*describe(ctx, key).CurrentKeyMaterialId))
	})

	It("has brought in the operator's own material, however often that happens", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "ImportKeyMaterial", answersLost(2))
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Expect(recordOf(ctx, key).Imported.Adopted).To(BeNil(), "the key was empty before the first of these imports")
	})

	It("is not followed by other bytes", func(ctx context.Context) {
		secret := newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "ImportKeyMaterial", unreachable)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KMSUnreachable, Reconciling")
		Expect(recordOf(ctx, key).Intent).NotTo(BeNil(), "the outcome is unknown")
		attempts := kmsWire.count(key, "ImportKeyMaterial")
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(BeNumerically("<=", attempts+1))
		Expect(recordOf(ctx, key).Intent).NotTo(BeNil())
	})
})

var _ = Describe("An import that KMS refuses", func() {
	It("leaves no intent behind, so that the Secret may still be corrected", func(ctx context.Context) {
		secret := newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "ImportKeyMaterial", refuses("IncorrectKeyMaterialException", ""))
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False MaterialMismatch, Stalled")
		record := recordOf(ctx, key)
		Expect(record.Intent).To(BeNil())
		Expect(record.Imported).To(BeNil())
		Expect(string(record.History[len(record.History)-1].Event)).To(Equal("ImportRefused"))
		expectFixedPoint(ctx, object)
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1), "what was refused is not tried again as it is")

		By("but with another key of the same Secret")
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["other"] = randomMaterial() })
		Eventually(func() int { return kmsWire.count(key, "ImportKeyMaterial") }).WithTimeout(patience).Should(Equal(2))
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.SecretRef.Key = "other" })
		Eventually(func() int { return kmsWire.count(key, "ImportKeyMaterial") }).WithTimeout(patience).Should(Equal(3))
		expectOutcome(ctx, object, "Ready=False MaterialMismatch, Stalled")

		kmsWire.set(key, "ImportKeyMaterial", nil)
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("says so when the wrapping is what KMS refuses", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "GetParametersForImport", refuses("ValidationException", "Wrapping algorithm X cannot be used."))
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False InvalidWrapping, Stalled")
		Expect(message(object, "Stalled")).To(ContainSubstring("Wrapping algorithm X cannot be used"))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(BeZero())
	})
})

var _ = Describe("Propagation", func() {
	It("is waited for: our own answer is believed first", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "DescribeKey", inState("PendingImport"))
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=Unknown Progressing, Reconciling")
		expectPass(ctx, object)
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

		kmsWire.set(key, "DescribeKey", nil)
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})
})

var _ = Describe("A restart", func() {
	It("costs a settled object no call at once, and no import", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		operator.stop()
		looks := kmsWire.count(key, "DescribeKey")
		apiWire.reset()
		operator = startOperator()

		Consistently(func() int { return kmsWire.count(key, "DescribeKey") }).WithTimeout(2 * time.Second).Should(Equal(looks))
		Expect(apiWire.spent()).To(Equal(budget{}))

		By("a request is answered at once all the same")
		requestReconcile(ctx, object)
		Expect(kmsWire.count(key, "DescribeKey")).To(Equal(looks + 1))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("in the middle of an import ends with the key imported", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		reached := make(chan struct{})
		kmsWire.set(key, "ImportKeyMaterial", func(pass func() (*http.Response, error)) (*http.Response, error) {
			response, err := pass()
			close(reached)
			operator.cancel()
			return response, err
		})
		object := newImport(ctx, "payments", key)
		Eventually(reached).WithTimeout(patience).Should(BeClosed())
		kmsWire.set(key, "ImportKeyMaterial", nil)
		Eventually(operator.done).WithTimeout(patience).Should(Receive())
		Expect(recordOf(ctx, key).Imported).NotTo(BeNil(), "the result is written down although the process was stopped")
		operator = startOperator()
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("finds keys whose owners were deleted meanwhile", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		operator.stop()
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		operator = startOperator()
		Eventually(func() bool { return recordOf(ctx, key).Owner == nil }).WithTimeout(patience).Should(BeTrue())
	})

	It("with a lost fingerprint key has KMS prove anew what the key holds", func(ctx context.Context) {
		secret := newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		ciphertext, lostWith := encrypt(ctx, key, "written before"), recordOf(ctx, key).Imported.Fingerprint
		operator.stop()
		lost := &corev1.Secret{}
		lost.Namespace, lost.Name = operatorNamespace, "kms-key-import-fingerprint-key"
		Expect(k8s.Delete(ctx, lost)).To(Succeed())
		operator = startOperator()
		edit(ctx, secret, func(s *corev1.Secret) { s.Annotations = map[string]string{"touched": "yes"} })
		Eventually(func() string { return string(recordOf(ctx, key).Imported.Cause) }).WithTimeout(patience).Should(Equal("Adoption"))
		expectOutcome(ctx, object, "Ready=True Imported")
		record := recordOf(ctx, key)
		Expect(record.Imported.Fingerprint).NotTo(Equal(lostWith))
		Expect(record.Imported.Adopted).To(BeNil(), "the operator has brought it into the key all the same")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})
})
