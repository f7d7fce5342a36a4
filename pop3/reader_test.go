package pop3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// decodeNaively decodes a dot-stuffed block in one piece, straight from RFC 1939
// section 3. rest is what stands behind the termination line; ok is false
// where there is none, and then content is all that can be known.
func decodeNaively(input []byte) (content, rest []byte, ok bool) {
	block := append([]byte("\r\n"), input...)
	end := bytes.Index(block, []byte("\r\n.\r\n"))
	if end < 0 {
		return nil, nil, false
	}
	content = bytes.ReplaceAll(block[:end+2], []byte("\r\n."), []byte("\r\n"))
	return content[2:], block[end+5:], true
}

// stream decodes with the reader, as a Message does. How it reads depends on
// piece: 0 means WriteTo, else Read with so many octets.
func stream(src io.Reader, buffer, piece int) (content, rest []byte, err error) {
	c := &Client{}
	c.r.buf = make([]byte, buffer)
	c.r.fill = src.Read
	c.r.beginData()
	m := &Message{Number: 1, c: c, keyword: "RETR"}
	var got bytes.Buffer
	if piece == 0 {
		_, err = m.WriteTo(&got)
	} else {
		_, err = io.CopyBuffer(&got, struct{ io.Reader }{m}, make([]byte, piece))
	}
	if (err != nil) != (c.broken != nil) {
		return nil, nil, fmt.Errorf("error %v, broken %v", err, c.broken)
	}
	rest = bytes.Clone(c.r.unread())
	more, _ := io.ReadAll(src)
	return got.Bytes(), append(rest, more...), err
}

// compare holds the reader to the naive decoder.
func compare(t *testing.T, input []byte, src io.Reader, buffer, piece int, how string) {
	t.Helper()
	content, rest, err := stream(src, buffer, piece)
	want, wantRest, ok := decodeNaively(input)
	switch {
	case !ok:
		if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			t.Fatalf("%.60q by %s: %d octets, %v; want %v", input, how, len(content), err, io.ErrUnexpectedEOF)
		}
	case err != nil:
		t.Fatalf("%.60q by %s: %v", input, how, err)
	case !bytes.Equal(content, want):
		t.Fatalf("%.60q by %s: got %.60q, want %.60q", input, how, content, want)
	case !bytes.Equal(rest, wantRest):
		t.Fatalf("%.60q by %s: left %.60q, want %.60q", input, how, rest, wantRest)
	}
}

// pieces gives each of its parts by one Read.
type pieces [][]byte

func (p *pieces) Read(b []byte) (int, error) {
	for len(*p) > 0 && len((*p)[0]) == 0 {
		*p = (*p)[1:]
	}
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	(*p)[0] = (*p)[0][n:]
	return n, nil
}

var stuffed = []struct{ name, input string }{
	{"empty", ".\r\n"},
	{"empty, more behind", ".\r\n+OK\r\n"},
	{"line", "x\r\n.\r\n"},
	{"stuffed", "..\r\n...\r\n..x\r\n.x\r\n.\r\n"},
	{"stuffed first", "..a\r\n.\r\n.\r\n"},
	{"LF dot LF", "a\n.\nb\r\n.\r\n"},
	{"LF dot CRLF", "a\n.\r\nb\r\n.\r\n"},
	{"CRLF dot LF", "a\r\n.\nb\r\n.\r\n"},
	{"CR dot CRLF", "a\r.\r\nb\r\n.\r\n"},
	{"CRLF dot CR", "a\r\n.\rb\r\n.\r\n"},
	{"dot CR CR LF", ".\r\r\n.\r\n"},
	{"CR before the end", "a\r\r\n.\r\n"},
	{"CR CR before the end", "\r\r\r\n.\r\n"},
	{"dot without CRLF before it", "abc.\r\n.\r\n"},
	{"blank lines", "\r\n\r\n\r\n.\r\n"},
	{"NUL and 8-bit", "\x00\xff\xfe \t\r\n.\r\n"},
	{"replies", "+OK\r\n-ERR\r\n.\r\n-ERR\r\n"},
	{"no end", "a\r\n"},
	{"no CRLF before the end", "abc.\r\n"},
	{"end without LF", "a\r\n.\r"},
	{"end without CRLF", "a\r\n."},
	{"end with LF only", "a\r\n.\n"},
	{"nothing", ""},
	{"CR", "\r"},
	{"dot", "."},
}

