package pop3test_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"popmigrate/pop3/pop3test"
)

func TestSTLS(t *testing.T) {
	server := start(t, pop3test.Config{})
	alice(server)
	d := dial(t, server)
	d.line()
	d.ask("USER alice", "+OK")
	d.ask("STLS", "+OK")
	d.startTLS(server)
	d.ask("PASS secret", "-ERR") // what was said in the clear is forgotten
	d.ask("STLS", "-ERR")
	d.ask("USER alice", "+OK")
	d.ask("PASS secret", "+OK")
	if got := d.multi("RETR 1"); got != one {
		t.Errorf("RETR 1: %q", got)
	}
	d.ask("QUIT", "+OK")
	d.end()
	for i, line := range server.Log() {
		if encrypted := i > 1; line.TLS != encrypted || line.Injected {
			t.Errorf("line %d: %+v", i, line)
		}
	}
}

func TestInjection(t *testing.T) {
	server := start(t, pop3test.Config{})
	server.SetRules(pop3test.Rule{Command: "STLS", Do: pop3test.After("+OK injected\r\n")})
	d := dial(t, server)
	d.line()
	d.send("STLS\r\nCAPA\r\n") // in one write: the server has both
	d.want("+OK begin TLS negotiation\r\n+OK injected\r\n")
	d.startTLS(server)
	d.ask("NOOP", "-ERR") // CAPA was thrown away
	log := server.Log()
	if want := (pop3test.Line{Connection: 1, Injected: true, Text: "CAPA\r\n"}); len(log) != 3 || log[1] != want {
		t.Errorf("log %+v", log)
	}
}

func TestRefusedSTLS(t *testing.T) {
	server := start(t, pop3test.Config{})
	server.SetRules(pop3test.Rule{Command: "STLS", Do: pop3test.Instead("-ERR [SYS/TEMP] no")})
	d := dial(t, server)
	d.line()
	d.ask("STLS", "-ERR")
	d.ask("CAPA", "+OK") // in the clear
}

func TestImplicitTLS(t *testing.T) {
	server := start(t, pop3test.Config{ImplicitTLS: true})
	alice(server)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(server.CertPEM()) {
		t.Fatal("no certificate in the PEM")
	}
	conn, err := tls.Dial("tcp", server.Addr(), &tls.Config{RootCAs: roots}) // for 127.0.0.1
	if err != nil {
		t.Fatal(err)
	}
	d := talk(t, conn).login()
	d.ask("STLS", "-ERR")
	if got := d.multi("RETR 2"); got != two {
		t.Errorf("RETR 2: %q", got)
	}
	conn.Close()

	if _, err := tls.Dial("tcp", server.Addr(), &tls.Config{RootCAs: x509.NewCertPool()}); err == nil {
		t.Error("trusted without the authority")
	}
	plain := dial(t, server)
	plain.send("USER alice\r\n")
	wait(t, server, "clear text was seen", func() bool {
		for _, line := range server.Log() {
			if line.Injected && line.Text == "USER " {
				return true
			}
		}
		return false
	})
}

// QUIT ends TLS with a close_notify, a cut line does not. A client with
// crypto/tls sees no difference, so the test looks at the records; those of
// TLS 1.2 show their type.
func TestEndOfTLS(t *testing.T) {
	const alert = 21
	server := start(t, pop3test.Config{ImplicitTLS: true, LockWait: patience})
	alice(server).SetRules(pop3test.Rule{Command: "RETR", Do: pop3test.Cut(20)})
	end := func(command, reply string) (last byte) {
		d := dial(t, server)
		raw := &recorder{Conn: d.raw}
		config := server.ClientTLS()
		config.MaxVersion = tls.VersionTLS12
		d.conn = tls.Client(raw, config)
		d.in = bufio.NewReader(d.conn)
		d.login()
		d.send(command + "\r\n")
		d.want(reply)
		d.end()
		for rest := raw.octets; len(rest) > 0; rest = rest[5+int(rest[3])<<8+int(rest[4]):] {
			last = rest[0]
		}
		return last
	}
	if got := end("RETR 1", "+OK 23 octets\r\nSubje"); got == alert {
		t.Error("close_notify after a cut")
	}
	if got := end("QUIT", "+OK goodbye\r\n"); got != alert {
		t.Error("no close_notify after QUIT")
	}
}

// recorder keeps what it reads.
type recorder struct {
	net.Conn
	octets []byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.octets = append(r.octets, p[:n]...)
	return n, err
}

func TestTLSOverPipe(t *testing.T) {
	server := pop3test.NewServer(pop3test.Config{ImplicitTLS: true})
	defer server.Close()
	alice(server)
	conn := tls.Client(server.Pipe(), server.ClientTLS())
	d := &dialogue{t, conn, conn, bufio.NewReader(conn)}
	d.login()
}
