package sinks

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"popmigrate/internal/durable/durabletest"
)

// zstdBomb is a frame of few octets that decodes to n octets.
func zstdBomb(n int64) []byte {
	const window, block = 0x50, 128 << 10 // 1 MiB, and the most that a block holds
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, window}
	for ; n > 0; n -= block {
		header := uint32(block)<<3 | 1<<1 // one octet, repeated
		if n <= block {
			header |= 1 // the last block
		}
		frame = append(frame, byte(header), byte(header>>8), byte(header>>16), 'a')
	}
	return frame
}

// zstdClaim is a frame that says it has n octets, and ends.
func zstdClaim(n uint64) []byte {
	return append(binary.LittleEndian.AppendUint64([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x50}, n), 1, 0, 0)
}

func gzipBomb(n int64) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for part := make([]byte, 1<<20); n > 0; n -= int64(len(part)) {
		w.Write(part)
	}
	w.Close()
	return out.Bytes()
}

// TestVerifyBombs puts, in the place of a frame and of a sidecar, octets that
// decode to gigabytes, with checksums that agree with them: only the lengths
// that the ledger knows stop them.
func TestVerifyBombs(t *testing.T) {
	const huge = 64 << 30
	gz := gzipBomb(1 << 30)
	for name, test := range map[string]struct {
		compression Compression
		bomb        []byte
	}{
		"zstd":       {Zstd, zstdBomb(huge)},
		"zstd claim": {Zstd, zstdClaim(huge)},
		"zstd many":  {Zstd, bytes.Repeat(zstdBomb(8<<20), 8<<10)},
		"gzip":       {Gzip, gz},
		"none":       {Uncompressed, bytes.Repeat([]byte("From a b\n"), 4<<20)},
	} {
		for place, ordinal := range map[string]int64{"frame": 1, "sidecar": 2, "streamed frame": 3} {
			t.Run(name+" "+place, func(t *testing.T) {
				fsys := durabletest.New()
				cfg := testCfg(fsys)
				cfg.Compression, cfg.FrameOctets = test.compression, 1
				ledger := &mboxLedger{id: "one"}
				sink := mustOpen(t, cfg, ledger)
				mustStore(t, sink, ledger, testGroup(1, "one\r\n", "two\nbare\r\n", strings.Repeat("three\r\n", 400_000)))
				mustClose(t, sink)
				c := &ledger.copies[ordinal-1]
				p, err := parsePlace(c.Where)
				if err != nil {
					t.Fatal(err)
				}
				if file := cfg.path(p.segment); place == "sidecar" {
					edit(t, fsys, cfg.path(rawName(c.Digest, p.segment)), func([]byte) []byte { return test.bomb })
					p.rawSum = checksumOf(test.bomb)
				} else {
					edit(t, fsys, file, func(b []byte) []byte { return append(b[:p.frame.at], test.bomb...) })
					p.frame.len, p.sum = int64(len(test.bomb)), checksumOf(test.bomb)
				}
				c.Where = p.where()

				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				began := time.Now()
				found := false
				for _, f := range verifyMbox(t, cfg, ledger, nil) {
					found = found || f.Copy != nil && f.Copy.Ordinal == ordinal && isErr(f.Err, ErrDamaged)
				}
				runtime.ReadMemStats(&after)
				if !found {
					t.Error("no finding names the message")
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
				if used := after.TotalAlloc - before.TotalAlloc; used > 200<<20 {
					t.Errorf("it took %d MiB", used>>20)
				}
			})
		}
	}
}
