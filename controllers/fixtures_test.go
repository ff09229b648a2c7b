package controllers_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

const consentLabel = "kms.keyimport.dev/key-material"

// namespace is fresh for every spec.
var namespace string

var _ = BeforeEach(func(ctx context.Context) {
	created := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "spec-"}}
	Expect(k8s.Create(ctx, created)).To(Succeed())
	namespace = created.Name
})

// After every spec the objects it leaves obey the invariants of docs/design.md section 6, one more pass writes nothing,
// and deleting them gives up their keys.
var _ = AfterEach(func(ctx context.Context) {
	apiWire.refuse(nil, 0)
	objects := &v1alpha1.KMSKeyImportList{}
	Expect(k8s.List(ctx, objects, client.InNamespace(namespace))).To(Succeed())
	for i := range objects.Items {
		expectInvariants(&objects.Items[i])
		expectFixedPoint(ctx, &objects.Items[i])
	}
	for i := range objects.Items {
		if len(objects.Items[i].Finalizers) > 0 { // which would take its time
			edit(ctx, &objects.Items[i], func(o *v1alpha1.KMSKeyImport) { o.Spec.DeletionPolicy, o.Spec.ReimportPolicy = "Retain", "InPlace" })
		}
		Expect(k8s.Delete(ctx, &objects.Items[i])).To(Succeed())
	}
	Eventually(func(g Gomega) {
		records := &v1alpha1.KMSKeyRecordList{}
		g.Expect(k8s.List(ctx, records)).To(Succeed())
		for _, record := range records.Items {
			g.Expect(record.Owner == nil || record.Owner.Namespace != namespace).To(BeTrue(), "record %s is not released", record.KeyARN)
		}
	}).WithTimeout(patience).Should(Succeed())
	// They would stay for ever, and every spec would take longer than the one before.
	Expect(k8s.DeleteAllOf(ctx, &v1alpha1.KMSKeyRecord{}, client.InNamespace(operatorNamespace))).To(Succeed())
}, NodeTimeout(time.Minute))

func expectInvariants(object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	ready := meta.FindStatusCondition(object.Status.Conditions, "Ready")
	Expect(ready).NotTo(BeNil(), "Ready is always present once the object was seen")
	reconciling := meta.IsStatusConditionTrue(object.Status.Conditions, "Reconciling")
	stalled := meta.IsStatusConditionTrue(object.Status.Conditions, "Stalled")
	Expect(reconciling && stalled).To(BeFalse(), "never Reconciling and Stalled together")
	Expect(stalled && ready.Status != metav1.ConditionFalse).To(BeFalse(), "Stalled implies Ready False")
	for _, condition := range object.Status.Conditions {
		Expect(condition.Type == "Ready" || condition.Status == metav1.ConditionTrue).To(BeTrue(), "%s is present only while True", condition.Type)
		Expect(condition.Message).NotTo(ContainSubstring("\n"))
	}

	want := status.CurrentStatus
	switch {
	case stalled:
		want = status.FailedStatus
	case reconciling, ready.Status != metav1.ConditionTrue:
		want = status.InProgressStatus
	}
	Expect(kstatusOf(object)).To(Equal(want))
}

func kstatusOf(object *v1alpha1.KMSKeyImport) status.Status {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	Expect(err).NotTo(HaveOccurred())
	computed, err := status.Compute(&unstructured.Unstructured{Object: content})
	Expect(err).NotTo(HaveOccurred())
	return computed.Status
}

// expectFixedPoint makes two more passes, past the work queue: the first sees whatever the spec did last, the second
// sees no change in the world. It writes nothing and, unless the outcome is one to be retried, asks nothing of KMS but a
// look.
func expectFixedPoint(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	_ = expectPass(ctx, object)
	before, records, changes := reload(ctx, object), recordVersions(ctx, k8s), kmsWire.allChanges()
	retried := expectPass(ctx, object)
	after := reload(ctx, object)
	Expect(after.ResourceVersion).To(Equal(before.ResourceVersion), "a pass without a change in the world writes no status: %s", summary(after))
	if !retried {
		Expect(recordVersions(ctx, k8s)).To(Equal(records), "nor a record")
		Expect(kmsWire.allChanges()).To(Equal(changes), "nor does it ask KMS for a change")
	}
}

