package controllers_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// What can go wrong while material is deleted with its object: it is deleted once or not at all, the record says which, and
// the object goes.

const (
	notShown = "WithdrawalNotShown: the answer to the deletion of the key's material was lost, and the key still holds it"
	seenGone = wasWithdrawn + "; the answer was lost, and the key has since been seen without material"
	lostSays = "the answer to the deletion of the key's material was lost; looking whether KMS has done it"
)

// expectAnswerLost waits until the operator looks what a deletion came to.
func expectAnswerLost(ctx context.Context, t testament) {
	GinkgoHelper()
	Eventually(func() string { return message(reload(ctx, t.object), "Reconciling") }).WithTimeout(patience).Should(HavePrefix(lostSays))
	Expect(recordOf(ctx, t.key).Withdrawal.CompletedAt).To(BeNil())
}

var _ = Describe("Denied access to a deletion", func() {
	const (
		denied = "DeleteImportedKeyMaterial: AccessDeniedException: not yours: correct the credentials, the IAM policy or the key policy"
		wayOut = "; until then, an hour at most, this object stays: set spec.deletionPolicy to Retain to let it go with the material left in KMS"
	)
	var t testament

	BeforeEach(func(ctx context.Context) {
		operator.stop()
		now.setRight() // by the API server's, which says when an object was deleted
		operator = startOperator()
		t = newTestament(ctx)
		kmsWire.set(t.key, withdrawal, refuses("AccessDeniedException", "not yours"))
	})

	keptBack := func(ctx context.Context) {
		GinkgoHelper()
		remove(ctx, t.object)
		object := expectOutcome(ctx, t.object, "Ready=True Imported, Reconciling AccessDenied")
		Expect(message(object, "Reconciling")).To(Equal(denied + wayOut))
		Expect(lastEvents(ctx, t.key, 1)).To(Equal([]string{
			"WithdrawalRefused: DeleteImportedKeyMaterial failed with AccessDeniedException; nothing was deleted",
		}))
		Expect(recordOf(ctx, t.key).Withdrawal).To(BeNil())
		expectTold(ctx, "AccessDenied")
	}

	It("is tried again, and the material goes once it is given", func(ctx context.Context) {
		keptBack(ctx)
		kmsWire.set(t.key, withdrawal, nil)
		before := kmsWire.count(t.key, withdrawal)
		wakeAfter(ctx, t.object, time.Minute)
		expectWithdrawn(ctx, t.object, t.key, before+1)
	})

	It("says how to get out: with Retain the object goes", func(ctx context.Context) {
		keptBack(ctx)
		edit(ctx, t.object, retaining)
		expectGone(ctx, t.object)
		Expect(describe(ctx, t.key).KeyState).To(BeEquivalentTo("Enabled"))
		Expect(lastEvents(ctx, t.key, 1)).To(Equal([]string{"Released: the owner was deleted; nothing was done to the key"}))
	})

	It("keeps the object for an hour and no longer", func(ctx context.Context) {
		keptBack(ctx)
		wakeAfter(ctx, t.object, time.Hour-time.Minute)
		expectPass(ctx, t.object)
		Expect(reload(ctx, t.object).Finalizers).NotTo(BeEmpty())
		wakeAfter(ctx, t.object, time.Minute)
		expectGone(ctx, t.object)
		const why = "it could not be deleted within an hour of the object's deletion: " + denied
		expectToldWhy(ctx, why)
		Expect(lastEvents(ctx, t.key, 1)).To(Equal([]string{"Released: the owner was deleted; the key's material was not deleted: " + why}))
		Expect(describe(ctx, t.key).KeyState).To(BeEquivalentTo("Enabled"))
	})

	It("to the Secret, by Kubernetes, keeps it for that long too", func(ctx context.Context) {
		apiWire.refuse(readsSecretData, http.StatusForbidden)
		remove(ctx, t.object)
		wakeAfter(ctx, t.object, time.Hour-time.Minute)
		object := expectOutcome(ctx, t.object, "Ready=True Imported, Reconciling ReconcileError")
		Expect(message(object, "Reconciling")).To(Equal("get Secret: Kubernetes answered Forbidden (see the operator's log): trying again" + wayOut))
		wakeAfter(ctx, t.object, time.Minute)
		expectRetained(ctx, t, "it could not be deleted within an hour of the object's deletion: get Secret: Kubernetes answered Forbidden (see the operator's log)")
	})

	It("to the look keeps it for that long too", func(ctx context.Context) {
		kmsWire.set(t.key, "DescribeKey", refuses("AccessDeniedException", "not even that"))
		remove(ctx, t.object)
		object := expectOutcome(ctx, t.object, "Ready=True Imported, Reconciling AccessDenied")
		Expect(message(object, "Reconciling")).To(HaveSuffix(wayOut))
		wakeAfter(ctx, t.object, time.Hour)
		expectRetained(ctx, t, "it could not be deleted within an hour of the object's deletion: "+
			"DescribeKey: AccessDeniedException: not even that: correct the credentials, the IAM policy or the key policy")
	})

	It("is tried for some minutes by an operator that was down for that hour", func(ctx context.Context) {
		operator.stop()
		Expect(k8s.Delete(ctx, t.object)).To(Succeed())
		now.advance(2 * time.Hour)
		operator = startOperator()
		awaitGrace(ctx, t.object)
		passGrace(ctx, t.object)
		expectOutcome(ctx, t.object, "Ready=True Imported, Reconciling AccessDenied")
		Expect(kmsWire.count(t.key, withdrawal)).NotTo(BeZero())
		wakeAfter(ctx, t.object, 5*time.Minute)
		expectGone(ctx, t.object)
		Expect(describe(ctx, t.key).KeyState).To(BeEquivalentTo("Enabled"))
	})
})

