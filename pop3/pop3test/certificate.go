package pop3test

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
	"sync"
	"time"
)

// certificates are a certification authority and the server certificate that
// it signed, both made in memory when first needed.
type certificates struct {
	make func() (*issued, error)
}

// issued is what certificates made.
type issued struct {
	authority *x509.Certificate
	key       *ecdsa.PrivateKey // of the authority
	config    *tls.Config
}

func newCertificates() *certificates {
	return &certificates{make: sync.OnceValues(issue)}
}

// Valid for longer than any test's clock.
var (
	validFrom  = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	validUntil = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func issue() (*issued, error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of test authority: %w", err)
	}
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "pop3test authority"},
		NotBefore:             validFrom,
		NotAfter:              validUntil,
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	authority, err = sign(authority, authority, authorityKey, &authorityKey.PublicKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of test server: %w", err)
	}
	leaf, err := sign(&x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "pop3test server"},
		NotBefore:    validFrom,
		NotAfter:     validUntil,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}, authority, authorityKey, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	certificate := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	return &issued{authority, authorityKey, &tls.Config{Certificates: []tls.Certificate{certificate}}}, nil
}

func sign(template, parent *x509.Certificate, signer *ecdsa.PrivateKey, key *ecdsa.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", template.Subject.CommonName, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse certificate of %s: %w", template.Subject.CommonName, err)
	}
	return certificate, nil
}

// makeTLS returns what the server's side of all connections speaks: one
// configuration, for its ticket keys are what lets clients resume.
func (s *Server) makeTLS() (*tls.Config, error) {
	made, err := s.tls.make()
	if err != nil {
		return nil, err
	}
	config := made.config.Clone()
	if s.config.ClientCertificates {
		config.ClientAuth, config.ClientCAs = tls.VerifyClientCertIfGiven, s.CertPool()
	}
	if s.config.ChangeTLS != nil {
		s.config.ChangeTLS(config)
	}
	return config, nil
}

// ClientCertificate returns a certificate with which user can log in by
// EXTERNAL, signed by the server's certification authority.
func (s *Server) ClientCertificate(user string) (tls.Certificate, error) {
	made, err := s.tls.make()
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make key of %s: %w", user, err)
	}
	leaf, err := sign(&x509.Certificate{
		SerialNumber: big.NewInt(3),
		Subject:      pkix.Name{CommonName: user},
		NotBefore:    validFrom,
		NotAfter:     validUntil,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, made.authority, made.key, &key.PublicKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// CertPool returns a pool that holds nothing but the server's certification
// authority. The server's certificate is for localhost, 127.0.0.1 and ::1.
func (s *Server) CertPool() *x509.CertPool {
	pool := x509.NewCertPool()
	if made, err := s.tls.make(); err == nil {
		pool.AddCert(made.authority)
	}
	return pool
}

// CertPEM returns the certificate of the server's certification authority in
// PEM.
func (s *Server) CertPEM() []byte {
	made, err := s.tls.make()
	if err != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.authority.Raw})
}

// ClientTLS returns a client's configuration that trusts the server.
func (s *Server) ClientTLS() *tls.Config {
	return &tls.Config{RootCAs: s.CertPool(), ServerName: "localhost"}
}
