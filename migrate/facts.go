package migrate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptrace"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/internal/profiles"
	"popmigrate/pop3"
)

// Facts are what a session learned of its server until the login was through.
// The custody record keeps those that are not for the moment only.
type Facts struct {
	Server       string            `json:"server"`  // host:port as configured
	Address      string            `json:"address"` // remote address
	TLSVersion   string            `json:"tls_version,omitempty"`
	TLSCipher    string            `json:"tls_cipher,omitempty"`
	Certificate  checkpoint.Digest `json:"certificate_sha256"` // of the leaf, DER; zero without TLS
	Greeting     string            `json:"greeting"`
	Capabilities []string          `json:"capabilities,omitempty"` // after login
	Mechanism    string            `json:"mechanism"`
	Profiles     []string          `json:"profiles,omitempty"` // titles of those that recognised the server
	Tuning       *profiles.Tuning  `json:"-"`                  // what they say; nil says nothing
	LoginDelay   time.Duration     `json:"-"`                  // least time between two logins (RFC 2449 section 6.5)

	// For those who look at servers.
	Mode      TLSMode             `json:"-"` // as configured
	Addresses []string            `json:"-"` // that the server's name stands for; nil where none was looked up
	Chain     []*x509.Certificate `json:"-"` // that the server showed, its own first, trusted or not
	Timestamp bool                `json:"-"` // the greeting has one for APOP
	Offered   *pop3.Capabilities  `json:"-"` // before the login, behind TLS where there is any; nil without CAPA
}

// watchLookup has the addresses noted that a dialer finds for the server's name.
func (f *Facts) watchLookup(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{DNSDone: func(found httptrace.DNSDoneInfo) {
		for _, address := range found.Addrs {
			f.Addresses = append(f.Addresses, address.String())
		}
	}})
}

// sawCertificates notes those that were not trusted.
func (f *Facts) sawCertificates(err error) {
	var refused *tls.CertificateVerificationError
	if errors.As(err, &refused) {
		f.Chain = refused.UnverifiedCertificates
	}
}
