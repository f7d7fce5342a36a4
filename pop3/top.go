package pop3

import (
	"context"
	"iter"
	"strconv"
)

// Top sends TOP with each number and so many body lines (RFC 1939 section 7);
// it yields as Retrieve does. It serves to look at header sections: servers
// cut and change what TOP sends, so that it is never a way to fetch mail.
func (c *Client) Top(ctx context.Context, numbers iter.Seq[Number], lines int) iter.Seq2[*Message, error] {
	return fly(ctx, c, "TOP", " "+strconv.Itoa(max(lines, 0)), numbers, c.receive("TOP"), (*Message).skip)
}
