package pop3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/emersion/go-sasl"

	"popmigrate/pop3/pop3test"
)

// dialogue is one scripted session: what the server says, what the client must
// say, octet for octet, and what the client makes of it.
type dialogue struct {
	script string
	opts   *Options
	do     func(ctx context.Context, c *Client) error
	err    string // fragment; "" means none
	broken bool
}

const login = "S: +OK ready\nC: USER u\nS: +OK\nC: PASS p\nS: +OK\n"

// in logs in first.
func in(next func(ctx context.Context, c *Client) error) func(ctx context.Context, c *Client) error {
	return func(ctx context.Context, c *Client) error {
		if _, err := c.Greeting(ctx); err != nil {
			return err
		}
		if err := c.Login(ctx, "u", "p"); err != nil {
			return err
		}
		return next(ctx, c)
	}
}

func greet(ctx context.Context, c *Client) error {
	_, err := c.Greeting(ctx)
	return err
}

// after the greeting
func then(next func(ctx context.Context, c *Client) error) func(ctx context.Context, c *Client) error {
	return func(ctx context.Context, c *Client) error {
		if err := greet(ctx, c); err != nil {
			return err
		}
		return next(ctx, c)
	}
}

// retrieve reads messages and wants these contents; "-" is a refused one.
func retrieve(numbers []Number, contents ...string) func(ctx context.Context, c *Client) error {
	return func(ctx context.Context, c *Client) error {
		var got []string
		for m, err := range c.Retrieve(ctx, slices.Values(numbers)) {
			var refused *ReplyError
			if errors.As(err, &refused) {
				got = append(got, "-")
				continue
			}
			if err != nil {
				return err
			}
			content, err := io.ReadAll(m)
			if err != nil {
				return err
			}
			got = append(got, string(content))
		}
		if !slices.Equal(got, contents) {
			return fmt.Errorf("retrieved %q", got)
		}
		return nil
	}
}

func listed(c *Client, ctx context.Context, want string) error {
	rows, err := c.List(ctx)
	if err == nil && fmt.Sprint(rows) != want {
		err = fmt.Errorf("listed %v", rows)
	}
	return err
}

func uidls(c *Client, ctx context.Context, want string) error {
	rows, err := c.UIDL(ctx)
	var got []string
	for _, row := range rows {
		got = append(got, fmt.Sprintf("%d %q", row.Number, string(row.UniqueID)))
	}
	if joined := strings.Join(got, ", "); err == nil && joined != want {
		err = fmt.Errorf("listed %s", joined)
	}
	return err
}

var on = &Options{Pipelining: PipelineOn}

