package auth_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"popmigrate/pop3"
	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
)

// patience bounds every wait of the tests; nothing waits so long when all is well.
const patience = 20 * time.Second

const secret = "open, sesame=1"

func start(t *testing.T, config pop3test.Config) *pop3test.Server {
	t.Helper()
	config.LockWait = patience // a dropped session is noticed a moment later
	server, err := pop3test.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	server.AddMaildrop("alice", secret)
	return server
}

// link is how a client reaches the server.
type link int

const (
	clear link = iota
	tls12
	tls13
)

func (l link) String() string { return [...]string{"clear", "TLS 1.2", "TLS 1.3"}[l] }

// dial returns a client behind the greeting and STLS, and what CAPA says.
func dial(t *testing.T, server *pop3test.Server, how link, change func(*tls.Config)) (*pop3.Client, *pop3.Capabilities) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	client := pop3.NewClient(conn, &pop3.Options{Timeouts: pop3.Timeouts{Login: patience, Command: patience}})
	t.Cleanup(func() { client.Close() })
	if _, err := client.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	if how != clear {
		config := server.ClientTLS()
		if how == tls12 {
			config.MaxVersion = tls.VersionTLS12
		}
		if change != nil {
			change(config)
		}
		if err := client.StartTLS(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	capabilities, err := client.Capabilities(t.Context())
	if err != nil && client.Broken() != nil {
		t.Fatal(err)
	}
	return client, capabilities
}

func withPassword(user, password string) auth.Credentials {
	return auth.Credentials{User: user, Host: "pop.example.net", Port: "995",
		Password: func(context.Context) (string, error) { return password, nil }}
}

// tokens is a token source that hands its tokens out one after the other.
type tokens struct {
	list     []string
	rejected []string
}

func (s *tokens) Token(_ context.Context, _, rejected string) (string, error) {
	s.rejected = append(s.rejected, rejected)
	token := s.list[0]
	if len(s.list) > 1 {
		s.list = s.list[1:]
	}
	return token, nil
}

// loggedIn tells whether the session is in the TRANSACTION state.
func loggedIn(t *testing.T, client *pop3.Client) bool {
	t.Helper()
	_, err := client.Stat(t.Context())
	return err == nil
}
