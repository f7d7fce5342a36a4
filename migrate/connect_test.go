package migrate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"popmigrate/pop3/auth"
	"popmigrate/pop3/pop3test"
)

// connectTo opens a session on alice's maildrop as change says, and closes it.
func connectTo(t *testing.T, server *pop3test.Server, change func(*POP3Source)) (*Facts, *ConnectError) {
	t.Helper()
	source := POP3Source{Server: server.Addr(), TLS: TLSStart, TLSConfig: server.ClientTLS(), Login: auth.Credentials{User: "alice",
		Password: func(context.Context) (string, error) { return "open sesame", nil }}}
	if change != nil {
		change(&source)
	}
	session, facts, err := source.Connect(t.Context())
	if err == nil {
		if _, err := session.Quit(t.Context()); err != nil {
			t.Errorf("quit: %v", err)
		}
		return facts, nil
	}
	var failure *ConnectError
	if !errors.As(err, &failure) {
		t.Fatalf("error %v", err)
	}
	if strings.Contains(err.Error()+failure.Hint, "sesame") {
		t.Errorf("error shows the password: %v", err)
	}
	return nil, failure
}

func startServer(t *testing.T, config pop3test.Config) *pop3test.Server {
	t.Helper()
	config.LockWait = 20 * time.Second
	server, err := pop3test.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	server.AddMaildrop("alice", "open sesame")
	return server
}

// noLogin checks that nothing of a login was said.
func noLogin(t *testing.T, server *pop3test.Server) {
	t.Helper()
	for _, line := range server.Log() {
		if word, _, _ := strings.Cut(line.Text, " "); slices.Contains([]string{"USER", "PASS", "APOP", "AUTH", "UTF8"}, word) {
			t.Errorf("said %q", line.Text)
		}
	}
}

// TestTLSFailures: no login comes after any of them, and the hint names the
// setting that would make it work.
func TestTLSFailures(t *testing.T) {
	old := func(config *tls.Config) { config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }
	tests := map[string]struct {
		config pop3test.Config
		rule   pop3test.Rule
		change func(*POP3Source)
		class  Class
		says   string
	}{
		"unknown authority": {change: func(s *POP3Source) { s.TLSConfig = nil }, class: ClassTLS, says: "tls_pin = \""},
		"another name":      {change: func(s *POP3Source) { s.TLSConfig.ServerName = "elsewhere.example" }, class: ClassTLS, says: "tls_server_name"},
		"expired": {change: func(s *POP3Source) {
			s.TLSConfig.Time = func() time.Time { return time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC) }
		}, class: ClassTLS, says: "not valid now"},
		"TLS 1.0 only":       {config: pop3test.Config{ChangeTLS: old}, class: ClassTLS, says: `tls_min = "1.0"`},
		"TLS 1.3 wanted":     {config: pop3test.Config{ChangeTLS: func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }}, change: func(s *POP3Source) { s.TLSConfig.MaxVersion = tls.VersionTLS12 }, class: ClassTLS, says: "no common TLS version"},
		"client certificate": {config: pop3test.Config{ChangeTLS: func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }}, class: ClassTLS, says: "tls_cert"},
		"client certificate, TLS 1.2": {config: pop3test.Config{ChangeTLS: func(c *tls.Config) { c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12 }},
			class: ClassTLS, says: "tls_cert"},
		"STLS refused": {rule: pop3test.Rule{Command: "STLS", Do: pop3test.Instead("-ERR no")}, class: ClassTLS, says: `tls = "implicit"`},
		"STLS refused for now": {rule: pop3test.Rule{Command: "STLS", Do: pop3test.Instead("-ERR [SYS/TEMP] busy")},
			class: ClassBusy},
		"STLS unknown":          {config: pop3test.Config{Without: []string{"STLS"}}, class: ClassTLS, says: `tls = "implicit"`},
		"STLS lied about":       {rule: pop3test.Rule{Command: "STLS", Do: pop3test.Raw("+OK\r\n-ERR not really\r\n")}, class: ClassProtocol},
		"octets injected":       {rule: pop3test.Rule{Command: "STLS", Do: pop3test.After("+OK injected\r\n")}, class: ClassProtocol},
		"closed in the middle":  {rule: pop3test.Rule{Command: "STLS", Do: pop3test.Cut(-1)}, class: ClassNetwork},
		"clear text behind +OK": {rule: pop3test.Rule{Command: "STLS", Do: pop3test.Instead("+OK go")}, class: ClassTLS, says: "did not speak TLS"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, test.config)
			server.SetRules(test.rule)
			_, failure := connectTo(t, server, func(s *POP3Source) {
				s.Timeouts.TLS = 200 * time.Millisecond // the last case waits for it
				if test.change != nil {
					test.change(s)
				}
			})
			if failure == nil || failure.Class != test.class || !strings.Contains(failure.Hint, test.says) {
				t.Fatalf("%v: %+v", failure, failure)
			}
			if name == "octets injected" && !strings.Contains(failure.Error(), "injects") {
				t.Errorf("error %v", failure)
			}
			noLogin(t, server)
		})
	}
}

