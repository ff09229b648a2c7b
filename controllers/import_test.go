package controllers_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

var _ = Describe("A first import", func() {
	It("brings exactly the Secret's bytes into an HMAC key", func(ctx context.Context) {
		material := randomMaterial()
		newSecret(ctx, "material", material)
		key := newKey(ctx, kmstypes.KeySpecHmac256, kmstypes.OriginTypeExternal)

		expectOutcome(ctx, newImport(ctx, "mac", key), "Ready=True Imported")

		answer, err := local.admin.GenerateMac(ctx, &awskmssdk.GenerateMacInput{
			KeyId: &key, MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha256, Message: []byte("message"),
		})
		Expect(err).NotTo(HaveOccurred())
		own := hmac.New(sha256.New, material)
		own.Write([]byte("message"))
		Expect(hmac.Equal(answer.Mac, own.Sum(nil))).To(BeTrue(), "KMS's MAC is the one made with the Secret's bytes")
	})

	It("makes a symmetric key usable and reports it in KMS's own words", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)

		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")

		Expect(decrypt(ctx, encrypt(ctx, key, "a secret"))).To(Equal("a secret"))
		Expect(*object.Status.ObservedGeneration).To(Equal(int64(1)))
		Expect(object.Status.Key.ARN).To(Equal(key))
		Expect(object.Status.Key.State).To(Equal("Enabled"))
		Expect(object.Status.Key.Spec).To(Equal("SYMMETRIC_DEFAULT"))
		Expect(object.Status.Key.Usage).To(Equal("ENCRYPT_DECRYPT"))
		Expect(*object.Status.Key.MultiRegion).To(BeFalse())
		Expect(object.Status.ExpirationModel).To(Equal("KEY_MATERIAL_DOES_NOT_EXPIRE"))
		Expect(object.Status.ValidTo).To(BeNil())
		Expect(object.Status.Material.Fingerprint).To(MatchRegexp(`^hmac-sha256:[0-9a-f]{16}:[0-9a-f]{64}$`))
		Expect(object.Status.Material.KeyMaterialID).To(Equal(*describe(ctx, key).CurrentKeyMaterialId))
		Expect(object.Status.Material.WrappingAlgorithm).To(Equal("RSAES_OAEP_SHA_256"))
		Expect(object.Status.Material.WrappingKeySpec).To(Equal("RSA_4096"))
	})

	It("finds the key by its ID and owns it by its ARN", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)

		object := expectOutcome(ctx, newImport(ctx, "payments", shortID(key)), "Ready=True Imported")

		Expect(object.Status.Key.ARN).To(Equal(key))
		record := recordOf(ctx, key)
		Expect(record.Owner.Namespace + "/" + record.Owner.Name).To(Equal(namespace + "/payments"))
		Expect(record.Owner.UID).To(Equal(object.UID))
		Expect(record.Intent).To(BeNil())
		Expect(string(record.Imported.Operation)).To(Equal("Import"))
		Expect(record.Imported.RequestID).NotTo(BeEmpty())
		Expect(record.History).To(HaveLen(2))
		Expect(string(record.History[0].Event)).To(Equal("Claimed"))
		Expect(string(record.History[1].Event)).To(Equal("Imported"))
	})

	It("decodes Base64 with line breaks and white space at the ends", func(ctx context.Context) {
		material := randomMaterial()
		text := base64.StdEncoding.EncodeToString(material)
		newSecret(ctx, "material", []byte(" "+text[:20]+"\n"+text[20:]+"\r\n"))
		key := newKey(ctx, kmstypes.KeySpecHmac256, kmstypes.OriginTypeExternal)

		expectOutcome(ctx, newImport(ctx, "mac", key, func(o *v1alpha1.KMSKeyImport) {
			o.Spec.Material.Encoding = "Base64"
		}), "Ready=True Imported")

		expectMAC(ctx, key, material)
	})

	It("decodes hex in either case with line breaks and white space at the ends", func(ctx context.Context) {
		material := randomMaterial()
		text := hex.EncodeToString(material)
		newSecret(ctx, "material", []byte("\t"+strings.ToUpper(text[:33])+"\r\n"+text[33:]+"\n"))
		key := newKey(ctx, kmstypes.KeySpecHmac256, kmstypes.OriginTypeExternal)

		expectOutcome(ctx, newImport(ctx, "mac", key, func(o *v1alpha1.KMSKeyImport) {
			o.Spec.Material.Encoding = "Hex"
		}), "Ready=True Imported")
		expectMAC(ctx, key, material)
	})

	It("wraps as the spec says", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		object := expectOutcome(ctx, newImport(ctx, "payments", newSymmetricKey(ctx), func(o *v1alpha1.KMSKeyImport) {
			o.Spec.Wrapping = &v1alpha1.Wrapping{Algorithm: "RSAES_OAEP_SHA_1", KeySpec: "RSA_2048"}
		}), "Ready=True Imported")
		Expect(object.Status.Material.WrappingAlgorithm).To(Equal("RSAES_OAEP_SHA_1"))
		Expect(object.Status.Material.WrappingKeySpec).To(Equal("RSA_2048"))
	})

	It("imports with a fixed expiry and warns when it comes near", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key, validTo(15*24*time.Hour)), "Ready=True Imported")
		Expect(object.Status.ExpirationModel).To(Equal("KEY_MATERIAL_EXPIRES"))
		Expect(object.Status.ValidTo.Unix()).To(Equal(object.Spec.Expiration.ValidTo.Unix()))
		Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(object.Spec.Expiration.ValidTo.Unix()))

		now.advance(2 * 24 * time.Hour)
		requestReconcile(ctx, object)
		object = expectOutcome(ctx, object, "Ready=True Imported, Expiring ExpiresSoon")
		Expect(message(object, "Expiring")).To(ContainSubstring("within 14 days"))
	})

	It("stays within its budget, and so does everything after it", func(ctx context.Context) {
		key := newSymmetricKey(ctx)
		newSecret(ctx, "warm-up", randomMaterial()) // the fingerprint key is made once for all
		expectOutcome(ctx, newImport(ctx, "warm-up", newSymmetricKey(ctx), func(o *v1alpha1.KMSKeyImport) {
			o.Spec.Material.SecretRef.Name = "warm-up"
		}), "Ready=True Imported")
		secret := newSecret(ctx, "material", randomMaterial())
		apiWire.reset()

		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		atRest := func() []int {
			return []int{kmsWire.count(key, "DescribeKey"), kmsWire.count(key, "GetParametersForImport"), kmsWire.count(key, "ImportKeyMaterial")}
		}
		Consistently(atRest).WithTimeout(2 * time.Second).Should(Equal([]int{2, 1, 1}))
		Expect(apiWire.spent()).To(Equal(budget{Records: 2, Status: 1, SecretReads: 1}))

		By("a look at a settled object")
		apiWire.reset()
		expectPass(ctx, object)
		Expect(atRest()).To(Equal([]int{3, 1, 1}))
		Expect(apiWire.spent()).To(Equal(budget{}))

		By("a Secret rewritten with the same bytes")
		edit(ctx, secret, func(s *corev1.Secret) { s.Annotations = map[string]string{"touched": "yes"} })
		Eventually(func() string { return recordOf(ctx, key).Imported.Secret.ResourceVersion }).
			WithTimeout(patience).Should(Equal(secret.ResourceVersion))
		Consistently(atRest).WithTimeout(2 * time.Second).Should(Equal([]int{4, 1, 1}))
		Expect(apiWire.spent()).To(Equal(budget{Records: 1, SecretReads: 1}))
	})

	It("is told in an event", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Eventually(func(g Gomega) {
			events := &eventsv1.EventList{}
			g.Expect(k8s.List(ctx, events, client.InNamespace(namespace))).To(Succeed())
			g.Expect(events.Items).To(HaveLen(1))
			g.Expect(events.Items[0].Type).To(Equal("Normal"))
			g.Expect(events.Items[0].Reason).To(Equal("Imported"))
			g.Expect(events.Items[0].Note).To(Equal("Import: key material of Secret material was imported into " + key))
		}).WithTimeout(patience).Should(Succeed())
	})
})

// expectMAC proves that an HMAC_256 key holds this material.
func expectMAC(ctx context.Context, key string, material []byte) {
	GinkgoHelper()
	own := hmac.New(sha256.New, material)
	own.Write([]byte("message"))
	_, err := local.admin.VerifyMac(ctx, &awskmssdk.VerifyMacInput{
		KeyId: &key, MacAlgorithm: kmstypes.MacAlgorithmSpecHmacSha256, Message: []byte("message"), Mac: own.Sum(nil),
	})
	Expect(err).NotTo(HaveOccurred())
}
