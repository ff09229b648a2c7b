package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
	"github.com/keyimport-dev/kms-key-import-operator/internal/plan"
)

func TestDeletion(t *testing.T) {
	cases{
		"settled": {"nothing is looked at and nothing is withdrawn", all(deleting, noLook), want{outcome: "Untouched"}},
		"empty":   {"an object that goes gets no import any more", all(deleting, firstImport), want{outcome: "Untouched"}},
	}.run(t)
}

func TestSuspended(t *testing.T) {
	cases{
		"settled": {
			"no look, and a warning says why", all(suspended, noLook),
			want{outcome: "Suspended", reason: "Suspended", warnings: []string{"Suspended Suspended"}},
		},
		"empty": {
			"a key without material stays empty", all(suspended, firstImport),
			want{outcome: "Suspended", reason: "Suspended", message: "remove spec.suspend"},
		},
	}.run(t)
}

func TestLook(t *testing.T) {
	cases{
		"not looked yet": {"every pass looks at the key before it decides", noLook, does(plan.Look{})},
		"after an effect": {
			"the key is looked at again", all(noLook, attempt(1, nil)), does(plan.Look{}),
		},
		"no such key": {
			"somebody may still create it", lookError("NotFound"), waits("KeyNotFound").saying(`"alias/payments"`),
		},
		"access denied": {"IAM changes", lookError("AccessDenied"), retries("AccessDenied")},
		"throttled":     {"later", lookError("Throttled"), retries("Throttled")},
	}.run(t)
}

func TestKeyIsPinned(t *testing.T) {
	cases{
		"keyID leads elsewhere": {
			"the record, not the status, says which key this object owns", otherKey,
			stalls("KeyTargetChanged").saying(keyARN),
		},
		"the other key expires soon": {
			"that is no warning about this object's key, and no time to wake up at",
			all(otherKey, func(f *facts) { f.observed.Look.Key.Expiry = until(now.Add(time.Minute)) }), stalls("KeyTargetChanged").with(),
		},
		"its own key expires soon": {
			"as was last known",
			all(expires(3*time.Minute), otherKey, func(f *facts) { f.observed.Look.Key.Expiry = kms.Expiry{} }),
			stalls("KeyTargetChanged").within(3 * time.Minute).with("Expiring ExpiresSoon"),
		},
		"unconverged, then elsewhere": {
			"the other key's expiry says nothing about this one's",
			all(otherKey, unconfirmed, func(f *facts) { f.observed.Look.Key.Expiry = until(now.Add(60 * day)) }), stalls("KeyTargetChanged").with(),
		},
		"unconverged and said so, then elsewhere": {
			"what is known of this key stands", all(otherKey, lastCondition("OtherMaterialExpires", "EarlierExpiry")),
			stalls("KeyTargetChanged").with("OtherMaterialExpires EarlierExpiry"),
		},
		"keyID leads elsewhere, to an empty key": {
			"above all the other key gets nothing", all(empty, otherKey), stalls("KeyTargetChanged"),
		},
		"no record, other key in status": {
			"an object without a record has no pin yet, whatever its status says",
			all(firstImport, func(f *facts) { f.observed.Status = settledFacts().observed.Status }, otherKey),
			does(firstImportAction()),
		},
	}.run(t)
}

func TestKeyIsImportable(t *testing.T) {
	origin := func(origin kms.Origin) change { return func(f *facts) { f.observed.Look.Key.Origin = origin } }
	spec := func(spec kms.KeySpec) change { return func(f *facts) { f.observed.Look.Key.Spec = spec } }
	cases{
		"AWS_KMS":            {"KMS made its material", all(firstImport, origin("AWS_KMS")), stalls("KeyNotImportable").saying("Origin is AWS_KMS")},
		"EXTERNAL_KEY_STORE": {"EXTERNAL alone is importable", all(firstImport, origin("EXTERNAL_KEY_STORE")), stalls("KeyNotImportable")},
		"AWS_CLOUDHSM":       {"its material is in an HSM", all(firstImport, origin("AWS_CLOUDHSM")), stalls("KeyNotImportable")},
		"RSA_4096":           {"has its own issue", all(firstImport, spec("RSA_4096")), stalls("KeyNotImportable").saying("KeySpec is RSA_4096")},
		"no spec":            {"DescribeKey may leave it out", all(firstImport, spec("")), stalls("KeyNotImportable")},
		"HMAC_256":           {"importable", all(firstImport, spec("HMAC_256")), does(firstImportAction())},
		"SYMMETRIC_DEFAULT":  {"importable", firstImport, does(firstImportAction())},
	}.run(t)
}

func TestKeyState(t *testing.T) {
	cases{
		"Creating":               {"passes by itself", state("Creating"), waits("KeyCreating")},
		"Updating":               {"passes by itself", state("Updating"), waits("KeyUpdating")},
		"Unavailable":            {"passes by itself", state("Unavailable"), waits("KeyUnavailable")},
		"Disabled":               {"an import might enable the key", all(held, state("Disabled")), waits("KeyDisabled")},
		"PendingDeletion":        {"a person must say which of the two is wanted", all(held, state("PendingDeletion")), stalls("KeyPendingDeletion")},
		"PendingReplicaDeletion": {"likewise", all(held, state("PendingReplicaDeletion")), stalls("KeyPendingReplicaDeletion")},
		"a new state":            {"never guess what it permits", state("Frozen"), retries("KMSError").saying(`"Frozen"`)},
		"no state":               {"never guess what it permits", state(""), retries("KMSError")},
		"Enabled":                {"the normal state", unchanged, settles()},
	}.run(t)
}

func TestOwnership(t *testing.T) {
	cases{
		"foreign":             {"a key has one owner", foreign, stalls("KeyConflict")},
		"foreign, empty key":  {"nothing is imported into another's key", all(foreign, empty), stalls("KeyConflict")},
		"foreign, no import":  {"a claim alone is enough", all(foreign, empty, nothingImported), stalls("KeyConflict")},
		"foreign, same bytes": {"equal bytes are no claim", all(foreign, sameMaterial), stalls("KeyConflict")},
	}.run(t)

	t.Run("does not name the owner", func(t *testing.T) {
		f := changed(foreign)
		f.observed.Record.Owner.Namespace, f.observed.Record.Owner.Name = "secret-project", "crown-jewels"
		for _, secret := range []string{"secret-project", "crown-jewels"} {
			if got := f.next().Message; strings.Contains(got, secret) {
				t.Errorf("message %q names another namespace's object", got)
			}
		}
	})
}
