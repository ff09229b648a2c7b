package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// newAlias makes an alias of a key and returns its name.
func newAlias(ctx context.Context, key string) string {
	GinkgoHelper()
	alias := "alias/" + shortID(key)
	_, err := local.admin.CreateAlias(ctx, &awskmssdk.CreateAliasInput{AliasName: &alias, TargetKeyId: &key})
	Expect(err).NotTo(HaveOccurred())
	return alias
}

// turnAlias makes an alias lead to another key.
func turnAlias(ctx context.Context, alias, key string) {
	GinkgoHelper()
	_, err := local.admin.UpdateAlias(ctx, &awskmssdk.UpdateAliasInput{AliasName: &alias, TargetKeyId: &key})
	Expect(err).NotTo(HaveOccurred())
}

// namesOf are all that a key goes by.
func namesOf(ctx context.Context, key string) []string {
	GinkgoHelper()
	alias := newAlias(ctx, key)
	return []string{shortID(key), key, alias, strings.Replace(key, "key/"+shortID(key), alias, 1)}
}

// anotherNamespace is a second one for the spec that calls it. Its objects are deleted, and their keys given up, before
// the checks that follow every spec.
func anotherNamespace(ctx context.Context) string {
	GinkgoHelper()
	created := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "other-"}}
	Expect(k8s.Create(ctx, created)).To(Succeed())
	return created.Name
}

// clearNamespace deletes the objects of a namespace and waits until their keys are given up.
func clearNamespace(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(k8s.DeleteAllOf(ctx, &v1alpha1.KMSKeyImport{}, client.InNamespace(name))).To(Succeed())
	Eventually(func(g Gomega) {
		records := &v1alpha1.KMSKeyRecordList{}
		g.Expect(k8s.List(ctx, records)).To(Succeed())
		for _, record := range records.Items {
			g.Expect(record.Owner == nil || record.Owner.Namespace != name).To(BeTrue())
		}
	}).WithTimeout(patience).Should(Succeed())
}

// within does something in another namespace than the spec's own.
func within(other string, do func()) {
	own := namespace
	namespace = other
	defer func() { namespace = own }()
	do()
}

