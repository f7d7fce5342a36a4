package sinks

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"popmigrate/internal/durable"
)

// maxIndexLine bounds a line; what goes into one is bounded far below it.
const maxIndexLine = 64 << 10 // 64 KiB

// indexCheck goes through the index of a segment beside its copies, which are
// to stand in it in the order they lie.
type indexCheck struct {
	v      *mboxInspection
	name   string
	newest bool // of the segments; a crash may have cost its index the last lines
	file   durable.File
	lines  *bufio.Reader
	line   int  // number of the last line read
	ended  bool // nothing is compared any more
}

const rebuilt = "nothing is lost by it: popmigrate run --repair makes the index anew"

func openIndexCheck(v *mboxInspection, s *segmentCheck) *indexCheck {
	x := &indexCheck{v: v, name: indexName(s.name), newest: s.number == v.newest}
	file, err := v.fsys.OpenFile(v.path(x.name), os.O_RDONLY, 0)
	switch {
	case err == nil:
		x.file, x.lines = file, v.lines
		x.lines.Reset(file)
	case isAbsent(err):
		x.short("the index is missing")
	default:
		x.unreadable(err)
	}
	return x
}

func (x *indexCheck) close() {
	if x.file != nil {
		x.file.Close() // only read from
	}
}

// short ends the check where lines are missing at the end.
func (x *indexCheck) short(what string) {
	x.ended = true
	if x.newest {
		x.v.note(x.name, what+"; a crash may have cost them, and the next run writes them again")
	} else {
		x.wrong("%s", what)
	}
}

func (x *indexCheck) wrong(format string, args ...any) {
	x.v.derived(x.name, fmt.Sprintf(format, args...)+"; "+rebuilt)
}

func (x *indexCheck) unreadable(err error) {
	x.ended = true
	x.v.found(Finding{File: x.v.path(x.name), Err: &Error{Op: "verify", Object: x.v.path(x.name), Err: err}})
}

// next returns the next line without its line end, nil where there is none.
func (x *indexCheck) next() []byte {
	line, err := x.lines.ReadSlice('\n')
	x.line++
	bare, whole := bytes.CutSuffix(line, []byte{'\n'})
	switch {
	case whole:
		return bare
	case err == io.EOF && len(line) == 0:
	case err == io.EOF:
		x.short(fmt.Sprintf("line %d is not complete", x.line))
	case errors.Is(err, bufio.ErrBufferFull):
		x.ended = true
		x.wrong("line %d does not end", x.line)
	default:
		x.unreadable(err)
	}
	return nil
}

// compare wants the next line to be that of c. Where c was read, read holds
// the whole line; what a line says besides is known from the ledger, but for
// the unique-id, which is the one that the message had when it was stored. It
// returns the Message-ID in the line, "" where there is no sound one.
func (x *indexCheck) compare(c *placedCopy, read *readCopy) (messageID string) {
	if x.ended {
		return ""
	}
	line := x.next()
	if line == nil {
		if !x.ended {
			x.short(fmt.Sprintf("message %d and those after it are not listed", c.Ordinal))
		}
		return ""
	}
	l, p, err := parseLine(line)
	switch {
	case err != nil:
		x.wrong("line %d, of message %d: %v", x.line, c.Ordinal, err)
		return ""
	case p != c.place:
		x.ended = true
		x.wrong("line %d is about %s, where message %d at %s should be listed", x.line, p.where(), c.Ordinal, c.Where)
		return ""
	}
	want := l
	if read != nil && read.line.Segment != "" {
		want = read.line
	}
	want.Ordinal, want.Octets, want.SHA256, want.Session, want.UniqueID = c.Ordinal, c.Octets, c.Digest, c.Session, l.UniqueID
	if written := want.appendTo(nil); !sameLine(bytes.TrimSuffix(written, []byte{'\n'}), line) {
		x.wrong("line %d, of message %d, does not say what the ledger and the message say", x.line, c.Ordinal)
	}
	return l.MessageID
}

// sameLine tells whether a line says what it should. Octets of a unique-id
// that are no text are written as an escape, and read as the character that it
// stands for, which is written as itself: then the two differ in form, and so
// in their checksums, which were looked at before.
func sameLine(written, line []byte) bool {
	if bytes.Equal(written, line) {
		return true
	}
	meant := func(line []byte) []byte {
		body, _, _ := bytes.Cut(line, []byte(sealField))
		return bytes.ReplaceAll(body, []byte(`\ufffd`), []byte("\ufffd"))
	}
	return bytes.Contains(line, []byte(`\ufffd`)) && bytes.Equal(meant(written), meant(line))
}

// end wants the index to end.
func (x *indexCheck) end() {
	if x.ended {
		return
	}
	switch line := x.next(); {
	case line == nil:
	case x.newest: // a run may be at work
		x.v.note(x.name, fmt.Sprintf("line %d and those after it are about nothing that was committed when the ledger was read", x.line))
	default:
		x.wrong("line %d and those after it are about nothing that the ledger has committed", x.line)
	}
}

// IndexCopies yields the copies that the indexes in dir list, so that an
// archive can be verified without its ledger. A line that cannot be read
// yields an error and the sequence goes on; where a file cannot be read it ends.
func IndexCopies(fsys durable.FS, dir string) iter.Seq2[Copy, error] {
	cfg := MboxConfig{FS: fsys, Dir: dir}
	return func(yield func(Copy, error) bool) {
		entries, err := durable.ReadDir(fsys, dir)
		if err != nil {
			yield(Copy{}, &Error{Op: "read index", Object: dir, Err: err})
			return
		}
		var names []string
		for _, e := range entries {
			if _, ok := indexNumber(e.Name()); ok {
				names = append(names, e.Name())
			}
		}
		slices.Sort(names)
		for _, name := range names {
			if !yieldIndex(cfg, name, yield) {
				return
			}
		}
	}
}

func yieldIndex(cfg MboxConfig, name string, yield func(Copy, error) bool) bool {
	file, err := cfg.FS.OpenFile(cfg.path(name), os.O_RDONLY, 0)
	if err != nil {
		yield(Copy{}, &Error{Op: "read index", Object: cfg.path(name), Err: err})
		return false
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxIndexLine)
	for n := 1; lines.Scan(); n++ {
		l, p, err := parseLine(lines.Bytes())
		c := Copy{Ordinal: l.Ordinal, UniqueID: l.UniqueID, Session: l.Session, Octets: l.Octets, Digest: l.SHA256, Where: p.where()}
		if err == nil && indexName(p.segment) != name {
			err = fmt.Errorf("it is about %s", p.segment)
		}
		if err != nil {
			c, err = Copy{}, &Error{Op: "read index", Object: cfg.path(name), Err: fmt.Errorf("%w: line %d: %w", ErrDamaged, n, err)}
		}
		if !yield(c, err) {
			return false
		}
	}
	if err := lines.Err(); err != nil {
		yield(Copy{}, &Error{Op: "read index", Object: cfg.path(name), Err: err})
		return false
	}
	return true
}