var _ = Describe("A lost answer to a deletion", func() {
	It("that was made is found out by a look", func(ctx context.Context) {
		t := newTestament(ctx)
		kmsWire.set(t.key, withdrawal, answerLost())
		remove(ctx, t.object)
		expectWithdrawn(ctx, t.object, t.key, 1)
		Expect(lastEvents(ctx, t.key, 2)).To(Equal([]string{seenGone, wasReleased}))
	})

	It("that was not made is made once more, when KMS has not shown it for long enough", func(ctx context.Context) {
		t := newTestament(ctx)
		kmsWire.set(t.key, withdrawal, first(1, unreachable))
		remove(ctx, t.object)
		expectAnswerLost(ctx, t)
		expectPass(ctx, t.object)
		Expect(kmsWire.count(t.key, withdrawal)).To(Equal(1))
		wakeAfter(ctx, t.object, 5*time.Minute)
		expectWithdrawn(ctx, t.object, t.key, 2)
		Expect(lastEvents(ctx, t.key, 3)).To(Equal([]string{notShown, wasWithdrawn, wasReleased}))
	})

	const unknown = "whether the key's material was deleted is not known"

	It("is told as such where the object is suspended before it is found out", func(ctx context.Context) {
		t := newTestament(ctx)
		kmsWire.set(t.key, withdrawal, first(1, unreachable))
		remove(ctx, t.object)
		expectAnswerLost(ctx, t)
		edit(ctx, t.object, suspended)
		expectGone(ctx, t.object)
		Expect(lastEvents(ctx, t.key, 1)).To(Equal([]string{"Released: the owner was deleted; " + unknown}))
		Eventually(eventsAbout(ctx, "MaterialRetained")).WithContext(ctx).WithTimeout(patience).Should(ConsistOf(unknown))
		Expect(kmsWire.count(t.key, withdrawal)).To(Equal(1))
	})

	It("that nothing can be found out of is told as such", func(ctx context.Context) {
		t := newTestament(ctx)
		kmsWire.set(t.key, withdrawal, func(pass func() (*http.Response, error)) (*http.Response, error) {
			kmsWire.set(t.key, "DescribeKey", refuses("AccessDeniedException", "not yours"))
			return answerLost()(pass)
		})
		remove(ctx, t.object)
		expectOutcome(ctx, t.object, "Ready=Unknown AccessDenied, Reconciling")
		wakeAfter(ctx, t.object, time.Hour)
		expectGone(ctx, t.object)
		Expect(lastEvents(ctx, t.key, 1)).To(Equal([]string{"Released: the owner was deleted; " + unknown}))
		Eventually(eventsAbout(ctx, "MaterialRetained")).WithContext(ctx).WithTimeout(patience).Should(ConsistOf(unknown))

		By("the next owner finds it out")
		kmsWire.set(t.key, "DescribeKey", nil)
		expectOutcome(ctx, newImport(ctx, "payments", t.key), "Ready=True Imported")
		Expect(lastEvents(ctx, t.key, 3)[1]).To(Equal(seenGone))
	})
})

