package migrate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"popmigrate/pop3"
	"popmigrate/pop3/auth"
)

// Connect dials, encrypts, reads the greeting and logs in: no credential
// leaves before TLS is up where TLS is wanted. Its errors are *ConnectError. A
// server that closes the line after it refused a token is dialed once more,
// with a fresh one; one that closes it at CAPA, without CAPA.
func (s *POP3Source) Connect(ctx context.Context) (Session, *Facts, error) {
	session, facts, err := s.connect(ctx)
	if s.closedAtCapa(err) {
		again := *s
		again.noCapa = true
		s = &again
		session, facts, err = s.connect(ctx)
	}
	var stale *auth.StaleTokenError
	if !errors.As(err, &stale) {
		return session, facts, err
	}
	again := *s
	again.Login = stale.Renew(s.Login)
	return again.connect(ctx)
}

// closedAtCapa tells whether the line ended where the reply to CAPA should be:
// what servers from before RFC 2449 do with commands that they do not know.
func (s *POP3Source) closedAtCapa(err error) bool {
	var failed *ConnectError
	return !s.noCapa && errors.As(err, &failed) && failed.Stage == "capabilities" &&
		(errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET))
}

func (s *POP3Source) connect(ctx context.Context) (Session, *Facts, error) {
	client, facts, err := s.Reach(ctx)
	if err != nil {
		return nil, facts, err
	}
	if err := s.login(ctx, client, facts); err != nil {
		client.Close()
		return nil, facts, s.explainRefusal(err, facts)
	}
	session := &popSession{client: client}
	if args := s.capabilities(ctx, session, facts); len(args) > 0 {
		if seconds, err := strconv.Atoi(args[0]); err == nil && seconds > 0 {
			facts.LoginDelay = min(time.Duration(seconds)*time.Second, time.Hour)
		}
	}
	if err := client.Broken(); err != nil {
		client.Close()
		return nil, facts, connectError("capabilities", s.Server, err)
	}
	s.recognise(facts)
	facts.LoginDelay = max(facts.LoginDelay, facts.Tuning.LoginDelay.Duration())
	if err := s.mayFetch(facts); err != nil {
		client.Close()
		return nil, facts, err
	}
	if s.SDPS {
		return sdpsSession{session}, facts, nil
	}
	return session, facts, nil
}

// Reach opens a connection up to the AUTHORIZATION state: it dials, encrypts,
// reads the greeting and asks CAPA, and does not log in. The caller closes the
// client. The facts are never nil and tell, with an error too, how far it came.
// Errors are *ConnectError.
func (s *POP3Source) Reach(ctx context.Context) (*pop3.Client, *Facts, error) {
	facts := &Facts{Server: s.Server, Mode: s.TLS}
	client, err := s.open(ctx, facts)
	if err != nil {
		facts.sawCertificates(err)
		return nil, facts, err
	}
	if err := s.greet(ctx, client, facts); err != nil {
		facts.sawCertificates(err)
		client.Close()
		return nil, facts, err
	}
	s.recognise(facts)
	return client, facts, nil
}

// open makes the connection, encrypted already where TLS is implicit.
func (s *POP3Source) open(ctx context.Context, facts *Facts) (*pop3.Client, error) {
	timeouts := s.Timeouts.WithDefaults()
	conn, err := dialServer(ctx, s.Dial, timeouts, facts)
	if err != nil {
		return nil, err
	}
	if s.Before != nil {
		if err := s.before(ctx, conn, timeouts.Greeting); err != nil {
			conn.Close()
			return nil, connectError("kerberos", s.Server, err)
		}
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
	return pop3.NewClient(conn, &pop3.Options{Pipelining: s.Pipelining, Timeouts: s.Timeouts, InitialLine: s.Policy.InitialResponse}), nil
}

// dialServer opens the connection to facts.Server.
func dialServer(ctx context.Context, dial func(ctx context.Context, network, address string) (net.Conn, error),
	timeouts pop3.Timeouts, facts *Facts) (net.Conn, error) {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, timeouts.WithDefaults().Dial)
	defer cancel()
	conn, err := dial(facts.watchLookup(ctx), "tcp", facts.Server)
	if err != nil {
		return nil, connectError("dial", facts.Server, err)
	}
	facts.Address = conn.RemoteAddr().String()
	return conn, nil
}

