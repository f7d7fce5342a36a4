// Package smtptest is a small SMTP (RFC 5321) and LMTP (RFC 2033) server for
// tests, as net/http/httptest is for HTTP. It records every message octet for
// octet as it came, dot-stuffing undone and nothing else changed, and can be
// told to fail at every step.
package smtptest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"testing"

	"popmigrate/internal/digest"
)

// TLS says how a server encrypts.
type TLS int

// The ways.
const (
	NoTLS       TLS = iota // not at all
	StartTLS               // offers STARTTLS
	ImplicitTLS            // from the first octet
)

// Options say what a server offers and how it fails. The zero value is a
// plain SMTP server that takes everything.
type Options struct {
	LMTP      bool
	Socket    string // path of a unix socket to listen on; "" means TCP on the loopback
	TLS       TLS
	User      string // with Password: AUTH is offered and required before MAIL
	Password  string
	Mechanism string // the one that AUTH offers; "" means PLAIN; LOGIN is the other
	SizeLimit int64  // octets, as the SIZE extension announces; 0 means SIZE is not offered
	SevenBit  bool   // 8BITMIME is not offered
	UTF8      bool   // SMTPUTF8 is offered

	MessagesPerConn int   // after so many messages: 421 unasked, and the connection is closed; 0 means never
	CutData         int64 // closes the connection after so many octets of a message's text; 0 means never
	Discard         bool  // messages are counted and hashed, but their octets are not kept

	// Answer, where set, is asked before every reply. "" means the usual
	// reply, Drop closes the connection without one, all else is sent as it
	// is, with CRLF added, in place of the usual reply; the step then only
	// takes effect if the reply's first digit is the usual one's. Answer may
	// block, which makes a slow server. It is called from many goroutines.
	Answer func(Step) string
}

// Drop is an Answer that closes the connection.
const Drop = "\x00drop"

// Step is what a server is about to answer.
type Step struct {
	Conn    int    // connection of this server, from 1
	Message int    // messages the connection has accepted so far
	Verb    string // "CONNECT" (the greeting), a command in capitals, or "." after the end of the text
	Arg     string // the rest of the command's line; after "." of LMTP, the recipient that the reply is for
}

// Message is a message that a server accepted. LMTP records one per
// transaction, with the recipients that were accepted.
type Message struct {
	Conn   int
	From   string   // reverse-path without brackets
	Params string   // parameters of MAIL, as sent
	Rcpts  []string // forward-paths without brackets
	Octets []byte   // nil where Options.Discard is set
	Length int64
	Digest digest.Digest
}

// Server is a running server.
type Server struct {
	Options
	Network string         // "tcp" or "unix", once it listens
	Address string         // host:port or path, once it listens
	Roots   *x509.CertPool // vouches for the server's certificate, which is for 127.0.0.1 and localhost

	tls      *tls.Config
	listener net.Listener
	running  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	conns    map[net.Conn]bool
	count    int
	messages []Message
	commands []string
}

// New returns a server that does not listen: it serves the in-memory
// connections that its Dial makes, so that it can live in a synctest bubble.
func New(options Options) *Server {
	certificate, roots := authority()
	return &Server{
		Options: options,
		Roots:   roots,
		tls:     &tls.Config{Certificates: []tls.Certificate{certificate}},
		conns:   map[net.Conn]bool{},
	}
}

// Start returns a server that listens until the test ends.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	server := New(options)
	server.Network, server.Address = "tcp", "127.0.0.1:0"
	if options.Socket != "" {
		server.Network, server.Address = "unix", options.Socket
	}
	listener, err := net.Listen(server.Network, server.Address)
	if err != nil {
		t.Fatalf("listen %s: %v", server.Address, err)
	}
	server.listener = listener
	server.Address = listener.Addr().String()
	server.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			server.start(conn)
		}
	})
	t.Cleanup(server.Close)
	return server
}

// Dial returns the client's end of an in-memory connection to the server,
// whatever the address.
func (s *Server) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	if !s.start(server) {
		return nil, fmt.Errorf("dial smtptest: %w", net.ErrClosed)
	}
	return client, nil
}

func (s *Server) start(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return false
	}
	s.count++
	number := s.count
	s.conns[conn] = true
	s.running.Go(func() {
		newSession(s, conn, number).run()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	})
	return true
}

// Close drops all connections and returns when nothing of the server runs any more.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	if s.listener != nil {
		s.listener.Close()
	}
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// Messages returns what was accepted so far, in order.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Commands returns the command lines received so far, in order; of AUTH only
// the mechanism.
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.commands...)
}

// Connections returns how many connections were made so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

func (s *Server) record(message Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, message)
}

func (s *Server) log(command string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = append(s.commands, command)
}
