//go:build kill && unix

package kill_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	k8stypes "k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// recordName is the name of the record of a key.
func (w *world) recordName(keyARN string) k8stypes.NamespacedName {
	digest := sha256.Sum256([]byte(keyARN))
	return k8stypes.NamespacedName{Namespace: w.system, Name: "key-" + hex.EncodeToString(digest[:])}
}

// intentFirst says what is wrong with an import that no intent in the record announces: somebody could be killed now, and
// nobody would know.
func (w *world) intentFirst(asked importRequest) error {
	record := &v1alpha1.KMSKeyRecord{}
	err := w.k8s.Get(context.Background(), w.recordName(asked.KeyId), record)
	var validTo int64
	if record.Intent != nil && record.Intent.ValidTo != nil {
		validTo = record.Intent.ValidTo.Unix()
	}
	switch {
	case err == nil && record.Intent != nil && validTo == int64(asked.ValidTo):
		return nil
	case w.process(asked.who).hasEnded():
		return nil // a late request: whoever came next may have cleaned up already
	case err != nil:
		return err
	default:
		return errors.New("the record holds no intent for it")
	}
}

// facts are what there is to be known of a key from outside.
type facts struct {
	object  *v1alpha1.KMSKeyImport
	record  *v1alpha1.KMSKeyRecord
	secret  *corev1.Secret
	kms     *types.KeyMetadata
	imports []string
	strays  int // how many of the last imports nobody could write down

	deletions []string // the request IDs of those of its material by managers
	unheard   bool     // KMS is one to which no import is sent again that may have succeeded
}

// check compares every key with its object. It is for a world in which nothing moves.
func (f *fleet) check(ctx context.Context) error {
	objects, records, secrets := &v1alpha1.KMSKeyImportList{}, &v1alpha1.KMSKeyRecordList{}, &corev1.SecretList{}
	if err := errors.Join(
		f.w.k8s.List(ctx, objects), f.w.k8s.List(ctx, records, client.InNamespace(f.w.system)), f.w.k8s.List(ctx, secrets),
	); err != nil {
		return err
	}
	if len(records.Items) != len(f.keys) {
		return fmt.Errorf("there are %d records of %d keys", len(records.Items), len(f.keys))
	}
	found := map[k8stypes.NamespacedName]*facts{}
	for name, k := range f.byName {
		answer, err := f.w.users.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &k.arn})
		if err != nil {
			return err
		}
		found[name] = &facts{
			kms: answer.KeyMetadata, imports: f.w.kms.succeeded(k.arn), strays: f.strays,
			deletions: f.w.kms.deletionsOf(k.arn), unheard: f.w.dialect == localkms.QKMS,
		}
	}
	bySecret := map[k8stypes.NamespacedName]*facts{}
	for name, k := range f.byName {
		bySecret[k8stypes.NamespacedName{Namespace: name.Namespace, Name: k.secret}] = found[name]
	}
	for i := range objects.Items {
		if one := found[client.ObjectKeyFromObject(&objects.Items[i])]; one != nil {
			one.object = &objects.Items[i]
		}
	}
	for i := range secrets.Items {
		if one := bySecret[client.ObjectKeyFromObject(&secrets.Items[i])]; one != nil {
			one.secret = &secrets.Items[i]
		}
	}
	for i := range records.Items {
		owner := records.Items[i].Owner
		if owner == nil || found[k8stypes.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}] == nil {
			return fmt.Errorf("record %s has no owner that there is", records.Items[i].KeyARN)
		}
		found[k8stypes.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}].record = &records.Items[i]
	}
	return f.compare(found)
}

func (f *fleet) compare(found map[k8stypes.NamespacedName]*facts) error {
	var wrong []error
	for _, k := range f.keys {
		one := found[k.name]
		if one.object == nil || one.record == nil || one.secret == nil {
			wrong = append(wrong, fmt.Errorf("%s: object, record or Secret is missing", k.name))
			continue
		}
		if broken := slices.Concat(k.checkKMS(one), k.checkRecord(one), k.checkObject(one)); len(broken) > 0 {
			wrong = append(wrong, fmt.Errorf("%s: not true: %s\n  %s", k.name, strings.Join(broken, "; "), one))
		}
	}
	const enough = 5
	if len(wrong) > enough {
		wrong = append(wrong[:enough], fmt.Errorf("and %d more", len(wrong)-enough))
	}
	return errors.Join(wrong...)
}

