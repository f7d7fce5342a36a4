package pop3

import (
	"context"
	"errors"
)

// UTF8 makes the server show mail with octets outside ASCII in its header as
// it is (RFC 6856 section 2.1); without it some servers put such mail into an
// envelope of their own, anew and differently each time (Courier). It comes
// before the login and after STLS, which is not allowed any more behind it. A
// server without UTF8 gives a *ReplyError.
func (c *Client) UTF8(ctx context.Context) error {
	if err := c.ready("UTF8", stateAuthorization); err != nil {
		return err
	}
	defer c.begin(ctx, c.timeouts.Command)()
	_, err := c.exchange("UTF8")
	c.utf8 = err == nil
	return err
}

// errUTF8First says what RFC 6856 section 2.1 forbids.
var errUTF8First = errors.New("STLS: not allowed after UTF8")
