package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// behaviour is one of two readings of QKMS's documentation: whether GetParametersForImport answers for a key that holds
// material. Where it does, the material is sealed before the key is emptied.
type behaviour struct {
	name  string
	seals bool
}

var behaviours = []behaviour{
	{"that gives import parameters over material", true},
	{"that gives import parameters for empty keys only", false},
}

// onQKMS has the specs around it run on a local KMS in that dialect, which they share.
func onQKMS(b behaviour) {
	BeforeAll(func() {
		operator.stop()
		aws := local
		options := localkms.Options{Dialect: localkms.QKMS, StrictSigning: true}
		if b.seals {
			options.Assume = []localkms.Assumption{localkms.ParametersOverMaterial}
		}
		local = startLocalKMS(options)
		operator = startOperator()
		DeferCleanup(func() {
			operator.stop()
			local = aws
			operator = startOperator()
		})
	})

	AfterEach(func() { local.faults.Clear("") })
}

// usedKey is a key that was imported, and that something was encrypted with.
type usedKey struct {
	material   []byte
	secret     *corev1.Secret
	arn        string
	object     *v1alpha1.KMSKeyImport
	ciphertext []byte
}

// newUsedKey has material that is valid for 90 days, and may be interrupted.
func newUsedKey(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) *usedKey {
	GinkgoHelper()
	k := &usedKey{material: randomMaterial(), arn: newSymmetricKey(ctx)}
	k.secret = newSecret(ctx, "material", k.material)
	changes = append([]func(*v1alpha1.KMSKeyImport){validFor(90 * day), interruptible}, changes...)
	k.object = expectOutcome(ctx, newImport(ctx, "payments", k.arn, changes...), "Ready=True Imported")
	k.ciphertext = encrypt(ctx, k.arn, "written before")
	return k
}

func inPlace(object *v1alpha1.KMSKeyImport) { object.Spec.ReimportPolicy = "InPlace" }

// deletions are the requests to delete the key's material that the operator made.
func (k *usedKey) deletions() int { return kmsWire.count(k.arn, "DeleteImportedKeyMaterial") }

func (k *usedKey) imports() int { return kmsWire.count(k.arn, "ImportKeyMaterial") }

// passWhenDue makes a pass at the time of the renewal.
func (k *usedKey) passWhenDue(ctx context.Context) *v1alpha1.KMSKeyImport {
	GinkgoHelper()
	return passAt(ctx, k.object, k.object.Status.RenewalTime.Time)
}

// expectFilledAgain waits for the good end of an interruption: the key has the same material, and the record nothing to hide.
func (k *usedKey) expectFilledAgain(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		record := recordOf(ctx, k.arn)
		g.Expect(record.Withdrawal).To(BeNil(), "and what was sealed is gone from it")
		g.Expect(record.Intent).To(BeNil())
	}).WithTimeout(patience).Should(Succeed())
	Expect(decrypt(ctx, k.ciphertext)).To(Equal("written before"))
	Expect(recordOf(ctx, k.arn).Imported.ValidTo.Unix()).To(Equal(describe(ctx, k.arn).ValidTo.Unix()))
}

// lastEvents are the latest entries of the record's history, with their causes.
func (k *usedKey) lastEvents(ctx context.Context, number int) []string {
	GinkgoHelper()
	history := recordOf(ctx, k.arn).History
	var found []string
	for _, entry := range history[max(0, len(history)-number):] {
		found = append(found, strings.TrimSpace(string(entry.Event)+" "+entry.Cause))
	}
	return found
}

// What an interruption costs: where nothing is sealed ahead, import parameters are refused once, and the Secret read twice.
func (b behaviour) interruption() cost {
	if b.seals {
		return cost{Look: 4, Parameters: 1, Import: 1, Kubernetes: budget{Records: 4, Status: 1, SecretReads: 1}}
	}
	return cost{Look: 4, Parameters: 2, Import: 1, Kubernetes: budget{Records: 4, Status: 1, SecretReads: 2}}
}