// expectPass makes a pass that ends as passes do, past the work queue, and reports whether that was an outcome to be
// retried. It begins when the caches know what was written last; otherwise it might end in a conflict, which the work
// queue would have repeated.
func expectPass(ctx context.Context, object *v1alpha1.KMSKeyImport) (retried bool) {
	GinkgoHelper()
	awaitCaches(ctx, object)
	result, err := operator.reconciler.Reconcile(ctx, requestFor(object))
	if err != nil {
		Expect(err).To(MatchError(MatchRegexp("^(KMSUnreachable|Throttled|AccessDenied|KMSError): ")))
	}
	Expect(result.Priority).NotTo(BeNil(), "every result has a priority")
	return err != nil
}

// awaitCaches waits until the operator's caches know what was written last.
func awaitCaches(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	cache := operator.manager.GetClient()
	Eventually(func(g Gomega) {
		cached := &v1alpha1.KMSKeyImport{}
		g.Expect(cache.Get(ctx, client.ObjectKeyFromObject(object), cached)).To(Succeed())
		g.Expect(cached.ResourceVersion).To(Equal(reload(ctx, object).ResourceVersion))
		g.Expect(recordVersions(ctx, cache)).To(ConsistOf(recordVersions(ctx, k8s)))
	}).WithTimeout(patience).WithPolling(5 * time.Millisecond).Should(Succeed())
}

func recordVersions(ctx context.Context, reader client.Reader) []string {
	GinkgoHelper()
	list := &v1alpha1.KMSKeyRecordList{}
	Expect(reader.List(ctx, list)).To(Succeed())
	var versions []string
	for _, record := range list.Items {
		versions = append(versions, record.Name+"@"+record.ResourceVersion)
	}
	return versions
}

func reload(ctx context.Context, object *v1alpha1.KMSKeyImport) *v1alpha1.KMSKeyImport {
	GinkgoHelper()
	found := &v1alpha1.KMSKeyImport{}
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), found)).To(Succeed())
	return found
}

// summary is the outcome in one line, for example "Ready=False KeyNotFound, Reconciling" or "Ready=True Imported".
func summary(object *v1alpha1.KMSKeyImport) string {
	ready := meta.FindStatusCondition(object.Status.Conditions, "Ready")
	if ready == nil {
		return "not seen"
	}
	text := fmt.Sprintf("Ready=%s %s", ready.Status, ready.Reason)
	for _, condition := range object.Status.Conditions {
		switch {
		case condition.Type == "Ready":
		case condition.Reason == ready.Reason:
			text += ", " + condition.Type
		default:
			text += fmt.Sprintf(", %s %s", condition.Type, condition.Reason)
		}
	}
	return text
}

// expectOutcome waits until an object reaches an outcome: one that is settled or stalled, with its present generation.
func expectOutcome(ctx context.Context, object *v1alpha1.KMSKeyImport, want string) *v1alpha1.KMSKeyImport {
	GinkgoHelper()
	return expectOutcomeWithin(ctx, patience, object, want)
}

func expectOutcomeWithin(ctx context.Context, limit time.Duration, object *v1alpha1.KMSKeyImport, want string) *v1alpha1.KMSKeyImport {
	GinkgoHelper()
	var found *v1alpha1.KMSKeyImport
	Eventually(func(g Gomega) {
		found = &v1alpha1.KMSKeyImport{}
		g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(object), found)).To(Succeed())
		g.Expect(summary(found)).To(Equal(want), "%s", messages(found))
		if !meta.IsStatusConditionTrue(found.Status.Conditions, "Reconciling") {
			g.Expect(*found.Status.ObservedGeneration).To(Equal(found.Generation))
		}
	}).WithTimeout(limit).WithPolling(20 * time.Millisecond).Should(Succeed())
	return found
}

