package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

func TestDesiredBy(t *testing.T) {
	source := v1alpha1.KeyMaterialSource{
		SecretRef: v1alpha1.SecretKeyReference{Name: "payments-material", Key: "material"}, Encoding: "Base64", WeakMaterialPolicy: "Allow",
	}
	object := func(changes ...func(*v1alpha1.KMSKeyImport)) *v1alpha1.KMSKeyImport {
		object := &v1alpha1.KMSKeyImport{
			ObjectMeta: metav1.ObjectMeta{UID: "uid-1", Generation: 7},
			Spec:       v1alpha1.KMSKeyImportSpec{KeyID: "alias/payments", Material: source},
		}
		for _, apply := range changes {
			apply(object)
		}
		return object
	}
	desired := func(changes ...func(*plan.Desired)) plan.Desired {
		desired := plan.Desired{
			UID: "uid-1", Generation: 7, KeyID: "alias/payments", Material: source,
			Expiry: kms.Expiry{Model: "KEY_MATERIAL_DOES_NOT_EXPIRE"},
		}
		for _, apply := range changes {
			apply(&desired)
		}
		return desired
	}
	lasts := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	yes, no := true, false
	east := time.FixedZone("east", 2*60*60)
	validTo := metav1.NewTime(time.Date(2027, time.June, 1, 2, 0, 0, 999_999_999, east))
	cases := map[string]struct {
		reason string
		object *v1alpha1.KMSKeyImport
		want   plan.Desired
	}{
		"least":         {"no expiration means no expiry, no wrapping a free choice", object(), desired()},
		"suspended":     {"true suspends", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.Suspend = &yes }), desired(func(d *plan.Desired) { d.Suspended = true })},
		"not suspended": {"false is absent", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.Suspend = &no }), desired()},
		"deleting": {
			"from the metadata, in UTC", object(func(o *v1alpha1.KMSKeyImport) { o.DeletionTimestamp = &validTo }),
			desired(func(d *plan.Desired) { d.Deleting, d.DeletedAt = true, validTo.UTC() }),
		},
		"finalizer": {
			"this operator's", object(func(o *v1alpha1.KMSKeyImport) {
				o.Finalizers = []string{"example.org/other", "kms.keyimport.dev/key-material"}
			}),
			desired(func(d *plan.Desired) { d.Finalizer = true }),
		},
		"another finalizer": {"is somebody else's business", object(func(o *v1alpha1.KMSKeyImport) { o.Finalizers = []string{"example.org/other"} }), desired()},
		"wrapping": {
			"each on its own", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.Wrapping = &v1alpha1.Wrapping{KeySpec: "RSA_3072"} }),
			desired(func(d *plan.Desired) { d.Wrapping.KeySpec = "RSA_3072" }),
		},
		"expiration": {
			"UTC, fractions dropped", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.Expiration = &v1alpha1.Expiration{ValidTo: &validTo} }),
			desired(func(d *plan.Desired) {
				d.Expiry = until(time.Date(2027, time.June, 1, 0, 0, 0, 0, time.UTC))
			}),
		},
		"valid for": {
			"renewed at two thirds of it, in whole seconds",
			object(func(o *v1alpha1.KMSKeyImport) {
				o.Spec.Expiration = &v1alpha1.Expiration{ValidFor: lasts(10*time.Minute + 10*time.Second)}
			}),
			desired(func(d *plan.Desired) {
				d.Expiry.Model, d.ValidFor, d.RenewBefore = "KEY_MATERIAL_EXPIRES", 10*time.Minute+10*time.Second, 3*time.Minute+23*time.Second
			}),
		},
		"renew before": {
			"as it says",
			object(func(o *v1alpha1.KMSKeyImport) {
				o.Spec.Expiration = &v1alpha1.Expiration{ValidFor: lasts(2160 * time.Hour), RenewBefore: lasts(700 * time.Hour)}
			}),
			desired(func(d *plan.Desired) {
				d.Expiry.Model, d.ValidFor, d.RenewBefore = "KEY_MATERIAL_EXPIRES", 2160*time.Hour, 700*time.Hour
			}),
		},
		"Hold":              {"deletions are respected", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.OnMaterialDeleted = "Hold" }), desired(func(d *plan.Desired) { d.HoldDeleted = true })},
		"Reimport":          {"the default", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.OnMaterialDeleted = "Reimport" }), desired()},
		"DeleteKeyMaterial": {"asked for", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.DeletionPolicy = "DeleteKeyMaterial" }), desired(func(d *plan.Desired) { d.DeleteMaterial = true })},
		"Retain":            {"the default", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.DeletionPolicy = "Retain" }), desired()},
		"AllowInterruption": {"permitted", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.ReimportPolicy = "AllowInterruption" }), desired(func(d *plan.Desired) { d.AllowInterruption = true })},
		"InPlace":           {"the default", object(func(o *v1alpha1.KMSKeyImport) { o.Spec.ReimportPolicy = "InPlace" }), desired()},
		"reimport requested": {
			"the annotation's value",
			object(func(o *v1alpha1.KMSKeyImport) {
				o.Annotations = map[string]string{"kms.keyimport.dev/reimport-requested-at": "now"}
			}),
			desired(func(d *plan.Desired) { d.Requests.Reimport = "now" }),
		},
		"requested": {
			"the annotation's value",
			object(func(o *v1alpha1.KMSKeyImport) {
				o.Annotations = map[string]string{"kms.keyimport.dev/reconcile-requested-at": "now"}
			}),
			desired(func(d *plan.Desired) { d.Requests.Reconcile = "now" }),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := plan.DesiredBy(tc.object)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			// go-cmp compares with Expiry.Equal, which forgives fractions.
			if !got.Expiry.ValidTo.Equal(tc.want.Expiry.ValidTo) {
				t.Errorf("%s: got %s, want %s", tc.reason, got.Expiry.ValidTo, tc.want.Expiry.ValidTo)
			}
		})
	}
}
