package sinks_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"popmigrate/sinks"
	"popmigrate/sinks/sinktest"
)

// BenchmarkMaildirStore stores groups on a real disk: every message is synced
// and read back. A new directory may begin on blocks that the disk has never
// written, which takes several times as long: run it with -benchtime 100x.
func BenchmarkMaildirStore(b *testing.B) {
	for _, messages := range []int{1, 50, 400} {
		b.Run(fmt.Sprintf("messages=%d", messages), func(b *testing.B) {
			cfg := sinks.MaildirConfig{Dir: filepath.Join(b.TempDir(), "Maildir")}
			ledger := sinktest.NewLedger("alice@example.net", "")
			sink, err := sinks.OpenMaildir(b.Context(), cfg, ledger.Opening())
			if err != nil {
				b.Fatal(err)
			}
			group := sinktest.Batch(messages, 5000, 1)
			octets := int64(0)
			for _, m := range group {
				octets += m.Octets
			}
			b.SetBytes(octets)
			b.ReportAllocs()
			occurrence := 0
			for b.Loop() {
				for i := range group {
					group[i].Occurrence = occurrence
				}
				occurrence++
				if _, err := sink.Store(b.Context(), group); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*messages)/b.Elapsed().Seconds(), "msg/s")
			if err := sink.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
