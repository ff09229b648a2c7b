package controllers

import (
	"context"
	"crypto/rsa"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

const (
	// intentValidity is how long after its intent was written an import may still be sent. A process that was paused
	// for longer has most likely been replaced.
	intentValidity = 30 * time.Second

	// resultTimeout is for writing down what an import came to, also when this process is being stopped.
	resultTimeout = 10 * time.Second
)

// importMaterial reads, checks, wraps and imports the material, which never leaves this method and what it calls. The
// intent is in the record before KMS is asked to change the key.
func (r *Reconciler) importMaterial(ctx context.Context, p *pass, action plan.ImportMaterial) error {
	if err := r.confirmRecord(ctx, p); err != nil {
		return err
	}
	if action.Sealed {
		return r.importSealed(ctx, p, action)
	}
	material, err := r.readMaterial(ctx, p, action.RejectWeak)
	defer material.Destroy()
	if err != nil || !mayImport(p.observed, action) {
		return err
	}
	r.memories.refused(p.name, plan.Refusal{}) // whatever was refused before is being tried again
	if !r.takeTurn(p) {
		return nil
	}
	p.attempt(action)
	sealed, err := r.seal(ctx, p, action.Wrapping, material)
	if err != nil || p.observed.Attempt.Err != nil {
		return err
	}
	return r.importAsIntended(ctx, p, action, sealed, v1alpha1.MaterialImport{
		Fingerprint: p.observed.Material.Fingerprint, Secret: p.secretVersion(),
	})
}

// importSealed imports what was sealed before the key was emptied. It needs no Secret, which may be gone by now.
func (r *Reconciler) importSealed(ctx context.Context, p *pass, action plan.ImportMaterial) error {
	record := p.observed.Record
	kept := record.Withdrawal.Sealed
	p.attempt(action)
	return r.importAsIntended(ctx, p, action, kms.KeptMaterial(p.keyARN, kept.EncryptedKeyMaterial, kept.ImportToken), v1alpha1.MaterialImport{
		Fingerprint: record.Imported.Fingerprint, Secret: record.Withdrawal.Secret,
	})
}

// importAsIntended writes the intent and makes the import; of says what material it is.
func (r *Reconciler) importAsIntended(
	ctx context.Context, p *pass, action plan.ImportMaterial, sealed kms.SealedMaterial, of v1alpha1.MaterialImport,
) error {
	if err := r.confirmObject(ctx, p); err != nil {
		return err
	}
	intent, err := r.writeIntent(ctx, p, action, of)
	if err != nil {
		return err
	}
	return r.sendImport(ctx, p, intent, kms.ImportRequest{
		Material:   sealed,
		Expiry:     action.Expiry,
		ReimportOf: action.ReimportOf,
	})
}

// takeTurn reports whether GetParametersForImport may be called now.
func (r *Reconciler) takeTurn(p *pass) bool {
	if p.observed.Attempt != nil || p.observed.Withdrawal != nil {
		r.turns.borrow(r.clock.Now())
		return true
	}
	p.observed.TurnIn = r.turns.take(p.object.UID, r.clock.Now())
	return p.observed.TurnIn == 0
}

// confirmObject makes sure, as the last thing before the intent, that nobody has suspended, changed or deleted the object
// since this pass began: whoever is taking a key back must not find it imported once more.
func (r *Reconciler) confirmObject(ctx context.Context, p *pass) error {
	stored := &v1alpha1.KMSKeyImport{}
	if err := r.live.Get(ctx, p.name, stored); err != nil {
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("object was deleted: %w", errStale)
		}
		return fmt.Errorf("get KMSKeyImport: %w", err)
	}
	if stored.UID != p.object.UID || stored.Generation != p.object.Generation {
		return fmt.Errorf("object: %w", errStale)
	}
	return nil
}

// attempt counts the tries of this pass.
func (p *pass) attempt(action plan.ImportMaterial) {
	attempt := plan.ImportAttempt{Cause: action.Cause, Tries: 1}
	if p.observed.Attempt != nil {
		attempt.Tries += p.observed.Attempt.Tries
	}
	p.importing = action
	p.observed.Attempt = &attempt
}

// mayImport reports whether what was read is what is to be imported; if not, the plan says what that means.
func mayImport(observed plan.Observed, action plan.ImportMaterial) bool {
	material := observed.Material
	return observed.Secret.Presence == plan.SecretPresent && material != nil && material.Problem == "" &&
		action.Fits(*material) && (action.Expect == "" || material.Fingerprint == action.Expect)
}

// seal asks for import parameters and wraps the material for them.
func (r *Reconciler) seal(ctx context.Context, p *pass, wrapping kms.Wrapping, material keymaterial.Material) (kms.SealedMaterial, error) {
	parameters, err := r.kms.GetParametersForImport(ctx, p.keyARN, wrapping)
	if err != nil {
		kmsError, err := classified(ctx, err)
		if err == nil {
			r.noteFailure(p, kmsError)
		}
		return kms.SealedMaterial{}, err
	}
	return sealFor(parameters, material)
}

