package auth

import (
	"context"
	"errors"
	"fmt"

	"popmigrate/pop3"
)

// tryToken logs in with an access token, and if the server refuses that, once
// more with a fresh one.
func (l *login) tryToken(ctx context.Context, m *mechanism) error {
	c := &l.credentials
	first, err := c.Token.Token(ctx, c.User, c.rejected)
	if err != nil {
		return &CredentialError{err}
	}
	err = l.explained(m.log(ctx, l, first))
	refused := asRefused(err)
	if refused == nil || refused.Verdict != Denied || c.rejected != "" {
		return err
	}
	refused.Hint = "the server refused the token: see that it is for this server (scope, audience) and that the user may read mail with it"
	fresh, err := c.Token.Token(ctx, c.User, first)
	if err != nil || fresh == first {
		if err == nil {
			err = errors.New("the token source gave the same one again")
		}
		refused.err = fmt.Errorf("%w; there is no other token: %w", refused.err, err)
		return refused
	}
	err = l.explained(m.log(ctx, l, fresh))
	if again := asRefused(err); again != nil {
		again.Hint = refused.Hint
		return again
	}
	if err != nil && ctx.Err() == nil && !isProtocol(err) {
		return &StaleTokenError{err: refused, token: first}
	}
	return err
}

func isProtocol(err error) bool {
	var protocol *pop3.ProtocolError
	return errors.As(err, &protocol)
}

// StaleTokenError says that the server refused a token and then did not go on
// on this connection. A fresh token may do on another one.
type StaleTokenError struct {
	err   *RefusedError
	token string
}

func (e *StaleTokenError) Error() string { return e.err.Error() }

// Unwrap returns the refusal.
func (e *StaleTokenError) Unwrap() error { return e.err }

// Renew returns the credentials for a second login, on a new connection, which
// takes a fresh token and is the last try.
func (e *StaleTokenError) Renew(c Credentials) Credentials {
	c.rejected = e.token
	return c
}
