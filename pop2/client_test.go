package pop2_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"popmigrate/pop2"
	"popmigrate/pop2/pop2test"
	"popmigrate/pop3"
)

// mail has in it what a server of another protocol would take for an end.
var mail = [][]byte{
	[]byte("Subject: one\r\n\r\nfirst\r\n.\r\nand more\r\n"),
	[]byte("Subject: two\r\n\r\nno line end at the end"),
	[]byte("Subject: three\r\n\r\n\x00\xff\n\r bare\n"),
}

func start(t *testing.T, config pop2test.Config) *pop2test.Server {
	t.Helper()
	if config.User == "" {
		config.User, config.Password = "alice", "secret"
	}
	if config.Folders == nil {
		config.Folders = map[string][][]byte{"INBOX": mail}
	}
	server, err := pop2test.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

func dial(t *testing.T, addr string, timeouts pop3.Timeouts) *pop2.Client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := pop2.NewClient(conn, timeouts)
	t.Cleanup(func() { c.Close() })
	return c
}

// open logs in.
func open(t *testing.T, server *pop2test.Server) *pop2.Client {
	t.Helper()
	c := dial(t, server.Addr, pop3.Timeouts{})
	if _, err := c.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.Hello(t.Context(), "alice", "secret"); err != nil || n != 3 {
		t.Fatalf("%d messages, %v", n, err)
	}
	return c
}

func read(t *testing.T, c *pop2.Client, n pop3.Number) []byte {
	t.Helper()
	length, err := c.Read(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	message, err := c.Retrieve(t.Context(), length)
	if err != nil {
		t.Fatal(err)
	}
	octets, err := io.ReadAll(iotest.OneByteReader(message))
	if err != nil {
		t.Fatal(err)
	}
	return octets
}

func TestSession(t *testing.T) {
	for name, uw := range map[string]bool{"as the RFC says": false, "UW ipop2d": true} {
		t.Run(name, func(t *testing.T) {
			server := start(t, pop2test.Config{UW: uw})
			c := open(t, server)
			for i, content := range mail {
				if got, want := read(t, c, pop3.Number(i+1)), server.Wire(content, false); !bytes.Equal(got, want) {
					t.Errorf("message %d: %q, want %q", i+1, got, want)
				}
				if err := c.Keep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			read(t, c, 2)
			if err := c.Delete(t.Context()); err != nil {
				t.Fatal(err)
			}
			if said, err := c.Quit(t.Context()); err != nil || said != "+ Sayonara" {
				t.Errorf("QUIT: %q, %v", said, err)
			}
			left := server.Contents("INBOX")
			if len(left) != 2 || !bytes.Equal(left[0], mail[0]) || !bytes.Equal(left[1], mail[2]) {
				t.Errorf("left: %q", left)
			}
			if _, err := c.Read(t.Context(), 1); !errors.Is(err, pop3.ErrBroken) {
				t.Errorf("after QUIT: %v", err)
			}
		})
	}
}

// Each message is asked for by its number: FOLD and ACKS leave servers at
// different places.
func TestReadAlwaysNamesTheMessage(t *testing.T) {
	server := start(t, pop2test.Config{})
	c := open(t, server)
	read(t, c, 2)
	if err := c.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, command := range server.Commands() {
		if strings.HasPrefix(command, "READ") && command != "READ 2" {
			t.Errorf("sent %q", command)
		}
	}
}

func TestArgumentsAreQuoted(t *testing.T) {
	server := start(t, pop2test.Config{User: `do main\alice`, Password: ` a \b `, Folders: map[string][][]byte{"INBOX": nil, "Old Mail": mail}})
	c := dial(t, server.Addr, pop3.Timeouts{})
	if _, err := c.Greeting(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.Hello(t.Context(), `do main\alice`, ` a \b `); err != nil || n != 0 {
		t.Fatalf("%d, %v", n, err)
	}
	if n, text, err := c.Fold(t.Context(), "Old Mail"); err != nil || n != 3 || !strings.Contains(text, "Old Mail") {
		t.Errorf("%d, %q, %v", n, text, err)
	}
}

func TestArgumentsThatAreNeverSent(t *testing.T) {
	server := start(t, pop2test.Config{})
	for name, words := range map[string][2]string{"line end in the user": {"alice\r\nREAD 1", "x"}, "line end in the password": {"alice", "x\n"},
		"NUL": {"alice", "x\x00"}, "no user": {"", "x"}, "no password": {"alice", ""}} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, server.Addr, pop3.Timeouts{})
			if _, err := c.Greeting(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, _, err := c.Hello(t.Context(), words[0], words[1])
			if err == nil || c.Broken() != nil {
				t.Errorf("%v, broken: %v", err, c.Broken())
			}
		})
	}
	if sent := server.Commands(); len(sent) > 0 {
		t.Errorf("sent %q", sent)
	}
}

