package pop3

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
)

// APOP logs in with a digest of the greeting's timestamp and a shared secret
// (RFC 1939 section 7). MD5 protects little: use it where a job asks for it,
// never instead of a login over TLS.
func (c *Client) APOP(ctx context.Context, user, secret string) error {
	if err := c.ready("APOP", stateAuthorization); err != nil {
		return err
	}
	timestamp := c.Timestamp()
	if timestamp == "" {
		return errors.New("APOP: the server's greeting has no timestamp, so it does not offer APOP")
	}
	if err := argument("APOP", "user name", user); err != nil {
		return err
	}
	sum := md5.Sum([]byte(timestamp + secret))
	digest := hex.EncodeToString(sum[:])
	command := "APOP " + user + " " + digest
	if err := c.fits("APOP", "user name", len(command)); err != nil {
		return err
	}
	defer c.begin(ctx, c.timeouts.Login)()
	return c.loggedIn(c.secretly(command, secret, digest))
}
