package sinks

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"

	"popmigrate/internal/durable"
)

// indexLine is one message in an index. The order of the fields is part of
// the format: a line is recognized by how it begins.
type indexLine struct {
	Segment   string   `json:"segment"`
	Frame     [2]int64 `json:"frame"` // offset and length in the segment
	At        [2]int64 `json:"at"`    // offset and length in the decompressed frame
	Sum       checksum `json:"frame_crc32c,omitzero"`
	Raw       bool     `json:"raw,omitempty"`
	RawSum    checksum `json:"raw_crc32c,omitzero"`
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
	// and, always last, "line_crc32c": see seal
}

func lineOf(m *Message, p place, lf Digest) indexLine {
	return indexLine{
		Segment: p.segment, Frame: [2]int64{p.frame.at, p.frame.len}, At: [2]int64{p.text.at, p.text.len},
		Sum: p.sum, Raw: p.raw, RawSum: p.rawSum, NoEOL: p.noEOL,
		Ordinal: m.Ordinal, UniqueID: m.UniqueID, Octets: m.Octets, SHA256: m.Digest, SHA256LF: lf,
		MessageID: m.MessageID, Date: m.Date, From: m.From, Session: m.Session,
	}
}

// place returns where the line's message lies, if the line makes sense.
func (l *indexLine) place() (place, error) {
	p := place{segment: l.Segment, frame: span{l.Frame[0], l.Frame[1]}, sum: l.Sum,
		text: span{l.At[0], l.At[1]}, raw: l.Raw, rawSum: l.RawSum, noEOL: l.NoEOL}
	return parsePlace(p.where())
}

// beginning is how the line of a place begins.
func (p place) beginning(buf []byte) []byte {
	buf = appendString(append(buf[:0], `{"segment":`...), p.segment)
	buf = appendPair(append(buf, `,"frame":`...), p.frame.at, p.frame.len)
	return append(appendPair(append(buf, `,"at":`...), p.text.at, p.text.len), ',')
}

const (
	sealField  = `,"line_crc32c":"`
	sealLength = len(sealField) + len(`1a2b3c4d"}`)
)

var errLineChanged = errors.New("it does not have the checksum that it was written with")

// checkSeal tells whether a line, without its line end, is as it was written.
// One from before there were checksums is taken as it is.
func checkSeal(line []byte) error {
	body, sealed := line, false
	if at := len(line) - sealLength; at > 0 {
		body, sealed = line[:at], bytes.HasPrefix(line[at:], []byte(sealField))
	}
	if !sealed {
		if bytes.Contains(line, []byte("_crc32c")) {
			return errLineChanged
		}
		return nil
	}
	sum := summer{}
	sum.Write(body)
	sum.Write([]byte{'}'})
	if string(line[len(body)+len(sealField):]) != sum.sum().String()+`"}` {
		return errLineChanged
	}
	return nil
}

// parseLine reads a line without its line end.
func parseLine(line []byte) (l indexLine, p place, err error) {
	if err = checkSeal(line); err == nil {
		err = json.Unmarshal(line, &l)
	}
	if err == nil {
		p, err = l.place()
	}
	return l, p, err
}

// appendLines appends lines as they stand in an index.
func appendLines(dst []byte, lines []indexLine) []byte {
	for i := range lines {
		dst = lines[i].appendTo(dst)
	}
	return dst
}

// mboxIndex appends to the index of the newest segment. It makes nothing
// durable before it is closed: what is lost of it is rebuilt.
type mboxIndex struct {
	name string
	file durable.File
	buf  []byte
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
	x.buf = appendLines(x.buf[:0], lines)
	_, err := x.file.Write(x.buf)
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
	r := bufio.NewReaderSize(file, maxIndexLine)
	var begin []byte
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			break
		}
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return 0, err
		}
		bare, whole := bytes.CutSuffix(line, []byte{'\n'})
		if state == indexSame && s.indexed.lines < len(s.places) {
			begin = s.places[s.indexed.lines].beginning(begin)
			if whole && bytes.HasPrefix(bare, begin) && checkSeal(bare) == nil {
				s.indexed.lines++
				s.indexed.octets += int64(len(line))
				continue
			}
		}
		state = indexDiffers
		if _, p, err := parseLine(bare); err == nil && indexName(p.segment) == name && p.frame.at >= s.end {
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
		_, err := w.Write(appendLines(nil, lines))
		return err
	})
	if err != nil {
		return &Error{Op: "rebuild index", Object: cfg.path(name), Err: err}
	}
	return nil
}
