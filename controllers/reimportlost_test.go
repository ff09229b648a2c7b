package controllers_test

import (
	"context"
	"net/http"
	"sync"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// What goes wrong between the deletion of material and its import, while the operator lives.

func itSurvivesLostAnswers() {
	It("sees that the deletion was made whose answer was lost, and fills the key in the same pass", func(ctx context.Context) {
		k := newUsedKey(ctx)
		fails(localkms.Fault{Operation: "DeleteImportedKeyMaterial", Count: 1, Drop: localkms.DropAfter})
		Expect(summary(k.passWhenDue(ctx))).To(Equal("Ready=True Imported"))
		Expect(k.deletions()).To(Equal(1))
		k.expectFilledAgain(ctx)
		Expect(k.lastEvents(ctx, 2)).To(Equal([]string{"Withdrawn Interruption", "Imported MaterialWithdrawn"}))
		history := recordOf(ctx, k.arn).History
		Expect(history[len(history)-2].Message).To(HaveSuffix("; the answer was lost, and the key has since been seen without material"))
	})

	It("waits to see whether a deletion was made that may still arrive, and then tries again", func(ctx context.Context) {
		k := newUsedKey(ctx)
		fails(localkms.Fault{Operation: "DeleteImportedKeyMaterial", Count: 1, Drop: localkms.DropBefore})
		object := k.passWhenDue(ctx)
		Expect(summary(object)).To(Equal("Ready=Unknown Progressing, Reconciling"))
		Expect(message(object, "Ready")).To(Equal("the answer to the deletion of the key's material was lost; looking whether KMS has done it"))
		Expect(recordOf(ctx, k.arn).Withdrawal.CompletedAt).To(BeNil())
		Expect(summary(passAt(ctx, object, now.Now().Add(4*time.Minute)))).To(Equal("Ready=Unknown Progressing, Reconciling"))
		Expect(k.deletions()).To(Equal(1))

		Expect(summary(passAt(ctx, object, now.Now().Add(time.Minute)))).To(Equal("Ready=True Imported"))
		Expect(k.deletions()).To(Equal(2))
		k.expectFilledAgain(ctx)
		Expect(k.lastEvents(ctx, 3)).To(Equal([]string{
			"WithdrawalNotShown Interruption", "Withdrawn Interruption", "Imported MaterialWithdrawn",
		}))
	})

	It("leaves a key in use whose deletion of material is denied", func(ctx context.Context) {
		k := newUsedKey(ctx)
		putPolicy(ctx, k.arn, statement("Allow", "kms:*"), statement("Deny", "kms:DeleteImportedKeyMaterial"))
		Expect(summary(k.passWhenDue(ctx))).To(Equal("Ready=True Imported, Reconciling AccessDenied"))
		Expect(recordOf(ctx, k.arn).Withdrawal).To(BeNil())
		Expect(k.lastEvents(ctx, 1)).To(Equal([]string{"WithdrawalRefused Interruption"}))

		putPolicy(ctx, k.arn, statement("Allow", "kms:*"))
		requestReconcile(ctx, k.object)
		expectOutcome(ctx, k.object, "Ready=True Imported")
		k.expectFilledAgain(ctx)
	})

	It("waits for KMS to show that the key is empty", func(ctx context.Context) {
		k := newUsedKey(ctx)
		before := k.object.Status.ValidTo.UTC().Format(time.RFC3339)
		kmsWire.set(k.arn, "DescribeKey", metadata(func(key map[string]any) {
			key["KeyState"], key["ExpirationModel"], key["ValidTo"] = "Enabled", "KEY_MATERIAL_EXPIRES", before
		}))
		object := k.passWhenDue(ctx)
		Expect(summary(object)).To(Equal("Ready=False Progressing, Reconciling, Interrupted KeyInterrupted"))
		Expect(message(object, "Ready")).To(Equal("the key's material was deleted in KMS; waiting for KMS to show that"))
		kmsWire.set(k.arn, "DescribeKey", nil)
		Expect(summary(passAt(ctx, object, now.Now().Add(5*time.Second)))).To(Equal("Ready=True Imported"))
		Expect(k.deletions()).To(Equal(1))
		k.expectFilledAgain(ctx)
	})

	DescribeTable("finds out about an import whose answer was lost",
		func(ctx context.Context, drop localkms.Drop, imports int) {
			k := newUsedKey(ctx)
			fails(localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Drop: drop})
			Expect(summary(k.passWhenDue(ctx))).To(Equal("Ready=False KMSUnreachable, Reconciling, Interrupted KeyInterrupted"))
			requestReconcile(ctx, k.object)
			expectOutcome(ctx, k.object, "Ready=True Imported")
			Expect(k.imports()).To(Equal(imports))
			k.expectFilledAgain(ctx)
		},
		Entry("that was made", localkms.DropAfter, 2),
		Entry("that was not", localkms.DropBefore, 3),
	)

	It("finds out about it whatever the Secret has come to hold", func(ctx context.Context) {
		k := newUsedKey(ctx)
		fails(localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Drop: localkms.DropAfter})
		kmsWire.set(k.arn, "ImportKeyMaterial", func(pass func() (*http.Response, error)) (*http.Response, error) {
			secretEdited(context.Background(), k)
			return pass()
		})
		now.advance(k.object.Status.RenewalTime.Sub(now.Now()))
		askForLook(ctx, k.object)
		expectOutcome(ctx, k.object, "Ready=False MaterialChanged, Stalled")
		k.expectFilledAgain(ctx)
		secretRestored(ctx, k)
		expectOutcome(ctx, k.object, "Ready=True Imported")
		Expect(k.imports()).To(Equal(2))
	})
}

