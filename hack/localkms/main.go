// Command localkms runs the local KMS of internal/localkms on a TCP address.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "localkms:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It prints how to use the server to stdout, warnings and one line per request to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stdout)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	kms, err := localkms.New(c.options(stderr))
	if err != nil {
		return err
	}
	defer func() { _ = kms.Close() }() // never fails
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	if c.addressFile != "" {
		if err := writeAddress(c.addressFile, address); err != nil {
			_ = listener.Close() // the first error is the one to report
			return err
		}
		defer func() { _ = os.Remove(c.addressFile) }() // may have been removed by whoever asked for it
	}
	c.greet(stdout, stderr, address)
	return serve(ctx, listener, kms)
}

// serve answers requests until ctx ends, then lets those that are under way finish.
func serve(ctx context.Context, listener net.Listener, kms *localkms.Server) error {
	server := &http.Server{Handler: kms, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	_ = kms.Close() // requests that wait for a wrapping key need not; never fails
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

// writeAddress writes the file in one step, so that a reader finds either nothing or the whole address.
func writeAddress(path, address string) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write address file: %w", err)
	}
	_, err = fmt.Fprintln(file, address)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the first error is the one to report
		return fmt.Errorf("write address file: %w", err)
	}
	return nil
}

// config is what the flags say.
type config struct {
	listen, addressFile          string
	region, accountID            string
	accessKeyID, secretAccessKey string
	importTokenTTL               time.Duration
}

// parse reads the flags. For --help it prints the usage and returns pflag.ErrHelp.
func parse(args []string, stdout io.Writer) (*config, error) {
	c := &config{}
	flags := pflag.NewFlagSet("localkms", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.StringVar(&c.listen, "listen", "127.0.0.1:4566", "`address` to listen on; port 0 chooses a free one")
	flags.StringVar(&c.addressFile, "address-file", "", "`file` to write the actual address to once listening; removed at the end")
	flags.StringVar(&c.region, "region", localkms.DefaultRegion, "`region` of the keys; requests must be signed for it")
	flags.StringVar(&c.accountID, "account-id", localkms.DefaultAccountID, "`account` in key ARNs, 12 digits")
	flags.StringVar(&c.accessKeyID, "access-key-id", localkms.DefaultAccessKeyID, "access key `ID` that requests must be signed with")
	flags.StringVar(&c.secretAccessKey, "secret-access-key", localkms.DefaultSecretAccessKey, "`secret` that belongs to it")
	flags.DurationVar(&c.importTokenTTL, "import-token-ttl", localkms.DefaultImportTokenTTL, "how long an import token can be used, such as 30s or 24h")
	flags.Usage = func() {
		_, _ = fmt.Fprintf(stdout, "localkms is a KMS for tests: it imports, uses and forgets keys as AWS KMS does.\nKeys live in memory and are gone when it stops.\n\nUsage:\n  localkms [flags]\n\nFlags:\n%s", flags.FlagUsages())
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: see --help", flags.Arg(0))
	}
	if c.accessKeyID == "" || c.secretAccessKey == "" {
		return nil, errors.New("--access-key-id and --secret-access-key must not be empty")
	}
	if c.importTokenTTL <= 0 {
		return nil, fmt.Errorf("--import-token-ttl must be positive, not %s", c.importTokenTTL)
	}
	return c, nil
}

func (c *config) options(logs io.Writer) localkms.Options {
	return localkms.Options{
		Region:         c.region,
		AccountID:      c.accountID,
		Credentials:    map[string]string{c.accessKeyID: c.secretAccessKey},
		ImportTokenTTL: c.importTokenTTL,
		Logger:         slog.New(slog.NewTextHandler(logs, nil)),
	}
}

// greet says where the server is and how to talk to it. What it prints can be pasted into a shell.
func (c *config) greet(stdout, stderr io.Writer, address string) {
	if host, _, err := net.SplitHostPort(address); err == nil && !net.ParseIP(host).IsLoopback() {
		_, _ = fmt.Fprintf(stderr, "localkms: warning: listening on %s, where other machines may reach it, without TLS: use keys made for tests only\n", address)
	}
	_, _ = fmt.Fprintf(stdout, `local KMS listening on http://%[1]s (health: /healthz)

  export AWS_ACCESS_KEY_ID='%[2]s' AWS_SECRET_ACCESS_KEY='%[3]s' AWS_REGION='%[4]s' AWS_DEFAULT_REGION='%[4]s'
  aws kms create-key --origin EXTERNAL --endpoint-url http://%[1]s

Keys live in memory. Stop with Ctrl-C.
`, address, c.accessKeyID, c.secretAccessKey, c.region)
}
