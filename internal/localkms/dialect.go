package localkms

import "github.com/keyimport-dev/kms-key-import-operator/internal/localkms/material"

// Dialect says which service the server behaves like.
type Dialect string

// The dialects.
const (
	// AWS is AWS KMS.
	AWS Dialect = "AWS"
	// QKMS is Quilibrium's KMS: the same wire protocol with the differences of its documentation
	// (https://docs.quilibrium.com/docs/api/q-kms/).
	QKMS Dialect = "QKMS"
)

// rules is where the code asks whatever depends on the dialect or on an [Assumption]: each difference has a method here.
type rules struct {
	dialect Dialect
	assumed map[Assumption]bool
}

func newRules(dialect Dialect, assume []Assumption) rules {
	r := rules{dialect: dialect, assumed: map[Assumption]bool{}}
	for _, a := range assume {
		r.assumed[a] = true
	}
	return r
}

func (r rules) isQKMS() bool { return r.dialect == QKMS }

// A token that has imported imports again.
func (r rules) tokensAreReusable() bool { return r.assumed[TokenReusable] }

// An answer of GetParametersForImport makes the tokens of earlier ones useless.
func (r rules) newParametersReplaceOlder() bool {
	return r.isQKMS() && !r.assumed[OlderTokensStayValid]
}

// GetParametersForImport answers for a key that holds material.
func (r rules) offersParametersOverMaterial() bool {
	return !r.isQKMS() || r.assumed[ParametersOverMaterial]
}

// ImportKeyMaterial takes the same material for a key that holds it.
func (r rules) importsOverMaterial() bool { return !r.isQKMS() || r.assumed[ImportOverMaterial] }

// A key whose material was deleted, or expired, takes any other.
func (r rules) forgetsMaterial() bool { return r.isQKMS() && !r.assumed[MaterialStaysAssociated] }

// The rotation operations exist. Imported keys of QKMS still have one material: ImportType is not of its dialect.
func (r rules) rotates() bool { return !r.isQKMS() || r.assumed[RotationOperations] }

// The largest number of rotations on demand in the life of a key.
func (r rules) rotationLimit() int {
	if r.assumed[TenRotations] {
		return 10
	}
	return 25
}

// ImportKeyMaterial without ExpirationModel is refused.
func (r rules) requiresExpirationModel() bool { return r.isQKMS() }

// ValidTo with a fraction of a second is refused, and with it the whole body.
func (r rules) takesWholeSecondsOnly() bool { return r.isQKMS() && !r.assumed[FractionalValidTo] }

// How times are written in answers.
func (r rules) timeStyle() timeStyle {
	switch {
	case !r.isQKMS() || r.assumed[EpochTimestamps]:
		return epochNumber
	case r.assumed[QuotedEpochTimestamps]:
		return epochString
	default:
		return isoString
	}
}

// Operations that return nothing, and in QKMS ImportKeyMaterial, answer with {} rather than with an empty body.
func (r rules) answersEmptyObject() bool { return r.assumed[EmptyObject] }

// Keys of a spec can be made.
func (r rules) knowsSpec(name string) bool {
	return !r.isQKMS() || name == symmetricDefault
}

// How long the material of HMAC keys may be.
func (r rules) hmacLength() material.HMACLength {
	if r.assumed[LongHMAC] {
		return material.AtLeastLength
	}
	return material.ExactLength
}

// knowsWrapping tells whether the dialect offers a wrapping at all; whether it fits the key is for the key's spec to say.
func (r rules) knowsWrapping(algorithm, wrappingKeySpec string) bool {
	if !r.isQKMS() {
		return true
	}
	return wrappingKeySpec == "RSA_2048" && (algorithm == "RSAES_OAEP_SHA_1" || algorithm == "RSAES_OAEP_SHA_256")
}

// takesContentType tells whether requests may come with a media type.
func (r rules) takesContentType(mediaType string) bool {
	return mediaType == contentType || r.isQKMS() && r.assumed[PlainJSON] && mediaType == "application/json"
}

// hasOperation tells whether an operation exists.
func (r rules) hasOperation(name string) bool {
	switch name {
	case "RotateKeyOnDemand", "ListKeyRotations", "GetKeyRotationStatus":
		return r.rotates()
	case "ReplicateKey":
		return !r.isQKMS()
	default:
		return true
	}
}
