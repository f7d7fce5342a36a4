// Package pop3test is a true small POP3 server (RFC 1939, 2449, 2595, 5034)
// for tests and demonstrations, as net/http/httptest is to HTTP.
//
// A Server holds maildrops in memory and serves them over TCP or over
// in-memory connections. What real servers do wrong is asked for by rules: a
// Rule says on which command, message or session it strikes, its Action what
// then happens to the reply.
//
//	server, err := pop3test.Start(pop3test.Config{})
//	defer server.Close()
//	drop := server.AddMaildrop("alice", "secret", pop3test.Message{Content: content})
//	drop.SetRules(
//		pop3test.Rule{Command: pop3test.OnLogin, Times: 2, Do: pop3test.Instead("-ERR [IN-USE] try later")},
//		pop3test.Rule{Command: "RETR", Message: 3, Session: 2, Do: pop3test.Cut(100)},
//	)
//
// For tests of a client's exact octets there is Play, a scripted peer.
//
// The package does not import the client it tests, nor package testing.
package pop3test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Config says what kind of server a Server is. The zero value is a well
// behaved server that offers all commands, APOP and STLS.
type Config struct {
	// ImplicitTLS speaks TLS from the first octet (RFC 8314 section 3.3).
	ImplicitTLS bool

	// Greeting is the text after the +OK of the greeting, without the APOP
	// timestamp; "" means a plain one.
	Greeting string

	// Without lists commands that the server does not know, in upper case.
	// The default capabilities leave them out; without APOP the greeting has
	// no timestamp.
	Without []string

	// Capabilities and LoggedInCapabilities are the lines of the reply to
	// CAPA before and after the login; nil means those that fit the server.
	Capabilities         []string
	LoggedInCapabilities []string

	// Mechanisms are the SASL names that AUTH knows and CAPA lists, of those
	// that Mechanisms returns; nil means PLAIN alone. Those that need TLS are
	// listed behind TLS only.
	Mechanisms []string

	// Masters may log in as every user, by mechanisms that carry an identity:
	// names and passwords.
	Masters map[string]string

	// ClientCertificates asks for certificates in the TLS handshake, which
	// EXTERNAL needs.
	ClientCertificates bool

	// ChangeTLS changes what the server's side of a connection speaks: the
	// versions, the certificate. nil means that nothing is changed.
	ChangeTLS func(*tls.Config)

	// MaxConnections bounds the open connections; one more is given
	// FullReply, a line such as "-ERR too many connections", and closed
	// ("": closed without a greeting). 0 means no bound.
	MaxConnections int
	FullReply      string

	// MaxUserSessions bounds the sessions of one shared maildrop; 0 means no
	// bound.
	MaxUserSessions int

	// Phrases are what the server says in place of its own words: a whole line
	// without its end. The key is a command in upper case, for its +OK, or one
	// of the texts after -ERR, such as NoMessage. Of {command}, {user},
	// {number} (the first argument), {octets} (listed, of that message), {count}
	// and {total} (messages without a mark and their octets) the line is given
	// the values.
	Phrases map[string]string

	// Habits are rules that are always in force: every one that fits acts, in
	// order, and what SetRules says acts on top. Their counts mean nothing.
	Habits []Rule

	// Shared lets several sessions into each maildrop; see Maildrop.SetShared.
	Shared bool

	// RefusalEnds closes the line behind a refused login.
	RefusalEnds bool

	// LoginDelay is the least time between QUIT and the next login to a
	// maildrop (RFC 2449 section 6.5).
	LoginDelay time.Duration

	// LockLingers is how long a maildrop stays locked behind a dropped line.
	LockLingers time.Duration

	// IdleTime is how long a client may be silent before the server closes the
	// line; 0 means for ever.
	IdleTime time.Duration

	// LineOctets is the longest command line with its line end; 0 means 16
	// KiB. A longer one ends the session; where LineBans, no client is
	// served any more.
	LineOctets int
	LineBans   bool

	// LockWait is how long a login waits for a maildrop that another session
	// has locked. 0 means not at all: then a client that drops its line and
	// comes back at once may be refused, as the server may not have noticed.
	LockWait time.Duration

	// LogSecrets keeps passwords in the log, which otherwise has *** there.
	LogSecrets bool

	// NoLog keeps no log of commands, for benchmarks and long runs; Wait is
	// then not woken by commands.
	NoLog bool
}

