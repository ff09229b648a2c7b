package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// What an import over material costs, whatever the reason for it.
var reimport = cost{Look: 2, Parameters: 1, Import: 1, Kubernetes: budget{Records: 2, Status: 1, SecretReads: 1}}

var _ = Describe("Material that is valid for a duration", func() {
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

	// within is the time in which material that was imported between two moments expires.
	within := func(from, to time.Time, validFor time.Duration) OmegaMatcher {
		return And(BeTemporally(">", from.Add(validFor-time.Second)), BeTemporally("<=", to.Add(validFor)))
	}

	lead := func(object *v1alpha1.KMSKeyImport) time.Duration {
		GinkgoHelper()
		Expect(object.Status.RenewalTime).NotTo(BeNil())
		return object.Status.ValidTo.Sub(object.Status.RenewalTime.Time)
	}

	It("expires that long after its import, and says when it is renewed", func(ctx context.Context) {
		before := now.Now()
		object := imported(ctx, validFor(90*day))
		Expect(object.Status.ExpirationModel).To(Equal("KEY_MATERIAL_EXPIRES"))
		Expect(object.Status.ValidTo.Time).To(within(before, now.Now(), 90*day))
		Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(object.Status.ValidTo.Unix()))
		Expect(lead(object)).To(And(BeNumerically(">=", 30*day), BeNumerically("<=", 33*day)), "a third, and at most a tenth of that more")
		record := recordOf(ctx, key)
		Expect(record.Imported.ValidTo.Unix()).To(Equal(object.Status.ValidTo.Unix()))
		Expect(record.Imported.ValidFor.Duration).To(Equal(90 * day))
	})

	It("is imported again ahead of its expiry, under the same key material ID", func(ctx context.Context) {
		object := imported(ctx, validFor(90*day, 60*day))
		Expect(lead(object)).To(And(BeNumerically(">=", 60*day), BeNumerically("<=", 66*day)))
		ciphertext, id := encrypt(ctx, key, "written before"), *describe(ctx, key).CurrentKeyMaterialId
		ahead := lead(object)

		By("not a minute early")
		due := object.Status.RenewalTime.Time
		Expect(costOf(key, func() { passAt(ctx, object, due.Add(-time.Minute)) })).To(Equal(cost{Look: 1}))

		By("but when it is due, within the budget")
		var before, after time.Time
		Expect(costOf(key, func() {
			now.advance(due.Sub(now.Now()))
			before = now.Now()
			expectPass(ctx, object)
			after = now.Now()
		})).To(Equal(reimport))
		object = expectOutcome(ctx, object, "Ready=True Imported")
		Expect(object.Status.ValidTo.Time).To(within(before, after, 90*day))
		Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(object.Status.ValidTo.Unix()))
		Expect(lead(object)).To(Equal(ahead), "an object keeps its place")
		Expect(object.Status.Material.ImportedAt.Time).To(BeTemporally(">", due.Add(-time.Second)))
		Expect(*describe(ctx, key).CurrentKeyMaterialId).To(Equal(id))
		Expect(object.Status.Material.KeyMaterialID).To(Equal(id))
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		record := recordOf(ctx, key)
		Expect(string(record.Imported.Operation)).To(Equal("Reimport"))
		Expect(record.History).To(HaveLen(3))
		Eventually(eventsAbout(ctx, "Imported")).WithContext(ctx).WithTimeout(patience).Should(ConsistOf(
			"Import: key material of Secret material was imported into "+key, "Reimport: key material of Secret material was imported into "+key))

		By("and again, every time")
		for range 5 {
			Expect(costOf(key, func() { object = passAt(ctx, object, object.Status.RenewalTime.Time) })).To(Equal(reimport))
			Expect(lead(object)).To(Equal(ahead))
		}
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("wakes the operator up in time", func(ctx context.Context) {
		object := imported(ctx, validFor(90*day))
		now.advance(object.Status.RenewalTime.Sub(now.Now()) - 10*time.Minute)
		awaitCaches(ctx, object)
		result, err := operator.reconciler.Reconcile(ctx, requestFor(object))
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 9*time.Minute), BeNumerically("<=", 10*time.Minute)))
	})

	It("is renewed at a time of each object's own", func(ctx context.Context) {
		object := imported(ctx, validFor(90*day))
		other := expectOutcome(ctx, newImport(ctx, "other", newSymmetricKey(ctx), validFor(90*day)), "Ready=True Imported")
		Expect(lead(object)).NotTo(Equal(lead(other)))
	})

	It("is renewed at once by an operator that starts too late for it", func(ctx context.Context) {
		object := imported(ctx, validFor(90*day))
		operator.stop()
		now.advance(70 * day)
		operator = startOperator()
		Eventually(func() int64 { return recordOf(ctx, key).Imported.ValidTo.Unix() }).WithTimeout(promptly).
			Should(BeNumerically(">", object.Status.ValidTo.Unix()))
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(callsFor(key)).To(Equal([]int{4, 2, 2}))
	})

	It("stays usable while its renewal fails, and is renewed when that ends", func(ctx context.Context) {
		object := imported(ctx, validFor(90*day))
		before := object.Status.ValidTo.Unix()
		kmsWire.set(key, "GetParametersForImport", refuses("AccessDeniedException", "not authorized"))
		object = passAt(ctx, object, object.Status.RenewalTime.Time)
		Expect(summary(object)).To(Equal("Ready=True Imported, Reconciling AccessDenied"))
		Expect(object.Status.ValidTo.Unix()).To(Equal(before))

		kmsWire.set(key, "GetParametersForImport", nil)
		requestReconcile(ctx, object)
		object = expectOutcome(ctx, object, "Ready=True Imported")
		Expect(object.Status.ValidTo.Unix()).To(BeNumerically(">", before))
		Expect(callsFor(key)[2]).To(Equal(2))
	})

	Describe("when the spec is changed", func() {
		// edited is what it costs to carry out an edit, to the end.
		edited := func(ctx context.Context, object *v1alpha1.KMSKeyImport, change func(*v1alpha1.KMSKeyImport)) cost {
			GinkgoHelper()
			return costOf(key, func() {
				edit(ctx, object, change)
				*object = *expectOutcome(ctx, object, "Ready=True Imported")
			})
		}

		It("gets another duration at once, a shorter one too", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			for _, duration := range []time.Duration{180 * day, 30 * day} {
				before := now.Now()
				Expect(edited(ctx, object, validFor(duration))).To(Equal(reimport))
				Expect(object.Status.ValidTo.Time).To(within(before, now.Now(), duration))
				Expect(lead(object)).To(And(BeNumerically(">=", duration/3), BeNumerically("<=", duration/3+duration/30)))
			}
		})

		It("gets another time of renewal without a call that changes the key", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			validTo := object.Status.ValidTo.Unix()
			Expect(edited(ctx, object, validFor(90*day, 10*day))).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}))
			Expect(lead(object)).To(And(BeNumerically(">=", 10*day), BeNumerically("<=", 11*day)))
			Expect(object.Status.ValidTo.Unix()).To(Equal(validTo))

			By("unless that has passed")
			now.advance(day)
			Expect(edited(ctx, object, validFor(90*day, 89*day+time.Hour))).To(Equal(reimport))
			Expect(object.Status.ValidTo.Unix()).To(BeNumerically(">", validTo))
		})

		It("becomes permanent when the expiration is removed, and valid for a duration again", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			ciphertext := encrypt(ctx, key, "written before")
			Expect(edited(ctx, object, notExpiring)).To(Equal(reimport))
			Expect(string(describe(ctx, key).ExpirationModel)).To(Equal("KEY_MATERIAL_DOES_NOT_EXPIRE"))
			Expect(object.Status.ExpirationModel).To(Equal("KEY_MATERIAL_DOES_NOT_EXPIRE"))
			Expect(object.Status.ValidTo).To(BeNil())
			Expect(object.Status.RenewalTime).To(BeNil())
			Expect(recordOf(ctx, key).Imported.ValidFor).To(BeNil())

			Expect(edited(ctx, object, validFor(90*day))).To(Equal(reimport))
			Expect(object.Status.RenewalTime).NotTo(BeNil())
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		})

		It("gets a fixed date, and is valid for a duration again", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			ciphertext := encrypt(ctx, key, "written before")
			Expect(edited(ctx, object, validTo(100*day))).To(Equal(reimport))
			Expect(object.Status.ValidTo.Unix()).To(Equal(object.Spec.Expiration.ValidTo.Unix()))
			Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(object.Spec.Expiration.ValidTo.Unix()))
			Expect(object.Status.RenewalTime).To(BeNil())

			before := now.Now()
			Expect(edited(ctx, object, validFor(90*day))).To(Equal(reimport))
			Expect(object.Status.ValidTo.Time).To(within(before, now.Now(), 90*day))
			Expect(object.Status.RenewalTime).NotTo(BeNil())
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		})

		It("gets the date that it has already without an import", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			fixed := object.Status.ValidTo.DeepCopy()
			Expect(edited(ctx, object, func(o *v1alpha1.KMSKeyImport) {
				o.Spec.Expiration = &v1alpha1.Expiration{ValidTo: fixed}
			})).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}))
			Expect(object.Status.RenewalTime).To(BeNil())
		})
	})

	Describe("whose expiry somebody else moved", func() {
		It("is left when that is later, until its turn", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			renewal := object.Status.RenewalTime.Time
			importByHand(ctx, key, material, expiringAt(now.Now().Add(300*day)))
			Expect(costOf(key, func() { object = twoLooks(ctx, object) })).To(Equal(cost{Look: 2, Kubernetes: budget{Status: 1}}))
			Expect(summary(object)).To(Equal("Ready=True Imported"))
			Expect(object.Status.ValidTo.Unix()).To(Equal(describe(ctx, key).ValidTo.Unix()), "as KMS reports it")
			Expect(object.Status.RenewalTime.Time).To(BeTemporally("==", renewal))

			Expect(costOf(key, func() { object = passAt(ctx, object, renewal) })).To(Equal(reimport))
			Expect(object.Status.ValidTo.Time).To(BeTemporally("<", renewal.Add(90*day+time.Minute)))
		})

		It("is left when it was made permanent, until its turn", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			renewal := object.Status.RenewalTime.Time
			importByHand(ctx, key, material)
			Expect(costOf(key, func() { object = twoLooks(ctx, object) })).To(Equal(cost{Look: 2, Kubernetes: budget{Status: 1}}))
			Expect(object.Status.ValidTo).To(BeNil())
			Expect(object.Status.RenewalTime.Time).To(BeTemporally("==", renewal))

			Expect(costOf(key, func() { object = passAt(ctx, object, renewal) })).To(Equal(reimport))
			Expect(object.Status.ValidTo).NotTo(BeNil())
		})

		DescribeTable("is corrected when that is earlier, and when a fixed date was moved at all",
			func(ctx context.Context, expiration func(*v1alpha1.KMSKeyImport), hold bool, moved time.Duration) {
				object := imported(ctx, expiration, func(o *v1alpha1.KMSKeyImport) {
					if hold {
						holding(o)
					}
				})
				importByHand(ctx, key, material, expiringAt(now.Now().Add(moved)))
				Expect(costOf(key, func() {
					expectPass(ctx, object)
					Expect(summary(reload(ctx, object))).To(HavePrefix("Ready=True Imported, Reconciling Progressing"))
				})).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}))
				now.advance(5 * time.Second)
				Expect(costOf(key, func() { expectPass(ctx, object) })).To(Equal(reimport))
				object = expectOutcome(ctx, object, "Ready=True Imported")
				Expect(object.Status.ValidTo.Time).To(BeTemporally("~", now.Now().Add(90*day), time.Minute))
			},
			Entry("earlier than validFor", validFor(90*day), false, 20*day),
			Entry("earlier than validFor, and within the warnings", validFor(90*day), false, 5*day),
			Entry("earlier than validTo", validTo(90*day), false, 20*day),
			Entry("later than validTo", validTo(90*day), false, 200*day),
			Entry("later than validTo, with Hold", validTo(90*day), true, 200*day),
		)

		DescribeTable("is left when that is earlier and the spec says Hold, which is said",
			func(ctx context.Context, expiration func(*v1alpha1.KMSKeyImport), correct func(context.Context, *v1alpha1.KMSKeyImport)) {
				object := imported(ctx, expiration, holding)
				importByHand(ctx, key, material, expiringAt(now.Now().Add(80*day)))
				Expect(costOf(key, func() { object = twoLooks(ctx, object) })).To(Equal(cost{Look: 2, Kubernetes: budget{Status: 2}}))
				object = expectOutcome(ctx, object, "Ready=True Imported, Expiring ExpiryShortened")
				Expect(message(object, "Expiring")).To(Equal("somebody shortened the material's expiry in KMS, which onMaterialDeleted: Hold respects: " +
					"annotate this object with a new kms.keyimport.dev/reimport-requested-at, or set spec.onMaterialDeleted to Reimport, to have it corrected"))
				Expect(object.Status.RenewalTime).To(BeNil(), "none is planned")

				By("also after a restart, and when a renewal would have been due")
				restart()
				now.advance(70 * day)
				Expect(costOf(key, func() { expectPass(ctx, object) }).Import).To(BeZero())
				now.advance(5 * time.Second)
				Expect(costOf(key, func() { expectPass(ctx, object) }).Import).To(BeZero())
				expectOutcome(ctx, object, "Ready=True Imported, Expiring ExpiryShortened")
				Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

				By("until a person decides")
				correct(ctx, object)
				expectOutcome(ctx, object, "Ready=True Imported")
				Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
				Expect(describe(ctx, key).ValidTo.Sub(now.Now())).To(BeNumerically(">", 29*day))
			},
			Entry("validFor, by a request", validFor(90*day), requestReimport),
			Entry("validFor, by the spec", validFor(90*day), func(ctx context.Context, object *v1alpha1.KMSKeyImport) { edit(ctx, object, reimporting) }),
			Entry("validFor, by another duration", validFor(90*day), func(ctx context.Context, object *v1alpha1.KMSKeyImport) { edit(ctx, object, validFor(100*day)) }),
			Entry("validTo, by a request", validTo(100*day), requestReimport),
			Entry("validTo, by the spec", validTo(100*day), func(ctx context.Context, object *v1alpha1.KMSKeyImport) { edit(ctx, object, reimporting) }),
			Entry("validTo, by another date", validTo(100*day), func(ctx context.Context, object *v1alpha1.KMSKeyImport) { edit(ctx, object, validTo(110*day)) }),
		)

		It("is held like a deletion when the shortened expiry has passed", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day), holding)
			importByHand(ctx, key, material, expiringAt(now.Now().Add(day)))
			twoLooks(ctx, object)
			now.advance(day)
			twoLooks(ctx, object)
			expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		})
	})

	Describe("that is about to expire", func() {
		It("is never warned of while it is renewed", func(ctx context.Context) {
			object := imported(ctx, validFor(10*day))
			for range 3 {
				object = passAt(ctx, object, object.Status.RenewalTime.Add(-time.Minute))
				Expect(summary(object)).To(Equal("Ready=True Imported"))
				object = passAt(ctx, object, object.Status.RenewalTime.Time)
				Expect(summary(object)).To(Equal("Ready=True Imported"))
			}
		})

		// warnsOf goes through the last days of material that is not renewed.
		warnsOf := func(ctx context.Context, object *v1alpha1.KMSKeyImport, outcome, remedy string) {
			GinkgoHelper()
			expires := object.Status.ValidTo.Time
			object = passAt(ctx, object, expires.Add(-14*day-time.Minute))
			Expect(summary(object)).To(Equal(outcome))
			said := ""
			for _, step := range []struct {
				left   time.Duration
				within string
			}{{14 * day, "14 days"}, {2*day + time.Minute, "14 days"}, {2 * day, "2 days"}, {day + time.Minute, "2 days"}, {day, "1 day"}, {time.Minute, "1 day"}} {
				object = passAt(ctx, object, expires.Add(-step.left))
				Expect(summary(object)).To(Equal(outcome + ", Expiring ExpiresSoon"))
				Expect(message(object, "Expiring")).To(Equal("the material expires within " + step.within + " and will not be renewed: " + remedy))
				if said == step.within {
					Expect(costOf(key, func() { expectPass(ctx, object) }).Kubernetes.Status).To(BeZero(), "nothing new is said in between")
				}
				said = step.within
			}
			now.advance(expires.Sub(now.Now()))
		}

		It("is warned of while it is suspended", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			edit(ctx, object, suspended)
			object = expectOutcome(ctx, object, "Ready=True Imported, Suspended Suspended")
			Expect(object.Status.RenewalTime).To(BeNil(), "none is planned")
			warnsOf(ctx, object, "Ready=True Imported, Suspended Suspended", "remove spec.suspend")

			By("and when it has expired, the key is not ready, and resumed it is healed")
			expectPass(ctx, object)
			Expect(summary(reload(ctx, object))).To(Equal("Ready=False Suspended, Suspended"))
			edit(ctx, object, resumed)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		})

		It("is warned of while its Secret is gone", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			object = expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound")
			warnsOf(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound, Reconciling SecretNotFound", "do first what the condition Reconciling says")
			newSecret(ctx, "material", material)
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("is warned of before its renewal is due, when its Secret is gone", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day, time.Minute))
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			object = expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound")
			object = passAt(ctx, object, object.Status.ValidTo.Add(-14*day))
			Expect(summary(object)).To(Equal("Ready=True Imported, SourceMissing SecretNotFound, Expiring ExpiresSoon"))
			Expect(message(object, "Expiring")).To(Equal("the material expires within 14 days and will not be renewed: put its Secret back"))
		})

		It("is warned of while a person must act", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
			object = expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
			warnsOf(ctx, object, "Ready=False MaterialChanged, Stalled", "do first what the condition Stalled says")
			edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("is warned of while KMS denies the renewal", func(ctx context.Context) {
			object := imported(ctx, validFor(90*day))
			kmsWire.set(key, "ImportKeyMaterial", refuses("AccessDeniedException", "not authorized"))
			warnsOf(ctx, object, "Ready=True Imported, Reconciling AccessDenied", "do first what the condition Reconciling says")
			kmsWire.set(key, "ImportKeyMaterial", nil)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		})

		It("is warned of when the date is fixed", func(ctx context.Context) {
			object := imported(ctx, validTo(90*day))
			warnsOf(ctx, object, "Ready=True Imported", "set a later spec.expiration.validTo, or remove expiration")
			object = passAt(ctx, object, now.Now())
			Expect(summary(object)).To(Equal("Ready=False MaterialExpired, Stalled"))
		})
	})
})
