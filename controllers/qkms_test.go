package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// The operator as --kms-dialect QKMS makes it, on the local KMS in that dialect, which reads the documentation as harshly
// as it can be read. One server and one operator serve all of these specs.
var _ = Describe("On QKMS", Ordered, ContinueOnFailure, func() {
	BeforeAll(func() {
		operator.stop()
		aws := local
		local = startLocalKMS(localkms.Options{Dialect: localkms.QKMS, StrictSigning: true})
		operator = startOperator()
		DeferCleanup(func() {
			operator.stop()
			local = aws
			operator = startOperator()
		})
	})

	AfterEach(func() { local.faults.Clear("") })

	It("a first import makes a symmetric key usable", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", shortID(key)), "Ready=True Imported")
		Expect(callsFor(key)).To(Equal([]int{2, 1, 1}))
		Expect(key).To(MatchRegexp(`^arn:verenc:111122223333:key/[0-9a-f-]{36}$`))
		Expect(object.Status.Key.ARN).To(Equal(key))
		Expect(object.Status.Key.State).To(Equal("Enabled"))
		Expect(object.Status.ExpirationModel).To(Equal("KEY_MATERIAL_DOES_NOT_EXPIRE"))
		Expect(object.Status.Material.KeyMaterialID).To(BeEmpty(), "QKMS has none")
		Expect(object.Status.Material.WrappingAlgorithm).To(Equal("RSAES_OAEP_SHA_256"))
		Expect(object.Status.Material.WrappingKeySpec).To(Equal("RSA_2048"))
		Expect(decrypt(ctx, encrypt(ctx, key, "a secret"))).To(Equal("a secret"))
	})

	It("an expiry arrives to the second, and is reported from a date in text", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key, validTo(30*24*time.Hour)), "Ready=True Imported")
		Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(object.Spec.Expiration.ValidTo.Unix()))
		Expect(object.Status.ValidTo.Unix()).To(Equal(object.Spec.Expiration.ValidTo.Unix()))

		By("once it has passed, a later one heals the key")
		ciphertext := encrypt(ctx, key, "written before")
		now.advance(30 * 24 * time.Hour)
		requestReconcile(ctx, object)
		object = expectOutcome(ctx, object, "Ready=False MaterialExpired, Stalled")
		Expect(object.Status.Key.State).To(Equal("PendingImport"))
		edit(ctx, object, validTo(60*24*time.Hour))
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	It("a key that lost its material is healed with the same bytes, and with no others", func(ctx context.Context) {
		material := randomMaterial()
		secret := newSecret(ctx, "material", material)
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		ciphertext := encrypt(ctx, key, "written before")
		deleteMaterial(ctx, key)
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(callsFor(key)[1:]).To(Equal([]int{2, 2}))
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))

		By("this KMS would take any others: the record keeps them out")
		deleteMaterial(ctx, key)
		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = randomMaterial() })
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=False MaterialChanged, Stalled")
		Expect(callsFor(key)[1:]).To(Equal([]int{2, 2}))

		edit(ctx, secret, func(s *corev1.Secret) { s.Data["material"] = material })
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(decrypt(ctx, ciphertext)).To(Equal("written before"))
	})

	Describe("a key that holds material", func() {
		// filled is a key with material of which no record tells.
		filled := func(ctx context.Context) string {
			GinkgoHelper()
			key := newSymmetricKey(ctx)
			object := expectOutcome(ctx, newImport(ctx, "faster", key), "Ready=True Imported")
			Expect(k8s.Delete(ctx, object)).To(Succeed())
			Eventually(func() bool { return recordOf(ctx, key).Owner == nil }).WithTimeout(patience).Should(BeTrue())
			Expect(k8s.Delete(ctx, recordOf(ctx, key))).To(Succeed())
			return key
		}

		BeforeEach(func(ctx context.Context) { newSecret(ctx, "material", randomMaterial()) })

		It("is left alone", func(ctx context.Context) {
			key := filled(ctx)
			expectOutcome(ctx, newImport(ctx, "slower", key), "Ready=False MaterialUnverifiable, Stalled")
			Expect(kmsWire.changes(key)).To(Equal(2), "those of the import that was faster")
		})

		It("is left alone when it was filled between look and import", func(ctx context.Context) {
			key := filled(ctx)
			kmsWire.set(key, "DescribeKey", looksEmpty())
			kmsWire.set(key, "GetParametersForImport", func(pass func() (*http.Response, error)) (*http.Response, error) {
				kmsWire.set(key, "DescribeKey", nil)
				return pass()
			})
			expectOutcome(ctx, newImport(ctx, "slower", key), "Ready=False MaterialUnverifiable, Stalled")
			Expect(callsFor(key)[1:]).To(Equal([]int{2, 1}), "KMS refused the second parameters")
		})

		It("gets another expiry when it is empty", func(ctx context.Context) {
			key := newSymmetricKey(ctx)
			object := expectOutcome(ctx, newImport(ctx, "payments", key, validTo(30*24*time.Hour)), "Ready=True Imported")
			before := object.Spec.Expiration.ValidTo.Unix()
			later := metav1.NewTime(now.Now().Add(60 * 24 * time.Hour))
			edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { o.Spec.Expiration.ValidTo = &later })
			object = expectOutcome(ctx, object, "Ready=True Imported, RenewalNeedsInterruption NoImportOverMaterial")
			Expect(message(object, "RenewalNeedsInterruption")).To(ContainSubstring("delete the key's material in KMS"))
			Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")
			Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(before))

			deleteMaterial(ctx, key)
			requestReconcile(ctx, object)
			object = expectOutcome(ctx, object, "Ready=True Imported")
			Expect(meta.FindStatusCondition(object.Status.Conditions, "RenewalNeedsInterruption")).To(BeNil())
			Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(later.Unix()))
		})
	})

	Describe("material that is valid for a duration", func() {
		var key string

		BeforeEach(func(ctx context.Context) {
			newSecret(ctx, "material", randomMaterial())
			key = newSymmetricKey(ctx)
		})

		DescribeTable("is not renewed over itself, which is said, and imported again as soon as it has expired",
			func(ctx context.Context, wayOut string, changes ...func(*v1alpha1.KMSKeyImport)) {
				object := expectOutcome(ctx, newImport(ctx, "payments", key, append(changes, validFor(90*day))...), "Ready=True Imported")
				Expect(object.Status.RenewalTime).To(BeNil(), "none is planned")
				expires := object.Status.ValidTo.Time
				Expect(summary(passAt(ctx, object, expires.Add(-33*day-time.Minute)))).To(Equal("Ready=True Imported"))

				object = passAt(ctx, object, expires.Add(-30*day))
				Expect(summary(object)).To(Equal("Ready=True Imported, RenewalNeedsInterruption NoImportOverMaterial"))
				Expect(message(object, "RenewalNeedsInterruption")).To(Equal("the material is to be renewed, which this KMS does only by an import into an empty key: " +
					"delete the key's material in KMS when an interruption does no harm, or wait for its expiry" + wayOut))
				Expect(costOf(key, func() { aHundredLooks(ctx, object) })).To(Equal(aHundred))
				object = passAt(ctx, object, expires.Add(-14*day))
				Expect(summary(object)).To(Equal("Ready=True Imported, RenewalNeedsInterruption NoImportOverMaterial, Expiring ExpiresSoon"))
				Expect(message(object, "Expiring")).To(Equal("the material expires within 14 days and will not be renewed: " +
					"this KMS imports only into an empty key, so it is imported again when it has expired"))
				Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")

				Expect(costOf(key, func() { object = passAt(ctx, object, expires) })).To(Equal(reimport))
				Expect(summary(object)).To(Equal("Ready=True Imported"))
				Expect(object.Status.ValidTo.Time).To(BeTemporally("~", expires.Add(90*day), time.Minute))
				Expect(describe(ctx, key).ValidTo.Unix()).To(Equal(object.Status.ValidTo.Unix()))
			},
			Entry("with Reimport", "; with spec.reimportPolicy: AllowInterruption the operator does that by itself"),
			Entry("with Hold", "; with spec.reimportPolicy: AllowInterruption the operator does that by itself"+
				"; after a deletion, ask for the import, which onMaterialDeleted: Hold waits for, by a new kms.keyimport.dev/reimport-requested-at", holding),
		)

		It("is renewed by somebody who deletes it", func(ctx context.Context) {
			object := expectOutcome(ctx, newImport(ctx, "payments", key, validFor(90*day)), "Ready=True Imported")
			before := object.Status.ValidTo.Time
			now.advance(65 * day)
			deleteMaterial(ctx, key)
			object = twoLooks(ctx, object)
			Expect(summary(object)).To(Equal("Ready=True Imported"))
			Expect(object.Status.ValidTo.Time).To(BeTemporally(">=", before.Add(65*day)))
		})

		It("gets another duration when the key is empty, and another time of renewal at once", func(ctx context.Context) {
			object := expectOutcome(ctx, newImport(ctx, "payments", key, validFor(90*day)), "Ready=True Imported")
			edit(ctx, object, validFor(90*day, 10*day))
			expectOutcome(ctx, object, "Ready=True Imported")
			edit(ctx, object, validFor(60*day))
			expectOutcome(ctx, object, "Ready=True Imported, RenewalNeedsInterruption NoImportOverMaterial")
			Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")

			deleteMaterial(ctx, key)
			requestReconcile(ctx, object)
			object = expectOutcome(ctx, object, "Ready=True Imported")
			Expect(object.Status.ValidTo.Time).To(BeTemporally("~", now.Now().Add(60*day), time.Minute))
		})

		It("is not imported on demand over itself, and the request is answered", func(ctx context.Context) {
			object := expectOutcome(ctx, newImport(ctx, "payments", key, validFor(90*day)), "Ready=True Imported")
			Expect(costOf(key, func() { requestReimport(ctx, object) })).To(Equal(cost{Look: 1, Kubernetes: budget{Status: 1}}))
			expectOutcome(ctx, object, "Ready=True Imported")
			restart()
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.changes(key)).To(Equal(2), "those of the first import")
		})
	})

	Describe("material that is", func() {
		for _, name := range []string{"deleted", "deleted, with Hold", "expired"} {
			for _, state := range []secretState{secretSame, secretChanged, secretAbsent} {
				It(name+", its Secret "+string(state), func(ctx context.Context) { heals(ctx, injuries[name], state) })
			}
		}
	})

	Describe("a lost answer", func() {
		It("is made up for by the expiry that was sent", func(ctx context.Context) {
			newSecret(ctx, "material", randomMaterial())
			key := newSymmetricKey(ctx)
			fails(localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Drop: localkms.DropAfter})
			object := expectOutcome(ctx, newImport(ctx, "payments", key, validTo(48*time.Hour)), "Ready=True Imported, Expiring ExpiresSoon")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
			record := recordOf(ctx, key)
			Expect(record.Intent).To(BeNil())
			Expect(record.Imported.ValidTo.Unix()).To(Equal(object.Spec.Expiration.ValidTo.Unix()))
			Expect(record.History[len(record.History)-1].Message).To(ContainSubstring("the answer was lost"))
			Expect(decrypt(ctx, encrypt(ctx, key, "hello"))).To(Equal("hello"))
		})

		It("about material that does not expire is for a person", func(ctx context.Context) {
			newSecret(ctx, "material", randomMaterial())
			key := newSymmetricKey(ctx)
			fails(localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Drop: localkms.DropAfter})
			object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False MaterialUnverifiable, Stalled")
			Expect(message(object, "Stalled")).To(ContainSubstring("the answer to an import was lost"))
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(1))
			Expect(recordOf(ctx, key).Intent).NotTo(BeNil())

			By("who deletes the material to have it imported again")
			deleteMaterial(ctx, key)
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
			Expect(recordOf(ctx, key).Intent).To(BeNil())
		})

		It("to a request that never arrived is seen by the empty key", func(ctx context.Context) {
			newSecret(ctx, "material", randomMaterial())
			key := newSymmetricKey(ctx)
			fails(localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Drop: localkms.DropBefore})
			expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
			Expect(kmsWire.count(key, "ImportKeyMaterial")).To(Equal(2))
			Expect(recordOf(ctx, key).Intent).To(BeNil())
		})

		It("is not forgotten while KMS shows the key as it was before", func(ctx context.Context) {
			newSecret(ctx, "material", randomMaterial())
			key := newSymmetricKey(ctx)
			kmsWire.set(key, "DescribeKey", looksEmpty())
			kmsWire.set(key, "GetParametersForImport", func(pass func() (*http.Response, error)) (*http.Response, error) {
				if kmsWire.count(key, "ImportKeyMaterial") > 0 {
					kmsWire.set(key, "DescribeKey", nil)
				}
				return pass()
			})
			fails(localkms.Fault{Operation: "ImportKeyMaterial", Count: 1, Drop: localkms.DropAfter})
			expectOutcome(ctx, newImport(ctx, "payments", key, validTo(48*time.Hour)), "Ready=True Imported, Expiring ExpiresSoon")
			Expect(callsFor(key)[1:]).To(Equal([]int{2, 1}), "KMS refused the second parameters")
			Expect(recordOf(ctx, key).Intent).To(BeNil())
			Expect(recordOf(ctx, key).Imported).NotTo(BeNil())
		})

		It("is not forgotten over a later refusal", func(ctx context.Context) {
			newSecret(ctx, "material", randomMaterial())
			key := newSymmetricKey(ctx)
			fails(localkms.Fault{Operation: "ImportKeyMaterial", Drop: localkms.DropBefore})
			object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KMSUnreachable, Reconciling")
			fails(localkms.Fault{Operation: "ImportKeyMaterial", Code: "KMSInvalidStateException"})
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=False KMSError, Reconciling")
			Expect(recordOf(ctx, key).Intent).NotTo(BeNil(), "for all that is known, the first import may still arrive")

			local.faults.Clear("")
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(recordOf(ctx, key).Intent).To(BeNil())
		})
	})

	It("a key of another kind does not exist, and would not be imported", func(ctx context.Context) {
		_, err := local.admin.CreateKey(ctx, &awskmssdk.CreateKeyInput{
			Origin: kmstypes.OriginTypeExternal, KeySpec: kmstypes.KeySpecHmac256, KeyUsage: kmstypes.KeyUsageTypeGenerateVerifyMac,
		})
		refusal, isRefused := errors.AsType[smithy.APIError](err)
		Expect(isRefused).To(BeTrue())
		Expect(refusal.ErrorCode()).To(Equal("UnsupportedOperationException"))

		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "DescribeKey", metadata(func(k map[string]any) { k["KeySpec"], k["KeyUsage"] = "HMAC_256", "GENERATE_VERIFY_MAC" }))
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KeyNotImportable, Stalled")
		Expect(message(object, "Stalled")).To(Equal(
			"the key's KeySpec is HMAC_256: in the QKMS dialect KMS imports only SYMMETRIC_DEFAULT keys; use one of these"))
		Expect(kmsWire.changes(key)).To(BeZero())
	})

	It("a wrapping that it does not have is refused before any call but the look", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key, wrapping("", "RSA_4096")), "Ready=False InvalidWrapping, Stalled")
		Expect(message(object, "Stalled")).To(Equal("spec.wrapping with keySpec RSA_4096 is not taken by KMS for a key of KeySpec " +
			"SYMMETRIC_DEFAULT: remove spec.wrapping, and RSAES_OAEP_SHA_256 with RSA_2048 is chosen"))
		Expect(kmsWire.changes(key)).To(BeZero())

		edit(ctx, object, wrapping("RSAES_OAEP_SHA_1", "RSA_2048"))
		object = expectOutcome(ctx, object, "Ready=True Imported")
		Expect(object.Status.Material.WrappingAlgorithm).To(Equal("RSAES_OAEP_SHA_1"))
	})

	It("a redirect is a mistake in the endpoint, and says which URL to use", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, "DescribeKey", postedTo(local.url+"//"))
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=Unknown KMSError, Reconciling")
		Expect(message(object, "Reconciling")).To(Equal(fmt.Sprintf("DescribeKey: the endpoint redirects to %[1]s/, which is not followed: "+
			"if that is the KMS, make %[1]s/ the endpoint: correct --kms-endpoint; trying again", local.url)))
		Expect(kmsWire.changes(key)).To(BeZero())

		kmsWire.set(key, "DescribeKey", nil)
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("a permission that is missing is told as such, and an import goes on when it is given", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		putPolicy(ctx, key, statement("Allow", "kms:*"), statement("Deny", "kms:ImportKeyMaterial"))
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False AccessDenied, Reconciling")
		Expect(message(object, "Reconciling")).To(HavePrefix("ImportKeyMaterial: NotAuthorizedException: User: "))
		Expect(recordOf(ctx, key).Intent).To(BeNil(), "a refusal is certain")

		putPolicy(ctx, key, statement("Allow", "kms:*"))
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("an operation that the endpoint lacks is named", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		fails(localkms.Fault{Operation: "GetParametersForImport", Code: "UnknownOperationException"})
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False OperationNotSupported, Stalled")
		Expect(message(object, "Stalled")).To(HavePrefix("GetParametersForImport: UnknownOperationException: the endpoint does not have this operation"))
	})

	DescribeTable("each error that the page of ImportKeyMaterial lists has its reason, and keeps nothing from a later import",
		func(ctx context.Context, code, want string) {
			newSecret(ctx, "material", randomMaterial())
			key := newSymmetricKey(ctx)
			fails(localkms.Fault{Operation: "ImportKeyMaterial", Code: code})
			object := expectOutcome(ctx, newImport(ctx, "payments", key), want)
			Expect(message(object, "Ready")).To(HavePrefix("ImportKeyMaterial: " + code + ": "))

			local.faults.Clear("")
			requestReconcile(ctx, object)
			expectOutcome(ctx, object, "Ready=True Imported")
			Expect(recordOf(ctx, key).Intent).To(BeNil())
		},
		Entry("no answer in time", "DependencyTimeoutException", "Ready=False KMSUnreachable, Reconciling"),
		Entry("a token that has expired", "ExpiredImportTokenException", "Ready=False KMSError, Reconciling"),
		Entry("other material than it takes", "IncorrectKeyMaterialException", "Ready=False MaterialMismatch, Stalled"),
		Entry("an ARN that is none", "InvalidArnException", "Ready=False KMSError, Reconciling"),
		Entry("material that does not unwrap", "InvalidCiphertextException", "Ready=False InvalidWrapping, Stalled"),
		Entry("another key's token", "InvalidImportTokenException", "Ready=False KMSError, Reconciling"),
		Entry("a fault inside", "KMSInternalException", "Ready=False KMSUnreachable, Reconciling"),
		Entry("a state that takes no import", "KMSInvalidStateException", "Ready=False KMSError, Reconciling"),
		Entry("no such key", "NotFoundException", "Ready=False KMSError, Reconciling"),
	)

	DescribeTable("an error that leaves open whether anything was imported is settled by what the key shows",
		func(ctx context.Context, f fault, want string, calls []int, changes ...func(*v1alpha1.KMSKeyImport)) {
			newSecret(ctx, "material", randomMaterial())
			key := newSymmetricKey(ctx)
			kmsWire.set(key, "ImportKeyMaterial", first(1, f))
			expectOutcome(ctx, newImport(ctx, "payments", key, changes...), want)
			Expect(callsFor(key)[1:]).To(Equal(calls), "of GetParametersForImport and ImportKeyMaterial")
			expectTold(ctx, "KMSUnreachable")
			Expect(recordOf(ctx, key).Intent == nil).To(Equal(want == "Ready=True Imported"))
		},
		Entry("KMSInternal, imported, and the expiry shows it", refusesAfter("KMSInternalException"), "Ready=True Imported", []int{1, 1}, validTo(30*24*time.Hour)),
		Entry("KMSInternal, imported, and nothing shows it", refusesAfter("KMSInternalException"), "Ready=False MaterialUnverifiable, Stalled", []int{1, 1}),
		Entry("KMSInternal, not imported", refuses("KMSInternalException", ""), "Ready=True Imported", []int{2, 2}),
		Entry("DependencyTimeout, imported, and the expiry shows it", refusesAfter("DependencyTimeoutException"), "Ready=True Imported", []int{1, 1}, validTo(30*24*time.Hour)),
		Entry("DependencyTimeout, imported, and nothing shows it", refusesAfter("DependencyTimeoutException"), "Ready=False MaterialUnverifiable, Stalled", []int{1, 1}),
		Entry("DependencyTimeout, not imported", refuses("DependencyTimeoutException", ""), "Ready=True Imported", []int{2, 2}),
	)

	DescribeTable("a token or material that is refused once is got over in the same pass",
		func(ctx context.Context, code string) {
			newSecret(ctx, "material", randomMaterial())
			key := newSymmetricKey(ctx)
			fails(localkms.Fault{Operation: "ImportKeyMaterial", Code: code, Count: 1})
			expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
			Expect(callsFor(key)[1:]).To(Equal([]int{2, 2}))
		},
		Entry("a token that has expired", "ExpiredImportTokenException"),
		Entry("another key's token", "InvalidImportTokenException"),
		Entry("material that does not unwrap", "InvalidCiphertextException"),
	)
})

