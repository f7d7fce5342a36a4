package pop3

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
)

// DropListing is the reply to STAT (RFC 1939 section 5).
type DropListing struct {
	Messages int64
	Octets   int64 // advisory: servers count differently; -1 where missing or not a number
}

// Stat asks for the drop listing.
func (c *Client) Stat(ctx context.Context) (DropListing, error) {
	if err := c.ready("STAT", stateTransaction); err != nil {
		return DropListing{}, err
	}
	defer c.begin(ctx, c.timeouts.Login)()
	c.queue("STAT", 0)
	if err := c.flush("STAT"); err != nil {
		return DropListing{}, err
	}
	return c.readStat()
}

func (c *Client) readStat() (DropListing, error) {
	text, err := c.status("STAT")
	if err != nil {
		return DropListing{}, err
	}
	words := bytes.Fields(text)
	drop := DropListing{Octets: -1}
	err = strconv.ErrSyntax
	if len(words) > 0 {
		drop.Messages, err = strconv.ParseInt(string(words[0]), 10, 64)
	}
	if err != nil || drop.Messages < 0 {
		return DropListing{}, c.breakWith("STAT",
			&ProtocolError{Command: "STAT", Problem: "reply has no count", Line: c.show(text)})
	}
	if len(words) > 1 {
		if octets, err := strconv.ParseInt(string(words[1]), 10, 64); err == nil && octets >= 0 {
			drop.Octets = octets
		}
	}
	if c.drop == nil {
		c.drop = &drop
	}
	return drop, nil
}

// Cautious makes the client prove anew, before each RETR and TOP, that the
// next status line is the reply to it: STAT goes first, and its reply, which
// no other could be mistaken for, must be what the first one was. It costs a
// round trip for each message, and there is no pipelining from now on. It is
// for a server that was seen to send more status lines than it has commands.
func (c *Client) Cautious() { c.cautious, c.pipeline = true, false }

// prove is what Cautious promises.
func (c *Client) prove(keyword string) error {
	before := c.drop
	c.queue("STAT", 0)
	if err := c.flush("STAT"); err != nil {
		return err
	}
	drop, err := c.readStat()
	if refused := asRefusal(err); refused != nil {
		return c.breakWith(keyword, fmt.Errorf("cannot tell whose reply comes next: %s", refused)) // the message is not refused
	}
	if err == nil && before != nil && drop != *before {
		err = c.breakWith(keyword, &ProtocolError{Command: "STAT", Problem: "reply is not what it was: replies are out of step"})
	}
	return err
}