func TestDataAtEverySplit(t *testing.T) {
	for _, test := range stuffed {
		t.Run(test.name, func(t *testing.T) {
			input := []byte(test.input)
			for i := range len(input) + 1 {
				for j := i; j <= len(input); j++ {
					for _, buffer := range []int{8, 64} {
						src := &pieces{input[:i:i], input[i:j:j], input[j:]}
						compare(t, input, src, buffer, 0, fmt.Sprintf("split at %d and %d, buffer of %d", i, j, buffer))
					}
				}
			}
			for name, wrap := range map[string]func(io.Reader) io.Reader{
				"octet": iotest.OneByteReader, "half": iotest.HalfReader, "data with error": iotest.DataErrReader,
			} {
				for _, piece := range []int{0, 1, 3, 512} {
					compare(t, input, wrap(bytes.NewReader(input)), 16, piece, fmt.Sprintf("%s, read %d", name, piece))
				}
			}
		})
	}
}

// TestDataExhaustively tries every string of few octets that matter.
func TestDataExhaustively(t *testing.T) {
	const alphabet = "\r\n.x"
	longest := 6
	if testing.Short() {
		longest = 5
	}
	for length := range longest + 1 {
		input := make([]byte, length, length+len("\r\n.\r\n"))
		for n := range 1 << (2 * length) {
			for i := range input {
				input[i] = alphabet[n>>(2*i)&3]
			}
			compare(t, input, bytes.NewReader(input), 16, 0, "whole")
			ended := append(input, "\r\n.\r\n"...)
			for split := range length + 5 {
				compare(t, ended, &pieces{ended[:split:split], ended[split:]}, 8, 0, fmt.Sprintf("split at %d", split))
			}
		}
	}
}

// TestDataOverBuffers moves each octet of a tricky block over the end of the
// client's real receive buffer.
func TestDataOverBuffers(t *testing.T) {
	tail := []byte("end\r\r\n..\r\n.\rx\r\n\n.\n\r\n.\r\n+OK\r\n")
	for shift := range 64 {
		for _, at := range []int{receiveBuffer, receiveBuffer * 3 / 4, 3 * receiveBuffer} {
			input := append(bytes.Repeat([]byte{'x'}, at-shift), tail...)
			compare(t, input, bytes.NewReader(input), receiveBuffer, 0, fmt.Sprintf("%d before %d", shift, at))
		}
	}
}

func FuzzData(f *testing.F) {
	for _, test := range stuffed {
		f.Add([]byte(test.input), uint64(1), 8)
	}
	f.Fuzz(func(t *testing.T, input []byte, seed uint64, buffer int) {
		random := rand.New(rand.NewPCG(seed, 0))
		var src pieces
		for rest := input; len(rest) > 0; {
			n := 1 + random.IntN(min(len(rest), 1+random.IntN(40)))
			src = append(src, rest[:n:n])
			rest = rest[n:]
		}
		compare(t, input, &src, 8+max(0, buffer%4096), random.IntN(20), fmt.Sprintf("seed %d", seed))
	})
}

