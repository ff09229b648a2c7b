package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What becomes of each error, from KMS's answer to the conditions. docs/runbook.md has the same as a table.

const (
	look       = "DescribeKey"
	parameters = "GetParametersForImport"
	effect     = "ImportKeyMaterial"
)

// first makes so many requests run into a fault, and lets pass those that follow.
func first(times int64, f fault) fault {
	var left atomic.Int64
	left.Store(times)
	return func(pass func() (*http.Response, error)) (*http.Response, error) {
		if left.Add(-1) < 0 {
			return pass()
		}
		return f(pass)
	}
}

// refusesAfter passes the request on and answers with an error all the same.
func refusesAfter(code string) fault {
	return func(pass func() (*http.Response, error)) (*http.Response, error) {
		response, err := pass()
		if err != nil {
			return nil, err
		}
		_ = response.Body.Close()
		return refuses(code, "")(pass)
	}
}

// expectTold waits for the event that tells of an outcome, which may have passed by now.
func expectTold(ctx context.Context, reason string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		list := &eventsv1.EventList{}
		g.Expect(k8s.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
		g.Expect(list.Items).To(ContainElement(HaveField("Reason", reason)))
	}).WithTimeout(patience).Should(Succeed())
}

var _ = DescribeTable("An error that passes is got over without help",
	func(ctx context.Context, operation string, f fault, reason string, calls []int) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, operation, f)
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		Expect(callsFor(key)[1:]).To(Equal(calls), "of GetParametersForImport and ImportKeyMaterial")
		if reason != "" {
			expectTold(ctx, reason)
		}
		Expect(recordOf(ctx, key).Intent).To(BeNil())
		Expect(decrypt(ctx, encrypt(ctx, key, "hello"))).To(Equal("hello"))
	},
	Entry("ExpiredImportToken, once: in the same pass", effect, first(1, refuses("ExpiredImportTokenException", "")), "", []int{2, 2}),
	Entry("ExpiredImportToken, twice: in the next", effect, first(2, refuses("ExpiredImportTokenException", "")), "KMSError", []int{3, 3}),
	Entry("InvalidImportToken, once: in the same pass", effect, first(1, refuses("InvalidImportTokenException", "")), "", []int{2, 2}),
	Entry("InvalidImportToken, twice: in the next", effect, first(2, refuses("InvalidImportTokenException", "")), "KMSError", []int{3, 3}),
	Entry("InvalidCiphertext, once: in the same pass", effect, first(1, refuses("InvalidCiphertextException", "")), "", []int{2, 2}),
	Entry("KMSInternal, nothing imported", effect, first(1, refuses("KMSInternalException", "")), "KMSUnreachable", []int{2, 2}),
	Entry("KMSInternal, imported: once more is the proof", effect, first(1, refusesAfter("KMSInternalException")), "KMSUnreachable", []int{2, 2}),
	Entry("DependencyTimeout, nothing imported", effect, first(1, refuses("DependencyTimeoutException", "")), "KMSUnreachable", []int{2, 2}),
	Entry("DependencyTimeout, imported: once more is the proof", effect, first(1, refusesAfter("DependencyTimeoutException")), "KMSUnreachable", []int{2, 2}),
	Entry("KMSInvalidState, in a state that seems fit", effect, first(1, refuses("KMSInvalidStateException", "")), "KMSError", []int{2, 2}),
	Entry("NotFound, of a key that is there", effect, first(1, refuses("NotFoundException", "")), "KMSError", []int{2, 2}),
	Entry("Validation, of an import", effect, first(1, refuses("ValidationException", "")), "KMSError", []int{2, 2}),
	Entry("Throttling, of an import", effect, first(1, refuses("ThrottlingException", "")), "Throttled", []int{2, 2}),
	Entry("AccessDenied, of an import", effect, first(1, refuses("AccessDeniedException", "")), "AccessDenied", []int{2, 2}),
	Entry("Throttling, of import parameters", parameters, first(1, refuses("ThrottlingException", "")), "Throttled", []int{2, 1}),
	Entry("KeyUnavailable, of import parameters", parameters, first(1, refuses("KeyUnavailableException", "")), "KMSUnreachable", []int{2, 1}),
	Entry("InvalidArn, of import parameters", parameters, first(1, refuses("InvalidArnException", "")), "KMSError", []int{2, 1}),
	Entry("ExpiredToken, of a look", look, first(1, refuses("ExpiredTokenException", "")), "AccessDenied", []int{1, 1}),
	Entry("InvalidSignature, of a look", look, first(1, refuses("InvalidSignatureException", "")), "AccessDenied", []int{1, 1}),
	Entry("UnknownOperation, of a look", look, first(1, refuses("UnknownOperationException", "")), "KMSError", []int{1, 1}),
)