// fails makes the local KMS fail; after every spec it works again.
func fails(fault localkms.Fault) {
	GinkgoHelper()
	Expect(local.faults.Set(fault)).To(Succeed())
}

// looksEmpty makes DescribeKey answer as before the first import.
func looksEmpty() fault {
	return metadata(func(key map[string]any) {
		key["KeyState"] = "PendingImport"
		delete(key, "ExpirationModel")
		delete(key, "ValidTo")
	})
}

// postedTo sends something to another URL than the endpoint's instead.
func postedTo(url string) fault {
	return func(func() (*http.Response, error)) (*http.Response, error) {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, http.NoBody)
		if err != nil {
			return nil, err
		}
		return http.DefaultTransport.RoundTrip(request)
	}
}

func putPolicy(ctx context.Context, key string, statements ...string) {
	GinkgoHelper()
	policy := `{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ", ") + `]}`
	_, err := local.admin.PutKeyPolicy(ctx, &awskmssdk.PutKeyPolicyInput{KeyId: &key, Policy: &policy})
	Expect(err).NotTo(HaveOccurred())
}

// statement is one of a key policy, about everybody.
func statement(effect, action string) string {
	return fmt.Sprintf(`{"Effect": %q, "Principal": "*", "Action": %q, "Resource": "*"}`, effect, action)
}
