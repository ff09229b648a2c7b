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
	key := func(spec kms.KeySpec, usage string) change {
		return all(firstImport, func(f *facts) { f.observed.Look.Key.Spec, f.observed.Look.Key.Usage = spec, usage })
	}
	imports := does(firstImportAction())
	wraps := does(func() plan.Action {
		a := firstImportAction()
		a.Wrapping.Algorithm = "RSA_AES_KEY_WRAP_SHA_256"
		return a
	}())
	refuses := func(part string) want { return stalls("KeyNotImportable").saying(part) }
	cases{
		"AWS_KMS":            {"KMS made its material", all(firstImport, origin("AWS_KMS")), refuses("Origin is AWS_KMS: only a key created with Origin EXTERNAL")},
		"EXTERNAL_KEY_STORE": {"its material is elsewhere", all(firstImport, origin("EXTERNAL_KEY_STORE")), refuses("keys in a custom key store take no imported material")},
		"AWS_CLOUDHSM":       {"its material is in an HSM", all(firstImport, origin("AWS_CLOUDHSM")), refuses("keys in a custom key store take no imported material")},
		"SYMMETRIC_DEFAULT":  {"importable", key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), imports},
		"HMAC_224":           {"importable", key("HMAC_224", "GENERATE_VERIFY_MAC"), imports},
		"HMAC_256":           {"importable", key("HMAC_256", "GENERATE_VERIFY_MAC"), imports},
		"HMAC_384":           {"importable", key("HMAC_384", "GENERATE_VERIFY_MAC"), imports},
		"HMAC_512":           {"importable", key("HMAC_512", "GENERATE_VERIFY_MAC"), imports},
		"RSA_2048":           {"importable", key("RSA_2048", "SIGN_VERIFY"), wraps},
		"RSA_3072":           {"importable", key("RSA_3072", "ENCRYPT_DECRYPT"), wraps},
		"RSA_4096":           {"importable", key("RSA_4096", "SIGN_VERIFY"), wraps},
		"P-256":              {"importable", key("ECC_NIST_P256", "SIGN_VERIFY"), imports},
		"P-384":              {"importable", key("ECC_NIST_P384", "KEY_AGREEMENT"), imports},
		"P-521":              {"importable", key("ECC_NIST_P521", "SIGN_VERIFY"), imports},
		"secp256k1":          {"importable", key("ECC_SECG_P256K1", "SIGN_VERIFY"), imports},
		"no usage":           {"an endpoint may leave it out", key("SYMMETRIC_DEFAULT", ""), imports},
		"ML_DSA_44":          {"KMS says so", key("ML_DSA_44", "SIGN_VERIFY"), refuses("KeySpec is ML_DSA_44: KMS imports no ML-DSA keys")},
		"ML_DSA_65":          {"KMS says so", key("ML_DSA_65", "SIGN_VERIFY"), refuses("KMS imports no ML-DSA keys")},
		"ML_DSA_87":          {"KMS says so", key("ML_DSA_87", "SIGN_VERIFY"), refuses("KMS imports no ML-DSA keys")},
		"ML_KEM_512":         {"KMS does not say", key("ML_KEM_512", "ENCAPSULATE_DECAPSULATE"), refuses("KMS documents no import of ML-KEM keys")},
		"ML_KEM_768":         {"KMS does not say", key("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"), refuses("KMS documents no import of ML-KEM keys")},
		"ML_KEM_1024":        {"KMS does not say", key("ML_KEM_1024", "ENCAPSULATE_DECAPSULATE"), refuses("KMS documents no import of ML-KEM keys")},
		"Ed25519":            {"KMS does not say", key("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"), refuses("KMS documents no import of Ed25519 keys")},
		"SM2":                {"not ours to wrap", key("SM2", "SIGN_VERIFY"), refuses("SM2 keys exist in AWS China Regions only")},
		"a new spec":         {"never guess what it takes", key("RSA_8192", "SIGN_VERIFY"), refuses("KeySpec is RSA_8192: this version does not know such keys")},
		"no spec":            {"DescribeKey may leave it out", key("", ""), refuses("KMS does not say what kind of key this is")},
		"a new usage":        {"never guess what it takes", key("ECC_SECG_P256K1", "KEY_AGREEMENT"), refuses("KeySpec is ECC_SECG_P256K1 and its KeyUsage KEY_AGREEMENT: this version does not know such keys")},
		"QKMS, HMAC":         {"symmetric keys only", all(key("HMAC_256", "GENERATE_VERIFY_MAC"), qkms), refuses("in the QKMS dialect KMS imports only SYMMETRIC_DEFAULT keys")},
		"QKMS, RSA":          {"symmetric keys only", all(key("RSA_2048", "SIGN_VERIFY"), qkms), refuses("in the QKMS dialect KMS imports only SYMMETRIC_DEFAULT keys")},
		"QKMS, ML-DSA":       {"nobody imports it", all(key("ML_DSA_44", "SIGN_VERIFY"), qkms), refuses("KMS imports no ML-DSA keys")},
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
