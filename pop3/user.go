package pop3

import (
	"context"
)

// Login sends USER and PASS (RFC 1939 section 7), one after the other: some
// servers lose what is sent behind PASS. The password travels as it is.
func (c *Client) Login(ctx context.Context, user, password string) error {
	if err := c.ready("USER", stateAuthorization); err != nil {
		return err
	}
	for _, check := range []error{
		argument("USER", "user name", user), c.fits("USER", "user name", len("USER ")+len(user)),
		argument("PASS", "password", password), c.fits("PASS", "password", len("PASS ")+len(password)),
	} {
		if check != nil {
			return check
		}
	}
	defer c.begin(ctx, c.timeouts.Command)()
	if _, err := c.exchange("USER " + user); err != nil {
		return err
	}
	if err := c.ready("PASS", stateAuthorization); err != nil {
		return err
	}
	c.patience(c.timeouts.Login)
	return c.loggedIn(c.secretly("PASS "+password, password))
}

// secretly exchanges a command whose secret the server must not echo into an error.
func (c *Client) secretly(command string, secret ...string) error {
	c.secrets.Add(secret...)
	_, err := c.exchange(command)
	return err
}

// loggedIn enters the TRANSACTION state unless the login failed.
func (c *Client) loggedIn(err error) error {
	if err == nil {
		c.state = stateTransaction
	}
	return err
}
