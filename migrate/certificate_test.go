package migrate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"popmigrate/pop3/pop3test"
)

// certificateFor returns a certificate that trusts itself.
func certificateFor(t *testing.T, names *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	names.SerialNumber, names.NotBefore, names.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	names.BasicConstraintsValid, names.IsCA = true, true
	octets, err := x509.CreateCertificate(rand.Reader, names, names, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(octets)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{octets}, PrivateKey: key, Leaf: leaf}
}

// The names of a certificate are compared with the server's name as the job
// has it, by the rules of RFC 6125.
func TestCertificateNames(t *testing.T) {
	dns := func(names ...string) *x509.Certificate { return &x509.Certificate{DNSNames: names} }
	for name, test := range map[string]struct {
		certificate *x509.Certificate
		server      string
		ok          bool
	}{
		"its name":                  {dns("mx.example.net", "pop.example.net"), "pop.example.net:995", true},
		"in capitals":               {dns("pop.example.net"), "POP.Example.NET:995", true},
		"another name":              {dns("imap.example.net"), "pop.example.net:995", false},
		"wildcard":                  {dns("*.example.net"), "pop.example.net:995", true},
		"wildcard for two labels":   {dns("*.example.net"), "old.pop.example.net:995", false},
		"wildcard for none":         {dns("*.example.net"), "example.net:995", false},
		"wildcard inside":           {dns("pop.*.net"), "pop.example.net:995", false},
		"common name only":          {&x509.Certificate{Subject: pkix.Name{CommonName: "pop.example.net"}}, "pop.example.net:995", false},
		"its address":               {&x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}, "192.0.2.1:995", true},
		"an address as a name":      {dns("192.0.2.1"), "192.0.2.1:995", false},
		"an IPv6 address":           {&x509.Certificate{IPAddresses: []net.IP{net.ParseIP("2001:db8::1")}}, "[2001:db8::1]:995", true},
		"an address, name expected": {&x509.Certificate{IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}, "pop.example.net:995", false},
	} {
		t.Run(name, func(t *testing.T) {
			certificate := certificateFor(t, test.certificate)
			server := startServer(t, pop3test.Config{ImplicitTLS: true, ChangeTLS: func(c *tls.Config) { c.Certificates = []tls.Certificate{certificate} }})
			trusted := x509.NewCertPool()
			trusted.AddCert(certificate.Leaf)
			_, failure := connectTo(t, server, func(s *POP3Source) {
				address := s.Server
				s.Server, s.TLS, s.TLSConfig = test.server, TLSImplicit, &tls.Config{RootCAs: trusted}
				s.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, address)
				}
			})
			if (failure == nil) != test.ok || failure != nil && failure.Class != ClassTLS {
				t.Errorf("%v", failure)
			}
			if !test.ok {
				noLogin(t, server)
			}
		})
	}
}
