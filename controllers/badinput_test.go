package controllers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

var _ = Describe("A Secret that is not ready", func() {
	It("is waited for, and picked up as soon as it exists", func(ctx context.Context) {
		object := newImport(ctx, "payments", newSymmetricKey(ctx))
		object = expectOutcome(ctx, object, "Ready=False SecretNotFound, Reconciling")
		Expect(message(object, "Ready")).To(Equal(`Secret "material" does not exist in this namespace: create it`))
		Expect(*object.Status.ObservedGeneration).To(BeZero(), "nothing is settled yet")

		newSecret(ctx, "material", randomMaterial())
		expectOutcomeWithin(ctx, promptly, object, "Ready=True Imported")
	})

	It("must consent before its content is read", func(ctx context.Context) {
		secret := newSecret(ctx, "material", randomMaterial())
		edit(ctx, secret, func(s *corev1.Secret) { s.Labels = nil })
		apiWire.reset()
		object := newImport(ctx, "payments", newSymmetricKey(ctx))
		object = expectOutcome(ctx, object, "Ready=False SecretNotConsenting, Reconciling")
		Expect(message(object, "Ready")).To(ContainSubstring("kms.keyimport.dev/key-material=true"))
		Expect(apiWire.spent().SecretReads).To(BeZero())

		edit(ctx, secret, func(s *corev1.Secret) { s.Labels = map[string]string{consentLabel: "true"} })
		expectOutcomeWithin(ctx, promptly, object, "Ready=True Imported")
	})

	It("does not consent with any other value of the label", func(ctx context.Context) {
		secret := newSecret(ctx, "material", randomMaterial())
		edit(ctx, secret, func(s *corev1.Secret) { s.Labels[consentLabel] = "yes" })
		expectOutcome(ctx, newImport(ctx, "payments", newSymmetricKey(ctx)), "Ready=False SecretNotConsenting, Reconciling")
	})

	It("must have the key that the spec names", func(ctx context.Context) {
		secret := newSecret(ctx, "material", randomMaterial())
		edit(ctx, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"other": randomMaterial()} })
		object := newImport(ctx, "payments", newSymmetricKey(ctx))
		object = expectOutcome(ctx, object, "Ready=False SecretKeyMissing, Reconciling")
		Expect(message(object, "Ready")).To(Equal(`Secret "material" has no key "material": add it, or correct spec.material.secretRef.key`))

		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = s.Data["other"] })
		expectOutcomeWithin(ctx, promptly, object, "Ready=True Imported")
	})
})

var _ = DescribeTable("A value that is no material for the key stalls without a call that changes the key",
	func(ctx context.Context, value []byte, encoding v1alpha1.MaterialEncoding, want string) {
		secret := newSecret(ctx, "material", value)
		key := newSymmetricKey(ctx)
		object := newImport(ctx, "payments", key, func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.Encoding = encoding })
		object = expectOutcome(ctx, object, "Ready=False InvalidKeyMaterial, Stalled")
		Expect(message(object, "Stalled")).To(ContainSubstring(want))
		Expect(kmsWire.changes(key)).To(BeZero())
		Expect(recordOf(ctx, key)).To(BeNil(), "nothing half-done stays behind")

		By("correcting the Secret")
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.Encoding = "Raw" })
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		expectOutcomeWithin(ctx, promptly, object, "Ready=True Imported")
	},
	Entry("an empty value", []byte{}, v1alpha1.MaterialEncoding("Raw"), "exactly 32 bytes"),
	Entry("a byte too few", make([]byte, 31), v1alpha1.MaterialEncoding("Raw"), "exactly 32 bytes"),
	Entry("Base64 text declared as Raw", []byte("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), v1alpha1.MaterialEncoding("Raw"), "spec.material.encoding to Base64"),
	Entry("bad Base64", []byte("!!!!"), v1alpha1.MaterialEncoding("Base64"), "Base64"),
	Entry("bad hex", []byte("0x00"), v1alpha1.MaterialEncoding("Hex"), "two of the digits"),
	Entry("no PEM", []byte("correct horse battery staple 123"), v1alpha1.MaterialEncoding("PEM"), "one PEM block with an unencrypted private key"),
	Entry("an EC key's PEM", []byte(randomPEM()), v1alpha1.MaterialEncoding("PEM"), "exactly 32 bytes"),
	Entry("32 equal bytes", make([]byte, 32), v1alpha1.MaterialEncoding("Raw"), "random bytes"),
	Entry("32 bytes of text", []byte("correct horse battery staple 123"), v1alpha1.MaterialEncoding("Raw"), "random bytes"),
)

// randomPEM is the PEM of a private key.
func randomPEM() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

var _ = Describe("A wrapping that is impossible for the key", func() {
	It("stalls before any call but the look, and goes when it is removed", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := newImport(ctx, "payments", key, func(o *v1alpha1.KMSKeyImport) {
			o.Spec.Wrapping = &v1alpha1.Wrapping{Algorithm: "RSA_AES_KEY_WRAP_SHA_256"}
		})
		object = expectOutcome(ctx, object, "Ready=False InvalidWrapping, Stalled")
		Expect(message(object, "Stalled")).To(ContainSubstring("RSAES_OAEP_SHA_256 with RSA_4096 is chosen"))
		Expect(kmsWire.count(key, "GetParametersForImport")).To(BeZero())
		Expect(kmsWire.changes(key)).To(BeZero())

		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Wrapping = nil })
		expectOutcome(ctx, object, "Ready=True Imported")
	})
})

