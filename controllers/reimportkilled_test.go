package controllers_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
)

// diesOver ends the operator as a kill does: from the call to KMS that the fault is for, nothing is written any more.
func (k *usedKey) diesOver(ctx context.Context, operation string, when func() bool) {
	GinkgoHelper()
	dying, kill := context.WithCancel(ctx)
	kmsWire.set(k.arn, operation, func(pass func() (*http.Response, error)) (*http.Response, error) {
		response, err := pass()
		if !when() {
			return response, err
		}
		_ = response.Body.Close()
		kill()
		operator.cancel()
		return nil, errors.New("killed by the test")
	})
	awaitCaches(ctx, k.object)
	now.advance(k.object.Status.RenewalTime.Sub(now.Now()))
	_, err := operator.reconciler.Reconcile(dying, requestFor(k.object))
	Expect(err).To(MatchError(context.Canceled))
	Eventually(operator.done).WithTimeout(patience).Should(Receive())
	kmsWire.set(k.arn, operation, nil)
	Expect(string(describe(ctx, k.arn).KeyState)).To(Equal("PendingImport"))
	Expect(k.deletions()).To(Equal(1))
}

// misfortune is what happens to a key after its operator died over it, empty, and how that is undone.
type misfortune struct {
	happens, undone func(context.Context, *usedKey)
	sealed, not     string // what the next operator makes of it, with sealed material in the record and without
}

const (
	settledAgain = "Ready=True Imported"
	denied       = "Ready=False AccessDenied, Reconciling, Interrupted KeyInterrupted"
)

func nothing(context.Context, *usedKey) {}

func secretEdited(ctx context.Context, k *usedKey) {
	GinkgoHelper()
	edit(ctx, k.secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
}

func secretRestored(ctx context.Context, k *usedKey) {
	GinkgoHelper()
	edit(ctx, k.secret, func(s *corev1.Secret) { s.Data["material"] = k.material })
}

func secretDeleted(ctx context.Context, k *usedKey) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, k.secret)).To(Succeed())
}

func secretMadeAnew(ctx context.Context, k *usedKey) {
	GinkgoHelper()
	newSecret(ctx, "material", k.material)
}

func importDenied(ctx context.Context, k *usedKey) {
	GinkgoHelper()
	putPolicy(ctx, k.arn, statement("Allow", "kms:*"), statement("Deny", "kms:ImportKeyMaterial"))
}

func importAllowed(ctx context.Context, k *usedKey) {
	GinkgoHelper()
	k.mayBeFilled(ctx)
}

func tokenExpired(context.Context, *usedKey) { now.advance(25 * time.Hour) }

func both(one, other func(context.Context, *usedKey)) func(context.Context, *usedKey) {
	return func(ctx context.Context, k *usedKey) {
		GinkgoHelper()
		one(ctx, k)
		other(ctx, k)
	}
}

func itSurvivesItsOperator(b behaviour) {
	DescribeTable("fills a key that an operator left empty that was killed",
		func(ctx context.Context, m misfortune) {
			k := newUsedKey(ctx)
			k.diesOver(ctx, "DeleteImportedKeyMaterial", func() bool { return true })
			m.happens(ctx, k)
			operator = startOperator()
			want := m.not
			if b.seals {
				want = m.sealed
			}
			filled := !strings.Contains(want, "Interrupted")
			Eventually(func() bool { return recordOf(ctx, k.arn).Withdrawal == nil }).WithTimeout(patience).Should(Equal(filled))
			expectOutcome(ctx, k.object, want)
			expectTold(ctx, "MaterialWithdrawn")
			if !filled {
				expectTold(ctx, strings.Trim(strings.Fields(want)[1], ","))
				Expect(string(describe(ctx, k.arn).KeyState)).To(Equal("PendingImport"))
			} else {
				k.expectFilledAgain(ctx)
			}

			By("nothing more is needed than to undo it")
			m.undone(ctx, k)
			expectOutcome(ctx, k.object, settledAgain)
			k.expectFilledAgain(ctx)
			Expect(k.deletions()).To(Equal(1))
		},
		Entry("with its Secret as it was", misfortune{nothing, nothing, settledAgain, settledAgain}),
		Entry("with its Secret edited", misfortune{
			secretEdited, secretRestored,
			"Ready=False MaterialChanged, Stalled",
			"Ready=False MaterialChanged, Stalled, Interrupted KeyInterrupted",
		}),
		Entry("with its Secret deleted", misfortune{
			secretDeleted, secretMadeAnew,
			"Ready=True Imported, SourceMissing SecretNotFound",
			"Ready=False SecretNotFound, Reconciling, Interrupted KeyInterrupted, SourceMissing",
		}),
		Entry("and that it may no longer fill", misfortune{importDenied, importAllowed, denied, denied}),
		Entry("and that it may no longer fill, with its Secret edited", misfortune{
			both(importDenied, secretEdited), both(secretRestored, importAllowed),
			denied,
			"Ready=False MaterialChanged, Stalled, Interrupted KeyInterrupted",
		}),
		Entry("a day ago", misfortune{tokenExpired, nothing, settledAgain, settledAgain}),
		Entry("a day ago, with its Secret edited", misfortune{
			both(tokenExpired, secretEdited), secretRestored,
			"Ready=False MaterialChanged, Stalled, Interrupted KeyInterrupted",
			"Ready=False MaterialChanged, Stalled, Interrupted KeyInterrupted",
		}),
		Entry("a day ago, with its Secret deleted", misfortune{
			both(tokenExpired, secretDeleted), secretMadeAnew,
			"Ready=False SecretNotFound, Reconciling, Interrupted KeyInterrupted, SourceMissing",
			"Ready=False SecretNotFound, Reconciling, Interrupted KeyInterrupted, SourceMissing",
		}),
	)

	It("fills a key that it was killed over once the deletion was written down", func(ctx context.Context) {
		k := newUsedKey(ctx)
		k.diesOver(ctx, "DescribeKey", func() bool { return k.deletions() > 0 })
		Expect(recordOf(ctx, k.arn).Withdrawal.CompletedAt).NotTo(BeNil())
		operator = startOperator()
		Eventually(func() int { return k.imports() }).WithTimeout(patience).Should(Equal(2))
		expectOutcome(ctx, k.object, settledAgain)
		k.expectFilledAgain(ctx)
	})

}
