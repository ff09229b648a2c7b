package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// What becomes of a key's material when its object is deleted that asks for its deletion.

const (
	withdrawal      = "DeleteImportedKeyMaterial"
	ownFinalizer    = "kms.keyimport.dev/key-material"
	othersFinalizer = "example.com/kept-by-somebody-else"
)

func withdrawing(object *v1alpha1.KMSKeyImport) { object.Spec.DeletionPolicy = "DeleteKeyMaterial" }
func retaining(object *v1alpha1.KMSKeyImport)   { object.Spec.DeletionPolicy = "Retain" }

// remove deletes an object and, unless it goes at once, lets the time pass for which a deletion is let stand.
func remove(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, object)).To(Succeed())
	awaitGrace(ctx, object)
	passGrace(ctx, object)
}

// awaitGrace waits until the operator has seen the deletion.
func awaitGrace(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		stored := &v1alpha1.KMSKeyImport{}
		err := k8s.Get(ctx, client.ObjectKeyFromObject(object), stored)
		if apierrors.IsNotFound(err) {
			return
		}
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(message(stored, "Reconciling")).To(HavePrefix("the object was deleted; waiting for what is deleted with it"))
	}).WithTimeout(patience).WithPolling(20 * time.Millisecond).Should(Succeed())
}

func passGrace(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	wakeAfter(ctx, object, 15*time.Second)
}

// wakeAfter moves the clock and wakes the operator up for an object that may be gone.
func wakeAfter(ctx context.Context, object *v1alpha1.KMSKeyImport, by time.Duration) {
	GinkgoHelper()
	now.advance(by)
	requests++
	patch := fmt.Sprintf(`{"metadata": {"annotations": {"kms.keyimport.dev/reconcile-requested-at": "request-%d"}}}`, requests)
	err := k8s.Patch(ctx, named(object.Name), client.RawPatch(types.MergePatchType, []byte(patch)))
	Expect(client.IgnoreNotFound(err)).To(Succeed())
}

func expectGone(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		stored := &v1alpha1.KMSKeyImport{}
		err := k8s.Get(ctx, client.ObjectKeyFromObject(object), stored)
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%s", messages(stored))
	}).WithTimeout(patience).WithPolling(20 * time.Millisecond).Should(Succeed())
}

// lastEvents are the last events of a key's history with their messages, oldest first.
func lastEvents(ctx context.Context, key string, count int) []string {
	GinkgoHelper()
	history := recordOf(ctx, key).History
	var all []string
	for _, entry := range history[max(0, len(history)-count):] {
		all = append(all, fmt.Sprintf("%s: %s", entry.Event, entry.Message))
	}
	return all
}

const (
	wasWithdrawn = `Withdrawn: key material that was imported from Secret "material" was deleted in KMS`
	wasReleased  = "Released: the owner was deleted; the key's material was deleted"
)

// expectWithdrawn is the end in which the material was deleted, by so many requests.
func expectWithdrawn(ctx context.Context, object *v1alpha1.KMSKeyImport, key string, requests int) {
	GinkgoHelper()
	expectGone(ctx, object)
	Expect(kmsWire.count(key, withdrawal)).To(Equal(requests))
	Expect(describe(ctx, key).KeyState).To(BeEquivalentTo("PendingImport"))
	record := recordOf(ctx, key)
	Expect(record.Owner).To(BeNil())
	Expect(string(record.Withdrawal.Cause)).To(Equal("ObjectDeleted"))
	Expect(record.Withdrawal.CompletedAt).NotTo(BeNil())
	Expect(lastEvents(ctx, key, 1)).To(Equal([]string{wasReleased}))
	Eventually(eventsAbout(ctx, "MaterialWithdrawn")).WithContext(ctx).WithTimeout(patience).Should(
		ConsistOf("ObjectDeleted: key material was deleted from " + key))
	Expect(eventTypes(ctx, "MaterialWithdrawn")).To(HaveEach("Normal"))
	Expect(eventsAbout(ctx, "MaterialRetained")(Default)).To(BeEmpty())
}