var _ = Describe("Weak material", func() {
	It("is imported when the spec allows it", func(ctx context.Context) {
		newSecret(ctx, "material", make([]byte, 32))
		expectOutcome(ctx, newImport(ctx, "payments", newSymmetricKey(ctx), func(o *v1alpha1.KMSKeyImport) {
			o.Spec.Material.WeakMaterialPolicy = "Allow"
		}), "Ready=True Imported")
	})
})

var _ = Describe("A key that cannot be imported into", func() {
	BeforeEach(func(ctx context.Context) { newSecret(ctx, "material", randomMaterial()) })

	It("is looked for until it exists", func(ctx context.Context) {
		kmsWire.set("alias/later", "DescribeKey", refuses("NotFoundException", "Alias alias/later is not found."))
		object := expectOutcome(ctx, newImport(ctx, "payments", "alias/later"), "Ready=False KeyNotFound, Reconciling")
		Expect(message(object, "Ready")).To(ContainSubstring(`KMS has no key "alias/later"`))
		Expect(object.Status.Key).To(BeNil())

		key := newSymmetricKey(ctx)
		kmsWire.set("alias/later", "DescribeKey", aliasTo(&key))
		DeferCleanup(func() { kmsWire.set("alias/later", "DescribeKey", nil) })
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("is refused when KMS made its material", func(ctx context.Context) {
		key := newKey(ctx, kmstypes.KeySpecSymmetricDefault, kmstypes.OriginTypeAwsKms)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KeyNotImportable, Stalled")
		Expect(message(object, "Stalled")).To(ContainSubstring("Origin is AWS_KMS"))
		Expect(kmsWire.changes(key)).To(BeZero())
	})

	It("is left alone while it is disabled", func(ctx context.Context) {
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		_, err := local.admin.DisableKey(ctx, &awskmssdk.DisableKeyInput{KeyId: &key})
		Expect(err).NotTo(HaveOccurred())
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=False KeyDisabled, Reconciling")
		Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")

		_, err = local.admin.EnableKey(ctx, &awskmssdk.EnableKeyInput{KeyId: &key})
		Expect(err).NotTo(HaveOccurred())
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.changes(key)).To(Equal(2))
	})

	It("is left alone when it is scheduled for deletion", func(ctx context.Context) {
		key := newSymmetricKey(ctx)
		_, err := local.admin.ScheduleKeyDeletion(ctx, &awskmssdk.ScheduleKeyDeletionInput{KeyId: &key})
		Expect(err).NotTo(HaveOccurred())
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KeyPendingDeletion, Stalled")
		Expect(kmsWire.changes(key)).To(BeZero())
	})

	DescribeTable("is never changed, once it was imported, while it is in a state that passes or that a person must end",
		func(ctx context.Context, state, want string) {
			key := newSymmetricKey(ctx)
			object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
			kmsWire.set(key, "DescribeKey", inState(state))
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, want)
			expectFixedPoint(ctx, object)
			Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")

			kmsWire.set(key, "DescribeKey", nil)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.changes(key)).To(Equal(2))
		},
		Entry(nil, "Updating", "Ready=True Imported, Reconciling KeyUpdating"),
		Entry(nil, "Unavailable", "Ready=False KeyUnavailable, Reconciling"),
		Entry(nil, "Disabled", "Ready=False KeyDisabled, Reconciling"),
		Entry(nil, "PendingDeletion", "Ready=False KeyPendingDeletion, Stalled"),
		Entry(nil, "PendingReplicaDeletion", "Ready=False KeyPendingReplicaDeletion, Stalled"),
	)

	DescribeTable("in a state that passes or that a person must end",
		func(ctx context.Context, state, want string) {
			key := newSymmetricKey(ctx)
			kmsWire.set(key, "DescribeKey", inState(state))
			object := expectOutcome(ctx, newImport(ctx, "payments", key), want)
			Expect(object.Status.Key.State).To(Equal(state))
			Expect(kmsWire.changes(key)).To(BeZero())

			kmsWire.set(key, "DescribeKey", nil)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		},
		Entry(nil, "Creating", "Ready=False KeyCreating, Reconciling"),
		Entry(nil, "Updating", "Ready=False KeyUpdating, Reconciling"),
		Entry(nil, "Unavailable", "Ready=False KeyUnavailable, Reconciling"),
		Entry(nil, "Frozen", "Ready=False KMSError, Reconciling"),
	)

	DescribeTable("that somebody has taken out of use is imported only when that was asked for",
		func(ctx context.Context, state, want string) {
			key := newSymmetricKey(ctx)
			kmsWire.set(key, "DescribeKey", inState(state))
			object := expectOutcome(ctx, newImport(ctx, "payments", key), want)
			Expect(object.Status.Key.State).To(Equal(state))

			kmsWire.set(key, "DescribeKey", nil)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=False HeldAfterDisable, Stalled")
			Expect(kmsWire.changes(key)).To(BeZero())

			requestReimport(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(callsFor(key)[1:]).To(Equal([]int{1, 1}))
		},
		Entry(nil, "Disabled", "Ready=False KeyDisabled, Reconciling"),
		Entry(nil, "PendingDeletion", "Ready=False KeyPendingDeletion, Stalled"),
		Entry(nil, "PendingReplicaDeletion", "Ready=False KeyPendingReplicaDeletion, Stalled"),
	)

	It("is left alone when it holds material of which KMS does not say when it expires", func(ctx context.Context) {
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "DescribeKey", inState("Enabled"))
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False MaterialUnverifiable, Stalled")
		Expect(kmsWire.changes(key)).To(BeZero())
		Expect(recordOf(ctx, key)).To(BeNil())
	})
})

