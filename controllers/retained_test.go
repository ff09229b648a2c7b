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
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// Whatever says that a key may still be wanted, or that its material could not be brought back, lets it keep the material.

// testament is an object that asks for its material to be deleted with it, and what it is about.
type testament struct {
	object *v1alpha1.KMSKeyImport
	secret *corev1.Secret
	key    string
}

type happening func(ctx context.Context, t testament)

// expectRetained is the end in which the key keeps its material, for a reason.
func expectRetained(ctx context.Context, t testament, why string) {
	GinkgoHelper()
	expectGone(ctx, t.object)
	Expect(kmsWire.count(t.key, withdrawal)).To(BeZero())
	Expect(describe(ctx, t.key).KeyState).To(BeEquivalentTo("Enabled"))
	record := recordOf(ctx, t.key)
	Expect(record.Withdrawal).To(BeNil())
	Expect(record.Owner == nil || record.Owner.UID != t.object.UID).To(BeTrue())
	Expect(lastEvents(ctx, t.key, len(record.History))).To(ContainElement("Released: the owner was deleted; the key's material was not deleted: " + why))
	Expect(eventsAbout(ctx, "MaterialWithdrawn")(Default)).To(BeEmpty())
}

func expectToldWhy(ctx context.Context, why string) {
	GinkgoHelper()
	Eventually(eventsAbout(ctx, "MaterialRetained")).WithContext(ctx).WithTimeout(patience).Should(
		ConsistOf("the key's material was not deleted: " + why))
}

func newTestament(ctx context.Context) testament {
	GinkgoHelper()
	secret, key := newSecret(ctx, "material", randomMaterial()), newSymmetricKey(ctx)
	return testament{expectOutcome(ctx, newImport(ctx, "payments", key, withdrawing), "Ready=True Imported"), secret, key}
}

const notAgain = "it could not be imported again: "

// conditions under which material is not deleted, with what is told.
var conditions = []struct {
	name    string
	happens happening
	why     string
}{
	{"suspended", func(ctx context.Context, t testament) { edit(ctx, t.object, suspended) }, "spec.suspend is true"},
	{"whose Secret is gone: both were pruned", func(ctx context.Context, t testament) {
		Expect(k8s.Delete(ctx, t.secret)).To(Succeed())
	}, notAgain + `Secret "material" does not exist in this namespace: create it`},
	{"whose Secret no longer consents", func(ctx context.Context, t testament) {
		edit(ctx, t.secret, func(s *corev1.Secret) { s.Labels = nil })
	}, notAgain + `Secret "material" does not carry the label kms.keyimport.dev/key-material=true, ` +
		"without which it is not read: label it if it is meant to be imported"},
	{"whose Secret no longer has the key", func(ctx context.Context, t testament) {
		edit(ctx, t.secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"other": s.Data["material"]} })
	}, notAgain + `Secret "material" has no key "material": add it, or correct spec.material.secretRef.key`},
	{"whose Secret holds other bytes", func(ctx context.Context, t testament) {
		edit(ctx, t.secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
	}, notAgain + "the Secret is not known to hold the bytes that were imported"},
	{"whose Secret holds what is no material", func(ctx context.Context, t testament) {
		edit(ctx, t.secret, func(s *corev1.Secret) { s.Data["material"] = []byte("short") })
	}, notAgain + "the Secret is not known to hold the bytes that were imported"},
	{"that owns its Secret, which goes with it", func(ctx context.Context, t testament) {
		edit(ctx, t.secret, func(s *corev1.Secret) {
			Expect(controllerutil.SetOwnerReference(t.object, s, scheme)).To(Succeed())
		})
	}, notAgain + "its Secret is being deleted, or belongs to the object and goes with it"},
	{"whose Secret is being deleted", func(ctx context.Context, t testament) {
		edit(ctx, t.secret, func(s *corev1.Secret) { s.Finalizers = []string{othersFinalizer} })
		Expect(k8s.Delete(ctx, t.secret)).To(Succeed())
	}, notAgain + "its Secret is being deleted, or belongs to the object and goes with it"},
	{"whose material was in the key before", func(ctx context.Context, t testament) {
		edit(ctx, recordOf(ctx, t.key), func(r *v1alpha1.KMSKeyRecord) { r.Imported.Adopted = new(true) })
	}, "the key held it before the operator first imported it"},
	{"whose key was rotated elsewhere", func(ctx context.Context, t testament) {
		rotateByHand(ctx, t.key, randomMaterial())
	}, "the key's current material is not known to be the one that was imported"},
	{"that has an heir by key ARN", heir(func(key string) string { return key }), "another KMSKeyImport names the key"},
	{"that has an heir by key ID", heir(shortID), "another KMSKeyImport names the key"},
	{"that has an heir by an alias", heir(func(key string) string {
		kmsWire.set("alias/heir", "DescribeKey", aliasTo(&key))
		return "alias/heir"
	}), "another KMSKeyImport names the key"},
	{"that has an heir in another namespace", func(ctx context.Context, t testament) {
		elsewhere := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "heir-"}}
		Expect(k8s.Create(ctx, elsewhere)).To(Succeed())
		newImport(ctx, "heir", shortID(t.key), func(o *v1alpha1.KMSKeyImport) {
			o.Namespace = elsewhere.Name
			DeferCleanup(func(ctx context.Context) { Expect(k8s.Delete(ctx, o)).To(Succeed()) })
		})
	}, "another KMSKeyImport names the key"},
}

