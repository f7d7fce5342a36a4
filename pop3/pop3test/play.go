package pop3test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Peer plays the server's part of a script. It is the client's end of an
// in-memory connection: give it to the client as its net.Conn.
type Peer struct {
	mu       sync.Mutex
	changed  *sync.Cond
	steps    []step
	next     int    // the step that is due
	matched  int    // octets of it that the client has said
	unread   []byte // said by the server, not yet read by the client
	pieces   int
	err      error
	closed   bool // by the client
	done     chan struct{}
	finished bool // done is closed
	deadline deadlines
}

type deadlines struct{ read, write time.Time }

var _ net.Conn = (*Peer)(nil)

// Play returns a peer that holds a client to a script in the notation of the
// RFCs:
//
//	# a comment
//	S: +OK ready
//	C: USER alice
//	S: +OK
//	C: PASS secret
//	C+: STAT             may be sent before the reply to PASS is read
//	S: +OK
//	S~ "+OK 1 "          octets, as a Go string, with no line end added
//	S~ "9" * 1000        said so many times
//	S~ "\r\n"
//	C~ "QUIT\r\n"
//	S: +OK
//	close
//
// Between S: and C: and the text is one blank; the text ends with the line and
// is sent with CRLF. The last line can be close, which is also what happens
// where a script just ends; reset, for a connection that fails; or stall, for
// one that stays open and silent.
//
// The client is held to each octet. Unless the script says C+, it must have
// read all that the server said before it speaks; lines that it may send
// together stand together. Speaking past the end is an error as well. The
// first error ends the connection and is what Err, Read and Write return; so
// is a mistake in the script.
func Play(script string) *Peer {
	p := &Peer{done: make(chan struct{})}
	p.changed = sync.NewCond(&p.mu)
	steps, err := parseScript(script)
	if err != nil {
		p.fail(err)
		return p
	}
	p.steps = steps
	p.speak()
	return p
}

// InPieces makes each Read give at most n octets. It returns p.
func (p *Peer) InPieces(n int) *Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pieces = n
	return p
}

// Done is closed when the client closed the connection or broke the script.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Err returns where the client left the script: what it said instead, or what
// it has not said yet. It does not wait.
func (p *Peer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	if due := &p.steps[p.next]; due.kind == clientSays {
		return fmt.Errorf("script line %d: client has not said %s", due.line, quote(due.octets[p.matched:]))
	}
	return nil
}

// speak says the server's lines that are due.
func (p *Peer) speak() {
	for p.steps[p.next].kind == serverSays {
		p.unread = append(p.unread, p.steps[p.next].octets...)
		p.next++
	}
	p.changed.Broadcast()
}

// fail ends the script.
func (p *Peer) fail(err error) error {
	p.err = err
	p.finish()
	return err
}

func (p *Peer) finish() {
	if !p.finished {
		p.finished = true
		close(p.done)
	}
	p.changed.Broadcast()
}

// Write hears what the client says. It never blocks.
func (p *Peer) Write(octets []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.err != nil:
		return 0, p.err
	case p.closed:
		return 0, net.ErrClosed
	case expired(p.deadline.write):
		return 0, os.ErrDeadlineExceeded
	}
	for heard := 0; heard < len(octets); {
		n, err := p.hear(octets[heard:])
		heard += n
		if err != nil {
			return heard, p.fail(err)
		}
	}
	return len(octets), nil
}

// hear matches octets with the step that is due, so far as it goes.
func (p *Peer) hear(octets []byte) (n int, err error) {
	due := &p.steps[p.next]
	if due.kind != clientSays {
		return 0, fmt.Errorf("script line %d: client said %s after the end", due.line, quote(octets))
	}
	if len(p.unread) > 0 && p.matched == 0 && !due.early {
		return 0, fmt.Errorf("script line %d: client said %s before it read %s", due.line, quote(octets), quote(p.unread))
	}
	want := due.octets[p.matched:]
	n = min(len(want), len(octets))
	if !bytes.Equal(want[:n], octets[:n]) {
		return 0, fmt.Errorf("script line %d: client said %s, want %s", due.line, quote(octets), quote(want))
	}
	p.matched += n
	if p.matched == len(due.octets) {
		p.matched = 0
		p.next++
		p.speak()
	}
	return n, nil
}

// Read gives what the server says.
func (p *Peer) Read(octets []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.err != nil:
			return 0, p.err
		case p.closed:
			return 0, net.ErrClosed
		case expired(p.deadline.read):
			return 0, os.ErrDeadlineExceeded
		case len(p.unread) > 0 || len(octets) == 0:
			n := min(len(octets), len(p.unread))
			if p.pieces > 0 {
				n = min(n, p.pieces)
			}
			copy(octets, p.unread[:n])
			p.unread = p.unread[n:]
			return n, nil
		case p.steps[p.next].kind == closes:
			return 0, io.EOF
		case p.steps[p.next].kind == resets:
			return 0, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
		}
		p.changed.Wait()
	}
}

// Close is the client's.
func (p *Peer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.finish()
	return nil
}

// LocalAddr returns an address of no meaning.
func (p *Peer) LocalAddr() net.Addr { return peerAddr{} }

// RemoteAddr returns an address of no meaning.
func (p *Peer) RemoteAddr() net.Addr { return peerAddr{} }

type peerAddr struct{}

func (peerAddr) Network() string { return "script" }
func (peerAddr) String() string  { return "script" }

// SetDeadline bounds Read and Write.
func (p *Peer) SetDeadline(t time.Time) error {
	p.setDeadlines(func(d *deadlines) { d.read, d.write = t, t }, t)
	return nil
}

// SetReadDeadline bounds Read.
func (p *Peer) SetReadDeadline(t time.Time) error {
	p.setDeadlines(func(d *deadlines) { d.read = t }, t)
	return nil
}

// SetWriteDeadline bounds Write.
func (p *Peer) SetWriteDeadline(t time.Time) error {
	p.setDeadlines(func(d *deadlines) { d.write = t }, t)
	return nil
}

func (p *Peer) setDeadlines(set func(*deadlines), t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set(&p.deadline)
	p.changed.Broadcast()
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		time.AfterFunc(wait, func() { // a Read that waits by then looks at its deadline
			p.mu.Lock()
			defer p.mu.Unlock()
			p.changed.Broadcast()
		})
	}
}

func expired(deadline time.Time) bool {
	return !deadline.IsZero() && !time.Now().Before(deadline)
}

// quote quotes octets for an error, the first of them.
func quote(octets []byte) string {
	const most = 80
	if len(octets) > most {
		return fmt.Sprintf("%q… (%d octets)", octets[:most], len(octets))
	}
	return fmt.Sprintf("%q", octets)
}