var dialogues = map[string]dialogue{
	"greeting refused":        {script: "S: -ERR [SYS/TEMP] later\nclose", do: greet, err: `greeting: server said "-ERR [SYS/TEMP] later"`},
	"no greeting":             {script: "close", do: greet, err: "closed the connection before its greeting", broken: true},
	"IMAP":                    {script: "S: * OK IMAP4rev1\nclose", do: greet, err: "IMAP server", broken: true},
	"SMTP":                    {script: "S: 220 mx ESMTP\nclose", do: greet, err: "SMTP or FTP", broken: true},
	"TLS alert":               {script: "S~ \"\\x15\\x03\\x01\\x00\\x02\\x02\\x46\"\nclose", do: greet, err: "speaks TLS", broken: true},
	"greeting without text":   {script: "S: +OK", do: greet},
	"greeting in 8-bit":       {script: "S~ \"+OK \\xff\\xfe\\r\\n\"", do: greet},
	"greeting not understood": {script: "S: HELLO", do: greet, err: "neither +OK nor -ERR", broken: true},
	"login":                   {script: login, do: in(func(context.Context, *Client) error { return nil })},
	"password with blanks":    {script: "S: +OK\nC: USER u\nS: +OK\nC~ \"PASS  a b \\r\\n\"\nS: +OK", do: then(func(ctx context.Context, c *Client) error { return c.Login(ctx, "u", " a b ") })},
	"password refused":        {script: "S: +OK\nC: USER u\nS: +OK\nC: PASS x\nS: -ERR [AUTH] bad\n", do: then(func(ctx context.Context, c *Client) error { return c.Login(ctx, "u", "x") }), err: "[AUTH] bad"},
	"secret echoed":           {script: "S: +OK\nC: USER u\nS: +OK\nC: PASS tops3cret\nS: -ERR unknown command PASS tops3cret", do: then(func(ctx context.Context, c *Client) error { return c.Login(ctx, "u", "tops3cret") }), err: "PASS (secret)"},
	"CR in the user name":     {script: "S: +OK", do: then(func(ctx context.Context, c *Client) error { return c.Login(ctx, "a\r\nDELE 1", "x") }), err: "contains CR, LF or NUL"},
	"LF in the password":      {script: "S: +OK", do: then(func(ctx context.Context, c *Client) error { return c.Login(ctx, "a", "x\nDELE 1") }), err: "contains CR, LF or NUL"},
	"password too long":       {script: "S: +OK", do: then(func(ctx context.Context, c *Client) error { return c.Login(ctx, "a", strings.Repeat("x", 250)) }), err: "255 octets"},
	"APOP":                    {script: "S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\nC: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK", do: then(func(ctx context.Context, c *Client) error { return c.APOP(ctx, "mrose", "tanstaaf") })},
	"APOP not offered":        {script: "S: +OK <host> ready", do: then(func(ctx context.Context, c *Client) error { return c.APOP(ctx, "u", "x") }), err: "no timestamp"},
	"PLAIN": {script: "S: +OK\nC: AUTH PLAIN AHRlc3QAdGVzdA==\nS: +OK", do: then(func(ctx context.Context, c *Client) error {
		return c.Authenticate(ctx, sasl.NewPlainClient("", "test", "test"))
	})},
	"PLAIN, long": {script: "S: +OK\nC: AUTH PLAIN\nS: + \nC: AHRlc3QA" + strings.Repeat("eHh4", 40) + "\nS: +OK", do: then(func(ctx context.Context, c *Client) error {
		return c.Authenticate(ctx, sasl.NewPlainClient("", "test", strings.Repeat("x", 120)))
	})},
	"PLAIN refused": {script: "S: +OK\nC: AUTH PLAIN AHRlc3QAdGVzdA==\nS: -ERR [AUTH] no", do: then(func(ctx context.Context, c *Client) error {
		return c.Authenticate(ctx, sasl.NewPlainClient("", "test", "test"))
	}), err: "AUTH PLAIN: server said"},
	"challenge is not base64": {script: "S: +OK\nC: AUTH PLAIN AHRlc3QAdGVzdA==\nS: + !!!\nC: *\nS: -ERR cancelled", do: then(func(ctx context.Context, c *Client) error {
		return c.Authenticate(ctx, sasl.NewPlainClient("", "test", "test"))
	}), err: "not base64"},
	"STLS refused":            {script: "S: +OK\nC: STLS\nS: -ERR no", do: then(func(ctx context.Context, c *Client) error { return c.StartTLS(ctx, nil) }), err: "STLS: server said"},
	"STLS with injected text": {script: "S: +OK\nC: STLS\nS~ \"+OK\\r\\n+OK injected\\r\\n\"", do: then(func(ctx context.Context, c *Client) error { return c.StartTLS(ctx, nil) }), err: "injects", broken: true},
	"CAPA": {script: "S: +OK\nC: CAPA\nS: +OK\nS: uidl\nS: SASL PLAIN LOGIN\nS: SASL CRAM-MD5\nS: .", do: then(func(ctx context.Context, c *Client) error {
		k, err := c.Capabilities(ctx)
		return errors.Join(err, wantTrue(k.Has("UIDL") && k.HasArg("sasl", "cram-md5") && !k.Has("TOP")))
	})},
	"CAPA refused": {script: "S: +OK\nC: CAPA\nS: -ERR", do: then(func(ctx context.Context, c *Client) error { _, err := c.Capabilities(ctx); return err }), err: "CAPA: server said"},
	"STAT": {script: login + "C: STAT\nS: +OK 2 320 trailing", do: in(func(ctx context.Context, c *Client) error {
		d, err := c.Stat(ctx)
		return errors.Join(err, wantTrue(d == DropListing{2, 320}))
	})},
	"STAT wrapped": {script: login + "C: STAT\nS: +OK 2 -1294967296", do: in(func(ctx context.Context, c *Client) error {
		d, err := c.Stat(ctx)
		return errors.Join(err, wantTrue(d == DropListing{2, -1}))
	})},
	"STAT without a count": {script: login + "C: STAT\nS: +OK", do: in(func(ctx context.Context, c *Client) error { _, err := c.Stat(ctx); return err }), err: "no count", broken: true},
	"LIST":                 {script: login + "C: LIST\nS: +OK\nS: 1  120 xyz\nS:  7 5000000000\nS: 3\nS: .", do: in(func(ctx context.Context, c *Client) error { return listed(c, ctx, "[{1 120} {7 5000000000} {3 -1}]") })},
	"LIST in LF":           {script: login + "C: LIST\nS~ \"+OK\\n1 120\\n.\\n\"", do: in(func(ctx context.Context, c *Client) error { return listed(c, ctx, "[{1 120}]") })},
	"LIST names one twice": {script: login + "C: LIST\nS: +OK\nS: 2 1\nS: 1 1\nS: 2 1\nS: .", do: in(func(ctx context.Context, c *Client) error { return listed(c, ctx, "") }), err: "twice", broken: true},
	"LIST names zero":      {script: login + "C: LIST\nS: +OK\nS: 0 1\nS: .", do: in(func(ctx context.Context, c *Client) error { return listed(c, ctx, "") }), err: "message-number", broken: true},
	"LIST cut":             {script: login + "C: LIST\nS: +OK\nS: 1 1\nclose", do: in(func(ctx context.Context, c *Client) error { return listed(c, ctx, "") }), err: "cut after 1 lines", broken: true},
	"LIST of hMailServer":  {script: login + "C: LIST\nS: +ERR Server error", do: in(func(ctx context.Context, c *Client) error { return listed(c, ctx, "") }), err: "neither +OK nor -ERR", broken: true},
	"UIDL": {script: login + "C: UIDL\nS: +OK\nS: 1   abc def \nS~ \"2 \\xff\\x01..\\r\\n\"\nS: 3\nS: .", do: in(func(ctx context.Context, c *Client) error {
		return uidls(c, ctx, `1 "abc def", 2 "\xff\x01..", 3 ""`)
	})},
	"RETR":               {script: login + "C: RETR 1\nS: +OK 5 octets\nS: ..a\nS: .", do: in(retrieve([]Number{1}, ".a\r\n"))},
	"RETR of nothing":    {script: login + "C: RETR 1\nS: +OK\nS: .", do: in(retrieve([]Number{1}, ""))},
	"RETR in lock-step":  {script: login + "C: RETR 1\nS: +OK\nS: a\nS: .\nC: RETR 2\nS: -ERR no\nC: RETR 3\nS: +OK\nS: c\nS: .", do: in(retrieve([]Number{1, 2, 3}, "a\r\n", "-", "c\r\n"))},
	"RETR pipelined":     {script: login + "C: RETR 1\nC: RETR 2\nC: RETR 3\nS: +OK\nS: a\nS: .\nS: -ERR no\nS: +OK\nS: c\nS: .", opts: on, do: in(retrieve([]Number{1, 2, 3}, "a\r\n", "-", "c\r\n"))},
	"RETR in a window":   {script: login + "C: RETR 1\nC: RETR 2\nS: +OK\nS: .\nC+: RETR 3\nS: +OK\nS: .\nS: +OK\nS: .", opts: &Options{Pipelining: PipelineOn, Window: 2}, do: in(retrieve([]Number{1, 2, 3}, "", "", ""))},
	"RETR cut":           {script: login + "C: RETR 1\nS: +OK\nS: half\nclose", do: in(retrieve([]Number{1}, "half\r\n")), err: "unexpected EOF", broken: true},
	"RETR, then silence": {script: login + "C: RETR 1\nS: -ERR [SYS/TEMP] Server shutting down\nC: NOOP\nclose", do: in(func(ctx context.Context, c *Client) error { retrieve([]Number{1}, "-")(ctx, c); return c.Noop(ctx) }), err: "NOOP", broken: true},
	"surplus octets":     {script: login + "C: RETR 1\nS: +OK\nS: a\nS: .\nS: -ERR [SYS/TEMP] unasked", do: in(func(ctx context.Context, c *Client) error { retrieve([]Number{1}, "a\r\n")(ctx, c); return c.Noop(ctx) }), err: "nobody asked for", broken: true},
	"TOP": {script: login + "C: TOP 3 0\nS: +OK\nS: h: 1\nS: \nS: .", do: in(func(ctx context.Context, c *Client) error {
		for m, err := range c.Top(ctx, slices.Values([]Number{3}), 0) {
			b, e := io.ReadAll(m)
			return errors.Join(err, e, wantTrue(string(b) == "h: 1\r\n\r\n"))
		}
		return nil
	})},
	"DELE": {script: login + "C: DELE 1\nC: DELE 2\nS: +OK gone\nS: -ERR no\nC: QUIT\nS: +OK bye\nclose", opts: on, do: in(func(ctx context.Context, c *Client) error {
		var got []string
		for m, err := range c.Dele(ctx, slices.Values([]Number{1, 2})) {
			got = append(got, fmt.Sprintf("%d %s %v", m.Number, m.Text, err != nil))
		}
		_, err := c.Quit(ctx)
		return errors.Join(err, wantTrue(slices.Equal(got, []string{"1 gone false", "2  true"})))
	})},
	"NOOP and RSET": {script: login + "C: NOOP\nS: +OK\nC: RSET\nS: +OK", do: in(func(ctx context.Context, c *Client) error { return errors.Join(c.Noop(ctx), c.Reset(ctx)) })},
	"QUIT": {script: login + "C: QUIT\nS: +OK bye\nclose", do: in(func(ctx context.Context, c *Client) error {
		said, err := c.Quit(ctx)
		return errors.Join(err, wantTrue(said == "bye"))
	})},
	"QUIT refused":           {script: login + "C: QUIT\nS: -ERR some not removed\nclose", do: in(func(ctx context.Context, c *Client) error { _, err := c.Quit(ctx); return err }), err: "some not removed"},
	"QUIT with two answers":  {script: login + "C: QUIT\nS: +OK bye\nS: -ERR unable to unlink\nclose", do: in(func(ctx context.Context, c *Client) error { _, err := c.Quit(ctx); return err }), err: "unable to unlink"},
	"QUIT without an answer": {script: login + "C: QUIT\nclose", do: in(func(ctx context.Context, c *Client) error { _, err := c.Quit(ctx); return err }), err: "closed the connection", broken: true},
	"leaving the loop early": {script: login + "C: RETR 1\nC: RETR 2\nS: +OK\nS: a\nS: .\nS: +OK\nS: b\nS: .", opts: on, do: in(func(ctx context.Context, c *Client) error {
		for range c.Retrieve(ctx, slices.Values([]Number{1, 2})) {
			break
		}
		_, err := c.Quit(ctx)
		return err
	}), err: "connection is broken", broken: true},
	"line without an end": {script: login + "C: LIST\nS~ \"+OK \"\nS~ \"x\" * 100000", do: in(func(ctx context.Context, c *Client) error { return listed(c, ctx, "") }), err: "line of more than", broken: true},
}

