package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// config is what the flags say.
type config struct {
	listen, addressFile          string
	dialect                      string
	assume                       []string
	regions                      []string
	accountID                    string
	accessKeyID, secretAccessKey string
	principals                   []string
	strictSigning                bool
	importTokenTTL               time.Duration
	lateExpiry, rotationTime     time.Duration
	propagation                  localkms.Propagation
	tlsSelfSigned                bool
	tlsCAFile                    string
	tlsHosts                     []string
	enableFaults                 bool
	adminListen                  string
	faults                       *localkms.Faults

	parsedPrincipals []localkms.Principal
	written          []string // files to remove at the end
}

// parse reads the flags. For --help it prints the usage and returns pflag.ErrHelp.
func parse(args []string, stdout io.Writer) (*config, error) {
	c := &config{}
	flags := pflag.NewFlagSet("localkms", pflag.ContinueOnError)
	flags.SortFlags = false
	c.defineServing(flags)
	c.defineBehaviour(flags)
	flags.Usage = func() {
		_, _ = fmt.Fprintf(stdout, "localkms is a KMS for tests: it imports, uses and forgets keys as AWS KMS or QKMS does.\nKeys live in memory and are gone when it stops.\n\nUsage:\n  localkms [flags]\n\nFlags:\n%s\nAssumptions (--assume):\n%s", flags.FlagUsages(), assumptions())
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: see --help", flags.Arg(0))
	}
	if c.enableFaults {
		c.faults = localkms.NewFaults()
	}
	return c, errors.Join(c.check(flags), c.parsePrincipals())
}

// defineServing defines the flags about where and for whom.
func (c *config) defineServing(flags *pflag.FlagSet) {
	flags.StringVar(&c.listen, "listen", "127.0.0.1:4566", "`address` to listen on; port 0 chooses a free one")
	flags.StringVar(&c.addressFile, "address-file", "", "`file` to write the actual address to once listening; removed at the end")
	flags.BoolVar(&c.tlsSelfSigned, "tls-self-signed", false, "serve HTTPS with a certificate made at the start; needs --tls-ca-file")
	flags.StringVar(&c.tlsCAFile, "tls-ca-file", "", "`file` to write the CA certificate of --tls-self-signed to, for clients to trust")
	flags.StringSliceVar(&c.tlsHosts, "tls-host", nil, "further `name` or IP address for the certificate, such as localkms.default.svc; may be repeated")
	flags.StringSliceVar(&c.regions, "region", nil, "`region` that requests may be signed for, each with keys of its own; may be repeated (default: any)")
	flags.StringVar(&c.accountID, "account-id", localkms.DefaultAccountID, "`account` in key ARNs, 12 digits")
	flags.StringVar(&c.accessKeyID, "access-key-id", localkms.DefaultAccessKeyID, "access key `ID` that requests must be signed with")
	flags.StringVar(&c.secretAccessKey, "secret-access-key", localkms.DefaultSecretAccessKey, "`secret` that belongs to it")
	flags.StringArrayVar(&c.principals, "principal", nil, "further `ARN=ID:SECRET` that may sign, for key policies to tell apart; may be repeated")
	flags.BoolVar(&c.enableFaults, "enable-faults", false, "let faults be set at /faults on --admin-listen")
	flags.StringVar(&c.adminListen, "admin-listen", "127.0.0.1:0", "loopback `address` for faults, without credentials")
}

// defineBehaviour defines the flags about what the server does.
func (c *config) defineBehaviour(flags *pflag.FlagSet) {
	flags.StringVar(&c.dialect, "dialect", string(localkms.AWS), "service to behave like: `AWS or QKMS`")
	flags.StringSliceVar(&c.assume, "assume", nil, "`assumption` about what no documentation settles, see below; may be repeated")
	flags.BoolVar(&c.strictSigning, "strict-signing", false, "take only signatures over the four headers that QKMS documents; the SDKs of AWS sign more")
	flags.DurationVar(&c.importTokenTTL, "import-token-ttl", localkms.DefaultImportTokenTTL, "how long an import token can be used, such as 30s or 24h")
	flags.DurationVar(&c.lateExpiry, "late-expiry", 0, "how long after its date material is still there")
	flags.DurationVar(&c.propagation.Delay, "propagation-delay", 0, "how long readers still see what was before a change")
	flags.BoolVar(&c.propagation.Flicker, "propagation-flicker", false, "let every second look meanwhile see the change already")
	flags.DurationVar(&c.rotationTime, "rotation-time", 0, "how long a rotation on demand is under way")
}

