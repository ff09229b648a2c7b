package controllers

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// pass is one Reconcile: what is wanted, what is known so far, and what has been done.
type pass struct {
	object    *v1alpha1.KMSKeyImport
	name      types.NamespacedName
	desired   plan.Desired
	observed  plan.Observed
	keyARN    string                 // where keyID led to in this pass, and the only name under which it may change a key
	importing plan.ImportMaterial    // what the last attempt tried
	unknown   *v1alpha1.ImportIntent // the intent that it took the place of: an import whose answer was lost
	done      []effect               // on the key, that succeeded
}

// effect is something that was done to a key: an import or a withdrawal.
type effect struct {
	imported  v1alpha1.ImportOperation
	cause     v1alpha1.ImportCause
	withdrawn v1alpha1.WithdrawalCause
}

func (r *Reconciler) begin(object *v1alpha1.KMSKeyImport) *pass {
	return &pass{
		object:   object,
		name:     client.ObjectKeyFromObject(object),
		desired:  plan.DesiredBy(object),
		observed: plan.Observed{Resync: r.resync, Dialect: r.dialect, Status: object.Status},
	}
}

// observe gathers the facts that are not known yet and decides nothing.
func (r *Reconciler) observe(ctx context.Context, p *pass) error {
	p.observed.Now = r.clock.Now()
	if p.desired.Deleting {
		r.memories.deleting(p.name, p.object.UID, p.observed.Now)
	}
	p.observed.Memory = r.memories.of(p.name, p.object.UID, p.observed.Now)
	if p.observed.Record == nil {
		if err := r.observeRecord(ctx, p); err != nil {
			return err
		}
	}
	if p.desired.Deleting && p.desired.Finalizer {
		if err := r.observeSurroundings(ctx, p); err != nil {
			return err
		}
	}
	if p.observed.Secret.Presence != plan.SecretUnknown {
		return nil
	}
	secret, err := r.secrets.metadata(ctx, p.secretName())
	if apierrors.IsForbidden(err) && p.observed.Surroundings.NamespaceTerminating { // which takes Roles with it
		secret, err = plan.Secret{Presence: plan.SecretAbsent}, nil
	}
	p.observed.Secret = secret
	return err
}

// observeRecord finds the record that this object owns; failing that, once the key is known, the record of the key.
func (r *Reconciler) observeRecord(ctx context.Context, p *pass) error {
	owned, err := r.records.ownedBy(ctx, p.object.UID)
	if err == nil && owned == nil && p.desired.Deleting && p.desired.Finalizer { // there is no other pass to see it in
		owned, err = r.records.ownedByLive(ctx, p.object.UID)
	}
	if err != nil {
		return err
	}
	if owned != nil {
		p.observed.Record, p.observed.Ownership = owned, plan.Mine
		return nil
	}
	p.observed.Ownership = plan.Unclaimed
	if p.keyARN == "" {
		return nil
	}
	record, err := r.records.get(ctx, p.keyARN)
	if err != nil || record == nil {
		return err
	}
	ownership, err := r.ownership(ctx, record, p.object.UID)
	p.observed.Record, p.observed.Ownership = record, ownership
	return err
}

// ownership asks the API server whether the owner still exists: a cache may not know yet.
func (r *Reconciler) ownership(ctx context.Context, record *v1alpha1.KMSKeyRecord, uid types.UID) (plan.Ownership, error) {
	if record.Owner == nil {
		return plan.Ownerless, nil
	}
	if record.Owner.UID == uid {
		return plan.Mine, nil
	}
	gone, err := r.ownerGone(ctx, *record.Owner)
	if err != nil || !gone {
		return plan.Foreign, err
	}
	return plan.Ownerless, nil
}

// own takes note of a record write.
func (p *pass) own(record *v1alpha1.KMSKeyRecord) {
	p.observed.Record, p.observed.Ownership = record, plan.Mine
}

func (p *pass) secretName() types.NamespacedName {
	return types.NamespacedName{Namespace: p.object.Namespace, Name: p.desired.Material.SecretRef.Name}
}

func (p *pass) owner() v1alpha1.RecordOwner {
	return v1alpha1.RecordOwner{Namespace: p.object.Namespace, Name: p.object.Name, UID: p.object.UID}
}

// noteFailure takes note of an import that did not succeed.
func (r *Reconciler) noteFailure(p *pass, err *kms.Error) {
	p.observed.Attempt.Err = err
	if plan.Refused(err) {
		r.memories.refused(p.name, plan.Refusal{Import: p.importing, Secret: p.secretVersion(), Err: err})
	}
	if plan.InDoubt(err) {
		p.observed.Look = nil
	}
}