func sealFor(parameters kms.ImportParameters, material keymaterial.Material) (kms.SealedMaterial, error) {
	return parameters.Seal(func(wrapping kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) {
		return material.Wrap(string(wrapping.Algorithm), publicKey)
	})
}

// writeIntent claims the key, where it is not claimed yet, and says what is about to be done to it.
func (r *Reconciler) writeIntent(
	ctx context.Context, p *pass, action plan.ImportMaterial, of v1alpha1.MaterialImport,
) (v1alpha1.ImportIntent, error) {
	now := r.clock.Now()
	intent := v1alpha1.ImportIntent{
		MaterialImport: v1alpha1.MaterialImport{
			Operation:         action.Operation,
			Cause:             action.Cause,
			Fingerprint:       of.Fingerprint,
			Secret:            of.Secret,
			ExpirationModel:   string(action.Expiry.Model),
			ValidTo:           optionalTime(action.Expiry.ValidTo),
			ValidFor:          optionalDuration(action.ValidFor),
			WrappingAlgorithm: string(action.Wrapping.Algorithm),
			WrappingKeySpec:   string(action.Wrapping.KeySpec),
		},
		Time:     seconds(now),
		NotAfter: seconds(now.Add(intentValidity)),
		KeyState: string(p.observed.Look.Key.State),
	}
	if record := p.observed.Record; record != nil {
		p.unknown = record.Intent
		if p.unknown != nil && kms.KeyState(p.unknown.KeyState) == kms.KeyStatePendingImport {
			intent.KeyState = p.unknown.KeyState // that import may be what has filled the key
		}
		if p.unknown != nil && p.unknown.Cause == v1alpha1.CauseAdoption {
			intent.Cause = v1alpha1.CauseAdoption // it was there before, whatever has become of it
		}
		if p.observed.Ownership == plan.Ownerless {
			record = claimed(record, p.owner(), now)
		}
		return intent, r.update(ctx, p, intended(record, intent))
	}
	record := intended(claimed(r.records.blank(p.keyARN), p.owner(), now), intent)
	if err := r.client.Create(ctx, record); err != nil {
		return intent, fmt.Errorf("create KMSKeyRecord: %w", err)
	}
	p.own(record)
	return intent, nil
}

// sendImport makes the one call that changes the key and writes down what it came to.
func (r *Reconciler) sendImport(ctx context.Context, p *pass, intent v1alpha1.ImportIntent, request kms.ImportRequest) error {
	left := intent.NotAfter.Sub(r.clock.Now())
	if left <= 0 {
		return fmt.Errorf("writing the intent took too long, nothing was sent: %w", errStale)
	}
	call, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	answer, err := r.kms.ImportKeyMaterial(call, request)

	write, cancel := context.WithTimeout(context.WithoutCancel(ctx), resultTimeout)
	defer cancel()
	if err != nil {
		return r.importFailed(ctx, write, p, err)
	}
	now := r.clock.Now()
	err = r.writeResult(write, p, func(record *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
		return succeeded(record, intent, answer, now)
	})
	if err != nil {
		return err
	}
	r.memories.imported(p.name, p.observed.Record.Imported.Time.Time, p.desired.Requests)
	p.done = append(p.done, effect{imported: intent.Operation, cause: intent.Cause})
	p.observed.Look = nil
	return nil
}

// importFailed leaves the intent in the record where KMS may have done what it was asked to, and takes it out where KMS
// says that it has not. That says nothing about an earlier import whose answer was lost: its intent comes back, unless
// KMS has compared the same material with the key's.
func (r *Reconciler) importFailed(ctx, write context.Context, p *pass, cause error) error {
	kmsError, err := classified(ctx, cause)
	if err != nil {
		return err
	}
	r.noteFailure(p, kmsError)
	if kmsError.OutcomeUnknown() {
		return nil
	}
	unknown := p.unknown
	if kmsError.Class == kms.ClassMaterialRefused {
		unknown = nil
	}
	now := r.clock.Now()
	return r.writeResult(write, p, func(record *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
		return importRefused(record, unknown, p.importing.Sealed, kmsError, now)
	})
}

// writeResult writes down what an import came to. KMS says it once: so a write that fails is looked into, and made once
// more if it was not made and nobody else has written about imports meanwhile.
func (r *Reconciler) writeResult(ctx context.Context, p *pass, become func(*v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord) error {
	before := p.observed.Record
	after := become(before)
	err := r.update(ctx, p, after)
	if err == nil {
		return nil
	}
	stored, readErr := r.records.get(ctx, p.keyARN)
	switch {
	case readErr != nil, stored == nil:
		return err
	case tellsTheSame(stored, after):
		p.own(stored)
		return nil
	case tellsTheSame(stored, before):
		return r.update(ctx, p, become(stored))
	default:
		return err
	}
}
