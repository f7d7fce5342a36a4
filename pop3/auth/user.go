package auth

import "context"

// USER and PASS (RFC 1939 section 7): the password as it is. Octets outside
// ASCII are sent where the server announces that it takes UTF-8 (RFC 6856
// section 2.2) or the job names this mechanism.
var user = mechanism{name: User, proves: password, exposes: theSecret,
	log: func(ctx context.Context, l *login, secret string) error {
		c := &l.credentials
		if !isASCII(c.User, secret) && len(l.policy.Mechanisms) == 0 && !l.offered.HasArg("UTF8", "USER") {
			return &unableError{"cannot carry a name or password outside ASCII, for the server does not announce UTF8 USER"}
		}
		return l.client.Login(ctx, c.User, secret)
	}}
