package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"popmigrate/internal/durable"
)

// mboxReader reads copies of an mbox archive. It keeps the last segment open
// and the last frame decoded.
type mboxReader struct {
	cfg     MboxConfig
	name    string // of the open segment
	file    durable.File
	frame   frameID // whose text scratch holds
	sum     checksum
	text    []byte
	scratch *mboxScratch

	// salvaging takes a frame whatever its checksum: the caller compares the
	// message with its digest.
	salvaging bool
}

var _ Reader = (*mboxReader)(nil)

// OpenMboxReader returns a reader for the archive of one maildrop, however its
// segments are compressed. Of cfg it needs FS and Dir; Codecs where several
// are open at once. It opens nothing before the first Read and is used from
// one goroutine; the messages it returns may be read after further Reads,
// but not after Close.
func OpenMboxReader(cfg MboxConfig) (Reader, error) {
	return newMboxReader(cfg)
}

func newMboxReader(cfg MboxConfig) (*mboxReader, error) {
	cfg, _, err := cfg.withDefaults()
	if err != nil {
		return nil, &Error{Op: "open", Object: cfg.Dir, Err: err}
	}
	return &mboxReader{cfg: cfg, scratch: &mboxScratch{}}, nil
}

// An entry of more than streamedText octets holds a message over largeOctets
// (quoting adds a sixth at most), has its frame to itself and is read as a
// stream. Every other frame fits into memory.
const streamedText = 2 * largeOctets

var errCopyDiffers = fmt.Errorf("%w: the copy differs from what was verified before", ErrDamaged)

// sidecarError says that what is wrong with a copy is in its sidecar.
type sidecarError struct {
	name string // relative to the archive
	err  error
}

func (e *sidecarError) Error() string { return e.err.Error() }
func (e *sidecarError) Unwrap() error { return e.err }

// fail names the copy that is damaged and where.
func (r *mboxReader) fail(op string, c Copy, err error) error {
	p, parseErr := parsePlace(c.Where)
	object := r.cfg.Dir
	var sidecar *sidecarError
	if errors.As(err, &sidecar) {
		object = r.cfg.path(sidecar.name)
		err = fmt.Errorf("message %d (unique-id %.80q) of %s: %w", c.Ordinal, c.UniqueID, p.segment, err)
	} else if parseErr == nil {
		object = r.cfg.path(p.segment)
		err = fmt.Errorf("message %d (unique-id %.80q) in frame at %d: %w", c.Ordinal, c.UniqueID, p.frame.at, err)
	}
	return &Error{Op: op, Object: object, Err: err, Hint: "restore the file from a backup, or have popmigrate run --repair replace it; the message is not deleted on the server on the strength of this copy"}
}