// A reader's own end is not a message's, even if it is wrapped.
func TestWrappedEndOfFileIsNoEnd(t *testing.T) {
	_, _, err := stream(iotest.ErrReader(fmt.Errorf("proxy: %w", io.EOF)), 16, 0)
	if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestLine(t *testing.T) {
	long := strings.Repeat("x", maxReplyLine)
	tests := []struct {
		name, input string
		want        []string
		err         error
	}{
		{"CRLF and LF", "a\r\nb\n\r\n\n", []string{"a", "b", "", ""}, io.EOF},
		{"CR inside", "a\rb\r\r\nc\r\n", []string{"a\rb\r", "c"}, io.EOF},
		{"cut", "a\r\nb", []string{"a"}, io.ErrUnexpectedEOF},
		{"cut behind CR", "a\r", nil, io.ErrUnexpectedEOF},
		{"longest, CRLF", long + "\r\nb\r\n", []string{long, "b"}, io.EOF},
		{"longest, LF", long + "\nb\n", []string{long, "b"}, io.EOF},
		{"too long, CRLF", "a\r\n" + long + "x\r\n", []string{"a"}, errLineTooLong},
		{"too long, LF", long + "x\n", nil, errLineTooLong},
		{"too long, no end", long + long + long, nil, errLineTooLong},
		{"longest without end", long + "\r", nil, io.ErrUnexpectedEOF},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{
				"whole":           strings.NewReader(test.input),
				"octet":           iotest.OneByteReader(strings.NewReader(test.input)),
				"half":            iotest.HalfReader(strings.NewReader(test.input)),
				"data with error": iotest.DataErrReader(strings.NewReader(test.input)),
			} {
				r := reader{fill: src.Read, buf: make([]byte, receiveBuffer)}
				for i := 0; ; i++ {
					line, err := r.line()
					if err != nil {
						if err != test.err || i != len(test.want) {
							t.Errorf("%s: %v after %d lines, want %v after %d", how, err, i, test.err, len(test.want))
						}
						break
					}
					if i >= len(test.want) || string(line) != test.want[i] {
						t.Fatalf("%s: line %d is %.40q", how, i, line)
					}
				}
			}
		})
	}
}

// A reader that gives nothing and no error does not hang the client.
func TestNoProgress(t *testing.T) {
	r := reader{fill: func([]byte) (int, error) { return 0, nil }, buf: make([]byte, 16)}
	if _, err := r.line(); err != io.ErrNoProgress {
		t.Errorf("got %v", err)
	}
}

// TestListingLimits reads listings without end.
func TestListingLimits(t *testing.T) {
	for _, test := range []struct {
		name  string
		line  string
		limit listingLimit
		rows  int
	}{
		{"rows", "1\r\n", listingLimit{1000, 1 << 20}, 1000},
		{"octets", strings.Repeat("x", 1000) + "\r\n", listingLimit{1 << 20, 50_000}, 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := NewClient(nil, nil)
			if c.limit != (listingLimit{maxListing, maxListed}) {
				t.Fatalf("limit %+v", c.limit)
			}
			c.limit = test.limit
			c.r.fill = func(p []byte) (int, error) { return copy(p, test.line), nil }
			rows := 0
			err := c.listing("UIDL", func([]byte) error { rows++; return nil })
			var protocol *ProtocolError
			if !errors.As(err, &protocol) || rows != test.rows || c.broken == nil {
				t.Errorf("%d rows, want %d; %v, broken %v", rows, test.rows, err, c.broken)
			}
		})
	}
}

type shortWriter struct{ n int }

func (w *shortWriter) Write(p []byte) (int, error) { w.n += min(1, len(p)); return min(1, len(p)), nil }

// A writer that takes less than it was given and says nothing loses no octets:
// what it did not take can be read.
func TestWriteToShortWriter(t *testing.T) {
	c := &Client{}
	c.r.buf = make([]byte, 64)
	c.r.fill = strings.NewReader("hello\r\n.\r\n").Read
	c.r.beginData()
	m := &Message{Number: 1, c: c, keyword: "RETR"}
	n, err := m.WriteTo(&shortWriter{})
	if n != 1 || err != io.ErrShortWrite {
		t.Fatalf("%d, %v", n, err)
	}
	rest, err := io.ReadAll(m)
	if string(rest) != "ello\r\n" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if n, err := m.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

func BenchmarkReader(b *testing.B) {
	for _, test := range []struct {
		name string
		line string
	}{
		{"text", strings.Repeat("x", 70) + "\r\n"},
		{"base64", strings.Repeat("QUJD", 19) + "\r\n"},
		{"dots", ".." + strings.Repeat("x", 68) + "\r\n"},
		{"blank", "\r\n"},
		{"CR", strings.Repeat("\r", 70) + "\r\n"},
		{"endless", strings.Repeat("x", 1<<20)},
	} {
		b.Run(test.name, func(b *testing.B) {
			block := append(bytes.Repeat([]byte(test.line), 1+(1<<20)/len(test.line)), "\r\n.\r\n"...)
			c := &Client{}
			c.r.buf = make([]byte, receiveBuffer)
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				at := 0
				c.r.fill = func(p []byte) (int, error) {
					n := copy(p, block[at:])
					at += n
					return n, nil
				}
				c.r.beginData()
				for {
					if _, err := c.r.data(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
