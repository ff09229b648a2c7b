package controllers_test

import (
	"context"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// secretState is what has become of the Secret when its key has to be healed.
type secretState string

const (
	secretSame    secretState = "the same"
	secretChanged secretState = "changed"
	secretAbsent  secretState = "absent"
)

// fate is what comes of a key, and what that costs.
type fate struct {
	outcome string
	cost    cost
}

// injury is something that happens to an imported key, and its fate for each state of the Secret.
type injury struct {
	spec                  []func(*v1alpha1.KMSKeyImport)
	happens               func(ctx context.Context, object *v1alpha1.KMSKeyImport)
	same, changed, absent fate

	// waits is the outcome, with the old Secret in place, that a person must do something about; empty when none must.
	waits string
	cure  func(ctx context.Context, object *v1alpha1.KMSKeyImport)
}

func (i injury) fate(state secretState) fate {
	return map[secretState]fate{secretSame: i.same, secretChanged: i.changed, secretAbsent: i.absent}[state]
}

func keyOf(object *v1alpha1.KMSKeyImport) string { return object.Status.Key.ARN }

func materialDeleted(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	deleteMaterial(ctx, keyOf(object))
}

func materialExpired(_ context.Context, object *v1alpha1.KMSKeyImport) {
	now.advance(object.Status.ValidTo.Sub(now.Now()))
}

func renewalDue(_ context.Context, object *v1alpha1.KMSKeyImport) {
	now.advance(object.Status.RenewalTime.Sub(now.Now()))
}

func deletedWhileDisabled(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	disable(ctx, keyOf(object))
	expectPass(ctx, object)
	Expect(summary(reload(ctx, object))).To(HavePrefix("Ready=False KeyDisabled"))
	deleteMaterial(ctx, keyOf(object))
}

var injuries = map[string]injury{
	"deleted": {
		happens: materialDeleted,
		same:    fate{"Ready=True Imported", cost{3, 1, 1, budget{Records: 2, Status: 2, SecretReads: 1}}},
		changed: fate{"Ready=False MaterialChanged, Stalled", cost{Look: 2, Kubernetes: budget{Status: 1, SecretReads: 2}}},
		absent:  fate{"Ready=False SecretNotFound, SourceMissing, Reconciling", cost{Look: 2, Kubernetes: budget{Status: 2}}},
	},
	"deleted, valid for a duration": {
		spec:    []func(*v1alpha1.KMSKeyImport){validFor(90 * day)},
		happens: materialDeleted,
		same:    fate{"Ready=True Imported", cost{3, 1, 1, budget{Records: 2, Status: 2, SecretReads: 1}}},
		changed: fate{"Ready=False MaterialChanged, Stalled", cost{Look: 2, Kubernetes: budget{Status: 1, SecretReads: 2}}},
		absent:  fate{"Ready=False SecretNotFound, SourceMissing, Reconciling", cost{Look: 2, Kubernetes: budget{Status: 2}}},
	},
	"deleted, with Hold": {
		spec:    []func(*v1alpha1.KMSKeyImport){holding},
		happens: materialDeleted,
		same:    fate{"Ready=False MaterialDeleted, Stalled", cost{Look: 2, Kubernetes: budget{Records: 1, Status: 2}}},
		changed: fate{"Ready=False MaterialDeleted, Stalled", cost{Look: 2, Kubernetes: budget{Records: 1, Status: 2, SecretReads: 1}}},
		absent:  fate{"Ready=False MaterialDeleted, SourceMissing SecretNotFound, Stalled", cost{Look: 2, Kubernetes: budget{Records: 1, Status: 2}}},
		waits:   "Ready=False MaterialDeleted, Stalled",
		cure:    requestReimport,
	},
	"deleted while the key was disabled": {
		happens: deletedWhileDisabled,
		same:    fate{"Ready=False HeldAfterDisable, Stalled", cost{Look: 3, Kubernetes: budget{Records: 2, Status: 2}}},
		changed: fate{"Ready=False HeldAfterDisable, Stalled", cost{Look: 3, Kubernetes: budget{Records: 2, Status: 2}}},
		absent:  fate{"Ready=False HeldAfterDisable, SourceMissing SecretNotFound, Stalled", cost{Look: 3, Kubernetes: budget{Records: 2, Status: 2}}},
		waits:   "Ready=False HeldAfterDisable, Stalled",
		cure:    requestReimport,
	},
	"expired": {
		spec:    []func(*v1alpha1.KMSKeyImport){validFor(90 * day)},
		happens: materialExpired,
		same:    fate{"Ready=True Imported", cost{3, 1, 1, budget{Records: 2, Status: 1, SecretReads: 1}}},
		changed: fate{"Ready=False MaterialChanged, Stalled", cost{Look: 2, Kubernetes: budget{Status: 1, SecretReads: 2}}},
		absent:  fate{"Ready=False SecretNotFound, SourceMissing, Reconciling", cost{Look: 2, Kubernetes: budget{Status: 1}}},
	},
	"expired, with Hold": {
		spec:    []func(*v1alpha1.KMSKeyImport){validFor(90 * day), holding},
		happens: materialExpired,
		same:    fate{"Ready=True Imported", cost{3, 1, 1, budget{Records: 2, Status: 1, SecretReads: 1}}},
		changed: fate{"Ready=False MaterialChanged, Stalled", cost{Look: 2, Kubernetes: budget{Status: 1, SecretReads: 2}}},
		absent:  fate{"Ready=False SecretNotFound, SourceMissing, Reconciling", cost{Look: 2, Kubernetes: budget{Status: 1}}},
	},
	"expired at a fixed date": {
		spec:    []func(*v1alpha1.KMSKeyImport){validTo(90 * day)},
		happens: materialExpired,
		same:    fate{"Ready=False MaterialExpired, Stalled", cost{Look: 2, Kubernetes: budget{Status: 1}}},
		changed: fate{"Ready=False MaterialChanged, Stalled", cost{Look: 2, Kubernetes: budget{Status: 1, SecretReads: 2}}},
		absent:  fate{"Ready=False MaterialExpired, SourceMissing SecretNotFound, Stalled", cost{Look: 2, Kubernetes: budget{Status: 1}}},
		waits:   "Ready=False MaterialExpired, Stalled",
		cure:    func(ctx context.Context, object *v1alpha1.KMSKeyImport) { edit(ctx, object, validTo(90*day)) },
	},
	"to be renewed": {
		spec:    []func(*v1alpha1.KMSKeyImport){validFor(90 * day)},
		happens: renewalDue,
		same:    fate{"Ready=True Imported", cost{3, 1, 1, budget{Records: 2, Status: 1, SecretReads: 1}}},
		changed: fate{"Ready=False MaterialChanged, Stalled", cost{Look: 2, Kubernetes: budget{SecretReads: 2}}},
		absent:  fate{"Ready=True Imported, SourceMissing SecretNotFound, Reconciling SecretNotFound", cost{Look: 2, Kubernetes: budget{Status: 1}}},
	},
}

var _ = Describe("Material that is", func() {
	for name, injury := range injuries {
		for _, state := range []secretState{secretSame, secretChanged, secretAbsent} {
			It(name+", its Secret "+string(state), func(ctx context.Context) { heals(ctx, injury, state) })
		}
	}
})

// heals lets an injury happen, with the Secret in a state, and cures what does not heal by itself.
func heals(ctx context.Context, injury injury, state secretState) {
	GinkgoHelper()
	material := randomMaterial()
	secret := newSecret(ctx, "material", material)
	key := newSymmetricKey(ctx)
	object := expectOutcome(ctx, newImport(ctx, "payments", key, injury.spec...), "Ready=True Imported")
	ciphertext, id := encrypt(ctx, key, "written before"), object.Status.Material.KeyMaterialID
	becomes(ctx, secret, state, object)

	By("the injury")
	want := injury.fate(state)
	Expect(costOf(key, func() {
		injury.happens(ctx, object)
		twoLooks(ctx, object)
		expectOutcome(ctx, object, want.outcome)
	})).To(Equal(want.cost))

	By("the old Secret back in its place")
	putBack(ctx, secret, state, material)
	if injury.waits != "" {
		object = expectOutcome(ctx, object, injury.waits)
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		injury.cure(ctx, object)
	}
	object = expectOutcome(ctx, object, "Ready=True Imported")
	Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
	Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	Expect(object.Status.Material.KeyMaterialID).To(Equal(id))
	Expect(recordOf(ctx, key).Hold).To(BeNil())
}

// becomes changes or deletes a Secret, and waits until that was noticed.
func becomes(ctx context.Context, secret *corev1.Secret, state secretState, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	switch state {
	case secretSame:
	case secretChanged:
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
	case secretAbsent:
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound")
	}
}

// putBack undoes that.
func putBack(ctx context.Context, secret *corev1.Secret, state secretState, material []byte) {
	GinkgoHelper()
	switch state {
	case secretSame:
	case secretChanged:
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
	case secretAbsent:
		newSecret(ctx, "material", material)
	}
}

var _ = DescribeTable("Material that was lost while the operator was stopped",
	func(ctx context.Context, happens func(context.Context, *v1alpha1.KMSKeyImport), state secretState, want string) {
		material := randomMaterial()
		secret := newSecret(ctx, "material", material)
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key, validFor(90*day)), "Ready=True Imported")
		becomes(ctx, secret, state, object)
		operator.stop()
		happens(ctx, object)
		now.advance(day)
		operator = startOperator()
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, want)

		putBack(ctx, secret, state, material)
		Eventually(func() string { return summary(reload(ctx, object)) }).WithTimeout(patience).
			Should(Or(Equal("Ready=True Imported"), HavePrefix("Ready=False Progressing"))) // until a second look agrees
		passAt(ctx, object, now.Now().Add(5*time.Second))
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
	},
	Entry("deleted, its Secret the same", materialDeleted, secretSame, "Ready=True Imported"),
	Entry("deleted, its Secret changed", materialDeleted, secretChanged, "Ready=False MaterialChanged, Stalled"),
	Entry("deleted, its Secret absent", materialDeleted, secretAbsent, "Ready=False SecretNotFound, SourceMissing, Reconciling"),
	Entry("expired, its Secret the same", materialExpired, secretSame, "Ready=True Imported"),
	Entry("expired, its Secret changed", materialExpired, secretChanged, "Ready=False MaterialChanged, Stalled"),
	Entry("expired, its Secret absent", materialExpired, secretAbsent, "Ready=False SecretNotFound, SourceMissing, Reconciling"),
)