func wantTrue(ok bool) error {
	if !ok {
		return errors.New("not what was wanted")
	}
	return nil
}

// Every dialogue, whole and in pieces of 1, 2 and 7 octets.
func TestDialogues(t *testing.T) {
	for name, d := range dialogues {
		for _, pieces := range []int{0, 1, 2, 7} {
			t.Run(fmt.Sprintf("%s/%d", name, pieces), func(t *testing.T) {
				if pieces > 0 && (strings.Contains(name, "injected") || name == "surplus octets") {
					return // what has not arrived yet cannot be seen before the next command
				}
				peer := pop3test.Play(d.script)
				if pieces > 0 {
					peer.InPieces(pieces)
				}
				c := NewClient(peer, d.opts)
				err := d.do(t.Context(), c)
				if (err == nil) != (d.err == "") || (err != nil && !strings.Contains(err.Error(), d.err)) {
					t.Errorf("error %v, want %q", err, d.err)
				}
				if broken := c.Broken() != nil; broken != d.broken {
					t.Errorf("broken: %v, want %v", c.Broken(), d.broken)
				}
				if err := peer.Err(); err != nil {
					t.Errorf("the client left the script: %v", err)
				}
				if c.Broken() != nil {
					if _, err := c.Quit(t.Context()); !errors.Is(err, ErrBroken) {
						t.Errorf("QUIT on a broken connection: %v", err)
					}
				}
			})
		}
	}
}

