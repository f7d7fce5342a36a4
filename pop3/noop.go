package pop3

import "context"

// Noop sends NOOP (RFC 1939 section 5), which resets the server's idle timer.
func (c *Client) Noop(ctx context.Context) error { return c.simple(ctx, "NOOP") }

// Reset sends RSET (RFC 1939 section 5), which takes back all marks of this
// session. Some servers renumber the maildrop then.
func (c *Client) Reset(ctx context.Context) error { return c.simple(ctx, "RSET") }

func (c *Client) simple(ctx context.Context, command string) error {
	if err := c.ready(command, stateTransaction); err != nil {
		return err
	}
	defer c.begin(ctx, c.timeouts.Command)()
	_, err := c.exchange(command)
	return err
}