var _ = Describe("Interruption", func() {
	for _, b := range behaviours {
		Describe("on a QKMS "+b.name, Ordered, ContinueOnFailure, func() {
			onQKMS(b)
			itInterrupts(b)
			itInterruptsNothingElse()
			itSurvivesLostAnswers()
			itSurvivesWhatComesBetween(b)
			itSurvivesItsOperator(b)
		})
	}

	It("is not for a KMS that imports over material", func(ctx context.Context) {
		k := newUsedKey(ctx)
		Expect(k.object.Finalizers).To(BeEmpty())
		Expect(costOf(k.arn, func() { k.passWhenDue(ctx) })).To(Equal(reimport))
		edit(ctx, k.object, validFor(60*day))
		expectOutcome(ctx, k.object, "Ready=True Imported")
		Expect(k.imports()).To(Equal(3))
		Expect(k.deletions()).To(BeZero())
	})
})

func itInterrupts(b behaviour) {
	It("renews when the time has come, in one pass, with the same material", func(ctx context.Context) {
		k := newUsedKey(ctx)
		Expect(k.object.Finalizers).To(ConsistOf("kms.keyimport.dev/key-material"))
		for renewal := range 3 {
			due := k.object.Status.RenewalTime.Time
			Expect(k.object.Status.ValidTo.Sub(due)).To(And(BeNumerically(">=", 30*day), BeNumerically("<=", 33*day)))
			Expect(costOf(k.arn, func() { passAt(ctx, k.object, due.Add(-time.Minute)) })).To(Equal(cost{Look: 1}))
			Expect(costOf(k.arn, func() { k.object = k.passWhenDue(ctx) })).To(Equal(b.interruption()))
			Expect(summary(k.object)).To(Equal("Ready=True Imported"))
			Expect(k.object.Status.ValidTo.Time).To(BeTemporally("~", due.Add(90*day), time.Minute))
			Expect(k.deletions()).To(Equal(renewal + 1))
			Expect(k.imports()).To(Equal(renewal + 2))
			k.expectFilledAgain(ctx)
		}
		Expect(k.lastEvents(ctx, 2)).To(Equal([]string{"Withdrawn Interruption", "Imported MaterialWithdrawn"}))
		Eventually(eventsAbout(ctx, "MaterialWithdrawn")).WithContext(ctx).WithTimeout(patience).
			Should(ContainElement("Interruption: key material was deleted from " + k.arn))
		Expect(eventTypes(ctx, "MaterialWithdrawn")).To(HaveEach("Warning"))
	})

	DescribeTable("moves the expiry as soon as the spec asks for another",
		func(ctx context.Context, change func(*v1alpha1.KMSKeyImport)) {
			k := newUsedKey(ctx)
			edit(ctx, k.object, change)
			Eventually(func() int { return k.imports() }).WithTimeout(patience).Should(Equal(2))
			object := expectOutcome(ctx, k.object, "Ready=True Imported")
			Expect(k.deletions()).To(Equal(1))
			Expect(decrypt(ctx, k.ciphertext)).To(Equal("written before"))
			Expect(recordOf(ctx, k.arn).Withdrawal).To(BeNil())
			Expect(recordOf(ctx, k.arn).Imported.ValidTo).To(Equal(object.Status.ValidTo))
		},
		Entry("a shorter duration", validFor(60*day)),
		Entry("a longer one", validFor(120*day)),
		Entry("a fixed date", validTo(200*day)),
		Entry("none", notExpiring),
	)

	It("keeps a key in use that says Hold: its own deletion is not one by somebody", func(ctx context.Context) {
		k := newUsedKey(ctx, holding)
		Expect(summary(k.passWhenDue(ctx))).To(Equal("Ready=True Imported"))
		k.expectFilledAgain(ctx)
		Expect(recordOf(ctx, k.arn).Hold).To(BeNil())

		By("one by somebody is held as ever")
		deleteMaterial(ctx, k.arn)
		Expect(summary(twoLooks(ctx, k.object))).To(Equal("Ready=False MaterialDeleted, Stalled"))
		Expect(k.imports()).To(Equal(2))
	})

	It("takes little time", func(ctx context.Context) {
		k := newUsedKey(ctx)
		var emptied, filled time.Time
		kmsWire.set(k.arn, "DeleteImportedKeyMaterial", func(pass func() (*http.Response, error)) (*http.Response, error) {
			emptied = time.Now()
			return pass()
		})
		kmsWire.set(k.arn, "ImportKeyMaterial", func(pass func() (*http.Response, error)) (*http.Response, error) {
			defer func() { filled = time.Now() }()
			return pass()
		})
		k.passWhenDue(ctx)
		k.expectFilledAgain(ctx)
		AddReportEntry("the key was unusable for", filled.Sub(emptied).Round(time.Millisecond).String())
	})

	It("is allowed by one field, which says when", func(ctx context.Context) {
		k := newUsedKey(ctx, inPlace)
		Expect(k.object.Status.RenewalTime).To(BeNil(), "none is planned")
		Expect(k.object.Finalizers).To(BeEmpty())
		edit(ctx, k.object, interruptible)
		object := expectOutcome(ctx, k.object, "Ready=True Imported")
		Expect(object.Status.RenewalTime).NotTo(BeNil())
		Expect(object.Finalizers).To(ConsistOf("kms.keyimport.dev/key-material"))
		edit(ctx, k.object, inPlace)
		object = expectOutcome(ctx, k.object, "Ready=True Imported")
		Expect(object.Status.RenewalTime).To(BeNil())
		Expect(object.Finalizers).To(BeEmpty())
	})

	It("is asked for in good time", func(ctx context.Context) {
		k := newUsedKey(ctx, inPlace, validFor(90*day, 3*day))
		expires := k.object.Status.ValidTo.Time
		Expect(summary(passAt(ctx, k.object, expires.Add(-14*day-time.Minute)))).To(Equal("Ready=True Imported"))
		object := passAt(ctx, k.object, expires.Add(-14*day))
		Expect(summary(object)).To(Equal("Ready=True Imported, RenewalNeedsInterruption NoImportOverMaterial, Expiring ExpiresSoon"))
		Expect(message(object, "RenewalNeedsInterruption")).To(Equal("the material is to be renewed, which this KMS does only by an " +
			"import into an empty key: delete the key's material in KMS when an interruption does no harm, or wait for its expiry; " +
			"with spec.reimportPolicy: AllowInterruption the operator does that by itself"))
		Expect(k.deletions()).To(BeZero())

		By("and made when it is due")
		edit(ctx, k.object, interruptible)
		k.object = expectOutcome(ctx, k.object, "Ready=True Imported")
		Expect(k.object.Status.RenewalTime.Time).To(BeTemporally(">", now.Now()))
		Expect(k.deletions()).To(BeZero())
		Expect(summary(k.passWhenDue(ctx))).To(Equal("Ready=True Imported"))
		Expect(k.deletions()).To(Equal(1))
		k.expectFilledAgain(ctx)
	})

	It("is no answer to a request for an import, which is for keys that take one", func(ctx context.Context) {
		k := newUsedKey(ctx)
		requestReimport(ctx, k.object)
		expectOutcome(ctx, k.object, "Ready=True Imported")
		Expect(k.deletions()).To(BeZero())
	})
}