func TestResponseCodes(t *testing.T) {
	for text, want := range map[string]string{
		"[IN-USE] x": "IN-USE", "[in-use]x": "IN-USE", "[SYS/TEMP/DISK] x": "SYS/TEMP/DISK", "[]": "", "x [IN-USE]": "", "[open": "", "[two words] x": "",
	} {
		if code, _ := splitCode(text); code != want {
			t.Errorf("%q: code %q, want %q", text, code, want)
		}
	}
	for code, temporary := range map[string]bool{"IN-USE": true, "LOGIN-DELAY": true, "SYS/TEMP": true, "SYS/TEMP/X": true, "SYS/PERM": false, "AUTH": false, "": false, "SYS/TEMPORARY": false} {
		if (&ReplyError{Code: code}).Temporary() != temporary {
			t.Errorf("%q: temporary is not %v", code, temporary)
		}
	}
}

func TestServerTextIsCleaned(t *testing.T) {
	if got := display([]byte("a\x1b[31mb\x00\xffé\u009bc")); got != "a?[31mb??é?c" {
		t.Errorf("%q", got)
	}
	if n := len(display([]byte(strings.Repeat("x", 10_000)))); n > maxShownText {
		t.Errorf("%d octets shown", n)
	}
}

// A context that ends while the server is silent ends the call and breaks the
// connection.
func TestCancel(t *testing.T) {
	for name, rule := range map[string]pop3test.Rule{
		"greeting": {Command: pop3test.OnGreeting}, "login": {Command: "PASS"}, "listing": {Command: "LIST"},
		"message": {Command: "RETR"}, "quit": {Command: "QUIT"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			server, err := pop3test.Start(pop3test.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			server.AddMaildrop("u", "p", pop3test.Message{Content: []byte("Subject: x\r\n\r\nbody\r\n")})
			rule.Do = pop3test.All(pop3test.Stall(2), pop3test.Call(cancel))
			server.SetRules(rule)
			conn, err := net.Dial("tcp", server.Addr())
			if err != nil {
				t.Fatal(err)
			}
			c := NewClient(conn, nil)
			defer c.Close()
			err = in(func(ctx context.Context, c *Client) error {
				switch name {
				case "listing":
					return listed(c, ctx, "")
				case "message":
					return retrieve([]Number{1}, "")(ctx, c)
				}
				_, err := c.Quit(ctx)
				return err
			})(ctx, c)
			if !errors.Is(err, context.Canceled) || c.Broken() == nil {
				t.Errorf("%v, broken %v", err, c.Broken())
			}
		})
	}
}

