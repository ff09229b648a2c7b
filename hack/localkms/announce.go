package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// announce says where the servers are and how to talk to them. What it prints can be pasted into a shell.
func (c *config) announce(stdout, stderr io.Writer, s *servers) error {
	address := s.kms.Addr().String()
	if c.addressFile != "" {
		if err := c.write(c.addressFile, []byte(address+"\n")); err != nil {
			return err
		}
	}
	scheme, trust := "http", ""
	if c.tlsSelfSigned {
		file, err := filepath.Abs(c.tlsCAFile)
		if err != nil {
			return fmt.Errorf("find %s: %w", c.tlsCAFile, err)
		}
		scheme, trust = "https", " AWS_CA_BUNDLE="+quoted(file)
	}
	if host, _, err := net.SplitHostPort(address); err == nil && !net.ParseIP(host).IsLoopback() {
		_, _ = fmt.Fprintf(stderr, "localkms: warning: listening on %s, where other machines may reach it: use keys made for tests only\n", address)
	}
	region := localkms.DefaultRegion
	if len(c.regions) > 0 {
		region = c.regions[0]
	}
	text := fmt.Sprintf(`local KMS (%[6]s) listening on %[5]s://%[1]s (health: /healthz)

  export AWS_ACCESS_KEY_ID=%[2]s AWS_SECRET_ACCESS_KEY=%[3]s AWS_REGION=%[4]s AWS_DEFAULT_REGION=%[4]s%[7]s
  aws kms create-key --origin EXTERNAL --endpoint-url %[5]s://%[1]s

`, address, quoted(c.accessKeyID), quoted(c.secretAccessKey), quoted(region), scheme, c.dialect, trust)
	if s.admin != nil {
		text += fmt.Sprintf(`Faults: http://%[1]s/faults, as in

  curl -X PUT http://%[1]s/faults --data '[{"operation": "ImportKeyMaterial", "count": 1, "drop": "after"}]'

`, s.admin.Addr())
	}
	_, _ = io.WriteString(stdout, text+"Keys live in memory. Stop with Ctrl-C.\n")
	return nil
}

// quoted is a word for a shell.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// write writes a file that lasts as long as the server.
func (c *config) write(path string, content []byte) error {
	if err := writeFile(path, content); err != nil {
		return err
	}
	c.written = append(c.written, path)
	return nil
}

// withdraw removes the files that were written, and none that was there before a start that failed.
func (c *config) withdraw() {
	for _, path := range c.written {
		_ = os.Remove(path) // may have been removed by whoever asked for it
	}
}

// writeFile writes a file in one step, so that a reader finds either nothing or the whole of it.
func writeFile(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(0o644)) // for whoever is to use the server, another user of the Pod for instance
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the first error is the one to report
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
