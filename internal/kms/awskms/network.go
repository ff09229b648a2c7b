package awskms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// networkCause says why there was no answer. It is one of a few fixed texts: an error of the net package holds the
// local port, which changes with every attempt.
func networkCause(err error) string {
	for _, look := range []func(error) string{resolutionCause, tlsCause, connectionCause} {
		if cause := look(err); cause != "" {
			return cause
		}
	}
	return "no answer"
}

func resolutionCause(err error) string {
	var dns *net.DNSError
	switch {
	case !errors.As(err, &dns):
		return ""
	case dns.IsNotFound:
		return "no such host"
	case dns.IsTimeout:
		return "time-out while resolving the host name"
	default:
		return "the host name could not be resolved"
	}
}

func tlsCause(err error) string {
	var (
		unknown     x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
		unverified  *tls.CertificateVerificationError
		notTLS      tls.RecordHeaderError
		alert       tls.AlertError
		invalidTime = errors.As(err, &invalid) && invalid.Reason == x509.Expired
	)
	switch {
	case errors.As(err, &unknown):
		return "TLS: certificate signed by unknown authority"
	case errors.As(err, &hostname):
		return "TLS: the certificate is not for this host name"
	case invalidTime:
		return "TLS: the certificate has expired or is not valid yet"
	case errors.As(err, &unverified):
		return "TLS: the certificate is not valid"
	case errors.As(err, &notTLS), errors.Is(err, http.ErrSchemeMismatch):
		return "TLS: the endpoint does not speak TLS"
	case errors.As(err, &alert):
		return "TLS: the endpoint refused the handshake"
	default:
		return ""
	}
}

func connectionCause(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to host"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "time-out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer was complete"
	default:
		return ""
	}
}