// onceEmptied runs something when the operator has emptied the key, before it fills it again.
func (k *usedKey) onceEmptied(run func()) {
	var once sync.Once
	kmsWire.set(k.arn, "DescribeKey", func(pass func() (*http.Response, error)) (*http.Response, error) {
		if k.deletions() > 0 {
			once.Do(run)
		}
		return pass()
	})
}

// staysEmptied has the operator empty the key, and keeps it from filling it.
func (k *usedKey) staysEmptied(ctx context.Context) *v1alpha1.KMSKeyImport {
	GinkgoHelper()
	putPolicy(ctx, k.arn, statement("Allow", "kms:*"), statement("Deny", "kms:ImportKeyMaterial"))
	object := k.passWhenDue(ctx)
	Expect(summary(object)).To(Equal("Ready=False AccessDenied, Reconciling, Interrupted KeyInterrupted"))
	return object
}

// mayBeFilled ends that.
func (k *usedKey) mayBeFilled(ctx context.Context) {
	GinkgoHelper()
	putPolicy(ctx, k.arn, statement("Allow", "kms:*"))
	requestReconcile(ctx, k.object)
}

func itSurvivesWhatComesBetween(b behaviour) {
	It("says that the key is unusable for as long as it is", func(ctx context.Context) {
		k := newUsedKey(ctx)
		object := k.staysEmptied(ctx)
		Expect(message(object, "Interrupted")).To(Equal("the operator deleted the key's material in order to import it again, and the key is " +
			"unusable until that is done: do what the condition Reconciling says"))
		Expect(object.Status.RenewalTime).To(BeNil())
		expectTold(ctx, "AccessDenied")
		for range 3 {
			Expect(summary(passAt(ctx, k.object, now.Now().Add(time.Hour)))).To(Equal("Ready=False AccessDenied, Reconciling, Interrupted KeyInterrupted"))
		}
		restart()
		requestReconcile(ctx, k.object)
		expectOutcome(ctx, k.object, "Ready=False AccessDenied, Reconciling, Interrupted KeyInterrupted")
		Expect(k.deletions()).To(Equal(1))

		k.mayBeFilled(ctx)
		expectOutcome(ctx, k.object, "Ready=True Imported")
		k.expectFilledAgain(ctx)
	})

	It("fills the key that it emptied, whatever an alias has come to point at", func(ctx context.Context) {
		alias, other := "alias/"+namespace, newSymmetricKey(ctx)
		k := newUsedKey(ctx, throughAlias(ctx, alias))
		k.staysEmptied(ctx)
		_, err := local.admin.UpdateAlias(ctx, &awskmssdk.UpdateAliasInput{AliasName: &alias, TargetKeyId: &other})
		Expect(err).NotTo(HaveOccurred())
		k.mayBeFilled(ctx)
		k.expectFilledAgain(ctx)
		Expect(callsFor(other)[1:]).To(Equal([]int{0, 0}))
		expectPass(ctx, k.object)
		expectOutcome(ctx, k.object, "Ready=False KeyTargetChanged, Stalled")
	})

	It("fills a key whose object is deleted meanwhile, and then lets that go", func(ctx context.Context) {
		k := newUsedKey(ctx)
		k.onceEmptied(func() { Expect(k8s.Delete(context.Background(), k.object)).To(Succeed()) })
		now.advance(k.object.Status.RenewalTime.Sub(now.Now()))
		askForLook(ctx, k.object)
		k.expectGone(ctx)
		k.expectFilledAgain(ctx)
		Expect(k.deletions()).To(Equal(1))
		Expect(k.lastEvents(ctx, 3)).To(Equal([]string{"Withdrawn Interruption", "Imported MaterialWithdrawn", "Released"}))
	})

	It("lets an object go whose Secret is gone too, with what was sealed or with a warning", func(ctx context.Context) {
		k := newUsedKey(ctx)
		k.staysEmptied(ctx)
		operator.stop()
		Expect(k8s.Delete(ctx, k.secret)).To(Succeed())
		Expect(k8s.Delete(ctx, k.object)).To(Succeed())
		putPolicy(ctx, k.arn, statement("Allow", "kms:*"))
		operator = startOperator()
		k.expectGone(ctx)
		if b.seals {
			k.expectFilledAgain(ctx)
			return
		}
		expectTold(ctx, "KeyInterrupted")
		Expect(string(describe(ctx, k.arn).KeyState)).To(Equal("PendingImport"))

		By("the next object with the same material fills the key")
		newSecret(ctx, "material", k.material)
		k.object = expectOutcome(ctx, newImport(ctx, "again", k.arn, validFor(90*day)), "Ready=True Imported")
		k.expectFilledAgain(ctx)
	})

	It("lets an object go whose key it may not fill, after the time in which it tries", func(ctx context.Context) {
		k := newUsedKey(ctx)
		k.staysEmptied(ctx)
		Expect(k8s.Delete(ctx, k.object)).To(Succeed()) // more than an hour ago, by the clock of the specs
		expectPass(ctx, k.object)
		Expect(summary(passAt(ctx, k.object, now.Now().Add(4*time.Minute)))).To(Equal("Ready=False AccessDenied, Reconciling, Interrupted KeyInterrupted"))
		now.advance(time.Minute)
		_, _ = operator.reconciler.Reconcile(ctx, requestFor(k.object)) // unless the work queue is faster
		k.expectGone(ctx)
		expectTold(ctx, "KeyInterrupted")
	})

	It("leaves the key as it is while the object is suspended", func(ctx context.Context) {
		k := newUsedKey(ctx)
		k.onceEmptied(func() { edit(context.Background(), k.object.DeepCopy(), suspended) })
		now.advance(k.object.Status.RenewalTime.Sub(now.Now()))
		askForLook(ctx, k.object)
		object := expectOutcome(ctx, k.object, "Ready=False Suspended, Suspended, Interrupted KeyInterrupted")
		Expect(message(object, "Interrupted")).To(HaveSuffix("remove spec.suspend"))
		Expect(k.imports()).To(Equal(1))
		edit(ctx, k.object, resumed)
		expectOutcome(ctx, k.object, "Ready=True Imported")
		k.expectFilledAgain(ctx)
	})

	It("does not believe in material that somebody else brought into the key meanwhile", func(ctx context.Context) {
		k := newUsedKey(ctx)
		k.staysEmptied(ctx)
		putPolicy(ctx, k.arn, statement("Allow", "kms:*"))
		importByHand(ctx, k.arn, randomMaterial())
		Expect(summary(passAt(ctx, k.object, now.Now().Add(time.Minute)))).To(Equal("Ready=False Progressing, Reconciling, Interrupted KeyInterrupted"))
		object := passAt(ctx, k.object, now.Now().Add(5*time.Minute))
		Expect(summary(object)).To(Equal("Ready=False MaterialUnverifiable, Interrupted KeyInterrupted, Stalled"))
		Expect(k.imports()).To(Equal(2))

		By("who takes it out again")
		deleteMaterial(ctx, k.arn)
		requestReconcile(ctx, k.object)
		expectOutcome(ctx, k.object, "Ready=True Imported")
		k.expectFilledAgain(ctx)
	})

	It("takes the Secret's bytes where KMS no longer takes what was sealed", func(ctx context.Context) {
		k := newUsedKey(ctx)
		k.staysEmptied(ctx)
		_, err := local.admin.GetParametersForImport(ctx, &awskmssdk.GetParametersForImportInput{
			KeyId: &k.arn, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048",
		})
		Expect(err).NotTo(HaveOccurred(), "which makes earlier tokens invalid")
		k.mayBeFilled(ctx)
		expectOutcome(ctx, k.object, "Ready=True Imported")
		k.expectFilledAgain(ctx)
	})
}

// throughAlias has an object name its key by an alias, which it makes.
func throughAlias(ctx context.Context, alias string) func(*v1alpha1.KMSKeyImport) {
	return func(object *v1alpha1.KMSKeyImport) {
		GinkgoHelper()
		_, err := local.admin.CreateAlias(ctx, &awskmssdk.CreateAliasInput{AliasName: &alias, TargetKeyId: &object.Spec.KeyID})
		Expect(err).NotTo(HaveOccurred())
		object.Spec.KeyID = alias
	}
}

func (k *usedKey) expectGone(ctx context.Context) {
	GinkgoHelper()
	Eventually(func() bool {
		return apierrors.IsNotFound(k8s.Get(ctx, client.ObjectKeyFromObject(k.object), &v1alpha1.KMSKeyImport{}))
	}).WithTimeout(patience).Should(BeTrue())
	Expect(recordOf(ctx, k.arn).Owner).To(BeNil())
}
