package pop2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Message is a message on the wire: exactly as many octets as were announced,
// as they are. Io.EOF comes after the last of them; a line that ends before is
// io.ErrUnexpectedEOF, and the connection is broken.
type Message struct {
	client *Client
	ctx    context.Context
	left   int64
	given  int64
	begun  time.Time
}

// Read implements [io.Reader].
func (m *Message) Read(p []byte) (int, error) {
	c := m.client
	switch {
	case c.broken != nil:
		return 0, c.broken
	case m.left == 0:
		return 0, io.EOF
	}
	until := time.Now().Add(c.timeouts.Data)
	if latest := m.begun.Add(c.timeouts.Data + time.Duration(m.given/minOctetRate)*time.Second); latest.Before(until) {
		until = latest
	}
	defer c.bound(m.ctx, until)()
	n, err := c.r.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	m.given += int64(n)
	if n > 0 {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return 0, c.fail(fmt.Errorf("RETR: %d octets are missing: %w", m.left, cause(m.ctx, err)))
}

// WriteTo implements [io.WriterTo].
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{m}, make([]byte, receiveBuffer))
}