// expectHeirsAtRest waits until whoever is left owns the key.
func expectHeirsAtRest(ctx context.Context) {
	GinkgoHelper()
	left := &v1alpha1.KMSKeyImportList{}
	Expect(k8s.List(ctx, left, client.InNamespace(namespace))).To(Succeed())
	for i := range left.Items {
		expectOutcome(ctx, &left.Items[i], "Ready=True Imported")
	}
}

// heir makes the object anew under another name, as when somebody renames it.
func heir(keyID func(string) string) happening {
	return func(ctx context.Context, t testament) { newImport(ctx, "heir", keyID(t.key)) }
}

var _ = Describe("The key keeps the material of an object", func() {
	for _, condition := range conditions {
		It(condition.name, func(ctx context.Context) {
			t := newTestament(ctx)
			condition.happens(ctx, t)
			remove(ctx, t.object)
			expectRetained(ctx, t, condition.why)
			expectToldWhy(ctx, condition.why)
			expectHeirsAtRest(ctx)
		})

		It(condition.name+" just after the object is deleted", func(ctx context.Context) {
			t := newTestament(ctx)
			Expect(k8s.Delete(ctx, t.object)).To(Succeed())
			awaitGrace(ctx, t.object)
			condition.happens(ctx, t)
			passGrace(ctx, t.object)
			expectRetained(ctx, t, condition.why)
			expectToldWhy(ctx, condition.why)
			expectHeirsAtRest(ctx)
		})
	}

	It("that was renamed, and the new one takes over without an import", func(ctx context.Context) {
		t := newTestament(ctx)
		renamed := newImport(ctx, "renamed", t.key, withdrawing)
		expectOutcome(ctx, renamed, "Ready=False KeyConflict, Stalled")
		Expect(k8s.Delete(ctx, t.object)).To(Succeed())
		expectRetained(ctx, t, "another KMSKeyImport names the key")
		renamed = expectOutcome(ctx, renamed, "Ready=True Imported")
		Expect(recordOf(ctx, t.key).Owner.UID).To(Equal(renamed.UID))
		Expect(kmsWire.count(t.key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("whose namespace is deleted, before it or just after it", func(ctx context.Context) {
		const why = "the whole namespace is being deleted"
		first := newTestament(ctx)
		other := newSymmetricKey(ctx)
		second := testament{expectOutcome(ctx, newImport(ctx, "second", other, withdrawing), "Ready=True Imported"), first.secret, other}
		Expect(k8s.Delete(ctx, first.object)).To(Succeed())
		awaitGrace(ctx, first.object)
		// As the namespace controller does it, which is not here.
		Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		Expect(k8s.Delete(ctx, first.secret)).To(Succeed())
		Expect(k8s.Delete(ctx, second.object)).To(Succeed())
		passGrace(ctx, first.object)
		expectRetained(ctx, first, why)
		expectRetained(ctx, second, why)
	})

	It("whose namespace takes the operator's rights with it", func(ctx context.Context) {
		t := newTestament(ctx)
		never := newImport(ctx, "never-imported", newSymmetricKey(ctx), withdrawing, func(o *v1alpha1.KMSKeyImport) {
			o.Spec.Material.SecretRef.Name = "absent"
		})
		expectOutcome(ctx, never, "Ready=False SecretNotFound, Reconciling")
		apiWire.refuse(func(request *http.Request) bool {
			return strings.Contains(request.URL.Path, "/namespaces/"+namespace+"/") && !patchesObject(request)
		}, http.StatusForbidden)
		Expect(k8s.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		Expect(k8s.Delete(ctx, t.secret)).To(Succeed())
		Expect(k8s.Delete(ctx, t.object)).To(Succeed())
		Expect(k8s.Delete(ctx, never)).To(Succeed())
		expectRetained(ctx, t, "the whole namespace is being deleted")
		expectGone(ctx, never)
	})

	It("whose namespace the operator may not read", func(ctx context.Context) {
		t := newTestament(ctx)
		apiWire.refuse(readsNamespace, http.StatusForbidden)
		Expect(k8s.Delete(ctx, t.object)).To(Succeed())
		const why = "the operator may not read whether the whole namespace is being deleted"
		expectRetained(ctx, t, why)
		expectToldWhy(ctx, why)
	})

	It("whose Secret is changed at the last moment", func(ctx context.Context) {
		t := newTestament(ctx)
		reads := 0
		apiWire.aheadOf(func(request *http.Request) bool {
			if readsSecretData(request) && strings.Contains(request.URL.Path, namespace) {
				reads++
			}
			return reads == 2
		}, func() {
			defer GinkgoRecover()
			edit(ctx, t.secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		})
		remove(ctx, t.object)
		expectRetained(ctx, t, notAgain+"the Secret is not known to hold the bytes that were imported")
	})
})

var _ = Describe("A forged status", func() {
	forge := func(ctx context.Context, object *v1alpha1.KMSKeyImport, other string) {
		GinkgoHelper()
		past := metav1.NewTime(now.Now().Add(-day).Truncate(time.Second))
		generation := int64(99)
		forged := v1alpha1.KMSKeyImportStatus{
			ObservedGeneration: &generation,
			Conditions: []metav1.Condition{
				{Type: "Ready", Status: "False", Reason: "KeyPendingDeletion", Message: "forged", LastTransitionTime: past},
				{Type: "Stalled", Status: "True", Reason: "KeyPendingDeletion", Message: "forged", LastTransitionTime: past},
			},
			Key:             &v1alpha1.KeyStatus{ARN: other, State: "PendingImport", Spec: "HMAC_256", Usage: "GENERATE_VERIFY_MAC", MultiRegion: new(true)},
			ExpirationModel: "KEY_MATERIAL_EXPIRES", ValidTo: &past, RenewalTime: &past,
			Material: &v1alpha1.MaterialStatus{
				Fingerprint: "forged", KeyMaterialID: "forged", ImportedAt: &past, WrappingAlgorithm: "RSAES_OAEP_SHA_1", WrappingKeySpec: "RSA_2048",
			},
			LastHandledReconcileAt: "forged", LastHandledReimportAt: "forged",
		}
		Eventually(func() error {
			stored := reload(ctx, object)
			stored.Status = forged
			return k8s.Status().Update(ctx, stored)
		}).WithTimeout(patience).Should(Succeed())
	}

	It("has no other key's material deleted, and does not keep its own from it", func(ctx context.Context) {
		t := newTestament(ctx)
		other := newSymmetricKey(ctx)
		neighbour := expectOutcome(ctx, newImport(ctx, "neighbour", other), "Ready=True Imported")
		forge(ctx, t.object, other)
		Expect(k8s.Delete(ctx, t.object)).To(Succeed())
		awaitGrace(ctx, t.object)
		forge(ctx, t.object, other)
		passGrace(ctx, t.object)
		expectWithdrawn(ctx, t.object, t.key, 1)
		Expect(kmsWire.count(other, withdrawal)).To(BeZero())
		expectOutcome(ctx, neighbour, "Ready=True Imported")
	})

	It("has nothing deleted that is to be kept", func(ctx context.Context) {
		t := newTestament(ctx)
		edit(ctx, t.secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		forge(ctx, t.object, t.key)
		remove(ctx, t.object)
		expectRetained(ctx, t, notAgain+"the Secret is not known to hold the bytes that were imported")
	})
})
