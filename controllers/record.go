package controllers

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

// The functions here return what a record becomes; they change nothing and write nothing.

func claimed(record *v1alpha1.KMSKeyRecord, owner v1alpha1.RecordOwner, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Owner = &owner
	if next.Labels == nil {
		next.Labels = map[string]string{}
	}
	next.Labels[v1alpha1.LabelOwnerUID] = string(owner.UID)
	message := fmt.Sprintf("the owner's UID is %s", owner.UID)
	if before := record.Owner; before != nil { // gone while nobody was there to note it
		message += fmt.Sprintf("; %s/%s, UID %s, which owned the key before, was deleted", before.Namespace, before.Name, before.UID)
	}
	return noted(next, v1alpha1.HistoryEntry{Time: seconds(now), Event: v1alpha1.HistoryClaimed, Message: message})
}

func released(record *v1alpha1.KMSKeyRecord, fate string, now time.Time) *v1alpha1.KMSKeyRecord {
	next := noted(record.DeepCopy(), v1alpha1.HistoryEntry{
		Time:    seconds(now),
		Event:   v1alpha1.HistoryReleased,
		Message: shortened("the owner was deleted; " + fate),
	})
	next.Owner = nil
	delete(next.Labels, v1alpha1.LabelOwnerUID)
	return next
}

func intended(record *v1alpha1.KMSKeyRecord, intent v1alpha1.ImportIntent) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Intent = &intent
	return next
}

func succeeded(record *v1alpha1.KMSKeyRecord, intent v1alpha1.ImportIntent, answer kms.ImportResult, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	keyMaterialID := answer.KeyMaterialID
	if keyMaterialID == "" && next.Imported != nil {
		keyMaterialID = next.Imported.KeyMaterialID // the same material has the same ID
	}
	next.Intent, next.Hold, next.Withdrawal = nil, nil, nil
	next.Imported = &v1alpha1.ImportedMaterial{
		MaterialImport: intent.MaterialImport,
		Time:           seconds(now),
		KeyMaterialID:  keyMaterialID,
		RequestID:      answer.RequestID,
		Adopted:        adopted(record, intent),
	}
	return noted(next, importEntry(next.Imported, now))
}

// adopted is whether the material was in the key before this operator: once so, always so.
func adopted(record *v1alpha1.KMSKeyRecord, intent v1alpha1.ImportIntent) *bool {
	if record.Imported != nil {
		return record.Imported.Adopted
	}
	if intent.Cause == v1alpha1.CauseAdoption {
		return new(true)
	}
	return nil
}

// confirmed is succeeded without an answer. The import was made within seconds of its intent.
func confirmed(record *v1alpha1.KMSKeyRecord, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	intent := *next.Intent
	next.Intent, next.Withdrawal = nil, nil
	next.Imported = &v1alpha1.ImportedMaterial{MaterialImport: intent.MaterialImport, Time: intent.Time, Adopted: adopted(record, intent)}
	entry := importEntry(next.Imported, now)
	entry.Message += "; the answer was lost, and the key has since shown the expiry that was sent"
	return noted(next, entry)
}

// importRefused takes the intent out, or puts the one back that it took the place of. What was sealed and KMS does not
// take is of no use any more.
func importRefused(
	record *v1alpha1.KMSKeyRecord, unknown *v1alpha1.ImportIntent, sealed bool, cause *kms.Error, now time.Time,
) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Intent = unknown.DeepCopy()
	if sealed && plan.Spoilt(cause) {
		next.Withdrawal.Sealed = nil
	}
	entry := attemptEntry(record.Intent.MaterialImport, v1alpha1.HistoryImportRefused, now)
	entry.Message = fmt.Sprintf("%s failed with %s; nothing was imported", cause.Operation, cmp.Or(cause.Code, string(cause.Class)))
	return noted(next, entry)
}

// withdrawing says that the key's material is about to be deleted.
func withdrawing(record *v1alpha1.KMSKeyRecord, withdrawal v1alpha1.MaterialWithdrawal) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Withdrawal = &withdrawal
	return next
}

// withdrawn says that it was; how, where the answer was lost.
func withdrawn(record *v1alpha1.KMSKeyRecord, requestID, how string, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	completed := seconds(now)
	next.Withdrawal.CompletedAt, next.Withdrawal.RequestID = &completed, requestID
	entry := withdrawalEntry(next, v1alpha1.HistoryWithdrawn, now)
	entry.RequestID = requestID
	entry.Message = fmt.Sprintf("key material that was imported from Secret %q was deleted in KMS%s", next.Imported.Secret.Name, how)
	return noted(next, entry)
}

