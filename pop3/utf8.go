package pop3

import "context"

// UTF8 tells the server before the login that mail may come as it is, header
// fields of 8 bits included (RFC 6856 section 2). One server (Courier) else
// wraps such messages into others, anew and differently each time.
func (c *Client) UTF8(ctx context.Context) error {
	if err := c.ready("UTF8", stateAuthorization); err != nil {
		return err
	}
	defer c.begin(ctx, c.timeouts.Command)()
	_, err := c.exchange("UTF8")
	return err
}
