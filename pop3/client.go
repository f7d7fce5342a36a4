package pop3

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"popmigrate/internal/redact"
)

// Number is a message-number: valid in one session only (RFC 1939 section 5).
type Number int

// UniqueID is a unique-id: a hint across sessions of one maildrop (RFC 1939
// section 7). It holds the octets that the server sent.
type UniqueID string

// state is where the session stands (RFC 1939 sections 3 to 6).
type state int

const (
	stateGreeting state = iota
	stateAuthorization
	stateTransaction
	stateEnded
)

// Client is one connection to a POP3 server. Its methods may be called from
// one goroutine at a time, except Close, which may be called from any.
type Client struct {
	conn     net.Conn
	opts     Options
	timeouts Timeouts
	r        reader
	out      []byte // commands not written yet
	state    state
	apop     string // the greeting's timestamp
	utf8     bool   // the command UTF8 is in force
	pipeline bool
	cautious bool         // each RETR and TOP is preceded by STAT
	drop     *DropListing // the reply to STAT that another must repeat
	flying   bool         // a sequence of commands runs: no other may come between
	mean     int64        // octets of a message, as the latest were
	broken   error
	secrets  redact.Secrets // never to be shown, should the server echo them
	ack      quickAck
	limit    listingLimit

	// wait guards the deadline against a context that ends meanwhile, and conn
	// against a Close during STLS.
	wait struct {
		sync.Mutex
		ctx     context.Context
		turn    int // counts operations: a context may serve many
		timeout time.Duration
		credit  time.Duration // what is left of timeout: waiting spends it, octets earn it back
		granted time.Duration // to the read or write under way
	}
}

// NewClient returns a client on conn, which it owns from now on. It does no
// I/O: the first call is Greeting.
func NewClient(conn net.Conn, opts *Options) *Client {
	c := &Client{}
	if opts != nil {
		c.opts = *opts
	}
	c.timeouts = c.opts.Timeouts.WithDefaults()
	c.limit = listingLimit{maxListing, maxListed}
	c.r.buf = make([]byte, receiveBuffer)
	c.r.fill = c.fill
	c.setConn(conn)
	c.pipeline = c.opts.Pipelining == PipelineOn
	return c
}

func (c *Client) setConn(conn net.Conn) {
	c.conn = conn
	c.ack = newQuickAck(rawTCP(conn))
}

