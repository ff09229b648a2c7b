package controllers

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"time"

	awskmssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// story is what happens to a key, one thing after the other; after each the Reconciler works until it is at rest.
type story struct {
	dialect kms.Dialect // empty: AWS
	assumed []localkms.Assumption
	before  []happening // that nothing goes wrong with
	then    []happening // that one call fails in
	ends    string      // the conditions at the end; empty: Ready and nothing else
	imports int         // that KMS makes in the second part

	// requested is an import that a person asked for: where the process died before it said that it was made, another
	// process makes it again.
	requested bool
	// unverifiable is an import into QKMS without an expiry: where its answer is lost, a person decides.
	unverifiable bool
	// emptied is a key without material at the end.
	emptied bool
}

type happening func(*world)

const (
	imported    = "Ready=True Imported"
	expiresSoon = "Expiring=True ExpiresSoon, Ready=True Imported, RenewalNeedsInterruption=True NoImportOverMaterial" // on QKMS
	day         = 24 * time.Hour
)

var stories = map[string]story{
	"first import":                {then: steps(create(permanent)), imports: 1},
	"first import, expiring":      {then: steps(create(fixed(30 * day))), imports: 1},
	"another expiry":              {before: steps(create(permanent), use), then: steps(edit(fixed(30 * day))), imports: 1},
	"renewal":                     {before: steps(create(rolling), use), then: steps(untilRenewal), imports: 1},
	"expired":                     {before: steps(create(rolling), use), then: steps(wait(12 * day)), imports: 1},
	"shortened expiry":            {before: steps(create(rolling), use), then: steps(importByHand(5 * day)), imports: 1},
	"shortened expiry, respected": {before: steps(create(both(rolling, holding)), use), then: steps(importByHand(5 * day)), ends: "Expiring=True ExpiryShortened, Ready=True Imported"},
	"heal":                        {before: steps(create(permanent), use), then: steps(deleteMaterial), imports: 1},
	"heal once the Secret is back": {
		before: steps(create(permanent), use), then: steps(removeSecret, deleteMaterial, putBack), imports: 1,
	},
	"deletion, respected": {
		before: steps(create(holding), use), then: steps(deleteMaterial, ask(v1alpha1.AnnotationReimportRequestedAt)), imports: 1, requested: true,
	},
	"deletion, no longer respected": {
		before: steps(create(holding), use), then: steps(deleteMaterial, edit(permanent)), imports: 1,
	},
	"import on request": {
		before: steps(create(permanent), use), then: steps(ask(v1alpha1.AnnotationReimportRequestedAt)), imports: 1, requested: true,
	},
	"import on request, once enabled": {
		before: steps(create(permanent), use, disable), then: steps(ask(v1alpha1.AnnotationReimportRequestedAt), enable), imports: 1, requested: true,
	},
	"look on request":      {before: steps(create(permanent), use), then: steps(ask(v1alpha1.AnnotationReconcileRequestedAt))},
	"same bytes":           {before: steps(create(permanent), use), then: steps(rewrite)},
	"other bytes and back": {before: steps(create(permanent), use), then: steps(overwrite, rewrite)},
	"disabled and enabled": {before: steps(create(permanent), use), then: steps(disable, enable)},
	"deletion cancelled":   {before: steps(create(permanent), use), then: steps(scheduleDeletion, cancelDeletion, enable)},
	"emptied while disabled": {
		before: steps(create(permanent), use),
		then:   steps(disable, deleteMaterial, ask(v1alpha1.AnnotationReimportRequestedAt)), imports: 1, requested: true,
	},
	"suspended and resumed": {before: steps(create(permanent), use), then: steps(edit(suspend), deleteMaterial, edit(permanent)), imports: 1},
	"release":               {before: steps(create(permanent), use), then: steps(remove), ends: "no object"},
	"take-over":             {before: steps(create(permanent), use, remove), then: steps(create(permanent))},
	"take-over, unreleased": {before: steps(create(permanent), use), then: steps(after(remove, create(permanent)))},
	"take-over, empty key":  {before: steps(create(permanent), use, remove, deleteMaterial), then: steps(create(permanent)), imports: 1},
	"refused material":      {before: steps(after(otherMaterialBefore, create(permanent))), then: steps(rewrite), imports: 1},
	"refused token":         {then: steps(after(refuseToken, create(permanent))), imports: 1},
	"lost answer":           {then: steps(after(loseAnswer, create(permanent))), imports: 2},
	"lost answer, re-import": {
		before: steps(create(rolling), use), then: steps(after(loseAnswer, untilRenewal)), imports: 2,
	},

	"QKMS, first import":           {dialect: kms.DialectQKMS, then: steps(create(permanent)), imports: 1, unverifiable: true},
	"QKMS, first import, expiring": {dialect: kms.DialectQKMS, then: steps(create(fixed(30 * day))), imports: 1},
	"QKMS, lost answer":            {dialect: kms.DialectQKMS, then: steps(after(loseAnswer, create(fixed(30*day)))), imports: 1},
	"QKMS, heal": {
		dialect: kms.DialectQKMS, before: steps(create(rolling), use), then: steps(deleteMaterial), imports: 1, ends: expiresSoon,
	},
	"QKMS, expired": {
		dialect: kms.DialectQKMS, before: steps(create(rolling), use), then: steps(wait(12 * day)), imports: 1, ends: expiresSoon,
	},
	"QKMS, another expiry": {
		dialect: kms.DialectQKMS, before: steps(create(fixed(30*day)), use), then: steps(edit(fixed(60*day)), deleteMaterial), imports: 1,
	},
}