// damaged makes err an ErrDamaged unless it is one, or says that this machine
// cannot read now what may be sound.
func damaged(err error) error {
	var path *fs.PathError
	switch {
	case errors.Is(err, ErrDamaged):
		return err
	case errors.As(err, &path) && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// Read implements Reader.
func (r *mboxReader) Read(ctx context.Context, c Copy) (io.ReadCloser, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	p, err := parsePlace(c.Where)
	if err != nil {
		return nil, r.fail("read", c, damaged(err))
	}
	if r.salvaging {
		p.sum, p.rawSum = checksum{}, checksum{}
	}
	body, err := r.open(c, p)
	if err != nil {
		return nil, r.fail("read", c, damaged(err))
	}
	return body, nil
}

func (r *mboxReader) open(c Copy, p place) (io.ReadCloser, error) {
	if p.raw {
		codec, err := r.cfg.Codecs.forCompression(compressionOf(p.segment))
		if err != nil {
			return nil, err
		}
		sidecar, err := openSidecar(r.cfg, codec, rawName(c.Digest, p.segment), c.Octets, p.rawSum)
		if err != nil {
			return nil, &sidecarError{rawName(c.Digest, p.segment), err}
		}
		return &messageReader{r: r, c: c, text: sidecar, sidecar: rawName(c.Digest, p.segment)}, nil
	}
	return r.openEntry(c, p)
}

// openEntry reads a copy from its segment; of a raw one that is its LF form
// with CRLF line ends.
func (r *mboxReader) openEntry(c Copy, p place) (io.ReadCloser, error) {
	if err := r.openSegment(p.segment); err != nil {
		return nil, err
	}
	codec, err := r.cfg.Codecs.forCompression(compressionOf(p.segment))
	if err != nil {
		return nil, err
	}
	if p.text.at == 0 && p.text.len > streamedText {
		frame, err := openFrame(r.file, codec, p.frame, p.sum)
		if err != nil {
			return nil, err
		}
		return newMessageReader(r, c, p, frame), nil
	}
	text, err := r.frameText(codec, p)
	if err != nil {
		return nil, err
	}
	if p.text.end() > int64(len(text)) {
		return nil, errEntryCut
	}
	wire := bytes.NewBuffer(make([]byte, 0, min(c.Octets, largeOctets)))
	decoder := &r.scratch.comparer.decoder
	decoder.start(p.text.len, p.noEOL, wire, nil)
	if _, err := decoder.Write(text[p.text.at:p.text.end()]); err != nil {
		return nil, err
	}
	if err := decoder.Close(); err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(wire.Bytes())), nil
}

// frameText returns the text of the frame that p names, from memory if it was
// the last one.
func (r *mboxReader) frameText(codec codec, p place) ([]byte, error) {
	if r.frame == p.frameID() && r.sum == p.sum {
		return r.text, nil
	}
	r.frame = frameID{}
	if p.frame.len > maxFrameText {
		return nil, errFrameTooLarge
	}
	text, err := readFrame(r.file, codec, p.frame, p.sum, r.scratch)
	if err != nil {
		return nil, err
	}
	r.frame, r.sum, r.text = p.frameID(), p.sum, text
	return text, nil
}

func (r *mboxReader) openSegment(name string) error {
	if r.name == name {
		return nil
	}
	if err := r.Close(); err != nil {
		return err
	}
	f, err := r.cfg.FS.OpenFile(r.cfg.path(name), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	r.name, r.file = name, f
	return nil
}

// Close implements Reader.
func (r *mboxReader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.name, r.file = "", nil
	return err
}

// messageReader streams a large message, or a sidecar, and says of every
// error which copy is concerned.
type messageReader struct {
	r       *mboxReader
	c       Copy
	text    io.ReadCloser  // compressed or not: what is decoded further, if there is a decoder
	decoder *mboxrdDecoder // nil for a sidecar
	sidecar string         // its name
	wire    bytes.Buffer   // decoded, not yet read
	portion []byte
	err     error
}

func newMessageReader(r *mboxReader, c Copy, p place, text io.ReadCloser) *messageReader {
	m := &messageReader{r: r, c: c, text: text, decoder: new(mboxrdDecoder), portion: make([]byte, 64<<10)}
	m.decoder.start(p.text.len, p.noEOL, &m.wire, nil)
	return m
}

func (m *messageReader) Read(p []byte) (int, error) {
	if m.decoder == nil {
		n, err := m.text.Read(p)
		if err != nil && err != io.EOF {
			err = m.r.fail("read", m.c, damaged(&sidecarError{m.sidecar, err}))
		}
		return n, err
	}
	for m.wire.Len() == 0 && m.err == nil {
		m.err = m.fill()
	}
	if m.wire.Len() > 0 {
		return m.wire.Read(p)
	}
	return 0, m.err
}

// fill decodes the next portion.
func (m *messageReader) fill() error {
	n, err := m.text.Read(m.portion)
	if _, decodeErr := m.decoder.Write(m.portion[:n]); decodeErr != nil {
		return m.r.fail("read", m.c, damaged(decodeErr))
	}
	if err == io.EOF {
		if err = m.decoder.Close(); err == nil {
			return io.EOF
		}
	}
	if err != nil {
		return m.r.fail("read", m.c, damaged(err))
	}
	return nil
}

// WriteTo implements io.WriterTo.
func (m *messageReader) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{m})
}

func (m *messageReader) Close() error { return m.text.Close() }