// TestPinInHint: the digest that the hint shows is the one to pin.
func TestPinInHint(t *testing.T) {
	server := startServer(t, pop3test.Config{})
	var seen [32]byte
	connectTo(t, server, func(s *POP3Source) {
		s.TLSConfig.VerifyConnection = func(state tls.ConnectionState) error {
			seen = sha256.Sum256(state.PeerCertificates[0].Raw)
			return nil
		}
	})
	_, failure := connectTo(t, server, func(s *POP3Source) { s.TLSConfig.RootCAs = x509.NewCertPool() })
	if failure == nil || !strings.Contains(failure.Hint, fmt.Sprintf("tls_pin = %q", fmt.Sprintf("%x", seen))) {
		t.Errorf("hint of %v: %s", failure, failure.Hint)
	}
}

// TestOldServer answers as a TLS library of 2005 does: it knows no
// supported_versions and chooses TLS 1.0.
func TestOldServer(t *testing.T) {
	hello := "\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + strings.Repeat("r", 32) + "\x00\x00\x2f\x00"
	source := POP3Source{Server: "pop.example.net:995", Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			io.ReadFull(server, make([]byte, 5))
			go io.Copy(io.Discard, server)
			io.WriteString(server, hello)
		}()
		return client, nil
	}}
	_, _, err := source.Connect(t.Context())
	var failure *ConnectError
	if !errors.As(err, &failure) || failure.Class != ClassTLS || !strings.Contains(failure.Hint, `tls_min = "1.0"`) {
		t.Errorf("%v", err)
	}
}

// TestTLSSettings connects where the right setting is made.
func TestTLSSettings(t *testing.T) {
	server := startServer(t, pop3test.Config{ChangeTLS: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }})
	if facts, err := connectTo(t, server, func(s *POP3Source) { s.TLSConfig.MinVersion = tls.VersionTLS10 }); err != nil || facts.TLSVersion != "TLS 1.0" {
		t.Errorf("TLS 1.0: %+v, %v", facts, err)
	}
	server = startServer(t, pop3test.Config{})
	if facts, err := connectTo(t, server, func(s *POP3Source) { s.TLSConfig.ServerName = "localhost" }); err != nil || facts.TLSVersion != "TLS 1.3" {
		t.Errorf("by another name: %+v, %v", facts, err)
	}
	server = startServer(t, pop3test.Config{ImplicitTLS: true, Mechanisms: pop3test.Mechanisms(), ClientCertificates: true})
	certificate, err := server.ClientCertificate("alice")
	if err != nil {
		t.Fatal(err)
	}
	facts, failure := connectTo(t, server, func(s *POP3Source) {
		s.TLS, s.TLSConfig.Certificates = TLSImplicit, []tls.Certificate{certificate}
		s.Login = auth.Credentials{User: "alice", Certificate: true}
	})
	if failure != nil || facts.Mechanism != "EXTERNAL" {
		t.Errorf("client certificate: %+v, %v", facts, failure)
	}
}

