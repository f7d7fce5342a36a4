package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"popmigrate/pop3"
)

// CredentialError says that a password, token or ticket could not be had; the
// server was not asked.
type CredentialError struct{ Err error }

func (e *CredentialError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialError) Unwrap() error { return e.Err }

func fromCredentials(err error) bool {
	var missing *CredentialError
	return errors.As(err, &missing)
}

// NoMechanismError says that no mechanism is both offered and allowed; nothing
// secret was sent.
type NoMechanismError struct {
	Offered []string // by the server: SASL names, USER, APOP; cleaned for display
	Allowed []string // by the job; empty means all but APOP
	Why     []string // what speaks against single ones
	Hint    string   // what a person can do
}

func (e *NoMechanismError) Error() string {
	allowed := "any"
	if len(e.Allowed) > 0 {
		allowed = strings.Join(e.Allowed, ", ")
	}
	offered := "none"
	if len(e.Offered) > 0 {
		offered = strings.Join(e.Offered, ", ")
	}
	text := fmt.Sprintf("no usable mechanism: the server offers %s; the job allows %s", offered, allowed)
	for _, why := range e.Why {
		text += "; " + why
	}
	return text
}

// ErrUnproven is wrapped where a mechanism makes the server prove that it
// knows the password, and it did not: somebody may pretend to be the server.
var ErrUnproven = errors.New("the server did not prove that it knows the password")

const mostShown = 30 // mechanisms in an error

// noMechanism describes why nothing could be tried.
func (l *login) noMechanism(why []string) *NoMechanismError {
	e := &NoMechanismError{Offered: announced(l.offered), Allowed: l.policy.Mechanisms, Why: why}
	if l.offered.Has("USER") {
		e.Offered = append(e.Offered, User)
	}
	if l.client.Timestamp() != "" {
		e.Offered = append(e.Offered, APOP)
	}
	if len(e.Offered) > mostShown {
		e.Offered = e.Offered[:mostShown]
	}
	has := func(reason string) bool {
		return slices.ContainsFunc(why, func(w string) bool { return strings.HasSuffix(w, reason) })
	}
	switch {
	case has(clearText):
		e.Hint = `use tls = "starttls" or "implicit"; or say allow_cleartext = true, and everyone on the way can log in as this user`
	case len(e.Offered) == 0 && !l.encrypted:
		e.Hint = `the server offers logins behind TLS only: use tls = "starttls" or "implicit"`
	case has(forgotten):
		e.Hint = `APOP and STLS exclude each other: use tls = "implicit", or another mechanism`
	case has("needs an OAuth2 token"):
		e.Hint = "the server takes OAuth2 tokens: give the source an oauth2 block"
	case has("needs a Kerberos ticket"):
		e.Hint = "the server takes Kerberos tickets: give the source a kerberos block"
	case has("needs a client certificate"):
		e.Hint = "the server takes client certificates: name one with tls_cert and tls_key"
	case has("needs a password"):
		e.Hint = "give the account a password"
	case len(e.Allowed) > 0:
		e.Hint = `allow one that the server offers, or say auth = "auto"`
	default:
		e.Hint = `ask the server's administrator for PLAIN over TLS; auth = "user" tries USER and PASS unannounced`
	}
	return e
}

// RefusedError is a server's refusal of a login, and what it means.
type RefusedError struct {
	Refusal
	Reply  *pop3.ReplyError
	err    error // Reply, with what is to be told besides
	before *RefusedError
}

func (e *RefusedError) Error() string {
	if e.before != nil {
		return e.err.Error() + "; before it " + e.before.Error()
	}
	return e.err.Error()
}

// Unwrap returns the server's reply.
func (e *RefusedError) Unwrap() error { return e.err }

func asRefused(err error) *RefusedError {
	var refused *RefusedError
	if stale := (*StaleTokenError)(nil); errors.As(err, &stale) {
		return nil
	}
	errors.As(err, &refused)
	return refused
}

// explained makes a *RefusedError of a refusal and returns other errors as
// they are.
func (l *login) explained(err error) error {
	var reply *pop3.ReplyError
	if !errors.As(err, &reply) {
		return err
	}
	return &RefusedError{Refusal: Explain(reply, l.offered.Has("AUTH-RESP-CODE")), Reply: reply, err: err}
}
