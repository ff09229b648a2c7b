package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// Each of these specs is a row of the table in docs/security.md, which a test compares: what somebody tries who has a
// namespace of the cluster, or more than that, and what it gets. The operator has the rights of config/rbac.

var _ = Describe("Attack", func() {
	var (
		tenant   client.Client // who has the spec's own namespace
		victim   string        // the other team's namespace
		key      string        // the other team's, and its object and material
		owner    *v1alpha1.KMSKeyImport
		material []byte
	)

	BeforeEach(func(ctx context.Context) {
		tenant = newTenant(ctx, namespace)
		victim = anotherNamespace(ctx)
		material = randomMaterial()
		key = newSymmetricKey(ctx)
		within(victim, func() {
			newSecret(ctx, "material", material)
			owner = expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		})
	})

	AfterEach(func(ctx context.Context) { clearNamespace(ctx, victim) })

	// expectUnharmed is what every attack has to leave the other team.
	expectUnharmed := func(ctx context.Context) {
		GinkgoHelper()
		requestReconcile(ctx, owner)
		expectOutcome(ctx, owner, "Ready=True Imported")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
		Expect(kmsWire.count(key, "DeleteImportedKeyMaterial")).To(BeZero())
		Expect(recordOf(ctx, key).Owner.UID).To(Equal(owner.UID))
	}
	tries := func(ctx context.Context, keyID string, changes ...func(*v1alpha1.KMSKeyImport)) {
		GinkgoHelper()
		newImportBy(ctx, tenant, "mine", keyID, changes...)
	}
	own := func(ctx context.Context) *corev1.Secret {
		GinkgoHelper()
		return newSecret(ctx, "material", randomMaterial())
	}

	It("Import a Secret of another namespace", func(ctx context.Context) {
		apiWire.reset()
		mine := newSymmetricKey(ctx)
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("KMSKeyImport"))
		object.SetNamespace(namespace)
		object.SetName("mine")
		reference := map[string]any{"name": "material", "namespace": victim}
		object.Object["spec"] = map[string]any{"keyID": mine, "material": map[string]any{"secretRef": reference}}
		strict := client.FieldValidation(metav1.FieldValidationStrict)
		Expect(tenant.Create(ctx, object, strict)).To(MatchError(ContainSubstring(`unknown field "spec.material.secretRef.namespace"`)))
		reference["name"] = victim + "/material"
		Expect(tenant.Create(ctx, object)).To(MatchError(ContainSubstring("name is not a name a Secret can have")))
		reference["name"] = "material"
		Expect(tenant.Create(ctx, object)).To(Succeed())
		expectOutcome(ctx, named("mine"), "Ready=False SecretNotFound, Reconciling")
		Expect(apiWire.spent().SecretReads).To(BeZero())
		Expect(tenant.Get(ctx, client.ObjectKey{Namespace: victim, Name: "material"}, &corev1.Secret{})).To(Satisfy(apierrors.IsForbidden))
		expectUnharmed(ctx)
	})

	It("Import a Secret of the own namespace that does not consent", func(ctx context.Context) {
		apiWire.reset()
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "material"},
			Data:       map[string][]byte{"material": randomMaterial()},
		}
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		mine := newSymmetricKey(ctx)
		tries(ctx, mine)
		expectOutcome(ctx, named("mine"), "Ready=False SecretNotConsenting, Reconciling")
		Expect(apiWire.spent().SecretReads).To(BeZero())
		Expect(kmsWire.changes(mine)).To(BeZero())
	})

	It("Name the key of another team, by ID, ARN, alias or alias ARN", func(ctx context.Context) {
		own(ctx)
		for i, name := range namesOf(ctx, key) {
			newImportBy(ctx, tenant, fmt.Sprintf("rival-%d", i), name)
			rival := string(asJSON(expectOutcome(ctx, named(fmt.Sprintf("rival-%d", i)), "Ready=False KeyConflict, Stalled")))
			for _, secret := range []string{victim, string(owner.UID), recordOf(ctx, key).Imported.Fingerprint} {
				Expect(rival).NotTo(ContainSubstring(secret))
			}
		}
		expectUnharmed(ctx)
	})

	It("Name the key of another team while its object is being deleted", func(ctx context.Context) {
		edit(ctx, owner, takingItsMaterial)
		expectOutcome(ctx, owner, "Ready=True Imported")
		own(ctx)
		tries(ctx, key)
		expectOutcome(ctx, named("mine"), "Ready=False KeyConflict, Stalled")
		Expect(k8s.Delete(ctx, owner)).To(Succeed())
		within(victim, func() {
			Eventually(eventsAbout(ctx, "MaterialRetained")).WithContext(ctx).WithTimeout(patience).
				Should(ConsistOf("the key's material was not deleted: another KMSKeyImport names the key"))
		})
		expectOutcome(ctx, named("mine"), "Ready=False MaterialUnverifiable, Stalled")
		Expect(recordOf(ctx, key).Owner).To(BeNil())
		Expect(kmsWire.count(key, "DeleteImportedKeyMaterial")).To(BeZero())
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("Take over the key of another team once its object is deleted", func(ctx context.Context) {
		own(ctx)
		Expect(k8s.Delete(ctx, owner)).To(Succeed())
		tries(ctx, key)
		expectOutcome(ctx, named("mine"), "Ready=False MaterialUnverifiable, Stalled")
		deleteMaterial(ctx, key)
		askForImport(ctx, named("mine"))
		requestReconcile(ctx, named("mine"))
		expectOutcome(ctx, named("mine"), "Ready=False MaterialUnverifiable, Stalled")
		Expect(recordOf(ctx, key).Owner).To(BeNil())
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("Claim a key that holds another team's material and that this operator has not seen", func(ctx context.Context) {
		unseen := newSymmetricKey(ctx)
		importByHand(ctx, unseen, material)
		ciphertext := encrypt(ctx, unseen, "written before")
		own(ctx)
		tries(ctx, unseen)
		expectOutcome(ctx, named("mine"), "Ready=False MaterialMismatch, Stalled")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		var late *v1alpha1.KMSKeyImport
		within(victim, func() { late = newImport(ctx, "late", unseen) })
		expectOutcome(ctx, late, "Ready=False KeyConflict, Stalled")
		Expect(k8s.Delete(ctx, named("mine"))).To(Succeed())
		expectOutcome(ctx, late, "Ready=True Imported")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("Claim a key of another team that is still empty", func(ctx context.Context) {
		empty := newSymmetricKey(ctx)
		own(ctx)
		tries(ctx, empty)
		expectOutcome(ctx, named("mine"), "Ready=True Imported")
		within(victim, func() { expectOutcome(ctx, newImport(ctx, "late", empty), "Ready=False KeyConflict, Stalled") })
	})

	It("Turn an alias to the key of another team between look and import", func(ctx context.Context) {
		own(ctx)
		mine := newSymmetricKey(ctx)
		alias := newAlias(ctx, mine)
		kmsWire.set(mine, "GetParametersForImport", func(pass func() (*http.Response, error)) (*http.Response, error) {
			defer GinkgoRecover()
			turnAlias(ctx, alias, key)
			return pass()
		})
		tries(ctx, alias)
		Eventually(func() string { return string(describe(ctx, mine).KeyState) }).WithTimeout(patience).Should(Equal("Enabled"))
		requestReconcile(ctx, named("mine"))
		expectOutcome(ctx, named("mine"), "Ready=False KeyTargetChanged, Stalled")
		Expect(recordOf(ctx, mine).Owner.Name).To(Equal("mine"))
		requestReimport(ctx, named("mine"))
		Expect(kmsWire.count(mine, "ImportKeyMaterial")).To(Equal(1))
		expectUnharmed(ctx)
	})

	It("Turn an alias to the key of another team before the object is deleted with its material", func(ctx context.Context) {
		own(ctx)
		mine := newSymmetricKey(ctx)
		alias := newAlias(ctx, mine)
		tries(ctx, alias, takingItsMaterial)
		object := expectOutcome(ctx, named("mine"), "Ready=True Imported")
		turnAlias(ctx, alias, key)
		Expect(tenant.Delete(ctx, object)).To(Succeed())
		Eventually(func() string { return message(reload(ctx, object), "Reconciling") }).WithTimeout(patience).Should(HavePrefix("the object was deleted"))
		now.advance(15 * time.Second)
		Eventually(func() error {
			_, err := operator.reconciler.Reconcile(ctx, requestFor(object))
			Expect(err).NotTo(HaveOccurred())
			return k8s.Get(ctx, client.ObjectKeyFromObject(object), &v1alpha1.KMSKeyImport{})
		}).WithTimeout(patience).Should(Satisfy(apierrors.IsNotFound))
		Expect(kmsWire.count(mine, "DeleteImportedKeyMaterial")).To(Equal(1))
		Expect(string(describe(ctx, mine).KeyState)).To(Equal("PendingImport"))
		expectUnharmed(ctx)
	})

	It("Forge the status, as somebody who may edit the object", func(ctx context.Context) {
		own(ctx)
		tries(ctx, newSymmetricKey(ctx))
		object := expectOutcome(ctx, named("mine"), "Ready=True Imported")
		for _, forged := range forgedStatuses(key) {
			Expect(tenant.Status().Patch(ctx, object.DeepCopy(), client.RawPatch(types.MergePatchType, forged.patch))).To(Satisfy(apierrors.IsForbidden))
		}
		object.Status.Key.ARN = key
		Expect(tenant.Update(ctx, object)).To(Succeed())
		Expect(reload(ctx, object).Status.Key.ARN).NotTo(Equal(key))
		expectUnharmed(ctx)
	})

	It("Forge each field of the status, with the right to write it", func(ctx context.Context) {
		own(ctx)
		mine := newSymmetricKey(ctx)
		tries(ctx, mine, validFor(90*day), written)
		object := expectOutcome(ctx, named("mine"), "Ready=True Imported")
		truth := object.Status.DeepCopy()
		for _, forged := range forgedStatuses(key) {
			By(forged.name)
			Expect(k8s.Status().Patch(ctx, reload(ctx, object), client.RawPatch(types.MergePatchType, forged.patch))).To(Succeed())
			Expect(costOf(mine, func() { object = twoLooks(ctx, object) }).Import).To(BeZero())
			Expect(summary(object)).To(Equal("Ready=True Imported"))
			Expect(object.Status.Key).To(Equal(truth.Key))
			Expect(object.Status.Material).To(Equal(truth.Material))
			Expect(object.Status.RenewalTime).To(Equal(truth.RenewalTime))
			Expect(object.Status.LastHandledReimportAt).To(BeEmpty())
			Expect(*object.Status.ObservedGeneration).To(Equal(object.Generation))
		}
		expectUnharmed(ctx)
	})

	It("Forge the echo of a request, with the right to write the status", func(ctx context.Context) {
		own(ctx)
		mine := newSymmetricKey(ctx)
		tries(ctx, mine, asked, written)
		object := expectOutcome(ctx, named("mine"), "Ready=True Imported")
		for range 2 {
			Expect(k8s.Status().Patch(ctx, reload(ctx, object), client.RawPatch(types.MergePatchType, []byte(`{"status": {"lastHandledReimportAt": "forged"}}`)))).To(Succeed())
			twoLooks(ctx, object)
		}
		Expect(kmsWire.count(mine, "ImportKeyMaterial")).To(Equal(1), "this process knows what it has served")
		restart()
		Expect(k8s.Status().Patch(ctx, reload(ctx, object), client.RawPatch(types.MergePatchType, []byte(`{"status": {"lastHandledReimportAt": "forged"}}`)))).To(Succeed())
		expectPass(ctx, object)
		Expect(kmsWire.count(mine, "ImportKeyMaterial")).To(Equal(2), "once more, of the same bytes")
		Expect(recordOf(ctx, mine).Imported.Fingerprint).To(Equal(object.Status.Material.Fingerprint))
	})

	It("Forge the status of another object, to pass for its key's heir or owner", func(ctx context.Context) {
		own(ctx)
		mine := newSymmetricKey(ctx)
		tries(ctx, mine, written)
		object := expectOutcome(ctx, named("mine"), "Ready=True Imported")
		forged, err := json.Marshal(map[string]any{"status": map[string]any{
			"key": map[string]any{"arn": key}, "material": map[string]any{"fingerprint": recordOf(ctx, key).Imported.Fingerprint},
		}})
		Expect(err).NotTo(HaveOccurred())
		Expect(k8s.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, forged))).To(Succeed())
		requestReconcile(ctx, object)
		Expect(recordOf(ctx, mine).Owner.Name).To(Equal("mine"))
		Expect(reload(ctx, object).Status.Key.ARN).To(Equal(mine))
		expectUnharmed(ctx)
	})

	It("Forge the status of another object, to pass for the heir of a key whose object is being deleted", func(ctx context.Context) {
		edit(ctx, owner, takingItsMaterial)
		expectOutcome(ctx, owner, "Ready=True Imported")
		own(ctx)
		tries(ctx, newSymmetricKey(ctx), written)
		object := expectOutcome(ctx, named("mine"), "Ready=True Imported")
		forged := []byte(`{"status": {"key": {"arn": "` + key + `"}}}`)
		Expect(k8s.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, forged))).To(Succeed())
		Expect(k8s.Delete(ctx, owner)).To(Succeed())
		within(victim, func() {
			Eventually(eventsAbout(ctx, "MaterialRetained")).WithContext(ctx).WithTimeout(patience).
				Should(ConsistOf("the key's material was not deleted: another KMSKeyImport names the key"))
		})
		Expect(recordOf(ctx, key).Owner).To(BeNil())
		Expect(kmsWire.count(key, "DeleteImportedKeyMaterial")).To(BeZero())
	})

	It("Make a record, or read one, or the fingerprint key", func(ctx context.Context) {
		for _, where := range []string{operatorNamespace, namespace} {
			record := recordFor(newSymmetricKey(ctx))
			record.Namespace = where
			Expect(tenant.Create(ctx, record)).To(Satisfy(apierrors.IsForbidden))
			Expect(tenant.List(ctx, &v1alpha1.KMSKeyRecordList{}, client.InNamespace(where))).To(Satisfy(apierrors.IsForbidden))
		}
		existing := recordOf(ctx, key)
		Expect(tenant.Delete(ctx, existing)).To(Satisfy(apierrors.IsForbidden))
		Expect(tenant.Update(ctx, existing)).To(Satisfy(apierrors.IsForbidden))
		Expect(tenant.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: "kms-key-import-fingerprint-key"}, &corev1.Secret{})).
			To(Satisfy(apierrors.IsForbidden))
		expectUnharmed(ctx)
	})

	It("Make a record in a namespace that is not the operator's, with the right to", func(ctx context.Context) {
		own(ctx)
		mine := newSymmetricKey(ctx)
		record := recordFor(mine)
		record.Namespace, record.Owner = namespace, &v1alpha1.RecordOwner{Namespace: victim, Name: owner.Name, UID: owner.UID}
		Expect(k8s.Create(ctx, record)).To(Succeed())
		tries(ctx, mine)
		expectOutcome(ctx, named("mine"), "Ready=True Imported")
		expectUnharmed(ctx)
		Expect(k8s.Delete(ctx, record)).To(Succeed())
	})

	It("Make a record under the name of another key's, with the right to", func(ctx context.Context) {
		own(ctx)
		mine := newSymmetricKey(ctx)
		planted := recordFor(mine)
		planted.KeyARN = newSymmetricKey(ctx)
		Expect(k8s.Create(ctx, planted)).To(Succeed())
		before := len(logs.String())
		tries(ctx, mine)
		Eventually(func() string { return logs.String()[before:] }).WithTimeout(patience).
			Should(ContainSubstring("KMSKeyRecord " + planted.Name + " is about another key than its name says: delete it if it was made by hand"))
		Expect(kmsWire.changes(mine)).To(BeZero())
		object := expectOutcome(ctx, named("mine"), "Ready=False ReconcileError, Reconciling")
		Expect(message(object, "Reconciling")).To(Equal("KMSKeyRecord " + planted.Name +
			" is about another key than its name says: delete it if it was made by hand: trying again"))

		Expect(k8s.Delete(ctx, planted)).To(Succeed())
		expectOutcome(ctx, named("mine"), "Ready=True Imported")
	})

	It("Delete the record of a key, with the right to", func(ctx context.Context) {
		ciphertext := encrypt(ctx, key, "written before")
		own(ctx)
		tries(ctx, key)
		expectOutcome(ctx, named("mine"), "Ready=False KeyConflict, Stalled")
		reported := describe(ctx, key)
		Expect(k8s.Delete(ctx, recordOf(ctx, key))).To(Succeed())
		Eventually(func() []sentImport { return kmsWire.sent(key) }).WithTimeout(patience).Should(HaveLen(2))
		Eventually(func() []string {
			return []string{summary(reload(ctx, owner)), summary(reload(ctx, named("mine")))}
		}).WithTimeout(patience).Should(Or(
			Equal([]string{"Ready=True Imported", "Ready=False KeyConflict, Stalled"}),
			Equal([]string{"Ready=False KeyConflict, Stalled", "Ready=False MaterialMismatch, Stalled"}),
		))
		Expect(kmsWire.sent(key)[1]).To(Equal(asReported(reported)), "no bytes were taken that are not the key's")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		Expect(describe(ctx, key)).To(Equal(reported))

		By("who is first claims the key, and the other team has it back when the attacker's object is deleted")
		Expect(k8s.Delete(ctx, named("mine"))).To(Succeed())
		Eventually(func(g Gomega) {
			record := recordOf(ctx, key)
			g.Expect(record.Owner).To(HaveValue(HaveField("UID", owner.UID)))
			g.Expect(record.Imported).To(HaveValue(HaveField("Adopted", HaveValue(BeTrue()))), "so it is never withdrawn")
		}).WithTimeout(patience).Should(Succeed())
		expectOutcome(ctx, owner, "Ready=True Imported")
	})
})

