// Package demo is a POP3 server in this process with sample maildrops, so that
// popmigrate can be tried without a server, an account or a network.
//
// The mail is the same in each process, octet for octet, and so are the
// unique-ids; what is deleted is there again in the next process. Among
// ordinary mail it holds what breaks careless programs.
package demo

import (
	"crypto/tls"

	"popmigrate/pop3/pop3test"
)

// Account is a sample maildrop.
type Account struct {
	Name     string // of the maildrop, as an account list would have it
	User     string
	Password string // as public as this file
	Hold     bool   // a maildrop of the kind that nothing is to be deleted from
	mail     func() []pop3test.Message
}

// Accounts returns the sample maildrops.
func Accounts() []Account {
	return []Account{
		{Name: "alice@demo.example", User: "alice", Password: "demo-alice", mail: ordinary},
		{Name: "bob@demo.example", User: "bob", Password: "demo-bob", mail: hostile},
		{Name: "empty@demo.example", User: "empty", Password: "demo-empty", mail: func() []pop3test.Message { return nil }},
		{Name: "legal@demo.example", User: "legal", Password: "demo-legal", Hold: true, mail: evidence},
	}
}

// Server serves the sample maildrops on a loopback port, with TLS from the
// first octet.
type Server struct{ server *pop3test.Server }

// Start starts a server. The caller closes it.
func Start() (*Server, error) {
	server, err := pop3test.Start(pop3test.Config{ImplicitTLS: true, Greeting: "popmigrate demo", NoLog: true,
		Mechanisms: []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}})
	if err != nil {
		return nil, err
	}
	for _, account := range Accounts() {
		server.AddMaildrop(account.User, account.Password, account.mail()...)
	}
	return &Server{server}, nil
}

// Addr returns the server's host:port.
func (s *Server) Addr() string { return s.server.Addr() }

// ClientTLS returns a configuration that trusts this server only.
func (s *Server) ClientTLS() *tls.Config {
	config := s.server.ClientTLS()
	config.ServerName = "localhost"
	return config
}

// Close ends all connections and returns when nothing of the server runs any more.
func (s *Server) Close() error { return s.server.Close() }
