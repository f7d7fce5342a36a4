package sinks_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"popmigrate/internal/durable"
	"popmigrate/sinks"
	"popmigrate/sinks/sinktest"
)

// decompressors open a segment as zstdcat, zcat and cat do.
var decompressors = map[sinks.Compression]func(io.Reader) (io.Reader, error){
	sinks.Zstd:         func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
	sinks.Gzip:         func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	sinks.Uncompressed: func(r io.Reader) (io.Reader, error) { return r, nil },
}

func TestMboxSuite(t *testing.T) {
	codecs := sinks.NewCodecs()
	for compression, decompress := range decompressors {
		if testing.Short() && compression == sinks.Gzip {
			continue // the slowest by far under the race detector
		}
		t.Run(string(compression), func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Harness {
				dir := filepath.Join(t.TempDir(), "archive", "alice")
				cfg := sinks.MboxConfig{FS: durable.OS{}, Dir: dir, Codecs: codecs, Compression: compression}
				return sinktest.Harness{
					Open:    func(o sinks.Opening) (sinks.Sink, error) { return sinks.OpenMbox(context.Background(), cfg, o) },
					Read:    func() (sinks.Reader, error) { return sinks.OpenMboxReader(cfg) },
					Count:   func() (int, error) { return countMbox(dir, decompress) },
					Destroy: func() error { return os.RemoveAll(dir) },
				}
			})
		})
	}
}

// countMbox counts separators, as mail programs do.
func countMbox(dir string, decompress func(io.Reader) (io.Reader, error)) (int, error) {
	segments, err := filepath.Glob(filepath.Join(dir, "*.mbox*"))
	if err != nil {
		return 0, err
	}
	n := 0
	for _, name := range segments {
		segment, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer segment.Close()
		text, err := decompress(segment)
		if err == io.EOF { // an empty segment
			continue
		}
		if err != nil {
			return 0, err
		}
		content, err := io.ReadAll(text)
		if err != nil {
			return 0, err
		}
		n += bytes.Count(append([]byte("\n"), content...), []byte("\nFrom "))
	}
	return n, nil
}
