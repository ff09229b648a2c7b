package controllers

import (
	"bytes"
	"cmp"
	"fmt"
	"testing"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// TestOneFailure tells each story once undisturbed, and then once for each call in it and each way in which that call can
// fail, just once. Whatever fails, nothing wrong is written down, and the story ends as it does undisturbed.
func TestOneFailure(t *testing.T) {
	shared := newOrigin(t)
	for name, told := range allStories() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			undisturbed := told.tell(t, shared, &script{at: -1, assumed: told.assumed}, false)
			if got, want := undisturbed.summary(), cmp.Or(told.ends, imported); got != want {
				t.Fatalf("undisturbed: got %s, want %s", got, want)
			}
			if got := len(undisturbed.made) - undisturbed.madeBefore; got != told.imports {
				t.Fatalf("undisturbed: %d imports, want %d", got, told.imports)
			}
			for at, call := range undisturbed.script.calls {
				for _, how := range ways() {
					if how.kind == call.kind {
						told.fail(t, shared, undisturbed, at, how)
					}
				}
			}
		})
	}
}

// fail tells a story in which one call fails. The pass after may find that the cache lags behind the one before.
func (s story) fail(t *testing.T, shared origin, undisturbed *world, at int, how way) {
	t.Helper()
	for _, lagging := range []bool{false, true} {
		if lagging && !how.lag {
			continue
		}
		t.Run(fmt.Sprintf("%d %s %s, lagging %t", at, undisturbed.script.calls[at].name, how.name, lagging), func(t *testing.T) {
			disturbed := s.tell(t, shared, &script{at: at, way: how, assumed: s.assumed}, lagging)
			if !disturbed.script.fired {
				t.Fatal("nothing failed")
			}
			disturbed.checkEnd(s, undisturbed)
		})
	}
}

// tell has a story happen.
func (s story) tell(t *testing.T, shared origin, by *script, lagging bool) *world {
	t.Helper()
	w := newWorld(t, shared, cmp.Or(s.dialect, kms.DialectAWS), by)
	w.lagging = lagging
	for _, happen := range s.before {
		happen(w)
		w.rest()
	}
	w.madeBefore = len(w.made)
	w.script.armed = true
	for _, happen := range s.then {
		happen(w)
		w.rest()
	}
	w.script.armed = false
	return w
}

// checkEnd compares the end of a story with what it is undisturbed.
func (w *world) checkEnd(told story, undisturbed *world) {
	w.t.Helper()
	lost := w.script.lostAnswer()
	again := 0
	if lost || told.requested && w.script.way.dies() {
		again = 1
	}
	if got, most := len(w.made), len(undisturbed.made)+again; got > most {
		w.t.Errorf("%d imports were made, at most %d are needed", got, most)
	}
	for _, call := range []string{"GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"} {
		if got, most := w.script.count(call), undisturbed.script.count(call)+1; got > most {
			w.t.Errorf("%d calls of %s, at most %d are needed", got, call, most)
		}
	}
	more := 3
	if undisturbed.withdrawn > 0 {
		more = 9 // looks, for five minutes, at what a withdrawal came to whose answer was lost
	}
	if got, most := w.passes, undisturbed.passes+more; got > most {
		w.t.Errorf("%d passes, at most %d are needed", got, most)
	}
	if told.unverifiable && lost {
		w.checkUnverifiable()
		return
	}
	want, got := undisturbed.end(), w.end()
	if madeAgain := got.cause(); madeAgain == v1alpha1.CauseOutcomeUnknown || madeAgain == v1alpha1.CauseRequested && told.requested && w.script.way.dies() {
		got.Record.Imported.Cause = want.cause()
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		w.t.Errorf("the end differs (-undisturbed +disturbed):\n%s", diff)
	}
	if told.emptied {
		return // which the end tells
	}
	w.checkUse()
}

// end is what a story ends with, without times.
type end struct {
	Conditions []string
	Status     v1alpha1.KMSKeyImportStatus
	Record     v1alpha1.KMSKeyRecord
	History    []string
	KeyState   kmstypes.KeyState
	Model      kmstypes.ExpirationModelType
}

