package sinks

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"popmigrate/internal/durable"
)

// MboxConfig describes the mbox archive of one maildrop:
//
//	000001.mbox.zst        a segment: concatenated frames; decompressed it is
//	                       plain mboxrd with LF line ends
//	000001.index.jsonl     a line for each message of the segment, derived
//	raw/<sha256>.eml.zst   a message that mboxrd cannot carry octet for octet
//	popmigrate.id          which ledger the archive belongs to
//	README.txt
type MboxConfig struct {
	FS          durable.FS
	Dir         string // this maildrop's own folder; made when needed
	Codecs      *Codecs
	Compression Compression // of what is written; "" means Zstd. What is there may be compressed otherwise.

	SegmentOctets int64 // a segment that has reached this length gets a successor; 0 means 1 GiB
	FrameOctets   int64 // about how much mail shares a frame; 0 means 256 KiB; 1 MiB at most

	large int64 // largeOctets; tests lower it
}

const (
	defaultSegmentOctets = 1 << 30   // 1 GiB
	defaultFrameOctets   = 256 << 10 // 256 KiB
	// A message of more than largeOctets shares no frame and is never held in memory:
	// it is streamed.
	largeOctets = 1 << 20 // 1 MiB
)

const (
	mboxFormat = "mbox"
	rawDir     = "raw"
	indexExt   = ".index.jsonl"
	readmeFile = "README.txt"
)

// withDefaults fills what is not set.
func (c MboxConfig) withDefaults() (MboxConfig, codec, error) {
	if c.FS == nil {
		c.FS = durable.OS{}
	}
	if c.Codecs == nil {
		c.Codecs = NewCodecs()
	}
	if c.Compression == "" {
		c.Compression = Zstd
	}
	if c.SegmentOctets <= 0 {
		c.SegmentOctets = defaultSegmentOctets
	}
	if c.FrameOctets <= 0 {
		c.FrameOctets = defaultFrameOctets
	}
	if c.large == 0 {
		c.large = largeOctets
	}
	c.FrameOctets = min(c.FrameOctets, c.large)
	codec, err := c.Codecs.forCompression(c.Compression)
	return c, codec, err
}

func (c MboxConfig) path(name string) string { return filepath.Join(c.Dir, name) }

func (c MboxConfig) segmentName(number int) string {
	return fmt.Sprintf("%06d.mbox%s", number, c.Compression.extension())
}

// rawName is the name of a sidecar beside a segment, relative to the archive.
func rawName(d Digest, segment string) string {
	return filepath.Join(rawDir, d.String()+".eml"+compressionOf(segment).extension())
}

// segmentNumber returns the number in the name of a segment.
func segmentNumber(name string) (int, bool) {
	stem, ext, _ := strings.Cut(name, ".")
	if ext != "mbox" && ext != "mbox.zst" && ext != "mbox.gz" {
		return 0, false
	}
	return parseStem(stem)
}

// indexNumber returns the number in the name of an index.
func indexNumber(name string) (int, bool) {
	stem, isIndex := strings.CutSuffix(name, indexExt)
	if !isIndex {
		return 0, false
	}
	return parseStem(stem)
}

func parseStem(stem string) (int, bool) {
	n, err := strconv.Atoi(stem)
	return n, err == nil && n > 0 && fmt.Sprintf("%06d", n) == stem
}

// indexName is the name of a segment's index.
func indexName(segment string) string {
	stem, _, _ := strings.Cut(segment, ".")
	return stem + indexExt
}

// span is a stretch of a file or of a frame's text.
type span struct{ at, len int64 }

func (s span) end() int64 { return s.at + s.len }

// place says where a copy lies; a Where is its printed form, such as
//
//	000001.mbox.zst@0+65123~1a2b3c4d:5001+4711,raw~5e6f7081,noeol
type place struct {
	segment string
	frame   span     // in the segment, compressed
	sum     checksum // of the frame as it is stored
	text    span     // in the frame, decompressed
	raw     bool     // the octets are in a sidecar: an LF had no CR
	rawSum  checksum // of the sidecar as it is stored
	noEOL   bool     // the message does not end with a line end, though its text does
}

// frameID tells frames apart.
type frameID struct {
	segment string
	span
}

func (p place) frameID() frameID { return frameID{p.segment, p.frame} }

func (p place) where() Where {
	var buf [128]byte
	w := append(append(buf[:0], p.segment...), '@')
	w = p.sum.appendSuffix(p.frame.appendTo(w))
	w = p.text.appendTo(append(w, ':'))
	if p.raw {
		w = p.rawSum.appendSuffix(append(w, ",raw"...))
	}
	if p.noEOL {
		w = append(w, ",noeol"...)
	}
	return Where(w)
}

// parsePlace takes exactly what where gives.
func parsePlace(w Where) (place, error) {
	var p place
	rest := string(w)
	rest, p.noEOL = strings.CutSuffix(rest, ",noeol")
	rest, raw, isRaw := strings.Cut(rest, ",raw")
	segment, rest, _ := strings.Cut(rest, "@")
	frame, text, _ := strings.Cut(rest, ":")
	frame, sum, summed := strings.Cut(frame, "~")
	p.segment, p.raw = segment, isRaw
	_, ok := segmentNumber(segment)
	ok = ok && parseSpan(&p.frame, frame) && parseSpan(&p.text, text)
	ok = ok && (!summed || p.sum.parse(sum))
	if raw != "" {
		ok = ok && raw[0] == '~' && p.rawSum.parse(raw[1:])
	}
	if !ok || len(w) > 200 {
		return place{}, fmt.Errorf("%.100q is no place in an mbox archive", string(w))
	}
	return p, nil
}

// appendTo appends a span as places show it.
func (s span) appendTo(dst []byte) []byte {
	return strconv.AppendInt(append(strconv.AppendInt(dst, s.at, 10), '+'), s.len, 10)
}

func parseSpan(s *span, printed string) bool {
	at, octets, ok := strings.Cut(printed, "+")
	return ok && parseOctets(&s.at, at) && parseOctets(&s.len, octets) && s.len > 0
}

func parseOctets(n *int64, digits string) bool {
	v, err := strconv.ParseInt(digits, 10, 62) // so that a sum of two does not overflow
	*n = v
	return err == nil && v >= 0 && strconv.FormatInt(v, 10) == digits
}

const readme = `This folder holds the mail of one maildrop, as popmigrate archived it.

NNNNNN.mbox.zst (or .mbox.gz, .mbox)
    The messages, oldest first, in the mbox format (variant mboxrd, LF line
    ends). "zstdcat 000001.mbox.zst" or "zcat 000001.mbox.gz" gives a plain mbox
    for mutt, Thunderbird, Dovecot or Python. Open a copy of it: mail programs
    write into the mbox files they open.
    To get a message octet for octet: take its text, without the line that
    starts with "From " and without the blank line at the end, remove one ">"
    from every line that starts with one or more ">" followed by "From ", and
    make every line end CRLF.
NNNNNN.index.jsonl
    One line of JSON for each message: "frame" is the offset and length of its
    compressed frame in the segment, "at" the offset and length of its text in
    the decompressed frame, "sha256" the digest of the message as it came off
    the wire (CRLF line ends), "sha256_lf" with LF line ends. "no_eol" marks a
    message that did not end with a line end. "line_crc32c" is the CRC-32C of
    the line without this field.
raw/SHA256.eml.zst
    Messages with line ends that mbox cannot express, octet for octet.
popmigrate.id
    Ties this archive to the ledger of the job that wrote it. Keep it here.
`
