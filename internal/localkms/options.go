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
	// DefaultRegion is the Region of keys and of the credential scope that requests must be signed for.
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
	// Region appears in key ARNs, and requests must be signed for it. Default: [DefaultRegion].
	Region string
	// AccountID appears in key ARNs: 12 digits. Default: [DefaultAccountID].
	AccountID string
	// Credentials maps access key IDs to secret access keys. Each may do everything.
	// Default: [DefaultAccessKeyID] with [DefaultSecretAccessKey].
	Credentials map[string]string
	// ImportTokenTTL is how long an answer of GetParametersForImport can be used. Default: [DefaultImportTokenTTL].
	ImportTokenTTL time.Duration
	// Now is the clock of material, import tokens and deletion windows. It is called concurrently.
	// Default: [time.Now].
	Now func() time.Time
	// SigningNow is the clock signature dates are compared with, at most 5 minutes off. It is called
	// concurrently. Default: [time.Now].
	SigningNow func() time.Time
	// WrappingKeys is where the RSA keys of GetParametersForImport come from. Tests that start many servers
	// share one to generate each key once; whoever made it closes it. Default: one of the server's own.
	WrappingKeys *WrappingKeys
	// Logger receives one record per request: operation, key, outcome, duration. Default: none.
	Logger *slog.Logger
}

// withDefaults fills what was left out.
func (o Options) withDefaults() Options {
	if o.Region == "" {
		o.Region = DefaultRegion
	}
	if o.AccountID == "" {
		o.AccountID = DefaultAccountID
	}
	if o.Credentials == nil {
		o.Credentials = map[string]string{DefaultAccessKeyID: DefaultSecretAccessKey}
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
	if strings.ContainsAny(o.Region, ":/ ") {
		return fmt.Errorf("region %q is not a Region name such as %s", o.Region, DefaultRegion)
	}
	if len(o.AccountID) != 12 || strings.Trim(o.AccountID, "0123456789") != "" {
		return fmt.Errorf("account ID %q is not 12 digits", o.AccountID)
	}
	if o.ImportTokenTTL < 0 {
		return fmt.Errorf("import token TTL %s is negative", o.ImportTokenTTL)
	}
	if len(o.Credentials) == 0 {
		return errors.New("no credentials: nobody could sign a request")
	}
	for id, secret := range o.Credentials {
		if id == "" || secret == "" || strings.ContainsAny(id, "/, =") {
			return fmt.Errorf("access key ID %q: it and its secret must not be empty, and it cannot hold a slash, comma, equals sign or space", id)
		}
	}
	return nil
}
