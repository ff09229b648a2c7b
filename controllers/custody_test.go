package controllers_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// What follows looks wherever people and programs can read what the operator wrote.

var _ = Describe("Key material", func() {
	It("is nowhere to be found but in its Secret", func(ctx context.Context) {
		raw, text, wrong := randomMaterial(), base64.StdEncoding.EncodeToString(randomMaterial()), hex.EncodeToString(randomMaterial())
		kubectlApply(ctx, "data", fmt.Sprintf(`"data": {"material": %q}`, base64.StdEncoding.EncodeToString(raw)))
		kubectlApply(ctx, "string-data", fmt.Sprintf(`"stringData": {"material": %q}`, text))
		kubectlApply(ctx, "invalid", fmt.Sprintf(`"stringData": {"material": %q}`, wrong))
		signing, wrongCurve := newRSAKey(2048), newECKey(elliptic.P384())
		kubectlApply(ctx, "pem", fmt.Sprintf(`"stringData": {"material": %q}`, signing.ownPEM()))
		kubectlApply(ctx, "invalid-pem", fmt.Sprintf(`"stringData": {"material": %q}`, wrongCurve.ownPEM()))

		expectOutcome(ctx, newImport(ctx, "data", newSymmetricKey(ctx), fromSecret("data", "Raw")), "Ready=True Imported")
		expectOutcome(ctx, newImport(ctx, "string-data", newSymmetricKey(ctx), fromSecret("string-data", "Base64")), "Ready=True Imported")
		expectOutcome(ctx, newImport(ctx, "invalid", newSymmetricKey(ctx), fromSecret("invalid", "Raw")), "Ready=False InvalidKeyMaterial, Stalled")
		expectOutcome(ctx, newImport(ctx, "pem", newKey(ctx, kmstypes.KeySpecRsa2048, kmstypes.OriginTypeExternal), fromSecret("pem", "PEM")),
			"Ready=True Imported")
		expectOutcome(ctx, newImport(ctx, "invalid-pem", newKey(ctx, kmstypes.KeySpecEccNistP256, kmstypes.OriginTypeExternal), fromSecret("invalid-pem", "PEM")),
			"Ready=False InvalidKeyMaterial, Stalled")

		decoded, err := base64.StdEncoding.DecodeString(text)
		Expect(err).NotTo(HaveOccurred())
		written := everythingWritten(ctx)
		for _, material := range append([][]byte{raw, decoded, []byte(text), []byte(wrong)}, append(signing.traces(), wrongCurve.traces()...)...) {
			Expect(placesOf(material, written)).To(BeEmpty())
		}

		By("and the search finds what is there to be found")
		for _, form := range formsOf(raw) {
			for place := range written {
				planted := map[string][]byte{place: append(append([]byte("before "), form...), " after"...)}
				Expect(placesOf(raw, planted)).To(ConsistOf(place))
			}
		}
	})

	It("does not come along in the metadata that the cache keeps", func(ctx context.Context) {
		material := randomMaterial()
		kubectlApply(ctx, "material", fmt.Sprintf(`"data": {"material": %q}`, base64.StdEncoding.EncodeToString(material)))
		stored := &corev1.Secret{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "material"}, stored)).To(Succeed())
		Expect(stored.Annotations["kubectl.kubernetes.io/last-applied-configuration"]).
			To(ContainSubstring(base64.StdEncoding.EncodeToString(material)), "this is why it must be stripped")

		expectOutcome(ctx, newImport(ctx, "payments", newSymmetricKey(ctx)), "Ready=True Imported")
		cached := &metav1.PartialObjectMetadata{}
		cached.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		Expect(operator.manager.GetClient().Get(ctx, client.ObjectKeyFromObject(stored), cached)).To(Succeed())
		Expect(cached.Annotations).To(BeEmpty())
		Expect(cached.ManagedFields).To(BeEmpty())
		Expect(cached.Labels).To(Equal(map[string]string{consentLabel: "true"}))
	})
})

func fromSecret(name string, encoding v1alpha1.MaterialEncoding) func(*v1alpha1.KMSKeyImport) {
	return func(object *v1alpha1.KMSKeyImport) {
		object.Spec.Material.SecretRef.Name = name
		object.Spec.Material.Encoding = encoding
	}
}

// kubectlApply makes a consenting Secret as people do, which leaves a copy of its data in an annotation.
func kubectlApply(ctx context.Context, name, data string) {
	GinkgoHelper()
	applyByKubectl(ctx, fmt.Sprintf(
		`{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": %q, "labels": {%q: "true"}}, %s}`, name, consentLabel, data))
}

// everythingWritten is all that the operator wrote, and all that it keeps of Secrets.
func everythingWritten(ctx context.Context) map[string][]byte {
	GinkgoHelper()
	written := map[string][]byte{"logs": []byte(logs.String()), "metrics": metricsText()}
	for place, list := range map[string]client.ObjectList{
		"objects": &v1alpha1.KMSKeyImportList{}, "records": &v1alpha1.KMSKeyRecordList{}, "events": &eventsv1.EventList{},
	} {
		Expect(k8s.List(ctx, list)).To(Succeed())
		written[place] = asJSON(list)
	}
	cached := &metav1.PartialObjectMetadataList{}
	cached.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	Expect(operator.manager.GetClient().List(ctx, cached)).To(Succeed())
	Expect(cached.Items).NotTo(BeEmpty())
	written["informer cache"] = asJSON(cached)
	return written
}

func asJSON(object any) []byte {
	GinkgoHelper()
	encoded, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	return encoded
}

// metricsText is what /metrics serves.
func metricsText() []byte {
	GinkgoHelper()
	own := prometheus.NewRegistry()
	Expect(operator.metrics.Register(own)).To(Succeed())
	var text bytes.Buffer
	for _, gatherer := range []prometheus.Gatherer{own, ctrlmetrics.Registry} {
		families, err := gatherer.Gather()
		Expect(err).NotTo(HaveOccurred())
		for _, family := range families {
			_, err := expfmt.MetricFamilyToText(&text, family)
			Expect(err).NotTo(HaveOccurred())
		}
	}
	Expect(text.String()).To(ContainSubstring("kms_key_import_kms_requests_total"))
	return text.Bytes()
}

// formsOf are the ways in which material may have been written down.
func formsOf(material []byte) [][]byte {
	hexadecimal := hex.EncodeToString(material)
	return [][]byte{
		material,
		[]byte(base64.StdEncoding.EncodeToString(material)),
		[]byte(base64.RawURLEncoding.EncodeToString(material)),
		[]byte(hexadecimal),
		[]byte(strings.ToUpper(hexadecimal)),
		[]byte(fmt.Sprintf("%d", material)), // as fmt prints bytes
	}
}

// placesOf are the places in which some form of the material stands.
func placesOf(material []byte, written map[string][]byte) []string {
	var places []string
	for place, text := range written {
		for _, form := range formsOf(material) {
			if bytes.Contains(text, form) {
				places = append(places, place)
				break
			}
		}
	}
	return places
}
