package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// Two clusters know nothing of each other: here, two operators with records and fingerprint keys of their own, each with
// one namespace to care for. These specs are rows of the table in docs/security.md too.

var _ = Describe("Attack", func() {
	var (
		elsewhere string // the namespace of the other cluster's objects
		home      string // and that of its operator
		second    *runningOperator
		material  []byte
		key       string
		ours      *v1alpha1.KMSKeyImport
	)

	BeforeEach(func(ctx context.Context) {
		elsewhere, home = anotherNamespace(ctx), anotherNamespace(ctx)
		Expect(k8s.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: operatorName},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: operatorName}},
		})).To(Succeed())
		operator.stop()
		operator = startOperator(func(s *settings) { s.namespaces = []string{namespace} })
		second = startOperator(func(s *settings) { s.namespaces, s.home = []string{elsewhere}, home })
		material = randomMaterial()
		newSecret(ctx, "material", material)
		key = newSymmetricKey(ctx)
	})

	AfterEach(func(ctx context.Context) {
		clearNamespace(ctx, elsewhere)
		second.stop()
		Expect(k8s.DeleteAllOf(ctx, &v1alpha1.KMSKeyRecord{}, client.InNamespace(home))).To(Succeed())
		DeferCleanup(restart)
	})

	// theirs is the other cluster's object for the same key.
	theirs := func(ctx context.Context, material []byte, changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
		GinkgoHelper()
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Name: "material", Labels: map[string]string{consentLabel: "true"}},
			Data:       map[string][]byte{"material": material},
		}
		Expect(k8s.Create(ctx, secret)).To(Succeed())
		var object *v1alpha1.KMSKeyImport
		within(elsewhere, func() { object = newImport(ctx, "theirs", key, changes...) })
		return object
	}
	start := func(ctx context.Context, changes ...func(*v1alpha1.KMSKeyImport)) []byte {
		GinkgoHelper()
		ours = expectOutcome(ctx, newImport(ctx, "ours", key, changes...), "Ready=True Imported")
		return encrypt(ctx, key, "written before")
	}

	It("Manage the key of another cluster with other material", func(ctx context.Context) {
		ciphertext := start(ctx)
		reported := describe(ctx, key)
		expectOutcome(ctx, theirs(ctx, randomMaterial()), "Ready=False MaterialMismatch, Stalled")
		requestReconcile(ctx, ours)
		expectOutcome(ctx, ours, "Ready=True Imported")
		Expect(describe(ctx, key)).To(Equal(reported))
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("Manage the key of another cluster with the same material, and delete the objects with it", func(ctx context.Context) {
		ciphertext := start(ctx, takingItsMaterial)
		other := expectOutcome(ctx, theirs(ctx, material, takingItsMaterial), "Ready=True Imported")
		requestReconcile(ctx, ours)
		expectOutcome(ctx, ours, "Ready=True Imported")

		By("ours, which brought it into the key and sees no other object")
		Expect(k8s.Delete(ctx, ours)).To(Succeed())
		Eventually(func() string { return message(reload(ctx, ours), "Reconciling") }).WithTimeout(patience).Should(HavePrefix("the object was deleted"))
		now.advance(15 * time.Second)
		Eventually(func() error {
			_, err := operator.reconciler.Reconcile(ctx, requestFor(ours))
			Expect(err).NotTo(HaveOccurred())
			return k8s.Get(ctx, client.ObjectKeyFromObject(ours), &v1alpha1.KMSKeyImport{})
		}).WithTimeout(patience).Should(Satisfy(apierrors.IsNotFound))
		Expect(string(describe(ctx, key).KeyState)).To(Equal("PendingImport"))

		By("which theirs heals at its next looks")
		requestReconcile(ctx, other)
		expectOutcome(ctx, other, "Ready=True Imported")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))

		By("theirs, which found it there")
		Expect(k8s.Delete(ctx, other)).To(Succeed())
		within(elsewhere, func() {
			Eventually(eventsAbout(ctx, "MaterialRetained")).WithContext(ctx).WithTimeout(patience).
				Should(ConsistOf("the key's material was not deleted: the key held it before the operator first imported it"))
		})
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("Manage the key of another cluster with the same material and another expiry", func(ctx context.Context) {
		ciphertext := start(ctx, validTo(90*day))
		other := expectOutcome(ctx, theirs(ctx, material, validTo(60*day)), "Ready=True Imported")
		for range 2 {
			Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(other.Spec.Expiration.ValidTo.Unix()))
			requestReconcile(ctx, ours)
			expectOutcome(ctx, ours, "Ready=True Imported")
			Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(ours.Spec.Expiration.ValidTo.Unix()))
			requestReconcile(ctx, other)
			expectOutcome(ctx, other, "Ready=True Imported")
		}
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})
})
