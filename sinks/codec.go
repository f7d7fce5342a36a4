package sinks

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
)

// Compression names how the segments of an archive are compressed.
type Compression string

// The compressions. Each keeps frames that stand alone and can be
// concatenated: zstdcat and zcat read a whole segment.
const (
	Zstd         Compression = "zstd"
	Gzip         Compression = "gzip"
	Uncompressed Compression = "none"
)

// ParseCompression reads the word used in job files; "" means Zstd.
func ParseCompression(word string) (Compression, error) {
	switch c := Compression(word); c {
	case "":
		return Zstd, nil
	case Zstd, Gzip, Uncompressed:
		return c, nil
	}
	return "", fmt.Errorf("compression %q: want zstd, gzip or none", word)
}

// codec turns text into frames and back. It may be used from many goroutines.
type codec interface {
	// encode appends to dst the frame that holds text.
	encode(dst, text []byte, how effort) ([]byte, error)
	// decode appends to dst the text of exactly one frame, of at most maxFrameText octets.
	decode(dst, frame []byte) ([]byte, error)
	// writer streams one frame to w. Close ends the frame; it does not close w.
	writer(w io.Writer) (io.WriteCloser, error)
	// reader streams the text of one frame. Closing it does not close r.
	reader(r io.Reader) (io.ReadCloser, error)
}

// effort says how hard a codec that can choose tries to make a frame small.
type effort int

const (
	thorough effort = iota
	quick           // somewhat larger frames in much less time
)

// maxFrameText bounds what decode makes of a frame, so that a damaged one
// cannot take all memory. Larger frames are streamed.
const maxFrameText = 16 << 20 // 16 MiB

// Codecs holds the encoders and decoders that all maildrops of a job share:
// hundreds of maildrops with an encoder each would need gigabytes. It also
// bounds how many frames are worked on at once. It needs no closing.
type Codecs struct {
	zstd func() (codec, error)
	gzip func() (codec, error)

	frames chan struct{} // held while a frame is encoded or checked in memory
	large  chan struct{} // held while a large message is streamed
}

// NewCodecs returns codecs for as many frames at once as there are processors.
func NewCodecs() *Codecs {
	n := runtime.GOMAXPROCS(0)
	return &Codecs{
		zstd:   sync.OnceValues(func() (codec, error) { return newZstd(n) }),
		gzip:   sync.OnceValues(func() (codec, error) { return newGzip(), nil }),
		frames: make(chan struct{}, n),
		large:  make(chan struct{}, n),
	}
}

// effort is what a frame is worth now. While every processor works on frames,
// mail comes in faster than they can be packed.
func (c *Codecs) effort() effort {
	if len(c.frames) == cap(c.frames) {
		return quick
	}
	return thorough
}

// forCompression returns the codec of a compression.
func (c *Codecs) forCompression(compression Compression) (codec, error) {
	switch compression {
	case Zstd:
		return c.zstd()
	case Gzip:
		return c.gzip()
	case Uncompressed:
		return plainCodec{}, nil
	}
	return nil, fmt.Errorf("unknown compression %q", compression)
}

// extension is what a compression appends to file names.
func (c Compression) extension() string {
	switch c {
	case Zstd:
		return ".zst"
	case Gzip:
		return ".gz"
	}
	return ""
}

// compressionOf tells a file's compression by its name.
func compressionOf(name string) Compression {
	switch {
	case strings.HasSuffix(name, ".zst"):
		return Zstd
	case strings.HasSuffix(name, ".gz"):
		return Gzip
	}
	return Uncompressed
}

// acquire takes a slot and returns what gives it back.
func acquire(ctx context.Context, slots chan struct{}) (release func(), err error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// plainCodec stores text as it is.
type plainCodec struct{}

func (plainCodec) encode(dst, text []byte, _ effort) ([]byte, error) {
	return append(dst, text...), nil
}

func (plainCodec) decode(dst, frame []byte) ([]byte, error) {
	if len(frame) > maxFrameText {
		return dst, errFrameTooLarge
	}
	return append(dst, frame...), nil
}

func (plainCodec) writer(w io.Writer) (io.WriteCloser, error) { return nopWriteCloser{w}, nil }

func (plainCodec) reader(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(r), nil }

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }

var errFrameTooLarge = fmt.Errorf("frame holds more than %d octets of text", maxFrameText)