var _ = Describe("An object that asks for its material to be deleted with it", func() {
	var (
		key    string
		object *v1alpha1.KMSKeyImport
	)

	BeforeEach(func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key = newSymmetricKey(ctx)
	})

	It("carries the finalizer from before the first import until it asks no more", func(ctx context.Context) {
		var atImport []string
		kmsWire.set(key, "ImportKeyMaterial", func(pass func() (*http.Response, error)) (*http.Response, error) {
			defer GinkgoRecover()
			atImport = reload(ctx, named("payments")).Finalizers
			return pass()
		})
		object = expectOutcome(ctx, newImport(ctx, "payments", key, withdrawing), "Ready=True Imported")
		Expect(atImport).To(Equal([]string{ownFinalizer}))
		finalizers := func() []string { return reload(ctx, object).Finalizers }

		edit(ctx, object, retaining)
		Eventually(finalizers).WithTimeout(patience).Should(BeEmpty())
		edit(ctx, object, withdrawing)
		Eventually(finalizers).WithTimeout(patience).Should(Equal([]string{ownFinalizer}))

		By("also while it is suspended")
		edit(ctx, object, suspended)
		edit(ctx, object, retaining)
		Eventually(finalizers).WithTimeout(patience).Should(BeEmpty())
		expectOutcome(ctx, object, "Ready=True Imported, Suspended Suspended")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("has it deleted, once and with the record ahead, and the same manifest brings it back", func(ctx context.Context) {
		object = expectOutcome(ctx, newImport(ctx, "payments", key, withdrawing), "Ready=True Imported")
		ciphertext := encrypt(ctx, key, "written before")
		var ahead v1alpha1.MaterialWithdrawal
		kmsWire.set(key, withdrawal, func(pass func() (*http.Response, error)) (*http.Response, error) {
			defer GinkgoRecover()
			ahead = *recordOf(ctx, key).Withdrawal
			return pass()
		})
		remove(ctx, object)
		expectWithdrawn(ctx, object, key, 1)
		Expect(ahead.CompletedAt).To(BeNil(), "the record says what is about to be done")
		Expect(string(ahead.Cause)).To(Equal("ObjectDeleted"))
		Expect(ahead.Secret.Name).To(Equal("material"))

		record := recordOf(ctx, key)
		Expect(record.Imported).NotTo(BeNil(), "what was imported stays on record")
		Expect(record.Withdrawal.RequestID).NotTo(BeEmpty())
		Expect(lastEvents(ctx, key, 2)).To(Equal([]string{wasWithdrawn, wasReleased}))

		again := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		record = recordOf(ctx, key)
		Expect(record.Owner.UID).To(Equal(again.UID))
		Expect(record.Withdrawal).To(BeNil())
		Expect(string(record.Imported.Cause)).To(Equal("MaterialWithdrawn"))
	})

	It("lets its deletion stand for a while before anything is deleted", func(ctx context.Context) {
		object = expectOutcome(ctx, newImport(ctx, "payments", key, withdrawing), "Ready=True Imported")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		awaitGrace(ctx, object)
		expectPass(ctx, object)
		Expect(kmsWire.count(key, withdrawal)).To(BeZero())
		passGrace(ctx, object)
		expectWithdrawn(ctx, object, key, 1)
	})

	It("says Retain, the default, and nothing is waited for and nothing deleted", func(ctx context.Context) {
		object = expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Expect(object.Spec.DeletionPolicy).To(BeEquivalentTo("Retain"))
		Expect(object.Finalizers).To(BeEmpty())
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		expectGone(ctx, object)
		Eventually(func() []string { return lastEvents(ctx, key, 1) }).WithTimeout(patience).Should(
			Equal([]string{"Released: the owner was deleted; nothing was done to the key"}))
		Expect(kmsWire.count(key, withdrawal)).To(BeZero())
	})

	It("goes at once when it never imported anything", func(ctx context.Context) {
		object = newImport(ctx, "payments", key, withdrawing, func(o *v1alpha1.KMSKeyImport) { o.Spec.Material.SecretRef.Name = "absent" })
		expectOutcome(ctx, object, "Ready=False SecretNotFound, Reconciling")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		expectGone(ctx, object)
		Expect(kmsWire.changes(key)).To(BeZero())
		Expect(eventsAbout(ctx, "MaterialRetained")(Default)).To(BeEmpty())
	})

	It("whose policy goes back to Retain in time keeps its key as it is", func(ctx context.Context) {
		object = expectOutcome(ctx, newImport(ctx, "payments", key, withdrawing), "Ready=True Imported")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		awaitGrace(ctx, object)
		edit(ctx, object, retaining)
		expectGone(ctx, object)
		Expect(kmsWire.count(key, withdrawal)).To(BeZero())
		Expect(describe(ctx, key).KeyState).To(BeEquivalentTo("Enabled"))
	})

	It("is not filled again while somebody else's finalizer keeps it", func(ctx context.Context) {
		object = newImport(ctx, "payments", key, withdrawing, func(o *v1alpha1.KMSKeyImport) { o.Finalizers = []string{othersFinalizer} })
		object = expectOutcome(ctx, object, "Ready=True Imported")
		remove(ctx, object)
		Eventually(func() []string { return reload(ctx, object).Finalizers }).WithTimeout(patience).Should(Equal([]string{othersFinalizer}))
		expectPass(ctx, object)
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		Expect(recordOf(ctx, key).Owner).To(BeNil())
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Finalizers = nil })
		expectWithdrawn(ctx, object, key, 1)
	})

	DescribeTable("goes without a word where there is nothing to delete", func(ctx context.Context, happens func(context.Context, string)) {
		object = expectOutcome(ctx, newImport(ctx, "payments", key, withdrawing), "Ready=True Imported")
		operator.stop() // or the key would be filled again
		happens(ctx, key)
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		now.advance(5 * time.Minute) // past the time in which KMS may not show the import yet
		operator = startOperator()
		awaitGrace(ctx, object)
		passGrace(ctx, object)
		expectGone(ctx, object)
		Expect(kmsWire.count(key, withdrawal)).To(BeZero())
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		Expect(lastEvents(ctx, key, 1)).To(Equal([]string{"Released: the owner was deleted; nothing was done to the key"}))
		Expect(eventsAbout(ctx, "MaterialWithdrawn")(Default)).To(BeEmpty())
		Expect(eventsAbout(ctx, "MaterialRetained")(Default)).To(BeEmpty())
	},
		Entry("because KMS has no such key any more", func(_ context.Context, key string) {
			kmsWire.set(key, "DescribeKey", refuses("NotFoundException", "no such key"))
		}),
		Entry("because somebody deleted the material already", deleteMaterial),
		Entry("because KMS will delete it with the key", func(ctx context.Context, key string) {
			_, err := local.admin.ScheduleKeyDeletion(ctx, &awskmssdk.ScheduleKeyDeletionInput{KeyId: &key})
			Expect(err).NotTo(HaveOccurred())
		}),
	)
})
