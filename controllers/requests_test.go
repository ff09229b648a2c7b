package controllers_test

import (
	"context"
	"net/http"
	"time"

	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

var _ = Describe("On demand, an imported key", func() {
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

	It("is looked at, and no more", func(ctx context.Context) {
		object := imported(ctx)
		Expect(costOf(key, func() { requestReconcile(ctx, object) })).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}))
		Expect(reload(ctx, object).Status.LastHandledReimportAt).To(BeEmpty())
	})

	It("is imported once more, and once for each request", func(ctx context.Context) {
		object := imported(ctx)
		ciphertext := encrypt(ctx, key, "written before")
		for range 2 {
			Expect(costOf(key, func() { requestReimport(ctx, object) })).To(Equal(reimport))
			Expect(costOf(key, func() { twoLooks(ctx, object) })).To(Equal(cost{Look: 2}))
		}
		Expect(reload(ctx, object).Status.LastHandledReconcileAt).To(BeEmpty())
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))

		By("not by a restart")
		restart()
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(3))

		By("nor by an annotation that is taken away")
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Annotations = nil })
		Eventually(func() string { return reload(ctx, object).Status.LastHandledReimportAt }).WithTimeout(patience).Should(BeEmpty())
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(3))
	})

	It("is imported once although the status that says so was overtaken by an edit", func(ctx context.Context) {
		object := imported(ctx)
		kmsWire.set(key, "ImportKeyMaterial", func(pass func() (*http.Response, error)) (*http.Response, error) {
			defer GinkgoRecover()
			edit(ctx, named("payments"), func(o *v1alpha1.KMSKeyImport) { o.Labels = map[string]string{"edited": "yes"} })
			return pass()
		})
		Expect(costOf(key, func() {
			requestReimport(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		})).To(Equal(cost{3, 1, 1, budget{Records: 2, Status: 2, SecretReads: 1}}))
	})

	It("gets a full duration again", func(ctx context.Context) {
		object := imported(ctx, validFor(90*day))
		before := object.Status.ValidTo.Time
		now.advance(10 * day)
		Expect(costOf(key, func() { requestReimport(ctx, object) })).To(Equal(reimport))
		Expect(reload(ctx, object).Status.ValidTo.Time).To(BeTemporally(">=", before.Add(10*day)))
	})

	It("is imported once when both are asked for", func(ctx context.Context) {
		object := imported(ctx)
		Expect(costOf(key, func() {
			edit(ctx, object, func(o *v1alpha1.KMSKeyImport) {
				metav1.SetMetaDataAnnotation(&o.ObjectMeta, "kms.keyimport.dev/reconcile-requested-at", "noon")
				metav1.SetMetaDataAnnotation(&o.ObjectMeta, "kms.keyimport.dev/reimport-requested-at", "noon")
			})
			Eventually(func() []string {
				status := reload(ctx, object).Status
				return []string{status.LastHandledReconcileAt, status.LastHandledReimportAt}
			}).WithTimeout(patience).Should(Equal([]string{"noon", "noon"}))
		})).To(Equal(reimport))
	})

	It("is imported when it is enabled, and until then the request stands", func(ctx context.Context) {
		object := imported(ctx)
		disable(ctx, key)
		requestReconcile(ctx, object)
		asked := askForImport(ctx, object)
		expectPass(ctx, object)
		object = expectOutcome(ctx, object, "Ready=False KeyDisabled, Reconciling")
		Expect(object.Status.LastHandledReimportAt).To(BeEmpty())
		Expect(costOf(key, func() { twoLooks(ctx, object) })).To(Equal(cost{Look: 2}))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

		enable(ctx, key)
		expectPass(ctx, object)
		object = expectOutcome(ctx, object, "Ready=True Imported")
		Expect(object.Status.LastHandledReimportAt).To(Equal(asked))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
	})

	It("is imported when its Secret is there, and until then the request stands", func(ctx context.Context) {
		object := imported(ctx)
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound")
		asked := askForImport(ctx, object)
		object = expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound, Reconciling SecretNotFound")
		Expect(object.Status.LastHandledReimportAt).To(BeEmpty())

		newSecret(ctx, "material", material)
		object = expectOutcome(ctx, object, "Ready=True Imported")
		Expect(object.Status.LastHandledReimportAt).To(Equal(asked))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
	})

	It("is imported when KMS takes it, and until then the request stands", func(ctx context.Context) {
		object := imported(ctx)
		kmsWire.set(key, "ImportKeyMaterial", refuses("ThrottlingException", "Rate exceeded"))
		asked := askForImport(ctx, object)
		object = expectOutcome(ctx, object, "Ready=True Imported, Reconciling Throttled")
		Expect(object.Status.LastHandledReimportAt).To(BeEmpty())
		refused := kmsWire.count(key, "ImportKeyMaterial")

		kmsWire.set(key, "ImportKeyMaterial", nil)
		Eventually(func() string { return reload(ctx, object).Status.LastHandledReimportAt }).WithTimeout(patience).Should(Equal(asked))
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(refused + 1))
	})

	It("is not imported while a person must do something else first, which answers the request", func(ctx context.Context) {
		object := imported(ctx)
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
		requestReimport(ctx, object)
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	Describe("that was emptied on purpose", func() {
		It("is not filled by a request that is older than the news", func(ctx context.Context) {
			object := imported(ctx, holding)
			deleteMaterial(ctx, key)
			asked := askForImport(ctx, object) // for all that its author can see, of a key with material
			expectOutcome(ctx, object, "Ready=False Progressing, Reconciling")
			object = passAt(ctx, object, now.Now().Add(5*time.Second))
			Expect(summary(object)).To(Equal("Ready=False MaterialDeleted, Stalled"))
			Expect(object.Status.LastHandledReimportAt).To(Equal(asked))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

			By("but by one that is not")
			requestReimport(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		})

		It("is not filled by a request that waited while it was disabled", func(ctx context.Context) {
			object := imported(ctx)
			disable(ctx, key)
			requestReconcile(ctx, object)
			asked := askForImport(ctx, object)
			expectPass(ctx, object)
			expectOutcome(ctx, object, "Ready=False KeyDisabled, Reconciling")
			deleteMaterial(ctx, key)
			expectPass(ctx, object)
			object = expectOutcome(ctx, object, "Ready=False HeldAfterDisable, Stalled")
			Expect(object.Status.LastHandledReimportAt).To(Equal(asked))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

			requestReimport(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		})
	})

	It("that imports do not fill is imported into once more, for each request", func(ctx context.Context) {
		mac := newKey(ctx, kmstypes.KeySpecHmac256, kmstypes.OriginTypeExternal) // which has no other material
		kmsWire.set(mac, "DescribeKey", looksEmpty())
		object := expectOutcome(ctx, newImport(ctx, "mac", mac), "Ready=Unknown Progressing, Reconciling")
		object = passAt(ctx, object, now.Now().Add(5*time.Minute))
		Expect(summary(object)).To(Equal("Ready=False Progressing, Reconciling"))
		Expect(callsFor(mac)).To(Equal([]int{4, 2, 2}))
		object = passAt(ctx, object, now.Now().Add(5*time.Minute))
		Expect(summary(object)).To(Equal("Ready=False ImportIneffective, Stalled"))
		Expect(costOf(mac, func() { requestReconcile(ctx, object) })).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}))
		Expect(costOf(mac, func() { aHundredLooks(ctx, object) })).To(Equal(aHundred))

		requestReimport(ctx, object)
		Expect(kmsWire.count(mac, "ImportKeyMaterial")).To(Equal(3))
		kmsWire.set(mac, "DescribeKey", nil)
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(mac, "ImportKeyMaterial")).To(Equal(3))
	})

	Describe("is suspended", func() {
		It("and left as it is until it is resumed", func(ctx context.Context) {
			object := imported(ctx)
			Expect(costOf(key, func() {
				edit(ctx, object, suspended)
				object = expectOutcome(ctx, object, "Ready=True Imported, Suspended Suspended")
			})).To(Equal(cost{Kubernetes: budget{Status: 1}}))
			Expect(*object.Status.ObservedGeneration).To(Equal(object.Generation))
			deleteMaterial(ctx, key)
			Expect(costOf(key, func() {
				edit(ctx, secret, rewritten)
				twoLooks(ctx, object)
				aHundredLooks(ctx, object)
			})).To(Equal(cost{}))

			edit(ctx, object, resumed)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("and requests stand until it is resumed", func(ctx context.Context) {
			object := imported(ctx)
			edit(ctx, object, suspended)
			expectOutcome(ctx, object, "Ready=True Imported, Suspended Suspended")
			var asked []string
			Expect(costOf(key, func() {
				asked = []string{askForLook(ctx, object), askForImport(ctx, object)}
				twoLooks(ctx, object)
			})).To(Equal(cost{}))
			Expect(reload(ctx, object).Status.LastHandledReimportAt).To(BeEmpty())

			edit(ctx, object, resumed)
			object = expectOutcome(ctx, object, "Ready=True Imported")
			Expect([]string{object.Status.LastHandledReconcileAt, object.Status.LastHandledReimportAt}).To(Equal(asked))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		})

		It("from the start, and not looked at", func(ctx context.Context) {
			object := expectOutcome(ctx, newImport(ctx, "payments", key, suspended), "Ready=Unknown Suspended, Suspended")
			Expect(costOf(key, func() { twoLooks(ctx, object) })).To(Equal(cost{}))
			Expect(callsFor(key)).To(Equal([]int{0, 0, 0}))
		})
	})
})