func steps(all ...happening) []happening { return all }

// after is two things that happen before the Reconciler sees either.
func after(first, second happening) happening {
	return func(w *world) {
		first(w)
		second(w)
	}
}

// What a spec says.

type specChange func(*v1alpha1.KMSKeyImportSpec)

func both(one, other specChange) specChange {
	return func(spec *v1alpha1.KMSKeyImportSpec) {
		one(spec)
		other(spec)
	}
}

func permanent(spec *v1alpha1.KMSKeyImportSpec) {
	spec.Expiration, spec.Suspend, spec.OnMaterialDeleted = nil, nil, v1alpha1.DeletionResponseReimport
	spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
}

func fixed(ahead time.Duration) specChange {
	return func(spec *v1alpha1.KMSKeyImportSpec) {
		at := metav1.NewTime(time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC).Add(ahead))
		spec.Expiration = &v1alpha1.Expiration{ValidTo: &at}
	}
}

func rolling(spec *v1alpha1.KMSKeyImportSpec) {
	spec.Expiration = &v1alpha1.Expiration{
		ValidFor: &metav1.Duration{Duration: 10 * day}, RenewBefore: &metav1.Duration{Duration: day},
	}
}

func holding(spec *v1alpha1.KMSKeyImportSpec) { spec.OnMaterialDeleted = v1alpha1.DeletionResponseHold }

func suspend(spec *v1alpha1.KMSKeyImportSpec) { spec.Suspend = new(true) }

// What happens.

// create makes the object as the API server would, with its defaults.
func create(change specChange) happening {
	return func(w *world) {
		w.objectsMade++
		object := &v1alpha1.KMSKeyImport{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: worldNamespace, Name: "card-key", UID: types.UID(fmt.Sprintf("uid-%d", w.objectsMade)), Generation: 1,
			},
			Spec: v1alpha1.KMSKeyImportSpec{
				KeyID: w.key,
				Material: v1alpha1.KeyMaterialSource{
					SecretRef: v1alpha1.SecretKeyReference{Name: "material", Key: "material"}, Encoding: "Raw", WeakMaterialPolicy: "Reject",
				},
				Wrapping:          &v1alpha1.Wrapping{Algorithm: "RSAES_OAEP_SHA_256", KeySpec: "RSA_2048"}, // which is fast
				OnMaterialDeleted: v1alpha1.DeletionResponseReimport, ReimportPolicy: v1alpha1.ReimportInPlace, DeletionPolicy: v1alpha1.DeletionPolicyRetain,
			},
		}
		change(&object.Spec)
		w.must(w.objects.Create(w.ctx, object))
		unseen := int64(-1)
		object.Status.ObservedGeneration = &unseen
		w.must(w.objects.Status().Update(w.ctx, object))
	}
}

