package pop3test_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"popmigrate/pop3/pop3test"
)

// patience bounds every wait of the tests; nothing waits so long when all is well.
const patience = 20 * time.Second

// dialogue is a client that knows nothing of POP3: it sends and expects octets.
type dialogue struct {
	t    *testing.T
	raw  net.Conn
	conn net.Conn
	in   *bufio.Reader
}

func start(t *testing.T, config pop3test.Config) *pop3test.Server {
	t.Helper()
	server, err := pop3test.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

func dial(t *testing.T, server *pop3test.Server) *dialogue {
	t.Helper()
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return talk(t, conn)
}

func talk(t *testing.T, conn net.Conn) *dialogue {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &dialogue{t, conn, conn, bufio.NewReader(conn)}
}

func (d *dialogue) send(octets string) {
	d.t.Helper()
	if _, err := io.WriteString(d.conn, octets); err != nil {
		d.t.Fatalf("send %.40q: %v", octets, err)
	}
}

func (d *dialogue) line() string {
	d.t.Helper()
	line, err := d.in.ReadString('\n')
	if err != nil {
		d.t.Fatalf("read line: %v after %.80q", err, line)
	}
	return strings.TrimSuffix(line, "\r\n")
}

// want expects exactly these octets.
func (d *dialogue) want(octets string) {
	d.t.Helper()
	got := make([]byte, len(octets))
	n, err := io.ReadFull(d.in, got)
	if string(got[:n]) != octets {
		d.t.Fatalf("got  %.300q\nwant %.300q (%v)", got[:n], octets, err)
	}
}

// ask sends lines and expects a reply that begins so for each.
func (d *dialogue) ask(line, begin string) string {
	d.t.Helper()
	d.send(line + "\r\n")
	got := d.line()
	if !strings.HasPrefix(got, begin) {
		d.t.Fatalf("%s: got %.200q, want %q", line, got, begin)
	}
	return got
}

// body reads up to the termination line, which it leaves out.
func (d *dialogue) body() string {
	d.t.Helper()
	var text strings.Builder
	for {
		line, err := d.in.ReadString('\n')
		if err != nil {
			d.t.Fatalf("read body: %v after %.80q", err, text.String())
		}
		if line == ".\r\n" {
			return text.String()
		}
		text.WriteString(line)
	}
}

// multi asks and returns the text after the status line.
func (d *dialogue) multi(line string) string {
	d.t.Helper()
	d.ask(line, "+OK")
	return d.body()
}

// end expects the server to close the connection, in an orderly way.
func (d *dialogue) end() {
	d.t.Helper()
	if rest, err := io.ReadAll(d.in); len(rest) > 0 || err != nil {
		d.t.Fatalf("at the end: %.80q, %v; want EOF", rest, err)
	}
	d.conn.Close()
}

// reset expects the connection to be reset.
func (d *dialogue) reset() {
	d.t.Helper()
	if _, err := io.ReadAll(d.in); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		d.t.Fatalf("at the end: %v; want a reset", err)
	}
	d.conn.Close()
}

func (d *dialogue) login() *dialogue {
	d.t.Helper()
	if greeting := d.line(); !strings.HasPrefix(greeting, "+OK") {
		d.t.Fatalf("greeting %q", greeting)
	}
	d.ask("USER alice", "+OK")
	d.ask("PASS secret", "+OK")
	return d
}

func (d *dialogue) startTLS(server *pop3test.Server) {
	d.t.Helper()
	conn := tls.Client(d.raw, server.ClientTLS())
	if err := conn.Handshake(); err != nil {
		d.t.Fatal(err)
	}
	d.conn, d.in = conn, bufio.NewReader(conn)
}

// wait waits for the server to see something.
func wait(t *testing.T, server *pop3test.Server, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := server.Wait(ctx, done); err != nil {
		t.Fatalf("wait until %s: %v", what, err)
	}
}

// alice returns a maildrop of three messages, u1 to u3.
func alice(server *pop3test.Server) *pop3test.Maildrop {
	return server.AddMaildrop("alice", "secret",
		pop3test.Message{UniqueID: "u1", Content: []byte("Subject: one\r\n\r\nfirst\r\n")},
		pop3test.Message{UniqueID: "u2", Content: []byte("Subject: two\r\n\r\n.\r\n..x\r\nend\r\n")},
		pop3test.Message{UniqueID: "u3", Content: []byte("Subject: three\r\n\r\na\r\nb\r\nc\r\n")},
	)
}

const (
	one      = "Subject: one\r\n\r\nfirst\r\n"             // 23 octets
	two      = "Subject: two\r\n\r\n..\r\n...x\r\nend\r\n" // as sent; 29 octets of content
	three    = "Subject: three\r\n\r\na\r\nb\r\nc\r\n"     // 27 octets
	listings = "1 23\r\n2 29\r\n3 27\r\n"                  // of LIST
	uniqueID = "1 u1\r\n2 u2\r\n3 u3\r\n"                  // of UIDL
)
