package controllers

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/keymaterial"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// withdrawalValidity is how long after it was written that material is about to be deleted the call may still be made.
const withdrawalValidity = 10 * time.Second

// withdrawMaterial deletes the key's material with its object, after everything that speaks for it was read once more.
func (r *Reconciler) withdrawMaterial(ctx context.Context, p *pass) error {
	if err := r.confirmRecord(ctx, p); err != nil {
		return err
	}
	material, err := r.readMaterial(ctx, p, false)
	material.Destroy()
	if err != nil || !mayWithdraw(p.observed) {
		return err
	}
	if err := r.confirmNoHeir(ctx, p); err != nil {
		return err
	}
	if err := r.confirmBoth(ctx, p); err != nil {
		return err
	}
	return r.withdraw(ctx, p, v1alpha1.WithdrawnWithObject, nil)
}

// interruptKey empties a key so that it can be filled again. Where KMS gives import parameters for a key that holds
// material, the material is sealed first and kept in the record.
func (r *Reconciler) interruptKey(ctx context.Context, p *pass, refill plan.ImportMaterial) error {
	if err := r.confirmRecord(ctx, p); err != nil {
		return err
	}
	material, err := r.readMaterial(ctx, p, false)
	defer material.Destroy()
	if err != nil || !mayWithdraw(p.observed) || !mayImport(p.observed, refill) || !r.takeTurn(p) {
		return err
	}
	r.memories.refused(p.name, plan.Refusal{}) // whatever was refused before is being tried again
	sealed, err := r.sealAhead(ctx, p, refill, material)
	if err != nil || p.observed.Withdrawal != nil {
		return err
	}
	if err := r.look(ctx, p); err != nil || !plan.MayInterrupt(p.desired, p.observed) { // somebody may have disabled it meanwhile
		return err
	}
	if err := r.confirmBoth(ctx, p); err != nil {
		return err
	}
	return r.withdraw(ctx, p, v1alpha1.WithdrawnForReimport, sealed)
}

// confirmBoth makes sure, as the last thing before a withdrawal, that the Secret is still there as it was read, and the
// object as this pass began with it.
func (r *Reconciler) confirmBoth(ctx context.Context, p *pass) error {
	found := secretMetadata()
	err := r.live.Get(ctx, p.secretName(), found)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("get metadata of Secret: %w", err)
	case err != nil, found.UID != p.observed.Secret.UID, found.ResourceVersion != p.observed.Secret.ResourceVersion:
		return fmt.Errorf("secret: %w", errStale)
	default:
		return r.confirmObject(ctx, p)
	}
}

// mayWithdraw reports whether the Secret that was just read would bring back what is in the key; if not, the plan says
// what that means.
func mayWithdraw(observed plan.Observed) bool {
	material, imported := observed.Material, observed.Record.Imported
	return observed.Secret.Presence == plan.SecretPresent && !observed.Secret.Leaving &&
		material != nil && material.Problem == "" && material.Fingerprint == imported.Fingerprint
}

// sealAhead seals material while the key still holds it; nil where KMS gives no import parameters then.
func (r *Reconciler) sealAhead(
	ctx context.Context, p *pass, refill plan.ImportMaterial, material keymaterial.Material,
) (*v1alpha1.SealedMaterial, error) {
	parameters, err := r.kms.GetParametersForImport(ctx, p.keyARN, refill.Wrapping)
	if err != nil {
		return nil, r.sealingFailed(ctx, p, refill, err)
	}
	sealed, err := sealFor(parameters, material)
	if err != nil {
		return nil, err
	}
	return &v1alpha1.SealedMaterial{
		EncryptedKeyMaterial: sealed.EncryptedKeyMaterial(),
		ImportToken:          sealed.ImportToken(),
		ParametersValidTo:    optionalTime(parameters.ValidTo()),
		WrappingAlgorithm:    string(refill.Wrapping.Algorithm),
		WrappingKeySpec:      string(refill.Wrapping.KeySpec),
	}, nil
}

// sealingFailed leaves the key as it is, unless KMS gives no import parameters because of the material that is to go.
func (r *Reconciler) sealingFailed(ctx context.Context, p *pass, refill plan.ImportMaterial, cause error) error {
	kmsError, err := classified(ctx, cause)
	if err != nil || kmsError.Class == kms.ClassInvalidState {
		return err
	}
	p.observed.Withdrawal = &plan.WithdrawalAttempt{Err: kmsError}
	if plan.Refused(kmsError) {
		r.memories.refused(p.name, plan.Refusal{Import: refill, Secret: p.secretVersion(), Err: kmsError})
	}
	return nil
}

// withdraw makes the one call that deletes the material, and writes down before and after what it is about.
func (r *Reconciler) withdraw(ctx context.Context, p *pass, cause v1alpha1.WithdrawalCause, sealed *v1alpha1.SealedMaterial) error {
	now := r.clock.Now()
	withdrawal := v1alpha1.MaterialWithdrawal{
		Cause: cause, Secret: p.secretVersion(), Time: seconds(now), NotAfter: seconds(now.Add(withdrawalValidity)), Sealed: sealed,
	}
	p.observed.Withdrawal = &plan.WithdrawalAttempt{}
	if err := r.update(ctx, p, withdrawing(p.observed.Record, withdrawal)); err != nil {
		return err
	}
	left := withdrawal.NotAfter.Sub(r.clock.Now())
	if left <= 0 {
		return fmt.Errorf("writing the withdrawal took too long, nothing was sent: %w", errStale)
	}
	call, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	answer, err := r.kms.DeleteImportedKeyMaterial(call, kms.DeletionRequest{
		KeyARN: p.keyARN, KeyMaterialID: p.observed.Record.Imported.KeyMaterialID,
	})
	p.observed.Look = nil

	write, cancel := context.WithTimeout(context.WithoutCancel(ctx), resultTimeout)
	defer cancel()
	if err != nil {
		return r.withdrawalFailed(ctx, write, p, err)
	}
	err = r.writeResult(write, p, func(record *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
		return withdrawn(record, answer.RequestID, "", r.clock.Now())
	})
	if err != nil {
		return err
	}
	p.done = append(p.done, effect{withdrawn: cause})
	return nil
}

// withdrawalFailed leaves the withdrawal in the record where KMS may have done it, and takes it out where KMS says that it
// has not.
func (r *Reconciler) withdrawalFailed(ctx, write context.Context, p *pass, cause error) error {
	kmsError, err := classified(ctx, cause)
	if err != nil {
		return err
	}
	p.observed.Withdrawal.Err = kmsError
	if kmsError.OutcomeUnknown() {
		return nil
	}
	return r.writeResult(write, p, func(record *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
		return withdrawalRefused(record, kmsError, r.clock.Now())
	})
}

// confirmWithdrawal writes down that the withdrawal has succeeded whose answer was lost, as the look of this pass has shown.
func (r *Reconciler) confirmWithdrawal(ctx context.Context, p *pass) error {
	cause := p.observed.Record.Withdrawal.Cause
	record := withdrawn(p.observed.Record, "", "; the answer was lost, and the key has since been seen without material", r.clock.Now())
	if err := r.update(ctx, p, record); err != nil {
		return err
	}
	p.done = append(p.done, effect{withdrawn: cause})
	return nil
}
