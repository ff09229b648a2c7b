package controllers

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
)

const (
	// FingerprintSecretName is the Secret in the operator's namespace that holds the key of all fingerprints. Whoever
	// loses it can no longer compare Secrets with what was imported from them.
	FingerprintSecretName = "kms-key-import-fingerprint-key"

	fingerprintSecretKey = "key"
)

// fingerprints makes the operator's fingerprint key at its first use and keeps it.
type fingerprints struct {
	client    client.Client
	live      client.Reader
	namespace string

	mutex  sync.Mutex
	loaded *keymaterial.Fingerprinter
}

func (f *fingerprints) get(ctx context.Context) (keymaterial.Fingerprinter, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.loaded != nil {
		return *f.loaded, nil
	}
	secret, err := f.loadOrCreate(ctx)
	if err != nil {
		return keymaterial.Fingerprinter{}, err
	}
	defer wipe(secret)
	fingerprinter, err := keymaterial.NewFingerprinter(secret.Data[fingerprintSecretKey])
	if err != nil {
		return keymaterial.Fingerprinter{}, fmt.Errorf("fingerprint key in Secret %s/%s: %w", f.namespace, FingerprintSecretName, err)
	}
	f.loaded = &fingerprinter
	return fingerprinter, nil
}

// loadOrCreate reads the Secret or makes it. Of two that make it at once, the second fails and reads next time.
func (f *fingerprints) loadOrCreate(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := f.live.Get(ctx, types.NamespacedName{Namespace: f.namespace, Name: FingerprintSecretName}, secret)
	if err == nil {
		return secret, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("get fingerprint key: %w", err)
	}
	key := make([]byte, keymaterial.FingerprintKeyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make fingerprint key: %w", err)
	}
	immutable := true
	secret = &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: FingerprintSecretName},
		Immutable:  &immutable,
		Data:       map[string][]byte{fingerprintSecretKey: key},
	}
	if err := f.client.Create(ctx, secret); err != nil {
		return nil, fmt.Errorf("create fingerprint key: %w", err)
	}
	logf.FromContext(ctx).Info("Made a new fingerprint key; what was imported under an earlier one can no longer be compared",
		"namespace", f.namespace, "secret", FingerprintSecretName)
	return secret, nil
}
