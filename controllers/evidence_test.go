package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// The record of a key is what an auditor is shown: docs/custody.md.
var _ = Describe("The evidence of custody", func() {
	It("tells who owned a key, what was done to it, why, and with what", func(ctx context.Context) {
		material := randomMaterial()
		secret := newSecret(ctx, "material", material)
		key := newSymmetricKey(ctx)
		asked := noteRequests(key)

		By("a first import and its renewal")
		object := expectOutcome(ctx, newImport(ctx, "first", key, validFor(90*day)), "Ready=True Imported")
		passAt(ctx, object, object.Status.RenewalTime.Time)
		expectTrail(ctx, key, "Claimed first", "Imported first FirstImport", "Imported first Renewal")

		By("a Secret that was written again, and material that somebody deleted")
		edit(ctx, secret, func(s *corev1.Secret) { s.Annotations = map[string]string{"written": "again"} })
		expectLast(ctx, key, "SecretVersionChecked first")
		deleteMaterial(ctx, key)
		requestReconcile(ctx, object)
		expectLast(ctx, key, "Imported first MaterialMissing")

		By("a key that somebody disabled and enabled")
		disable(ctx, key)
		requestReconcile(ctx, object)
		expectLast(ctx, key, "Held first")
		enable(ctx, key)
		requestReconcile(ctx, object)
		expectLast(ctx, key, "HoldLifted first")

		By("an import that was asked for, refused and made")
		kmsWire.set(key, "ImportKeyMaterial", refuses("ThrottlingException", "Rate exceeded"))
		askForImport(ctx, object)
		expectLast(ctx, key, "ImportRefused first Requested")
		kmsWire.set(key, "ImportKeyMaterial", asked.note)
		expectLast(ctx, key, "Imported first Requested")

		By("another owner, whose object was deleted with the material")
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		expectLast(ctx, key, "Released first")
		second := expectOutcome(ctx, newImport(ctx, "second", key, validFor(90*day), deletingMaterial), "Ready=True Imported")
		deleteWithMaterial(ctx, second)
		expectLast(ctx, key, "Released second")

		By("and a third")
		third := expectOutcome(ctx, newImport(ctx, "third", key, validFor(90*day)), "Ready=True Imported")
		record := expectTrail(ctx, key,
			"Claimed first", "Imported first FirstImport", "Imported first Renewal", "SecretVersionChecked first", "Imported first MaterialMissing",
			"Held first", "HoldLifted first", "ImportRefused first Requested", "Imported first Requested", "Released first",
			"Claimed second", "Withdrawn second ObjectDeleted", "Released second", "Claimed third", "Imported third MaterialWithdrawn")
		Expect(record.Owner.UID).To(Equal(third.UID))
		Expect(record.Withdrawal).To(BeNil(), "the material is back")

		By("each effect with all its particulars")
		expectParticulars(ctx, record, string(secret.UID), asked)
		Expect(record.History[0].Message).To(Equal(fmt.Sprintf("the owner's UID is %s", object.UID)))
		Expect(record.History[12].Message).To(Equal("the owner was deleted; the key's material was deleted"))

		By("as kubectl describe shows it")
		shown := kubectlDescribe(ctx, record)
		for _, entry := range record.History {
			Expect(shown).To(MatchRegexp(`Event: +%s\n`, entry.Event))
			if entry.RequestID != "" {
				Expect(shown).To(MatchRegexp(`Request ID: +%s\n`, entry.RequestID))
			}
		}
		for _, line := range []string{
			`Key ARN: +` + key, `Cause: +ObjectDeleted`, `Cause: +MaterialWithdrawn`, `Owner: +` + namespace + `/second`, `UID: +` + string(third.UID),
			`Key Material ID: +[0-9a-f]{64}`, `Wrapping Algorithm: +RSAES_OAEP_SHA_256`, `Expiration Model: +KEY_MATERIAL_EXPIRES`,
			`Resource Version: +` + record.Imported.Secret.ResourceVersion, `Fingerprint: +hmac-sha256:`,
		} {
			Expect(shown).To(MatchRegexp(line + `\n?`))
		}
		GinkgoWriter.Println(shown)

		By("in lines, an entry each, and as it is exported")
		lines := strings.Split(strings.TrimSpace(kubectlRecords(ctx, "get", "kmskeyrecord", record.Name, "-o",
			`jsonpath={range .history[*]}{.time}{"  "}{.event}{" "}{.cause}{"  "}{.owner}{"  "}{.requestID}{"  "}{.message}{"\n"}{end}`)), "\n")
		Expect(lines).To(HaveLen(len(record.History)))
		Expect(lines[11]).To(MatchRegexp(`^20\S+Z  Withdrawn ObjectDeleted  %s/second  %s  key material that was imported from Secret "material" was deleted in KMS$`,
			namespace, record.History[11].RequestID))
		exported := kubectlRecords(ctx, "get", "kmskeyrecords", "-o",
			`jsonpath={range .items[*]}{.keyARN}{"\t"}{.owner}{"\t"}{.history}{"\n"}{end}`)
		Expect(exported).To(MatchRegexp(`%s\t{"name":"third",.*"requestID":"%s"`, key, record.History[14].RequestID))

		By("without a byte of the material")
		Expect(placesOf(material, map[string][]byte{"describe": []byte(shown), "record": asJSON(record)})).To(BeEmpty())
	})

	It("names an owner whose end nobody saw", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "first", key), "Ready=True Imported")
		second := expectOutcome(ctx, newImport(ctx, "second", key), "Ready=False KeyConflict, Stalled")
		operator.stop()
		Expect(k8s.Delete(ctx, object)).To(Succeed())
		operator = startOperator()
		expectOutcome(ctx, second, "Ready=True Imported")
		record := recordOf(ctx, key)
		told := ""
		for _, entry := range record.History {
			told += entry.Message + "\n"
		}
		Expect(told).To(ContainSubstring("the owner's UID is %s", second.UID))
		Expect(told).To(ContainSubstring(" was deleted"), "as Released, or by who came next")
	})

	It("keeps a long request as its digest, and knows it again", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		long := strings.Repeat("<", 100_000)
		object := expectOutcome(ctx, newImport(ctx, "first", key, holding), "Ready=True Imported")
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) {
			o.Annotations = map[string]string{"kms.keyimport.dev/reimport-requested-at": long}
		})
		Eventually(func() string { return reload(ctx, object).Status.LastHandledReimportAt }).WithTimeout(patience).Should(Equal(long))
		deleteMaterial(ctx, key)
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=False MaterialDeleted, Stalled")
		Expect(*recordOf(ctx, key).Hold.Request).To(MatchRegexp("^sha256:[0-9a-f]{64}$"))
		edit(ctx, object, func(o *v1alpha1.KMSKeyImport) {
			o.Annotations["kms.keyimport.dev/reimport-requested-at"] = long + "<"
		})
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	Context("on a QKMS that gives import parameters over material", Ordered, func() {
		BeforeAll(func() {
			operator.stop()
			aws := local
			local = startLocalKMS(localkms.Options{Dialect: localkms.QKMS, StrictSigning: true, Assume: []localkms.Assumption{localkms.ParametersOverMaterial}})
			operator = startOperator()
			DeferCleanup(func() {
				operator.stop()
				local = aws
				operator = startOperator()
			})
		})

		It("shows an interruption, and of the material that waits for its way back no byte", func(ctx context.Context) {
			material := randomMaterial()
			newSecret(ctx, "material", material)
			key := newSymmetricKey(ctx)
			object := expectOutcome(ctx, newImport(ctx, "first", key, validFor(90*day), interruptible), "Ready=True Imported")
			kmsWire.set(key, "ImportKeyMaterial", refuses("ThrottlingException", "Rate exceeded"))
			now.advance(object.Status.RenewalTime.Sub(now.Now()))
			requestReconcile(ctx, object)
			expectLast(ctx, key, "ImportRefused first MaterialWithdrawn")

			record := recordOf(ctx, key)
			Expect(record.Withdrawal.Sealed.EncryptedKeyMaterial).To(HaveLen(256))
			Expect(record.Withdrawal.RequestID).NotTo(BeEmpty())
			shown := kubectlDescribe(ctx, record)
			Expect(shown).To(MatchRegexp(`Withdrawal:\n(.*\n)* +Cause: +Interruption\n`))
			Expect(placesOf(material, map[string][]byte{"describe": []byte(shown), "record": asJSON(record)})).To(BeEmpty())

			kmsWire.set(key, "ImportKeyMaterial", nil)
			expectOutcome(ctx, object, "Ready=True Imported")
			record = expectTrail(ctx, key, "Claimed first", "Imported first FirstImport", "Withdrawn first Interruption",
				"ImportRefused first MaterialWithdrawn", "Imported first MaterialWithdrawn")
			Expect(record.Withdrawal).To(BeNil(), "nothing sealed is kept longer than it is needed")
			Expect(record.History[2].RequestID).NotTo(BeEmpty())
		})
	})
})

