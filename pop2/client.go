package pop2

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"popmigrate/pop3"
)

// Limits of what is taken from a server. RFC 937 allows replies of 512 octets.
const (
	maxReply      = 8 << 10
	receiveBuffer = 32 << 10
	maxMessages   = 5_000_000
	minOctetRate  = 128 // octets a second, as for POP3: one that sends an octet now and then is given up too
	afterQuitWait = 5 * time.Second
	maxShownText  = 400
)

// Client is one connection. The zero value is of no use; see NewClient.
type Client struct {
	conn     net.Conn
	r        *bufio.Reader
	timeouts pop3.Timeouts
	broken   error    // why the connection is of no use any more
	message  *Message // the one that RETR was sent for and that is not acknowledged yet
}

// NewClient returns a client on a connection that nothing was read from. It
// closes conn with Close.
func NewClient(conn net.Conn, timeouts pop3.Timeouts) *Client {
	return &Client{conn: conn, r: bufio.NewReaderSize(conn, receiveBuffer), timeouts: timeouts.WithDefaults()}
}

// Error is what ended a session on the server's side: a reply that begins with
// a minus, behind which it closes the line.
type Error struct {
	Command string // keyword and message-number, never a secret
	Text    string // the server's words, cleaned for display
}

func (e *Error) Error() string { return fmt.Sprintf("%s: server said %q", e.Command, e.Text) }

// Broken returns why the connection is of no use any more, nil while it is.
func (c *Client) Broken() error { return c.broken }

// Greeting reads the server's first line.
func (c *Client) Greeting(ctx context.Context) (string, error) {
	line, err := c.reply(ctx, "greeting", c.timeouts.Greeting)
	switch {
	case errors.Is(err, io.EOF):
		return "", c.fail(fmt.Errorf("%w: %w", pop3.ErrNoGreeting, err))
	case err != nil:
		return "", err
	case strings.HasPrefix(line, "+OK"):
		return "", c.fail(&pop3.ProtocolError{Command: "greeting", Problem: "not a POP2 server", Line: show(line),
			Hint: `the server speaks POP3: use source "pop3"`})
	case !strings.HasPrefix(line, "+"):
		return "", c.fail(&pop3.ProtocolError{Command: "greeting", Problem: "not a POP2 server", Line: show(line),
			Hint: "the port may be wrong: POP2 has port 109"})
	}
	return show(line), nil
}

// Hello logs in (HELO) and returns how many messages the default folder holds.
// A refusal is an *Error. The password travels in clear text.
func (c *Client) Hello(ctx context.Context, user, password string) (messages int64, text string, err error) {
	name, err := quote("user", user)
	if err == nil {
		password, err = quote("password", password)
	}
	if err != nil {
		return 0, "", err
	}
	return c.counted(ctx, "HELO", "HELO "+name+" "+password)
}

// Fold opens a folder instead and returns how many messages it holds and the
// server's words: of a folder that is missing some servers tell the state of
// the one before. By the RFC this carries out deletions in the folder before.
func (c *Client) Fold(ctx context.Context, folder string) (messages int64, text string, err error) {
	name, err := quote("folder", folder)
	if err != nil {
		return 0, "", err
	}
	return c.counted(ctx, "FOLD", "FOLD "+name)
}

// Read makes a message the current one (READ) and returns its length in
// octets. A length of 0 means that there is none, or that it is deleted.
func (c *Client) Read(ctx context.Context, number pop3.Number) (int64, error) {
	command := fmt.Sprintf("READ %d", number)
	if err := c.send(ctx, command, command); err != nil {
		return 0, err
	}
	length, _, err := c.number(ctx, command, '=')
	return length, err
}

// Retrieve asks for the current message (RETR), of the length that Read
// returned. It is read to its end before anything else is sent, and then
// acknowledged by Keep or Delete.
func (c *Client) Retrieve(ctx context.Context, length int64) (*Message, error) {
	if err := c.send(ctx, "RETR", "RETR"); err != nil {
		return nil, err
	}
	c.message = &Message{client: c, ctx: ctx, left: length, begun: time.Now()}
	return c.message, nil
}

// Keep acknowledges the message that was read (ACKS): it stays.
func (c *Client) Keep(ctx context.Context) error { return c.acknowledge(ctx, "ACKS") }

// Delete acknowledges the message that was read and has it deleted (ACKD). By
// the RFC that happens at QUIT; UW ipop2d hides the message at once, whatever
// becomes of the session.
func (c *Client) Delete(ctx context.Context) error { return c.acknowledge(ctx, "ACKD") }

func (c *Client) acknowledge(ctx context.Context, command string) error {
	if c.message == nil || c.message.left > 0 {
		return c.fail(fmt.Errorf("%s: the message was not read to its end", command))
	}
	c.message = nil
	if err := c.send(ctx, command, command); err != nil {
		return err
	}
	_, _, err := c.number(ctx, command, '=')
	return err
}