var _ = Describe("A key that many objects name", func() {
	var (
		other    string
		key      string
		rivals   []*v1alpha1.KMSKeyImport // by each name of the key, in two namespaces
		material []byte
	)

	BeforeEach(func(ctx context.Context) {
		other = anotherNamespace(ctx)
		material = randomMaterial()
		key = newSymmetricKey(ctx)
		newSecret(ctx, "material", material)
		within(other, func() { newSecret(ctx, "material", material) })
		rivals = nil
		for i, name := range namesOf(ctx, key) {
			for _, namespace := range []string{namespace, other} {
				rival := named(fmt.Sprintf("rival-%d", i))
				rival.Namespace, rival.Spec.KeyID = namespace, name
				rival.Spec.Material.SecretRef.Name = "material"
				rivals = append(rivals, rival)
			}
		}
	})

	AfterEach(func(ctx context.Context) { clearNamespace(ctx, other) })

	// created makes all of them at once.
	created := func(ctx context.Context) {
		GinkgoHelper()
		var all sync.WaitGroup
		start := make(chan struct{})
		for _, rival := range rivals {
			all.Go(func() {
				defer GinkgoRecover()
				<-start
				Expect(k8s.Create(ctx, rival)).To(Succeed())
			})
		}
		close(start)
		all.Wait()
	}

	// expectOneOwner waits until one of them owns the key and the others are told no more than that they do not. It takes
	// the owner out of them.
	expectOneOwner := func(ctx context.Context) (owner *v1alpha1.KMSKeyImport) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			owners, conflicts := 0, 0
			for _, rival := range rivals {
				switch found := reload(ctx, rival); summary(found) {
				case "Ready=True Imported":
					owner = found
					owners++
				case "Ready=False KeyConflict, Stalled":
					conflicts++
				}
			}
			g.Expect([]int{owners, conflicts}).To(Equal([]int{1, len(rivals) - 1}))
		}).WithTimeout(patience).Should(Succeed())
		Expect(recordOf(ctx, key).Owner.UID).To(Equal(owner.UID))
		var waiting []*v1alpha1.KMSKeyImport
		for _, rival := range rivals {
			if rival.UID == owner.UID {
				continue
			}
			waiting = append(waiting, rival)
			Expect(messages(reload(ctx, rival))).To(Equal("Ready: another KMSKeyImport owns this key: a key has one owner; delete the other object or this one\n" +
				"Stalled: another KMSKeyImport owns this key: a key has one owner; delete the other object or this one"))
		}
		rivals = waiting
		return owner
	}

	DescribeTable("has one owner, when they are created in the same instant",
		func(ctx context.Context, how func(ctx context.Context, create func()), imports int) {
			how(ctx, func() { created(ctx) })
			owner := expectOneOwner(ctx)
			ciphertext := encrypt(ctx, key, "written before")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(BeNumerically("<=", imports))
			done := kmsWire.count(key, "ImportKeyMaterial")

			By("and when that one goes, the next has it, until there is none")
			for len(rivals) > 0 {
				Expect(k8s.Delete(ctx, owner)).To(Succeed())
				owner = expectOneOwner(ctx)
			}
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(done), "the material is vouched for")
			Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
		},
		Entry("while an operator runs", func(_ context.Context, create func()) { create() }, 1),
		Entry("before an operator starts", func(_ context.Context, create func()) {
			operator.stop()
			create()
			operator = startOperator()
		}, 1),
		Entry("while two lead, each for all that it knows", func(_ context.Context, create func()) {
			second := startOperator()
			DeferCleanup(second.stop)
			create()
		}, 2),
		Entry("and the leader changes as soon as it has claimed the key", func(ctx context.Context, create func()) {
			first := operator
			kmsWire.set(key, "ImportKeyMaterial", func(pass func() (*http.Response, error)) (*http.Response, error) {
				first.cancel()
				return pass()
			})
			create()
			Eventually(func() int { return kmsWire.count(key, "ImportKeyMaterial") }).WithTimeout(patience).Should(BeNumerically(">", 0))
			operator.stop()
			kmsWire.set(key, "ImportKeyMaterial", nil)
			operator = startOperator()
		}, 2),
	)

	It("is found without its owner at the next start, and the next has it", func(ctx context.Context) {
		created(ctx)
		owner := expectOneOwner(ctx)
		operator.stop()
		Expect(k8s.Delete(ctx, owner)).To(Succeed())
		Expect(recordOf(ctx, key).Owner.UID).To(Equal(owner.UID))
		operator = startOperator()
		expectOneOwner(ctx)
		history := historyOf(recordOf(ctx, key))
		Expect(history[:2]).To(Equal([]string{"Claimed", "Imported FirstImport"}))
		Expect(history[2:]).To(ContainElement("Claimed"))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("stays with its owner over changes of leaders", func(ctx context.Context) {
		created(ctx)
		owner := expectOneOwner(ctx)
		for range 2 {
			restart()
			for _, rival := range rivals {
				requestReconcile(ctx, rival)
			}
			rivals = append(rivals, owner)
			Expect(expectOneOwner(ctx).UID).To(Equal(owner.UID))
		}
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})

	It("is not given to one with other material, which says what a person can do", func(ctx context.Context) {
		for _, rival := range rivals {
			rival.Spec.Material.SecretRef.Name = "other"
		}
		newSecret(ctx, "other", randomMaterial())
		within(other, func() { newSecret(ctx, "other", randomMaterial()) })
		owner := expectOutcome(ctx, newImport(ctx, "owner", key), "Ready=True Imported")
		created(ctx)
		for _, rival := range rivals {
			expectOutcome(ctx, rival, "Ready=False KeyConflict, Stalled")
		}
		Expect(k8s.Delete(ctx, owner)).To(Succeed())
		for _, rival := range rivals {
			rival = expectOutcome(ctx, rival, "Ready=False MaterialUnverifiable, Stalled")
			Expect(message(rival, "Stalled")).To(Equal(`an earlier KMSKeyImport brought other material into this key than Secret "other" holds: ` +
				"put that material into the Secret, or use a new key"))
		}
		Expect(recordOf(ctx, key).Owner).To(BeNil())

		By("who does that")
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: other, Name: "other"}}
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
		Expect(readyNamespace(ctx, rivals)).To(Equal(other))
		Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
	})
})

// readyNamespace is the namespace of the one that became ready.
func readyNamespace(ctx context.Context, rivals []*v1alpha1.KMSKeyImport) string {
	GinkgoHelper()
	found := ""
	Eventually(func() string {
		for _, rival := range rivals {
			if summary(reload(ctx, rival)) == "Ready=True Imported" {
				found = rival.Namespace
			}
		}
		return found
	}).WithTimeout(patience).ShouldNot(BeEmpty())
	return found
}
