package sinks

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"io"
)

// mboxrdDecoder turns one entry back into the message, refusing everything
// that the encoder would not have written. It shares no code with the
// encoder: what the two agree on was said twice.
//
// The entry's text is written to it in any portions. It gives the wire form
// to wire, in large portions, and the LF form (each CRLF as LF) to lf.
type mboxrdDecoder struct {
	wire io.Writer
	lf   hash.Hash // may be nil

	left       int64 // octets of the entry that did not come yet
	noFinalEOL bool

	state   decodeState
	head    []byte // of the From_ line, while in it
	angles  int64  // '>' at the start of a line whose nature the next portion tells
	partial int    // octets of "From " after them
	tail    int    // octets of the two final LF that came
	lastLF  bool   // the message's last octet so far is an LF
	octets  int64  // of the wire form so far
	out     []byte // wire octets on their way
}

type decodeState int

const (
	inSeparator decodeState = iota
	atLineStart
	inLine
)

const (
	maxSeparator = 5 + 254 + 1 + 24 // "From ", sender, space, date
	wirePortion  = 32 << 10
)

// Reasons for which an entry is refused.
var (
	errSeparator = errors.New("entry does not start with a From_ line")
	errUnquoted  = errors.New("entry holds an unquoted From_ line")
	errEntryEnd  = errors.New("entry does not end with its line end and a blank line")
	errEntryCut  = errors.New("entry is cut")
)

// start begins an entry of that many octets of text.
func (d *mboxrdDecoder) start(octets int64, noFinalEOL bool, wire io.Writer, lf hash.Hash) {
	*d = mboxrdDecoder{wire: wire, lf: lf, left: octets, noFinalEOL: noFinalEOL, head: d.head[:0], out: d.out[:0]}
	if d.out == nil {
		d.out = make([]byte, 0, wirePortion+1024)
	}
}

func (d *mboxrdDecoder) Write(p []byte) (int, error) {
	if int64(len(p)) > d.left {
		return 0, errors.New("text after the end of the entry")
	}
	text := p
	if d.state == inSeparator {
		var err error
		if text, err = d.separator(text); err != nil {
			return 0, err
		}
	}
	// What follows the message: its withheld line end, or an LF in place of
	// one that was not there, and the blank line.
	end := int64(1)
	if d.noFinalEOL {
		end = 2
	}
	after := d.left - int64(len(p)) // octets of the entry that this portion leaves
	cut := len(text)
	if surplus := end - after; surplus > 0 {
		cut = max(0, cut-int(surplus))
	}
	if err := d.message(text[:cut]); err != nil {
		return 0, err
	}
	for _, c := range text[cut:] {
		if c != '\n' {
			return 0, errEntryEnd
		}
		d.tail++
	}
	d.left = after
	return len(p), nil
}

// separator takes the From_ line off.
func (d *mboxrdDecoder) separator(text []byte) ([]byte, error) {
	line, rest, found := bytes.Cut(text, []byte{'\n'})
	d.head = append(d.head, line[:min(len(line), maxSeparator+1)]...)
	if len(d.head) > maxSeparator {
		return nil, errSeparator
	}
	if !found {
		return nil, nil
	}
	words, isFrom := bytes.CutPrefix(d.head, []byte("From "))
	sender, date, _ := bytes.Cut(words, []byte{' '})
	if !isFrom || len(sender) == 0 || len(date) != 24 {
		return nil, errSeparator
	}
	d.state = atLineStart
	return rest, nil
}

// message takes text of the message itself. Runs that hold no quote, mostly
// the whole portion, are passed on at once.
func (d *mboxrdDecoder) message(text []byte) error {
	run := 0
	for at := 0; at < len(text); {
		if d.state == atLineStart {
			if d.angles > 0 || d.partial > 0 {
				n, err := d.resume(text[at:])
				if err != nil {
					return err
				}
				at += n
				run = at
				continue
			}
			skip, decided, err := prefixOf(text[at:])
			if err != nil {
				return err
			}
			if !decided || skip > 0 {
				if err := d.emit(text[run:at]); err != nil {
					return err
				}
				run = at + skip
			}
			if !decided { // the portion ends within the prefix
				d.hold(text[at:])
				return nil
			}
			d.state = inLine
		}
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
		d.state = atLineStart
	}
	return d.emit(text[min(run, len(text)):])
}

