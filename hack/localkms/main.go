// Command localkms runs the local KMS of internal/localkms on a TCP address.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

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
	defer c.withdraw()
	servers, err := c.listeners(ctx, kms)
	if err != nil {
		return err
	}
	if err := c.announce(stdout, stderr, servers); err != nil {
		servers.close()
		return err
	}
	return servers.serve(ctx, kms)
}
