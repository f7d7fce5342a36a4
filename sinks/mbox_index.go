package sinks

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"

	"popmigrate/internal/durable"
	"popmigrate/internal/header"
)

// indexLine is one message in an index. The order of the fields is part of
// the format: a line is recognized by how it begins.
type indexLine struct {
	Segment   string   `json:"segment"`
	Frame     [2]int64 `json:"frame"` // offset and length in the segment
	At        [2]int64 `json:"at"`    // offset and length in the decompressed frame
	Raw       bool     `json:"raw,omitempty"`
	NoEOL     bool     `json:"no_eol,omitempty"`
	Ordinal   int64    `json:"ordinal"`
	UniqueID  string   `json:"unique_id"`
	Octets    int64    `json:"octets"`
	SHA256    Digest   `json:"sha256"`
	SHA256LF  Digest   `json:"sha256_lf"`
	MessageID string   `json:"message_id"`
	Date      string   `json:"date"`
	From      string   `json:"from"`
	Session   string   `json:"session"`
}

func lineOf(m *Message, p place, lf Digest) indexLine {
	return indexLine{
		Segment: p.segment, Frame: [2]int64{p.frame.at, p.frame.len}, At: [2]int64{p.text.at, p.text.len}, Raw: p.raw, NoEOL: p.noEOL,
		Ordinal: m.Ordinal, UniqueID: m.UniqueID, Octets: m.Octets, SHA256: m.Digest, SHA256LF: lf,
		MessageID: m.MessageID, Date: m.Date, From: m.From, Session: m.Session,
	}
}

// place returns where the line's message lies, if the line makes sense.
func (l *indexLine) place() (place, error) {
	p := place{segment: l.Segment, frame: span{l.Frame[0], l.Frame[1]}, text: span{l.At[0], l.At[1]}, raw: l.Raw, noEOL: l.NoEOL}
	return parsePlace(p.where())
}

// beginning is how the line of a place begins.
func (p place) beginning(buf []byte) []byte {
	return fmt.Appendf(buf[:0], `{"segment":%q,"frame":[%d,%d],"at":[%d,%d],`, p.segment, p.frame.at, p.frame.len, p.text.at, p.text.len)
}

// writeLines writes lines as they stand in an index.
func writeLines(w io.Writer, lines []indexLine) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for i := range lines {
		if err := encoder.Encode(&lines[i]); err != nil {
			return err
		}
	}
	return nil
}

// mboxIndex appends to the index of the newest segment. It makes nothing
// durable before it is closed: what is lost of it is rebuilt.
type mboxIndex struct {
	name string
	file durable.File
	buf  bytes.Buffer
}

// add appends lines, all of one segment.
func (x *mboxIndex) add(cfg MboxConfig, lines []indexLine) error {
	if name := indexName(lines[0].Segment); name != x.name {
		if err := x.close(); err != nil {
			return err
		}
		f, err := cfg.FS.OpenFile(cfg.path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, durable.FilePerm)
		if err != nil {
			return err
		}
		x.name, x.file = name, f
	}
	x.buf.Reset()
	if err := writeLines(&x.buf, lines); err != nil {
		return err
	}
	_, err := x.file.Write(x.buf.Bytes())
	return err
}

func (x *mboxIndex) close() error {
	if x.file == nil {
		return nil
	}
	err := errors.Join(x.file.Sync(), x.file.Close())
	x.file, x.name = nil, ""
	return err
}

// indexState says how an index compares with what the ledger has committed.
type indexState int

const (
	indexSame    indexState = iota
	indexDiffers            // it lacks lines or holds unreadable ones
	indexAhead              // it lists what lies beyond what is committed
)

// indexExtent is how much of an index agrees with the committed places, line by line.
type indexExtent struct {
	lines  int
	octets int64
}