// prefixOf looks at the start of a line: one '>' is to be skipped where it
// was quoted. It is undecided where text is too short to tell.
func prefixOf(text []byte) (skip int, decided bool, err error) {
	if text[0] != '>' && text[0] != 'F' {
		return 0, true, nil
	}
	angles := 0
	for angles < len(text) && text[angles] == '>' {
		angles++
	}
	rest := text[angles:]
	switch from := "From "; {
	case len(rest) >= len(from) && string(rest[:len(from)]) == from:
		if angles == 0 {
			return 0, false, errUnquoted
		}
		return 1, true, nil
	case len(rest) < len(from) && string(rest) == from[:len(rest)]:
		return 0, false, nil
	}
	return 0, true, nil
}

// hold remembers, by counts, the start of a line that is not decided.
func (d *mboxrdDecoder) hold(text []byte) {
	for _, c := range text {
		if c == '>' {
			d.angles++
		} else {
			d.partial++
		}
	}
}

// resume goes on with a line start that an earlier portion left undecided and
// returns how many octets it took.
func (d *mboxrdDecoder) resume(text []byte) (int, error) {
	const from = "From "
	n := 0
	for ; n < len(text) && d.partial < len(from); n++ {
		if d.partial == 0 && text[n] == '>' {
			d.angles++
		} else if text[n] == from[d.partial] {
			d.partial++
		} else {
			return n, d.release()
		}
	}
	if d.partial < len(from) {
		return n, nil
	}
	if d.angles == 0 {
		return n, errUnquoted
	}
	d.angles--
	return n, d.release()
}

// release passes on the start of a line that was held.
func (d *mboxrdDecoder) release() error {
	for ; d.angles > 0; d.angles -= min(d.angles, 64) {
		if err := d.emit([]byte(run64)[:min(d.angles, 64)]); err != nil {
			return err
		}
	}
	err := d.emit([]byte("From "[:d.partial]))
	d.partial, d.state = 0, inLine
	return err
}

const run64 = ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>"

// emit passes on a part of the LF form.
func (d *mboxrdDecoder) emit(lf []byte) error {
	if len(lf) == 0 {
		return nil
	}
	d.lastLF = lf[len(lf)-1] == '\n'
	if d.lf != nil {
		d.lf.Write(lf)
	}
	for len(lf) > 0 {
		line, rest, found := bytes.Cut(lf, []byte{'\n'})
		if len(line) >= wirePortion { // no need to copy it
			if err := d.flush(); err != nil {
				return err
			}
			if err := d.give(line); err != nil {
				return err
			}
		} else {
			d.out = append(d.out, line...)
		}
		if found {
			d.out = append(d.out, '\r', '\n')
		}
		if len(d.out) >= wirePortion {
			if err := d.flush(); err != nil {
				return err
			}
		}
		lf = rest
	}
	return nil
}

func (d *mboxrdDecoder) flush() error {
	err := d.give(d.out)
	d.out = d.out[:0]
	return err
}

func (d *mboxrdDecoder) give(wire []byte) error {
	if len(wire) == 0 {
		return nil
	}
	d.octets += int64(len(wire))
	_, err := d.wire.Write(wire)
	return err
}

// Close gives out the rest of the message and tells whether the entry was whole.
func (d *mboxrdDecoder) Close() error {
	if d.left > 0 || d.state == inSeparator {
		return errEntryCut
	}
	if d.angles > 0 || d.partial > 0 { // a last line such as ">" or "From"
		if err := d.release(); err != nil {
			return err
		}
	}
	want := 1
	if d.noFinalEOL {
		want = 2
	}
	if d.tail != want || d.lastLF == d.noFinalEOL {
		return errEntryEnd
	}
	if err := d.flush(); err != nil {
		return fmt.Errorf("pass on message: %w", err)
	}
	return nil
}
