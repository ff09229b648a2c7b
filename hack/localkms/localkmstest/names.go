package localkmstest

import "github.com/keyimport-dev/kms-key-import-operator/internal/localkms"

type (
	// Options configures a server. The zero value is a server that plays AWS KMS with the defaults below.
	Options = localkms.Options
	// Handler is the local KMS as an [net/http.Handler], safe for concurrent use. Close ends it.
	Handler = localkms.Server
	// Dialect is the service to behave like.
	Dialect = localkms.Dialect
	// Principal is someone who may sign requests.
	Principal = localkms.Principal
	// Propagation is how far readers lag behind changes.
	Propagation = localkms.Propagation
	// WrappingKeys is the pool of RSA keys that GetParametersForImport hands out; one can serve many servers.
	WrappingKeys = localkms.WrappingKeys
	// Assumption replaces one reading of what no documentation settles.
	Assumption = localkms.Assumption
	// AssumptionInfo describes an [Assumption].
	AssumptionInfo = localkms.AssumptionInfo
	// Faults are what goes wrong, set and cleared while the server runs; an [net/http.Handler] as well.
	Faults = localkms.Faults
	// Fault is something that goes wrong with the requests of an operation.
	Fault = localkms.Fault
	// Drop says when a connection is dropped.
	Drop = localkms.Drop
	// Duration is a [time.Duration] that JSON writes as "1.5s".
	Duration = localkms.Duration
)

// What the zero [Options] mean.
const (
	DefaultRegion          = localkms.DefaultRegion
	DefaultAccountID       = localkms.DefaultAccountID
	DefaultAccessKeyID     = localkms.DefaultAccessKeyID
	DefaultSecretAccessKey = localkms.DefaultSecretAccessKey
	DefaultImportTokenTTL  = localkms.DefaultImportTokenTTL
)

// The dialects.
const (
	AWS  = localkms.AWS
	QKMS = localkms.QKMS
)

// When a connection is dropped: before the request is carried out, or after it was.
const (
	DropBefore = localkms.DropBefore
	DropAfter  = localkms.DropAfter
)

// What can be assumed. [Assumptions] says what each means.
const (
	TokenReusable                  = localkms.TokenReusable
	DisabledStaysDisabled          = localkms.DisabledStaysDisabled
	DisabledRefusesImport          = localkms.DisabledRefusesImport
	LongHMAC                       = localkms.LongHMAC
	UnlistedKeySpecs               = localkms.UnlistedKeySpecs
	ImportTypeUnsupportedOperation = localkms.ImportTypeUnsupportedOperation
	ModeledStatus                  = localkms.ModeledStatus
	LongPendingDeletionText        = localkms.LongPendingDeletionText
	TenRotations                   = localkms.TenRotations
	NoMultiRegionRotation          = localkms.NoMultiRegionRotation
	ExpiryChangeNeedsDeletion      = localkms.ExpiryChangeNeedsDeletion
	OlderTokensStayValid           = localkms.OlderTokensStayValid
	ParametersOverMaterial         = localkms.ParametersOverMaterial
	ImportOverMaterial             = localkms.ImportOverMaterial
	MaterialStaysAssociated        = localkms.MaterialStaysAssociated
	FractionalValidTo              = localkms.FractionalValidTo
	EpochTimestamps                = localkms.EpochTimestamps
	QuotedEpochTimestamps          = localkms.QuotedEpochTimestamps
	AWSKeyARNs                     = localkms.AWSKeyARNs
	PlainJSON                      = localkms.PlainJSON
	RotationOperations             = localkms.RotationOperations
	EmptyObject                    = localkms.EmptyObject
	TextlessIncorrectMaterial      = localkms.TextlessIncorrectMaterial
	ARNAsKeyID                     = localkms.ARNAsKeyID
)

// Assumptions lists everything that can be assumed.
func Assumptions() []AssumptionInfo { return localkms.Assumptions() }

// AWSQuotas are faults that throttle each operation at the default request quota of AWS.
func AWSQuotas() []Fault { return localkms.AWSQuotas() }

// NewFaults makes an empty set of faults.
func NewFaults() *Faults { return localkms.NewFaults() }

// NewWrappingKeys makes an empty pool of wrapping keys. Whoever makes it closes it.
func NewWrappingKeys() *WrappingKeys { return localkms.NewWrappingKeys() }
