package sinks

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popmigrate/internal/durable"
)

// FuzzFrame decodes arbitrary octets as a frame. What comes out is bounded, and
// both ways of reading agree; encoding gives back what went in.
func FuzzFrame(f *testing.F) {
	f.Fuzz(func(t *testing.T, octets []byte, compression uint8) {
		c, err := testCodecs.forCompression([]Compression{Zstd, Gzip, Uncompressed}[compression%3])
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.decode(nil, octets)
		if len(text) > maxFrameText+1<<20 { // a portion more may be there when it shows
			t.Fatalf("%d octets made %d", len(octets), len(text))
		}
		if err == nil && len(octets) > 0 {
			r, err := c.reader(bytes.NewReader(octets))
			if err != nil {
				t.Fatalf("decodes, and cannot be streamed: %v", err)
			}
			sum := sha256.New()
			if n, err := io.Copy(sum, io.LimitReader(r, maxFrameText+1)); err != nil || n != int64(len(text)) ||
				[32]byte(sum.Sum(nil)) != sha256.Sum256(text) {
				t.Fatalf("decodes to %d octets, streams %d: %v", len(text), n, err)
			}
			mustClose(t, r)
		}
		frame, err := c.encode(nil, octets, thorough)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := c.decode([]byte("x"), frame); err != nil || string(back) != "x"+string(octets) {
			t.Fatalf("%d octets came back as %d: %v", len(octets), len(back)-1, err)
		}
	})
}

// FuzzWhere reads arbitrary text as a place in an archive. It takes exactly
// what it prints, and no place leads out of the archive.
func FuzzWhere(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePlace(Where(text))
		if err != nil {
			if len(err.Error()) > 500 {
				t.Errorf("error of %d octets", len(err.Error()))
			}
			return
		}
		if string(p.where()) != text {
			t.Errorf("%q is read as %q", text, p.where())
		}
		if filepath.Base(p.segment) != p.segment || strings.ContainsAny(p.segment, "/\\\x00") {
			t.Errorf("segment %q", p.segment)
		}
		if p.frame.at < 0 || p.frame.len < 1 || p.frame.at+p.frame.len < p.frame.at || p.text.at+p.text.len < p.text.at {
			t.Errorf("%+v", p)
		}
	})
}

// FuzzIndex compares arbitrary octets, as an index, with an archive of three
// messages: only what begins with the archive's own lines agrees, so far as it
// does; a place that a line names is inside the archive.
func FuzzIndex(f *testing.F) {
	places := []place{
		{segment: "000001.mbox.zst", frame: span{0, 100}, text: span{0, 50}},
		{segment: "000001.mbox.zst", frame: span{0, 100}, text: span{50, 60}},
		{segment: "000001.mbox.zst", frame: span{100, 70}, text: span{0, 10}, noEOL: true},
	}
	dir := f.TempDir()
	cfg := MboxConfig{FS: durable.OS{}, Dir: dir, Codecs: testCodecs}
	name := indexName("000001.mbox.zst")
	f.Fuzz(func(t *testing.T, octets []byte) {
		if err := os.WriteFile(cfg.path(name), octets, 0o600); err != nil {
			t.Fatal(err)
		}
		s := &segmentState{name: "000001.mbox.zst", places: places, end: 170}
		state, err := compareIndex(cfg, name, s)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(octets, []byte("\n"))
		agree, length := 0, int64(0)
		for i, line := range lines {
			if i < len(places) && bytes.HasPrefix(line, places[i].beginning(nil)) && bytes.HasSuffix(line, []byte("}\n")) && agree == i {
				agree, length = agree+1, length+int64(len(line))
			}
		}
		// The comparison may see less than there is (lines longer than its
		// buffer), never more.
		if s.indexed.lines > agree || s.indexed.octets > length {
			t.Errorf("%d lines of %d octets agree, it says %+v", agree, length, s.indexed)
		}
		if state == indexSame && (s.indexed.lines != len(places) || length != int64(len(octets))) {
			t.Errorf("the same, with %d lines in %d of %d octets", s.indexed.lines, length, len(octets))
		}
		for _, line := range lines {
			var l indexLine
			if json.Unmarshal(line, &l) != nil {
				continue
			}
			if p, err := l.place(); err == nil && filepath.Base(p.segment) != p.segment {
				t.Errorf("segment %q", p.segment)
			}
		}
	})
}

// FuzzArchiveID opens an archive whose id file holds arbitrary octets: it is
// taken as one's own only where it says so in every field.
func FuzzArchiveID(f *testing.F) {
	dir := f.TempDir()
	own := Opening{Maildrop: "alice", ArchiveID: "0123456789abcdef", Generation: 7}
	f.Fuzz(func(t *testing.T, octets []byte) {
		if err := os.WriteFile(filepath.Join(dir, archiveFile), octets, 0o600); err != nil {
			t.Fatal(err)
		}
		err := checkArchive(durable.OS{}, dir, "mbox", own, true)
		var mark archiveMark
		if err == nil && (json.Unmarshal(octets, &mark) != nil || mark.ID != own.ArchiveID || mark.Generation >= own.Generation || mark.Format != "mbox") {
			t.Errorf("took %q", octets)
		}
		if err != nil && (len(err.Error()) > 1000 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' })) {
			t.Errorf("unfit to be shown: %q", err)
		}
		if err != nil && len(octets) <= 64<<10 && !errors.Is(err, ErrForeign) && !errors.Is(err, ErrDamaged) {
			t.Errorf("%v", err)
		}
	})
}

// FuzzMboxReader reads a copy whose recorded place and segment are arbitrary:
// no panic, and what it says of a damaged copy fits into a report.
func FuzzMboxReader(f *testing.F) {
	dir := f.TempDir()
	cfg := MboxConfig{FS: durable.OS{}, Dir: dir, Codecs: testCodecs}
	const wire = "Subject: x\r\n\r\nFrom here\r\n"
	f.Fuzz(func(t *testing.T, segment []byte, where string) {
		name := "000001.mbox"
		if p, err := parsePlace(Where(where)); err == nil {
			name = p.segment
		}
		for _, old := range glob(t, dir, "*.mbox*") {
			os.Remove(old)
		}
		if err := os.WriteFile(cfg.path(name), segment, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := OpenMboxReader(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c := Copy{Ordinal: 1, Octets: int64(len(wire)), Digest: sha256.Sum256([]byte(wire)), Where: Where(where)}
		body, err := r.Read(t.Context(), c)
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(body, maxFrameText))
			body.Close()
		}
		if err != nil && (!errors.Is(err, ErrDamaged) || len(err.Error()) > 1000) {
			t.Errorf("%.2000v", err)
		}
	})
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return names
}
