package migrate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/emersion/go-sasl"

	"popmigrate/pop3"
)

// Connect dials, encrypts, reads the greeting and logs in: no credential
// leaves before TLS is up where TLS is wanted. Its errors are *ConnectError.
func (s *POP3Source) Connect(ctx context.Context) (Session, *Facts, error) {
	client, err := s.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	facts := &Facts{Server: s.Server}
	if err := s.establish(ctx, client, facts); err != nil {
		client.Close()
		return nil, nil, err
	}
	session := &popSession{client: client}
	if args := session.capabilities(ctx, facts); len(args) > 0 {
		if seconds, err := strconv.Atoi(args[0]); err == nil && seconds > 0 {
			facts.LoginDelay = min(time.Duration(seconds)*time.Second, time.Hour)
		}
	}
	if err := client.Broken(); err != nil {
		client.Close()
		return nil, nil, connectError("capabilities", s.Server, err)
	}
	return session, facts, nil
}

// open makes the connection, encrypted already where TLS is implicit.
func (s *POP3Source) open(ctx context.Context) (*pop3.Client, error) {
	timeouts := s.Timeouts.WithDefaults()
	dial := s.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	dialing, cancel := context.WithTimeout(ctx, timeouts.Dial)
	defer cancel()
	conn, err := dial(dialing, "tcp", s.Server)
	if err != nil {
		return nil, connectError("dial", s.Server, err)
	}
	if s.TLS == TLSImplicit {
		encrypted := tls.Client(conn, s.tlsConfig())
		handshake, cancel := context.WithTimeout(ctx, timeouts.TLS)
		defer cancel()
		if err := encrypted.HandshakeContext(handshake); err != nil {
			conn.Close()
			return nil, connectError("tls", s.Server, err)
		}
		conn = encrypted
	}
	return pop3.NewClient(conn, &pop3.Options{Pipelining: s.Pipelining, Timeouts: s.Timeouts}), nil
}

func (s *POP3Source) tlsConfig() *tls.Config {
	config := &tls.Config{}
	if s.TLSConfig != nil {
		config = s.TLSConfig.Clone()
	}
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(s.Server)
		if err != nil {
			host = s.Server
		}
		config.ServerName = host
	}
	return config
}

// establish goes from the greeting to the TRANSACTION state.
func (s *POP3Source) establish(ctx context.Context, client *pop3.Client, facts *Facts) error {
	var err error
	if facts.Greeting, err = client.Greeting(ctx); err != nil {
		return connectError("greeting", s.Server, err)
	}
	facts.Address = client.RemoteAddr().String()
	if s.TLS == TLSStart {
		if err := client.StartTLS(ctx, s.tlsConfig()); err != nil {
			return connectError("starttls", s.Server, err)
		}
	}
	if state, ok := client.TLS(); ok {
		facts.TLSVersion = tls.VersionName(state.Version)
		facts.TLSCipher = tls.CipherSuiteName(state.CipherSuite)
		facts.Certificate = sha256.Sum256(state.PeerCertificates[0].Raw)
	}
	capabilities, err := client.Capabilities(ctx)
	if err != nil && client.Broken() != nil {
		return connectError("capabilities", s.Server, err)
	}
	if capabilities.Has("UTF8") {
		if err := client.UTF8(ctx); err != nil && client.Broken() != nil {
			return connectError("capabilities", s.Server, err)
		}
	}
	password, err := s.Password(ctx)
	if err != nil {
		return &ConnectError{Stage: "password", Server: s.Server, Err: err, Class: ClassLocal}
	}
	facts.Mechanism = s.mechanism(capabilities)
	switch facts.Mechanism {
	case "PLAIN":
		err = client.Authenticate(ctx, sasl.NewPlainClient("", s.User, password))
	case "APOP":
		err = client.APOP(ctx, s.User, password)
	default:
		err = client.Login(ctx, s.User, password)
	}
	if err == nil {
		return nil
	}
	failure := connectError("login", s.Server, err)
	if failure.Class == ClassNetwork && client.Broken() == nil {
		failure.Class = ClassLocal // never sent: a CR in a name, a line too long
	}
	return failure
}

// mechanism chooses the login. Both of "auto" send the password as it is, so
// that the choice is one of form only; APOP is never chosen unasked.
func (s *POP3Source) mechanism(capabilities *pop3.Capabilities) string {
	switch s.Auth {
	case "plain":
		return "PLAIN"
	case "apop":
		return "APOP"
	case "user":
		return "USER"
	}
	if capabilities.HasArg("SASL", "PLAIN") {
		return "PLAIN"
	}
	return "USER"
}

// popSession is a Session over POP3.
type popSession struct{ client *pop3.Client }

// capabilities asks CAPA again after the login, for servers answer differently
// then; it returns the arguments of LOGIN-DELAY.
func (p *popSession) capabilities(ctx context.Context, facts *Facts) []string {
	capabilities, err := p.client.Capabilities(ctx)
	if err != nil {
		return nil // refused: there are none. Broken: the caller looks.
	}
	facts.Capabilities = capabilities.Lines
	return capabilities.Args("LOGIN-DELAY")
}

// ConnectError says at which step a session could not be opened.
type ConnectError struct {
	Stage  string // "dial", "tls", "greeting", "starttls", "capabilities", "password", "login"
	Server string
	Err    error
	Class  Class
	Hint   string
	After  time.Duration // when to try again at the earliest, where the server said so
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Stage, e.Server, e.Err)
}

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// BeforeGreeting tells whether the server closed the line without a word:
// what it does when it has enough of a client.
func (e *ConnectError) BeforeGreeting() bool { return errors.Is(e.Err, pop3.ErrNoGreeting) }