// written is an object whose status others write.
func written(object *v1alpha1.KMSKeyImport) {
	metav1.SetMetaDataAnnotation(&object.ObjectMeta, statusWrittenByOthers, "true")
}

// forgedStatus is a lie about one field of a status.
type forgedStatus struct {
	name  string
	patch []byte
}

// forgedStatuses are lies about each of its fields, about another key where there is one to name.
func forgedStatuses(otherKey string) []forgedStatus {
	lie := func(name, status string) forgedStatus {
		return forgedStatus{name, []byte(`{"status": ` + status + `}`)}
	}
	condition := func(kind, state, reason string) string {
		return `{"type": "` + kind + `", "status": "` + state + `", "reason": "` + reason + `", "message": "forged", "lastTransitionTime": "2020-01-01T00:00:00Z"}`
	}
	return []forgedStatus{
		lie("observedGeneration", `{"observedGeneration": 99}`),
		lie("observedGeneration, as of a new object", `{"observedGeneration": -1}`),
		lie("conditions, none", `{"conditions": null}`),
		lie("conditions, not ready", `{"conditions": [`+condition("Ready", "False", "MaterialDeleted")+`, `+condition("Stalled", "True", "MaterialDeleted")+`]}`),
		lie("conditions, held", `{"conditions": [`+condition("Ready", "False", "HeldAfterDisable")+`, `+condition("Stalled", "True", "HeldAfterDisable")+`]}`),
		lie("conditions, interrupted", `{"conditions": [`+condition("Ready", "False", "KeyInterrupted")+`, `+condition("Interrupted", "True", "KeyInterrupted")+`]}`),
		lie("key.arn", `{"key": {"arn": "`+otherKey+`"}}`),
		lie("key.state, empty", `{"key": {"state": "PendingImport"}}`),
		lie("key.state, disabled", `{"key": {"state": "Disabled"}}`),
		lie("key.spec", `{"key": {"spec": "HMAC_256"}}`),
		lie("key.usage", `{"key": {"usage": "SIGN_VERIFY"}}`),
		lie("key.multiRegion", `{"key": {"multiRegion": true}}`),
		lie("key, none", `{"key": null}`),
		lie("expirationModel", `{"expirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}`),
		lie("validTo, past", `{"validTo": "2020-01-01T00:00:00Z"}`),
		lie("renewalTime, past", `{"renewalTime": "2020-01-01T00:00:00Z"}`),
		lie("material.fingerprint", `{"material": {"fingerprint": "hmac-sha256:forged:forged"}}`),
		lie("material.keyMaterialID", `{"material": {"keyMaterialID": "forged"}}`),
		lie("material.importedAt", `{"material": {"importedAt": "2020-01-01T00:00:00Z"}}`),
		lie("material.wrappingAlgorithm", `{"material": {"wrappingAlgorithm": "RSAES_OAEP_SHA_1", "wrappingKeySpec": "RSA_2048"}}`),
		lie("material, none", `{"material": null}`),
		lie("lastHandledReconcileAt", `{"lastHandledReconcileAt": "forged"}`),
		lie("lastHandledReimportAt", `{"lastHandledReimportAt": "forged"}`),
	}
}
