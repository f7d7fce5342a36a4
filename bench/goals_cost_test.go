//go:build linux

package bench

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Goal 8: what the processor does beyond what it cannot do without.
func TestGoalsProcessor(t *testing.T) {
	wantGoals(t)
	for _, c := range []struct{ n, octets int }{{10_000, 5000}, {100, 5_000_000}} {
		d, octets := dovecot(t, c.n, c.octets)
		w := race(t, fmt.Sprintf("processor time, %d × %d octets", c.n, c.octets), c.n, octets, *rounds,
			contender{name: "popmigrate, mbox.zst", once: popmigrate(t, clear(d.Addr), mboxZstd, c.n)})
		floor := leastWork(c.n, c.octets)
		line := fmt.Sprintf("the least: SHA-256 %.3f s + zstd %.3f s + decoding %.3f s\n", floor[0].Seconds(), floor[1].Seconds(), floor[2].Seconds())
		fmt.Print(line)
		keep(t, "goals.txt", line)
		spent := w.of("popmigrate, mbox.zst").cpu().Seconds() / (floor[0] + floor[1] + floor[2]).Seconds()
		goal(t, fmt.Sprintf("8: %d × %d octets, 1.6 / processor time over the least (%.2f)", c.n, c.octets, spent), 1.6/spent, 1)
	}
}

// leastWork measures SHA-256, compression as the archive does it, and one
// decoding, of the same octets on one processor: medians of five.
func leastWork(messages, octets int) (least [3]time.Duration) {
	var all [3][]time.Duration
	encoder, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithAllLitEntropyCompression(true),
		zstd.WithEncoderCRC(true), zstd.WithWindowSize(1<<20), zstd.WithEncoderConcurrency(1))
	decoder, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	var frames [][]byte
	var frame []byte
	for i := range messages {
		frame = append(frame, letter(i, octets)...)
		if len(frame) > 256<<10 || i == messages-1 {
			frames = append(frames, frame)
			frame = nil
		}
	}
	for range 5 {
		var spent [3]time.Duration
		var packed, text []byte
		for _, f := range frames {
			begin := time.Now()
			sha256.Sum256(f)
			hashed := time.Now()
			packed = encoder.EncodeAll(f, packed[:0])
			encoded := time.Now()
			text, _ = decoder.DecodeAll(packed, text[:0])
			decoded := time.Now()
			spent[0] += hashed.Sub(begin)
			spent[1] += encoded.Sub(hashed)
			spent[2] += decoded.Sub(encoded)
		}
		for i := range spent {
			all[i] = append(all[i], spent[i])
		}
	}
	for i := range all {
		least[i] = median(all[i])
	}
	return least
}
