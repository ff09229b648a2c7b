package localkms

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// What the zero [Options] mean.
const (
	// DefaultRegion is the Region to use where nothing speaks for another.
	DefaultRegion = "us-east-1"
	// DefaultAccountID is the account in key ARNs.
	DefaultAccountID = "111122223333"
	// DefaultAccessKeyID is the access key ID that requests must be signed with.
	DefaultAccessKeyID = "localkms"
	// DefaultSecretAccessKey is the secret that belongs to [DefaultAccessKeyID].
	DefaultSecretAccessKey = "localkms"
	// DefaultImportTokenTTL is how long AWS KMS lets an import token live.
	DefaultImportTokenTTL = 24 * time.Hour
)

// Options configures a [Server]. The zero value is a working server with the defaults above.
type Options struct {
	// Dialect is the service to behave like. Default: [AWS].
	Dialect Dialect
	// Assume replaces readings of what the documentation leaves open ([Assumptions]). Default: none.
	Assume []Assumption
	// Regions are those that requests may be signed for. One server plays all of them, each with keys of its own.
	// Default: every name that has the shape of a Region's.
	Regions []string
	// AccountID appears in key ARNs: 12 digits. Default: [DefaultAccountID].
	AccountID string
	// Principals may sign requests. Default: one with [DefaultAccessKeyID] and [DefaultSecretAccessKey].
	Principals []Principal
	// StrictSigning refuses requests that sign other headers than the four that the QKMS documentation names:
	// content-type, host, x-amz-date and x-amz-target. The SDKs of AWS sign more.
	StrictSigning bool
	// ImportTokenTTL is how long an answer of GetParametersForImport can be used. Default: [DefaultImportTokenTTL].
	ImportTokenTTL time.Duration
	// LateExpiry is how long after its date material is still there. Default: none.
	LateExpiry time.Duration
	// Propagation is how far readers lag behind changes. Default: not at all.
	Propagation Propagation
	// RotationTime is how long a rotation on demand is under way. Default: no time.
	RotationTime time.Duration
	// Now is the clock of material, import tokens, deletion windows and everything else that happens to keys. It is
	// called concurrently. Default: [time.Now].
	Now func() time.Time
	// SigningNow is the clock signature dates are compared with, at most 5 minutes off. It is called
	// concurrently. Default: [time.Now].
	SigningNow func() time.Time
	// WrappingKeys is where the RSA keys of GetParametersForImport come from. Tests that start many servers
	// share one to generate each key once; whoever made it closes it. Default: one of the server's own.
	WrappingKeys *WrappingKeys
	// Faults are provoked where they are set. Default: none can be.
	Faults *Faults
	// Logger receives one record per request: operation, key, outcome, duration. Default: none.
	Logger *slog.Logger
}

// withDefaults fills what was left out.
func (o Options) withDefaults() Options {
	if o.Dialect == "" {
		o.Dialect = AWS
	}
	if o.AccountID == "" {
		o.AccountID = DefaultAccountID
	}
	if o.Principals == nil {
		o.Principals = []Principal{{AccessKeyID: DefaultAccessKeyID, SecretAccessKey: DefaultSecretAccessKey}}
	}
	if o.ImportTokenTTL == 0 {
		o.ImportTokenTTL = DefaultImportTokenTTL
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SigningNow == nil {
		o.SigningNow = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	if o.Dialect != AWS && o.Dialect != QKMS {
		return fmt.Errorf("dialect %q is neither %s nor %s", o.Dialect, AWS, QKMS)
	}
	for _, a := range o.Assume {
		if err := a.validate(); err != nil {
			return err
		}
	}
	for _, region := range o.Regions {
		if !isRegion(region) {
			return fmt.Errorf("region %q is not a Region name such as %s", region, DefaultRegion)
		}
	}
	if len(o.AccountID) != 12 || strings.Trim(o.AccountID, "0123456789") != "" {
		return fmt.Errorf("account ID %q is not 12 digits", o.AccountID)
	}
	if err := o.validateDurations(); err != nil {
		return err
	}
	return o.validatePrincipals()
}

func (o Options) validateDurations() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"import token TTL", o.ImportTokenTTL}, {"late expiry", o.LateExpiry}, {"propagation delay", o.Propagation.Delay},
		{"rotation time", o.RotationTime},
	} {
		if d.value < 0 {
			return fmt.Errorf("%s %s is negative", d.name, d.value)
		}
	}
	return nil
}

func (o Options) validatePrincipals() error {
	if len(o.Principals) == 0 {
		return errors.New("no principals: nobody could sign a request")
	}
	seen := map[string]bool{}
	for _, p := range o.Principals {
		if p.AccessKeyID == "" || p.SecretAccessKey == "" || strings.ContainsAny(p.AccessKeyID, "/, =") {
			return fmt.Errorf("access key ID %q: it and its secret must not be empty, and it cannot hold a slash, comma, equals sign or space", p.AccessKeyID)
		}
		if seen[p.AccessKeyID] {
			return fmt.Errorf("access key ID %q belongs to two principals", p.AccessKeyID)
		}
		seen[p.AccessKeyID] = true
	}
	return nil
}

// byAccessKeyID gives each principal its ARN.
func (o Options) byAccessKeyID(n namespace) map[string]Principal {
	principals := map[string]Principal{}
	for _, p := range o.Principals {
		if p.ARN == "" {
			p.ARN = n.principal("user/localkms")
		}
		principals[p.AccessKeyID] = p
	}
	return principals
}
