package controllers

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
)

// longestMessage is how many bytes the API server takes as the note of an event; of an entry it takes as many characters.
const longestMessage = 1024

// shortened cuts a message to the length that an entry or an event takes.
func shortened(message string) string {
	const ellipsis = "…"
	if len(message) <= longestMessage {
		return message
	}
	return strings.ToValidUTF8(message[:longestMessage-len(ellipsis)], "") + ellipsis
}

// importEntry tells of an import that succeeded.
func importEntry(imported *v1alpha1.ImportedMaterial, now time.Time) v1alpha1.HistoryEntry {
	entry := attemptEntry(imported.MaterialImport, v1alpha1.HistoryImported, now)
	entry.Message = particulars(imported.MaterialImport)
	entry.RequestID, entry.KeyMaterialID = imported.RequestID, imported.KeyMaterialID
	return entry
}

// attemptEntry tells what was to be imported.
func attemptEntry(attempt v1alpha1.MaterialImport, event v1alpha1.HistoryEvent, now time.Time) v1alpha1.HistoryEntry {
	return v1alpha1.HistoryEntry{
		Time:              seconds(now),
		Event:             event,
		Cause:             string(attempt.Cause),
		Secret:            attempt.Secret.DeepCopy(),
		Fingerprint:       attempt.Fingerprint,
		ExpirationModel:   attempt.ExpirationModel,
		ValidTo:           attempt.ValidTo.DeepCopy(),
		WrappingAlgorithm: attempt.WrappingAlgorithm,
		WrappingKeySpec:   attempt.WrappingKeySpec,
	}
}

func particulars(imported v1alpha1.MaterialImport) string {
	return fmt.Sprintf("%s of Secret %q at resourceVersion %s, %s under %s, %s", imported.Operation, imported.Secret.Name,
		imported.Secret.ResourceVersion, imported.WrappingAlgorithm, imported.WrappingKeySpec, validity(imported))
}

func validity(imported v1alpha1.MaterialImport) string {
	if imported.ValidTo == nil {
		return imported.ExpirationModel
	}
	return fmt.Sprintf("%s %s", imported.ExpirationModel, imported.ValidTo.UTC().Format(time.RFC3339))
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

// repeats reports whether what came of a try says no more than the last one. An expiry that is counted from now moves with every
// try.
func repeats(last, next v1alpha1.HistoryEntry) bool {
	last.Time, last.ValidTo = next.Time, next.ValidTo
	tried := next.Event == v1alpha1.HistoryImportRefused || next.Event == v1alpha1.HistoryWithdrawalRefused ||
		next.Event == v1alpha1.HistoryWithdrawalNotShown
	return tried && equality.Semantic.DeepEqual(last, next)
}
