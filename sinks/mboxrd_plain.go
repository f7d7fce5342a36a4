package sinks

import (
	"bytes"
	"io"
)

// plainMboxrd writes the octets that mboxrdEncoder writes, without go-mbox and
// in constant memory however long a line is. It begins at the start of a line;
// the From_ line is written already.
type plainMboxrd struct {
	out io.Writer

	inLine  bool  // past the point where a line may prove to need a quote
	angles  int64 // '>' at the start of this line, not written yet
	matched int   // octets of "From " after them, not written yet
	cr, lf  bool  // the last octets seen, not written yet: CR, CRLF or LF

	bareLF     bool
	noFinalEOL bool // set by Close
	err        error
}

func (w *plainMboxrd) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 && w.err == nil {
		if w.lf {
			w.put(lineFeed)
			w.lf = false
		}
		if w.inLine {
			p = w.middle(p)
		} else {
			p = w.begin(p)
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return written, nil
}

var (
	lineFeed       = []byte("\n")
	carriageReturn = []byte("\r")
)

// begin takes one octet from the start of a line and decides whether to quote
// as soon as it can tell. It counts '>' rather than keeping them.
func (w *plainMboxrd) begin(p []byte) []byte {
	switch c := p[0]; {
	case c == '>' && w.matched == 0:
		w.angles++
	case c == fromPrefix[w.matched]:
		if w.matched++; w.matched == len(fromPrefix) {
			w.put(angles[:1])
			w.decided()
		}
	default:
		w.decided()
		return p
	}
	return p[1:]
}

var angles = bytes.Repeat([]byte{'>'}, 4096)

// decided writes what begin held back.
func (w *plainMboxrd) decided() {
	for w.angles > 0 {
		n := min(w.angles, int64(len(angles)))
		w.put(angles[:n])
		w.angles -= n
	}
	w.put(fromPrefix[:w.matched])
	w.matched = 0
	w.inLine = true
}

// middle takes octets up to a line end or to the end of p.
func (w *plainMboxrd) middle(p []byte) []byte {
	if w.cr && p[0] != '\n' {
		w.put(carriageReturn)
		w.cr = false
	}
	line, rest, found := bytes.Cut(p, lineFeed)
	if trimmed, hasCR := bytes.CutSuffix(line, carriageReturn); hasCR {
		line, w.cr = trimmed, true
	}
	w.put(line)
	if found {
		w.bareLF = w.bareLF || !w.cr
		w.cr, w.lf, w.inLine = false, true, false
	}
	return rest
}

func (w *plainMboxrd) put(p []byte) {
	if w.err == nil && len(p) > 0 {
		_, w.err = w.out.Write(p)
	}
}

// Close ends the entry: a final line end is left out, and two LF follow.
func (w *plainMboxrd) Close() error {
	w.noFinalEOL = !w.lf
	if !w.lf {
		w.decided()
		if w.cr {
			w.put(carriageReturn)
		}
	}
	w.put([]byte("\n\n"))
	return w.err
}