func deletingMaterial(object *v1alpha1.KMSKeyImport) {
	object.Spec.DeletionPolicy = "DeleteKeyMaterial"
}
func interruptible(object *v1alpha1.KMSKeyImport) { object.Spec.ReimportPolicy = "AllowInterruption" }

// deleteWithMaterial deletes an object and lets pass the time in which it is seen what else is deleted with it.
func deleteWithMaterial(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	Expect(k8s.Delete(ctx, object)).To(Succeed())
	expectPass(ctx, object)
	now.advance(16 * time.Second)
	_ = askForLook(ctx, object)
	Eventually(func() error { return k8s.Get(ctx, requestFor(object).NamespacedName, &v1alpha1.KMSKeyImport{}) }).
		WithTimeout(patience).Should(MatchError(ContainSubstring("not found")))
}

// trail is the history of a key, each entry as its event, the name of its owner and its cause.
func trail(ctx context.Context, key string) []string {
	GinkgoHelper()
	record := recordOf(ctx, key)
	if record == nil {
		return nil
	}
	told := make([]string, 0, len(record.History))
	for _, entry := range record.History {
		told = append(told, strings.TrimSpace(fmt.Sprintf("%s %s %s", entry.Event, strings.TrimPrefix(entry.Owner, namespace+"/"), entry.Cause)))
	}
	return told
}

