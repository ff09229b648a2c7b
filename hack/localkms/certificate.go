package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// validity is how long the certificates of --tls-self-signed last: longer than a test server runs.
const validity = 30 * 24 * time.Hour

// selfSigned makes a certificate for the address under a CA of its own, whose private key nobody keeps, and writes the
// CA's certificate to --tls-ca-file.
func (c *config) selfSigned(address net.Addr) (tls.Certificate, error) {
	ca, caKey, err := issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "localkms CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	names, addresses := c.hosts(address)
	leaf, leafKey, err := issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "localkms"}, DNSNames: names, IPAddresses: addresses,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := c.write(c.tlsCAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey, Leaf: leaf}, nil
}

// hosts are the names and addresses that clients may use.
func (c *config) hosts(address net.Addr) (names []string, addresses []net.IP) {
	addresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	names = []string{"localhost"}
	if name, err := os.Hostname(); err == nil { // in a container, the name of the Pod
		names = append(names, name)
	}
	if tcp, ok := address.(*net.TCPAddr); ok { // also where it is unspecified: the greeting has it, and it can be called
		addresses = append(addresses, tcp.IP)
	}
	for _, host := range c.tlsHosts {
		if ip := net.ParseIP(host); ip != nil {
			addresses = append(addresses, ip)
		} else {
			names = append(names, host)
		}
	}
	return names, addresses
}

// issue signs a certificate with a new key; without a parent it signs itself.
func issue(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate: %w", err)
	}
	if parent == nil {
		parent, signer = template, key
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate: %w", err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, time.Now().Add(-time.Minute), time.Now().Add(validity)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}
