package sinks

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"
)

// mboxScratch is what working on a frame needs; it is used again and again.
type mboxScratch struct {
	encoder  mboxrdEncoder
	text     []byte // of a frame
	file     []byte // a frame as it is stored
	comparer entryComparer
}

var (
	scratchPool    = sync.Pool{New: func() any { return &mboxScratch{comparer: newEntryComparer()} }}
	compressedPool = sync.Pool{New: func() any { return new([]byte) }}
)

// each does the same to every frame, as many at once as there are slots. One
// frame, the usual case, needs no goroutine.
func (c *Codecs) each(ctx context.Context, frames []*mboxFrame, do func(*mboxFrame, *mboxScratch) error) error {
	one := func(ctx context.Context, f *mboxFrame) error {
		release, err := acquire(ctx, c.frames)
		if err != nil {
			return err
		}
		defer release()
		scratch := scratchPool.Get().(*mboxScratch)
		defer scratchPool.Put(scratch)
		return do(f, scratch)
	}
	if len(frames) == 1 {
		return one(ctx, frames[0])
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(c.frames))
	for _, f := range frames {
		group.Go(func() error { return one(ctx, f) })
	}
	return group.Wait()
}

// errDiffers says that a copy is not what came off the wire.
var errDiffers = errors.New("the copy read back differs from what came off the wire")