func edit(change specChange) happening {
	return func(w *world) {
		object := w.object()
		change(&object.Spec)
		object.Generation++
		w.must(w.objects.Update(w.ctx, object))
	}
}

func ask(annotation string) happening {
	return func(w *world) {
		object := w.object()
		metav1.SetMetaDataAnnotation(&object.ObjectMeta, annotation, "now")
		w.must(w.objects.Update(w.ctx, object))
	}
}

func remove(w *world) { w.must(w.objects.Delete(w.ctx, w.object())) }

func rewrite(w *world) { w.writeSecret(w.material) }

func overwrite(w *world) { w.writeSecret(w.randomBytes()) }

func removeSecret(w *world) { w.must(w.objects.Delete(w.ctx, w.secret())) }

func putBack(w *world) { w.createSecret() }

func wait(by time.Duration) happening {
	return func(w *world) { w.wait(by) }
}

func untilRenewal(w *world) { w.clock.SetTime(w.object().Status.RenewalTime.Time) }

// loseAnswer is the failure of another call than the one that the test has fail.
func loseAnswer(w *world) {
	w.script.next = &way{"answer lost", kindEffect, true, &kms.Error{Class: kms.ClassUnreachable, Message: "connection reset"}, false}
}

func refuseToken(w *world) {
	w.script.next = &way{"token refused", kindEffect, false, &kms.Error{Class: kms.ClassTokenRefused, Code: "ExpiredImportTokenException"}, false}
}

// use encrypts something that must not be lost.
func use(w *world) {
	answer, err := w.admin.Encrypt(w.ctx, &awskmssdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("payments")})
	w.must(err)
	w.ciphertext = answer.CiphertextBlob
}

func deleteMaterial(w *world) {
	_, err := w.admin.DeleteImportedKeyMaterial(w.ctx, &awskmssdk.DeleteImportedKeyMaterialInput{KeyId: &w.key})
	w.must(err)
}

func disable(w *world) {
	_, err := w.admin.DisableKey(w.ctx, &awskmssdk.DisableKeyInput{KeyId: &w.key})
	w.must(err)
}

func enable(w *world) {
	_, err := w.admin.EnableKey(w.ctx, &awskmssdk.EnableKeyInput{KeyId: &w.key})
	w.must(err)
}

// otherMaterialBefore is a key that has had the material, while the Secret holds other bytes, and no record tells.
func otherMaterialBefore(w *world) {
	create(permanent)(w)
	w.rest()
	use(w)
	remove(w)
	w.rest()
	deleteMaterial(w)
	w.must(w.objects.Delete(w.ctx, w.record()))
	w.made = nil
	overwrite(w)
}

func scheduleDeletion(w *world) {
	_, err := w.admin.ScheduleKeyDeletion(w.ctx, &awskmssdk.ScheduleKeyDeletionInput{KeyId: &w.key})
	w.must(err)
}

func cancelDeletion(w *world) {
	_, err := w.admin.CancelKeyDeletion(w.ctx, &awskmssdk.CancelKeyDeletionInput{KeyId: &w.key})
	w.must(err)
}

// importByHand is what somebody else does who has the same bytes.
func importByHand(validFor time.Duration) happening {
	return func(w *world) {
		parameters, err := w.kms.GetParametersForImport(w.ctx, w.key, kms.Wrapping{Algorithm: kms.RSAESOAEPSHA256, KeySpec: kms.WrappingKeyRSA2048})
		w.must(err)
		sealed, err := parameters.Seal(func(_ kms.Wrapping, publicKey *rsa.PublicKey) ([]byte, error) {
			return rsa.EncryptOAEP(sha256.New(), rand.Reader, publicKey, w.material, nil)
		})
		w.must(err)
		expiry := kms.Expiry{Model: kms.KeyMaterialExpires, ValidTo: w.clock.Now().Add(validFor)}
		_, err = w.kms.ImportKeyMaterial(w.ctx, kms.ImportRequest{Material: sealed, Expiry: expiry})
		w.must(err)
	}
}
