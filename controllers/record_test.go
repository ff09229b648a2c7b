package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

var (
	recordTime  = time.Date(2026, time.March, 1, 14, 0, 0, 987_654_321, time.FixedZone("east", 2*60*60))
	recordStamp = metav1.NewTime(time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC))
	recordOwner = v1alpha1.RecordOwner{Namespace: "payments", Name: "card-key", UID: "uid-1"}
)

func versionOf(resourceVersion string) v1alpha1.SecretVersion {
	return v1alpha1.SecretVersion{Name: "payments-material", UID: "secret-1", ResourceVersion: resourceVersion, Key: "material", Encoding: "Raw"}
}

func importOf(operation v1alpha1.ImportOperation) v1alpha1.MaterialImport {
	return v1alpha1.MaterialImport{
		Operation: operation, Cause: "FirstImport", Fingerprint: "fingerprint-1", Secret: versionOf("100"),
		ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
	}
}

func intentOf(operation v1alpha1.ImportOperation) v1alpha1.ImportIntent {
	return v1alpha1.ImportIntent{MaterialImport: importOf(operation), Time: recordStamp, NotAfter: recordStamp, KeyState: "PendingImport"}
}

// fullRecord is a record in which everything is set.
func fullRecord() *v1alpha1.KMSKeyRecord {
	owner, intent := recordOwner, intentOf("Reimport")
	return &v1alpha1.KMSKeyRecord{
		ObjectMeta: metav1.ObjectMeta{Name: "key-1", ResourceVersion: "7", Labels: map[string]string{"kms.keyimport.dev/owner-uid": "uid-1", "team": "payments"}},
		KeyARN:     "arn:aws:kms:eu-west-1:111122223333:key/1",
		Owner:      &owner,
		Intent:     &intent,
		Hold:       &v1alpha1.KeyHold{KeyState: "PendingDeletion", Time: recordStamp},
		Withdrawal: &v1alpha1.MaterialWithdrawal{
			Cause: "Interruption", Secret: versionOf("100"), Time: recordStamp, NotAfter: recordStamp,
			Sealed: &v1alpha1.SealedMaterial{
				EncryptedKeyMaterial: []byte("wrapped"), ImportToken: []byte("token"), WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_2048",
			},
		},
		Imported: &v1alpha1.ImportedMaterial{MaterialImport: importOf("Import"), Time: recordStamp, KeyMaterialID: "material-1", RequestID: "request-1"},
		History:  []v1alpha1.HistoryEntry{{Time: recordStamp, Event: "Claimed", Owner: "payments/card-key"}},
	}
}

// without is a full record in which some things are not set.
func without(parts ...string) *v1alpha1.KMSKeyRecord {
	record := fullRecord()
	for _, part := range parts {
		switch part {
		case "owner":
			record.Owner, record.Labels = nil, nil
		case "intent":
			record.Intent = nil
		case "hold":
			record.Hold = nil
		case "withdrawal":
			record.Withdrawal = nil
		case "imported":
			record.Imported = nil
		case "history":
			record.History = nil
		}
	}
	return record
}

