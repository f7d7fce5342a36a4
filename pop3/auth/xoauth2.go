package auth

import (
	"cmp"
	"context"
)

// XOAUTH2 (Google and Microsoft): the form of OAUTHBEARER that came before the
// RFC. A JSON challenge is answered by an empty line.
var xoauth2 = mechanism{name: "XOAUTH2", proves: token, exposes: theSecret, sasl: true, carries: true,
	log: func(ctx context.Context, l *login, secret string) error {
		c := &l.credentials
		if err := sendable(controls, c.Identity, c.User, secret); err != nil {
			return err
		}
		return l.client.Authenticate(ctx, &bearerExchange{exchange: exchange{secret: secret}, name: "XOAUTH2",
			initial: xoauth2Message(cmp.Or(c.Identity, c.User), secret), acknowledge: []byte{}})
	}}

func xoauth2Message(user, token string) []byte {
	return []byte("user=" + user + "\x01auth=Bearer " + token + "\x01\x01")
}