// compareIndex compares an index with the committed places of its segment, in
// the order they lie.
func compareIndex(cfg MboxConfig, name string, s *segmentState) (indexState, error) {
	file, err := cfg.FS.OpenFile(cfg.path(name), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if len(s.places) == 0 {
			return indexSame, nil
		}
		return indexDiffers, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	state := indexSame
	r := bufio.NewReaderSize(file, 64<<10)
	var begin []byte
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return 0, err
		}
		if state == indexSame && s.indexed.lines < len(s.places) {
			begin = s.places[s.indexed.lines].beginning(begin)
			if bytes.HasPrefix(line, begin) && bytes.HasSuffix(line, []byte("}\n")) {
				s.indexed.lines++
				s.indexed.octets += int64(len(line))
				continue
			}
		}
		state = indexDiffers
		var l indexLine
		if json.Unmarshal(line, &l) != nil {
			continue
		}
		if p, err := l.place(); err == nil && p.frame.at >= s.end {
			return indexAhead, nil
		}
	}
	if s.indexed.lines < len(s.places) {
		state = indexDiffers
	}
	return state, nil
}

// rebuildIndex makes the index of a segment list exactly the committed copies,
// reading from the archive those that it lacks.
func rebuildIndex(ctx context.Context, cfg MboxConfig, s *segmentState, copies iter.Seq[Copy]) error {
	missing := map[Where]bool{}
	for _, p := range s.places[s.indexed.lines:] {
		missing[p.where()] = true
	}
	var lacking []Copy
	for c := range copies {
		if missing[c.Where] {
			lacking = append(lacking, c)
		}
	}
	reader, err := newMboxReader(cfg)
	if err != nil {
		return err
	}
	defer reader.Close()
	lines := make([]indexLine, 0, len(lacking))
	for _, c := range lacking {
		line, err := reader.line(ctx, c)
		if err != nil {
			return err
		}
		lines = append(lines, line)
	}
	slices.SortFunc(lines, func(a, b indexLine) int {
		return cmp.Or(cmp.Compare(a.Frame[0], b.Frame[0]), cmp.Compare(a.At[0], b.At[0]))
	})
	name := indexName(s.name)
	err = durable.Publish(cfg.FS, cfg.path(name), func(w io.Writer) error {
		if s.indexed.octets > 0 {
			old, err := cfg.FS.OpenFile(cfg.path(name), os.O_RDONLY, 0)
			if err != nil {
				return err
			}
			defer old.Close()
			if _, err := io.CopyN(w, old, s.indexed.octets); err != nil {
				return err
			}
		}
		return writeLines(w, lines)
	})
	if err != nil {
		return &Error{Op: "rebuild index", Object: cfg.path(name), Err: err}
	}
	return nil
}

// line makes the index line of a copy from the archive.
func (r *mboxReader) line(ctx context.Context, c Copy) (indexLine, error) {
	p, err := parsePlace(c.Where)
	if err != nil {
		return indexLine{}, r.fail("read", c, err)
	}
	body, err := r.Read(ctx, c)
	if err != nil {
		return indexLine{}, err
	}
	defer body.Close()
	sums := newFormSums()
	head := &headKeeper{}
	if _, err := io.Copy(io.MultiWriter(sums, head), body); err != nil {
		return indexLine{}, r.fail("read", c, err)
	}
	wire, lf := sums.digests()
	if wire != c.Digest {
		return indexLine{}, r.fail("read", c, errCopyDiffers)
	}
	f := header.Scan(head.octets)
	m := Message{Ordinal: c.Ordinal, UniqueID: c.UniqueID, Session: c.Session, Octets: c.Octets, Digest: c.Digest,
		Summary: Summary{MessageID: f.MessageID, From: f.From, Date: f.Date}}
	return lineOf(&m, p, lf), nil
}

// headKeeper keeps the beginning of what is written to it.
type headKeeper struct{ octets []byte }

func (k *headKeeper) Write(p []byte) (int, error) {
	k.octets = append(k.octets, p[:min(len(p), header.MaxSection-len(k.octets))]...)
	return len(p), nil
}
