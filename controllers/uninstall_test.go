package controllers_test

import (
	"context"
	"os"
	"os/exec"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

var _ = Describe("Without an operator", func() {
	It("hack/uninstall/let-go.sh lets objects go, and leaves keys as they are", func(ctx context.Context) {
		t := newTestament(ctx)
		others := newImport(ctx, "others", newSymmetricKey(ctx), withdrawing, func(o *v1alpha1.KMSKeyImport) {
			o.Finalizers = []string{othersFinalizer}
		})
		others = expectOutcome(ctx, others, "Ready=True Imported")
		operator.stop()
		Expect(k8s.Delete(ctx, t.object)).To(Succeed())
		Expect(reload(ctx, t.object).Finalizers).To(Equal([]string{ownFinalizer}))

		script := exec.CommandContext(ctx, "../hack/uninstall/let-go.sh")
		folder := GinkgoT().TempDir()
		script.Env = append(os.Environ(),
			"KUBECTL="+environment.ControlPlane.KubectlPath, "KUBECONFIG="+kubeconfigIn(folder), "KUBECACHEDIR="+folder)
		output, err := script.CombinedOutput()
		Expect(err).NotTo(HaveOccurred(), "%s", output)
		expectGone(ctx, t.object)
		others = reload(ctx, others)
		Expect(others.Finalizers).To(Equal([]string{othersFinalizer}))
		Expect(string(others.Spec.DeletionPolicy)).To(Equal("Retain"))
		Expect(describe(ctx, t.key).KeyState).To(BeEquivalentTo("Enabled"))

		By("an operator that comes back takes no material either")
		operator = startOperator()
		Eventually(func() bool { return recordOf(ctx, t.key).Owner == nil }).WithTimeout(patience).Should(BeTrue())
		Expect(kmsWire.count(t.key, withdrawal)).To(BeZero())
		edit(ctx, others, func(o *v1alpha1.KMSKeyImport) { o.Finalizers = nil })
		expectOutcome(ctx, others, "Ready=True Imported")
	})
})
