// Package auth logs in to POP3 servers: it knows the mechanisms (RFC 5034,
// RFC 1939 section 7), their order of strength, and which of them a job
// allows. The commands themselves belong to package pop3.
package auth

import (
	"context"
	"crypto/tls"

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

// Policy says which mechanisms may be used.
type Policy struct {
	// Mechanisms are the names, in upper case, that may be tried, in order;
	// empty means what the server offers, strongest first.
	Mechanisms []string
}

// Login logs in by the first suitable mechanism and returns its name.
func Login(ctx context.Context, client Client, offered *pop3.Capabilities, credentials Credentials, policy Policy) (string, error) {
	password, err := credentials.Password(ctx)
	if err != nil {
		return "", &CredentialError{Err: err}
	}
	switch mechanism := choose(offered, policy); mechanism {
	case "PLAIN":
		return mechanism, client.Authenticate(ctx, sasl.NewPlainClient(credentials.Identity, credentials.User, password))
	case APOP:
		return mechanism, client.APOP(ctx, credentials.User, password)
	default:
		return mechanism, client.Login(ctx, credentials.User, password)
	}
}

// choose returns the mechanism to use. Those of an empty policy send the
// password as it is, so that the choice is one of form only; APOP is never
// chosen unasked.
func choose(offered *pop3.Capabilities, policy Policy) string {
	if len(policy.Mechanisms) > 0 {
		return policy.Mechanisms[0]
	}
	if offered.HasArg("SASL", "PLAIN") {
		return "PLAIN"
	}
	return User
}

// CredentialError says that a password, token or ticket could not be had; the
// server was not asked.
type CredentialError struct{ Err error }

func (e *CredentialError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialError) Unwrap() error { return e.Err }
