package pop3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// naive undoes dot-stuffing of a whole block; ok is false where it does not end.
func naive(stream []byte) (content, rest []byte, ok bool) {
	bol := true
	for i := 0; i < len(stream); {
		if bol {
			if bytes.HasPrefix(stream[i:], []byte(".\r\n")) {
				return content, stream[i+3:], true
			}
			if stream[i] == '.' {
				if i+1 == len(stream) || (stream[i+1] == '\r' && i+2 == len(stream)) {
					return content, nil, false
				}
				i++
				bol = false
				continue
			}
		}
		content = append(content, stream[i])
		bol = len(content) >= 2 && content[len(content)-2] == '\r' && stream[i] == '\n' && i > 0 && stream[i-1] == '\r'
		i++
	}
	return content, nil, false
}

// unstuff reads one block through a reader.
func unstuff(r io.Reader) (content, rest []byte, err error) {
	in := reader{fill: r.Read, buf: make([]byte, 64)}
	in.beginData()
	for {
		chunk, err := in.data()
		content = append(content, chunk...)
		if err == io.EOF {
			return content, append([]byte(nil), in.buf[in.pos:in.end]...), nil
		}
		if err != nil {
			return content, nil, err
		}
	}
}

var blocks = map[string]struct{ stream, content string }{
	"empty":                    {".\r\n", ""},
	"one empty line":           {"\r\n.\r\n", "\r\n"},
	"stuffed":                  {"..\r\n...\r\n..x\r\n.\r\n", ".\r\n..\r\n.x\r\n"},
	"lone dot of a bad server": {".x\r\n.\r\n", "x\r\n"},
	"LF dot LF is data":        {"a\n.\nb\r\n.\r\n", "a\n.\nb\r\n"},
	"LF dot CRLF is data":      {"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"},
	"CR dot CRLF is data":      {"a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n"},
	"dot CR other":             {"a\r\n.\rX\r\n.\r\n", "a\r\n\rX\r\n"},
	"dot CR CR LF":             {"a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n"},
	"NUL and 8-bit":            {"\x00\xff\r\n.\r\n", "\x00\xff\r\n"},
	"CR CR LF":                 {"a\r\r\n.\r\n", "a\r\r\n"},
	"glued dot":                {"abc.\r\nd\r\n.\r\n", "abc.\r\nd\r\n"},
	"bare CRs at the end":      {"a\r\r\r\n.\r\n", "a\r\r\r\n"},
	"long line":                {strings.Repeat("x", 500) + "\r\n.\r\n", strings.Repeat("x", 500) + "\r\n"},
}

// At every split of the input, the same octets come out, and nothing that
// follows the termination line is taken.
func TestUnstuffAtEverySplit(t *testing.T) {
	const after = "+OK next\r\n"
	for name, block := range blocks {
		t.Run(name, func(t *testing.T) {
			stream := block.stream + after
			check := func(how string, r io.Reader) {
				t.Helper()
				content, _, err := unstuff(r)
				if err != nil || string(content) != block.content {
					t.Errorf("%s: %q, %v; want %q", how, content, err, block.content)
				}
			}
			check("whole", strings.NewReader(stream))
			check("octet by octet", iotest.OneByteReader(strings.NewReader(stream)))
			check("halves", iotest.HalfReader(strings.NewReader(stream)))
			check("error with data", iotest.DataErrReader(strings.NewReader(stream)))
			for i := range len(stream) {
				check("split", io.MultiReader(strings.NewReader(stream[:i]), strings.NewReader(stream[i:])))
			}
			if _, rest, _ := unstuff(strings.NewReader(stream)); len(block.stream) < 40 && string(rest) != after {
				t.Errorf("left in the buffer: %q", rest)
			}
		})
	}
}

// A cut block is never a whole one.
func TestCutBlockIsNoMessage(t *testing.T) {
	for name, block := range blocks {
		for i := range len(block.stream) {
			if _, _, err := unstuff(strings.NewReader(block.stream[:i])); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s cut at octet %d: %v", name, i, err)
			}
		}
	}
}