// TestResumption: a second session resumes the TLS of the first, and a bound
// login works on it too.
func TestResumption(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server := startServer(t, pop3test.Config{Mechanisms: pop3test.Mechanisms()})
		config := server.ClientTLS()
		config.MaxVersion, config.ClientSessionCache = version, tls.NewLRUClientSessionCache(0)
		var resumed []bool
		config.VerifyConnection = func(state tls.ConnectionState) error {
			resumed = append(resumed, state.DidResume)
			return nil
		}
		for range 2 {
			facts, failure := connectTo(t, server, func(s *POP3Source) { s.TLSConfig = config })
			if failure != nil || !strings.HasPrefix(facts.Mechanism, "SCRAM-SHA-256") {
				t.Fatalf("%+v, %v", facts, failure)
			}
		}
		if !slices.Equal(resumed, []bool{false, true}) {
			t.Errorf("%s: resumed %v", tls.VersionName(version), resumed)
		}
	}
}

// TestLoginFailures sorts what stops a login.
func TestLoginFailures(t *testing.T) {
	refuse := func(reply string) pop3test.Rule {
		return pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.Instead(reply)}
	}
	tests := map[string]struct {
		config pop3test.Config
		rule   pop3test.Rule
		change func(*POP3Source)
		class  Class
		says   string
	}{
		"wrong password": {change: func(s *POP3Source) {
			s.Login.Password = func(context.Context) (string, error) { return "sesame?", nil }
		}, class: ClassCredential, says: "check user name"},
		"no password": {change: func(s *POP3Source) {
			s.Login.Password = func(context.Context) (string, error) { return "", os.ErrNotExist }
		}, class: ClassLocal},
		"locked":          {rule: refuse("-ERR [IN-USE] locked"), class: ClassBusy, says: "other mail programs"},
		"must wait":       {rule: refuse("-ERR [LOGIN-DELAY] wait"), class: ClassBusy},
		"broken there":    {rule: refuse("-ERR [SYS/PERM] no"), class: ClassServer, says: "administrator"},
		"app password":    {rule: refuse("-ERR [AUTH] Application-specific password required"), class: ClassCredential, says: "Google"},
		"clear text":      {change: func(s *POP3Source) { s.TLS = TLSNone }, class: ClassServer, says: "allow_cleartext"},
		"not offered":     {config: pop3test.Config{Capabilities: []string{"STLS", "SASL OTP"}}, class: ClassServer, says: `auth = "user"`},
		"not allowed":     {change: func(s *POP3Source) { s.Policy.Mechanisms = []string{"NTLM", "CRAM-MD5"} }, class: ClassServer, says: `auth = "auto"`},
		"CR in the name":  {change: func(s *POP3Source) { s.Login.User, s.Policy.Mechanisms = "a\rb", []string{"USER"} }, class: ClassLocal},
		"server unproven": {config: pop3test.Config{Mechanisms: []string{"SCRAM-SHA-1"}}, rule: pop3test.Rule{Command: "AUTH", Do: unproven}, class: ClassServer, says: "pretend"},
		"server unproven, cancelled": {config: pop3test.Config{Mechanisms: []string{"SCRAM-SHA-1"}}, rule: pop3test.Rule{Command: "AUTH", Do: pop3test.Challenges(func(n int, line string) string {
			if n == 3 {
				return "+ dj1BQUFB"
			}
			return line
		})}, class: ClassServer, says: "pretend"},
		"cancelled": {config: pop3test.Config{Mechanisms: []string{"SCRAM-SHA-1"}}, rule: pop3test.Rule{Command: "AUTH", Do: pop3test.Challenges(func(n int, line string) string {
			if n == 2 {
				return "+ !"
			}
			return line
		})}, class: ClassLocal, says: `auth = "plain"`},
		"greeting: later":      {rule: pop3test.Rule{Command: pop3test.OnGreeting, Do: pop3test.Instead("-ERR [SYS/TEMP] try later")}, class: ClassBusy},
		"greeting: no word":    {rule: pop3test.Rule{Command: pop3test.OnGreeting, Do: pop3test.Instead("-ERR")}, class: ClassBusy},
		"greeting: never":      {rule: pop3test.Rule{Command: pop3test.OnGreeting, Do: pop3test.Instead("-ERR [SYS/PERM] not for you")}, class: ClassServer},
		"UTF8 wanted, unknown": {change: func(s *POP3Source) { s.UTF8 = UTF8On }, class: ClassServer, says: `utf8 = "off"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, test.config)
			server.SetRules(test.rule)
			_, failure := connectTo(t, server, test.change)
			if failure == nil || failure.Class != test.class || !strings.Contains(failure.Hint, test.says) {
				t.Fatalf("%v: %+v", failure, failure)
			}
		})
	}
}

// unproven says +OK where the server's signature is due.
var unproven = pop3test.Challenges(func(n int, line string) string {
	if n == 3 {
		return "+OK"
	}
	return line
})

// TestUTF8Order: STLS, then UTF8, then the login.
func TestUTF8Order(t *testing.T) {
	announced := []string{"STLS", "UTF8 USER", "USER"}
	for _, test := range []struct {
		lines []string
		mode  UTF8Mode
		reply string
		sent  bool
	}{
		{announced, UTF8Auto, "+OK", true},
		{announced, UTF8Auto, "-ERR no", true}, // a refusal is no harm
		{announced, UTF8On, "+OK", true},
		{announced, UTF8Off, "+OK", false},
		{[]string{"STLS", "USER"}, UTF8Auto, "+OK", false},
		{[]string{"STLS", "USER"}, UTF8On, "+OK", true},
	} {
		server := startServer(t, pop3test.Config{Capabilities: test.lines})
		server.SetRules(pop3test.Rule{Command: "UTF8", Do: pop3test.Instead(test.reply)})
		_, failure := connectTo(t, server, func(s *POP3Source) { s.UTF8 = test.mode })
		var said []string
		for _, line := range server.Log() {
			word, _, _ := strings.Cut(line.Text, " ")
			said = append(said, word)
		}
		want := []string{"STLS", "CAPA", "UTF8", "USER", "PASS", "CAPA", "QUIT"}
		if !test.sent {
			want = slices.Delete(want, 2, 3)
		}
		if failure != nil || !slices.Equal(said, want) {
			t.Errorf("%v %v: %v, %v", test.lines, test.mode, said, failure)
		}
	}
}

// tokenList is a token source.
type tokenList struct {
	tokens   []string
	rejected []string
}

func (s *tokenList) Token(_ context.Context, _, rejected string) (string, error) {
	s.rejected = append(s.rejected, rejected)
	token := s.tokens[0]
	s.tokens = s.tokens[1:]
	return token, nil
}

// TestFreshTokenOnNewLine: a server that closes after it refused a token is
// dialed once more.
func TestFreshTokenOnNewLine(t *testing.T) {
	for good, class := range map[string]Class{"open sesame": ClassNone, "bad": ClassCredential} {
		server := startServer(t, pop3test.Config{Mechanisms: []string{"XOAUTH2"}})
		server.SetRules(pop3test.Rule{Command: "AUTH", Do: pop3test.Cut(-1), Times: 1})
		source := &tokenList{tokens: []string{"stale", "unsent", good, "never asked for"}}
		_, failure := connectTo(t, server, func(s *POP3Source) { s.Login = auth.Credentials{User: "alice", Token: source} })
		if (failure == nil) != (class == ClassNone) || failure != nil && failure.Class != class {
			t.Errorf("%v", failure)
		}
		if want := []string{"", "stale", "stale"}; !slices.Equal(source.rejected, want) {
			t.Errorf("rejected %q", source.rejected)
		}
	}
}

// TestBindsToTheJobsName: the login names the server as the job does, whatever
// was dialed.
func TestBindsToTheJobsName(t *testing.T) {
	server := startServer(t, pop3test.Config{Mechanisms: []string{"OAUTHBEARER"}, LogSecrets: true})
	_, failure := connectTo(t, server, func(s *POP3Source) {
		address := s.Server
		s.Server, s.TLSConfig.ServerName = "pop.example.net:1110", "localhost"
		s.Login = auth.Credentials{User: "alice", Token: &tokenList{tokens: []string{"open sesame"}}}
		s.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
	})
	want := base64.StdEncoding.EncodeToString([]byte("n,a=alice,\x01host=pop.example.net\x01port=1110\x01auth=Bearer open sesame\x01\x01"))
	if failure != nil || !slices.ContainsFunc(server.Log(), func(l pop3test.Line) bool { return l.Text == want }) {
		t.Errorf("%v; log %v", failure, server.Log())
	}
}
