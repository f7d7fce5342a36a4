package personalities

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stream is one direction of a connection in memory. Writing never blocks.
type stream struct {
	mu       sync.Mutex
	octets   []byte
	ended    error // what a reader gets behind the octets; nil while it is open
	deadline time.Time
	changed  chan struct{} // closed and replaced at each change
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

func (s *stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) end(err error) {
	s.change(func() {
		if s.ended == nil {
			s.ended = err
		}
	})
}

func (s *stream) write(p []byte) (n int, err error) {
	s.change(func() {
		if s.ended != nil {
			err = io.ErrClosedPipe
			return
		}
		s.octets, n = append(s.octets, p...), len(p)
	})
	return n, err
}

func (s *stream) read(p []byte) (int, error) {
	for {
		s.mu.Lock()
		n := copy(p, s.octets)
		s.octets = s.octets[n:]
		ended, changed, deadline := s.ended, s.changed, s.deadline
		s.mu.Unlock()
		if n > 0 {
			return n, nil
		}
		if ended != nil {
			return 0, ended
		}
		var expired <-chan time.Time
		if !deadline.IsZero() {
			if !time.Now().Before(deadline) {
				return 0, os.ErrDeadlineExceeded
			}
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-changed:
		case <-expired:
		}
	}
}

// end is one end of a connection.
type end struct{ in, out *stream }

func (e *end) Read(p []byte) (int, error)  { return e.in.read(p) }
func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }
func (e *end) CloseWrite() error           { e.out.end(io.EOF); return nil }

func (e *end) Close() error {
	e.out.end(io.EOF)
	e.in.end(net.ErrClosed)
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.in.change(func() { e.in.deadline = t })
	return nil
}

func (e *end) SetDeadline(t time.Time) error    { return e.SetReadDeadline(t) }
func (e *end) SetWriteDeadline(time.Time) error { return nil }
func (e *end) LocalAddr() net.Addr              { return address{} }
func (e *end) RemoteAddr() net.Addr             { return address{} }

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "memory" }

var errCut = errors.New("the line was cut")

// line is the client's end: it gets segments of so many octets, and is cut
// behind so many.
type line struct {
	end
	segment int // 0: all there are
	pause   time.Duration
	left    int64 // until the line is cut; negative: it holds
	count   func(octets int)
}

func (l *line) Read(p []byte) (int, error) {
	if l.left == 0 {
		l.Close()
		return 0, errCut
	}
	if l.pause > 0 {
		<-time.After(l.pause)
	}
	if l.segment > 0 {
		p = p[:min(len(p), l.segment)]
	}
	if l.left > 0 {
		p = p[:min(int64(len(p)), l.left)]
	}
	n, err := l.end.Read(p)
	if l.left > 0 {
		l.left -= int64(n)
	}
	if l.count != nil {
		l.count(n)
	}
	return n, err
}

// connect returns the two ends of a connection.
func connect() (client, server end) {
	up, down := newStream(), newStream()
	return end{in: down, out: up}, end{in: up, out: down}
}
