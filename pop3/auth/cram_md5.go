package auth

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
)

// CRAM-MD5 (RFC 2195): a keyed digest of the server's challenge. The server
// proves nothing.
var cramMD5 = mechanism{name: "CRAM-MD5", proves: password, exposes: guesses, sasl: true,
	log: func(ctx context.Context, l *login, secret string) error {
		return l.client.Authenticate(ctx, &cramExchange{exchange{secret: secret}, l.credentials.User, false})
	}}

// cramExchange is a pop3.Mechanism.
type cramExchange struct {
	exchange
	user     string
	answered bool
}

func (*cramExchange) Start() (string, []byte, error) { return "CRAM-MD5", nil, nil }

func (x *cramExchange) Next(challenge []byte) ([]byte, error) {
	if x.answered || len(challenge) == 0 {
		return nil, errors.New("server sent no challenge, or more than one")
	}
	x.answered = true
	mac := hmac.New(md5.New, []byte(x.secret))
	mac.Write(challenge)
	return []byte(x.user + " " + hex.EncodeToString(mac.Sum(nil))), nil
}