// cause is that of the last import; empty when there was none.
func (e end) cause() v1alpha1.ImportCause {
	if e.Record.Imported == nil {
		return ""
	}
	return e.Record.Imported.Cause
}

func (w *world) end() end {
	w.t.Helper()
	key := w.describe()
	found := end{KeyState: key.KeyState, Model: key.ExpirationModel}
	if object := w.object(); object != nil {
		found.Status = *object.Status.DeepCopy()
		for i := range found.Status.Conditions {
			found.Status.Conditions[i].LastTransitionTime = metav1.Time{}
		}
		if object.Spec.Expiration != nil && object.Spec.Expiration.ValidFor != nil {
			found.Status.ValidTo, found.Status.RenewalTime = nil, nil
		}
		if found.Status.Material != nil {
			found.Status.Material.ImportedAt = nil
			found.Status.Material.Fingerprint = "" // under a key of this world
			found.Status.Material.KeyMaterialID = ""
		}
		if found.Status.Key != nil {
			found.Status.Key.ARN = ""
		}
	}
	if record := w.record(); record != nil {
		found.Record = v1alpha1.KMSKeyRecord{Owner: record.Owner, Intent: record.Intent, Hold: record.Hold.DeepCopy(), Imported: record.Imported.DeepCopy()}
		if found.Record.Hold != nil {
			found.Record.Hold.Time = metav1.Time{}
		}
		if withdrawal := record.Withdrawal.DeepCopy(); withdrawal != nil {
			found.Record.Withdrawal = &v1alpha1.MaterialWithdrawal{Cause: withdrawal.Cause, Secret: withdrawal.Secret}
		}
		if imported := found.Record.Imported; imported != nil {
			imported.Cause = "" // which tells of the failure
			imported.Time, imported.RequestID, imported.Fingerprint, imported.KeyMaterialID = metav1.Time{}, "", "", ""
			if imported.ValidFor != nil {
				imported.ValidTo = nil
			}
		}
		found.History = eventsOf(record.History)
	}
	return found
}

// eventsOf leaves out what a failure may add: a refused import, one made twice, and the end of a hold because the key was
// seen enabled by an import whose answer was lost. The hold itself is compared.
func eventsOf(history []v1alpha1.HistoryEntry) []string {
	var all []string
	for _, entry := range history {
		event := string(entry.Event)
		if entry.Event == v1alpha1.HistoryImportRefused || entry.Event == v1alpha1.HistoryWithdrawalRefused || entry.Event == v1alpha1.HistoryWithdrawalNotShown || entry.Event == v1alpha1.HistoryHoldLifted || len(all) > 0 && all[len(all)-1] == event {
			continue
		}
		all = append(all, event)
	}
	return all
}

// checkUse proves that the key holds the material that it held before.
func (w *world) checkUse() {
	w.t.Helper()
	if w.ciphertext == nil {
		use(w)
	}
	answer, err := w.admin.Decrypt(w.ctx, &awskmssdk.DecryptInput{CiphertextBlob: w.ciphertext, KeyId: &w.key})
	if err != nil || string(answer.Plaintext) != "payments" {
		w.t.Errorf("what was encrypted before cannot be decrypted: %v", err)
	}
}

// checkUnverifiable is the end of an import whose answer was lost, and by nothing to be made up for: a person decides.
func (w *world) checkUnverifiable() {
	w.t.Helper()
	if got := w.summary(); got != "Ready=False MaterialUnverifiable, Stalled=True MaterialUnverifiable" {
		w.t.Errorf("got %s", got)
	}
	if record := w.record(); record.Intent == nil || record.Imported != nil {
		w.t.Errorf("intent %v, imported %v", record.Intent, record.Imported)
	}
}

// checkEffect is asked just before KMS is: the record tells of it, and the key may be imported into.
func (w *world) checkEffect(request kms.ImportRequest) {
	w.t.Helper()
	record := w.record()
	if record == nil || record.Intent == nil || record.Owner == nil || record.Owner.UID != w.object().UID {
		w.t.Fatal("an import without an intent in the record that its owner holds")
	}
	validTo := time.Time{}
	if record.Intent.ValidTo != nil {
		validTo = record.Intent.ValidTo.Time
	}
	if intended := (kms.Expiry{Model: kms.ExpirationModel(record.Intent.ExpirationModel), ValidTo: validTo}); !intended.Equal(request.Expiry) {
		w.t.Errorf("the intent is %v, the import %v", intended, request.Expiry)
	}
	if state := w.describe().KeyState; state != kmstypes.KeyStateEnabled && state != kmstypes.KeyStatePendingImport {
		w.t.Errorf("an import into a key that is %s", state)
	}
}

