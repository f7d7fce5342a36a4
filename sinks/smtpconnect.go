package sinks

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"popmigrate/internal/redact"
)

// smtpUnreachable says why there is no connection now, through no fault of a
// message's or the configuration's.
type smtpUnreachable struct {
	step, server string
	err          error
}

func (e *smtpUnreachable) Error() string { return e.step + " " + e.server + ": " + e.err.Error() }
func (e *smtpUnreachable) Unwrap() error { return e.err }

// smtpConn is a connection that is ready for MAIL.
type smtpConn struct {
	config  *SMTP
	line    *smtpLine
	client  *smtp.Client
	secrets redact.Secrets // hides the password should the server repeat it
	exposed bool           // others could read along
	used    bool           // a transaction was begun on it
	broken  bool           // to be closed: lost, or not to be trusted any more

	// What the server offers, as it last said.
	eightBit, utf8 bool
	limit          int64 // octets of a message; 0 means none
}

// connect dials, greets, encrypts and logs in. Its error is an
// *smtpUnreachable or an *Error.
func (config *SMTP) connect(ctx context.Context) (*smtpConn, error) {
	dialing, cancel := context.WithTimeout(ctx, config.Timeouts.Connect)
	defer cancel()
	conn, err := config.Dial(dialing, config.Network, config.Address)
	if ctx.Err() != nil {
		if err == nil {
			conn.Close()
		}
		return nil, config.stopped(ctx)
	}
	if err != nil {
		return nil, &smtpUnreachable{"dial", config.server(), err}
	}
	c := &smtpConn{config: config, exposed: !isLocal(conn)}
	c.use(conn, "")
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := c.prepare(ctx); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = config.stopped(ctx)
		}
		return nil, err
	}
	return c, nil
}

// stopped is the error of a Store whose context was cancelled.
func (config *SMTP) stopped(ctx context.Context) error {
	return &Error{Op: "deliver", Object: config.server(), Err: ctx.Err()}
}

// isLocal tells whether a connection stays on this computer.
func isLocal(conn net.Conn) bool {
	switch address := conn.RemoteAddr().(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return address.IP.IsLoopback()
	}
	return false
}

// use begins to speak on a connection. A greeting that is given is taken for
// the server's own.
func (c *smtpConn) use(conn net.Conn, greeting string) {
	c.line = &smtpLine{Conn: conn, pending: greeting}
	if c.config.Protocol == "lmtp" {
		c.client = smtp.NewClientLMTP(c.line)
	} else {
		c.client = smtp.NewClient(c.line)
	}
	c.client.CommandTimeout = c.config.Timeouts.Command
	c.client.SubmissionTimeout = c.config.Timeouts.Final
}

func (c *smtpConn) prepare(ctx context.Context) error {
	if c.config.TLS == SMTPImplicitTLS {
		if err := c.handshake(ctx, ""); err != nil {
			return err
		}
	}
	if err := c.hello(); err != nil {
		return err
	}
	if c.config.TLS == SMTPStartTLS {
		if err := c.startTLS(ctx); err != nil {
			return err
		}
	}
	if c.config.User == "" {
		return nil
	}
	return c.login(ctx)
}

// permanent makes the error that says that a person must do something.
func (c *smtpConn) permanent(step string, err error, hint string) error {
	return &Error{Op: "deliver", Object: c.config.server(), Err: fmt.Errorf("%s: %w", step, err), Hint: hint}
}

// sort turns the error of a step that prepares the connection into one of
// connect's: only a 5xx reply needs a person.
func (c *smtpConn) sort(step string, err error, hint string) error {
	reply := c.reply(err)
	if reply != nil && reply.Code/100 == 5 {
		return c.permanent(step, c.cause(err), hint)
	}
	return &smtpUnreachable{step, c.config.server(), c.cause(err)}
}

