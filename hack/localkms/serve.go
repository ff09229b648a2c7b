package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/keyimport-dev/kms-key-import-operator/internal/localkms"
)

// servers is the KMS and, where faults are enabled, what sets them.
type servers struct {
	kms, admin net.Listener // admin is nil without faults
	handler    http.Handler
	faults     http.Handler
}

// listeners opens what is to be served.
func (c *config) listeners(ctx context.Context, kms *localkms.Server) (*servers, error) {
	s := &servers{handler: kms, faults: c.faults}
	var config net.ListenConfig
	var err error
	if s.kms, err = config.Listen(ctx, "tcp", c.listen); err != nil {
		return nil, err
	}
	if c.tlsSelfSigned {
		certificate, err := c.selfSigned(s.kms.Addr())
		if err != nil {
			s.close()
			return nil, err
		}
		s.kms = tls.NewListener(s.kms, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}})
	}
	if c.enableFaults {
		if s.admin, err = config.Listen(ctx, "tcp", c.adminListen); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// close gives the listeners up unserved.
func (s *servers) close() {
	_ = s.kms.Close() // nothing was written to it
	if s.admin != nil {
		_ = s.admin.Close() // likewise
	}
}

// patience is how long requests under way may take to end.
const patience = 5 * time.Second

// serve answers requests until ctx ends, then lets those that are under way finish.
func (s *servers) serve(ctx context.Context, kms *localkms.Server) error {
	server := newHTTPServer(s.handler)
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(s.kms) }()
	if s.admin != nil {
		admin := newHTTPServer(s.faults)
		go func() { failed <- admin.Serve(s.admin) }()
		defer func() { _ = admin.Close() }() // nobody waits for a fault
	}
	select {
	case err := <-failed:
		_ = server.Close() // the first error is the one to report
		return err
	case <-ctx.Done():
	}
	_ = kms.Close() // requests that wait for a wrapping key need not; never fails
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests under way for more than %s were dropped: %w", patience, err), server.Close())
	}
	return nil
}

func newHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
}
