package sinks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-mbox"
)

// The text of an archive is mboxrd with LF line ends:
//
//	From_ line, LF
//	the message, CRLF as LF, one '>' before each line that matches ^>*From ,
//	    without its final line end
//	LF, LF
//
// Every entry is written by go-mbox, one mbox.Writer for each message because
// only its Close ends one. On its own it would write mboxo, which cannot be
// reversed, and one blank line too many; so lines matching ^>+From are quoted
// here and the final line end is withheld. The entry then says everything
// about the message but whether it had that line end, which the place
// remembers, and whether an LF had its CR; see mboxrdEncoder.bareLF.

// Bounds of what is handed to go-mbox, which holds each write and each
// unfinished line in memory, and is quadratic in the latter.
const (
	maxLine  = 64 << 10 // a message with a longer line goes past it
	maxWrite = 1 << 10  // about so much in one write, always whole lines: for each message go-mbox makes a buffer anew
)

// mboxrdEncoder writes one message as one entry. Octets of the wire form are
// written to it in any portions; Close ends the entry. After the first error
// it is good for nothing.
type mboxrdEncoder struct {
	out   io.Writer
	box   *mbox.Writer
	lines io.Writer    // of box: takes whole lines
	plain *plainMboxrd // takes over for the rest of a message with a line over maxLine

	last       []byte // what came of the last line, with its line end if that came
	octets     int64  // of the wire form so far
	announced  int64  // how many there are to be; more are refused as soon as they come
	bareLF     bool   // the entry cannot tell the wire form: an LF had no CR
	noFinalEOL bool   // set by Close
}

// start begins an entry in out.
func (e *mboxrdEncoder) start(out io.Writer, env Envelope) error {
	*e = mboxrdEncoder{out: out, last: e.last[:0]}
	e.box = mbox.NewWriter(out)
	sender, date := fromLine(env)
	var err error
	e.lines, err = e.box.CreateMessage(sender, date)
	return err
}

// fromLine returns what stands in a From_ line. It is never part of a message
// and must hold nothing that a reader could take for one.
func fromLine(env Envelope) (sender string, date time.Time) {
	sender, date = env.Sender, env.Received.UTC()
	if sender == "" || len(sender) > 254 {
		sender = "MAILER-DAEMON"
	}
	for i := range len(sender) {
		if c := sender[i]; c <= ' ' || c >= 0x7f {
			sender = "MAILER-DAEMON"
			break
		}
	}
	if env.Received.IsZero() || date.Year() < 1000 || date.Year() > 9999 {
		date = time.Unix(0, 0) // has the width that readers expect, as no such year has
	}
	return sender, date
}

func (e *mboxrdEncoder) Write(p []byte) (int, error) {
	e.octets += int64(len(p))
	if e.octets > e.announced {
		return 0, errAnnounced
	}
	if err := e.split(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

var errAnnounced = errors.New("message has other than the octets it was announced with")

// split passes on all lines but the last, which may not be complete, or may be
// the message's last.
func (e *mboxrdEncoder) split(p []byte) error {
	if n := len(e.last); n > 0 && len(p) > 0 {
		if e.last[n-1] != '\n' {
			i := bytes.IndexByte(p, '\n') + 1
			if i == 0 || i == len(p) {
				return e.keep(p)
			}
			if err := e.keep(p[:i]); err != nil {
				return err
			}
			p = p[i:]
		}
		if err := e.pass(e.last); err != nil {
			return err
		}
		e.last = e.last[:0]
	}
	i := bytes.LastIndexByte(p[:max(0, len(p)-1)], '\n') + 1
	if err := e.pass(p[:i]); err != nil {
		return err
	}
	return e.keep(p[i:])
}

// keep appends to the last line.
func (e *mboxrdEncoder) keep(p []byte) error {
	if e.plain == nil && len(e.last)+len(p) <= maxLine {
		e.last = append(e.last, p...)
		return nil
	}
	last := e.last
	e.last = e.last[:0]
	if err := e.goPast(last); err != nil {
		return err
	}
	return e.goPast(p)
}

// pass hands whole lines to go-mbox, or past it once one is too long.
func (e *mboxrdEncoder) pass(lines []byte) error {
	if e.plain != nil {
		return e.goPast(lines)
	}
	begin := 0 // of what was not handed on yet
	for at := 0; at < len(lines); {
		end := bytes.IndexByte(lines[at:], '\n') + 1 + at
		if end == at { // the message's last line, its end withheld
			end = len(lines)
		} else if end-at < 2 || lines[end-2] != '\r' {
			e.bareLF = true
		}
		quote := isQuotedFrom(lines[at:end])
		if quote || at-begin > maxWrite || end-at > maxLine {
			if err := e.hand(lines[begin:at]); err != nil {
				return err
			}
			begin = at
		}
		if end-at > maxLine {
			return e.goPast(lines[at:])
		}
		if quote {
			if err := e.hand([]byte{'>'}); err != nil {
				return err
			}
		}
		at = end
	}
	return e.hand(lines[begin:])
}

func (e *mboxrdEncoder) hand(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := e.lines.Write(p)
	return err
}

// goPast writes past go-mbox, which is left, at the start of a line where it
// holds nothing back, for the rest of the message.
func (e *mboxrdEncoder) goPast(p []byte) error {
	if e.plain == nil {
		e.plain = &plainMboxrd{out: e.out}
	}
	_, err := e.plain.Write(p)
	return err
}

// isQuotedFrom tells whether a line matches ^>+From .
func isQuotedFrom(line []byte) bool {
	i := 0
	for i < len(line) && line[i] == '>' {
		i++
	}
	return i > 0 && bytes.HasPrefix(line[i:], fromPrefix)
}

var fromPrefix = []byte("From ")

// Close ends the entry.
func (e *mboxrdEncoder) Close() error {
	if e.plain != nil {
		err := e.plain.Close()
		e.bareLF = e.bareLF || e.plain.bareLF
		e.noFinalEOL = e.plain.noFinalEOL
		return err
	}
	rest, hasLF := bytes.CutSuffix(e.last, []byte("\n"))
	e.noFinalEOL = !hasLF
	if hasLF {
		var hasCR bool
		rest, hasCR = bytes.CutSuffix(rest, []byte("\r"))
		e.bareLF = e.bareLF || !hasCR
	}
	if err := e.pass(rest); err != nil {
		return err
	}
	return e.box.Close()
}

// encodeMessage writes a whole message as an entry to out and checks that it
// has the octets it was announced with.
func (e *mboxrdEncoder) encodeMessage(out io.Writer, m *Message) error {
	body, err := m.Open()
	if err != nil {
		return fmt.Errorf("read message: %w", err)
	}
	defer body.Close()
	if err := e.start(out, m.Envelope); err != nil {
		return err
	}
	e.announced = m.Octets
	if _, err := io.Copy(e, body); err != nil {
		return fmt.Errorf("read message: %w", err)
	}
	if e.octets != m.Octets {
		return errAnnounced
	}
	return e.Close()
}
