package checkpoint_test

import (
	"fmt"
	"sync"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/checkpoint/checkpointtest"
)

// BenchmarkCommit measures durable commits, of messages with two copies each,
// in rows and messages per second.
func BenchmarkCommit(b *testing.B) {
	for _, c := range []struct{ committers, messages int }{{1, 64}, {8, 64}, {200, 64}, {1, 800}} {
		b.Run(fmt.Sprintf("committers=%d/messages=%d", c.committers, c.messages), func(b *testing.B) {
			s := open(b, b.TempDir())
			defer s.Close()
			ids := make([]int64, c.committers)
			for n := range ids {
				m, err := s.Load(b.Context(), checkpointtest.Key(fmt.Sprint(n)))
				if err != nil {
					b.Fatal(err)
				}
				ids[n] = m.ID
			}
			work := make(chan struct{}, c.committers)
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for _, id := range ids {
				wg.Go(func() {
					last := int64(0)
					for range work {
						if err := s.Commit(b.Context(), batch(id, last, c.messages)...); err != nil {
							b.Error(err)
						}
						last += int64(c.messages)
					}
				})
			}
			for range b.N {
				work <- struct{}{}
			}
			close(work)
			wg.Wait()
			messages := float64(b.N * c.messages)
			b.ReportMetric(messages/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(3*messages/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func batch(id, last int64, messages int) []checkpoint.Change {
	changes := make([]checkpoint.Change, 0, 3*messages)
	m, archive, spare := checkpointtest.Message(1), checkpointtest.Copy("archive"), checkpointtest.Copy("spare")
	m.Stable = m.Digest
	for n := last + 1; n <= last+int64(messages); n++ {
		m.Ordinal = n
		changes = append(changes, checkpoint.PutMessage{Maildrop: id, Message: m},
			checkpoint.PutCopy{Maildrop: id, Ordinal: n, Copy: archive},
			checkpoint.PutCopy{Maildrop: id, Ordinal: n, Copy: spare})
	}
	return changes
}

func BenchmarkMark(b *testing.B) {
	const messages = 6400
	s := open(b, b.TempDir())
	defer s.Close()
	fill(b, s, messages)
	m, err := s.Load(b.Context(), checkpointtest.Key("alice"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		var changes []checkpoint.Change
		for i := range int64(64) {
			changes = append(changes, checkpoint.PutMark{Maildrop: m.ID, Ordinal: (int64(n)*64+i)%messages + 1,
				Mark: checkpoint.Mark{State: checkpoint.Marked, Tries: n, Session: "s", Reply: "+OK", At: checkpointtest.At(n)}})
		}
		if err := s.Commit(b.Context(), changes...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	s := open(b, b.TempDir())
	defer s.Close()
	fill(b, s, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		m, err := s.Load(b.Context(), checkpointtest.Key("alice"))
		if err != nil || len(m.Messages) != 100_000 {
			b.Fatal(err)
		}
	}
}
