package auth

import (
	"context"

	"github.com/emersion/go-sasl"
)

// EXTERNAL (RFC 4422 appendix A): the client certificate of the TLS handshake
// says who it is; the response names the identity, or nothing.
var external = mechanism{name: "EXTERNAL", proves: certificate, exposes: nothing, sasl: true, carries: true, tls: true,
	log: func(ctx context.Context, l *login, _ string) error {
		return l.client.Authenticate(ctx, sasl.NewExternalClient(l.credentials.Identity))
	}}
