package controllers_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// kubectlCommand is the program itself, about the namespace of this spec.
func kubectlCommand(ctx context.Context, arguments ...string) *exec.Cmd {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	arguments = append(arguments, "--kubeconfig", kubeconfigIn(folder), "--namespace", namespace)
	command := exec.CommandContext(ctx, environment.ControlPlane.KubectlPath, arguments...)
	command.Env = []string{"KUBECACHEDIR=" + folder}
	return command
}

// kubeconfigIn writes the admin's into a folder.
func kubeconfigIn(folder string) string {
	GinkgoHelper()
	kubeconfig, err := admin.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(folder, "kubeconfig")
	Expect(os.WriteFile(path, kubeconfig, 0o600)).To(Succeed())
	return path
}

var _ = Describe("kubectl wait", func() {
	// waits is what it says for each of the ways to ask for the present generation, all at once.
	waits := func(ctx context.Context, timeout, generation string) []string {
		GinkgoHelper()
		conditions := []string{
			"condition=Ready",
			"jsonpath={.status.observedGeneration}=" + generation,
			`jsonpath={.status.conditions[?(@.type=="Ready")].observedGeneration}=` + generation,
		}
		answers := make([]chan string, len(conditions))
		for i, condition := range conditions {
			command := kubectlCommand(ctx, "wait", "kki/payments", "--for="+condition, "--timeout="+timeout)
			answers[i] = make(chan string, 1)
			go func() {
				output, _ := command.CombinedOutput() // what went wrong is in there
				answers[i] <- string(output)
			}()
		}
		said := make([]string, len(answers))
		for i, answer := range answers {
			Eventually(answer).WithTimeout(patience).Should(Receive(&said[i]))
		}
		return said
	}
	const met = "kmskeyimport.kms.keyimport.dev/payments condition met\n"

	It("returns when an edit is carried out, and not while the last spec's success stands", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "ImportKeyMaterial", refuses("ThrottlingException", "Rate exceeded"))
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False Throttled, Reconciling")
		timedOut := HaveEach(ContainSubstring("timed out waiting for the condition on kmskeyimports/payments"))
		Expect(waits(ctx, "1s", "1")).To(timedOut)
		kmsWire.set(key, "ImportKeyMaterial", nil)
		Expect(waits(ctx, "15s", "1")).To(HaveEach(Equal(met)))
		expectOutcome(ctx, object, "Ready=True Imported")

		kmsWire.set(key, "ImportKeyMaterial", refuses("ThrottlingException", "Rate exceeded"))
		edit(ctx, object, validFor(90*day))
		expectOutcome(ctx, object, "Ready=True Imported, Reconciling Throttled")
		Expect(waits(ctx, "1s", "2")).To(timedOut)
		kmsWire.set(key, "ImportKeyMaterial", nil)
		Expect(waits(ctx, "15s", "2")).To(HaveEach(Equal(met)))
		Expect(reload(ctx, object).Status.ExpirationModel).To(Equal("KEY_MATERIAL_EXPIRES"))
	})
})
