package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

// SCRAM (RFC 5802, RFC 7677): both sides prove that they know the password,
// and with -PLUS that both are at the ends of the same TLS connection.
var (
	scramSHA256Plus = scramMechanism("SCRAM-SHA-256", scram.SHA256, true)
	scramSHA1Plus   = scramMechanism("SCRAM-SHA-1", scram.SHA1, true)
	scramSHA256     = scramMechanism("SCRAM-SHA-256", scram.SHA256, false)
	scramSHA1       = scramMechanism("SCRAM-SHA-1", scram.SHA1, false)
)

// maxIterations bounds the work that a server can ask for: some seconds.
const maxIterations = 10_000_000

func scramMechanism(name string, hash scram.HashGeneratorFcn, plus bool) mechanism {
	m := mechanism{name: name, proves: password, exposes: nothing, sasl: true, carries: true, tls: plus}
	if plus {
		m.name += "-PLUS"
	}
	m.log = func(ctx context.Context, l *login, secret string) error {
		client, err := hash.NewClient(l.credentials.User, secret, l.credentials.Identity)
		if err != nil {
			return &unableError{"cannot carry this name or password: it has characters that SASLprep forbids"}
		}
		conversation, err := l.conversation(client, plus)
		if err != nil {
			return err
		}
		return l.client.Authenticate(ctx, &scramExchange{exchange{secret: secret}, m.name, conversation, 0})
	}
	return m
}

// conversation begins an exchange that is bound to the connection with plus,
// else says whether it could have been: then a server that offers -PLUS sees
// that somebody took it out of its list (RFC 5802 section 6).
func (l *login) conversation(client *scram.Client, plus bool) (*scram.ClientConversation, error) {
	binding, possible := channelBinding(l.tls)
	possible = possible && l.encrypted
	offered := slices.ContainsFunc(announced(l.offered), func(name string) bool { return strings.HasSuffix(name, "-PLUS") })
	switch {
	case plus && !possible:
		return nil, &unableError{"cannot be bound to this TLS connection"}
	case plus:
		return client.NewConversationWithChannelBinding(binding), nil
	case possible && !offered && l.offered != nil:
		return client.NewConversationAdvertisingChannelBinding(), nil
	}
	return client.NewConversation(), nil
}

// channelBinding returns what ties a login to a TLS connection: tls-exporter
// (RFC 9266) with TLS 1.3, where tls-unique is not defined, and tls-unique (RFC
// 5929) with older ones.
func channelBinding(state tls.ConnectionState) (binding scram.ChannelBinding, ok bool) {
	if state.Version >= tls.VersionTLS13 {
		binding, err := scram.NewTLSExporterBinding(&state)
		return binding, err == nil
	}
	// It is empty on resumed connections where it would not be safe.
	return scram.NewTLSUniqueBinding(state.TLSUnique), len(state.TLSUnique) > 0
}

// scramExchange is a pop3.Mechanism.
type scramExchange struct {
	exchange
	name         string
	conversation *scram.ClientConversation
	step         int
}

func (x *scramExchange) Start() (string, []byte, error) {
	first, err := x.conversation.Step("")
	return x.name, []byte(first), err
}

func (x *scramExchange) Next(challenge []byte) ([]byte, error) {
	message := string(challenge)
	switch x.step++; x.step {
	case 1:
		if err := checkIterations(message); err != nil {
			return nil, err
		}
		final, err := x.conversation.Step(message)
		return []byte(final), err
	case 2:
		if said, failed := strings.CutPrefix(message, "e="); failed {
			x.said = said
			return []byte{}, nil // -ERR comes next
		}
		if _, err := x.conversation.Step(message); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnproven, err)
		}
		return []byte{}, nil
	}
	return nil, errors.New("server goes on asking")
}

// Verify says whether the server's signature was seen and right.
func (x *scramExchange) Verify() error {
	if !x.conversation.Valid() {
		return ErrUnproven
	}
	return nil
}

// checkIterations looks for a count that would keep this program busy for ever.
func checkIterations(message string) error {
	for _, field := range strings.Split(message, ",") {
		if count, ok := strings.CutPrefix(field, "i="); ok {
			if n, err := strconv.Atoi(count); err != nil || n > maxIterations {
				return fmt.Errorf("server wants more than %d iterations", maxIterations)
			}
		}
	}
	return nil
}