func (c *smtpConn) hello() error {
	if err := c.client.Hello(c.config.Hello); err != nil {
		return c.sort("greeting", err, "the server turns this computer away; ask those who run it")
	}
	c.eightBit, _ = c.client.Extension("8BITMIME")
	c.utf8, _ = c.client.Extension("SMTPUTF8")
	limit, _ := c.client.MaxMessageSize()
	c.limit = int64(limit)
	if c.config.Protocol != "lmtp" {
		return nil
	}
	// RFC 2033 section 5 demands both of every LMTP server. An SMTP server
	// that refuses LHLO shows neither: go-smtp tries HELO then.
	pipelining, _ := c.client.Extension("PIPELINING")
	codes, _ := c.client.Extension("ENHANCEDSTATUSCODES")
	if !pipelining && !codes {
		return c.permanent("greeting", errors.New("server does not speak lmtp"), `use sink "smtp" for it, or its lmtp port`)
	}
	return nil
}

// startTLS encrypts as RFC 3207 wants, or fails. go-smtp could do it for
// SMTP only, and would greet with a name of its own before.
func (c *smtpConn) startTLS(ctx context.Context) error {
	if offered, _ := c.client.Extension("STARTTLS"); !offered {
		return c.permanent("starttls", errors.New("server does not offer it"),
			`use tls = "implicit" if the server has a port for that`)
	}
	c.line.SetDeadline(time.Now().Add(c.config.Timeouts.Command))
	if _, err := io.WriteString(c.line, "STARTTLS\r\n"); err != nil {
		return c.sort("starttls", err, "")
	}
	in := bufio.NewReaderSize(io.LimitReader(c.line, 64<<10), 4<<10)
	code, text, err := textproto.NewReader(in).ReadResponse(220)
	if err != nil {
		if _, ok := errors.AsType[*textproto.Error](err); ok {
			err = &smtp.SMTPError{Code: code, Message: text}
		}
		return c.sort("starttls", err, "the server offers encryption and then refuses it; ask those who run it")
	}
	if in.Buffered() > 0 {
		return c.permanent("starttls", errors.New("clear text after the reply"), "somebody may tamper with the connection")
	}
	c.line.SetDeadline(time.Time{})
	if err := c.handshake(ctx, "220 \r\n"); err != nil {
		return err
	}
	return c.hello()
}

func (c *smtpConn) handshake(ctx context.Context, greeting string) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeouts.Connect)
	defer cancel()
	conn := tls.Client(c.line.Conn, c.config.TLSConfig)
	err := conn.HandshakeContext(ctx)
	switch {
	case err == nil:
		c.use(conn, greeting)
		c.exposed = false
		return nil
	case isNetworkError(err):
		return &smtpUnreachable{"tls", c.config.server(), c.cause(err)}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return c.permanent("tls", c.cause(err), "check the server's name, or name the authority that signed its certificate")
	}
	return c.permanent("tls", c.cause(err), `check the port: "implicit" and "starttls" have different ones`)
}

// isNetworkError tells a failing network from a failing TLS handshake, whose
// alerts come as *net.OpError, too.
func isNetworkError(err error) bool {
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		return operation.Op == "read" || operation.Op == "write"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}

// login logs in once: a refused credential is not tried with another mechanism.
func (c *smtpConn) login(ctx context.Context) error {
	if c.exposed {
		return c.permanent("login", errors.New("the password would cross the network in clear text"),
			`use tls = "starttls" or "implicit"`)
	}
	password, err := c.config.Password(ctx)
	if err != nil {
		return c.permanent("login", fmt.Errorf("password: %w", err), "")
	}
	// As it is, and as AUTH PLAIN sends it.
	c.secrets.Add(password, base64.StdEncoding.EncodeToString([]byte("\x00"+c.config.User+"\x00"+password)))
	var mechanism sasl.Client
	switch {
	case c.client.SupportsAuth(sasl.Plain):
		mechanism = sasl.NewPlainClient("", c.config.User, password)
	case c.client.SupportsAuth(sasl.Login):
		mechanism = sasl.NewLoginClient(c.config.User, password)
	default:
		return c.permanent("login", errors.New("server offers neither auth plain nor auth login"), "")
	}
	if err := c.client.Auth(mechanism); err != nil {
		if errors.Is(err, sasl.ErrUnexpectedServerChallenge) {
			return c.permanent("login", c.cause(err), "")
		}
		return c.sort("login", err, "check user and password")
	}
	return nil
}

// quit says goodbye, waiting no longer than is polite, and closes.
func (c *smtpConn) quit() {
	c.client.CommandTimeout = min(c.config.Timeouts.Command, 5*time.Second)
	c.client.Quit()
	c.close()
}

func (c *smtpConn) close() { c.line.Close() }