// Quit ends the session so that the server carries out deletions, reads to the
// end of the stream and returns what the server said.
func (c *Client) Quit(ctx context.Context) (string, error) {
	if err := c.send(ctx, "QUIT", "QUIT"); err != nil {
		return "", err
	}
	line, err := c.reply(ctx, "QUIT", c.timeouts.Quit)
	if err != nil {
		return "", err
	}
	defer c.bound(ctx, time.Now().Add(afterQuitWait))()
	_, _ = io.Copy(io.Discard, c.r) // one that closes first may be killed before it has deleted
	c.broken = fmt.Errorf("%w: QUIT was sent", pop3.ErrBroken)
	if refusal, ok := strings.CutPrefix(line, "-"); ok {
		return "", &Error{"QUIT", show(strings.TrimSpace(refusal))}
	}
	return show(line), nil
}

// Close drops the line. It never sends anything.
func (c *Client) Close() error {
	if c.broken == nil {
		c.broken = fmt.Errorf("%w: closed", pop3.ErrBroken)
	}
	return c.conn.Close()
}

// counted sends a command that is answered with a count of messages.
func (c *Client) counted(ctx context.Context, name, command string) (int64, string, error) {
	if err := c.send(ctx, name, command); err != nil {
		return 0, "", err
	}
	count, text, err := c.number(ctx, name, '#')
	if err == nil && count > maxMessages {
		err = c.fail(&pop3.ProtocolError{Command: name, Problem: "too many messages", Line: text})
	}
	return count, text, err
}

// number reads a reply such as "#3 messages" or "=120 characters".
func (c *Client) number(ctx context.Context, command string, sign byte) (int64, string, error) {
	limit := c.timeouts.Command
	if sign == '#' {
		limit = c.timeouts.Login // that is when a maildrop is scanned
	}
	line, err := c.reply(ctx, command, limit)
	if err != nil {
		return 0, "", err
	}
	if refusal, ok := strings.CutPrefix(line, "-"); ok {
		return 0, "", c.fail(&Error{command, show(strings.TrimSpace(refusal))})
	}
	digits, text, _ := strings.Cut(strings.TrimLeft(line[min(1, len(line)):], " "), " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if line == "" || line[0] != sign || err != nil || n < 0 {
		return 0, "", c.fail(&pop3.ProtocolError{Command: command, Problem: fmt.Sprintf("expected %c and a number", sign), Line: show(line)})
	}
	return n, show(text), nil
}

// send sends one command line. No reply may be due, and nothing may have come
// that was not asked for.
func (c *Client) send(ctx context.Context, name, command string) error {
	switch {
	case c.broken != nil:
		return fmt.Errorf("%s: %w", name, c.broken)
	case c.message != nil:
		return c.fail(fmt.Errorf("%s: a message is not acknowledged yet", name))
	case c.r.Buffered() > 0:
		ahead, _ := c.r.Peek(min(c.r.Buffered(), maxShownText))
		return c.fail(&pop3.ProtocolError{Command: name, Problem: "server sent more than it was asked for", Line: show(string(ahead))})
	}
	defer c.bound(ctx, time.Now().Add(c.timeouts.Command))()
	if _, err := io.WriteString(c.conn, command+"\r\n"); err != nil {
		return c.fail(fmt.Errorf("%s: %w", name, cause(ctx, err)))
	}
	return nil
}

// reply reads one line, without its line end.
func (c *Client) reply(ctx context.Context, command string, limit time.Duration) (string, error) {
	defer c.bound(ctx, time.Now().Add(limit))()
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return string(bytes.TrimRight(line, "\r\n")), nil
		case len(line) > maxReply:
			return "", c.fail(&pop3.ProtocolError{Command: command, Problem: fmt.Sprintf("line of more than %d octets", maxReply)})
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", c.fail(fmt.Errorf("%s: %w", command, cause(ctx, err)))
		}
	}
}

// bound limits reads and writes to a time, and to the context's life. What it
// returns ends that.
func (c *Client) bound(ctx context.Context, until time.Time) func() {
	_ = c.conn.SetDeadline(until)
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	return func() { stop() }
}

// fail notes why the connection is of no use any more.
func (c *Client) fail(err error) error {
	if c.broken == nil {
		c.broken = fmt.Errorf("%w: %w", pop3.ErrBroken, err)
	}
	return err
}

// cause prefers the context's reason to the deadline that it had set.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return context.Cause(ctx)
	}
	return err
}

// quote puts a backslash before blanks and backslashes (RFC 937).
func quote(what, argument string) (string, error) {
	if argument == "" || strings.ContainsAny(argument, "\r\n\x00") {
		return "", fmt.Errorf("%s cannot be sent: it is empty or has a line end or NUL in it", what)
	}
	return strings.NewReplacer(`\`, `\\`, " ", `\ `).Replace(argument), nil
}

// show makes server text fit for a log.
func show(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxShownText)], "?")
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}
