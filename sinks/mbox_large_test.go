package sinks

import (
	"crypto/sha256"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"popmigrate/internal/durable/durabletest"
)

// endless gives a message of many octets without holding it.
type endless struct {
	line []byte
	left int64
	off  int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), e.left)], e.line[e.off:])
	e.off = (e.off + n) % len(e.line)
	e.left -= int64(n)
	return n, nil
}

func (e *endless) Close() error { return nil }

// TestMboxLargeMessage: memory does not grow with a message, be it one line or many.
func TestMboxLargeMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("stores 200 MB")
	}
	for name, line := range map[string]string{"lines": strings.Repeat(strings.Repeat("0123456789", 7)+"\r\n", 1000), "one line": strings.Repeat("0123456789abcdef", 4096)} {
		t.Run(name, func(t *testing.T) {
			octets := int64(len(line)) * (100_000_000 / int64(len(line)))
			open := func() (io.ReadCloser, error) { return &endless{line: []byte(line), left: octets}, nil }
			h := sha256.New()
			body, _ := open()
			io.Copy(h, body)
			m := testMessage(1, "")
			m.Octets, m.Digest, m.Open = octets, Digest(h.Sum(nil)), open
			cfg := MboxConfig{Dir: filepath.Join(t.TempDir(), "alice"), Codecs: testCodecs, Compression: Uncompressed}
			ledger := &mboxLedger{id: "one"}
			sink := mustOpen(t, cfg, ledger)

			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			mustStore(t, sink, ledger, []Message{m})
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 20<<20 {
				t.Errorf("allocated %d octets to store %d", grown, octets)
			}
			mustClose(t, sink)
			runtime.ReadMemStats(&before)
			wantSound(t, cfg, ledger)
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 20<<20 {
				t.Errorf("allocated %d octets to verify %d", grown, octets)
			}
		})
	}
}

// TestMboxAroundLarge stores, at the real bounds, the largest message that is
// held in memory, with as much quoting as there can be, and the smallest that
// is streamed.
func TestMboxAroundLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("compresses 14 MB thrice")
	}
	for _, compression := range []Compression{Zstd, Gzip, Uncompressed} {
		cfg := testCfg(durabletest.New())
		cfg.Compression = compression
		ledger := &mboxLedger{id: "one"}
		sink := mustOpen(t, cfg, ledger)
		most := strings.Repeat("From \r\n", largeOctets)[:largeOctets-entryOctets]
		mustStore(t, sink, ledger, testGroup(1, most, most+"x", sampleMail(1, 5<<20/2), "a\r\n"))
		mustClose(t, sink)
		wantSound(t, cfg, ledger)
	}
}
