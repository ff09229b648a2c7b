package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// secrets reads Secrets: what is cached of them is metadata, stripped and only of those that consent.
type secrets struct {
	cached client.Reader
	live   client.Reader
}

// metadata tells whether a Secret is there and consents. The cache cannot tell an absent Secret from one without the
// label, nor know of one made this moment, so a miss is settled by the API server.
func (s secrets) metadata(ctx context.Context, name types.NamespacedName) (plan.Secret, error) {
	for _, reader := range []client.Reader{s.cached, s.live} {
		found := secretMetadata()
		err := reader.Get(ctx, name, found)
		if err == nil {
			return described(found, nil), nil
		}
		if !apierrors.IsNotFound(err) {
			return plan.Secret{}, fmt.Errorf("get metadata of Secret: %w", err)
		}
	}
	return plan.Secret{Presence: plan.SecretAbsent}, nil
}

// secretMetadata is an empty object for a metadata-only read.
func secretMetadata() *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return object
}

// described knows of a Secret of the cache, which is stripped, not whether it is leaving.
func described(secret, owner metav1.Object) plan.Secret {
	facts := plan.Secret{
		Presence:        plan.SecretPresent,
		UID:             secret.GetUID(),
		ResourceVersion: secret.GetResourceVersion(),
		Leaving:         secret.GetDeletionTimestamp() != nil,
	}
	for _, reference := range secret.GetOwnerReferences() {
		facts.Leaving = facts.Leaving || owner != nil && reference.UID == owner.GetUID()
	}
	if secret.GetLabels()[v1alpha1.LabelKeyMaterial] != v1alpha1.LabelKeyMaterialConsent {
		facts.Presence = plan.SecretNotConsenting
	}
	return facts
}

// readMaterial reads the Secret's value from the API server and puts into the pass what may be known of it. The
// material it returns is empty unless it is fit for the key; the caller destroys it.
func (r *Reconciler) readMaterial(ctx context.Context, p *pass, rejectWeak bool) (keymaterial.Material, error) {
	secret := &corev1.Secret{}
	err := r.live.Get(ctx, p.secretName(), secret)
	if apierrors.IsNotFound(err) {
		p.observed.Secret = plan.Secret{Presence: plan.SecretAbsent}
		return keymaterial.Material{}, nil
	}
	if err != nil {
		return keymaterial.Material{}, fmt.Errorf("get Secret: %w", err)
	}
	defer wipe(secret)
	var leaves metav1.Object
	if p.desired.Deleting {
		leaves = p.object
	}
	p.observed.Secret = described(secret, leaves)
	if p.observed.Secret.Presence != plan.SecretPresent {
		return keymaterial.Material{}, nil
	}
	value, found := secret.Data[p.desired.Material.SecretRef.Key]
	if !found {
		p.observed.Secret.Presence = plan.SecretKeyMissing
		return keymaterial.Material{}, nil
	}
	return r.judge(ctx, p, value, rejectWeak)
}

// judge decodes, validates and fingerprints a value. A value that is not fit becomes a problem in the pass.
func (r *Reconciler) judge(ctx context.Context, p *pass, value []byte, rejectWeak bool) (keymaterial.Material, error) {
	fingerprinter, err := r.fingerprints.get(ctx)
	if err != nil {
		return keymaterial.Material{}, err
	}
	recorded := plan.RecordedFingerprint(p.observed.Record)
	facts := &plan.Material{Comparable: recorded == "" || fingerprinter.Knows(recorded)}
	p.observed.Material = facts

	material, err := keymaterial.Decode(keymaterial.Encoding(p.desired.Material.Encoding), value)
	key := p.observed.Look.Key
	if err == nil {
		err = keymaterial.Validate(material, string(key.Spec), key.Usage)
	}
	if err == nil && rejectWeak {
		err = keymaterial.CheckStrength(material, string(key.Spec))
	}
	if err != nil {
		material.Destroy()
		facts.Problem = fmt.Sprintf("Secret %q, key %q: %s", p.desired.Material.SecretRef.Name, p.desired.Material.SecretRef.Key, err)
		return keymaterial.Material{}, nil
	}
	facts.Fingerprint = string(fingerprinter.Fingerprint(p.keyARN, material))
	facts.Bytes = material.Len()
	return material, nil
}

// wipe shortens the life of a Secret's content in memory.
func wipe(secret *corev1.Secret) {
	for _, value := range secret.Data {
		clear(value)
	}
}

// secretVersion is the version of the Secret that was last read in this pass.
func (p *pass) secretVersion() v1alpha1.SecretVersion {
	return v1alpha1.SecretVersion{
		Name:            p.desired.Material.SecretRef.Name,
		UID:             p.observed.Secret.UID,
		ResourceVersion: p.observed.Secret.ResourceVersion,
		Key:             p.desired.Material.SecretRef.Key,
		Encoding:        p.desired.Material.Encoding,
	}
}
