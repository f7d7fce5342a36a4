package auth

import (
	"context"
	"errors"

	"github.com/Azure/go-ntlmssp"
)

// NTLM (MS-NLMP, NTLMv2 only): a challenge mechanism of old Windows domains.
// The user is DOMAIN\user or user@domain.
var ntlm = mechanism{name: "NTLM", proves: password, exposes: guesses, sasl: true,
	log: func(ctx context.Context, l *login, secret string) error {
		return l.client.Authenticate(ctx, &ntlmExchange{exchange{secret: secret}, l.credentials.User, false})
	}}

// ntlmExchange is a pop3.Mechanism.
type ntlmExchange struct {
	exchange
	user     string
	answered bool
}

func (*ntlmExchange) Start() (string, []byte, error) {
	first, err := ntlmssp.NewNegotiateMessage("", "")
	return "NTLM", first, err
}

func (x *ntlmExchange) Next(challenge []byte) ([]byte, error) {
	if x.answered {
		return nil, errors.New("server goes on asking")
	}
	x.answered = true
	return ntlmssp.NewAuthenticateMessage(challenge, x.user, x.secret, nil)
}
