package pop3

import (
	"context"
	"crypto/tls"
	"errors"
)

// HandshakeError is a TLS handshake behind STLS that failed.
type HandshakeError struct{ Err error }

func (e *HandshakeError) Error() string { return "TLS handshake: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }

// StartTLS upgrades the connection with STLS (RFC 2595 section 4). What was
// learned before it, capabilities and APOP timestamp, is forgotten. Octets
// that arrive in clear text behind the reply are an attack: the connection is
// broken. A refusal is a *ReplyError; whether to go on is the caller's
// decision, and this package's advice is no.
func (c *Client) StartTLS(ctx context.Context, config *tls.Config) error {
	if err := c.ready("STLS", stateAuthorization); err != nil {
		return err
	}
	if _, encrypted := c.TLS(); encrypted {
		return errors.New("STLS: the connection is encrypted already")
	}
	if c.utf8 {
		return errUTF8First
	}
	defer c.begin(ctx, c.timeouts.Command)()
	if _, err := c.exchange("STLS"); err != nil {
		return err
	}
	if c.r.buffered() > 0 {
		return c.breakWith("STLS", &ProtocolError{Command: "STLS",
			Problem: "clear text follows the reply: somebody injects commands or replies"})
	}
	encrypted := tls.Client(c.conn, config)
	c.patience(c.timeouts.TLS)
	if _, err := c.armDeadline(); err != nil {
		return c.breakWith("STLS", err)
	}
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return c.breakWith("STLS", &HandshakeError{c.ioError(err)})
	}
	c.wait.Lock()
	c.setConn(encrypted)
	c.wait.Unlock()
	c.apop = ""
	return nil
}