// checkWithdrawal is asked just before KMS is: the record tells of it, and the material can be brought back.
func (w *world) checkWithdrawal(request kms.DeletionRequest) {
	w.t.Helper()
	record, object, secret := w.record(), w.object(), w.secret()
	if record == nil || record.Withdrawal == nil || record.Withdrawal.CompletedAt != nil || record.Owner.UID != object.UID {
		w.t.Fatal("a withdrawal that the record of its owner does not tell of")
	}
	if !bytes.Equal(secret.Data["material"], w.material) || object.Spec.Suspend != nil || request.KeyARN != w.key {
		w.t.Error("a withdrawal of what could not be brought back, or was not asked for")
	}
	asked := object.DeletionTimestamp != nil && object.Spec.DeletionPolicy == v1alpha1.DeletionPolicyDeleteKeyMaterial
	due := w.dialect == kms.DialectQKMS && object.Spec.ReimportPolicy == v1alpha1.ReimportAllowInterruption
	if record.Imported.Adopted != nil || !asked && !due {
		w.t.Error("a withdrawal that nothing asks for")
	}
}

// checkPass is asked after every pass, of whatever end.
func (w *world) checkPass(end ending) {
	w.t.Helper()
	w.checkRecord()
	w.checkFingerprintKey()
	object := w.object()
	if object == nil {
		return
	}
	ready := meta.FindStatusCondition(object.Status.Conditions, v1alpha1.ConditionReady)
	stalled := meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionStalled)
	reconciling := meta.IsStatusConditionTrue(object.Status.Conditions, v1alpha1.ConditionReconciling)
	switch {
	case ready == nil:
		if len(object.Status.Conditions) > 0 {
			w.t.Error("conditions without Ready")
		}
	case stalled && reconciling:
		w.t.Error("both Stalled and Reconciling")
	case stalled && ready.Status != metav1.ConditionFalse:
		w.t.Error("Stalled and not Ready False")
	case *object.Status.ObservedGeneration > object.Generation:
		w.t.Error("a generation of the future was observed")
	case end.whole() && w.looked > 0 && ready.Status == metav1.ConditionTrue && w.describe().KeyState != kmstypes.KeyStateEnabled:
		w.t.Errorf("Ready, and the key is %s", w.describe().KeyState)
	}
}

// checkRecord compares the record with what KMS has really done.
func (w *world) checkRecord() {
	w.t.Helper()
	record := w.record()
	switch {
	case len(w.made) == 0:
		if record != nil && record.Imported != nil {
			w.t.Error("the record tells of an import that was never made")
		}
		return
	case record == nil || record.Imported == nil && record.Intent == nil:
		w.t.Error("material was imported and no record tells")
		return
	case record.Imported == nil || record.Intent != nil:
		return // the outcome is unknown
	}
	recorded := kms.Expiry{Model: kms.ExpirationModel(record.Imported.ExpirationModel)}
	if record.Imported.ValidTo != nil {
		recorded.ValidTo = record.Imported.ValidTo.Time
	}
	if last := w.made[len(w.made)-1]; !recorded.Equal(last) {
		w.t.Errorf("the record says that %v was imported, and it was %v", recorded, last)
	}
}

// checkFingerprintKey makes sure that it is made once.
func (w *world) checkFingerprintKey() {
	w.t.Helper()
	secret := &corev1.Secret{}
	err := w.objects.Get(w.ctx, types.NamespacedName{Namespace: operatorsOwn, Name: FingerprintSecretName}, secret)
	if err != nil {
		w.must(client.IgnoreNotFound(err))
		return
	}
	key := secret.Data[fingerprintSecretKey]
	if w.fingerprintKey != nil && !bytes.Equal(w.fingerprintKey, key) {
		w.t.Error("the fingerprint key has changed")
	}
	w.fingerprintKey = key
}
