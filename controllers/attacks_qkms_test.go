package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// QKMS takes any bytes into an empty key: there the record alone keeps other bytes out. These specs are rows of the table in
// docs/security.md too.
var _ = Describe("Attack on QKMS", Ordered, ContinueOnFailure, func() {
	var (
		tenant   client.Client
		victim   string // the other team's namespace
		key      string
		material []byte
		owner    *v1alpha1.KMSKeyImport
	)

	BeforeAll(func() { speakQKMS(localkms.Options{}) })

	BeforeEach(func(ctx context.Context) {
		tenant, victim = newTenant(ctx, namespace), anotherNamespace(ctx)
		key, material = newSymmetricKey(ctx), randomMaterial()
		newSecret(ctx, "material", randomMaterial())
	})

	AfterEach(func(ctx context.Context) { clearNamespace(ctx, victim) })

	theirs := func(ctx context.Context, outcome string) *v1alpha1.KMSKeyImport {
		GinkgoHelper()
		within(victim, func() {
			newSecret(ctx, "material", material)
			owner = expectOutcome(ctx, newImport(ctx, "payments", key), outcome)
		})
		return owner
	}

	It("Wait, on QKMS, for a key that has no record to lose its material", func(ctx context.Context) {
		importByHand(ctx, key, material, permanently)
		newImportBy(ctx, tenant, "mine", key)
		expectOutcome(ctx, named("mine"), "Ready=False MaterialUnverifiable, Stalled")
		owner := theirs(ctx, "Ready=False MaterialUnverifiable, Stalled")
		deleteMaterial(ctx, key)
		requestReconcile(ctx, named("mine"))
		expectOutcome(ctx, named("mine"), "Ready=True Imported")
		requestReconcile(ctx, owner)
		expectOutcome(ctx, owner, "Ready=False KeyConflict, Stalled")
	})

	It("Wait, on QKMS, for a key that has an owner to lose its material", func(ctx context.Context) {
		owner := theirs(ctx, "Ready=True Imported")
		ciphertext := encrypt(ctx, key, "written before")
		newImportBy(ctx, tenant, "mine", key)
		expectOutcome(ctx, named("mine"), "Ready=False KeyConflict, Stalled")
		deleteMaterial(ctx, key)
		requestReconcile(ctx, named("mine"))
		expectOutcome(ctx, named("mine"), "Ready=False KeyConflict, Stalled")
		requestReconcile(ctx, owner)
		expectOutcome(ctx, owner, "Ready=True Imported")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("Take over, on QKMS, the key of another team once its object is deleted and the key is empty", func(ctx context.Context) {
		owner := theirs(ctx, "Ready=True Imported")
		Expect(k8s.Delete(ctx, owner)).To(Succeed())
		deleteMaterial(ctx, key)
		newImportBy(ctx, tenant, "mine", key)
		object := expectOutcome(ctx, named("mine"), "Ready=False MaterialUnverifiable, Stalled")
		as(tenant, func() { requestReimport(ctx, object) })
		expectOutcome(ctx, object, "Ready=False MaterialUnverifiable, Stalled")
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})
})