// Each function returns a new record: here is all that it may change.
func TestWhatARecordBecomes(t *testing.T) {
	cases := map[string]struct {
		reason string
		before *v1alpha1.KMSKeyRecord
		become func(*v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord
		want   func(*v1alpha1.KMSKeyRecord)
		entry  *v1alpha1.HistoryEntry
	}{
		"claimed": {
			reason: "an ownerless record gets an owner, and the label by which the API server finds it",
			before: without("owner"),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord { return claimed(r, recordOwner, recordTime) },
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Owner = &v1alpha1.RecordOwner{Namespace: "payments", Name: "card-key", UID: "uid-1"}
				r.Labels = map[string]string{"kms.keyimport.dev/owner-uid": "uid-1"}
			},
			entry: &v1alpha1.HistoryEntry{Time: recordStamp, Event: "Claimed", Owner: "payments/card-key", Message: "the owner's UID is uid-1"},
		},
		"claimed from another": {
			reason: "an owner that is gone is replaced, and named, since nobody has noted its end; other labels stay",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return claimed(r, v1alpha1.RecordOwner{Namespace: "payments", Name: "new", UID: "uid-2"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Owner = &v1alpha1.RecordOwner{Namespace: "payments", Name: "new", UID: "uid-2"}
				r.Labels["kms.keyimport.dev/owner-uid"] = "uid-2"
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Claimed", Owner: "payments/new",
				Message: "the owner's UID is uid-2; payments/card-key, UID uid-1, which owned the key before, was deleted",
			},
		},
		"released": {
			reason: "the owner goes, the history names it, what was imported stays",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return released(r, "nothing was done to the key", recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Owner = nil
				r.Labels = map[string]string{"team": "payments"}
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Released", Owner: "payments/card-key", Message: "the owner was deleted; nothing was done to the key",
			},
		},
		"released with a long reason": {
			reason: "an event takes 1024 bytes, and no half character",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return released(r, strings.Repeat("é", 1100), recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Owner = nil
				r.Labels = map[string]string{"team": "payments"}
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Released", Owner: "payments/card-key",
				Message: "the owner was deleted; " + strings.Repeat("é", 499) + "…",
			},
		},
		"intended": {
			reason: "an intent is no event: it is replaced by what it came to",
			before: without("intent"),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord { return intended(r, intentOf("Reimport")) },
			want:   func(r *v1alpha1.KMSKeyRecord) { intent := intentOf("Reimport"); r.Intent = &intent },
		},
		"succeeded": {
			reason: "the intent becomes the import",
			before: without("imported"),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return succeeded(r, intentOf("Import"), kms.ImportResult{KeyMaterialID: "material-9", RequestID: "request-9"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Intent, r.Hold, r.Withdrawal = nil, nil, nil // an import fills what was held, or emptied
				r.Imported = &v1alpha1.ImportedMaterial{
					MaterialImport: importOf("Import"), Time: recordStamp, KeyMaterialID: "material-9", RequestID: "request-9",
				}
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Imported", Owner: "payments/card-key", Cause: "FirstImport",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1", KeyMaterialID: "material-9",
				ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
				RequestID: "request-9",
				Message:   `Import of Secret "payments-material" at resourceVersion 100, RSAES_OAEP_SHA_256 under RSA_4096, KEY_MATERIAL_DOES_NOT_EXPIRE`,
			},
		},
		"succeeded without an ID": {
			reason: "the same material has the same ID, though KMS does not repeat it",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return succeeded(r, expiring(intentOf("Reimport")), kms.ImportResult{RequestID: "request-2"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Intent, r.Hold, r.Withdrawal = nil, nil, nil
				r.Imported = &v1alpha1.ImportedMaterial{
					MaterialImport: expiring(intentOf("Reimport")).MaterialImport, Time: recordStamp, KeyMaterialID: "material-1", RequestID: "request-2",
				}
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Imported", Owner: "payments/card-key", Cause: "FirstImport",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1", KeyMaterialID: "material-1",
				ExpirationModel: "KEY_MATERIAL_EXPIRES", ValidTo: &recordStamp, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
				RequestID: "request-2",
				Message:   `Reimport of Secret "payments-material" at resourceVersion 100, RSAES_OAEP_SHA_256 under RSA_4096, KEY_MATERIAL_EXPIRES 2026-03-01T12:00:00Z`,
			},
		},
		"refused": {
			reason: "nothing happened, and what was imported before stands",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return importRefused(r, nil, false, &kms.Error{Operation: "ImportKeyMaterial", Class: "MaterialRefused", Code: "IncorrectKeyMaterialException", Message: "not it"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) { r.Intent = nil },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "ImportRefused", Owner: "payments/card-key", Cause: "FirstImport",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1",
				ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
				Message: "ImportKeyMaterial failed with IncorrectKeyMaterialException; nothing was imported",
			},
		},
		"refused without a code": {
			reason: "the class says what a KMS without codes meant",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return importRefused(r, nil, false, &kms.Error{Operation: "GetParametersForImport", Class: "AccessDenied"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) { r.Intent = nil },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "ImportRefused", Owner: "payments/card-key", Cause: "FirstImport",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1",
				ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
				Message: "GetParametersForImport failed with AccessDenied; nothing was imported",
			},
		},
		"refused after a lost answer": {
			reason: "what KMS refuses now says nothing about what it did before",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				earlier := expiring(intentOf("Import"))
				return importRefused(r, &earlier, false, &kms.Error{Operation: "ImportKeyMaterial", Class: "InvalidState", Code: "KMSInvalidStateException"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				earlier := expiring(intentOf("Import"))
				r.Intent = &earlier
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "ImportRefused", Owner: "payments/card-key", Cause: "FirstImport",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1",
				ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
				Message: "ImportKeyMaterial failed with KMSInvalidStateException; nothing was imported",
			},
		},
		"confirmed": {
			reason: "what the key shows stands in for the answer",
			before: func() *v1alpha1.KMSKeyRecord {
				r := without("imported")
				intent := expiring(intentOf("Import"))
				r.Intent = &intent
				return r
			}(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return confirmed(r, recordTime.Add(time.Minute))
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Imported = &v1alpha1.ImportedMaterial{MaterialImport: r.Intent.MaterialImport, Time: r.Intent.Time}
				r.Intent, r.Withdrawal = nil, nil
			},
			entry: &v1alpha1.HistoryEntry{
				Time: metav1.NewTime(recordStamp.Add(time.Minute)), Event: "Imported", Owner: "payments/card-key", Cause: "FirstImport",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1",
				ExpirationModel: "KEY_MATERIAL_EXPIRES", ValidTo: &recordStamp, WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
				Message: `Import of Secret "payments-material" at resourceVersion 100, RSAES_OAEP_SHA_256 under RSA_4096, KEY_MATERIAL_EXPIRES 2026-03-01T12:00:00Z` +
					"; the answer was lost, and the key has since shown the expiry that was sent",
			},
		},
		"held": {
			reason: "the key was seen disabled, and an import in flight stays in flight",
			before: without("hold"),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord { return held(r, "Disabled", "", recordTime) },
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Hold = &v1alpha1.KeyHold{KeyState: "Disabled", Time: recordStamp}
			},
			entry: &v1alpha1.HistoryEntry{Time: recordStamp, Event: "Held", Owner: "payments/card-key", Message: "the key was seen Disabled"},
		},
		"held, emptied": {
			reason: "the first hold stands, and what was asked for by then is known",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return held(r, "PendingImport", "at noon", recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) { request := "at noon"; r.Hold.Request = &request },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Held", Owner: "payments/card-key", Message: "the key was seen without its material",
			},
		},
		"held, asked at length": {
			reason: "a request may be as long as a whole record: its digest tells it from others",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return held(r, "PendingImport", strings.Repeat("x", 262144), recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Hold.Request = new("sha256:d509bff642a353f88582e8a846ecae041c333b79c57a7a24ff310fbdb7e914e9")
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Held", Owner: "payments/card-key", Message: "the key was seen without its material",
			},
		},
		"held, deleted": {
			reason: "where the spec says Hold",
			before: without("hold"),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord { return held(r, "PendingImport", "", recordTime) },
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Hold = &v1alpha1.KeyHold{KeyState: "PendingImport", Time: recordStamp, Request: new(string)}
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Held", Owner: "payments/card-key", Message: "the key was seen without its material",
			},
		},
		"hold lifted": {
			reason: "nothing but the hold ends",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord { return holdLifted(r, "Enabled", recordTime) },
			want:   func(r *v1alpha1.KMSKeyRecord) { r.Hold = nil },
			entry:  &v1alpha1.HistoryEntry{Time: recordStamp, Event: "HoldLifted", Owner: "payments/card-key"},
		},
		"hold lifted, empty": {
			reason: "the hold ends with the import",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return holdLifted(r, "PendingImport", recordTime)
			},
			want:  func(r *v1alpha1.KMSKeyRecord) { r.Hold.Lifted = new(true) },
			entry: &v1alpha1.HistoryEntry{Time: recordStamp, Event: "HoldLifted", Owner: "payments/card-key"},
		},
		"accepted": {
			reason: "another version of the Secret, the same material, the same import",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return accepted(r, versionOf("101"), recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) { r.Imported.Secret = versionOf("101") },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "SecretVersionChecked", Owner: "payments/card-key",
				Secret: new(versionOf("101")), Fingerprint: "fingerprint-1",
				Message: `Secret "payments-material" at resourceVersion 101 holds the same material`,
			},
		},
		"adopted": {
			reason: "what the key held before is never deleted by the operator",
			before: without("imported", "withdrawal"),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return succeeded(r, caused("Adoption", intentOf("Import")), kms.ImportResult{KeyMaterialID: "material-9", RequestID: "request-9"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Imported = &v1alpha1.ImportedMaterial{
					MaterialImport: caused("Adoption", intentOf("Import")).MaterialImport, Time: recordStamp,
					KeyMaterialID: "material-9", RequestID: "request-9", Adopted: new(true),
				}
				r.Intent, r.Hold = nil, nil
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Imported", Owner: "payments/card-key", Cause: "Adoption",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1", KeyMaterialID: "material-9",
				ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
				RequestID: "request-9",
				Message:   `Import of Secret "payments-material" at resourceVersion 100, RSAES_OAEP_SHA_256 under RSA_4096, KEY_MATERIAL_DOES_NOT_EXPIRE`,
			},
		},
		"withdrawing": {
			reason: "what is about to be done is no event yet",
			before: without("withdrawal"),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return withdrawing(r, v1alpha1.MaterialWithdrawal{Cause: "ObjectDeleted", Secret: versionOf("101"), Time: recordStamp, NotAfter: recordStamp})
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Withdrawal = &v1alpha1.MaterialWithdrawal{Cause: "ObjectDeleted", Secret: versionOf("101"), Time: recordStamp, NotAfter: recordStamp}
			},
		},
		"withdrawn": {
			reason: "the deletion and its request are evidence, and what was sealed waits for its way back",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return withdrawn(r, "request-9", "", recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) {
				r.Withdrawal.CompletedAt, r.Withdrawal.RequestID = &recordStamp, "request-9"
			},
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Withdrawn", Owner: "payments/card-key", Cause: "Interruption",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1", KeyMaterialID: "material-1", RequestID: "request-9",
				Message: `key material that was imported from Secret "payments-material" was deleted in KMS`,
			},
		},
		"withdrawn, the answer lost": {
			reason: "what the key shows stands in for the answer, which had the request ID",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return withdrawn(r, "", "; the answer was lost", recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) { r.Withdrawal.CompletedAt = &recordStamp },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "Withdrawn", Owner: "payments/card-key", Cause: "Interruption",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1", KeyMaterialID: "material-1",
				Message: `key material that was imported from Secret "payments-material" was deleted in KMS; the answer was lost`,
			},
		},
		"withdrawal refused": {
			reason: "the key holds what was imported, as before",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return withdrawalRefused(r, &kms.Error{Operation: "DeleteImportedKeyMaterial", Class: "AccessDenied", Code: "AccessDeniedException", Message: "not you"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) { r.Withdrawal = nil },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "WithdrawalRefused", Owner: "payments/card-key", Cause: "Interruption",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1", KeyMaterialID: "material-1",
				Message: "DeleteImportedKeyMaterial failed with AccessDeniedException; nothing was deleted",
			},
		},
		"withdrawal not shown": {
			reason: "the answer was lost, and the key tells that nothing came of it",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord { return withdrawalForgotten(r, recordTime) },
			want:   func(r *v1alpha1.KMSKeyRecord) { r.Withdrawal = nil },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "WithdrawalNotShown", Owner: "payments/card-key", Cause: "Interruption",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1", KeyMaterialID: "material-1",
				Message: "the answer to the deletion of the key's material was lost, and the key still holds it",
			},
		},
		"sealed, refused": {
			reason: "what KMS will never take is of no use any more",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return importRefused(r, nil, true, &kms.Error{Operation: "ImportKeyMaterial", Class: "TokenRefused", Code: "ExpiredImportTokenException"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) { r.Intent, r.Withdrawal.Sealed = nil, nil },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "ImportRefused", Owner: "payments/card-key", Cause: "FirstImport",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1",
				ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
				Message: "ImportKeyMaterial failed with ExpiredImportTokenException; nothing was imported",
			},
		},
		"sealed, throttled": {
			reason: "it is taken another time",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return importRefused(r, nil, true, &kms.Error{Operation: "ImportKeyMaterial", Class: "Throttled", Code: "ThrottlingException"}, recordTime)
			},
			want: func(r *v1alpha1.KMSKeyRecord) { r.Intent = nil },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "ImportRefused", Owner: "payments/card-key", Cause: "FirstImport",
				Secret: new(versionOf("100")), Fingerprint: "fingerprint-1",
				ExpirationModel: "KEY_MATERIAL_DOES_NOT_EXPIRE", WrappingAlgorithm: "RSAES_OAEP_SHA_256", WrappingKeySpec: "RSA_4096",
				Message: "ImportKeyMaterial failed with ThrottlingException; nothing was imported",
			},
		},
		"unconfirmed": {
			reason: "KMS has not shown what it said",
			before: fullRecord(),
			become: func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord { return unconfirmed(r, recordTime) },
			want:   func(r *v1alpha1.KMSKeyRecord) { r.Imported.Unconfirmed = new(true) },
			entry: &v1alpha1.HistoryEntry{
				Time: recordStamp, Event: "ImportUnconfirmed", Owner: "payments/card-key",
				Message: "KMS answered the import with success and has not shown it since",
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := tc.before.DeepCopy()
			got := tc.become(tc.before)
			if diff := cmp.Diff(before, tc.before); diff != "" {
				t.Errorf("%s: the record itself was changed (-before +after):\n%s", tc.reason, diff)
			}
			want := tc.before.DeepCopy()
			tc.want(want)
			if tc.entry != nil {
				want.History = append(want.History, *tc.entry)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func caused(cause v1alpha1.ImportCause, intent v1alpha1.ImportIntent) v1alpha1.ImportIntent {
	intent.Cause = cause
	return intent
}

func expiring(intent v1alpha1.ImportIntent) v1alpha1.ImportIntent {
	validTo := recordStamp
	intent.ExpirationModel, intent.ValidTo = "KEY_MATERIAL_EXPIRES", &validTo
	return intent
}

func TestHistoryKeepsTheLast20(t *testing.T) {
	record := without("history")
	for i := range 25 {
		record = accepted(record, versionOf(fmt.Sprint(100+i)), recordTime)
		if want := min(i+1, 20); len(record.History) != want {
			t.Fatalf("after %d events the history has %d entries, want %d", i+1, len(record.History), want)
		}
	}
	first, last := record.History[0].Message, record.History[19].Message
	if !strings.Contains(first, "resourceVersion 105 ") || !strings.Contains(last, "resourceVersion 124 ") {
		t.Errorf("the history goes from %q to %q, want from 105 to 124", first, last)
	}
}

// A refusal that is tried again and again does not push out what happened before.
func TestRefusalsReplaceEachOther(t *testing.T) {
	refuse := func(record *v1alpha1.KMSKeyRecord, code string, minute int) *v1alpha1.KMSKeyRecord {
		cause := &kms.Error{Operation: "ImportKeyMaterial", Class: "Other", Code: code, Message: fmt.Sprint("said differently at ", minute)}
		at := recordTime.Add(time.Duration(minute) * time.Minute)
		intent := expiring(intentOf("Reimport"))
		intent.ValidTo = optionalTime(at.Add(time.Hour)) // which moves with every try
		return importRefused(intended(record, intent), nil, false, cause, at)
	}
	again := func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord { return refuse(r, "KMSInternalException", 2) }
	cases := map[string]struct {
		reason string
		second func(*v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord
		want   []string
	}{
		"the same again": {"only its time is new", again, []string{"12:00 Claimed", "12:02 ImportRefused"}},
		"another code": {
			"another refusal", func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return refuse(r, "InvalidCiphertextException", 2)
			},
			[]string{"12:00 Claimed", "12:01 ImportRefused", "12:02 ImportRefused"},
		},
		"another owner": {
			"whose refusal it was, matters",
			func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				r = r.DeepCopy()
				r.Owner.Name = "new"
				return again(r)
			},
			[]string{"12:00 Claimed", "12:01 ImportRefused", "12:02 ImportRefused"},
		},
		"something between": {
			"only the last entry is replaced",
			func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return again(accepted(r, versionOf("101"), recordTime.Add(time.Minute)))
			},
			[]string{"12:00 Claimed", "12:01 ImportRefused", "12:01 SecretVersionChecked", "12:02 ImportRefused"},
		},
		"other events": {
			"what succeeded twice happened twice",
			func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				return holdLifted(holdLifted(r, "PendingImport", recordTime.Add(2*time.Minute)), "Enabled", recordTime.Add(2*time.Minute))
			},
			[]string{"12:00 Claimed", "12:01 ImportRefused", "12:02 HoldLifted", "12:02 HoldLifted"},
		},
		"many times": {
			"what happened before stays",
			func(r *v1alpha1.KMSKeyRecord) *v1alpha1.KMSKeyRecord {
				for minute := range 30 {
					r = refuse(r, "KMSInternalException", minute)
				}
				return r
			},
			[]string{"12:00 Claimed", "12:29 ImportRefused"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			first := refuse(without("intent"), "KMSInternalException", 1)
			before := first.DeepCopy()
			var got []string
			for _, entry := range tc.second(first).History {
				got = append(got, entry.Time.Format("15:04 ")+string(entry.Event))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before, first); diff != "" {
				t.Errorf("%s: the record itself was changed (-before +after):\n%s", tc.reason, diff)
			}
		})
	}
}

// A full history is not changed in place: the record it came from may be a cache's.
func TestHistoryIsNotShared(t *testing.T) {
	record := without("history")
	for i := range 20 {
		record = accepted(record, versionOf(fmt.Sprint(i)), recordTime)
	}
	before := record.DeepCopy()
	one := accepted(record, versionOf("one"), recordTime)
	two := accepted(record, versionOf("two"), recordTime)
	if diff := cmp.Diff(before, record); diff != "" {
		t.Errorf("changed (-before +after):\n%s", diff)
	}
	if !strings.Contains(one.History[19].Message, "resourceVersion one ") || !strings.Contains(two.History[19].Message, "resourceVersion two ") {
		t.Errorf("two successors share a history: %q and %q", one.History[19].Message, two.History[19].Message)
	}
}

func TestOptionalTime(t *testing.T) {
	if got := optionalTime(time.Time{}); got != nil {
		t.Errorf("no time became %s", got)
	}
	if diff := cmp.Diff(&recordStamp, optionalTime(recordTime)); diff != "" {
		t.Errorf("whole seconds in UTC, as the API server keeps them (-want +got):\n%s", diff)
	}
}