// assumptions is the table of what --assume takes.
func assumptions() string {
	var text strings.Builder
	for _, info := range localkms.Assumptions() {
		dialects := make([]string, len(info.Dialects))
		for i, dialect := range info.Dialects {
			dialects[i] = string(dialect)
		}
		_, _ = fmt.Fprintf(&text, "  %s (%s)\n      %s\n      otherwise: %s\n", info.Assumption, strings.Join(dialects, ", "), info.Meaning, info.Otherwise)
	}
	return text.String()
}

// check refuses what only a command line can get wrong; the rest is for the server's options.
func (c *config) check(flags *pflag.FlagSet) error {
	switch {
	case c.accessKeyID == "" || c.secretAccessKey == "":
		return errors.New("--access-key-id and --secret-access-key must not be empty")
	case c.importTokenTTL <= 0:
		return fmt.Errorf("--import-token-ttl must be positive, not %s", c.importTokenTTL)
	case flags.Changed("region") && len(c.regions) == 0:
		return errors.New("--region must name a Region; leave it out for any")
	case !isLoopback(c.adminListen):
		return fmt.Errorf("--admin-listen must be a loopback IP address such as 127.0.0.1:4567, not %q: whoever reaches it needs no credentials", c.adminListen)
	}
	return c.checkPairs(flags)
}

// checkPairs refuses flags that do nothing without another.
func (c *config) checkPairs(flags *pflag.FlagSet) error {
	switch {
	case c.tlsSelfSigned != (c.tlsCAFile != ""):
		return errors.New("--tls-self-signed and --tls-ca-file go together")
	case len(c.tlsHosts) > 0 && !c.tlsSelfSigned:
		return errors.New("--tls-host goes with --tls-self-signed")
	case c.propagation.Flicker && c.propagation.Delay == 0:
		return errors.New("--propagation-flicker goes with --propagation-delay")
	case flags.Changed("admin-listen") && !c.enableFaults:
		return errors.New("--admin-listen goes with --enable-faults")
	}
	return nil
}

// isLoopback tells whether an address is a loopback IP address with a port.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (c *config) parsePrincipals() error {
	c.parsedPrincipals = []localkms.Principal{{AccessKeyID: c.accessKeyID, SecretAccessKey: c.secretAccessKey}}
	for _, text := range c.principals {
		arn, key, _ := strings.Cut(text, "=")
		id, secret, _ := strings.Cut(key, ":")
		if arn == "" || id == "" || secret == "" {
			return errors.New("--principal must read ARN=ID:SECRET, as in arn:aws:iam::111122223333:user/ci=ci:secret")
		}
		c.parsedPrincipals = append(c.parsedPrincipals, localkms.Principal{ARN: arn, AccessKeyID: id, SecretAccessKey: secret})
	}
	return nil
}

func (c *config) options(logs io.Writer) localkms.Options {
	assume := make([]localkms.Assumption, len(c.assume))
	for i, name := range c.assume {
		assume[i] = localkms.Assumption(name)
	}
	return localkms.Options{
		Dialect:        localkms.Dialect(c.dialect),
		Assume:         assume,
		Regions:        slices.Clone(c.regions),
		AccountID:      c.accountID,
		Principals:     c.parsedPrincipals,
		StrictSigning:  c.strictSigning,
		ImportTokenTTL: c.importTokenTTL,
		LateExpiry:     c.lateExpiry,
		Propagation:    c.propagation,
		RotationTime:   c.rotationTime,
		Faults:         c.faults,
		Logger:         slog.New(slog.NewTextHandler(logs, nil)),
	}
}
