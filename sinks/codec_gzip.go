package sinks

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gzipLevel: below 7 this encoder skips entropy coding where it finds no
// matches and stores base64 at full length.
const gzipLevel = 7

type gzipCodec struct {
	writers sync.Pool // of *gzip.Writer
	readers sync.Pool // of *gzip.Reader
}

func newGzip() codec { return &gzipCodec{} }

func (c *gzipCodec) encode(dst, text []byte, _ effort) ([]byte, error) {
	out := appender{dst}
	w, err := c.writer(&out)
	if err != nil {
		return dst, err
	}
	if _, err := w.Write(text); err != nil {
		return dst, err
	}
	err = w.Close()
	return out.octets, err
}

// appender is an io.Writer that appends.
type appender struct{ octets []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.octets = append(a.octets, p...)
	return len(p), nil
}

func (c *gzipCodec) decode(dst, frame []byte) ([]byte, error) {
	rest := bytes.NewReader(frame)
	r, err := c.reader(rest)
	if err != nil {
		return dst, err
	}
	defer r.Close()
	start := len(dst)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst)-start > maxFrameText {
			return dst, errFrameTooLarge
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return dst, err
		}
	}
	if rest.Len() > 0 {
		return dst, errors.New("octets after the end of a gzip member")
	}
	return dst, nil
}

func (c *gzipCodec) writer(w io.Writer) (io.WriteCloser, error) {
	encoder, _ := c.writers.Get().(*gzip.Writer)
	if encoder == nil {
		var err error
		if encoder, err = gzip.NewWriterLevel(w, gzipLevel); err != nil {
			return nil, err
		}
	}
	encoder.Reset(w)
	return &gzipWriter{Writer: encoder, pool: &c.writers}, nil
}

// gzipWriter goes back to its pool once its member is complete.
type gzipWriter struct {
	*gzip.Writer
	pool *sync.Pool
}

func (w *gzipWriter) Close() error {
	err := w.Writer.Close()
	if err == nil {
		w.Writer.Reset(nil) // lets go of the file
		w.pool.Put(w.Writer)
	}
	return err
}

func (c *gzipCodec) reader(r io.Reader) (io.ReadCloser, error) {
	decoder, _ := c.readers.Get().(*gzip.Reader)
	if decoder == nil {
		decoder = new(gzip.Reader)
	}
	if err := decoder.Reset(r); err != nil {
		return nil, err
	}
	decoder.Multistream(false)
	return &gzipReader{Reader: decoder, pool: &c.readers}, nil
}

type gzipReader struct {
	*gzip.Reader
	pool *sync.Pool
}

func (r *gzipReader) Close() error {
	if r.Reader != nil {
		r.pool.Put(r.Reader)
		r.Reader = nil
	}
	return nil
}
