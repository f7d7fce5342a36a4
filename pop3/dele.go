package pop3

import (
	"context"
	"iter"
)

// Marked is the server's answer to one DELE.
type Marked struct {
	Number Number
	Text   string // the server's words
}

// Dele marks each message as deleted (RFC 1939 section 5), pipelined when it
// may be. Errors as in Retrieve; Number is set with a *ReplyError too. Servers
// remove marked messages at QUIT, and some when the line drops: a DELE that
// was sent is final.
func (c *Client) Dele(ctx context.Context, numbers iter.Seq[Number]) iter.Seq2[Marked, error] {
	c.drop = nil // STAT need not say the same from now on
	return fly(ctx, c, "DELE", "", numbers, func(number Number, text []byte, err error) (Marked, error) {
		return Marked{number, c.show(text)}, err
	}, nil)
}