func expectTrail(ctx context.Context, key string, want ...string) *v1alpha1.KMSKeyRecord {
	GinkgoHelper()
	Eventually(func() []string { return trail(ctx, key) }).WithTimeout(patience).Should(Equal(want))
	return recordOf(ctx, key)
}

// expectLast waits for an entry to be the last.
func expectLast(ctx context.Context, key, want string) {
	GinkgoHelper()
	Eventually(func() string {
		told := trail(ctx, key)
		return append([]string{""}, told...)[len(told)]
	}).WithTimeout(patience).Should(Equal(want))
}

// requestIDs are those with which KMS has answered the effects on a key.
type requestIDs struct {
	mutex sync.Mutex
	all   []string
}

func noteRequests(key string) *requestIDs {
	noted := &requestIDs{}
	for _, operation := range []string{"ImportKeyMaterial", "DeleteImportedKeyMaterial"} {
		kmsWire.set(key, operation, noted.note)
	}
	return noted
}

// note is a fault that is none.
func (r *requestIDs) note(pass func() (*http.Response, error)) (*http.Response, error) {
	answer, err := pass()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err == nil {
		r.all = append(r.all, answer.Header.Get("X-Amzn-Requestid"))
	}
	return answer, err
}

// expectParticulars checks that the entries about effects hold what it takes to find them anywhere else.
func expectParticulars(ctx context.Context, record *v1alpha1.KMSKeyRecord, secretUID string, asked *requestIDs) {
	GinkgoHelper()
	id := *describe(ctx, record.KeyARN).CurrentKeyMaterialId
	var requested []string
	last := time.Time{}
	for _, entry := range record.History {
		Expect(entry.Time.Time).NotTo(BeTemporally("<", last), "oldest first")
		last = entry.Time.Time
		if event := string(entry.Event); event != "Imported" && event != "Withdrawn" {
			continue
		}
		requested = append(requested, entry.RequestID)
		Expect(entry.KeyMaterialID).To(Equal(id))
		Expect(entry.Fingerprint).To(Equal(record.Imported.Fingerprint))
		Expect(string(entry.Secret.UID)).To(Equal(secretUID))
		Expect(entry.Secret.Name + " " + entry.Secret.Key + " " + string(entry.Secret.Encoding)).To(Equal("material material Raw"))
		Expect(entry.Secret.ResourceVersion).NotTo(BeEmpty())
		if entry.Event == "Imported" {
			Expect(entry.ExpirationModel + " " + entry.WrappingAlgorithm + " " + entry.WrappingKeySpec).
				To(Equal("KEY_MATERIAL_EXPIRES RSAES_OAEP_SHA_256 RSA_4096"))
			Expect(entry.ValidTo.Time).To(BeTemporally("~", entry.Time.Add(90*day), time.Minute))
		}
	}
	asked.mutex.Lock()
	defer asked.mutex.Unlock()
	Expect(requested).To(Equal(asked.all), "the request IDs are those of KMS")
}

// kubectlDescribe is what kubectl describe kmskeyrecord prints.
func kubectlDescribe(ctx context.Context, record *v1alpha1.KMSKeyRecord) string {
	GinkgoHelper()
	return kubectlRecords(ctx, "describe", "kmskeyrecord", record.Name)
}

// kubectlRecords is what kubectl prints about the namespace that records are in.
func kubectlRecords(ctx context.Context, arguments ...string) string {
	GinkgoHelper()
	command := kubectlCommand(ctx, arguments...)
	command.Args[len(command.Args)-1] = operatorNamespace
	output, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "%s", output)
	return string(output)
}
