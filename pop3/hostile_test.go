package pop3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/pop3"
)

// firehose is a server that ignores what it is told: it says its octets and
// then repeats a pattern for ever. It counts what was read.
type firehose struct {
	first   []byte
	pattern []byte
	at      int
	read    int64
	end     []byte // if set: what comes after so many repetitions
	repeat  int64
}

func (h *firehose) Read(p []byte) (n int, err error) {
	if len(h.first) > 0 {
		n = copy(p, h.first)
		h.first = h.first[n:]
		h.read += int64(n)
		return n, nil
	}
	for n < len(p) {
		if h.end != nil && h.repeat == 0 {
			if len(h.end) == 0 {
				break
			}
			k := copy(p[n:], h.end)
			h.end, n = h.end[k:], n+k
			continue
		}
		k := copy(p[n:], h.pattern[h.at:])
		if h.at, n = h.at+k, n+k; h.at == len(h.pattern) {
			h.at = 0
			h.repeat--
		}
	}
	h.read += int64(n)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (h *firehose) Write(p []byte) (int, error)      { return len(p), nil }
func (h *firehose) Close() error                     { return nil }
func (h *firehose) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (h *firehose) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (h *firehose) SetDeadline(time.Time) error      { return nil }
func (h *firehose) SetReadDeadline(time.Time) error  { return nil }
func (h *firehose) SetWriteDeadline(time.Time) error { return nil }

// replies are what a server says, one reply for each command, up to where a
// prelude ends.
var replies = map[string]int{"greeting": 0, "authorization": 1, "transaction": 3}

// inTurn says so many plain replies, one for each Read, before its connection
// is read: nothing of what follows is read ahead.
type inTurn struct {
	net.Conn
	plain int
}

func (c *inTurn) Read(p []byte) (int, error) {
	if c.plain == 0 {
		return c.Conn.Read(p)
	}
	c.plain--
	return copy(p, "+OK ready\r\n"), nil
}

// facing returns a client that went through a prelude and now faces server.
func facing(t *testing.T, prelude string, server net.Conn) *pop3.Client {
	t.Helper()
	client := pop3.NewClient(&inTurn{server, replies[prelude]}, nil)
	for _, call := range preludes[prelude].calls {
		say(t, client, call)
	}
	return client
}

// allocated returns what f allocated, in octets.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// TestEndless reads replies without end. The client gives up after a known
// number of octets, and has allocated no more than its limits explain: a
// receive buffer for lines and messages, the rows for listings.
func TestEndless(t *testing.T) {
	const buffer = 64 << 10 // the receive buffer, and the 16 KiB of a line
	const few = 256 << 10   // copies of lines on their way into errors, and what the test itself does
	for _, test := range []struct {
		name, prelude, first, pattern, call string
		octets, allocated                   int64 // read and allocated at the most
	}{
		{"greeting", "greeting", "", "x", "greeting", buffer, few},
		{"greeting line", "greeting", "+OK ", "x", "greeting", buffer, few},
		{"unsolicited replies", "greeting", "", "+OK ready\r\n", "capa", buffer, few},
		{"status line", "authorization", "+OK ", "x", "capa", buffer, few},
		{"refusal", "authorization", "-ERR ", "x", "capa", buffer, few},
		{"CAPA", "authorization", "+OK\r\n", "X-CAPABILITY\r\n", "capa", 128 << 10, 1 << 20},
		{"CAPA in blank lines", "authorization", "+OK\r\n", "\r\n", "capa", 128 << 10, 1 << 20},
		{"CAPA in long lines", "authorization", "+OK\r\n", strings.Repeat("x ", 8000) + "\r\n", "capa", 128 << 10, 1 << 20},
		{"challenges", "authorization", "", "+ YQ==\r\n", "auth-login a b", buffer, few},
		{"challenge line", "authorization", "+ ", "YQ==", "auth-login a b", buffer, few},
		// The largest listing has 5,000,000 rows. A row is 16 octets (LIST) or
		// 24, its text and the text's end (UIDL), and its number 8 more to
		// find repeated ones; a slice that grows costs five times its end.
		{"LIST rows", "transaction", "+OK\r\n", "1\r\n", "list", 3*5_000_000 + buffer, 6 * 24 * 5_000_000},
		{"UIDL rows", "transaction", "+OK\r\n", "1 abcdef\r\n", "uidl", 10*5_000_000 + buffer, 6 * 46 * 5_000_000},
		{"UIDL octets", "transaction", "+OK\r\n", "1 " + strings.Repeat("x", 15_000) + "\r\n", "uidl", 257 << 20, 6 * 257 << 20},
		{"LIST line", "transaction", "+OK\r\n", "1", "list", buffer, few},
		{"no listing", "transaction", "+OK\r\n", "+OK\r\n", "list", buffer, few},
		{"QUIT", "transaction", "+OK\r\n", "+OK bye\r\n", "quit", buffer, few},
		{"QUIT in long lines", "transaction", "+OK\r\n", strings.Repeat("x", 16_000) + "\r\n", "quit", 4 * buffer, few},
	} {
		t.Run(test.name, func(t *testing.T) {
			if testing.Short() && test.octets > 1<<20 {
				t.Skip("a large listing")
			}
			server := &firehose{first: []byte(test.first), pattern: []byte(test.pattern)}
			var said string
			var err error
			used := allocated(func() {
				client := facing(t, test.prelude, server)
				if test.prelude == "greeting" && test.call != "greeting" {
					say(t, client, "greeting")
				}
				verb, args := parseCall(t, test.call)
				if said, err = verbs[verb](client, t.Context(), args); test.call != "quit" && client.Broken() == nil {
					t.Errorf("not broken: %v", err)
				}
			})
			if (err == nil) != (test.call == "quit") || len(fmt.Sprint(err)) > 1000 || len(said) > 5000 {
				t.Errorf("%.1000s; %.1000v", said, err)
			}
			if server.read > test.octets || used > test.allocated {
				t.Errorf("read %d octets, at most %d; allocated %d, at most %d", server.read, test.octets, used, test.allocated)
			}
			t.Logf("read %d octets, allocated %d: %.200v", server.read, used, err)
		})
	}
}

// TestLargestMaildrops: what is legal stays possible. A million rows with
// unique-ids of the greatest length that RFC 1939 allows, and five million
// ordinary ones.
func TestLargestMaildrops(t *testing.T) {
	for _, test := range []struct {
		row  string
		rows int64
		call func(*pop3.Client) (int, error)
	}{
		{strings.Repeat("u", 70), 1_000_000, func(c *pop3.Client) (int, error) { rows, err := c.UIDL(t.Context()); return len(rows), err }},
		{"123456", 1_000_000, func(c *pop3.Client) (int, error) { rows, err := c.List(t.Context()); return len(rows), err }},
		{"123456", 5_000_000, func(c *pop3.Client) (int, error) { rows, err := c.List(t.Context()); return len(rows), err }},
	} {
		if testing.Short() {
			test.rows /= 100
		}
		client := facing(t, "transaction", &numbered{first: "+OK\r\n", row: test.row, rows: test.rows})
		var n int
		var err error
		used := allocated(func() { n, err = test.call(client) })
		t.Logf("%d rows of %d octets: %d octets allocated", n, len(test.row), used)
		if err != nil || int64(n) != test.rows {
			t.Errorf("%d rows of %d: %v", n, test.rows, err)
		}
	}
}

// numbered serves a listing whose rows are numbered.
type numbered struct {
	firehose
	first string
	row   string
	rows  int64
	next  int64
	rest  []byte
}

func (s *numbered) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(s.rest) == 0 {
			switch {
			case s.next == 0:
				s.rest = append(s.rest, s.first...)
			case s.next <= s.rows:
				s.rest = fmt.Appendf(s.rest[:0], "%d %s\r\n", s.next, s.row)
			case s.next == s.rows+1:
				s.rest = append(s.rest[:0], ".\r\n"...)
			default:
				return n, nil
			}
			s.next++
		}
		k := copy(p[n:], s.rest)
		s.rest, n = s.rest[k:], n+k
	}
	return n, nil
}

