package controllers

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// The functions here return what a record becomes; they change nothing and write nothing.

func claimed(record *v1alpha1.KMSKeyRecord, owner v1alpha1.RecordOwner, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Owner = &owner
	if next.Labels == nil {
		next.Labels = map[string]string{}
	}
	next.Labels[v1alpha1.LabelOwnerUID] = string(owner.UID)
	return noted(next, v1alpha1.HistoryEntry{Time: seconds(now), Event: v1alpha1.HistoryClaimed})
}

func released(record *v1alpha1.KMSKeyRecord, now time.Time) *v1alpha1.KMSKeyRecord {
	next := noted(record.DeepCopy(), v1alpha1.HistoryEntry{
		Time:    seconds(now),
		Event:   v1alpha1.HistoryReleased,
		Message: "the owner was deleted; the key keeps its material",
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
	next.Intent, next.Hold = nil, nil
	next.Imported = &v1alpha1.ImportedMaterial{
		MaterialImport: intent.MaterialImport,
		Time:           seconds(now),
		KeyMaterialID:  keyMaterialID,
		RequestID:      answer.RequestID,
	}
	return noted(next, v1alpha1.HistoryEntry{
		Time:      seconds(now),
		Event:     v1alpha1.HistoryImported,
		Message:   particulars(intent.MaterialImport),
		RequestID: answer.RequestID,
	})
}

// confirmed is succeeded without an answer. The import was made within seconds of its intent.
func confirmed(record *v1alpha1.KMSKeyRecord, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	intent := *next.Intent
	next.Intent = nil
	next.Imported = &v1alpha1.ImportedMaterial{MaterialImport: intent.MaterialImport, Time: intent.Time}
	return noted(next, v1alpha1.HistoryEntry{
		Time:    seconds(now),
		Event:   v1alpha1.HistoryImported,
		Message: particulars(intent.MaterialImport) + "; the answer was lost, and the key has since shown the expiry that was sent",
	})
}

func particulars(imported v1alpha1.MaterialImport) string {
	return fmt.Sprintf("%s of Secret %q at resourceVersion %s, %s under %s, %s", imported.Operation, imported.Secret.Name,
		imported.Secret.ResourceVersion, imported.WrappingAlgorithm, imported.WrappingKeySpec, validity(imported))
}

// importRefused takes the intent out, or puts the one back that it took the place of.
func importRefused(record *v1alpha1.KMSKeyRecord, unknown *v1alpha1.ImportIntent, cause *kms.Error, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Intent = unknown.DeepCopy()
	return noted(next, v1alpha1.HistoryEntry{
		Time:    seconds(now),
		Event:   v1alpha1.HistoryImportRefused,
		Message: fmt.Sprintf("%s failed with %s; nothing was imported", cause.Operation, cmp.Or(cause.Code, string(cause.Class))),
	})
}

// tellsTheSame reports whether two versions of a record have the same owner and tell the same of imports.
func tellsTheSame(one, other *v1alpha1.KMSKeyRecord) bool {
	return equality.Semantic.DeepEqual(one.Owner, other.Owner) && equality.Semantic.DeepEqual(one.Intent, other.Intent) &&
		equality.Semantic.DeepEqual(one.Imported, other.Imported)
}

func accepted(record *v1alpha1.KMSKeyRecord, version v1alpha1.SecretVersion, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Imported.Secret = version
	return noted(next, v1alpha1.HistoryEntry{
		Time:    seconds(now),
		Event:   v1alpha1.HistorySecretVersionChecked,
		Message: fmt.Sprintf("Secret %q at resourceVersion %s holds the same material", version.Name, version.ResourceVersion),
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
		next.Hold.Request = &request
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

// noted appends to the history and drops what exceeds its limit. An event that repeats the last one takes its place, so
// that a refusal that is tried again and again does not push out what happened before.
func noted(record *v1alpha1.KMSKeyRecord, entry v1alpha1.HistoryEntry) *v1alpha1.KMSKeyRecord {
	if record.Owner != nil {
		entry.Owner = record.Owner.Namespace + "/" + record.Owner.Name
	}
	if last := len(record.History) - 1; last >= 0 && repeats(record.History[last], entry) {
		record.History = record.History[:last]
	}
	record.History = append(record.History, entry)
	if surplus := len(record.History) - v1alpha1.HistoryLimit; surplus > 0 {
		record.History = record.History[surplus:]
	}
	return record
}

func repeats(last, next v1alpha1.HistoryEntry) bool {
	last.Time, last.RequestID = next.Time, next.RequestID
	return next.Event == v1alpha1.HistoryImportRefused && last == next
}

func validity(imported v1alpha1.MaterialImport) string {
	if imported.ValidTo == nil {
		return imported.ExpirationModel
	}
	return fmt.Sprintf("%s %s", imported.ExpirationModel, imported.ValidTo.UTC().Format(time.RFC3339))
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
