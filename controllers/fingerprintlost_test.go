package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// loseFingerprintKey takes the key of all fingerprints away, as somebody does who restores a cluster without it, and
// returns it.
func loseFingerprintKey(ctx context.Context) []byte {
	GinkgoHelper()
	operator.stop()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "kms-key-import-fingerprint-key"}}
	Expect(k8s.Get(ctx, keyOfObject(secret), secret)).To(Succeed())
	Expect(k8s.Delete(ctx, secret)).To(Succeed())
	operator = startOperator()
	return secret.Data["key"]
}

// restoreFingerprintKey puts it back.
func restoreFingerprintKey(ctx context.Context, key []byte) {
	GinkgoHelper()
	operator.stop()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "kms-key-import-fingerprint-key"},
		Data:       map[string][]byte{"key": key}, Immutable: new(true),
	}
	Expect(k8s.Delete(ctx, secret)).To(Succeed())
	Expect(k8s.Create(ctx, secret)).To(Succeed())
	operator = startOperator()
}

var _ = Describe("When the fingerprint key is lost", func() {
	var (
		material   []byte
		secret     *corev1.Secret
		key        string
		object     *v1alpha1.KMSKeyImport
		ciphertext []byte
		before     string // the fingerprint on record
	)

	start := func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) {
		GinkgoHelper()
		material = randomMaterial()
		secret = newSecret(ctx, "material", material)
		key = newSymmetricKey(ctx)
		object = expectOutcome(ctx, newImport(ctx, "payments", key, changes...), "Ready=True Imported")
		ciphertext = encrypt(ctx, key, "written before")
		before = recordOf(ctx, key).Imported.Fingerprint
	}
	expectProven := func(ctx context.Context) {
		GinkgoHelper()
		Eventually(func() string { return recordOf(ctx, key).Imported.Fingerprint }).WithTimeout(patience).ShouldNot(Equal(before))
		Expect(recordOf(ctx, key).Imported.Adopted).To(BeNil(), "it is still what this operator brought into the key")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	}

	Describe("on AWS", func() {
		It("nothing happens while nothing has to be compared", func(ctx context.Context) {
			start(ctx)
			loseFingerprintKey(ctx)
			Expect(costOf(key, func() { requestReconcile(ctx, object) })).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}))
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(recordOf(ctx, key).Imported.Fingerprint).To(Equal(before))
		})

		It("a Secret written anew is proven by an import that changes nothing", func(ctx context.Context) {
			start(ctx, validTo(90*day))
			loseFingerprintKey(ctx)
			reported := describe(ctx, key)
			edit(ctx, secret, rewritten)
			Eventually(func() []sentImport { return kmsWire.sent(key)[1:] }).WithTimeout(patience).Should(Equal([]sentImport{asReported(reported)}))
			expectProven(ctx)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(historyOf(recordOf(ctx, key))).To(Equal([]string{"Claimed", "Imported FirstImport", "Imported Adoption"}))
		})

		It("a Secret with other bytes is refused by KMS, and by nobody's guess", func(ctx context.Context) {
			start(ctx)
			loseFingerprintKey(ctx)
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
			expectOutcome(ctx, object, "Ready=False MaterialMismatch, Stalled")
			Expect(recordOf(ctx, key).Imported.Fingerprint).To(Equal(before), "the record says what it knew")
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))

			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
			expectOutcome(ctx, object, "Ready=True Imported")
			expectProven(ctx)
		})

		It("a renewal is made after that", func(ctx context.Context) {
			start(ctx, validFor(90*day))
			loseFingerprintKey(ctx)
			renewal := object.Status.RenewalTime.Time
			object = passAt(ctx, object, renewal)
			Eventually(func() time.Time { return reload(ctx, object).Status.ValidTo.Time }).WithTimeout(patience).
				Should(BeTemporally("~", renewal.Add(90*day), time.Minute))
			expectOutcome(ctx, object, "Ready=True Imported")
			expectProven(ctx)
		})

		It("an empty key is healed, since KMS takes no other bytes", func(ctx context.Context) {
			start(ctx)
			loseFingerprintKey(ctx)
			deleteMaterial(ctx, key)
			requestReconcile(ctx, object)
			expectProven(ctx)
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("the next owner proves its material, and a wrong one does not pass", func(ctx context.Context) {
			start(ctx)
			Expect(k8s.Delete(ctx, object)).To(Succeed())
			Eventually(func() bool { return recordOf(ctx, key).Owner == nil }).WithTimeout(patience).Should(BeTrue())
			loseFingerprintKey(ctx)
			newSecret(ctx, "wrong", randomMaterial())
			wrong := expectOutcome(ctx, newImport(ctx, "wrong", key, fromSecret("wrong", "Raw")), "Ready=False MaterialMismatch, Stalled")
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
			Expect(k8s.Delete(ctx, wrong)).To(Succeed())
			expectOutcome(ctx, newImport(ctx, "right", key), "Ready=True Imported")
			expectProven(ctx)
		})
	})

	Describe("on QKMS", Ordered, ContinueOnFailure, func() {
		BeforeAll(func() { speakQKMS(localkms.Options{}) })

		const lost = "the key's record was made under a fingerprint key that is lost, so the Secret cannot be compared with what was imported: " +
			"restore the operator's fingerprint Secret, or use a new key and KMSKeyImport"

		It("a Secret written anew cannot be proven, and nothing is assumed of it", func(ctx context.Context) {
			start(ctx)
			kept := loseFingerprintKey(ctx)
			edit(ctx, secret, rewritten)
			object = expectOutcome(ctx, object, "Ready=False MaterialUnverifiable, Stalled")
			Expect(message(object, "Stalled")).To(Equal(lost))
			Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))

			By("until the fingerprint key is restored")
			restoreFingerprintKey(ctx, kept)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(recordOf(ctx, key).Imported.Fingerprint).To(Equal(before))
		})

		It("an empty key, which would take any bytes, gets none", func(ctx context.Context) {
			start(ctx)
			kept := loseFingerprintKey(ctx)
			deleteMaterial(ctx, key)
			requestReconcile(ctx, object)
			object = expectOutcome(ctx, object, "Ready=False MaterialUnverifiable, Stalled")
			Expect(message(object, "Stalled")).To(Equal(lost))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

			By("until the fingerprint key is restored")
			restoreFingerprintKey(ctx, kept)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		})
	})
})
