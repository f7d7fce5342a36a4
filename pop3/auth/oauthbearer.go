package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// OAUTHBEARER (RFC 7628): an OAuth2 access token.
var oauthBearer = mechanism{name: "OAUTHBEARER", proves: token, exposes: theSecret, sasl: true, carries: true,
	log: func(ctx context.Context, l *login, secret string) error {
		c := &l.credentials
		if err := sendable(controls, c.Identity, c.User, secret); err != nil {
			return err
		}
		return l.client.Authenticate(ctx, &bearerExchange{exchange: exchange{secret: secret}, name: "OAUTHBEARER",
			initial: bearerMessage(cmp.Or(c.Identity, c.User), c.Host, c.Port, secret), acknowledge: []byte{1}})
	}}

// controls cannot stand in the messages of the token mechanisms.
const controls = "\x00\x01\r\n"

// bearerMessage writes the client's only message (RFC 7628 section 3.1).
func bearerMessage(user, host, port, token string) []byte {
	user = strings.NewReplacer("=", "=3D", ",", "=2C").Replace(user)
	message := "n,a=" + user + ",\x01"
	if host != "" {
		message += "host=" + host + "\x01"
	}
	if port != "" {
		message += "port=" + port + "\x01"
	}
	return []byte(message + "auth=Bearer " + token + "\x01\x01")
}

// bearerExchange is a pop3.Mechanism: a message with a token, and where the
// server refuses it, JSON as a challenge and an answer that only lets it go on
// to its -ERR.
type bearerExchange struct {
	exchange
	name        string
	initial     []byte
	acknowledge []byte
	failed      bool
}

func (x *bearerExchange) Start() (string, []byte, error) { return x.name, x.initial, nil }

func (x *bearerExchange) Next(challenge []byte) ([]byte, error) {
	if x.failed {
		return nil, errors.New("server goes on asking")
	}
	x.failed = true
	x.said = tokenFailure(challenge)
	return x.acknowledge, nil
}

// Verify refuses a +OK that follows the news of a failure.
func (x *bearerExchange) Verify() error {
	if x.failed {
		return errors.New("server refused the token and said +OK")
	}
	return nil
}

const maxSaid = 300 // octets of server text

// tokenFailure tells what the server says of a refused token (RFC 7628 section
// 3.2.2): status and scope, or the text where it is not JSON.
func tokenFailure(challenge []byte) string {
	var fields map[string]any
	if json.Unmarshal(challenge, &fields) != nil {
		return string(challenge[:min(len(challenge), maxSaid)])
	}
	var said []string
	for _, name := range []string{"status", "scope", "error_description"} {
		if value, ok := fields[name]; ok {
			text := fmt.Sprint(value)
			said = append(said, name+" "+text[:min(len(text), maxSaid)])
		}
	}
	return strings.Join(said, ", ")
}
