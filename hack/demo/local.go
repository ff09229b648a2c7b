//go:build unix

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"time"
)

// ownMAC is the other half of the proof: an HMAC computed from the Secret, without any KMS.
func ownMAC(_ context.Context, args []string, in io.Reader, out io.Writer) error {
	key, err := readBase64(in)
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, args[0]) // a hash never fails
	_, err = fmt.Fprintf(out, "%x\n", mac.Sum(nil))
	return err
}

func readBase64(in io.Reader) ([]byte, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(decoded, text)
	return decoded[:n], err
}

// The range below those that systems give to outgoing connections and Kubernetes to NodePorts: a port found free here
// is still free a second later, when a server binds it.
const firstPort, portCount = 20000, 10000

func ports(ctx context.Context, args []string, _ io.Reader, out io.Writer) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	found := make([]any, 0, count)
	for range count {
		// Stays open until all are found, so that no port is found twice.
		listener, err := listen(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = listener.Close() }() // nothing was written to it
		found = append(found, listener.Addr().(*net.TCPAddr).Port)
	}
	_, err = fmt.Fprintln(out, found...)
	return err
}

// listen tries ports in random order, so that two demos at once do not meet.
func listen(ctx context.Context) (net.Listener, error) {
	const tries = 100
	var config net.ListenConfig
	var failure error
	for range tries {
		offset, err := rand.Int(rand.Reader, big.NewInt(portCount))
		if err != nil {
			return nil, err
		}
		listener, err := config.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+offset.Int64()))
		if err == nil {
			return listener, nil
		}
		failure = err
	}
	return nil, fmt.Errorf("find a free port of 127.0.0.1: %w", failure)
}

func signingKey(_ context.Context, _ []string, _ io.Reader, out io.Writer) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return pem.Encode(out, &pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func get(ctx context.Context, args []string, _ io.Reader, _ io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close() // the status is all that is asked for
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", args[0], answer.Status)
	}
	return nil
}
