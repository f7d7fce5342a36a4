package pop3_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"popmigrate/pop3"
)

// turns is a server that says the next of its replies for each command line
// that it hears, whatever the line says, and then closes. A Read gives octets
// of one reply at most, so that it is known which of them the client has read.
type turns struct {
	replies [][]byte
	said    int // replies released
	read    int // replies read to their end
	most    int // the most commands in flight
	writes  int
	heard   bytes.Buffer
	given   bytes.Buffer // what the client has read
	closed  bool
}

// newTurns takes the greeting and what follows; the greeting is due at once.
func newTurns(replies ...string) *turns {
	t := &turns{said: 1}
	for _, reply := range replies {
		t.replies = append(t.replies, []byte(reply))
	}
	return t
}

func (t *turns) Read(p []byte) (int, error) {
	for t.read < t.said && t.read < len(t.replies) && len(t.replies[t.read]) == 0 {
		t.read++
	}
	if t.closed {
		return 0, net.ErrClosed
	}
	if t.read >= t.said || t.read >= len(t.replies) {
		return 0, io.EOF
	}
	n := copy(p, t.replies[t.read])
	t.given.Write(p[:n])
	if t.replies[t.read] = t.replies[t.read][n:]; len(t.replies[t.read]) == 0 {
		t.read++
	}
	return n, nil
}

func (t *turns) Write(p []byte) (int, error) {
	if t.closed {
		return 0, net.ErrClosed
	}
	t.heard.Write(p)
	t.writes++
	t.said += bytes.Count(p, []byte("\r\n"))
	t.most = max(t.most, t.said-t.read)
	return len(p), nil
}

func (t *turns) Close() error                     { t.closed = true; return nil }
func (t *turns) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (t *turns) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (t *turns) SetDeadline(time.Time) error      { return nil }
func (t *turns) SetReadDeadline(time.Time) error  { return nil }
func (t *turns) SetWriteDeadline(time.Time) error { return nil }

// outcome is what a whole session came to.
type outcome struct {
	listed   *pop3.Listings
	messages map[pop3.Number]string // those that were read to their end
	marked   []pop3.Number
	quit     bool // QUIT succeeded
}

// converse runs a whole session until something goes wrong.
func converse(t *testing.T, c *pop3.Client, numbers []pop3.Number) (o outcome) {
	ctx := t.Context()
	o.messages = map[pop3.Number]string{}
	steps := []func() error{
		func() error { _, err := c.Greeting(ctx); return err },
		func() error { _, err := c.Capabilities(ctx); return ignoreRefusal(err) },
		func() error { return c.Login(ctx, "alice", "sesame") },
		func() error { _, err := c.Capabilities(ctx); return ignoreRefusal(err) },
		func() (err error) { o.listed, err = c.Listings(ctx); return err },
		func() error { return o.retrieve(c, ctx, numbers) },
		func() (err error) {
			for m, e := range c.Dele(ctx, slices.Values(numbers)) {
				if e == nil {
					o.marked = append(o.marked, m.Number)
				}
				err = errors.Join(err, ignoreRefusal(e))
			}
			return err
		},
		func() error { _, err := c.Quit(ctx); o.quit = err == nil; return err },
	}
	for _, step := range steps {
		if step() != nil {
			break
		}
	}
	return o
}

func ignoreRefusal(err error) error {
	var refused *pop3.ReplyError
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

func (o *outcome) retrieve(c *pop3.Client, ctx context.Context, numbers []pop3.Number) (err error) {
	for m, e := range c.Retrieve(ctx, slices.Values(numbers)) {
		if e != nil {
			err = errors.Join(err, ignoreRefusal(e))
			continue
		}
		var body strings.Builder
		if _, e := io.Copy(&body, m); e != nil {
			err = errors.Join(err, e)
			continue
		}
		o.messages[m.Number] = body.String()
	}
	return err
}

// TestCutAtEveryOctet cuts a session's stream behind each octet: what the
// client takes for whole must have arrived whole.
func TestCutAtEveryOctet(t *testing.T) {
	replies := []string{
		"+OK ready\r\n", "+OK\r\nTOP\r\nPIPELINING\r\n.\r\n", "+OK\r\n", "+OK\r\n", "+OK\r\nPIPELINING\r\n.\r\n",
		"+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n", "+OK\r\n1 10\r\n2 20\r\n3 30\r\n.\r\n", "+OK 3 60\r\n",
		"+OK\r\none\r\n..\r\n\r\n.\r\n", "+OK 20\r\n.\r\n", "+OK\r\n\r\n..\r\n.\rx\r\n\n.\r\n.\r\n",
		"+OK\r\n", "+OK\r\n", "+OK\r\n", "+OK bye\r\n",
	}
	const firstMessage, firstMark, quit = 8, 11, 14
	contents := []string{"one\r\n.\r\n\r\n", "", "\r\n.\r\n\rx\r\n\n.\r\n"}
	var ends []int // where each reply ends
	total := 0
	for _, reply := range replies {
		total += len(reply)
		ends = append(ends, total)
	}
	numbers := []pop3.Number{1, 2, 3}
	for _, pipelining := range []pop3.Pipelining{pop3.PipelineAuto, pop3.PipelineOff, pop3.PipelineOn} {
		for cut := range total + 1 {
			whole := func(reply int) bool { return ends[reply] <= cut }
			server := newTurns(cutAt(replies, cut)...)
			client := pop3.NewClient(server, &pop3.Options{Pipelining: pipelining})
			o := converse(t, client, numbers)
			if (o.listed != nil) != whole(firstMessage-1) {
				t.Fatalf("cut at %d: listings %v", cut, o.listed)
			}
			for i, want := range contents {
				got, ok := o.messages[numbers[i]]
				if ok != whole(firstMessage+i) || ok && got != want {
					t.Fatalf("cut at %d: message %d: %q, %v", cut, numbers[i], got, ok)
				}
				if slices.Contains(o.marked, numbers[i]) != whole(firstMark+i) {
					t.Fatalf("cut at %d: marked %v", cut, o.marked)
				}
			}
			if o.quit != whole(quit) || o.quit != (client.Broken() == nil) {
				t.Fatalf("cut at %d: quit %v, broken %v", cut, o.quit, client.Broken())
			}
			if heard := server.heard.String(); strings.Contains(heard, "QUIT") != whole(quit-1) || strings.Contains(heard, "DELE") != whole(firstMark-1) {
				t.Fatalf("cut at %d: client said %q", cut, heard)
			}
		}
	}
}

func cutAt(replies []string, octets int) []string {
	var cut []string
	for _, reply := range replies {
		n := min(octets, len(reply))
		cut = append(cut, reply[:n])
		octets -= n
	}
	return cut
}