var _ = Describe("A restored manifest", func() {
	It("does not act on the request annotations it brings along", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		asked := func(object *v1alpha1.KMSKeyImport) {
			object.Annotations = map[string]string{
				"kms.keyimport.dev/reconcile-requested-at": "long ago",
				"kms.keyimport.dev/reimport-requested-at":  "longer ago",
			}
		}
		object := expectOutcome(ctx, newImport(ctx, "payments", key, asked), "Ready=True Imported")
		Expect(object.Status.LastHandledReconcileAt).To(Equal("long ago"))
		Expect(object.Status.LastHandledReimportAt).To(Equal("longer ago"))
		Expect(callsFor(key)).To(Equal([]int{2, 1, 1}))

		By("nor when it is restored over a key that is imported")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		Eventually(func() bool { return recordOf(ctx, key).Owner == nil }).WithTimeout(patience).Should(BeTrue())
		again := expectOutcome(ctx, newImport(ctx, "payments", key, asked), "Ready=True Imported")
		Expect(again.Status.LastHandledReimportAt).To(Equal("longer ago"))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("is not a way around a hold", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key, holding), "Ready=True Imported")
		deleteMaterial(ctx, key)
		twoLooks(ctx, object)
		expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		Eventually(func() bool { return recordOf(ctx, key).Owner == nil }).WithTimeout(patience).Should(BeTrue())

		object = newImport(ctx, "payments", key, holding, func(o *v1alpha1.KMSKeyImport) {
			o.Annotations = map[string]string{"kms.keyimport.dev/reimport-requested-at": "long ago"}
		})
		expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})
})