// readBack opens the segment anew and compares every message in it with its
// digest. Nothing here comes from the code that wrote.
func (s *mboxSink) readBack(ctx context.Context, frames []*mboxFrame, end int64) error {
	file, err := s.cfg.FS.OpenFile(s.cfg.path(s.segment), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := wantOctets(file, end); err != nil {
		return err
	}
	return s.cfg.Codecs.each(ctx, frames, func(f *mboxFrame, scratch *mboxScratch) error {
		var err error
		if f.large {
			err = s.checkLarge(file, f, &scratch.comparer)
		} else {
			err = s.checkFrame(file, f, scratch)
		}
		if err != nil {
			return fmt.Errorf("read back frame at %d: %w", f.span.at, err)
		}
		return nil
	})
}

func (s *mboxSink) checkFrame(file io.ReaderAt, f *mboxFrame, scratch *mboxScratch) error {
	text, err := readFrame(file, s.codec, f.span, f.places[0].sum, scratch)
	if err != nil {
		return err
	}
	if int64(len(text)) != f.text {
		return errDiffers
	}
	for i, p := range f.places {
		scratch.comparer.start(p)
		if _, err := scratch.comparer.Write(text[p.text.at:p.text.end()]); err != nil {
			return messageError(&f.messages[i], err)
		}
		if err := s.compare(f, i, &scratch.comparer); err != nil {
			return messageError(&f.messages[i], err)
		}
	}
	return nil
}

// errChecksum says that something was changed that belongs to no message.
var errChecksum = errors.New("the stored octets do not have the checksum that they had when they were verified")

// readFrame returns the text of a frame that is stored with the checksum
// want; scratch owns it.
func readFrame(file io.ReaderAt, codec codec, frame span, want checksum, scratch *mboxScratch) ([]byte, error) {
	if int64(cap(scratch.file)) < frame.len {
		scratch.file = make([]byte, frame.len)
	}
	stored := scratch.file[:frame.len]
	if n, err := file.ReadAt(stored, frame.at); n < len(stored) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if !want.agrees(checksumOf(stored)) {
		return nil, errChecksum
	}
	text, err := codec.decode(scratch.text[:0], stored)
	if err != nil {
		return nil, err
	}
	scratch.text = text
	return text, nil
}

func (s *mboxSink) checkLarge(file io.ReaderAt, f *mboxFrame, comparer *entryComparer) error {
	r, err := openFrame(file, s.codec, f.span, f.places[0].sum)
	if err != nil {
		return err
	}
	defer r.Close()
	comparer.start(f.places[0])
	if _, err := io.Copy(comparer, r); err != nil {
		return messageError(&f.messages[0], err)
	}
	return s.compare(f, 0, comparer)
}

// compare ends the comparison of one message, with its sidecar if it has one.
func (s *mboxSink) compare(f *mboxFrame, i int, comparer *entryComparer) error {
	m := &f.messages[i]
	octets, wire, lf, err := comparer.end()
	if err != nil {
		return err
	}
	f.lf[i] = lf
	if !f.places[i].raw {
		if octets != m.Octets || wire != m.Digest {
			return errDiffers
		}
		return nil
	}
	return checkSidecar(s.cfg, s.codec, f.places[i], m.Octets, m.Digest, lf)
}

// entryComparer decodes an entry and takes the digests of what comes out.
type entryComparer struct {
	decoder  mboxrdDecoder
	wire, lf hash.Hash
	sum      []byte
}

func newEntryComparer() entryComparer { return entryComparer{wire: sha256.New(), lf: sha256.New()} }

func (c *entryComparer) start(p place) {
	c.wire.Reset()
	c.lf.Reset()
	c.decoder.start(p.text.len, p.noEOL, c.wire, c.lf)
}

func (c *entryComparer) Write(text []byte) (int, error) { return c.decoder.Write(text) }

// end returns what the entry held, if it was sound.
func (c *entryComparer) end() (octets int64, wire, lf Digest, err error) {
	if err := c.decoder.Close(); err != nil {
		return 0, wire, lf, err
	}
	c.sum = c.wire.Sum(c.sum[:0])
	wire = Digest(c.sum)
	c.sum = c.lf.Sum(c.sum[:0])
	return c.decoder.octets, wire, Digest(c.sum), nil
}

// formSums takes the digests of the wire form written to it and of its LF form.
type formSums struct {
	wire, lf hash.Hash
	cr       bool // a CR came last; whether it is part of CRLF shows next
}

func newFormSums() *formSums { return &formSums{wire: sha256.New(), lf: sha256.New()} }

func (s *formSums) Write(p []byte) (int, error) {
	s.wire.Write(p)
	begin := 0
	for i, c := range p {
		if s.cr && c != '\n' {
			s.lf.Write([]byte{'\r'})
		}
		if s.cr = c == '\r'; s.cr {
			s.lf.Write(p[begin:i])
			begin = i + 1
		}
	}
	s.lf.Write(p[begin:])
	return len(p), nil
}

// digests may be called once, at the end.
func (s *formSums) digests() (wire, lf Digest) {
	if s.cr {
		s.lf.Write([]byte{'\r'})
	}
	s.wire.Sum(wire[:0])
	s.lf.Sum(lf[:0])
	return wire, lf
}

// openFrame streams the text of a frame that is stored with the checksum want.
// At its end it checks that nothing follows in the stretch of the file that is
// the frame's.
func openFrame(file io.ReaderAt, codec codec, frame span, want checksum) (io.ReadCloser, error) {
	return newStrictReader(io.NewSectionReader(file, frame.at, frame.len), codec, want)
}

// strictReader ends without error only where what it reads from ends too and
// has the checksum that it is to have.
type strictReader struct {
	text   io.ReadCloser
	stored *bufio.Reader
	summer summer
	want   checksum
}

func newStrictReader(from io.Reader, codec codec, want checksum) (*strictReader, error) {
	r := &strictReader{want: want}
	r.stored = bufio.NewReaderSize(io.TeeReader(from, &r.summer), 64<<10)
	var err error
	r.text, err = codec.reader(r.stored)
	return r, err
}

func (r *strictReader) Read(p []byte) (int, error) {
	n, err := r.text.Read(p)
	if err == io.EOF {
		switch _, more := r.stored.Peek(1); {
		case more == nil:
			return n, errors.New("octets after the end of the frame")
		case more != io.EOF:
			return n, more
		case !r.want.agrees(r.summer.sum()):
			return n, errChecksum
		}
	}
	return n, err
}

func (r *strictReader) Close() error { return r.text.Close() }
