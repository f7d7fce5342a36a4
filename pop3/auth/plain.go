package auth

import (
	"context"
	"strings"

	"github.com/emersion/go-sasl"
)

// PLAIN (RFC 4616): identity, user and password as they are, in UTF-8.
var plain = mechanism{name: "PLAIN", proves: password, exposes: theSecret, sasl: true, carries: true,
	log: func(ctx context.Context, l *login, secret string) error {
		c := &l.credentials
		if err := sendable("\x00", c.Identity, c.User, secret); err != nil {
			return err
		}
		return l.client.Authenticate(ctx, &plainExchange{exchange{secret: secret}, sasl.NewPlainClient(c.Identity, c.User, secret)})
	}}

// plainExchange is a pop3.Mechanism that knows its secret.
type plainExchange struct {
	exchange
	sasl.Client
}

// isASCII tells whether all of them are ASCII.
func isASCII(values ...string) bool {
	for _, value := range values {
		if strings.ContainsFunc(value, func(r rune) bool { return r >= 0x80 }) {
			return false
		}
	}
	return true
}
