package torture

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// stream is one direction of a connection. Writing never blocks.
type stream struct {
	mu      sync.Mutex
	octets  []byte
	ended   error // what a reader gets once the octets are read: io.EOF or a reset; nil while it is open
	changed chan struct{}
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

// tell wakes who waits. The caller holds the lock.
func (s *stream) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return 0, syscall.EPIPE
	}
	s.octets = append(s.octets, p...)
	s.tell()
	return len(p), nil
}

// end closes the stream for its reader; forget loses what was not read yet.
func (s *stream) end(err error, forget bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if forget {
		s.octets = nil
	}
	if s.ended == nil {
		s.ended = err
	}
	s.tell()
}

// read waits for octets until the deadline; the zero time is none.
func (s *stream) read(p []byte, deadline func() time.Time) (int, error) {
	for {
		s.mu.Lock()
		if len(s.octets) > 0 {
			n := copy(p, s.octets)
			s.octets = s.octets[n:]
			s.mu.Unlock()
			return n, nil
		}
		ended, changed := s.ended, s.changed
		s.mu.Unlock()
		if ended != nil {
			return 0, ended
		}
		var expired <-chan time.Time
		if d := deadline(); !d.IsZero() {
			left := time.Until(d)
			if left <= 0 {
				return 0, os.ErrDeadlineExceeded
			}
			timer := time.NewTimer(left)
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-changed:
		case <-expired:
		}
	}
}

// end is one end of a connection. It has what *net.TCPConn has, so far as
// client and server use it.
type end struct {
	in, out *stream

	mu       sync.Mutex
	deadline time.Time // for reading
	linger   bool      // Close resets the connection
}

// connect returns the two ends of a connection.
func connect() (client, server *end) {
	up, down := newStream(), newStream()
	return &end{in: down, out: up, linger: true}, &end{in: up, out: down, linger: true}
}

func (e *end) Read(p []byte) (int, error) {
	return e.in.read(p, func() time.Time {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.deadline
	})
}

func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }

func (e *end) Close() error {
	e.mu.Lock()
	linger := e.linger
	e.mu.Unlock()
	if linger {
		e.out.end(io.EOF, false)
	} else {
		e.out.end(syscall.ECONNRESET, true)
	}
	e.in.end(net.ErrClosed, true)
	return nil
}

func (e *end) CloseWrite() error {
	e.out.end(io.EOF, false)
	return nil
}

// SetLinger makes Close a reset that loses what is under way.
func (e *end) SetLinger(int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.linger = false
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	e.deadline = t
	e.mu.Unlock()
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	e.in.tell() // who waits looks at the new deadline
	return nil
}

func (e *end) SetDeadline(t time.Time) error    { return e.SetReadDeadline(t) }
func (e *end) SetWriteDeadline(time.Time) error { return nil }
func (e *end) LocalAddr() net.Addr              { return address{} }
func (e *end) RemoteAddr() net.Addr             { return address{} }

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "memory" }

// line is the client's end as a process that may die sees it: every read and
// write is an event of its life, and a cable that may be cut.
type line struct {
	net.Conn
	life   *life
	pull   func() // cuts the cable for both sides
	broken error  // what reading from the cut cable gives: io.EOF looks like the server's own doing

	mu   sync.Mutex
	left int64 // octets until the cable is cut; negative: it holds
}

var errCut = errors.New("the cable was cut")

func (l *line) Read(p []byte) (int, error) {
	if err := l.life.event("receive"); err != nil {
		return 0, err
	}
	l.mu.Lock()
	left := l.left
	l.mu.Unlock()
	if most := l.life.plan.piece; most > 0 && len(p) > most {
		p = p[:most]
	}
	if left == 0 {
		l.pull()
		return 0, l.broken
	}
	if left > 0 {
		p = p[:min(int64(len(p)), left)]
	}
	n, err := l.Conn.Read(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left > 0 {
		l.left -= int64(n)
	}
	l.life.receive(n)
	return n, err
}

func (l *line) Write(p []byte) (int, error) {
	if err := l.life.event("send"); err != nil {
		return 0, err
	}
	return l.Conn.Write(p)
}

// CloseWrite keeps what *net.TCPConn has.
func (l *line) CloseWrite() error {
	if half, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return l.Conn.Close()
}
