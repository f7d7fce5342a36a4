package migrate

import (
	"context"
	"crypto/tls"
	"net"

	"popmigrate/internal/profiles"
	"popmigrate/pop3"
	"popmigrate/pop3/auth"
)

// TLSMode says when a session is encrypted. The zero value is the safe one.
type TLSMode int

// The modes of RFC 8314 section 3 and RFC 2595 section 4.
const (
	TLSImplicit TLSMode = iota // from the first octet
	TLSStart                   // STLS before the login, never without
	TLSNone                    // clear text; most logins need Policy.Cleartext besides
)

// UTF8Mode says when the command UTF8 is sent before the login (RFC 6856), so
// that mail with octets outside ASCII in its header comes unchanged.
type UTF8Mode int

// The modes.
const (
	UTF8Auto UTF8Mode = iota // where CAPA announces it; a refusal is no error
	UTF8On                   // always; a refusal ends the session
	UTF8Off                  // never
)

// POP3Source says how to reach one maildrop over POP3 and how to log in to it.
// It implements Connector.
type POP3Source struct {
	Server     string // host:port
	TLS        TLSMode
	TLSConfig  *tls.Config      // nil means verified against the system's roots; ServerName is set from Server where empty
	Login      auth.Credentials // Host and Port are set from Server where empty
	Policy     auth.Policy      // which mechanisms may log in
	UTF8       UTF8Mode
	Pipelining pop3.Pipelining
	Timeouts   pop3.Timeouts

	// Profiles recognise servers, nil for none. Preset is what the job's own
	// choice of a profile says, nil without one.
	Profiles *profiles.Set
	Preset   *profiles.Tuning

	// SDPS asks for each message's envelope with *ENV before it is fetched.
	SDPS bool

	// AllowRetrHides lets sessions go on where fetching alone may hide or
	// delete messages. Otherwise Connect fails there.
	AllowRetrHides bool

	// Before is done on a new connection before the server's greeting and
	// before any TLS: the Kerberos exchange of KPOP. nil means nothing.
	Before func(ctx context.Context, conn net.Conn, host string) error

	// Dial opens the connection; nil means a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	noCapa bool // the server ends sessions at CAPA
}
