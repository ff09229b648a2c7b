package plan

import (
	"fmt"
	"slices"

	"github.com/keyimport-dev/kms-key-import-operator/api/v1alpha1"
	"github.com/keyimport-dev/kms-key-import-operator/internal/kms"
)

// keyNotImportable tells which keys take no material, and why.
func keyNotImportable(_ Desired, o Observed) *Step {
	key := o.Look.Key
	why := wrongOrigin(key.Origin)
	if why == "" {
		why = wrongSpec(o.Dialect, key.Spec)
	}
	if why == "" {
		why = wrongUsage(key)
	}
	if why == "" {
		return nil
	}
	return stall(v1alpha1.ReasonKeyNotImportable, why)
}

func wrongOrigin(origin kms.Origin) string {
	switch origin {
	case kms.OriginExternal:
		return ""
	case kms.OriginAWSCloudHSM, kms.OriginExternalKeyStore:
		return fmt.Sprintf("the key's Origin is %s: keys in a custom key store take no imported material; "+
			"create one with Origin EXTERNAL, and a new KMSKeyImport for it", origin)
	default:
		return fmt.Sprintf("the key's Origin is %s: only a key created with Origin EXTERNAL takes imported material; "+
			"create one, and a new KMSKeyImport for it", origin)
	}
}

// wrongSpec is empty for the key specs that are imported.
func wrongSpec(dialect kms.Dialect, spec kms.KeySpec) string {
	if dialect.Imports(spec) {
		return ""
	}
	if _, elsewhere := spec.Imported(); elsewhere {
		return fmt.Sprintf("the key's KeySpec is %s: in the %s dialect KMS imports only SYMMETRIC_DEFAULT keys; use one of these", spec, dialect)
	}
	return fmt.Sprintf("the key's KeySpec is %s: %s; use a key of another KeySpec", spec, notImported(spec))
}

// notImported says why a key spec is not importable.
func notImported(spec kms.KeySpec) string {
	reasons := map[kms.KeySpec]string{
		"":                    "KMS does not say what kind of key this is",
		kms.KeySpecMLDSA44:    "KMS imports no ML-DSA keys",
		kms.KeySpecMLDSA65:    "KMS imports no ML-DSA keys",
		kms.KeySpecMLDSA87:    "KMS imports no ML-DSA keys",
		kms.KeySpecMLKEM512:   "KMS documents no import of ML-KEM keys",
		kms.KeySpecMLKEM768:   "KMS documents no import of ML-KEM keys",
		kms.KeySpecMLKEM1024:  "KMS documents no import of ML-KEM keys",
		kms.KeySpecECCEd25519: "KMS documents no import of Ed25519 keys",
		kms.KeySpecSM2:        "SM2 keys exist in AWS China Regions only, which wrap material in ways this operator does not have",
	}
	if reason, known := reasons[spec]; known {
		return reason
	}
	return "this version does not know such keys"
}

// wrongUsage doubts a key that says it can do what keys of its spec cannot.
func wrongUsage(key kms.Key) string {
	imported, _ := key.Spec.Imported()
	if key.Usage == "" || slices.Contains(imported.Usages, key.Usage) {
		return ""
	}
	return fmt.Sprintf("the key's KeySpec is %s and its KeyUsage %s: this version does not know such keys; use another key", key.Spec, key.Usage)
}