// peer answers each line that comes with the next of its own; the first is the
// greeting. It keeps the line open for as long as the test lasts, if it is to.
func peer(t *testing.T, silent bool, lines ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buffer := make([]byte, 1000)
		for i, line := range lines {
			if i > 0 {
				if _, err := conn.Read(buffer); err != nil {
					return
				}
			}
			if _, err := io.WriteString(conn, line); err != nil {
				return
			}
		}
		if silent {
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	return listener.Addr().String()
}

func TestGreetings(t *testing.T) {
	for name, test := range map[string]struct {
		line, want string // want in the error; "" means that there is none
	}{
		"as the RFC says":   {"+ POP2 host ready\r\n", ""},
		"no name":           {"+\r\n", ""},
		"line feed only":    {"+ POP2\n", ""},
		"POP3":              {"+OK ready\r\n", "not a POP2 server"},
		"refusal":           {"- not now\r\n", "not a POP2 server"},
		"IMAP":              {"* OK ready\r\n", "not a POP2 server"},
		"POP1, or anything": {"hello\r\n", "not a POP2 server"},
		"nothing":           {"", "before its greeting"},
		"half a line":       {"+ PO", "before its greeting"},
		"line without end":  {strings.Repeat("x", 100_000), "line of more than"},
		"control octets":    {"+ \x1b[31mred\x00\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, peer(t, false, test.line), pop3.Timeouts{})
			greeting, err := c.Greeting(t.Context())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if strings.ContainsAny(greeting, "\x1b\x00") {
				t.Errorf("%q is shown as it came", greeting)
			}
			if (err != nil) != (c.Broken() != nil) {
				t.Errorf("%v, broken: %v", err, c.Broken())
			}
		})
	}
}

// What comes after the greeting and is not as it should be ends the session.
func TestWrongReplies(t *testing.T) {
	const hello, two = "+ POP2\r\n", "#2 messages\r\n"
	for name, test := range map[string]struct {
		lines []string
		want  string
	}{
		"login refused":              {[]string{hello, "- Bad login\r\n+ Sayonara\r\n"}, `HELO: server said "Bad login"`},
		"count without a number":     {[]string{hello, "#many\r\n"}, "expected # and a number"},
		"negative count":             {[]string{hello, "#-1\r\n"}, "expected # and a number"},
		"endless maildrop":           {[]string{hello, "#99999999999\r\n"}, "too many messages"},
		"length where count belongs": {[]string{hello, "=3\r\n"}, "expected # and a number"},
		"POP3's answer":              {[]string{hello, "+OK\r\n"}, "expected # and a number"},
		"empty line":                 {[]string{hello, "\r\n"}, "expected # and a number"},
		"closed":                     {[]string{hello}, "HELO: EOF"},
		"refused message":            {[]string{hello, two, "- Invalid message number\r\n+ Sayonara\r\n"}, `READ 1: server said "Invalid message number"`},
		"negative length":            {[]string{hello, two, "=-5\r\n"}, "expected = and a number"},
		"huge length":                {[]string{hello, two, "=99999999999999999999\r\n"}, "expected = and a number"},
		"message cut":                {[]string{hello, two, "=20 octets\r\n", "only ten.."}, "10 octets are missing"},
		"message too long":           {[]string{hello, two, "=5 octets\r\n", "only ten.."}, "more than it was asked for"},
		"closed after the message":   {[]string{hello, two, "=5 octets\r\n", "12345"}, "ACKS: EOF"},
		"wrong reply to ACKS":        {[]string{hello, two, "=5 octets\r\n", "12345", "67890\r\n"}, "expected = and a number"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, peer(t, false, test.lines...), pop3.Timeouts{})
			err := walk(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if c.Broken() == nil {
				t.Error("the connection counts as sound")
			}
			if name == "message cut" && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v is no unexpected end", err)
			}
			if _, err := c.Read(t.Context(), 1); !errors.Is(err, pop3.ErrBroken) {
				t.Errorf("READ afterwards: %v", err)
			}
		})
	}
}

