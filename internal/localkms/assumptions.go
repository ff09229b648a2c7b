package localkms

import (
	"fmt"
	"slices"
)

// An Assumption replaces one reading of what the documentation of the services leaves open, or says in two ways. Without
// it the server takes the reading that is harsher for a client, but for the three whose description says otherwise.
type Assumption string

// What can be assumed.
const (
	TokenReusable                  Assumption = "TokenReusable"
	DisabledStaysDisabled          Assumption = "DisabledStaysDisabled"
	DisabledRefusesImport          Assumption = "DisabledRefusesImport"
	LongHMAC                       Assumption = "LongHMAC"
	UnlistedKeySpecs               Assumption = "UnlistedKeySpecs"
	ImportTypeUnsupportedOperation Assumption = "ImportTypeUnsupportedOperation"
	ModeledStatus                  Assumption = "ModeledStatus"
	LongPendingDeletionText        Assumption = "LongPendingDeletionText"
	TenRotations                   Assumption = "TenRotations"
	NoMultiRegionRotation          Assumption = "NoMultiRegionRotation"
	ExpiryChangeNeedsDeletion      Assumption = "ExpiryChangeNeedsDeletion"
	OlderTokensStayValid           Assumption = "OlderTokensStayValid"
	ParametersOverMaterial         Assumption = "ParametersOverMaterial"
	ImportOverMaterial             Assumption = "ImportOverMaterial"
	MaterialStaysAssociated        Assumption = "MaterialStaysAssociated"
	FractionalValidTo              Assumption = "FractionalValidTo"
	EpochTimestamps                Assumption = "EpochTimestamps"
	QuotedEpochTimestamps          Assumption = "QuotedEpochTimestamps"
	AWSKeyARNs                     Assumption = "AWSKeyARNs"
	PlainJSON                      Assumption = "PlainJSON"
	RotationOperations             Assumption = "RotationOperations"
	EmptyObject                    Assumption = "EmptyObject"
	TextlessIncorrectMaterial      Assumption = "TextlessIncorrectMaterial"
	ARNAsKeyID                     Assumption = "ARNAsKeyID"
)

// AssumptionInfo describes an [Assumption].
type AssumptionInfo struct {
	Assumption Assumption
	// Dialects are those in which it makes a difference.
	Dialects []Dialect
	// Meaning is what the server does under it.
	Meaning string
	// Otherwise is what it does without it.
	Otherwise string
}

// Assumptions lists everything that can be assumed.
func Assumptions() []AssumptionInfo {
	both, aws, qkms := []Dialect{AWS, QKMS}, []Dialect{AWS}, []Dialect{QKMS}
	return []AssumptionInfo{
		{TokenReusable, both, "an import token imports any number of times", "once: the second import is refused with InvalidImportTokenException"},
		{DisabledStaysDisabled, both, "a re-import leaves a disabled key disabled", "it enables the key"},
		{DisabledRefusesImport, both, "import parameters and imports are refused for a disabled key with DisabledException", "both are possible"},
		{LongHMAC, aws, "an HMAC key takes material from its own length up to 128 bytes", "exactly its own length"},
		{UnlistedKeySpecs, aws, "Ed25519 and ML-KEM keys can be made with Origin EXTERNAL and take PKCS#8 material (ML-KEM keys cannot be used)", "CreateKey refuses them"},
		{ImportTypeUnsupportedOperation, aws, "ImportType, KeyMaterialDescription or KeyMaterialId for a key that is not symmetric is UnsupportedOperationException", "ValidationException"},
		{ModeledStatus, both, "errors come with the HTTP status of the service's model (404, 409, 412)", "400, as was recorded"},
		{LongPendingDeletionText, both, "the text of the state is «is pending deletion (or pending replica deletion).»", "«is pending deletion.»"},
		{TenRotations, aws, "a key rotates on demand 10 times", "25 times: the newest documentation says so, so this default is the milder reading"},
		{NoMultiRegionRotation, aws, "RotateKeyOnDemand refuses multi-Region keys with UnsupportedOperationException, as an old comment has it", "it takes them: the documentation of the feature is newer, so this default is the milder reading"},
		{ExpiryChangeNeedsDeletion, aws, "an import with another expiry over present material is refused with KMSInvalidStateException, as the text of one parameter has it", "it changes the expiry: the text of the operation and the developer guide say so, so this default is the milder reading"},
		{OlderTokensStayValid, qkms, "any number of import tokens are valid at a time", "a new GetParametersForImport invalidates the older"},
		{ParametersOverMaterial, qkms, "GetParametersForImport answers for a key that holds material", "KMSInvalidStateException"},
		{ImportOverMaterial, qkms, "the same material is imported again over itself", "KMSInvalidStateException"},
		{MaterialStaysAssociated, qkms, "after a deletion or expiry only the same material is accepted", "any material is"},
		{FractionalValidTo, qkms, "ValidTo may have a fraction of a second", "SerializationException for the whole body"},
		{EpochTimestamps, qkms, "times in answers are JSON numbers, seconds since the epoch", "ISO 8601 strings"},
		{QuotedEpochTimestamps, qkms, "times in answers are strings that hold seconds since the epoch", "ISO 8601 strings"},
		{AWSKeyARNs, qkms, "key ARNs have the shape of AWS's", "arn:verenc:<account>:key/<key ID>"},
		{PlainJSON, qkms, "Content-Type application/json is taken too", "application/x-amz-json-1.1 only"},
		{RotationOperations, qkms, "RotateKeyOnDemand, ListKeyRotations and GetKeyRotationStatus exist", "UnknownOperationException"},
		{TextlessIncorrectMaterial, qkms, "IncorrectKeyMaterialException has no message, as in the server that QKMS may descend from", "it says what is wrong"},
		{ARNAsKeyID, qkms, "the KeyId that CreateKey answers with is the ARN, as an SDK of QKMS has it", "it is the ID, as the page has it"},
		{EmptyObject, both, "operations that return nothing answer {}", "an empty body; the default in itself is neither milder nor harsher"},
	}
}

func (a Assumption) validate() error {
	known := slices.ContainsFunc(Assumptions(), func(info AssumptionInfo) bool { return info.Assumption == a })
	if !known {
		return fmt.Errorf("there is no assumption %q: localkms --help lists them", a)
	}
	return nil
}