// before does what Before says within the limit.
func (s *POP3Source) before(ctx context.Context, conn net.Conn, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	return s.Before(ctx, conn, s.host())
}

// host returns the name of the server without its port.
func (s *POP3Source) host() string {
	host, _, err := net.SplitHostPort(s.Server)
	if err != nil {
		return s.Server
	}
	return host
}

func (s *POP3Source) tlsConfig() *tls.Config {
	config := &tls.Config{}
	if s.TLSConfig != nil {
		config = s.TLSConfig.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = s.host()
	}
	return config
}

// greet goes from the greeting to the first CAPA.
func (s *POP3Source) greet(ctx context.Context, client *pop3.Client, facts *Facts) error {
	var err error
	if facts.Greeting, err = client.Greeting(ctx); err != nil {
		return connectError("greeting", s.Server, err)
	}
	if s.TLS == TLSStart {
		if err := client.StartTLS(ctx, s.tlsConfig()); err != nil {
			return connectError("starttls", s.Server, err)
		}
	}
	if state, ok := client.TLS(); ok {
		facts.TLSVersion = tls.VersionName(state.Version)
		facts.TLSCipher = tls.CipherSuiteName(state.CipherSuite)
		facts.Certificate = sha256.Sum256(state.PeerCertificates[0].Raw)
		facts.Chain = state.PeerCertificates
	}
	facts.Timestamp = client.Timestamp() != ""
	if s.noCapa {
		return nil
	}
	facts.Offered, err = client.Capabilities(ctx)
	if err != nil && client.Broken() != nil {
		return connectError("capabilities", s.Server, err)
	}
	return nil
}

// login goes from the AUTHORIZATION to the TRANSACTION state.
func (s *POP3Source) login(ctx context.Context, client *pop3.Client, facts *Facts) error {
	if err := s.sendUTF8(ctx, client, facts.Offered); err != nil {
		return err
	}
	login := s.Login
	if login.Host == "" {
		login.Host = s.host()
	}
	if _, port, err := net.SplitHostPort(s.Server); err == nil && login.Port == "" {
		login.Port = port
	}
	var err error
	facts.Mechanism, err = auth.Login(ctx, client, facts.Offered, login, s.Policy)
	if err != nil {
		return loginError(s.Server, err, client.Broken() == nil)
	}
	return nil
}

// sendUTF8 sends UTF8 where it is wanted: after STLS, before the login.
func (s *POP3Source) sendUTF8(ctx context.Context, client *pop3.Client, offered *pop3.Capabilities) error {
	if s.UTF8 == UTF8Off || s.UTF8 == UTF8Auto && !offered.Has("UTF8") {
		return nil
	}
	err := client.UTF8(ctx)
	if err == nil || s.UTF8 == UTF8Auto && client.Broken() == nil {
		return nil
	}
	failure := connectError("utf8", s.Server, err)
	if failure.Class == ClassServer && failure.Hint == "" {
		failure.Hint = `the server does not know UTF8: say utf8 = "off"`
	}
	return failure
}

// popSession is a Session over POP3.
type popSession struct{ client *pop3.Client }

// capabilities asks CAPA again after the login, for servers answer differently
// then; it returns the arguments of LOGIN-DELAY.
func (s *POP3Source) capabilities(ctx context.Context, session *popSession, facts *Facts) []string {
	if s.noCapa {
		return nil
	}
	capabilities, err := session.client.Capabilities(ctx)
	if err != nil {
		return nil // refused: there are none. Broken: the caller looks.
	}
	facts.Capabilities = capabilities.Lines
	return capabilities.Args("LOGIN-DELAY")
}

// ConnectError says at which step a session could not be opened.
type ConnectError struct {
	Stage  string // "dial", "kerberos", "tls", "greeting", "starttls", "capabilities", "utf8", "password", "login"
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
