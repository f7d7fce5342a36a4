package pop3test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"net"
	"slices"
)

// ending is how a connection ends before its time.
type ending int

const (
	endFIN ending = iota
	endRST
	endStall
)

// stop is a point in the server's octets at which the connection ends.
type stop struct {
	after int64 // octets sent before it; negative: behind the reply
	how   ending
}

// errStopped is returned by out once a stop was reached; out.stopped says which.
var errStopped = errors.New("connection stopped by a rule")

// outBuffer is how many octets of replies are gathered for one write.
const outBuffer = 64 << 10 // 64 KiB

// out is the server's half of a connection: it gathers replies for large
// writes, counts their octets and stops where a rule says so.
type out struct {
	w       *bufio.Writer
	closing <-chan struct{}
	sent    int64 // octets of replies since the connection began
	limit   int64 // value of sent at the nearest stop
	ofConn  *stop
	ofReply *stop // its after counts from the connection's beginning
	piece   int   // octets after which the reply waits for tick; 0 means none
	left    int   // of the piece under way
	tick    func(closing <-chan struct{})
	stopped *stop
}

func newOut(conn net.Conn, closing <-chan struct{}) *out {
	return &out{w: bufio.NewWriterSize(conn, outBuffer), closing: closing, limit: math.MaxInt64}
}

// begin makes the reply that follows stop and drip as r says.
func (o *out) begin(r *reply) {
	o.piece, o.left, o.tick = r.piece, 0, r.tick
	o.ofReply = nil
	if r.stop != nil {
		o.ofReply = &stop{after: math.MaxInt64, how: r.stop.how}
		if r.stop.after >= 0 && r.stop.after <= math.MaxInt64-o.sent {
			o.ofReply.after = o.sent + r.stop.after
		}
	}
	o.setLimit()
}

// end closes a reply and stops behind it where that is due.
func (o *out) end() error {
	due := o.ofReply
	o.ofReply, o.piece = nil, 0
	o.setLimit()
	if due != nil {
		return o.stop(due)
	}
	return nil
}

func (o *out) setLimit() {
	o.limit = math.MaxInt64
	for _, s := range []*stop{o.ofConn, o.ofReply} {
		if s != nil {
			o.limit = min(o.limit, s.after)
		}
	}
}

// Write sends octets up to the nearest stop.
func (o *out) Write(p []byte) (int, error) {
	if int64(len(p)) < o.limit-o.sent {
		return o.send(p)
	}
	n, err := o.send(p[:o.limit-o.sent])
	if err != nil {
		return n, err
	}
	if o.ofReply != nil && o.ofReply.after == o.limit {
		return n, o.stop(o.ofReply)
	}
	return n, o.stop(o.ofConn)
}

// WriteString is Write without a copy of short texts.
func (o *out) WriteString(text string) (int, error) {
	if o.piece == 0 && int64(len(text)) < o.limit-o.sent {
		o.sent += int64(len(text))
		return o.w.WriteString(text)
	}
	return o.Write([]byte(text))
}

// stop ends the server's octets here.
func (o *out) stop(s *stop) error {
	o.stopped = s
	if err := o.w.Flush(); err != nil {
		return err
	}
	return errStopped
}

// send sends octets; where the reply drips, in pieces with a wait before each.
func (o *out) send(p []byte) (sent int, err error) {
	for o.piece > 0 && len(p) > 0 {
		if o.left == 0 {
			if err := o.w.Flush(); err != nil {
				return sent, err
			}
			o.tick(o.closing)
			o.left = o.piece
		}
		n, err := o.w.Write(p[:min(o.left, len(p))])
		o.left -= n
		o.sent += int64(n)
		sent += n
		if err != nil {
			return sent, err
		}
		p = p[n:]
	}
	n, err := o.w.Write(p)
	o.sent += int64(n)
	return sent + n, err
}

var (
	crlf        = []byte("\r\n")
	crlfDot     = []byte("\r\n.")
	dot         = []byte(".")
	termination = []byte(".\r\n")
)

// writeMessage sends content dot-stuffed and with its termination line (RFC
// 1939 section 3). Lines are those that CRLF ends; every other octet is sent
// as it is. Unless asIs, content that does not end in CRLF is given one. With
// loneDots only lines that are one dot are stuffed.
func writeMessage(w io.Writer, content []byte, asIs, loneDots bool) error {
	if loneDots {
		content = bytes.ReplaceAll(content, []byte("\r\n.\r\n"), []byte("\r\n..\r\n"))
		if !asIs && !bytes.HasSuffix(content, crlf) {
			content = slices.Concat(content, crlf)
		}
		_, err := w.Write(slices.Concat(content, termination))
		return err
	}
	ended := asIs || bytes.HasSuffix(content, crlf)
	rest := content
	if bytes.HasPrefix(rest, dot) {
		if _, err := w.Write(dot); err != nil {
			return err
		}
	}
	for len(rest) > 0 {
		chunk := rest
		at := bytes.Index(rest, crlfDot)
		if at >= 0 {
			chunk = rest[:at+len(crlfDot)]
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
		rest = rest[len(chunk):]
		if at >= 0 {
			if _, err := w.Write(dot); err != nil {
				return err
			}
		}
	}
	if !ended {
		if _, err := w.Write(crlf); err != nil {
			return err
		}
	}
	_, err := w.Write(termination)
	return err
}