// walk goes from the greeting to the acknowledgement of the first message.
func walk(ctx context.Context, c *pop2.Client) error {
	if _, err := c.Greeting(ctx); err != nil {
		return err
	}
	if _, _, err := c.Hello(ctx, "alice", "secret"); err != nil {
		return err
	}
	length, err := c.Read(ctx, 1)
	if err != nil {
		return err
	}
	message, err := c.Retrieve(ctx, length)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, message); err != nil {
		return err
	}
	return c.Keep(ctx)
}

// Nothing is sent while a message is on its way, and it is not acknowledged
// before it was read.
func TestOrder(t *testing.T) {
	for name, act := range map[string]func(ctx context.Context, c *pop2.Client) error{
		"READ":                   func(ctx context.Context, c *pop2.Client) error { _, err := c.Read(ctx, 2); return err },
		"QUIT":                   func(ctx context.Context, c *pop2.Client) error { _, err := c.Quit(ctx); return err },
		"ACKS":                   func(ctx context.Context, c *pop2.Client) error { return c.Keep(ctx) },
		"ACKD":                   func(ctx context.Context, c *pop2.Client) error { return c.Delete(ctx) },
		"ACKD of nothing at all": func(ctx context.Context, c *pop2.Client) error { return c.Delete(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t, pop2test.Config{})
			c := open(t, server)
			if !strings.Contains(name, "nothing") {
				length, err := c.Read(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Retrieve(t.Context(), length); err != nil {
					t.Fatal(err)
				}
			}
			before := len(server.Commands())
			if err := act(t.Context(), c); err == nil {
				t.Error("done")
			}
			c.Close()
			for _, command := range server.Commands()[min(before, len(server.Commands())):] {
				if command != "RETR" {
					t.Errorf("sent %s", command)
				}
			}
		})
	}
}

// A silent server is not waited for beyond the limit, and a cancelled context
// ends every wait.
func TestWaits(t *testing.T) {
	const hello, two = "+ POP2\r\n", "#2 messages\r\n"
	soon := pop3.Timeouts{Greeting: 1, Command: 1, Login: 1, Data: 1, Quit: 1} // nanoseconds
	for name, lines := range map[string][]string{"greeting": {""}, "HELO": {hello, ""}, "READ": {hello, two, ""}, "message": {hello, two, "=9\r\n", "12"}} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, peer(t, true, lines...), soon)
			if err := walk(t.Context(), c); err == nil || c.Broken() == nil {
				t.Errorf("%v, broken: %v", err, c.Broken())
			}
			c = dial(t, peer(t, true, lines...), pop3.Timeouts{})
			ctx, cancel := context.WithCancelCause(t.Context())
			reason := fmt.Errorf("enough")
			cancel(reason)
			if err := walk(ctx, c); !errors.Is(err, reason) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}
