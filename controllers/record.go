package controllers

import (
	"fmt"
	"time"

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
	next.Intent = nil
	next.Imported = &v1alpha1.ImportedMaterial{
		MaterialImport: intent.MaterialImport,
		Time:           seconds(now),
		KeyMaterialID:  keyMaterialID,
		RequestID:      answer.RequestID,
	}
	return noted(next, v1alpha1.HistoryEntry{
		Time:  seconds(now),
		Event: v1alpha1.HistoryImported,
		Message: fmt.Sprintf("%s of Secret %q at resourceVersion %s, %s under %s, %s",
			intent.Operation, intent.Secret.Name, intent.Secret.ResourceVersion, intent.WrappingAlgorithm, intent.WrappingKeySpec, validity(intent.MaterialImport)),
		RequestID: answer.RequestID,
	})
}

func refused(record *v1alpha1.KMSKeyRecord, cause *kms.Error, now time.Time) *v1alpha1.KMSKeyRecord {
	next := record.DeepCopy()
	next.Intent = nil
	return noted(next, v1alpha1.HistoryEntry{
		Time:    seconds(now),
		Event:   v1alpha1.HistoryImportRefused,
		Message: fmt.Sprintf("%s answered %s; nothing was imported", cause.Operation, cause.Code),
	})
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

// noted appends to the history and drops what exceeds its limit.
func noted(record *v1alpha1.KMSKeyRecord, entry v1alpha1.HistoryEntry) *v1alpha1.KMSKeyRecord {
	if record.Owner != nil {
		entry.Owner = record.Owner.Namespace + "/" + record.Owner.Name
	}
	record.History = append(record.History, entry)
	if surplus := len(record.History) - v1alpha1.HistoryLimit; surplus > 0 {
		record.History = record.History[surplus:]
	}
	return record
}

func validity(imported v1alpha1.MaterialImport) string {
	if imported.ValidTo == nil {
		return imported.ExpirationModel
	}
	return fmt.Sprintf("%s %s", imported.ExpirationModel, imported.ValidTo.UTC().Format(time.RFC3339))
}

// seconds is the precision in which the API server keeps times.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }

func optionalTime(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	at := seconds(t)
	return &at
}
