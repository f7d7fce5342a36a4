package smtptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"time"
)

// authority returns the certificate all servers of a process use, and the
// pool with the authority that signed it. It panics where the system cannot
// make keys: no test could go on.
func authority() (tls.Certificate, *x509.CertPool) {
	made := makeAuthority()
	return made.certificate, made.roots
}

type madeAuthority struct {
	certificate tls.Certificate
	roots       *x509.CertPool
}

var makeAuthority = sync.OnceValue(func() madeAuthority {
	// Valid since 1999: the fake clock of package synctest starts in 2000.
	from := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	until := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "smtptest authority"},
		NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, caDER := sign(ca, ca, nil)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "smtptest"},
		NotBefore: from, NotAfter: until,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafKey, leafDER := sign(leaf, ca, caKey)
	parsed, err := x509.ParseCertificate(caDER)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return madeAuthority{tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}, roots}
})

// sign makes a key and a certificate for it; a nil issuerKey signs it with itself.
func sign(template, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	if issuerKey == nil {
		issuerKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, issuerKey)
	if err != nil {
		panic(err)
	}
	return key, der
}