func messages(object *v1alpha1.KMSKeyImport) string {
	var all []string
	for _, condition := range object.Status.Conditions {
		all = append(all, condition.Type+": "+condition.Message)
	}
	return strings.Join(all, "\n")
}

// message is the sentence of a condition.
func message(object *v1alpha1.KMSKeyImport, conditionType string) string {
	if condition := meta.FindStatusCondition(object.Status.Conditions, conditionType); condition != nil {
		return condition.Message
	}
	return ""
}

// newKey creates a key in the local KMS and returns its ARN.
func newKey(ctx context.Context, spec kmstypes.KeySpec, origin kmstypes.OriginType) string {
	GinkgoHelper()
	created, err := local.admin.CreateKey(ctx, &awskmssdk.CreateKeyInput{Origin: origin, KeySpec: spec, KeyUsage: usageOf(spec)})
	Expect(err).NotTo(HaveOccurred())
	return aws.ToString(created.KeyMetadata.Arn)
}

func usageOf(spec kmstypes.KeySpec) kmstypes.KeyUsageType {
	switch family, _, _ := strings.Cut(string(spec), "_"); {
	case family == "HMAC":
		return kmstypes.KeyUsageTypeGenerateVerifyMac
	case family == "RSA" || family == "ECC":
		return kmstypes.KeyUsageTypeSignVerify
	case strings.HasPrefix(string(spec), "ML_KEM"):
		return kmstypes.KeyUsageTypeEncapsulateDecapsulate
	default:
		return kmstypes.KeyUsageTypeEncryptDecrypt
	}
}

func newSymmetricKey(ctx context.Context) string {
	GinkgoHelper()
	return newKey(ctx, kmstypes.KeySpecSymmetricDefault, kmstypes.OriginTypeExternal)
}

func randomMaterial() []byte { return randomBytes(32) }

func randomBytes(length int) []byte {
	GinkgoHelper()
	material := make([]byte, length)
	_, err := rand.Read(material)
	Expect(err).NotTo(HaveOccurred())
	return material
}

// newSecret creates a consenting Secret that holds the material under the default key, and waits until the operator's
// cache has it: the event of a Secret that comes later is one more look, which specs that count would count.
func newSecret(ctx context.Context, name string, material []byte) *corev1.Secret {
	GinkgoHelper()
	return newSecretWith(ctx, name, map[string][]byte{"material": material})
}

func newSecretWith(ctx context.Context, name string, data map[string][]byte) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{consentLabel: "true"}},
		Data:       data,
	}
	Expect(k8s.Create(ctx, secret)).To(Succeed())
	cached := &metav1.PartialObjectMetadata{}
	cached.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	Eventually(func() error {
		return operator.manager.GetClient().Get(ctx, client.ObjectKeyFromObject(secret), cached)
	}).WithTimeout(patience).WithPolling(5 * time.Millisecond).Should(Succeed())
	return secret
}

// newImport creates an object that imports Secret "material" into a key; changes are made to it before.
func newImport(ctx context.Context, name, keyID string, changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
	GinkgoHelper()
	return newImportBy(ctx, k8s, name, keyID, changes...)
}

// newImportBy does so with the rights of a user.
func newImportBy(ctx context.Context, user client.Client, name, keyID string, changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
	GinkgoHelper()
	object := &v1alpha1.KMSKeyImport{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.KMSKeyImportSpec{
			KeyID:    keyID,
			Material: v1alpha1.KeyMaterialSource{SecretRef: v1alpha1.SecretKeyReference{Name: "material"}},
		},
	}
	for _, change := range changes {
		change(object)
	}
	Expect(user.Create(ctx, object)).To(Succeed())
	return object
}

// validTo sets a fixed expiry, so far ahead of the specs' clock.
func validTo(ahead time.Duration) func(*v1alpha1.KMSKeyImport) {
	return func(object *v1alpha1.KMSKeyImport) {
		at := metav1.NewTime(now.Now().Add(ahead).Truncate(time.Second))
		object.Spec.Expiration = &v1alpha1.Expiration{ValidTo: &at}
	}
}