var _ = Describe("An operator that dies", func() {
	// kill stops the operator in the middle of a call to KMS, and starts another when it is gone.
	kill := func(ctx context.Context, t testament, made bool) {
		GinkgoHelper()
		reached := make(chan struct{})
		kmsWire.set(t.key, withdrawal, func(pass func() (*http.Response, error)) (*http.Response, error) {
			if made {
				_, err := pass()
				Expect(err).NotTo(HaveOccurred())
			}
			operator.cancel()
			close(reached)
			return nil, errors.New("connection reset by the test")
		})
		remove(ctx, t.object)
		Eventually(reached).WithTimeout(patience).Should(BeClosed())
		Eventually(operator.done).WithTimeout(patience).Should(Receive())
		kmsWire.set(t.key, withdrawal, nil)
		Expect(recordOf(ctx, t.key).Withdrawal.CompletedAt).To(BeNil(), "nobody has written down what it came to")
		operator = startOperator()
	}

	It("ahead of the deletion leaves it to the next", func(ctx context.Context) {
		t := newTestament(ctx)
		operator.stop()
		Expect(k8s.Delete(ctx, t.object)).To(Succeed())
		operator = startOperator()
		awaitGrace(ctx, t.object)
		restart()
		awaitGrace(ctx, t.object)
		passGrace(ctx, t.object)
		expectWithdrawn(ctx, t.object, t.key, 1)
	})

	It("before the call arrives leaves it to the next to find that out", func(ctx context.Context) {
		t := newTestament(ctx)
		kill(ctx, t, false)
		expectAnswerLost(ctx, t)
		wakeAfter(ctx, t.object, 5*time.Minute)
		expectWithdrawn(ctx, t.object, t.key, 2)
		Expect(lastEvents(ctx, t.key, 3)).To(Equal([]string{notShown, wasWithdrawn, wasReleased}))
	})

	It("before the answer arrives leaves it to the next to see it", func(ctx context.Context) {
		t := newTestament(ctx)
		kill(ctx, t, true)
		expectWithdrawn(ctx, t.object, t.key, 1)
		Expect(lastEvents(ctx, t.key, 2)).To(Equal([]string{seenGone, wasReleased}))
	})

	It("before the object is let go leaves that to the next", func(ctx context.Context) {
		t := newTestament(ctx)
		apiWire.refuse(patchesObject, http.StatusInternalServerError)
		remove(ctx, t.object)
		Eventually(func() bool { return recordOf(ctx, t.key).Owner == nil }).WithTimeout(patience).Should(BeTrue())
		expectTold(ctx, "MaterialWithdrawn")
		operator.stop()
		apiWire.refuse(nil, 0)
		Expect(reload(ctx, t.object).Finalizers).To(Equal([]string{ownFinalizer}))
		operator = startOperator()
		expectWithdrawn(ctx, t.object, t.key, 1)
		Expect(kmsWire.count(t.key, "ImportKeyMaterial")).To(Equal(1))
	})
})

var _ = Describe("An API server that fails right after a deletion", func() {
	var t testament

	// failing has the API server refuse writes of records from the deletion on.
	failing := func(ctx context.Context, matches func(*http.Request) bool) {
		GinkgoHelper()
		t = newTestament(ctx)
		kmsWire.set(t.key, withdrawal, func(pass func() (*http.Response, error)) (*http.Response, error) {
			response, err := pass()
			apiWire.refuse(matches, http.StatusInternalServerError)
			return response, err
		})
		remove(ctx, t.object)
	}

	It("once is asked again, and the answer is on record", func(ctx context.Context) {
		failing(ctx, once(writesRecord))
		expectWithdrawn(ctx, t.object, t.key, 1)
		Expect(recordOf(ctx, t.key).Withdrawal.RequestID).NotTo(BeEmpty())
		Expect(lastEvents(ctx, t.key, 2)).To(Equal([]string{wasWithdrawn, wasReleased}))
	})

	It("for a while leaves the deletion to be found out", func(ctx context.Context) {
		var refused atomic.Int64
		failing(ctx, func(request *http.Request) bool {
			matches := writesRecord(request)
			if matches {
				refused.Add(1)
			}
			return matches
		})
		Eventually(refused.Load).WithTimeout(patience).Should(BeNumerically(">=", 2), "the write, and the one that is made again")
		Expect(describe(ctx, t.key).KeyState).To(BeEquivalentTo("PendingImport"))
		Expect(recordOf(ctx, t.key).Withdrawal.CompletedAt).To(BeNil())
		apiWire.refuse(nil, 0)
		expectWithdrawn(ctx, t.object, t.key, 1)
		Expect(lastEvents(ctx, t.key, 2)).To(Equal([]string{seenGone, wasReleased}))
	})
})
