package controllers_test

import (
	"context"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// asReported is the import that changes nothing: of the current material, with the expiry that KMS reports.
func asReported(key *kmstypes.KeyMetadata) sentImport {
	sent := sentImport{ExpirationModel: string(key.ExpirationModel)}
	if key.ValidTo != nil {
		sent.ValidTo = key.ValidTo.Unix()
	}
	if id := aws.ToString(key.CurrentKeyMaterialId); id != "" {
		sent.ImportType, sent.KeyMaterialID = "EXISTING_KEY_MATERIAL", id
	}
	return sent
}

// permanently is an import by hand of material that does not expire.
func permanently(*awskmssdk.ImportKeyMaterialInput) {}

// expiringIn is one of material that does.
func expiringIn(ahead time.Duration) func(*awskmssdk.ImportKeyMaterialInput) {
	return func(input *awskmssdk.ImportKeyMaterialInput) { expiringAt(now.Now().Add(ahead))(input) }
}

// historyOf is what happened to a key, and why.
func historyOf(record *v1alpha1.KMSKeyRecord) []string {
	var events []string
	for _, entry := range record.History {
		event := string(entry.Event)
		if entry.Cause != "" {
			event += " " + entry.Cause
		}
		events = append(events, event)
	}
	return events
}

func takingItsMaterial(object *v1alpha1.KMSKeyImport) {
	object.Spec.DeletionPolicy = "DeleteKeyMaterial"
}

var _ = DescribeTable("Material that a key already holds is proven by an import that changes nothing, and then gets the spec's expiry",
	func(ctx context.Context, spec kmstypes.KeySpec, makeSample func() sample,
		held func(*awskmssdk.ImportKeyMaterialInput), wanted func(*v1alpha1.KMSKeyImport), model string, imports []string,
	) {
		material := makeSample()
		newSecret(ctx, "material", material.usual.value)
		key := newKey(ctx, spec, kmstypes.OriginTypeExternal)
		importByHand(ctx, key, material.usual.value, held)
		material.prove(ctx, key)
		reported := describe(ctx, key)

		object := expectOutcome(ctx, newImport(ctx, "payments", key, wanted), "Ready=True Imported")
		sent := kmsWire.sent(key)
		Expect(sent[0]).To(Equal(asReported(reported)), "as KMS reported it at that moment")
		Expect(sent).To(HaveLen(len(imports)))
		record := recordOf(ctx, key)
		Expect(historyOf(record)).To(Equal(append([]string{"Claimed"}, imports...)))
		Expect(record.Owner.UID).To(Equal(object.UID))
		Expect(record.Imported.Adopted).To(HaveValue(BeTrue()))

		Expect(string(describe(ctx, key).ExpirationModel)).To(Equal(model))
		Expect(object.Status.ExpirationModel).To(Equal(model))
		if expiration := object.Spec.Expiration; expiration != nil && expiration.ValidTo != nil {
			Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(expiration.ValidTo.Unix()))
		}
		material.prove(ctx, key)
	},
	Entry("symmetric, permanent, and to stay so", kmstypes.KeySpecSymmetricDefault, symmetric,
		permanently, notExpiring, "KEY_MATERIAL_DOES_NOT_EXPIRE", []string{"Imported Adoption"}),
	Entry("symmetric, permanent, and to expire", kmstypes.KeySpecSymmetricDefault, symmetric,
		permanently, validFor(90*day), "KEY_MATERIAL_EXPIRES", []string{"Imported Adoption", "Imported ExpiryChanged"}),
	Entry("symmetric, expiring, and not to", kmstypes.KeySpecSymmetricDefault, symmetric,
		expiringIn(40*day), notExpiring, "KEY_MATERIAL_DOES_NOT_EXPIRE", []string{"Imported Adoption", "Imported ExpiryChanged"}),
	Entry("symmetric, expiring within the warnings, and to do so later", kmstypes.KeySpecSymmetricDefault, symmetric,
		expiringIn(day), validTo(90*day), "KEY_MATERIAL_EXPIRES", []string{"Imported Adoption", "Imported ExpiryChanged"}),
	Entry("HMAC, permanent", kmstypes.KeySpecHmac256, mac(32, sha256.New, rawBytes, rawBytes),
		permanently, notExpiring, "KEY_MATERIAL_DOES_NOT_EXPIRE", []string{"Imported Adoption"}),
	Entry("HMAC, expiring, and to do so later", kmstypes.KeySpecHmac256, mac(32, sha256.New, rawBytes, rawBytes),
		expiringIn(40*day), validTo(90*day), "KEY_MATERIAL_EXPIRES", []string{"Imported Adoption", "Imported ExpiryChanged"}),
	Entry("RSA, permanent", kmstypes.KeySpecRsa2048, rsaSample(2048, pkcs8DER, pkcs8DER),
		permanently, notExpiring, "KEY_MATERIAL_DOES_NOT_EXPIRE", []string{"Imported Adoption"}),
	Entry("RSA, expiring, and not to", kmstypes.KeySpecRsa2048, rsaSample(2048, pkcs8DER, pkcs8DER),
		expiringIn(40*day), notExpiring, "KEY_MATERIAL_DOES_NOT_EXPIRE", []string{"Imported Adoption", "Imported ExpiryChanged"}),
	Entry("EC, permanent, and to expire", kmstypes.KeySpecEccNistP256, ecSample(elliptic.P256(), pkcs8DER, pkcs8DER),
		permanently, validTo(90*day), "KEY_MATERIAL_EXPIRES", []string{"Imported Adoption", "Imported ExpiryChanged"}),
	Entry("EC, expiring, and to be renewed", kmstypes.KeySpecEccNistP256, ecSample(elliptic.P256(), pkcs8DER, pkcs8DER),
		expiringIn(40*day), validFor(90*day), "KEY_MATERIAL_EXPIRES", []string{"Imported Adoption", "Imported ExpiryChanged"}),
)