var _ = DescribeTable("A KMS that does not do what it is asked to",
	func(ctx context.Context, operation string, broken fault, want string) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, operation, broken)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), want)

		By("recovering by itself")
		kmsWire.set(key, operation, nil)
		expectOutcome(ctx, object, "Ready=True Imported")
	},
	Entry("cannot be reached", "DescribeKey", fault(unreachable), "Ready=Unknown KMSUnreachable, Reconciling"),
	Entry("cannot be reached for parameters", "GetParametersForImport", fault(unreachable), "Ready=False KMSUnreachable, Reconciling"),
	Entry("cannot be reached for the import", "ImportKeyMaterial", fault(unreachable), "Ready=False KMSUnreachable, Reconciling"),
	Entry("fails inside", "DescribeKey", failsWith(503), "Ready=Unknown KMSUnreachable, Reconciling"),
	Entry("fails inside with a code", "ImportKeyMaterial", refuses("KMSInternalException", ""), "Ready=False KMSUnreachable, Reconciling"),
	Entry("throttles looks", "DescribeKey", refuses("ThrottlingException", "Rate exceeded"), "Ready=Unknown Throttled, Reconciling"),
	Entry("throttles parameters", "GetParametersForImport", refuses("ThrottlingException", "Rate exceeded"), "Ready=False Throttled, Reconciling"),
	Entry("denies looks", "DescribeKey", refuses("AccessDeniedException", "not authorized"), "Ready=Unknown AccessDenied, Reconciling"),
	Entry("denies parameters", "GetParametersForImport", refuses("AccessDeniedException", "not authorized"), "Ready=False AccessDenied, Reconciling"),
	Entry("denies the import", "ImportKeyMaterial", refuses("AccessDeniedException", "not authorized"), "Ready=False AccessDenied, Reconciling"),
)

