package sinks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// SMTP says how a delivering sink reaches its server and speaks to it. Such a
// sink hands messages over octet for octet or not at all: it adds no header
// and rewrites nothing.
type SMTP struct {
	Protocol string // "smtp" (RFC 5321) or "lmtp" (RFC 2033)
	Network  string // "tcp" or "unix"
	Address  string // host:port, or the socket's path
	Hello    string // name given in EHLO or LHLO; "" means "localhost"

	TLS       SMTPTLS
	TLSConfig *tls.Config // nil means verified against the system's roots; ServerName is taken from Address where empty

	// User and Password log in with AUTH PLAIN, else LOGIN (RFC 4954), where
	// User is set. That is never done in clear text other than on the loopback
	// and unix sockets. Password is asked for each login.
	User     string
	Password func(ctx context.Context) (string, error)

	Sender   SMTPSender
	Timeouts SMTPTimeouts

	// Dial opens the connection; nil means a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// SMTPTLS says when a connection is encrypted. The zero value is a safe one.
type SMTPTLS int

// The modes of RFC 3207 and RFC 8314 section 3.
const (
	SMTPStartTLS    SMTPTLS = iota // STARTTLS before anything else is said, never without
	SMTPImplicitTLS                // from the first octet
	SMTPNoTLS                      // clear text: the job allowed it in words
)

// SMTPSender says which reverse-path messages are sent with.
type SMTPSender int

// The reverse-paths. With the null one no bounce can go astray to people who
// wrote years ago.
const (
	NullSender       SMTPSender = iota // <>
	ReturnPathSender                   // Envelope.Sender; <> where that is no address that the server could take
)

// SMTPTimeouts bound single waits. A zero field means the default that its
// comment names, from RFC 5321 section 4.5.3.2.
type SMTPTimeouts struct {
	Connect time.Duration // dialing, and again each TLS handshake; 30 seconds
	Command time.Duration // from a command to its whole reply; 5 minutes
	Block   time.Duration // until the server has taken a piece of a message; 3 minutes
	Final   time.Duration // from the end of a message to the reply (LMTP: all replies); 10 minutes
}

func (t *SMTPTimeouts) setDefaults() {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&t.Connect, 30*time.Second)
	set(&t.Command, 5*time.Minute)
	set(&t.Block, 3*time.Minute)
	set(&t.Final, 10*time.Minute)
}

// OpenSMTP returns a sink that delivers the mail of one maildrop. Nothing is
// dialed before the first Store; the connection is then kept for further
// messages, made anew when the server closed it between two, and ended with
// QUIT by Close.
//
// Store's receipts:
//   - [Accepted]: the server answered 250 after DATA, in LMTP for every
//     recipient. Where quotes its reply.
//   - [Refused]: the message cannot be carried unchanged (Reason then begins
//     with "not transportable: "), has no usable recipient, or the server
//     answered 5xx.
//   - [Later]: the server could not be reached or answered 4xx, or the
//     connection was lost. If that was after the message's end had been sent,
//     Reason says that the outcome is unknown.
//
// All recipients must take a message: if RCPT fails for one, no text is sent.
// LMTP servers answer for each recipient after the text, too; when they
// differ, a single Later makes the receipt Later, else a single Refused makes
// it Refused, and Reason names the recipients that have the message already.
// Offered again, it is sent to all of them again.
//
// Store's error, an [*Error], means that no message can be delivered until a
// person does something: TLS demanded but not offered, a wrong certificate, a
// refused login. It also reports a message whose octets could not be read or
// are not those of its digest; the end of such a message is never sent.
func OpenSMTP(_ context.Context, config SMTP, _ Opening) (Sink, error) {
	config.Timeouts.setDefaults()
	if config.Hello == "" {
		config.Hello = "localhost"
	}
	if config.Dial == nil {
		config.Dial = new(net.Dialer).DialContext
	}
	if err := config.check(); err != nil {
		return nil, &Error{Op: "open", Object: config.server(), Err: err}
	}
	return &smtpSink{config: config}, nil
}