// TestHugeLine passes a message of one line of a gibibyte: what is allocated
// does not depend on the message.
func TestHugeLine(t *testing.T) {
	octets := int64(1 << 30)
	if testing.Short() {
		octets = 32 << 20
	}
	client := facing(t, "transaction", &firehose{first: []byte("+OK\r\n"), pattern: bytes.Repeat([]byte{'x'}, 1<<20), repeat: octets >> 20, end: []byte("\r\n.\r\n")})
	passed := int64(0)
	used := allocated(func() {
		for m, err := range client.Retrieve(t.Context(), each(1)) {
			if err != nil {
				t.Fatal(err)
			}
			n, err := m.WriteTo(io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			passed += n
		}
	})
	if passed != octets+2 || used > 64<<10 {
		t.Errorf("passed %d octets of %d, allocated %d", passed, octets+2, used)
	}
}

// TestDrip: a server that sends an octet now and then does not hold the client
// much longer than a silent one. Each octet spends its pause and earns 1/128 s,
// so that the client is gone when the pauses sum to its patience.
func TestDrip(t *testing.T) {
	for _, phase := range []struct {
		name, prelude, first, octet, call string
		wait                              time.Duration
	}{
		{"greeting", "greeting", "", "x", "greeting", waits.Greeting},
		{"greeting line", "greeting", "+OK ", "x", "greeting", waits.Greeting},
		{"status line", "authorization", "+OK ", "x", "capa", waits.Command},
		{"CAPA", "authorization", "+OK\r\n", "\n", "capa", waits.Command},
		{"challenge", "authorization", "+ ", "x", "auth-login a b", waits.Login},
		{"LIST", "transaction", "+OK\r\n", "1", "list", waits.Login},
		{"RETR status", "transaction", "+OK ", "x", "retr 1", waits.Command},
		{"RETR", "transaction", "+OK\r\n", "x", "retr 1", waits.Data},
		{"RETR in lines", "transaction", "+OK\r\n", "\r\n", "retr 1", waits.Data},
		{"TOP", "transaction", "+OK\r\n", "x", "top 0 1", waits.Top},
		{"DELE", "transaction", "+OK ", "x", "dele 1", waits.Command},
		{"QUIT", "transaction", "+OK ", "x", "quit", waits.Quit},
	} {
		for _, pause := range []time.Duration{time.Second, 5 * time.Second} {
			t.Run(fmt.Sprintf("%s/%v", phase.name, pause), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					near, far := net.Pipe()
					client := pop3.NewClient(near, &pop3.Options{Timeouts: waits})
					go drip(far, replies[phase.prelude], phase.first, phase.octet, pause)
					for _, call := range preludes[phase.prelude].calls {
						say(t, client, call)
					}
					start := time.Now()
					verb, args := parseCall(t, phase.call)
					said, err := verbs[verb](client, t.Context(), args)
					took := time.Since(start)
					if took < phase.wait || took > phase.wait+pause || client.Broken() == nil {
						t.Errorf("gave up after %v, want %v: %.80s, %v", took, phase.wait, said, err)
					}
					if !errors.Is(client.Broken(), os.ErrDeadlineExceeded) || !strings.Contains(client.Broken().Error(), "less than 128 octets a second") {
						t.Errorf("broken %v", client.Broken())
					}
					client.Close()
					<-time.After(2 * pause) // the server's goroutine sees the end
				})
			})
		}
	}
}

// drip gives plain replies to so many commands, the greeting among them, and
// then drips.
func drip(conn net.Conn, plain int, first, octet string, pause time.Duration) {
	defer conn.Close()
	buffer := make([]byte, 1000)
	for range plain {
		if _, err := io.WriteString(conn, "+OK ready\r\n"); err != nil {
			return
		}
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
	for text := first + octet; ; text = octet {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
		<-time.After(pause)
	}
}
