package pop3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
)

// reader buffers what the server sends. It knows lines and dot-stuffed data
// and nothing of commands. Every slice it returns lies in its buffer and is
// good until the next call.
type reader struct {
	fill     func(p []byte) (int, error) // one read from the connection, with its deadline
	buf      []byte
	pos, end int
	bol      bool  // in data: the next octet begins a line
	given    int64 // octets of data that were returned, in all
}

func (r *reader) buffered() int { return r.end - r.pos }

func (r *reader) unread() []byte { return r.buf[r.pos:r.end] }

// more reads at least one octet more, keeping what is buffered.
func (r *reader) more() error {
	if r.pos == r.end {
		r.pos, r.end = 0, 0
	} else if len(r.buf)-r.end < len(r.buf)/4 {
		copy(r.buf, r.buf[r.pos:r.end])
		r.pos, r.end = 0, r.end-r.pos
	}
	n, err := r.fill(r.buf[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// line returns the next line without its line end. LF alone ends a line too:
// some servers send it in replies and listings (never so in data).
func (r *reader) line() ([]byte, error) {
	scanned := 0
	for {
		window := r.unread()
		if i := bytes.IndexByte(window[scanned:], '\n'); i >= 0 {
			line := bytes.TrimSuffix(window[:scanned+i], lineDot[:1])
			if len(line) > maxReplyLine {
				return nil, errLineTooLong
			}
			r.pos += scanned + i + 1
			return line, nil
		}
		scanned = len(window)
		if scanned > maxReplyLine+1 { // a CR may be the last of them
			return nil, errLineTooLong
		}
		if err := r.more(); err != nil {
			if err == io.EOF && scanned > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

var errLineTooLong = fmt.Errorf("line of more than %d octets", maxReplyLine)

// beginData starts a dot-stuffed block (RFC 1939 section 3). The line end of
// the status line serves as the first CRLF of the termination line, so an
// empty block is ".\r\n".
func (r *reader) beginData() { r.bol = true }

var lineDot = []byte("\r\n.")

// data returns the next octets of a block, dot-stuffing undone, or io.EOF
// after its termination line. It looks for CRLF.CRLF only, at any split of the
// input: a CR at the end of the buffer waits for its neighbour.
func (r *reader) data() ([]byte, error) {
	for {
		window := r.unread()
		if r.bol && len(window) > 0 {
			if window[0] != '.' {
				r.bol = false
				continue
			}
			switch {
			case bytes.HasPrefix(window, []byte(".\r\n")):
				r.pos += 3
				return nil, io.EOF
			case len(window) >= 2 && window[1] != '\r', len(window) >= 3:
				r.pos++ // stuffed: the line goes on behind the dot
				r.bol = false
				continue
			}
		} else if chunk := plainData(window); len(chunk) > 0 {
			r.pos += len(chunk)
			r.given += int64(len(chunk))
			r.bol = bytes.HasSuffix(chunk, lineDot[:2])
			return chunk, nil
		}
		if err := r.more(); err != nil {
			if errors.Is(err, io.EOF) { // io.EOF is kept for a proper end
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// plainData returns the part of window, which does not begin a line, that can
// be passed on: up to and with a CRLF that a dot follows, else all but a final CR.
func plainData(window []byte) []byte {
	if i := bytes.Index(window, lineDot); i >= 0 {
		return window[:i+2]
	}
	return bytes.TrimSuffix(window, lineDot[:1])
}

// rawTCP finds the TCP connection below conn, nil where there is none.
func rawTCP(conn net.Conn) *net.TCPConn {
	for {
		switch c := conn.(type) {
		case *net.TCPConn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