var _ = Describe("A key that somebody takes out of use is not fought over", func() {
	scheduled := func(ctx context.Context, key string) {
		GinkgoHelper()
		_, err := local.admin.ScheduleKeyDeletion(ctx, &awskmssdk.ScheduleKeyDeletionInput{KeyId: &key})
		Expect(err).NotTo(HaveOccurred())
	}
	rescued := func(ctx context.Context, key string) {
		GinkgoHelper()
		_, err := local.admin.CancelKeyDeletion(ctx, &awskmssdk.CancelKeyDeletionInput{KeyId: &key})
		Expect(err).NotTo(HaveOccurred())
		enable(ctx, key)
	}

	DescribeTable("although its renewal is due",
		func(ctx context.Context, take, giveBack func(context.Context, string), state secretState, want, then string) {
			material := randomMaterial()
			secret := newSecret(ctx, "material", material)
			key := newSymmetricKey(ctx)
			object := expectOutcome(ctx, newImport(ctx, "payments", key, validFor(30*day, 20*day)), "Ready=True Imported")
			becomes(ctx, secret, state, object)
			take(ctx, key)
			Expect(costOf(key, func() { object = twoLooks(ctx, object) })).To(Equal(cost{Look: 2, Kubernetes: budget{Records: 1, Status: 1}}))
			Expect(summary(object)).To(Equal(want))
			Expect(recordOf(ctx, key).Hold.KeyState).To(Equal(object.Status.Key.State))

			Expect(costOf(key, func() { object = passAt(ctx, object, object.Status.RenewalTime.Time) })).To(Equal(cost{Look: 1}))
			Expect(costOf(key, func() { object = passAt(ctx, object, object.Status.ValidTo.Add(-3*day)) })).
				To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}), "a warning")
			Expect(summary(object)).To(Equal(want + ", Expiring ExpiresSoon"))

			By("and when it is given back, it is as it was, but for what was due")
			giveBack(ctx, key)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, then)
			Expect(recordOf(ctx, key).Hold).To(BeNil())
			putBack(ctx, secret, state, material)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		},
		Entry("Disabled, its Secret the same", disable, enable, secretSame, "Ready=False KeyDisabled, Reconciling", "Ready=True Imported"),
		Entry("Disabled, its Secret changed", disable, enable, secretChanged, "Ready=False KeyDisabled, Reconciling", "Ready=False MaterialChanged, Expiring ExpiresSoon, Stalled"),
		Entry("Disabled, its Secret absent", disable, enable, secretAbsent, "Ready=False KeyDisabled, SourceMissing SecretNotFound, Reconciling", "Ready=True Imported, SourceMissing SecretNotFound, Reconciling SecretNotFound, Expiring ExpiresSoon"),
		Entry("PendingDeletion, its Secret the same", scheduled, rescued, secretSame, "Ready=False KeyPendingDeletion, Stalled", "Ready=True Imported"),
		Entry("PendingDeletion, its Secret changed", scheduled, rescued, secretChanged, "Ready=False KeyPendingDeletion, Stalled", "Ready=False MaterialChanged, Stalled, Expiring ExpiresSoon"),
		Entry("PendingDeletion, its Secret absent", scheduled, rescued, secretAbsent, "Ready=False KeyPendingDeletion, SourceMissing SecretNotFound, Stalled", "Ready=True Imported, SourceMissing SecretNotFound, Expiring ExpiresSoon, Reconciling SecretNotFound"),
	)
})

