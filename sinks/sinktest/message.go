// Package sinktest holds the one suite that every sink passes, the messages
// it uses, and a small ledger that stands in for the real one. It is to
// package sinks what testing/fstest is to io/fs.
package sinktest

import (
	"bytes"
	"io"
	"time"

	"popmigrate/internal/digest"
	"popmigrate/sinks"
)

// Received is the received time that [Message] puts into every envelope.
var Received = time.Date(2003, time.July, 14, 9, 26, 53, 0, time.UTC)

// Option changes a message that [Message] builds.
type Option func(*sinks.Message)

// Ordinal sets the ledger's number of the message.
func Ordinal(n int64) Option { return func(m *sinks.Message) { m.Ordinal = n } }

// Occurrence sets which one of several messages of equal content it is.
func Occurrence(n int) Option { return func(m *sinks.Message) { m.Occurrence = n } }

// ReceivedAt sets the envelope's received time.
func ReceivedAt(t time.Time) Option { return func(m *sinks.Message) { m.Received = t } }

// To sets the envelope's recipients.
func To(recipients ...string) Option {
	return func(m *sinks.Message) { m.Recipients = recipients }
}

// Message returns a complete message of the given wire form, with digest,
// octets and traits that agree with it. Without options it is the first
// message of its maildrop.
func Message(content []byte, options ...Option) sinks.Message {
	m := sinks.Message{
		Ordinal:  1,
		UniqueID: "uid-" + digest.Of(content).String()[:16],
		Session:  "session-1",
		Envelope: sinks.Envelope{
			Sender:     "sender@example.org",
			Recipients: []string{"alice@example.net"},
			Received:   Received,
		},
		Traits: TraitsOf(content),
		Octets: int64(len(content)),
		Digest: digest.Of(content),
		Open: func() (io.ReadCloser, error) {
			return body{bytes.NewReader(content)}, nil
		},
	}
	for _, o := range options {
		o(&m)
	}
	return m
}

// body is an open message; like every body it implements io.WriterTo.
type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

// TraitsOf reads the traits off a wire form, one octet at a time: slow, and
// simple enough to judge faster code by.
func TraitsOf(content []byte) sinks.Traits {
	var t sinks.Traits
	var line, previous = int64(0), byte(0)
	for i, c := range content {
		next := byte(0)
		if i+1 < len(content) {
			next = content[i+1]
		}
		switch {
		case c == '\n' && previous != '\r':
			t.BareLF = true
		case c == '\r' && next != '\n':
			t.BareCR = true
		case c == 0:
			t.NUL = true
		case c > 127:
			t.EightBit = true
		}
		if c == '\n' || c == '\r' && next == '\n' {
			t.LongestLine, line = max(t.LongestLine, line), 0
		} else {
			line++
		}
		previous = c
	}
	t.LongestLine = max(t.LongestLine, line)
	t.NoFinalEOL = len(content) > 0 && !bytes.HasSuffix(content, []byte("\r\n"))
	return t
}
