package sinks

import (
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is small because a frame is: it bounds what an encoder and a
// decoder hold, whatever the length of a streamed message.
const zstdWindow = 1 << 20 // 1 MiB

// zstdOptions are what every encoder shares. Without all-literals entropy
// coding base64 of compressed attachments, most of a mailbox, would be stored
// at full length.
func zstdOptions(concurrency int) []zstd.EOption {
	return []zstd.EOption{
		zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithAllLitEntropyCompression(true),
		zstd.WithEncoderCRC(true),
		zstd.WithWindowSize(zstdWindow),
		zstd.WithEncoderConcurrency(concurrency),
		zstd.WithLowerEncoderMem(true),
	}
}

type zstdCodec struct {
	frames  *zstd.Encoder // EncodeAll only: a pool in itself
	decoder *zstd.Decoder // DecodeAll only: likewise
	writers sync.Pool     // of *zstd.Encoder
	readers sync.Pool     // of *zstd.Decoder
}

func newZstd(concurrency int) (codec, error) {
	encoder, err := zstd.NewWriter(nil, zstdOptions(concurrency)...)
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(concurrency),
		zstd.WithDecoderMaxMemory(maxFrameText), zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return nil, err
	}
	return &zstdCodec{frames: encoder, decoder: decoder}, nil
}

func (c *zstdCodec) encode(dst, text []byte) ([]byte, error) {
	return c.frames.EncodeAll(text, dst), nil
}

func (c *zstdCodec) decode(dst, frame []byte) ([]byte, error) {
	return c.decoder.DecodeAll(frame, dst)
}

func (c *zstdCodec) writer(w io.Writer) (io.WriteCloser, error) {
	encoder, _ := c.writers.Get().(*zstd.Encoder)
	if encoder == nil {
		var err error
		if encoder, err = zstd.NewWriter(nil, zstdOptions(1)...); err != nil {
			return nil, err
		}
	}
	encoder.Reset(w)
	return &zstdWriter{Encoder: encoder, pool: &c.writers}, nil
}

// zstdWriter goes back to its pool once its frame is complete.
type zstdWriter struct {
	*zstd.Encoder
	pool *sync.Pool
}

func (w *zstdWriter) Close() error {
	err := w.Encoder.Close()
	if err == nil {
		w.Encoder.Reset(nil) // lets go of the file
		w.pool.Put(w.Encoder)
	}
	return err
}

func (c *zstdCodec) reader(r io.Reader) (io.ReadCloser, error) {
	decoder, _ := c.readers.Get().(*zstd.Decoder)
	if decoder == nil {
		var err error
		decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, err
		}
	}
	if err := decoder.Reset(r); err != nil {
		return nil, err
	}
	return &zstdReader{Decoder: decoder, pool: &c.readers}, nil
}

type zstdReader struct {
	*zstd.Decoder
	pool *sync.Pool
}

func (r *zstdReader) Close() error {
	if r.Decoder == nil {
		return nil
	}
	if r.Decoder.Reset(nil) == nil { // lets go of the file
		r.pool.Put(r.Decoder)
	}
	r.Decoder = nil
	return nil
}
