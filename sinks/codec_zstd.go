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
func zstdOptions(level zstd.EncoderLevel, concurrency int) []zstd.EOption {
	return []zstd.EOption{
		zstd.WithEncoderLevel(level),
		zstd.WithAllLitEntropyCompression(true),
		zstd.WithEncoderCRC(true),
		zstd.WithWindowSize(zstdWindow),
		zstd.WithEncoderConcurrency(concurrency),
		zstd.WithLowerEncoderMem(true),
	}
}

// zstdLevels are what an effort means. The archives of mailboxes are about 5 %
// larger at the quick one.
var zstdLevels = [quick + 1]zstd.EncoderLevel{thorough: zstd.SpeedDefault, quick: zstd.SpeedFastest}

type zstdCodec struct {
	frames  [quick + 1]*zstd.Encoder // EncodeAll only: each is a pool in itself
	decoder *zstd.Decoder            // DecodeAll only: likewise
	writers sync.Pool                // of *zstd.Encoder
	readers sync.Pool                // of *zstd.Decoder
}

func newZstd(concurrency int) (codec, error) {
	c := new(zstdCodec)
	for how, level := range zstdLevels {
		var err error
		if c.frames[how], err = zstd.NewWriter(nil, zstdOptions(level, concurrency)...); err != nil {
			return nil, err
		}
	}
	var err error
	c.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(concurrency),
		zstd.WithDecoderMaxMemory(maxFrameText), zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *zstdCodec) encode(dst, text []byte, how effort) ([]byte, error) {
	return c.frames[how].EncodeAll(text, dst), nil
}

func (c *zstdCodec) decode(dst, frame []byte) ([]byte, error) {
	return c.decoder.DecodeAll(frame, dst)
}

func (c *zstdCodec) writer(w io.Writer) (io.WriteCloser, error) {
	encoder, _ := c.writers.Get().(*zstd.Encoder)
	if encoder == nil {
		var err error
		if encoder, err = zstd.NewWriter(nil, zstdOptions(zstd.SpeedDefault, 1)...); err != nil {
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