// Nothing is pipelined across the login, whatever the options say.
func TestNoPipeliningAcrossLogin(t *testing.T) {
	peer := pop3test.Play(login + "C: STAT\nS: +OK 0 0")
	c := NewClient(peer, on)
	if err := in(func(ctx context.Context, c *Client) error { _, err := c.Stat(ctx); return err })(t.Context(), c); err != nil {
		t.Error(err)
	}
	if err := peer.Err(); err != nil {
		t.Error(err)
	}
}

// A command that the session's state does not allow is never sent.
func TestStates(t *testing.T) {
	peer := pop3test.Play("S: +OK ready")
	c := NewClient(peer, nil)
	if err := c.Noop(t.Context()); err == nil {
		t.Error("NOOP before the greeting")
	}
	if err := greet(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"NOOP": c.Noop(t.Context()), "LIST": listed(c, t.Context(), "")} {
		if err == nil || !strings.Contains(err.Error(), "not allowed in this state") {
			t.Errorf("%s before the login: %v", name, err)
		}
	}
	if err := peer.Err(); err != nil {
		t.Error(err)
	}
}

// A context that is done already ends a call although the server answers.
func TestDoneContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := NewClient(pop3test.Play("S: +OK ready"), nil)
	if err := greet(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// A context that ends while a read waits wakes it.
func TestCancelWakesRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	near, far := net.Pipe()
	defer far.Close()
	c := NewClient(&blocking{Conn: near, reading: cancel}, nil)
	if err := greet(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// blocking cancels once a read is about to wait.
type blocking struct {
	net.Conn
	reading func()
}

func (b *blocking) Read(p []byte) (int, error) {
	b.reading()
	return b.Conn.Read(p)
}

// Never more commands in flight than the window allows.
func TestWindow(t *testing.T) {
	const messages, window = 50, 8
	var script strings.Builder
	script.WriteString("+OK\r\n+OK\r\n+OK\r\n")
	script.WriteString(strings.Repeat("+OK\r\nx\r\n.\r\n", messages))
	flying := &counting{tape: tape{Reader: iotest.OneByteReader(strings.NewReader(script.String()))}}
	c := NewClient(flying, &Options{Pipelining: PipelineOn, Window: window})
	numbers := make([]Number, messages)
	for i := range numbers {
		numbers[i] = Number(i + 1)
	}
	got := 0
	err := in(func(ctx context.Context, c *Client) error {
		for m, err := range c.Retrieve(ctx, slices.Values(numbers)) {
			if err != nil {
				return err
			}
			if _, err := m.WriteTo(io.Discard); err != nil {
				return err
			}
			got++
			flying.most = max(flying.most, strings.Count(flying.written.String(), "RETR")-got+1)
		}
		return nil
	})(t.Context(), c)
	if err != nil || got != messages {
		t.Errorf("%d messages, %v", got, err)
	}
	if flying.most != window {
		t.Errorf("%d commands in flight, window %d", flying.most, window)
	}
}

// counting notes how many commands were in flight at most.
type counting struct {
	tape
	most int
}