// String tells enough to understand what went wrong. Nothing of it is material.
func (f *facts) String() string {
	f.record.ManagedFields = nil
	text, err := json.Marshal(map[string]any{
		"status": f.object.Status, "record": f.record, "state": f.kms.KeyState, "validTo": f.kms.ValidTo, "imports": f.imports,
		"annotations": f.object.Annotations, "spec": f.object.Spec,
	})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// problems are what does not hold, by what should.
func problems(claims map[string]bool) []string {
	var broken []string
	for claim, holds := range claims {
		if !holds {
			broken = append(broken, claim)
		}
	}
	slices.Sort(broken)
	return broken
}

func (k *key) checkKMS(f *facts) []string {
	if k.left {
		return problems(map[string]bool{"KMS holds no material": f.kms.KeyState == types.KeyStatePendingImport})
	}
	model := types.ExpirationModelTypeKeyMaterialDoesNotExpire
	if k.expires() {
		model = types.ExpirationModelTypeKeyMaterialExpires
	}
	return problems(map[string]bool{
		"KMS has the key enabled":                          f.kms.KeyState == types.KeyStateEnabled,
		"KMS has it expire as the object says":             f.kms.ExpirationModel == model,
		"KMS has the expiry of the record":                 sameTime(f.kms.ValidTo, f.record.Imported.ValidTo),
		"KMS has the expiry of the status":                 sameTime(f.kms.ValidTo, f.object.Status.ValidTo),
		"the material was renewed, for nobody deleted any": !k.spared || f.kms.ValidTo != nil && f.kms.ValidTo.Sub(k.validTo) > 20*time.Second,
	})
}

func sameTime(ours *time.Time, theirs *metav1.Time) bool {
	if ours == nil || theirs == nil {
		return ours == nil && theirs == nil
	}
	return ours.Unix() == theirs.Unix()
}

func (k *key) checkRecord(f *facts) []string {
	imported := f.record.Imported
	if imported == nil {
		return []string{"the record says what was imported"}
	}
	held := f.record.Hold != nil && f.record.Hold.KeyState == "PendingImport"
	return append(k.checkHistory(f), problems(map[string]bool{
		"the record is that of the key":             f.record.KeyARN == k.arn,
		"the owner is the object":                   f.record.Owner.UID == f.object.UID,
		"no intent is left":                         f.record.Intent == nil,
		"no withdrawal is left":                     f.record.Withdrawal == nil,
		"what was adopted stays so, and no more":    (imported.Adopted != nil && *imported.Adopted) == k.adopted,
		"the record holds what was deleted":         held == k.left,
		"the fingerprint is that of the first time": imported.Fingerprint == k.fingerprint,
		"the record knows the Secret as it is":      imported.Secret.UID == f.secret.UID && imported.Secret.ResourceVersion == f.secret.ResourceVersion,
		"the record tells of the last import":       f.knows(f.imports[max(0, len(f.imports)-1-f.strays):], imported.RequestID),
		"the record has KMS's ID of the material":   f.kms.CurrentKeyMaterialId == nil || imported.KeyMaterialID == *f.kms.CurrentKeyMaterialId,
		"the import counts as confirmed":            imported.Unconfirmed == nil,
	})...)
}

// knows reports whether KMS has carried out what the record tells of. An answer that nobody heard has told nobody its ID.
func (f *facts) knows(done []string, requestID string) bool {
	return slices.Contains(done, requestID) || requestID == "" && f.unheard && len(done) > 0
}

// checkHistory reads the last 20 entries.
func (k *key) checkHistory(f *facts) []string {
	count := map[v1alpha1.HistoryEvent]int{}
	untrue, inOrder := 0, true
	var before v1alpha1.HistoryEntry
	for i, entry := range f.record.History {
		inOrder = inOrder && (i == 0 || !entry.Time.Before(&before.Time))
		count[entry.Event]++
		switch entry.Event {
		case v1alpha1.HistoryClaimed:
			inOrder = inOrder && (i == 0 || before.Event == v1alpha1.HistoryReleased)
		case v1alpha1.HistoryImported:
			inOrder = inOrder && f.knows(f.imports, entry.RequestID)
		case v1alpha1.HistoryWithdrawn: // the answer may have been lost, and somebody else may have done it then
			inOrder = inOrder && (entry.RequestID == "" || slices.Contains(f.deletions, entry.RequestID))
		case v1alpha1.HistoryReleased, v1alpha1.HistoryImportRefused, v1alpha1.HistorySecretVersionChecked:
		case v1alpha1.HistoryHeld, v1alpha1.HistoryHoldLifted:
			inOrder = inOrder && k.holds()
		case v1alpha1.HistoryImportUnconfirmed, v1alpha1.HistoryImportConfirmed,
			v1alpha1.HistoryWithdrawalRefused, v1alpha1.HistoryWithdrawalNotShown:
			untrue++
		default:
			untrue++
		}
		before = entry
	}
	whole := len(f.record.History) < v1alpha1.HistoryLimit
	claimed, imported := count[v1alpha1.HistoryClaimed], count[v1alpha1.HistoryImported]
	return problems(map[string]bool{
		"the history is in order, and KMS knows what it tells": inOrder,
		"the history tells of nothing that did not happen":     untrue == 0,
		"the key was claimed by each object, after the last":   claimed == k.applied || claimed < k.applied && !whole,
		"the key was released by each object but the last":     count[v1alpha1.HistoryReleased] == k.applied-1 || !whole,
		"the history tells of no more imports than there were": imported <= len(f.imports) && (imported > 0 || !whole),
		"the history tells of no other withdrawals":            count[v1alpha1.HistoryWithdrawn] <= k.permits,
	})
}

func (k *key) checkObject(f *facts) []string {
	want, reason, computed := metav1.ConditionTrue, v1alpha1.ReasonImported, status.CurrentStatus
	settled := isSettled(f.object)
	if k.left {
		want, reason, computed = metav1.ConditionFalse, v1alpha1.ReasonMaterialDeleted, status.FailedStatus
		settled = stalledReason(f.object) == v1alpha1.ReasonMaterialDeleted && len(f.object.Status.Conditions) == 2
	}
	ready := meta.FindStatusCondition(f.object.Status.Conditions, "Ready")
	if ready == nil {
		return []string{"the object is seen"}
	}
	return problems(map[string]bool{
		"Ready is as it should be":              ready.Status == want && ready.Reason == reason,
		"there is no other condition":           settled,
		"the status is about the spec as it is": f.object.Status.ObservedGeneration != nil && *f.object.Status.ObservedGeneration == f.object.Generation,
		"kstatus says the same":                 kstatusOf(f.object) == computed,
		"every request was answered":            isAnswered(f.object),
		"it has the finalizer if it needs it":   slices.Contains(f.object.Finalizers, v1alpha1.FinalizerKeyMaterial) == k.needsFinalizer(),
		"a renewal is planned where one is due": (f.object.Status.RenewalTime != nil) == k.expires(),
	})
}

func isAnswered(object *v1alpha1.KMSKeyImport) bool {
	return object.Annotations[v1alpha1.AnnotationReconcileRequestedAt] == object.Status.LastHandledReconcileAt &&
		object.Annotations[v1alpha1.AnnotationReimportRequestedAt] == object.Status.LastHandledReimportAt
}

func kstatusOf(object *v1alpha1.KMSKeyImport) status.Status {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return status.UnknownStatus
	}
	computed, err := status.Compute(&unstructured.Unstructured{Object: content})
	if err != nil {
		return status.UnknownStatus
	}
	return computed.Status
}
