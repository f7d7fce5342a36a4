package preflight

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"popmigrate/migrate"
)

// expirySoon is when a certificate that will expire is worth a word.
const expirySoon = 30 // days

// TLS is how a connection is encrypted and with whose certificate. Where the
// certificate was not trusted there is no version.
type TLS struct {
	Version  string    `json:"version"`
	Cipher   string    `json:"cipher"`
	Subject  string    `json:"subject"`
	Names    []string  `json:"names"` // that the certificate is for
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
	DaysLeft int       `json:"days_left"` // below zero: it has expired
	Pin      string    `json:"sha256"`    // of the certificate, as tls_pin takes it
}

// newTLS returns nil where no certificate was shown.
func newTLS(f *migrate.Facts, now time.Time) *TLS {
	if len(f.Chain) == 0 {
		return nil
	}
	leaf := f.Chain[0]
	sum := sha256.Sum256(leaf.Raw)
	t := &TLS{Version: f.TLSVersion, Cipher: f.TLSCipher, Subject: leaf.Subject.String(), Names: leaf.DNSNames, Issuer: leaf.Issuer.String(),
		NotAfter: leaf.NotAfter.UTC(), DaysLeft: daysUntil(leaf.NotAfter, now), Pin: hex.EncodeToString(sum[:])}
	for _, address := range leaf.IPAddresses {
		t.Names = append(t.Names, address.String())
	}
	if t.Issuer == t.Subject {
		t.Issuer = "itself"
	}
	return t
}

// daysUntil counts whole days; what is past is below zero. (A duration would
// overflow on some certificates.)
func daysUntil(at, now time.Time) int {
	const day = 24 * 60 * 60
	left := at.Unix() - now.Unix()
	if left < 0 {
		return int(-((-left + day - 1) / day))
	}
	return int(left / day)
}

func (t *TLS) findings() []Finding {
	if t == nil || t.DaysLeft > expirySoon {
		return nil
	}
	f := Finding{Cause: "certificate expires", Detail: fmt.Sprintf("the certificate expires on %s", t.NotAfter.Format(time.DateOnly)),
		Help: "have it renewed before the migration ends; tls_pin must then be changed"}
	if t.DaysLeft < 0 {
		f = Finding{Cause: "certificate has expired", Detail: fmt.Sprintf("the certificate expired on %s", t.NotAfter.Format(time.DateOnly)),
			Help: "have it renewed; tls_pin must then be changed"}
	}
	return []Finding{f}
}
