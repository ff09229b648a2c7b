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
	for name, told := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			undisturbed := told.tell(t, shared, &script{at: -1}, false)
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
			disturbed := s.tell(t, shared, &script{at: at, way: how}, lagging)
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
	for _, call := range []string{"GetParametersForImport", "ImportKeyMaterial"} {
		if got, most := w.script.count(call), undisturbed.script.count(call)+1; got > most {
			w.t.Errorf("%d calls of %s, at most %d are needed", got, call, most)
		}
	}
	if got, most := w.passes, undisturbed.passes+3; got > most {
		w.t.Errorf("%d passes, at most %d are needed", got, most)
	}
	if told.unverifiable && lost {
		w.checkUnverifiable()
		return
	}
	if diff := gocmp.Diff(undisturbed.end(), w.end()); diff != "" {
		w.t.Errorf("the end differs (-undisturbed +disturbed):\n%s", diff)
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
		found.Record = v1alpha1.KMSKeyRecord{Owner: record.Owner, Intent: record.Intent, Hold: record.Hold, Imported: record.Imported.DeepCopy()}
		if imported := found.Record.Imported; imported != nil {
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
		if entry.Event == v1alpha1.HistoryImportRefused || entry.Event == v1alpha1.HistoryHoldLifted || len(all) > 0 && all[len(all)-1] == event {
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
