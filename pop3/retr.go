package pop3

import (
	"context"
	"errors"
	"io"
	"iter"
	"strconv"
)

// Message is a message on the wire, in the reply to RETR or TOP. It is read
// once, in its turn: the next step of the sequence that yielded it reads what
// was left of it.
type Message struct {
	Number    Number
	Announced int64 // octets that the status line mentions, advisory; -1 where it has none

	c       *Client
	keyword string
	rest    []byte // taken from the wire but not by Read yet
	err     error
}

// Retrieve sends RETR for each number (RFC 1939 section 5), pipelined when it
// may be, and yields the messages in that order. Of the yielded errors a
// *ReplyError (-ERR) concerns one message, whose Number is set, and the
// sequence goes on; any other error ends it and the connection is broken.
// Leaving the loop early breaks the connection, too, with commands outstanding
// or much of a message unread.
func (c *Client) Retrieve(ctx context.Context, numbers iter.Seq[Number]) iter.Seq2[*Message, error] {
	return fly(ctx, c, "RETR", "", numbers, c.receive("RETR"), (*Message).skip)
}

// receive returns what begins the data behind a status line.
func (c *Client) receive(keyword string) func(Number, []byte, error) (*Message, error) {
	return func(number Number, text []byte, err error) (*Message, error) {
		m := &Message{Number: number, Announced: announced(text), c: c, keyword: keyword}
		if err != nil {
			m.err = io.EOF // no data follows
			return m, err
		}
		c.r.beginData()
		if keyword == "TOP" {
			c.patience(c.timeouts.Top)
		} else {
			c.patience(c.timeouts.Data)
		}
		return m, nil
	}
}

// announced finds the octets in "+OK 120 octets".
func announced(text []byte) int64 {
	n, _, ok := leadingInt(text)
	if !ok {
		return -1
	}
	return n
}

// chunk returns the next octets as they lie in the receive buffer.
func (m *Message) chunk() ([]byte, error) {
	if m.err != nil {
		return nil, m.err
	}
	chunk, err := m.c.r.data()
	if err == io.EOF {
		m.c.patience(m.c.timeouts.Command)
		m.err = io.EOF
	} else if err != nil {
		m.err = m.c.breakWith(numbered(m.keyword, m.Number), err)
	}
	return chunk, m.err
}

// Read reads the message's octets, dot-stuffing undone. It returns io.EOF only
// after the termination line; a line that closed before is io.ErrUnexpectedEOF.
func (m *Message) Read(p []byte) (int, error) {
	if len(m.rest) == 0 {
		chunk, err := m.chunk()
		if err != nil {
			return 0, err
		}
		m.rest = chunk
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// WriteTo writes the octets to w as they arrive, without copying them.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for chunk := m.rest; ; {
		if len(chunk) > 0 {
			n, err := w.Write(chunk)
			total += int64(n)
			if err == nil && n < len(chunk) {
				err = io.ErrShortWrite
			}
			if err != nil {
				m.rest = chunk[n:]
				return total, err
			}
		}
		m.rest = nil
		var err error
		if chunk, err = m.chunk(); err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
	}
}

// skip reads what is left. For a consumer who leaves it reads no more than
// maxSkipped octets: the message may be what he cannot take, or have no end.
func (m *Message) skip(leaving bool) error {
	for left := maxSkipped; ; {
		chunk, err := m.chunk()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if left -= len(chunk); leaving && left < 0 {
			m.err = m.c.breakWith(numbered(m.keyword, m.Number), errors.New("left in the middle of the message"))
			return m.err
		}
	}
}

func numbered(keyword string, number Number) string {
	return keyword + " " + strconv.Itoa(int(number))
}
