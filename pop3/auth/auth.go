// Package auth logs in to POP3 servers: it knows the mechanisms (RFC 5034,
// RFC 1939 section 7), their order of strength, and which of them a job
// allows. The commands themselves belong to package pop3.
package auth

import (
	"context"
	"crypto/tls"
	"fmt"

	"github.com/emersion/go-sasl"

	"popmigrate/pop3"
)

// Client is what a login needs of a connection; *pop3.Client has it.
type Client interface {
	Authenticate(ctx context.Context, mechanism sasl.Client) error
	APOP(ctx context.Context, user, secret string) error
	Login(ctx context.Context, user, password string) error
	Timestamp() string
	TLS() (tls.ConnectionState, bool)
}

// Credentials are what an account can prove itself with. Each function is
// called anew for each login and only if a mechanism that is tried needs it.
type Credentials struct {
	User     string // the login as it is sent
	Identity string // SASL authorization identity, where it is not the user's own; "" means none

	// Host and Port are the server's, as the job names it and not as a
	// resolver does: GSSAPI, DIGEST-MD5 and OAUTHBEARER bind the login to it.
	Host, Port string

	// Password returns the secret of the account or of a master user; nil
	// where there is none.
	Password func(context.Context) (string, error)

	// Token returns an OAuth2 access token; nil where there is none.
	Token TokenSource

	// Kerberos returns a GSSAPI exchange with the service on host; nil where
	// there is none.
	Kerberos func(ctx context.Context, host string) (sasl.Client, error)

	// Certificate says that the TLS configuration has a client certificate,
	// which EXTERNAL then refers to.
	Certificate bool

	rejected string // a token that the server has refused; see StaleTokenError
}

// TokenSource hands out OAuth2 access tokens. It is safe for concurrent use
// by many sessions.
type TokenSource interface {
	// Token returns an access token for the user that is valid for a while.
	// With rejected, a token that a server has just refused, it returns
	// another one than that, or an error. Errors hold no secret.
	Token(ctx context.Context, user, rejected string) (string, error)
}

// Mechanisms a job may name besides those of SASL.
const (
	User = "USER" // USER and PASS
	APOP = "APOP"
)

// Policy says which mechanisms may be used, and in which form.
type Policy struct {
	// Mechanisms are the names, in upper case, that may be tried, in order;
	// empty means what the server offers, strongest first. One name alone is
	// tried whether the server announces it or not.
	Mechanisms []string

	// Cleartext allows mechanisms from which a listener on an unencrypted
	// connection learns the secret, or can guess it.
	Cleartext bool

	// InitialResponse is pop3.Options.InitialLine for the servers of this
	// policy: 0 lets every response wait for the server's challenge, which
	// costs a round trip and works everywhere.
	InitialResponse int
}

// Login logs in by the first suitable mechanism and returns its name.
//
// What proves the account (a password, a token) is tried once. There are two
// exceptions: a challenge mechanism that is refused may be so because the
// server stores no plaintext, so that over TLS the password itself is sent
// once; and for a refused token a fresh one is tried once. A server that says
// it does not know a mechanism has not judged anything: the next is tried.
//
// Errors are *CredentialError, *NoMechanismError, *RefusedError,
// *StaleTokenError, [ErrUnproven], or those of the connection.
func Login(ctx context.Context, client Client, offered *pop3.Capabilities, credentials Credentials, policy Policy) (string, error) {
	l := &login{client: client, offered: offered, credentials: credentials, policy: policy}
	l.tls, l.encrypted = client.TLS()
	candidates, why := l.candidates()
	var refused *RefusedError // the last refusal
	var before *mechanism     // what was refused
	spent := map[proof]bool{}
	for _, m := range candidates {
		if spent[m.proves] && !l.mayFallBack(before, m) {
			continue
		}
		err := l.try(ctx, m)
		unable := (*unableError)(nil)
		switch again := asRefused(err); {
		case err == nil:
			return m.name, nil
		case asUnable(err, &unable):
			why = append(why, m.name+" "+unable.why)
		case again == nil && refused != nil && !fromCredentials(err):
			return before.name, refused // the server does not go on after a refusal
		case again == nil:
			return m.name, err
		case again.Verdict == Absent:
			why = append(why, fmt.Sprintf("%s was refused with %q", m.name, again.Reply.Text))
		case again.Verdict != Denied:
			return m.name, again
		default:
			again.before = refused
			if !l.offers(m) {
				again.Hint = "the server does not announce " + m.name + "; " + again.Hint
			}
			refused, before, spent[m.proves] = again, m, true
		}
	}
	if refused != nil {
		return before.name, refused
	}
	return "", l.noMechanism(why)
}

// mayFallBack tells whether m, which proves the same as the refused mechanism,
// may be tried all the same: that one needs more than a hash of the password
// on the server's side, m does not, and nobody listens. Behind m it is true of
// none.
func (l *login) mayFallBack(refused, m *mechanism) bool {
	return l.encrypted && refused.proves == password && refused.exposes != theSecret && m.exposes == theSecret
}

// login is one login under way.
type login struct {
	client      Client
	offered     *pop3.Capabilities
	credentials Credentials
	policy      Policy
	tls         tls.ConnectionState
	encrypted   bool
}

// try logs in by one mechanism.
func (l *login) try(ctx context.Context, m *mechanism) error {
	if m.proves == token {
		return l.tryToken(ctx, m)
	}
	secret := ""
	if m.proves == password {
		var err error
		if secret, err = l.credentials.Password(ctx); err != nil {
			return &CredentialError{err}
		}
	}
	return l.explained(m.log(ctx, l, secret))
}
