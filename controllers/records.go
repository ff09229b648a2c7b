package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// Indexes of the cached records.
const (
	indexOwnerUID  = "owner.uid"
	indexOwnerName = "owner.name"
)

// records finds KMSKeyRecords.
type records struct {
	cached    client.Client
	live      client.Reader
	namespace string
}

// recordName is the name of the record of a key: a hash, because an ARN is no object name.
func recordName(keyARN string) string {
	digest := sha256.Sum256([]byte(keyARN))
	return "key-" + hex.EncodeToString(digest[:])
}

// blank is a record that is not stored yet.
func (r records) blank(keyARN string) *v1alpha1.KMSKeyRecord {
	return &v1alpha1.KMSKeyRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: recordName(keyARN)},
		KeyARN:     keyARN,
	}
}

// get reads the record of a key from the API server; nil when there is none.
func (r records) get(ctx context.Context, keyARN string) (*v1alpha1.KMSKeyRecord, error) {
	record := &v1alpha1.KMSKeyRecord{}
	err := r.live.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: recordName(keyARN)}, record)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("get KMSKeyRecord: %w", err)
	case record.KeyARN != keyARN:
		return nil, fmt.Errorf("KMSKeyRecord %s is about another key than its name says: delete it if it was made by hand", record.Name)
	default:
		return record, nil
	}
}

// ownedBy finds the record that an object owns in the cache; nil when there is none.
func (r records) ownedBy(ctx context.Context, uid types.UID) (*v1alpha1.KMSKeyRecord, error) {
	return r.first(ctx, r.cached, client.MatchingFields{indexOwnerUID: string(uid)})
}

// ownedByLive asks the API server.
func (r records) ownedByLive(ctx context.Context, uid types.UID) (*v1alpha1.KMSKeyRecord, error) {
	return r.first(ctx, r.live, client.MatchingLabels{v1alpha1.LabelOwnerUID: string(uid)})
}

func (r records) first(ctx context.Context, reader client.Reader, selector client.ListOption) (*v1alpha1.KMSKeyRecord, error) {
	list := &v1alpha1.KMSKeyRecordList{}
	if err := reader.List(ctx, list, client.InNamespace(r.namespace), selector); err != nil {
		return nil, fmt.Errorf("list KMSKeyRecords: %w", err)
	}
	if len(list.Items) == 0 {
		return nil, nil
	}
	return &list.Items[0], nil
}

// confirmRecord makes sure, before an effect, that the API server has the record that was observed, or none where none
// was.
func (r *Reconciler) confirmRecord(ctx context.Context, p *pass) error {
	stored, err := r.records.get(ctx, p.keyARN)
	if err != nil {
		return err
	}
	observed := p.observed.Record
	switch {
	case observed == nil && stored == nil:
		return r.ownsNothingElse(ctx, p)
	case observed != nil && stored != nil && observed.ResourceVersion == stored.ResourceVersion:
		if p.observed.Ownership == plan.Ownerless {
			return r.ownsNothingElse(ctx, p)
		}
		return nil
	default:
		return fmt.Errorf("record of the key: %w", errStale)
	}
}

// ownsNothingElse makes sure that this object has no key yet, whatever the cache says: it would get a second one.
func (r *Reconciler) ownsNothingElse(ctx context.Context, p *pass) error {
	owned, err := r.records.ownedByLive(ctx, p.object.UID)
	if err != nil {
		return err
	}
	if owned != nil {
		return fmt.Errorf("records of this object: %w", errStale)
	}
	return nil
}

// ownerGone asks the API server whether an owner was deleted, or deleted and made again.
func (r *Reconciler) ownerGone(ctx context.Context, owner v1alpha1.RecordOwner) (bool, error) {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("KMSKeyImport"))
	err := r.live.Get(ctx, types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case apierrors.IsForbidden(err) && !r.watches(owner.Namespace):
		return false, nil // not ours to see, so not ours to take
	case err != nil:
		return false, fmt.Errorf("get owner of KMSKeyRecord: %w", err)
	default:
		return object.UID != owner.UID, nil
	}
}

// releaseRecords gives up the keys of objects that no longer exist under this name: of all of them, or of all but the
// one with the given UID. Nothing is done to the keys.
func (r *Reconciler) releaseRecords(ctx context.Context, name types.NamespacedName, except types.UID) error {
	list := &v1alpha1.KMSKeyRecordList{}
	err := r.client.List(ctx, list, client.InNamespace(r.records.namespace), client.MatchingFields{indexOwnerName: name.String()})
	if err != nil {
		return fmt.Errorf("list KMSKeyRecords: %w", err)
	}
	for i := range list.Items {
		record := &list.Items[i]
		ownership, err := r.ownership(ctx, record, except)
		if err != nil {
			return err
		}
		if ownership != plan.Ownerless {
			continue
		}
		if err := r.client.Update(ctx, released(record, fateOf(record, plan.ReleaseObject{}), r.clock.Now())); err != nil {
			return fmt.Errorf("release KMSKeyRecord: %w", err)
		}
	}
	return nil
}
