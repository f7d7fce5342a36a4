package migrate

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"popmigrate/internal/digest"
	"popmigrate/internal/header"
	"popmigrate/sinks"
)

// maxHeader bounds what counts as the header section, in octets. What lies
// behind it is body: identity does not suffer, only fields there are not seen.
const maxHeader = 64 << 10

// fingerprint is what one pass over a message's octets yields. It is an
// io.Writer, reused from message to message.
type fingerprint struct {
	wire   hash.Hash
	stable hash.Hash // used for messages with volatile header fields
	split  bool      // stable differs from wire
	result []byte    // of a hash
	head   []byte    // the header section, while and after it is gathered
	inBody bool

	octets     int64
	crs, crlfs int64
	line       int64 // octets of the line under way
	lastCR     bool
	lastCRLF   bool // the last line end was CRLF
	seam       seam
	traits     sinks.Traits
	headerSum  digest.Digest
}

func newFingerprint() *fingerprint {
	return &fingerprint{wire: sha256.New(), stable: sha256.New()}
}

// reset makes f ready for the next message.
func (f *fingerprint) reset() {
	f.wire.Reset()
	*f = fingerprint{wire: f.wire, stable: f.stable, result: f.result, head: f.head[:0]}
}

// Write takes the next octets of the message. It never fails.
func (f *fingerprint) Write(p []byte) (int, error) {
	f.scan(p)
	rest := p
	if !f.inBody {
		rest = f.gather(p)
	}
	if f.inBody {
		f.body(rest)
	}
	return len(p), nil
}

func (f *fingerprint) body(p []byte) {
	f.wire.Write(p)
	if f.split {
		f.stable.Write(p)
	}
}

// gather collects the header section and returns what follows it.
func (f *fingerprint) gather(p []byte) (rest []byte) {
	n := min(len(p), maxHeader-len(f.head))
	from := max(0, len(f.head)-3)
	f.head = append(f.head, p[:n]...)
	if end := sectionEnd(f.head, from); end >= 0 {
		n -= len(f.head) - end
		f.head = f.head[:end]
		f.endHeader()
	} else if len(f.head) == maxHeader {
		f.endHeader()
	}
	return p[n:]
}

// sectionEnd returns where the body begins, -1 where the empty line is not in sight.
func sectionEnd(head []byte, from int) int {
	switch {
	case bytes.HasPrefix(head, []byte("\r\n")):
		return 2
	case bytes.HasPrefix(head, []byte("\n")):
		return 1
	}
	for i := from; i < len(head); {
		n := bytes.IndexByte(head[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		switch {
		case bytes.HasPrefix(head[i:], []byte("\r\n")):
			return i + 2
		case bytes.HasPrefix(head[i:], []byte("\n")):
			return i + 1
		}
	}
	return -1
}

// endHeader hashes the gathered section, with and without its volatile fields.
func (f *fingerprint) endHeader() {
	f.inBody = true
	f.wire.Write(f.head)
	volatile := false
	for rest := f.head; len(rest) > 0; {
		line := rest
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			line = rest[:n+1]
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, _, found := bytes.Cut(line, []byte{':'})
			volatile = found && header.Volatile(bytes.TrimRight(name, " \t"))
		}
		if volatile && !f.split {
			f.split = true
			f.stable.Reset()
			f.stable.Write(f.head[:len(f.head)-len(rest)])
		}
		if f.split && !volatile {
			f.stable.Write(line)
		}
		rest = rest[len(line):]
	}
	if f.split {
		f.headerSum = f.sum(f.stable)
	} else {
		f.headerSum = f.sum(f.wire)
	}
}

// scan notes what is unusual in the octets.
func (f *fingerprint) scan(p []byte) {
	f.seam.scan(p)
	f.octets += int64(len(p))
	f.crs += int64(bytes.Count(p, []byte{'\r'}))
	f.traits.NUL = f.traits.NUL || bytes.IndexByte(p, 0) >= 0
	f.traits.EightBit = f.traits.EightBit || hasEightBit(p)
	for len(p) > 0 {
		n := bytes.IndexByte(p, '\n')
		if n < 0 {
			f.line += int64(len(p))
			f.lastCR = p[len(p)-1] == '\r'
			return
		}
		cr := f.lastCR
		if n > 0 {
			cr = p[n-1] == '\r'
		}
		length := f.line + int64(n)
		f.lastCRLF = cr
		if cr {
			f.crlfs++
			length--
		} else {
			f.traits.BareLF = true
		}
		f.traits.LongestLine = max(f.traits.LongestLine, length)
		f.line, f.lastCR = 0, false
		p = p[n+1:]
	}
}

func hasEightBit(p []byte) bool {
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p)&0x8080808080808080 != 0 {
			return true
		}
		p = p[8:]
	}
	for _, b := range p {
		if b >= 0x80 {
			return true
		}
	}
	return false
}

// print is the result for one message.
type print struct {
	octets                 int64
	digest, stable, header digest.Digest
	traits                 sinks.Traits
	fields                 header.Fields
	status                 statusLine
	seam                   bool // a status line stands behind a line that ends in a dot
	internal               bool // it is a mail program's notes on its folder
}

// finish ends the message. The fields are read only where wanted: they cost
// more than all the rest for a small message.
func (f *fingerprint) finish(fields bool) print {
	if !f.inBody {
		f.endHeader()
	}
	p := print{octets: f.octets, digest: f.sum(f.wire), header: f.headerSum, traits: f.traits}
	p.status, p.seam, p.internal = readStatusLine(f.head), f.seam.found, f.octets < internalMost && isInternal(f.head)
	p.stable = p.digest
	if f.split {
		p.stable = f.sum(f.stable)
	}
	p.traits.LongestLine = max(p.traits.LongestLine, f.line)
	p.traits.BareCR = f.crs != f.crlfs
	p.traits.NoFinalEOL = f.octets > 0 && (f.line > 0 || !f.lastCRLF)
	if fields {
		p.fields = header.Scan(f.head)
	}
	return p
}

// sum returns the digest of what a hash has had.
func (f *fingerprint) sum(h hash.Hash) digest.Digest {
	f.result = h.Sum(f.result[:0])
	return digest.Digest(f.result)
}