func FuzzUnstuff(f *testing.F) {
	for _, block := range blocks {
		f.Add([]byte(block.stream), uint8(3))
	}
	f.Add([]byte("\r\n.\r"), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		want, _, ok := naive(stream)
		got, _, err := unstuff(&stepReader{stream, int(step)%7 + 1})
		if ok != (err == nil) || (ok && !bytes.Equal(got, want)) {
			t.Errorf("%q: %q, %v; want %q, %v", stream, got, err, want, ok)
		}
		if !ok && !bytes.HasPrefix(append(want, stream...), got) && !bytes.HasPrefix(want, got) {
			t.Errorf("%q: cut block gave %q, want a beginning of %q", stream, got, want)
		}
	})
}

// stepReader gives at most so many octets at a time.
type stepReader struct {
	rest []byte
	step int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:min(r.step, len(r.rest))])
	r.rest = r.rest[n:]
	return n, nil
}

// FuzzSession gives a client arbitrary octets from a server: it may refuse,
// but must end and must not panic.
func FuzzSession(f *testing.F) {
	f.Add([]byte("+OK <a@b>\r\n+OK\r\nUIDL\r\nPIPELINING\r\n.\r\n+OK\r\n+OK\r\n+OK\r\nPIPELINING\r\n.\r\n+OK\r\n1 a\r\n.\r\n+OK\r\n1 5\r\n.\r\n+OK 1 5\r\n+OK\r\nabc\r\n.\r\n+OK\r\n+OK bye\r\n"))
	f.Add([]byte("+OK\r\n-ERR\r\n-ERR [AUTH] no\r\n"))
	f.Add([]byte("* OK imap\r\n"))
	f.Add([]byte("+OK\r\n+OK\r\n.\r\n+OK\r\n+OK\r\n-ERR\r\n-ERR\r\n+OK\r\n2 9999999999999999999\r\n.\r\n-ERR"))
	f.Fuzz(func(t *testing.T, server []byte) {
		c := NewClient(&tape{Reader: bytes.NewReader(server)}, nil)
		ctx := context.Background()
		if _, err := c.Greeting(ctx); err != nil {
			return
		}
		c.Capabilities(ctx)
		c.Timestamp()
		if err := c.Login(ctx, "user", "pass"); err != nil {
			return
		}
		c.Capabilities(ctx)
		listings, err := c.Listings(ctx)
		if err != nil {
			return
		}
		var numbers []Number
		for _, row := range listings.Scan {
			numbers = append(numbers, row.Number)
		}
		for m, err := range c.Retrieve(ctx, slices.Values(numbers)) {
			if err == nil {
				m.WriteTo(io.Discard)
			}
		}
		for range c.Dele(ctx, slices.Values(numbers)) {
		}
		c.Quit(ctx)
	})
}

// tape is a connection whose server said all beforehand.
type tape struct {
	net.Conn
	io.Reader
	written bytes.Buffer
}

func (t *tape) Read(p []byte) (int, error)  { return t.Reader.Read(p) }
func (t *tape) Write(p []byte) (int, error) { return t.written.Write(p) }
func (t *tape) Close() error                { return nil }
func (t *tape) RemoteAddr() net.Addr        { return &net.TCPAddr{} }

func (t *tape) SetDeadline(time.Time) error { return nil }

func BenchmarkUnstuff(b *testing.B) {
	line := strings.Repeat("x", 76) + "\r\n"
	stream := []byte(strings.Repeat(line, 65) + ".\r\n")
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	source := bytes.NewReader(stream)
	in := reader{fill: source.Read, buf: make([]byte, receiveBuffer)}
	for b.Loop() {
		source.Reset(stream)
		in.beginData()
		for {
			if _, err := in.data(); err != nil {
				break
			}
		}
	}
}
