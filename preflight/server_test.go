package preflight

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"popmigrate/internal/profiles"
	"popmigrate/migrate"
	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
)

// everyWay are the ways to reach a server on one port, as they are tried.
func everyWay(address string, server *pop3test.Server) (all []*migrate.POP3Source) {
	for _, mode := range []migrate.TLSMode{migrate.TLSImplicit, migrate.TLSNone, migrate.TLSStart} {
		s := &migrate.POP3Source{Server: address, TLS: mode, Profiles: profiles.Default(), Timeouts: pop3.Timeouts{
			Dial: 10 * time.Second, TLS: 10 * time.Second, Greeting: 10 * time.Second, Command: 10 * time.Second, Quit: 10 * time.Second}}
		if server != nil {
			s.TLSConfig = server.ClientTLS()
		}
		all = append(all, s)
	}
	return all
}

func shape(ways []*Way) (all []string) {
	for _, w := range ways {
		word := w.Mode + " works"
		if !w.Works {
			word = w.Mode + " " + string(w.Class)
		}
		all = append(all, word)
	}
	return all
}

// The ways that make sense are tried, and no login is ever begun.
func TestWays(t *testing.T) {
	for _, c := range []struct {
		name   string
		config pop3test.Config
		ways   []string
		advice string
	}{
		{"implicit", pop3test.Config{ImplicitTLS: true}, []string{"implicit works"}, `tls = "implicit"`},
		{"STLS", pop3test.Config{}, []string{"implicit tls", "none works", "starttls works"}, `tls = "starttls"`},
		{"clear", pop3test.Config{Without: []string{"STLS"}}, []string{"implicit tls", "none works", "starttls tls"}, `tls = "none"`},
		{"no CAPA", pop3test.Config{Without: []string{"CAPA"}}, []string{"implicit tls", "none works", "starttls works"}, `# no CAPA`},
		{"tokens", pop3test.Config{ImplicitTLS: true, Capabilities: []string{"SASL XOAUTH2"}}, []string{"implicit works"}, `oauth2 block`},
		{"APOP", pop3test.Config{ImplicitTLS: true, Capabilities: []string{"UIDL"}}, []string{"implicit works"}, `auth = "apop"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, c.config, "alice")
			ways := Server(t.Context(), everyWay(server.Addr(), server), nil)
			if got := shape(ways); !slices.Equal(got, c.ways) {
				t.Fatalf("got %q", got)
			}
			best := Best(ways)
			advice := strings.Join(Advice(best, nil, ""), "\n")
			if !best.Works || !strings.Contains(advice, c.advice) || !strings.Contains(advice, server.Addr()) {
				t.Errorf("advice\n%s", advice)
			}
			for _, line := range server.Log() {
				keyword, _, _ := strings.Cut(line.Text, " ")
				if slices.Contains([]string{"USER", "PASS", "APOP", "AUTH"}, keyword) {
					t.Errorf("sent %q", line.Text)
				}
			}
			if len(server.Log()) == 0 {
				t.Error("the log is empty: it proves nothing")
			}
			if stats := server.Stats(); stats.Logins+stats.Refused > 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestWhatAServerShows(t *testing.T) {
	server := serve(t, pop3test.Config{ImplicitTLS: true, Greeting: "Dovecot ready."}, "alice")
	w := Best(Server(t.Context(), everyWay(server.Addr(), server), nil))
	switch {
	case !w.HasCAPA, !w.APOP, !w.Pipelining, len(w.Codes) == 0, !slices.Contains(w.Mechanisms, "PLAIN"), !slices.Contains(w.Mechanisms, "USER"):
		t.Errorf("%+v", w)
	case w.TLS == nil, w.TLS.DaysLeft < 1000, !strings.Contains(w.Greeting, "Dovecot"), len(w.Profiles) != 1:
		t.Errorf("%+v", w)
	}
}

// A certificate that nobody trusts is shown, and its digest is the advice, with
// a warning.
func TestUntrustedCertificate(t *testing.T) {
	for name, config := range map[string]pop3test.Config{"implicit": {ImplicitTLS: true}, "starttls": {}} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, config)
			ways := Server(t.Context(), everyWay(server.Addr(), nil), nil)
			best := Best(ways)
			if best == nil || best.Works || best.Mode != name || best.TLS == nil || !strings.Contains(best.Hint, best.TLS.Pin) {
				t.Fatalf("%+v", best)
			}
			if advice := strings.Join(Advice(best, nil, ""), "\n"); !strings.Contains(advice, `tls_pin = "`+best.TLS.Pin+`" # only once`) {
				t.Errorf("advice\n%s", advice)
			}
		})
	}
}

// A server of another kind is named in one line, with the step and what helps.
func TestOtherServers(t *testing.T) {
	for _, c := range []struct{ name, banner, reason string }{
		{"SSH", "SSH-2.0-OpenSSH_9.7\r\n", "an SSH server answers"},
		{"SMTP", "220 mx.example.net ESMTP\r\n", "an SMTP or FTP server answers"},
		{"IMAP", "* OK [CAPABILITY IMAP4rev1] ready\r\n", "an IMAP server answers"},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", "a web server answers"},
		{"something", "hello, who is there?\r\n", "neither +OK nor -ERR"},
		{"endless", "+OK " + strings.Repeat("x", 1<<20), "line of more than"},
		{"nothing", "", "closed the connection before its greeting"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := banner(t, c.banner)
			ways := Server(t.Context(), everyWay(address, nil)[1:], nil)
			if len(ways) != 1 {
				t.Fatalf("got %q", shape(ways))
			}
			w := ways[0]
			for _, part := range []string{c.reason, address, "greeting"} {
				if !strings.Contains(w.Reason, part) {
					t.Errorf("%q does not say %q", w.Reason, part)
				}
			}
			if w.Works || w.Hint == "" || strings.ContainsAny(w.Reason+w.Hint, "\r\n") || len(w.Reason) > 1000 || Best(ways) != nil {
				t.Errorf("%+v", w)
			}
			// With TLS first it is the same, once clear text was tried.
			if ways := Server(t.Context(), everyWay(address, nil), nil); len(ways) != 2 || !strings.Contains(ways[1].Reason, c.reason) {
				t.Errorf("got %q", shape(ways))
			}
		})
	}
}

// A port that is silent in clear text, as one is that expects TLS, ends the
// patience; and nothing is sent meanwhile.
func TestSilence(t *testing.T) {
	server := serve(t, pop3test.Config{ImplicitTLS: true})
	sources := everyWay(server.Addr(), server)[1:]
	for _, s := range sources {
		s.Timeouts.Greeting = 50 * time.Millisecond
	}
	ways := Server(t.Context(), sources, nil)
	if len(ways) != 1 || !strings.Contains(ways[0].Reason, "expects TLS from the first octet keeps silent") || ways[0].Hint == "" {
		t.Errorf("%+v", ways[0])
	}
	if lines := server.Log(); len(lines) > 0 {
		t.Errorf("sent %+v", lines)
	}
}

func TestProbeInterrupted(t *testing.T) {
	server := serve(t, pop3test.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	server.SetRules(pop3test.Rule{Command: "CAPA", Do: pop3test.All(pop3test.Call(cancel), pop3test.Stall(0))})
	ways := Server(ctx, everyWay(server.Addr(), server), nil)
	if len(ways) != 2 || ways[1].Class != migrate.ClassInterrupted {
		t.Errorf("got %q", shape(ways))
	}
}

// banner serves connections with these octets and closes them.
func banner(t *testing.T, text string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(text))
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = conn.Read(make([]byte, 4096)) // what it says first, or its end: no reset
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}
