package auth

import "context"

// GSSAPI (RFC 4752): a Kerberos ticket for the service pop on the server. The
// exchange itself is that of package kerberos.
var gssapi = mechanism{name: "GSSAPI", proves: ticket, exposes: nothing, sasl: true, carries: true,
	log: func(ctx context.Context, l *login, _ string) error {
		exchange, err := l.credentials.Kerberos(ctx, l.credentials.Host)
		if err != nil {
			return &CredentialError{err}
		}
		return l.client.Authenticate(ctx, exchange)
	}}
