//go:build unix

// Command demo is the helper of demo.sh: what the demo needs and a machine with only Go, make and git does not have.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// command is one thing the helper does. It reads from in and prints to out.
type command struct {
	name, arguments, purpose string
	// least is how many arguments it takes; at most that many, unless more.
	least int
	more  bool
	run   func(ctx context.Context, args []string, in io.Reader, out io.Writer) error
}

func commands() []command {
	return []command{
		{name: "create-key", arguments: "KEYSPEC", purpose: "create a KMS key of Origin EXTERNAL, SYMMETRIC_DEFAULT or HMAC_256, and print its ARN", least: 1, run: createKey},
		{name: "key-state", arguments: "KEY", purpose: "print the key's state as KMS reports it", least: 1, run: keyState},
		{name: "delete-material", arguments: "KEY", purpose: "delete the key's imported material", least: 1, run: deleteMaterial},
		{name: "encrypt", arguments: "KEY TEXT", purpose: "print the ciphertext of TEXT in Base64", least: 2, run: encrypt},
		{name: "decrypt", arguments: "KEY", purpose: "print the text of the Base64 ciphertext on standard input", least: 1, run: decrypt},
		{name: "mac", arguments: "KEY TEXT", purpose: "print the HMAC-SHA-256 of TEXT as KMS computes it, in hex", least: 2, run: kmsMAC},
		{name: "own-mac", arguments: "TEXT", purpose: "print the HMAC-SHA-256 of TEXT under the Base64 key on standard input, in hex", least: 1, run: ownMAC},
		{name: "ports", arguments: "COUNT", purpose: "print so many free ports of 127.0.0.1", least: 1, run: ports},
		{name: "signing-key", purpose: "print a new private key for ServiceAccount tokens, in PEM", run: signingKey},
		{name: "get", arguments: "URL", purpose: "succeed if the URL answers 200", least: 1, run: get},
		{name: "lock", purpose: "lock the file that is standard input for as long as the caller holds it open", run: lock},
		{name: "session", arguments: "PIDFILE PROGRAM [ARGUMENT...]", purpose: "become PROGRAM in a session of its own, holding a lock on PIDFILE", least: 2, more: true, run: session},
		{name: "running", arguments: "PIDFILE...", purpose: "print the process IDs of those that run", more: true, run: running},
		{name: "ended", arguments: "PIDFILE...", purpose: "print the names of those that do not run", more: true, run: ended},
		{name: "stop", arguments: "PIDFILE...", purpose: "end those that run, one after the other", more: true, run: stop},
	}
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usage()
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		args = args[1:]
		if len(args) < c.least || len(args) > c.least && !c.more {
			return fmt.Errorf("usage: %s %s", c.name, c.arguments)
		}
		if err := c.run(ctx, args, os.Stdin, os.Stdout); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		return nil
	}
	return usage()
}

func usage() error {
	lines := []string{"the first argument is one of:", ""}
	for _, c := range commands() {
		lines = append(lines, "  "+strings.TrimSpace(c.name+" "+c.arguments), "      "+c.purpose)
	}
	return errors.New(strings.Join(lines, "\n"))
}