var _ = Describe("A key that already holds material", func() {
	var (
		material   []byte
		secret     *corev1.Secret
		key        string
		ciphertext []byte
		reported   *kmstypes.KeyMetadata
	)

	BeforeEach(func(ctx context.Context) {
		material = randomMaterial()
		key = newSymmetricKey(ctx)
		importByHand(ctx, key, material, expiringIn(40*day))
		ciphertext = encrypt(ctx, key, "written before")
		reported = describe(ctx, key)
	})

	AfterEach(func(ctx context.Context) {
		if describe(ctx, key).KeyState == kmstypes.KeyStateEnabled {
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		}
	})

	adopts := func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
		GinkgoHelper()
		secret = newSecret(ctx, "material", material)
		return expectOutcome(ctx, newImport(ctx, "payments", key, changes...), "Ready=True Imported")
	}
	wrongly := func(ctx context.Context, name string, changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
		GinkgoHelper()
		secret = newSecret(ctx, "material", randomMaterial())
		return expectOutcome(ctx, newImport(ctx, name, key, changes...), "Ready=False MaterialMismatch, Stalled")
	}
	expectUntouched := func(ctx context.Context) {
		GinkgoHelper()
		Expect(describe(ctx, key)).To(Equal(reported))
	}

	It("costs one import where the spec asks for what there is", func(ctx context.Context) {
		secret = newSecret(ctx, "material", material)
		expectOutcome(ctx, newImport(ctx, "before", newSymmetricKey(ctx)), "Ready=True Imported") // the fingerprint key is there
		asThereIs := func(o *v1alpha1.KMSKeyImport) {
			validTo(40 * day)(o)
			o.Spec.Expiration.ValidTo.Time = *reported.ValidTo
		}
		Expect(costOf(key, func() {
			expectOutcome(ctx, newImport(ctx, "payments", key, asThereIs), "Ready=True Imported")
		})).To(Equal(cost{2, 1, 1, budget{Records: 2, Status: 1, SecretReads: 1}}))
		expectUntouched(ctx)
	})

	It("is left as it is where KMS refuses the Secret's bytes", func(ctx context.Context) {
		object := wrongly(ctx, "payments")
		record := recordOf(ctx, key)
		Expect(historyOf(record)).To(Equal([]string{"Claimed", "ImportRefused Adoption"}))
		Expect(record.Imported).To(BeNil())
		Expect(record.Intent).To(BeNil())
		expectUntouched(ctx)
		Expect(costOf(key, func() { object = twoLooks(ctx, object) })).To(Equal(cost{Look: 2}), "what was refused is not tried again as it is")

		By("and adopted once the Secret holds them")
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))
	})

	It("goes to the next with its material, as if the claim before had never been", func(ctx context.Context) {
		wrong := wrongly(ctx, "wrong")
		newSecret(ctx, "right", material)
		right := newImport(ctx, "right", key, fromSecret("right", "Raw"))
		expectOutcome(ctx, right, "Ready=False KeyConflict, Stalled")
		Expect(k8s.Delete(ctx, wrong)).To(Succeed())
		expectOutcome(ctx, right, "Ready=True Imported")
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))
	})

	It("is not weighed by how random its material looks", func(ctx context.Context) {
		material = make([]byte, 32)
		key = newSymmetricKey(ctx)
		importByHand(ctx, key, material)
		ciphertext = encrypt(ctx, key, "written before")
		adopts(ctx)
	})

	It("is left alone while it is disabled, and adopted once it is enabled", func(ctx context.Context) {
		disable(ctx, key)
		secret = newSecret(ctx, "material", material)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KeyDisabled, Reconciling")
		Expect(costOf(key, func() { object = twoLooks(ctx, object) })).To(Equal(cost{Look: 2}))
		asked := askForImport(ctx, object)
		expectPass(ctx, object)
		Expect(reload(ctx, object).Status.LastHandledReimportAt).NotTo(Equal(asked))
		Expect(kmsWire.changes(key)).To(BeZero())
		Expect(recordOf(ctx, key)).To(BeNil())
		Expect(describe(ctx, key).KeyState).To(Equal(kmstypes.KeyStateDisabled))

		enable(ctx, key)
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.sent(key)[0]).To(Equal(asReported(reported)))
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))
	})

	It("is left to expire when it is about to, and imported when it is empty", func(ctx context.Context) {
		importByHand(ctx, key, material, expiringIn(55*time.Second))
		expires := describe(ctx, key).ValidTo.Add(time.Second)
		secret = newSecret(ctx, "material", material)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=Unknown Progressing, Reconciling")
		Expect(message(object, "Reconciling")).To(Equal("the material that the key holds is about to expire; waiting for KMS to delete it"))
		Expect(kmsWire.changes(key)).To(BeZero())

		object = passAt(ctx, object, expires)
		Expect(summary(object)).To(Equal("Ready=True Imported"))
		Expect(historyOf(recordOf(ctx, key))).To(Equal([]string{"Claimed", "Imported FirstImport"}))
	})

	It("is proven once more where the answer was lost", func(ctx context.Context) {
		kmsWire.set(key, "ImportKeyMaterial", answerLost())
		adopts(ctx)
		Expect(kmsWire.sent(key)[:2]).To(Equal([]sentImport{asReported(reported), asReported(reported)}))
		Expect(kmsWire.sent(key)).To(HaveLen(3))
		Expect(historyOf(recordOf(ctx, key))).To(Equal([]string{"Claimed", "Imported Adoption", "Imported ExpiryChanged"}))
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))
	})

	It("is not given up to other bytes where the answer was lost", func(ctx context.Context) {
		kmsWire.set(key, "ImportKeyMaterial", unreachable)
		secret = newSecret(ctx, "material", material)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KMSUnreachable, Reconciling")
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
		expectUntouched(ctx)

		kmsWire.set(key, "ImportKeyMaterial", nil)
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))
	})

	DescribeTable("is adopted by the next process where the first ended between intent and answer",
		func(ctx context.Context, arrives bool) {
			first := operator
			kmsWire.set(key, "ImportKeyMaterial", func(pass func() (*http.Response, error)) (*http.Response, error) {
				if arrives {
					response, err := pass()
					if err != nil {
						return nil, err
					}
					_ = response.Body.Close()
				}
				first.cancel()
				return nil, errors.New("the process was ended by the test")
			})
			secret = newSecret(ctx, "material", material)
			object := newImport(ctx, "payments", key)
			Eventually(func() int { return kmsWire.count(key, "ImportKeyMaterial") }).WithTimeout(patience).Should(Equal(1))
			operator.stop()
			Expect(recordOf(ctx, key).Intent).NotTo(BeNil())
			Expect(recordOf(ctx, key).Imported).To(BeNil())
			expectUntouched(ctx)

			kmsWire.set(key, "ImportKeyMaterial", nil)
			operator = startOperator()
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.sent(key)[1]).To(Equal(asReported(reported)))
			Expect(historyOf(recordOf(ctx, key))).To(Equal([]string{"Claimed", "Imported Adoption", "Imported ExpiryChanged"}))
			Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))
		},
		Entry("KMS had taken it", true),
		Entry("KMS never got it", false),
	)

	It("stays adopted: after a renewal, after it was healed, and with the next owner", func(ctx context.Context) {
		object := adopts(ctx, validFor(90*day))
		object = passAt(ctx, object, object.Status.RenewalTime.Time)
		Expect(recordOf(ctx, key).Imported.Cause).To(Equal(v1alpha1.ImportCause("Renewal")))
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))

		deleteMaterial(ctx, key)
		twoLooks(ctx, object)
		Expect(recordOf(ctx, key).Imported.Cause).To(Equal(v1alpha1.ImportCause("MaterialMissing")))
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))

		Expect(k8s.Delete(ctx, object)).To(Succeed())
		next := expectOutcome(ctx, newImport(ctx, "next", key, validFor(90*day)), "Ready=True Imported")
		requestReimport(ctx, next)
		Expect(recordOf(ctx, key).Owner.Name).To(Equal("next"))
		Expect(recordOf(ctx, key).Imported.Cause).To(Equal(v1alpha1.ImportCause("Requested")))
		Expect(recordOf(ctx, key).Imported.Adopted).To(HaveValue(BeTrue()))
	})

	It("is never emptied with its object", func(ctx context.Context) {
		object := adopts(ctx, takingItsMaterial)
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		Eventually(eventsAbout(ctx, "MaterialRetained")).WithContext(ctx).WithTimeout(patience).
			Should(ConsistOf("the key's material was not deleted: the key held it before the operator first imported it"))
		Eventually(func() bool { return recordOf(ctx, key).Owner == nil }).WithTimeout(patience).Should(BeTrue())
		Expect(kmsWire.count(key, "DeleteImportedKeyMaterial")).To(BeZero())
		Expect(describe(ctx, key).KeyState).To(Equal(kmstypes.KeyStateEnabled))
	})

	It("gives a rotated key's current material the earliest expiry of all, until the spec's is carried out", func(ctx context.Context) {
		current := randomMaterial()
		id := rotateByHand(ctx, key, current)
		secret = newSecret(ctx, "material", current)
		object := newImport(ctx, "payments", key)
		Eventually(func() []sentImport { return kmsWire.sent(key) }).WithTimeout(patience).Should(Equal([]sentImport{
			{"KEY_MATERIAL_EXPIRES", reported.ValidTo.Unix(), "EXISTING_KEY_MATERIAL", id},
			{"KEY_MATERIAL_DOES_NOT_EXPIRE", 0, "EXISTING_KEY_MATERIAL", id},
		}))
		Eventually(func() string { return message(reload(ctx, object), "Reconciling") }).WithTimeout(patience).
			Should(Equal("the import succeeded; waiting for KMS to show the new expiry"))
		passAt(ctx, object, now.Now().Add(5*time.Minute))
		expectOutcome(ctx, object, "Ready=True Imported, OtherMaterialExpires EarlierExpiry")
		Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(reported.ValidTo.Unix()), "of the material before")
	})

	It("is not adopted by material that it had before its rotation", func(ctx context.Context) {
		rotateByHand(ctx, key, randomMaterial())
		secret = newSecret(ctx, "material", material)
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False MaterialMismatch, Stalled")
		Expect(recordOf(ctx, key).Imported).To(BeNil())
	})
})