func itInterruptsNothingElse() {
	// What is not certain to be brought back is not taken.
	DescribeTable("takes nothing that it might not bring back",
		func(ctx context.Context, hinder func(context.Context, *usedKey), want string) {
			k := newUsedKey(ctx)
			hinder(ctx, k)
			k.passWhenDue(ctx)
			expectOutcome(ctx, k.object, want)
			Expect(k.deletions()).To(BeZero())
			Expect(k.imports()).To(Equal(1))
			Expect(recordOf(ctx, k.arn).Withdrawal).To(BeNil())
		},
		Entry("the Secret is gone", func(ctx context.Context, k *usedKey) {
			becomes(ctx, k.secret, secretAbsent, k.object)
		}, "Ready=True Imported, SourceMissing SecretNotFound, Reconciling SecretNotFound"),
		Entry("it holds other bytes", func(ctx context.Context, k *usedKey) {
			becomes(ctx, k.secret, secretChanged, k.object)
		}, "Ready=False MaterialChanged, Stalled"),
		Entry("it came to hold other bytes a moment ago", func(_ context.Context, k *usedKey) {
			apiWire.aheadOf(readsSecretData, func() {
				edit(context.Background(), k.secret.DeepCopy(), func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
			})
		}, "Ready=False MaterialChanged, Stalled"),
		Entry("it no longer consents", func(ctx context.Context, k *usedKey) {
			edit(ctx, k.secret, func(s *corev1.Secret) { s.Labels = nil })
			expectOutcome(ctx, k.object, "Ready=True Imported, SourceMissing SecretNotConsenting")
		}, "Ready=True Imported, SourceMissing SecretNotConsenting, Reconciling SecretNotConsenting"),
		Entry("it is being deleted", func(ctx context.Context, k *usedKey) {
			edit(ctx, k.secret, func(s *corev1.Secret) { s.Finalizers = []string{"kms.keyimport.dev/spec"} })
			DeferCleanup(func(ctx context.Context) {
				edit(ctx, k.secret, func(s *corev1.Secret) { s.Finalizers = nil })
			})
			Expect(k8s.Delete(ctx, k.secret)).To(Succeed())
		}, "Ready=True Imported, Reconciling SecretNotFound"),
		Entry("the object is suspended", func(ctx context.Context, k *usedKey) {
			edit(ctx, k.object, suspended)
			expectOutcome(ctx, k.object, "Ready=True Imported, Suspended Suspended")
		}, "Ready=True Imported, Suspended Suspended"),
		Entry("the object is suspended at that moment", func(_ context.Context, k *usedKey) {
			apiWire.aheadOf(readsSecretData, func() { edit(context.Background(), k.object.DeepCopy(), suspended) })
		}, "Ready=True Imported, Suspended Suspended"),
		Entry("the key is disabled", func(ctx context.Context, k *usedKey) { disable(ctx, k.arn) }, "Ready=False KeyDisabled, Reconciling"),
		Entry("the key is disabled at that moment", func(_ context.Context, k *usedKey) {
			kmsWire.set(k.arn, "GetParametersForImport", func(pass func() (*http.Response, error)) (*http.Response, error) {
				disable(context.Background(), k.arn)
				return pass()
			})
		}, "Ready=False KeyDisabled, Reconciling"),
		Entry("KMS reports another expiry than was imported", func(ctx context.Context, k *usedKey) {
			deleteMaterial(ctx, k.arn)
			importByHand(ctx, k.arn, randomMaterial(), expiringAt(k.object.Status.ValidTo.Add(time.Second)))
			expectPass(ctx, k.object)
		}, "Ready=False MaterialUnverifiable, Stalled, RenewalNeedsInterruption NoImportOverMaterial"),
		Entry("KMS does not say when the material expires", func(_ context.Context, k *usedKey) {
			kmsWire.set(k.arn, "DescribeKey", metadata(func(key map[string]any) {
				delete(key, "ExpirationModel")
				delete(key, "ValidTo")
			}))
		}, "Ready=True Imported, RenewalNeedsInterruption NoImportOverMaterial"),
		Entry("import parameters are denied", func(_ context.Context, k *usedKey) {
			kmsWire.set(k.arn, "GetParametersForImport", refuses("NotAuthorizedException", ""))
		}, "Ready=True Imported, Reconciling AccessDenied"),
		Entry("import parameters are throttled", func(_ context.Context, k *usedKey) {
			kmsWire.set(k.arn, "GetParametersForImport", refuses("ThrottlingException", ""))
		}, "Ready=True Imported, Reconciling Throttled"),
		Entry("the wrapping is refused", func(_ context.Context, k *usedKey) {
			kmsWire.set(k.arn, "GetParametersForImport", refuses("ValidationException", ""))
		}, "Ready=False InvalidWrapping, Stalled"),
	)

	It("takes nothing whose import may have failed", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		fails(localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Drop: localkms.DropAfter})
		object := expectOutcome(ctx, newImport(ctx, "payments", key, interruptible), "Ready=False MaterialUnverifiable, Stalled")
		edit(ctx, object, validFor(90*day))
		Eventually(func() int64 { return *reload(ctx, object).Status.ObservedGeneration }).WithTimeout(patience).Should(Equal(object.Generation))
		expectOutcome(ctx, object, "Ready=False MaterialUnverifiable, Stalled")
		Expect(kmsWire.count(key, "DeleteImportedKeyMaterial")).To(BeZero())
	})

	It("takes what a Secret holds that belongs to the object, as long as both stay", func(ctx context.Context) {
		k := newUsedKey(ctx)
		edit(ctx, k.secret, func(s *corev1.Secret) {
			s.OwnerReferences = []metav1.OwnerReference{{
				APIVersion: "kms.keyimport.dev/v1alpha1", Kind: "KMSKeyImport", Name: k.object.Name, UID: k.object.UID,
			}}
		})
		Eventually(func() string { return recordOf(ctx, k.arn).Imported.Secret.ResourceVersion }).WithTimeout(patience).
			Should(Equal(k.secret.ResourceVersion), "noticed")
		k.passWhenDue(ctx)
		Eventually(func() int { return k.deletions() }).WithTimeout(patience).Should(Equal(1))
		k.expectFilledAgain(ctx)
		expectOutcome(ctx, k.object, "Ready=True Imported")
	})
}