// check finds what can be known to be wrong without a connection, and sets
// the name that the certificate must bear.
func (config *SMTP) check() error {
	if config.Protocol != "smtp" && config.Protocol != "lmtp" {
		return fmt.Errorf("protocol %q is neither smtp nor lmtp", config.Protocol)
	}
	if err := checkSMTPPath(config.Hello); err != nil {
		return fmt.Errorf("hello name %q: %w", config.Hello, err)
	}
	if config.User != "" && config.Password == nil {
		return errors.New("a user without a password")
	}
	host := ""
	switch config.Network {
	case "unix":
	case "tcp", "tcp4", "tcp6":
		var err error
		if host, _, err = net.SplitHostPort(config.Address); err != nil {
			return err
		}
	default:
		return fmt.Errorf("network %q is neither tcp nor unix", config.Network)
	}
	if config.TLS == SMTPNoTLS {
		return nil
	}
	if config.TLSConfig == nil {
		config.TLSConfig = &tls.Config{}
	}
	if config.TLSConfig.ServerName == "" && !config.TLSConfig.InsecureSkipVerify {
		if host == "" {
			return errors.New("tls needs the server's name to check its certificate")
		}
		config.TLSConfig = config.TLSConfig.Clone()
		config.TLSConfig.ServerName = host
	}
	return nil
}

// server returns the server's name for errors and receipts.
func (config *SMTP) server() string {
	if config.Network == "unix" {
		return "unix:" + config.Address
	}
	return config.Address
}

// smtpSink delivers over one connection at a time.
type smtpSink struct {
	config SMTP
	conn   *smtpConn // nil while there is none
	failed error     // what every further Store returns
}

var _ Sink = (*smtpSink)(nil)

// Store delivers the messages one after the other.
func (s *smtpSink) Store(ctx context.Context, group []Message) ([]Receipt, error) {
	receipts := make([]Receipt, len(group))
	var unreachable *smtpUnreachable
	for i := range group {
		if s.failed == nil && unreachable == nil {
			var err error
			receipts[i], err = s.deliver(ctx, &group[i])
			if !errors.As(err, &unreachable) {
				s.failed = err
			}
		}
		switch {
		case unreachable != nil:
			receipts[i] = Receipt{Reason: unreachable.Error()}
		case s.failed != nil && i == 0:
			return nil, s.failed
		case s.failed != nil:
			// Messages before this one may have been accepted, which an error
			// would hide: the next Store returns it.
			receipts[i] = Receipt{Reason: "not sent: " + s.failed.Error()}
		}
	}
	return receipts, nil
}

// deliver hands over one message. A kept connection that turns out to have
// been closed by the server meanwhile is replaced once.
func (s *smtpSink) deliver(ctx context.Context, message *Message) (Receipt, error) {
	if reason := smtpUnfit(message); reason != "" {
		return Receipt{Proof: Refused, Reason: reason}, nil
	}
	for {
		if ctx.Err() != nil {
			return Receipt{}, s.config.stopped(ctx)
		}
		if s.conn == nil {
			conn, err := s.config.connect(ctx)
			if err != nil {
				return Receipt{}, err
			}
			s.conn = conn
		}
		receipt, err := s.conn.deliver(ctx, message)
		if s.conn.broken {
			s.conn.close()
			s.conn = nil
		}
		if !errors.Is(err, errSMTPStale) {
			return receipt, err
		}
	}
}

// Committed does nothing: a delivering sink derives nothing from receipts.
func (s *smtpSink) Committed(context.Context) error { return nil }

// Close ends the connection, with QUIT where it is sound. What the server
// makes of that does not matter: what it accepted, it accepted.
func (s *smtpSink) Close() error {
	if s.conn != nil {
		s.conn.quit()
		s.conn = nil
	}
	return nil
}