// Close drops the line without a word. It is safe to call more than once.
func (c *Client) Close() error {
	c.wait.Lock()
	conn := c.conn
	c.wait.Unlock()
	err := conn.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// RemoteAddr returns the server's address.
func (c *Client) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// TLS returns the state of the TLS connection; ok is false in clear text.
func (c *Client) TLS() (state tls.ConnectionState, ok bool) {
	t, ok := c.conn.(*tls.Conn)
	if !ok {
		return state, false
	}
	return t.ConnectionState(), true
}

// Pipelined tells whether commands are pipelined now.
func (c *Client) Pipelined() bool { return c.pipeline }

// Broken returns why the connection is broken, nil while it is sound. QUIT may
// only be sent on a sound connection.
func (c *Client) Broken() error { return c.broken }

// begin starts an operation that ctx can end: from now on reads and writes
// fail once ctx is done. The function it returns ends that.
func (c *Client) begin(ctx context.Context, timeout time.Duration) (end func()) {
	c.wait.Lock()
	c.wait.ctx, c.wait.timeout, c.wait.credit = ctx, timeout, timeout
	c.wait.turn++
	turn := c.wait.turn
	c.wait.Unlock()
	stop := context.AfterFunc(ctx, func() {
		c.wait.Lock()
		defer c.wait.Unlock()
		if c.wait.ctx != nil && c.wait.turn == turn {
			c.conn.SetDeadline(time.Unix(1, 0))
		}
	})
	return func() {
		stop()
		c.wait.Lock()
		c.wait.ctx = nil
		c.wait.Unlock()
	}
}

// patience begins a phase of the running operation that may take so long.
func (c *Client) patience(timeout time.Duration) {
	c.wait.Lock()
	c.wait.timeout, c.wait.credit = timeout, timeout
	c.wait.Unlock()
}

// renew begins another phase of the same patience: the next reply.
func (c *Client) renew() {
	c.wait.Lock()
	c.wait.credit = c.wait.timeout
	c.wait.Unlock()
}

// armDeadline gives the next read or write its time, unless ctx is done, and
// returns when it began.
func (c *Client) armDeadline() (began time.Time, err error) {
	c.wait.Lock()
	defer c.wait.Unlock()
	began = time.Now()
	if c.wait.ctx == nil {
		return began, nil
	}
	if err := c.wait.ctx.Err(); err != nil {
		return began, context.Cause(c.wait.ctx)
	}
	c.wait.granted = c.wait.credit
	return began, c.conn.SetDeadline(began.Add(c.wait.credit))
}

// spend takes the time since began off the credit and adds what the octets
// earned: a server may pause, but not for ever send next to nothing.
func (c *Client) spend(began time.Time, octets int) {
	c.wait.Lock()
	earned := time.Duration(octets) * (time.Second / minOctetRate)
	c.wait.credit = min(c.wait.timeout, c.wait.credit-time.Since(began)+earned)
	c.wait.Unlock()
}

// fill reads once from the connection.
func (c *Client) fill(p []byte) (int, error) {
	began, err := c.armDeadline()
	if err != nil {
		return 0, err
	}
	if !c.pipeline {
		// In lock-step a delayed ACK meets Nagle's algorithm on many servers
		// and costs 44 ms a message.
		c.ack.now()
	}
	n, err := c.conn.Read(p)
	c.spend(began, n)
	return n, c.ioError(err)
}

// ioError names the wait that ended, instead of "i/o timeout".
func (c *Client) ioError(err error) error {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.wait.Lock()
	defer c.wait.Unlock()
	if c.wait.ctx != nil && c.wait.ctx.Err() != nil {
		return context.Cause(c.wait.ctx)
	}
	if c.wait.granted < c.wait.timeout {
		return fmt.Errorf("server sent less than %d octets a second for too long: %w", minOctetRate, os.ErrDeadlineExceeded)
	}
	return fmt.Errorf("nothing from the server for %v: %w", c.wait.timeout, os.ErrDeadlineExceeded)
}

// breakWith marks the connection as broken and returns the error to report.
func (c *Client) breakWith(command string, err error) error {
	var protocol *ProtocolError
	switch {
	case errors.As(err, &protocol):
	case errors.Is(err, errLineTooLong):
		err = &ProtocolError{Command: command, Problem: err.Error()}
	default:
		err = fmt.Errorf("%s: %w", command, err)
	}
	if c.broken == nil {
		c.broken = err
	}
	return err
}

// ready checks that a command may be sent now: the connection is sound, the
// state allows it, and nothing arrived that nobody asked for.
func (c *Client) ready(command string, want state) error {
	if err := c.sound(command); err != nil {
		return err
	}
	if c.state != want {
		return fmt.Errorf("%s: not allowed in this state of the session", command)
	}
	if c.flying {
		return fmt.Errorf("%s: not allowed while a sequence of commands runs", command)
	}
	return c.quiet(command)
}

// sound refuses a command on a broken connection.
func (c *Client) sound(command string) error {
	if c.broken != nil {
		return fmt.Errorf("%s: %w: %w", command, ErrBroken, c.broken)
	}
	return nil
}

// quiet checks that nothing has arrived beyond the replies that are due.
func (c *Client) quiet(command string) error {
	if c.r.buffered() == 0 {
		return nil
	}
	line, _, _ := bytes.Cut(c.r.unread(), []byte{'\n'})
	return c.breakWith(command, &ProtocolError{Command: command,
		Problem: "server sent what nobody asked for", Line: c.show(bytes.TrimSuffix(line, []byte{'\r'}))})
}

// queue adds a command line to what flush will write.
func (c *Client) queue(keyword string, number Number) {
	c.out = append(c.out, keyword...)
	if number > 0 {
		c.out = append(c.out, ' ')
		c.out = strconv.AppendInt(c.out, int64(number), 10)
	}
	c.out = append(c.out, '\r', '\n')
}

// flush writes the queued commands.
func (c *Client) flush(command string) error {
	if len(c.out) == 0 {
		return nil
	}
	c.renew()
	_, err := c.armDeadline()
	if err == nil {
		_, err = c.conn.Write(c.out)
	}
	clear(c.out) // it may have held a secret
	c.out = c.out[:0]
	if err != nil {
		return c.breakWith(command, c.ioError(err))
	}
	return nil
}

// reply reads one status line and returns its text for display. A refusal is a
// *ReplyError; everything else that goes wrong breaks the connection.
func (c *Client) reply(command string) (text string, err error) {
	rest, err := c.status(command)
	if err != nil {
		return "", err
	}
	return c.show(rest), nil
}

// status is reply for those who parse the text: it is as it was sent.
func (c *Client) status(command string) (text []byte, err error) {
	line, err := c.r.line()
	if err != nil {
		if err == io.EOF {
			err = fmt.Errorf("server closed the connection: %w", io.ErrUnexpectedEOF)
		}
		return nil, c.breakWith(command, err)
	}
	status, rest, known := splitStatus(line)
	if !known {
		return nil, c.breakWith(command, &ProtocolError{Command: command,
			Problem: "reply is neither +OK nor -ERR", Line: c.show(line)})
	}
	if status {
		return rest, nil
	}
	return nil, c.replyError(command, rest)
}

// replyError makes an error of the text behind -ERR.
func (c *Client) replyError(command string, text []byte) *ReplyError {
	code, shown := splitCode(c.show(text))
	return &ReplyError{Command: command, Code: code, Text: shown}
}

// show takes out secrets that server text echoes and cleans it. In that order:
// cleaning may cut a secret or change its octets, so that it is not found. Of a
// long text the end is never shown; where it is cut, so may a secret be.
func (c *Client) show(text []byte) string {
	const most, margin = 4 * maxShownText, 16
	if len(text) <= most {
		return display(c.secrets.Hide(text))
	}
	text = c.secrets.Hide(text[:most])
	return display(text[:max(0, len(text)-margin)])
}

// exchange sends one command and reads its status line.
func (c *Client) exchange(command string) (string, error) {
	c.out = append(append(c.out, command...), '\r', '\n')
	if err := c.flush(keyword(command)); err != nil {
		return "", err
	}
	return c.reply(keyword(command))
}
