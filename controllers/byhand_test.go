package controllers_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial/wrap"
)

const day = 24 * time.Hour

// What people do without the operator.

// importByHand imports material that does not expire, unless changes say otherwise, and returns its KeyMaterialId.
func importByHand(ctx context.Context, key string, material []byte, changes ...func(*awskmssdk.ImportKeyMaterialInput)) string {
	GinkgoHelper()
	algorithm, seal := kmstypes.AlgorithmSpecRsaesOaepSha256, wrap.OAEP
	if len(material) > 190 { // which is too long for that
		algorithm, seal = kmstypes.AlgorithmSpecRsaAesKeyWrapSha256, wrap.RSAAES
	}
	parameters, err := local.admin.GetParametersForImport(ctx, &awskmssdk.GetParametersForImportInput{
		KeyId: &key, WrappingAlgorithm: algorithm, WrappingKeySpec: kmstypes.WrappingKeySpecRsa2048,
	})
	Expect(err).NotTo(HaveOccurred())
	public, err := x509.ParsePKIXPublicKey(parameters.PublicKey)
	Expect(err).NotTo(HaveOccurred())
	wrapped, err := seal(crypto.SHA256, public.(*rsa.PublicKey), material)
	Expect(err).NotTo(HaveOccurred())
	input := &awskmssdk.ImportKeyMaterialInput{
		KeyId: &key, ImportToken: parameters.ImportToken, EncryptedKeyMaterial: wrapped, ExpirationModel: kmstypes.ExpirationModelTypeKeyMaterialDoesNotExpire,
	}
	for _, change := range changes {
		change(input)
	}
	answer, err := local.admin.ImportKeyMaterial(ctx, input)
	Expect(err).NotTo(HaveOccurred())
	return aws.ToString(answer.KeyMaterialId)
}

func expiringAt(at time.Time) func(*awskmssdk.ImportKeyMaterialInput) {
	return func(input *awskmssdk.ImportKeyMaterialInput) {
		input.ExpirationModel, input.ValidTo = kmstypes.ExpirationModelTypeKeyMaterialExpires, aws.Time(at.Truncate(time.Second))
	}
}

func asNewMaterial(input *awskmssdk.ImportKeyMaterialInput) {
	input.ImportType = kmstypes.ImportTypeNewKeyMaterial
}

// rotateByHand makes other material the key's current one, and returns its KeyMaterialId.
func rotateByHand(ctx context.Context, key string, material []byte, changes ...func(*awskmssdk.ImportKeyMaterialInput)) string {
	GinkgoHelper()
	id := importByHand(ctx, key, material, append(changes, asNewMaterial)...)
	_, err := local.admin.RotateKeyOnDemand(ctx, &awskmssdk.RotateKeyOnDemandInput{KeyId: &key})
	Expect(err).NotTo(HaveOccurred())
	Expect(aws.ToString(describe(ctx, key).CurrentKeyMaterialId)).To(Equal(id))
	return id
}

// deleteOneMaterial deletes one of several.
func deleteOneMaterial(ctx context.Context, key, id string) {
	GinkgoHelper()
	_, err := local.admin.DeleteImportedKeyMaterial(ctx, &awskmssdk.DeleteImportedKeyMaterialInput{KeyId: &key, KeyMaterialId: &id})
	Expect(err).NotTo(HaveOccurred())
}

func disable(ctx context.Context, key string) {
	GinkgoHelper()
	_, err := local.admin.DisableKey(ctx, &awskmssdk.DisableKeyInput{KeyId: &key})
	Expect(err).NotTo(HaveOccurred())
}

func enable(ctx context.Context, key string) {
	GinkgoHelper()
	_, err := local.admin.EnableKey(ctx, &awskmssdk.EnableKeyInput{KeyId: &key})
	Expect(err).NotTo(HaveOccurred())
}

// What spec fields say, for newImport and edit.

// validFor sets a rolling expiry, and how long before it the material is renewed, if that is not left out.
func validFor(duration time.Duration, renewBefore ...time.Duration) func(*v1alpha1.KMSKeyImport) {
	return func(object *v1alpha1.KMSKeyImport) {
		object.Spec.Expiration = &v1alpha1.Expiration{ValidFor: &metav1.Duration{Duration: duration}}
		for _, before := range renewBefore {
			object.Spec.Expiration.RenewBefore = &metav1.Duration{Duration: before}
		}
	}
}

func notExpiring(object *v1alpha1.KMSKeyImport) { object.Spec.Expiration = nil }

func holding(object *v1alpha1.KMSKeyImport)     { object.Spec.OnMaterialDeleted = "Hold" }
func reimporting(object *v1alpha1.KMSKeyImport) { object.Spec.OnMaterialDeleted = "Reimport" }
func resumed(object *v1alpha1.KMSKeyImport)     { object.Spec.Suspend = nil }

// What something costs.

// cost is what KMS was asked of one key, and the API server of all objects.
type cost struct {
	Look, Parameters, Import int
	Kubernetes               budget
}

// costOf counts while something is done.
func costOf(key string, do func()) cost {
	GinkgoHelper()
	before := callsFor(key)
	apiWire.reset()
	do()
	after := callsFor(key)
	return cost{after[0] - before[0], after[1] - before[1], after[2] - before[2], apiWire.spent()}
}

// The moments at which the operator looks.

// passAt moves the clock to a moment and makes a pass.
func passAt(ctx context.Context, object *v1alpha1.KMSKeyImport, at time.Time) *v1alpha1.KMSKeyImport {
	GinkgoHelper()
	now.advance(at.Sub(now.Now()))
	expectPass(ctx, object)
	return reload(ctx, object)
}

// twoLooks makes two passes, far enough apart to act on what contradicts the last import.
func twoLooks(ctx context.Context, object *v1alpha1.KMSKeyImport) *v1alpha1.KMSKeyImport {
	GinkgoHelper()
	expectPass(ctx, object)
	return passAt(ctx, object, now.Now().Add(5*time.Second))
}

// restart takes the operator's memory away.
func restart() {
	GinkgoHelper()
	operator.stop()
	operator = startOperator()
}

// eventTypes are those of the events with a reason: Normal or Warning.
func eventTypes(ctx context.Context, reason string) []string {
	GinkgoHelper()
	events := &eventsv1.EventList{}
	Expect(k8s.List(ctx, events, client.InNamespace(namespace))).To(Succeed())
	var types []string
	for _, event := range events.Items {
		if event.Reason == reason {
			types = append(types, event.Type)
		}
	}
	return types
}

// eventsAbout are the notes of the events with a reason.
func eventsAbout(ctx context.Context, reason string) func(Gomega) []string {
	return func(g Gomega) []string {
		events := &eventsv1.EventList{}
		g.Expect(k8s.List(ctx, events, client.InNamespace(namespace))).To(Succeed())
		var notes []string
		for _, event := range events.Items {
			if event.Reason == reason {
				g.Expect(event.Series).To(BeNil(), "told once")
				notes = append(notes, event.Note)
			}
		}
		return notes
	}
}

// rewritten changes a Secret but not its material.
func rewritten(secret *corev1.Secret) {
	secret.Annotations = map[string]string{"touched": now.Now().String()}
}