var _ = DescribeTable("An error that does not pass stalls until a person acts, although it is over",
	func(ctx context.Context, operation string, f fault, reason string, calls []int) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, operation, f)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False "+reason+", Stalled")
		expectFixedPoint(ctx, object)
		Expect(callsFor(key)[1:]).To(Equal(calls), "of GetParametersForImport and ImportKeyMaterial")
		if record := recordOf(ctx, key); record != nil {
			Expect(record.Intent).To(BeNil(), "a refusal is certain")
		}

		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
		Expect(callsFor(key)[1:]).To(Equal([]int{calls[0] + 1, calls[1] + 1}))
	},
	Entry("IncorrectKeyMaterial, at once", effect, first(1, refuses("IncorrectKeyMaterialException", "")), "MaterialMismatch", []int{1, 1}),
	Entry("InvalidCiphertext, the second time", effect, first(2, refuses("InvalidCiphertextException", "")), "InvalidWrapping", []int{2, 2}),
	Entry("UnsupportedOperation, of an import", effect, first(1, refuses("UnsupportedOperationException", "")), "KeyNotImportable", []int{1, 1}),
	Entry("UnsupportedOperation, of import parameters", parameters, first(1, refuses("UnsupportedOperationException", "")), "KeyNotImportable", []int{1, 0}),
	Entry("Validation, of import parameters", parameters, first(1, refuses("ValidationException", "")), "InvalidWrapping", []int{1, 0}),
	Entry("UnknownOperation, of import parameters", parameters, first(1, refuses("UnknownOperationException", "")), "OperationNotSupported", []int{1, 0}),
)

var _ = Describe("KMSInvalidState is settled by DescribeKey", func() {
	It("a key that was disabled since the look waits to be enabled", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key, validTo(30*24*time.Hour)), "Ready=True Imported")
		kmsWire.set(key, effect, first(1, func(func() (*http.Response, error)) (*http.Response, error) {
			if _, err := local.admin.DisableKey(ctx, &awskmssdk.DisableKeyInput{KeyId: &key}); err != nil {
				return nil, err
			}
			return refuses("KMSInvalidStateException", "")(nil)
		}))
		edit(ctx, object, validTo(60*24*time.Hour))
		expectOutcome(ctx, object, "Ready=False KeyDisabled, Reconciling")
		Expect(callsFor(key)[1:]).To(Equal([]int{2, 2}), "nothing is tried once more")
		Expect(recordOf(ctx, key).Intent).To(BeNil())

		_, err := local.admin.EnableKey(ctx, &awskmssdk.EnableKeyInput{KeyId: &key})
		Expect(err).NotTo(HaveOccurred())
		requestReconcile(ctx, object)
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("a key that was scheduled for deletion since the look stalls", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		kmsWire.set(key, parameters, func(pass func() (*http.Response, error)) (*http.Response, error) {
			if _, err := local.admin.ScheduleKeyDeletion(ctx, &awskmssdk.ScheduleKeyDeletionInput{KeyId: &key}); err != nil {
				return nil, err
			}
			return pass()
		})
		expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=False KeyPendingDeletion, Stalled")
		Expect(callsFor(key)).To(Equal([]int{2, 1, 0}))
	})
})

func readsSecretMetadata(request *http.Request) bool {
	return request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/secrets/") && !readsSecretData(request)
}

var _ = Describe("An error of Kubernetes", func() {
	const notRead = "get Secret: Kubernetes answered Forbidden (see the operator's log): trying again"

	It("is told of an object that nothing is known of yet, and is got over", func(ctx context.Context) {
		apiWire.refuse(readsSecretMetadata, http.StatusForbidden)
		object := expectOutcome(ctx, newImport(ctx, "payments", newSymmetricKey(ctx)), "Ready=Unknown ReconcileError, Reconciling")
		Expect(message(object, "Reconciling")).To(Equal("get metadata of Secret: Kubernetes answered Forbidden (see the operator's log): trying again"))
		expectTold(ctx, "ReconcileError")

		apiWire.refuse(nil, 0)
		newSecret(ctx, "material", randomMaterial())
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("does not leave an empty key Ready", func(ctx context.Context) {
		newSecret(ctx, "material", randomMaterial())
		key := newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		apiWire.refuse(readsSecretData, http.StatusForbidden)
		deleteMaterial(ctx, key)
		requestReconcile(ctx, object)
		object = expectOutcome(ctx, object, "Ready=False ReconcileError, Reconciling")
		Expect(message(object, "Reconciling")).To(Equal(notRead))
		Expect(object.Status.Key.State).To(Equal("PendingImport"))

		apiWire.refuse(nil, 0)
		expectOutcome(ctx, object, "Ready=True Imported")
	})

	It("leaves a key Ready that was seen to be usable", func(ctx context.Context) {
		secret, key := newSecret(ctx, "material", randomMaterial()), newSymmetricKey(ctx)
		object := expectOutcome(ctx, newImport(ctx, "payments", key), "Ready=True Imported")
		apiWire.refuse(readsSecretMetadata, http.StatusInternalServerError)
		Expect(k8s.Delete(ctx, secret)).To(Succeed())
		object = expectOutcome(ctx, object, "Ready=True Imported, Reconciling ReconcileError")
		Expect(message(object, "Reconciling")).To(Equal("get metadata of Secret: Kubernetes answered InternalError (see the operator's log): trying again"))
		apiWire.refuse(nil, 0)
		expectOutcome(ctx, object, "Ready=True Imported, SourceMissing SecretNotFound")
	})
})
