package checkpoint_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/checkpoint/checkpointtest"
	"popmigrate/internal/durable/durabletest"
)

// callers commit at the same time, each to a maildrop of its own.
const callers = 4

// acks counts for each session the commits that returned nil and those begun.
type acks struct{ acked, began [callers]int64 }

// together has every session make three commits: a message with two copies
// and a custody entry each.
func (a *acks) together(s *checkpoint.SQLite) error {
	var all sync.WaitGroup
	var errs [callers]error
	for n := range callers {
		all.Go(func() {
			m, err := s.Load(ctx, checkpointtest.Key(fmt.Sprint(n)))
			for i := int64(1); i <= 3 && err == nil; i++ {
				a.began[n] = i
				entry := checkpoint.CustodyEntry{Maildrop: m.ID, Session: fmt.Sprint(n), Kind: "closed"}
				err = s.Commit(ctx, append(messages(m.ID, i, i), checkpoint.AddCustody{Entry: entry})...)
				if err == nil {
					a.acked[n] = i
				}
			}
			errs[n] = err
		})
	}
	all.Wait()
	return errors.Join(errs[:]...)
}

// check requires of each session what progress.check requires of one.
func (a *acks) check(s *checkpoint.SQLite) error {
	got, err := observe(s)
	if err != nil {
		return err
	}
	entries := map[string]int64{}
	for _, e := range got.custody {
		entries[e.Session]++
	}
	var found [callers]int64
	for i, m := range got.maildrops {
		n, _ := strconv.Atoi(m.Key.Name)
		found[n] = int64(len(m.Messages))
		for _, message := range m.Messages {
			if len(message.Copies) != 2 {
				return fmt.Errorf("session %d: message %d has %d copies", n, message.Ordinal, len(message.Copies))
			}
		}
		if want := checkpointtest.Recount(m); got.status[i] != (checkpoint.Status{Key: m.Key, Messages: want.Messages,
			Octets: want.Octets, Verified: want.Verified, Listed: -1}) {
			return fmt.Errorf("session %d: counters %+v", n, got.status[i])
		}
	}
	for n := range callers {
		if found[n] < a.acked[n] || found[n] > a.began[n] || entries[fmt.Sprint(n)] != found[n] {
			return fmt.Errorf("session %d: %d acknowledged, %d begun, %d found, %d custody entries",
				n, a.acked[n], a.began[n], found[n], entries[fmt.Sprint(n)])
		}
	}
	return nil
}

// TestPowerCutGroups cuts the power while commits share transactions.
func TestPowerCutGroups(t *testing.T) {
	t.Parallel()
	everyCall(t, func(n int) bool {
		disk, a := newDisk(t), acks{}
		crash := crashAt(n)
		disk.Hook(crash.hook)
		if err := withLedger(disk, a.together); err != nil && crash.op == "" {
			t.Fatal(err)
		}
		for i, fate := range fates {
			if err := withLedger(disk.Crash(fate()), a.check); err != nil {
				t.Fatalf("call %d, fate %d: %v", n, i, err)
			}
		}
		return crash.op != ""
	})
}

// TestManyLives opens, uses, kills and reopens ledgers on one process's memory.
func TestManyLives(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 100
	}
	goroutines := runtime.NumGoroutine()
	var before int64
	for n := range rounds {
		if n == rounds/10 {
			before = resident(t)
		}
		disk, p := newDisk(t), progress{}
		p.spoil(t, disk, crashAt(1+n*7%75))
		if err := p.check(disk.Crash(durabletest.LoseAll())); err != nil {
			t.Fatal(err)
		}
	}
	after := resident(t)
	t.Logf("%d KiB resident after %d rounds, %d after %d", before>>10, rounds/10, after>>10, rounds)
	if after > before+32<<20 {
		t.Error("memory grows")
	}
	if now := runtime.NumGoroutine(); now > goroutines+2 {
		t.Errorf("%d goroutines, then %d", goroutines, now)
	}
}

// resident returns the octets of this process in memory, 0 where the system
// does not say.
func resident(t *testing.T) int64 {
	runtime.GC()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Logf("no figure for memory: %v", err)
		return 0
	}
	pages, err := strconv.ParseInt(string(bytes.Fields(statm)[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// BenchmarkLife measures, on the double, what a torture test does many times:
// open a ledger, commit ten times, close it.
func BenchmarkLife(b *testing.B) {
	for _, fresh := range []bool{true, false} {
		b.Run(map[bool]string{true: "new", false: "old"}[fresh], func(b *testing.B) {
			disk := newDisk(b)
			calls := disk.Calls()
			for b.Loop() {
				if fresh {
					disk = newDisk(b)
					calls = disk.Calls()
				}
				err := withLedger(disk, func(s *checkpoint.SQLite) error {
					m, err := s.Load(ctx, checkpointtest.Key("alice"))
					for i := int64(1); i <= 10 && err == nil; i++ {
						err = s.Commit(ctx, messages(m.ID, i, i)...)
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			if fresh {
				b.ReportMetric(float64(disk.Calls()-calls), "calls/op")
			}
		})
	}
}
