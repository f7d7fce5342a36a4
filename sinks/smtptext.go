package sinks

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"
)

const notTransportable = "not transportable: "

// maxSMTPLine is the longest line that RFC 5321 4.5.3.1.6 lets pass, without
// its line end.
const maxSMTPLine = 998

// smtpUnfit says why a message cannot be delivered by any server; "" if it can.
func smtpUnfit(message *Message) string {
	if len(message.Recipients) == 0 {
		return "no recipient"
	}
	for _, recipient := range message.Recipients {
		if err := checkSMTPPath(recipient); err != nil {
			return fmt.Sprintf("recipient %q: %v", quoteSMTP(recipient), err)
		}
	}
	var reasons []string
	add := func(unfit bool, reason string) {
		if unfit {
			reasons = append(reasons, reason)
		}
	}
	add(message.BareLF, "bare LF")
	add(message.BareCR, "bare CR")
	add(message.NUL, "NUL")
	add(message.LongestLine > maxSMTPLine, fmt.Sprintf("a line of %d octets", message.LongestLine))
	add(message.NoFinalEOL, "no final line end")
	if reasons == nil {
		return ""
	}
	return notTransportable + strings.Join(reasons, ", ")
}

// checkSMTPPath keeps out of a command what would not be one argument of it.
func checkSMTPPath(address string) error {
	if address == "" {
		return errors.New("empty")
	}
	for i := 0; i < len(address); i++ {
		if c := address[i]; c <= ' ' || c == 0x7f || c == '<' || c == '>' {
			return fmt.Errorf("octet %#x is not allowed in an address", c)
		}
	}
	return nil
}

func smtpASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] > 0x7f {
			return false
		}
	}
	return true
}

// errSMTPWire says that octets did not keep what the message's traits promised.
var errSMTPWire = errors.New("the octets are not lines of text that SMTP carries unchanged")

// smtpText is the way of a message's octets to the server. It hashes them,
// and lets nothing pass that go-smtp's writer would alter: that adds CR to a
// bare LF and a final line end. The traits should have told; this is the last
// place to find that they did not.
type smtpText struct {
	line *smtpLine
	to   io.Writer
	wait time.Duration // for the server to take a piece

	octets  int64
	hash    hash.Hash
	last    byte
	column  int   // octets since the line began, CR included
	lineErr error // of the connection, as against the message's
}

// smtpPiece is the most that is sent under one deadline, in octets.
const smtpPiece = 32 << 10

func newSMTPText(line *smtpLine, to io.Writer, wait time.Duration) *smtpText {
	return &smtpText{line: line, to: to, wait: wait, hash: sha256.New()}
}

func (t *smtpText) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		piece := p[:min(len(p), smtpPiece)]
		if !t.passes(piece) {
			return written, errSMTPWire
		}
		t.hash.Write(piece)
		t.line.SetWriteDeadline(time.Now().Add(t.wait))
		n, err := t.to.Write(piece)
		written += n
		t.octets += int64(n)
		if err != nil {
			t.lineErr = err
			return written, err
		}
		p = p[len(piece):]
	}
	return written, nil
}

// passes tells whether a piece goes on in well-formed lines.
func (t *smtpText) passes(piece []byte) bool {
	if bytes.IndexByte(piece, 0) >= 0 {
		return false
	}
	for len(piece) > 0 {
		if t.last == '\r' && piece[0] != '\n' {
			return false
		}
		end := bytes.IndexAny(piece, "\r\n")
		if end < 0 {
			end = len(piece) - 1
		}
		if piece[end] == '\n' && (end > 0 || t.last != '\r') {
			return false
		}
		t.column += end + 1
		if piece[end] == '\n' {
			t.column = 0
		}
		t.last = piece[end]
		if t.column > maxSMTPLine+1 {
			return false
		}
		piece = piece[end+1:]
	}
	return true
}

// matches returns an error unless exactly the message's octets were written.
func (t *smtpText) matches(message *Message) error {
	var digest Digest
	t.hash.Sum(digest[:0])
	switch {
	case t.octets != message.Octets:
		return fmt.Errorf("read %d octets, not %d", t.octets, message.Octets)
	case digest != message.Digest:
		return fmt.Errorf("read octets of sha256 %v, not %v", digest, message.Digest)
	case t.octets > 0 && t.column != 0:
		return errSMTPWire
	}
	return nil
}
