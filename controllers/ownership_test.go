package controllers_test

import (
	"context"
	"net/http"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// aliasTo makes DescribeKey of an alias, which the local KMS does not know, lead to a key.
func aliasTo(keyARN *string) fault {
	return func(func() (*http.Response, error)) (*http.Response, error) {
		answer, err := local.admin.DescribeKey(context.Background(), &awskmssdk.DescribeKeyInput{KeyId: keyARN})
		if err != nil {
			return nil, err
		}
		key := map[string]any{
			"Arn": answer.KeyMetadata.Arn, "KeyId": answer.KeyMetadata.KeyId, "KeyState": answer.KeyMetadata.KeyState,
			"KeySpec": answer.KeyMetadata.KeySpec, "KeyUsage": answer.KeyMetadata.KeyUsage, "Origin": answer.KeyMetadata.Origin,
			"ExpirationModel": answer.KeyMetadata.ExpirationModel, "CurrentKeyMaterialId": answer.KeyMetadata.CurrentKeyMaterialId,
		}
		return jsonAnswer(http.StatusOK, map[string]any{"KeyMetadata": key}), nil
	}
}

var _ = Describe("A key", func() {
	It("has one owner, and others learn nothing about it", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		first := expectOutcome(ctx, newImport(ctx, "first", key), "Ready=True Imported")
		second := expectOutcome(ctx, newImport(ctx, "second", shortID(key)), "Ready=False KeyConflict, Stalled")
		Expect(messages(second)).NotTo(ContainSubstring("first"))
		Expect(messages(second)).NotTo(ContainSubstring(namespace))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))

		By("the next one takes over when the owner is gone")
		Expect(k8s.Delete(ctx, first)).To(Succeed())
		second = expectOutcome(ctx, second, "Ready=True Imported")
		Expect(recordOf(ctx, key).Owner.UID).To(Equal(second.UID))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1), "the material is vouched for already")
	})

	It("goes to one of two that are created together", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		objects := []*v1alpha1.KMSKeyImport{newImport(ctx, "a", key), newImport(ctx, "b", key)}
		Eventually(func() []string {
			return []string{summary(reload(ctx, objects[0])), summary(reload(ctx, objects[1]))}
		}).WithTimeout(patience).Should(ConsistOf("Ready=True Imported", "Ready=False KeyConflict, Stalled"))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("keeps its material and its record when the owner is deleted", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		ciphertext := encrypt(ctx, key, "written before")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		Eventually(func() bool { return recordOf(ctx, key).Owner == nil }).WithTimeout(patience).Should(BeTrue())
		record := recordOf(ctx, key)
		Expect(record.Imported).NotTo(BeNil())
		Expect(string(record.History[len(record.History)-1].Event)).To(Equal("Released"))
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("is not given to a next owner with other material", func(ctx context.Context) {
		secret := newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		newSecret(ctx, "material", randomMaterial())
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False MaterialUnverifiable, Stalled")
		Expect(recordOf(ctx, key).Owner).To(BeNil())
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("is given to an object made again under the same name", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		again := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Expect(recordOf(ctx, key).Owner.UID).To(Equal(again.UID))
	})

	It("is given up when its owner is made again for another key", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key, other := newSymmetricKey(ctx), newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		operator.stop()
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		again := newImport(ctx, "payments", other)
		operator = startOperator()
		again = expectOutcome(ctx, again, "Ready=True Imported")
		Expect(recordOf(ctx, other).Owner.UID).To(Equal(again.UID))
		Expect(recordOf(ctx, key).Owner).To(BeNil())
	})

	It("is pinned: an alias that turns elsewhere is not followed", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key, other := newSymmetricKey(ctx), newSymmetricKey(ctx)
		target := key
		kmsWire.set("alias/payments", "DescribeKey", aliasTo(&target))
		DeferCleanup(func() { kmsWire.set("alias/payments", "DescribeKey", nil) })
		object := expectOutcome(ctx, newImport(ctx, "payments", "alias/payments"), "Ready=True Imported")
		Expect(object.Status.Key.ARN).To(Equal(key))

		target = other
		requestReconcile(ctx, object)
		object = expectOutcome(ctx, object, "Ready=False KeyTargetChanged, Stalled")
		Expect(kmsWire.changes(other)).To(BeZero())

		target = key
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("is imported under the ARN that was looked at when an alias turns between look and import", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key, other := newSymmetricKey(ctx), newSymmetricKey(ctx)
		target := key
		kmsWire.set("alias/turning", "DescribeKey", aliasTo(&target))
		DeferCleanup(func() { kmsWire.set("alias/turning", "DescribeKey", nil) })
		kmsWire.set(key, "GetParametersForImport", func(pass func() (*http.Response, error)) (*http.Response, error) {
			target = other
			return pass()
		})
		object := newImport(ctx, "payments", "alias/turning")
		Eventually(func() string { return string(describe(ctx, key).KeyState) }).WithTimeout(patience).Should(Equal("Enabled"))
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=False KeyTargetChanged, Stalled")
		Expect(kmsWire.changes(other)).To(BeZero())
	})
})