var _ = Describe("A key whose material was deleted", func() {
	var (
		material []byte
		key      string
	)

	BeforeEach(func(ctx context.Context) {
		material = randomMaterial()
		newSecret(ctx, "material", material)
		key = newSymmetricKey(ctx)
	})

	imported := func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
		GinkgoHelper()
		return expectOutcome(ctx, newImport(ctx, "payments", key, changes...), "Ready=True Imported")
	}

	It("gets it again at once when somebody asks for a look", func(ctx context.Context) {
		object := imported(ctx)
		deleteMaterial(ctx, key)
		Expect(costOf(key, func() {
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
		})).To(Equal(reimport))
		record := recordOf(ctx, key)
		Expect(string(record.Imported.Operation)).To(Equal("Reimport"))
		Expect(record.Imported.KeyMaterialID).To(Equal(object.Status.Material.KeyMaterialID))
	})

	It("is said to be empty after one look, and healed after two", func(ctx context.Context) {
		object := imported(ctx)
		deleteMaterial(ctx, key)
		expectPass(ctx, object)
		expectOutcome(ctx, object, "Ready=False Progressing, Reconciling")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1), "one look is not enough")
		now.advance(5 * time.Second)
		expectPass(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
	})

	It("is held when that happened while it was disabled, whatever happens to the operator", func(ctx context.Context) {
		object := imported(ctx)
		deletedWhileDisabled(ctx, object)
		expectPass(ctx, object)
		expectOutcome(ctx, object, "Ready=False HeldAfterDisable, Stalled")

		By("also after a look that failed and after a restart")
		kmsWire.set(key, "DescribeKey", refuses("ThrottlingException", "Rate exceeded"))
		askForLook(ctx, object)
		expectOutcome(ctx, object, "Ready=False Throttled, Reconciling")
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Annotations = nil })
		operator.stop()
		operator = startOperator()
		kmsWire.set(key, "DescribeKey", nil)
		expectOutcome(ctx, object, "Ready=False HeldAfterDisable, Stalled")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

		By("also when a person asks for a look")
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=False HeldAfterDisable, Stalled")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

		By("until one asks for an import")
		requestReimport(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
	})

	Describe("and whose spec says Hold", func() {
		// held is an object whose key was emptied on purpose.
		held := func(ctx context.Context) *v1alpha1.KMSKeyImport {
			GinkgoHelper()
			object := imported(ctx, validFor(90*day), holding)
			deleteMaterial(ctx, key)
			twoLooks(ctx, object)
			return expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
		}

		It("says what to do, and keeps the deletion in its record", func(ctx context.Context) {
			object := held(ctx)
			Expect(message(object, "Stalled")).To(Equal("somebody deleted the key's material in KMS, which onMaterialDeleted: Hold respects: " +
				"annotate this object with a new kms.keyimport.dev/reimport-requested-at, or set spec.onMaterialDeleted to Reimport, to import the material again"))
			Expect(object.Status.RenewalTime).To(BeNil())
			record := recordOf(ctx, key)
			Expect(record.Hold.KeyState).To(Equal("PendingImport"))
			Expect(string(record.History[len(record.History)-1].Event)).To(Equal("Held"))
			Eventually(eventsAbout(ctx, "MaterialDeleted")).WithContext(ctx).WithTimeout(patience).Should(HaveLen(1))
		})

		It("is held over restarts, looks and the date at which the material would have expired", func(ctx context.Context) {
			object := held(ctx)
			restart()
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
			now.advance(80 * day)
			Expect(costOf(key, func() { twoLooks(ctx, object) })).To(Equal(cost{Look: 2}))
			now.advance(80 * day)
			restart()
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
			Expect(costOf(key, func() { twoLooks(ctx, object) })).To(Equal(cost{Look: 2}))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		})

		DescribeTable("is released",
			func(ctx context.Context, release func(context.Context, *v1alpha1.KMSKeyImport), imports int) {
				object := held(ctx)
				release(ctx, object)
				expectOutcome(ctx, object, "Ready=True Imported")
				Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(imports))
				record := recordOf(ctx, key)
				Expect(record.Hold).To(BeNil())
				Expect(decrypt(ctx, encrypt(ctx, key, "a secret"))).To(Equal("a secret"))

				By("and held again after the next deletion, if that is still wanted")
				edit(ctx, object, holding)
				expectOutcome(ctx, object, "Ready=True Imported")
				deleteMaterial(ctx, key)
				twoLooks(ctx, object)
				expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
				Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(imports))
			},
			Entry("by a request", requestReimport, 2),
			Entry("by the spec", func(ctx context.Context, object *v1alpha1.KMSKeyImport) { edit(ctx, object, reimporting) }, 2),
			Entry("by somebody who imports the material by hand", func(ctx context.Context, object *v1alpha1.KMSKeyImport) {
				importByHand(ctx, key, material, expiringAt(now.Now().Add(90*day)))
				requestReconcile(ctx, object)
			}, 1),
		)

		It("waits for its Secret when it was asked for, and is not held anew", func(ctx context.Context) {
			object := held(ctx)
			secret := &corev1.Secret{}
			secret.Namespace, secret.Name = namespace, "material"
			Expect(k8s.Delete(ctx, secret)).To(Succeed())
			expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled, SourceMissing SecretNotFound")
			asked := askForImport(ctx, object)
			object = expectOutcome(ctx, object, "Ready=False SecretNotFound, SourceMissing, Reconciling")
			Expect(object.Status.LastHandledReimportAt).To(BeEmpty())
			twoLooks(ctx, object)
			expectOutcome(ctx, object, "Ready=False SecretNotFound, SourceMissing, Reconciling")

			newSecret(ctx, "material", material)
			object = expectOutcome(ctx, object, "Ready=True Imported")
			Expect(object.Status.LastHandledReimportAt).To(Equal(asked))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		})
	})
})