// edit changes an object as kubectl edit does.
func edit[T client.Object](ctx context.Context, object T, change func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := k8s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change(object)
		return k8s.Update(ctx, object)
	}).WithTimeout(patience).Should(Succeed())
}

// requestReconcile annotates as kubectl annotate does and waits for the echo.
func requestReconcile(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	value := askForLook(ctx, object)
	Eventually(func() string { return reload(ctx, object).Status.LastHandledReconcileAt }).WithTimeout(patience).Should(Equal(value))
}

// askForLook does not wait for the echo.
func askForLook(ctx context.Context, object *v1alpha1.KMSKeyImport) string {
	GinkgoHelper()
	return annotate(ctx, object, "kms.keyimport.dev/reconcile-requested-at")
}

// requestReimport asks for an import and waits for the echo.
func requestReimport(ctx context.Context, object *v1alpha1.KMSKeyImport) {
	GinkgoHelper()
	value := askForImport(ctx, object)
	Eventually(func() string { return reload(ctx, object).Status.LastHandledReimportAt }).WithTimeout(patience).Should(Equal(value))
}

// askForImport does not wait for the echo.
func askForImport(ctx context.Context, object *v1alpha1.KMSKeyImport) string {
	GinkgoHelper()
	return annotate(ctx, object, "kms.keyimport.dev/reimport-requested-at")
}

// annotate sets an annotation to a value that it has not had.
func annotate(ctx context.Context, object *v1alpha1.KMSKeyImport, name string) string {
	GinkgoHelper()
	requests++
	value := fmt.Sprintf("request-%d", requests)
	edit(ctx, object, func(o *v1alpha1.KMSKeyImport) { metav1.SetMetaDataAnnotation(&o.ObjectMeta, name, value) })
	return value
}

var requests int

// recordFor is a record of a key as somebody else would create it.
func recordFor(keyARN string) *v1alpha1.KMSKeyRecord {
	digest := sha256.Sum256([]byte(keyARN))
	return &v1alpha1.KMSKeyRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "key-" + hex.EncodeToString(digest[:])},
		KeyARN:     keyARN,
	}
}

// recordOf is the record of a key; nil when there is none.
func recordOf(ctx context.Context, keyARN string) *v1alpha1.KMSKeyRecord {
	GinkgoHelper()
	list := &v1alpha1.KMSKeyRecordList{}
	Expect(k8s.List(ctx, list, client.InNamespace(operatorNamespace))).To(Succeed())
	for i := range list.Items {
		if list.Items[i].KeyARN == keyARN {
			return &list.Items[i]
		}
	}
	return nil
}

func describe(ctx context.Context, keyARN string) *kmstypes.KeyMetadata {
	GinkgoHelper()
	answer, err := local.admin.DescribeKey(ctx, &awskmssdk.DescribeKeyInput{KeyId: &keyARN})
	Expect(err).NotTo(HaveOccurred())
	return answer.KeyMetadata
}

func encrypt(ctx context.Context, keyARN, plaintext string) []byte {
	GinkgoHelper()
	answer, err := local.admin.Encrypt(ctx, &awskmssdk.EncryptInput{KeyId: &keyARN, Plaintext: []byte(plaintext)})
	Expect(err).NotTo(HaveOccurred())
	return answer.CiphertextBlob
}

func decrypt(ctx context.Context, ciphertext []byte) string {
	GinkgoHelper()
	answer, err := local.admin.Decrypt(ctx, &awskmssdk.DecryptInput{CiphertextBlob: ciphertext})
	Expect(err).NotTo(HaveOccurred())
	return string(answer.Plaintext)
}

func deleteMaterial(ctx context.Context, keyARN string) {
	GinkgoHelper()
	_, err := local.admin.DeleteImportedKeyMaterial(ctx, &awskmssdk.DeleteImportedKeyMaterialInput{KeyId: &keyARN})
	Expect(err).NotTo(HaveOccurred())
}
