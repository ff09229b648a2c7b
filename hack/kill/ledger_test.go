//go:build kill && unix

package kill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	corev1 "k8s.io/api/core/v1"
	k8stypes "k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// permit is the one case in which managers may delete the material of a key: once, and only for this object.
type permit struct {
	cause  v1alpha1.WithdrawalCause
	object k8stypes.NamespacedName
	secret string
	value  []byte // of the Secret
	used   int
}

// deletion is a DeleteImportedKeyMaterial of a manager that KMS has carried out, whether or not anybody heard.
type deletion struct {
	who, keyARN, requestID string
	cause                  v1alpha1.WithdrawalCause // of the permit; empty where there was none
	imports                int                      // how many imports into the key had succeeded by then
	dropped                bool                     // the answer was
}

// permit lets managers delete the material of a key, once.
func (d *kmsDoor) permit(keyARN string, p permit) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.permits[keyARN] = &p
}

// revoke ends a permit.
func (d *kmsDoor) revoke(keyARN string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.permits, keyARN)
}

// permitted is a copy of the permit for a key, if there is one.
func (d *kmsDoor) permitted(keyARN string) (permit, bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if p := d.permits[keyARN]; p != nil {
		return *p, true
	}
	return permit{}, false
}

// enter writes down a deletion that was carried out.
func (d *kmsDoor) enter(one deletion) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	one.imports = len(d.imports[one.keyARN])
	if p := d.permits[one.keyARN]; p != nil {
		one.cause = p.cause
		if p.used++; p.used > 1 {
			d.violations = append(d.violations, fmt.Sprintf("%s: material was deleted %d times for one %s", one.keyARN, p.used, p.cause))
		}
	}
	d.ledger = append(d.ledger, one)
}

// deletions are what KMS has carried out so far.
func (d *kmsDoor) deletions() []deletion {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return slices.Clone(d.ledger)
}

// deletionsOf are the request IDs of those of a key's material.
func (d *kmsDoor) deletionsOf(keyARN string) []string {
	var all []string
	for _, one := range d.deletions() {
		if one.keyARN == keyARN {
			all = append(all, one.requestID)
		}
	}
	return all
}

// isEmpty reports whether KMS holds no material for a key.
func (w *world) isEmpty(ctx context.Context, keyARN string) (bool, error) {
	answer, err := w.users.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &keyARN})
	if err != nil {
		return false, err
	}
	return answer.KeyMetadata.KeyState == types.KeyStatePendingImport, nil
}

// mayDelete says what is wrong with a deletion that a manager asks for: it needs a permit, an announcement in the record,
// an object that asks for it, and a Secret to bring the material back from.
func (w *world) mayDelete(keyARN string) error {
	p, found := w.kms.permitted(keyARN)
	if !found {
		return errors.New("nothing permits it")
	}
	object, record, secret := &v1alpha1.KMSKeyImport{}, &v1alpha1.KMSKeyRecord{}, &corev1.Secret{}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := errors.Join(
		w.k8s.Get(ctx, p.object, object), w.k8s.Get(ctx, w.recordName(keyARN), record),
		w.k8s.Get(ctx, k8stypes.NamespacedName{Namespace: p.object.Namespace, Name: p.secret}, secret),
	); err != nil {
		return err
	}
	broken := problems(map[string]bool{
		"the record announces it":                     announces(record.Withdrawal, p.cause),
		"the object owns the key":                     record.Owner != nil && record.Owner.UID == object.UID,
		"the operator has imported the material":      record.Imported != nil,
		"nothing adopted is deleted":                  record.Imported == nil || record.Imported.Adopted == nil,
		"no import is under way":                      record.Intent == nil,
		"the Secret could bring it back":              secret.DeletionTimestamp == nil && bytes.Equal(secret.Data["material"], p.value),
		"the object asks for it":                      asksFor(object, p.cause),
		"the object is not suspended":                 object.Spec.Suspend == nil,
		"others had the time to be deleted with this": p.cause != v1alpha1.WithdrawnWithObject || ageOf(object) >= 15*time.Second,
	})
	return errUnless(len(broken) == 0, "not true: "+strings.Join(broken, "; "))
}

func announces(withdrawal *v1alpha1.MaterialWithdrawal, cause v1alpha1.WithdrawalCause) bool {
	return withdrawal != nil && withdrawal.CompletedAt == nil && withdrawal.Cause == cause
}

func asksFor(object *v1alpha1.KMSKeyImport, cause v1alpha1.WithdrawalCause) bool {
	if cause == v1alpha1.WithdrawnWithObject {
		return object.DeletionTimestamp != nil && object.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDeleteKeyMaterial
	}
	return object.DeletionTimestamp == nil && object.Spec.ReimportPolicy == v1alpha1.ReimportAllowInterruption
}

// ageOf is how long ago an object was deleted. That is written down in whole seconds.
func ageOf(object *v1alpha1.KMSKeyImport) time.Duration {
	if object.DeletionTimestamp == nil {
		return 0
	}
	return time.Since(object.DeletionTimestamp.Time)
}

// balance matches every deletion that KMS carried out for a manager with its case, and tells how many there were of each.
func (f *fleet) balance(t *testing.T) string {
	t.Helper()
	count, dropped := map[v1alpha1.WithdrawalCause]int{}, 0
	for _, one := range f.w.kms.deletions() {
		if count[one.cause]++; one.dropped {
			dropped++
		}
		switch one.cause {
		case v1alpha1.WithdrawnWithObject:
		case v1alpha1.WithdrawnForReimport:
			if len(f.w.kms.succeeded(one.keyARN)) <= one.imports {
				t.Errorf("%s: %s has interrupted the key, and no import followed", one.keyARN, one.who)
			}
		default:
			t.Errorf("%s: %s has deleted the material, which nothing permitted", one.keyARN, one.who)
		}
	}
	return fmt.Sprintf("material deleted by managers: %d with its object, %d to interrupt, %d otherwise, %d of them unheard of; by hand %d; kept %v",
		count[v1alpha1.WithdrawnWithObject], count[v1alpha1.WithdrawnForReimport], count[""], dropped, f.byHand, f.retained)
}
