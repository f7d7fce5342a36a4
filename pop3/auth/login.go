package auth

import (
	"context"
	"errors"
)

// LOGIN (draft-murchison-sasl-login): the user's name, then the password,
// whatever the server's prompts say.
var loginMechanism = mechanism{name: "LOGIN", proves: password, exposes: theSecret, sasl: true,
	log: func(ctx context.Context, l *login, secret string) error {
		return l.client.Authenticate(ctx, &loginExchange{exchange{secret: secret}, []string{l.credentials.User, secret}})
	}}

// loginExchange is a pop3.Mechanism.
type loginExchange struct {
	exchange
	answers []string
}

func (*loginExchange) Start() (string, []byte, error) { return "LOGIN", nil, nil }

func (x *loginExchange) Next([]byte) ([]byte, error) {
	if len(x.answers) == 0 {
		return nil, errors.New("server asks for more than name and password")
	}
	answer := x.answers[0]
	x.answers = x.answers[1:]
	return []byte(answer), nil
}