// Server is a POP3 server in this process. Its methods may be called from
// many goroutines.
type Server struct {
	config Config
	rules  ruleSet
	record record
	tls    *certificates

	tlsConfig func() (*tls.Config, error) // once

	ctx     context.Context // until Close
	cancel  context.CancelFunc
	serving sync.WaitGroup // accept loop and connections

	mu        sync.Mutex
	closed    bool
	banished  bool
	listeners []net.Listener
	conns     map[net.Conn]struct{}
	maildrops map[string]*Maildrop
}

// NewServer returns a server that has no listener yet. It does no I/O.
func NewServer(config Config) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		config:    config,
		record:    newRecord(config),
		tls:       newCertificates(),
		ctx:       ctx,
		cancel:    cancel,
		conns:     map[net.Conn]struct{}{},
		maildrops: map[string]*Maildrop{},
	}
	s.tlsConfig = sync.OnceValues(s.makeTLS)
	return s
}

// Start returns a server that listens on a free port of 127.0.0.1, or of [::1]
// where there is no IPv4. The caller closes it.
func Start(config Config) (*Server, error) {
	s := NewServer(config)
	err := s.Listen("127.0.0.1:0")
	if err != nil {
		if s.Listen("[::1]:0") != nil {
			return nil, err
		}
	}
	return s, nil
}

// Listen serves connections to address, a TCP host:port, until Close.
func (s *Server) Listen(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen %s: %w", address, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		listener.Close()
		return fmt.Errorf("listen %s: %w", address, net.ErrClosed)
	}
	s.listeners = append(s.listeners, listener)
	s.serving.Go(func() { s.accept(listener) })
	return nil
}

// Addr returns the host:port of the first listener, "" before Listen.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) == 0 {
		return ""
	}
	return s.listeners[0].Addr().String()
}

// Pipe returns the client's end of an in-memory connection to the server. It
// holds no octets back, as net.Pipe: a write blocks until the other side
// reads. It suits testing/synctest, where sockets do not.
func (s *Server) Pipe() net.Conn {
	client, server := net.Pipe()
	s.Serve(server)
	return client
}

// AddMaildrop adds a maildrop, or replaces the one of the same user for
// sessions to come.
func (s *Server) AddMaildrop(user, password string, messages ...Message) *Maildrop {
	m := &Maildrop{User: user, password: password, server: s, shared: s.config.Shared}
	m.Deliver(messages...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maildrops[user] = m
	return m
}

// Maildrop returns the maildrop of user, nil where there is none.
func (s *Server) Maildrop(user string) *Maildrop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maildrops[user]
}

// SetRules replaces the server's rules; with none the server heals. A
// maildrop's own rules go first.
func (s *Server) SetRules(rules ...Rule) { s.rules.set(rules) }

// Close ends all connections and returns when nothing of the server runs any
// more.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.cancel()
	var errs []error
	for _, listener := range s.listeners {
		errs = append(errs, listener.Close())
	}
	s.listeners = nil
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	return errors.Join(errs...)
}

// DropConnections cuts all open connections and goes on serving.
func (s *Server) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

func (s *Server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed
		}
		s.Serve(conn)
	}
}

// Serve starts a session on the server's end of a connection and owns it from
// then on. An end that has the methods CloseWrite and SetLinger of a
// *net.TCPConn is closed as rules say; any other is just closed.
func (s *Server) Serve(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.banished {
		conn.Close()
		return
	}
	s.conns[conn] = struct{}{}
	full := s.config.MaxConnections > 0 && len(s.conns) > s.config.MaxConnections
	number := s.record.connected()
	s.serving.Go(func() {
		newSession(s, conn, number).serve(full)
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
		s.record.disconnected()
	})
}

// banish shuts the client out that sent too long a line, if the server does that.
func (s *Server) banish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.banished = s.config.LineBans
}

// later does something after a while, unless the server is closed before.
func (s *Server) later(after time.Duration, do func()) {
	if after <= 0 {
		do()
		return
	}
	s.serving.Go(func() {
		select {
		case <-time.After(after):
			do()
		case <-s.ctx.Done():
		}
	})
}

// knows tells whether the server has a command.
func (s *Server) knows(command string) bool {
	return !slices.Contains(s.config.Without, command)
}
