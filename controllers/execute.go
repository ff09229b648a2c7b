package controllers

import (
	"context"
	"fmt"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// execute carries out one action. An error is about Kubernetes or this process; what KMS refuses becomes a fact.
//
//nolint:cyclop // a flat list: one case for each action
func (r *Reconciler) execute(ctx context.Context, p *pass, action plan.Action) error {
	switch action := action.(type) {
	case plan.Finish:
		return nil
	case plan.Look:
		return r.look(ctx, p)
	case plan.InspectMaterial:
		return r.inspectMaterial(ctx, p)
	case plan.ClaimRecord:
		return r.claimRecord(ctx, p)
	case plan.AcceptSecretVersion:
		return r.acceptSecretVersion(ctx, p)
	case plan.HoldKey:
		return r.update(ctx, p, held(p.observed.Record, p.observed.Look.Key.State, p.desired.Requests.Reimport, r.clock.Now()))
	case plan.LiftHold:
		return r.update(ctx, p, holdLifted(p.observed.Record, p.observed.Look.Key.State, r.clock.Now()))
	case plan.MarkUnconfirmed:
		return r.update(ctx, p, unconfirmed(p.observed.Record, r.clock.Now()))
	case plan.MarkConfirmed:
		return r.update(ctx, p, confirmedLate(p.observed.Record, r.clock.Now()))
	case plan.ConfirmImport:
		return r.confirmImport(ctx, p)
	case plan.ImportMaterial:
		return r.importMaterial(ctx, p, action)
	case plan.SetFinalizer:
		return r.setFinalizer(ctx, p, action.Wanted)
	case plan.ReleaseObject:
		return r.releaseObject(ctx, p, action)
	case plan.WithdrawMaterial:
		return r.withdrawMaterial(ctx, p)
	case plan.InterruptKey:
		return r.interruptKey(ctx, p, action.Refill)
	case plan.ConfirmWithdrawal:
		return r.confirmWithdrawal(ctx, p)
	case plan.ForgetWithdrawal:
		return r.update(ctx, p, withdrawalForgotten(p.observed.Record, r.clock.Now()))
	default:
		return fmt.Errorf("no way to execute %T", action)
	}
}

// look calls DescribeKey: by keyID, and by the ARN after an effect on that key, and where the key is to be filled or emptied
// whatever its alias has come to point at.
func (r *Reconciler) look(ctx context.Context, p *pass) error {
	key, err := r.kms.DescribeKey(ctx, p.lookAt())
	if err != nil {
		kmsError, err := classified(ctx, err)
		if err == nil {
			p.observed.Look = &plan.LookResult{Err: kmsError}
		}
		return err
	}
	p.observed.Look = &plan.LookResult{Key: key}
	p.keyARN = key.ARN
	r.memories.looked(p.name, r.clock.Now())
	record, mine := p.observed.Record, p.observed.Ownership == plan.Mine
	if mine && record.Imported != nil && record.Withdrawal == nil && record.KeyARN == key.ARN {
		r.memories.compared(p.name, *record.Imported, key, r.clock.Now())
	}
	return nil
}

// lookAt is under which name.
func (p *pass) lookAt() string {
	record, mine := p.observed.Record, p.observed.Ownership == plan.Mine
	switch {
	case p.observed.Attempt != nil || p.observed.Withdrawal != nil:
		return p.keyARN
	case mine && (p.desired.Deleting || record.Withdrawal != nil):
		return record.KeyARN
	default:
		return p.desired.KeyID
	}
}

// classified keeps a KMS error apart from the end of this process.
func classified(ctx context.Context, err error) (*kms.Error, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	kmsError, ok := kms.AsError(err)
	if !ok {
		return nil, fmt.Errorf("KMS adapter returned an unclassified error: %T", err)
	}
	return kmsError, nil
}

// inspectMaterial reads the Secret's value and keeps its fingerprint.
func (r *Reconciler) inspectMaterial(ctx context.Context, p *pass) error {
	material, err := r.readMaterial(ctx, p, false)
	material.Destroy()
	return err
}

// claimRecord makes this object the owner of a record whose owner is gone.
func (r *Reconciler) claimRecord(ctx context.Context, p *pass) error {
	if err := r.ownsNothingElse(ctx, p); err != nil {
		return err
	}
	next := claimed(p.observed.Record, p.owner(), r.clock.Now())
	if next.Hold != nil && p.observed.Look.Key.State == kms.KeyStatePendingImport {
		next.Hold.Request = new(string) // what the new owner asks for is about the key as it is
	}
	return r.update(ctx, p, next)
}

// acceptSecretVersion writes down that the Secret's present version holds the same material.
func (r *Reconciler) acceptSecretVersion(ctx context.Context, p *pass) error {
	return r.update(ctx, p, accepted(p.observed.Record, p.secretVersion(), r.clock.Now()))
}

// confirmImport writes down that the import has succeeded whose answer was lost, as the look of this pass has shown.
func (r *Reconciler) confirmImport(ctx context.Context, p *pass) error {
	now := r.clock.Now()
	record := confirmed(p.observed.Record, now)
	if err := r.update(ctx, p, record); err != nil {
		return err
	}
	r.memories.compared(p.name, *record.Imported, p.observed.Look.Key, now)
	p.done = append(p.done, effect{imported: record.Imported.Operation, cause: record.Imported.Cause})
	return nil
}

func (r *Reconciler) update(ctx context.Context, p *pass, record *v1alpha1.KMSKeyRecord) error {
	if err := r.client.Update(ctx, record); err != nil {
		return fmt.Errorf("update KMSKeyRecord: %w", err)
	}
	p.own(record)
	return nil
}