var _ = Describe("A KMS that cannot be reached any more", func() {
	It("leaves the last known facts standing", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		kmsWire.set(key, "DescribeKey", unreachable)
		askForLook(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported, Reconciling KMSUnreachable")
		Expect(reload(ctx, object).Status.LastHandledReconcileAt).To(BeEmpty(), "nobody has looked yet")

		now.advance(3*time.Hour + time.Minute)
		expectOutcome(ctx, object, "Ready=Unknown KMSUnreachable, Reconciling")

		kmsWire.set(key, "DescribeKey", nil)
		expectOutcome(ctx, object, "Ready=True Imported")
	})
})

var _ = DescribeTable("A fixed expiry that cannot be imported stalls without a call that changes the key",
	func(ctx context.Context, ahead time.Duration, want string) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key, validTo(ahead)), "Ready=False InvalidExpiration, Stalled")
		Expect(message(object, "Stalled")).To(ContainSubstring(want))
		Expect(kmsWire.changes(key)).To(BeZero())

		edit(ctx, object, validTo(30*24*time.Hour))
		expectOutcome(ctx, object, "Ready=True Imported")
	},
	Entry("in the past", -time.Minute, "is in the past"),
	Entry("under 5 minutes ahead", 4*time.Minute, "less than 5 minutes ahead"),
	Entry("over 365 days ahead", 366*24*time.Hour, "more than 365 days ahead"),
)

var _ = Describe("Deleting the object", func() {
	DescribeTable("is never blocked",
		func(ctx context.Context, breakIt func(context.Context, string), want string) {
			key := newSymmetricKey(ctx)
			breakIt(ctx, key)
			object := expectOutcome(ctx, newImport(ctx, "payments", key), want)
			Expect(object.Finalizers).To(BeEmpty())
			Expect(k8s.Delete(ctx, object)).To(Succeed())
			Expect(k8s.Get(ctx, requestFor(object).NamespacedName, &v1alpha1.KMSKeyImport{})).To(MatchError(ContainSubstring("not found")))
		},
		Entry("by a missing Secret", func(context.Context, string) {}, "Ready=False SecretNotFound, Reconciling"),
		Entry("by a KMS that is gone", func(_ context.Context, key string) { kmsWire.set(key, "DescribeKey", unreachable) },
			"Ready=Unknown KMSUnreachable, Reconciling"),
		Entry("by material that is invalid", func(ctx context.Context, _ string) { newSecret(ctx, "material", []byte("short")) },
			"Ready=False InvalidKeyMaterial, Stalled"),
	)

	It("gives up the key whatever is broken", func(ctx context.Context) {
		secret := newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		kmsWire.set(key, "DescribeKey", unreachable)
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		Eventually(func() bool { return recordOf(ctx, key).Owner == nil }).WithTimeout(promptly).Should(BeTrue())
	})

	It("is left alone while somebody else's finalizer holds it", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key, func(o *v1alpha1.KMSKeyImport) {
			o.Finalizers = []string{"example.com/hold"}
		}), "Ready=True Imported")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		deleteMaterial(ctx, key)
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) {
			metav1.SetMetaDataAnnotation(&o.ObjectMeta, "kms.keyimport.dev/reconcile-requested-at", "now")
		})
		Consistently(func() int { return kmsWire.count(key, "ImportKeyMaterial") }).WithTimeout(time.Second).Should(Equal(1))
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Finalizers = nil })
	})
})