// withdrawalRefused says that it was not.
func withdrawalRefused(record *v1alpha1.KMSKeyRecord, cause *kms.Error, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	entry := withdrawalEntry(next, v1alpha1.HistoryWithdrawalRefused, now)
	entry.Message = fmt.Sprintf("%s failed with %s; nothing was deleted", cause.Operation, cmp.Or(cause.Code, string(cause.Class)))
	next.Withdrawal = nil
	return noted(next, entry)
}

// withdrawalForgotten says that KMS has not shown it.
func withdrawalForgotten(record *v1alpha1.KMSKeyRecord, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	entry := withdrawalEntry(next, v1alpha1.HistoryWithdrawalNotShown, now)
	entry.Message = "the answer to the deletion of the key's material was lost, and the key still holds it"
	next.Withdrawal = nil
	return noted(next, entry)
}

func withdrawalEntry(record *v1alpha1.KMSKeyRecord, event v1alpha1.HistoryEvent, now time.Time) v1alpha1.HistoryEntry {
	return v1alpha1.HistoryEntry{
		Time:          seconds(now),
		Event:         event,
		Cause:         string(record.Withdrawal.Cause),
		Secret:        record.Withdrawal.Secret.DeepCopy(),
		Fingerprint:   record.Imported.Fingerprint,
		KeyMaterialID: record.Imported.KeyMaterialID,
	}
}

// tellsTheSame reports whether two versions of a record have the same owner and tell the same of imports and withdrawals.
func tellsTheSame(one, other *v1alpha1.KMSKeyRecord) bool {
	return equality.Semantic.DeepEqual(one.Owner, other.Owner) && equality.Semantic.DeepEqual(one.Intent, other.Intent) &&
		equality.Semantic.DeepEqual(one.Imported, other.Imported) && equality.Semantic.DeepEqual(one.Withdrawal, other.Withdrawal)
}

func accepted(record *v1alpha1.KMSKeyRecord, version v1alpha1.SecretVersion, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Imported.Secret = version
	return noted(next, v1alpha1.HistoryEntry{
		Time:        seconds(now),
		Event:       v1alpha1.HistorySecretVersionChecked,
		Secret:      &version,
		Fingerprint: next.Imported.Fingerprint,
		Message:     fmt.Sprintf("Secret %q at resourceVersion %s holds the same material", version.Name, version.ResourceVersion),
	})
}

// held keeps an earlier hold when the key has been emptied since, and notes what a person had asked for by then.
func held(record *v1alpha1.KMSKeyRecord, state kms.KeyState, request string, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	message := fmt.Sprintf("the key was seen %s", state)
	if next.Hold == nil || state != kms.KeyStatePendingImport {
		next.Hold = &v1alpha1.KeyHold{KeyState: string(state), Time: seconds(now)}
	}
	if state == kms.KeyStatePendingImport {
		next.Hold.Request = new(plan.Abridged(request))
		message = "the key was seen without its material"
	}
	return noted(next, v1alpha1.HistoryEntry{Time: seconds(now), Event: v1alpha1.HistoryHeld, Message: message})
}

// unconfirmed notes that KMS has not shown the last import.
func unconfirmed(record *v1alpha1.KMSKeyRecord, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Imported.Unconfirmed = new(true)
	return noted(next, v1alpha1.HistoryEntry{
		Time:    seconds(now),
		Event:   v1alpha1.HistoryImportUnconfirmed,
		Message: "KMS answered the import with success and has not shown it since",
	})
}

func confirmedLate(record *v1alpha1.KMSKeyRecord, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Imported.Unconfirmed = nil
	return noted(next, v1alpha1.HistoryEntry{Time: seconds(now), Event: v1alpha1.HistoryImportConfirmed})
}

// holdLifted forgets the hold of an enabled key; that of an empty one ends with the import that follows.
func holdLifted(record *v1alpha1.KMSKeyRecord, state kms.KeyState, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Hold.Lifted = new(true)
	if state == kms.KeyStateEnabled {
		next.Hold = nil
	}
	return noted(next, v1alpha1.HistoryEntry{Time: seconds(now), Event: v1alpha1.HistoryHoldLifted})
}

// seconds is the precision in which the API server keeps times.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }

func optionalDuration(d time.Duration) *metav1.Duration {
	if d == 0 {
		return nil
	}
	return &metav1.Duration{Duration: d}
}

func optionalTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	at := seconds(t)
	return &at
}
