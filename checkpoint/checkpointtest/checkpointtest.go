// Package checkpointtest holds the tests that every ledger passes.
package checkpointtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/internal/digest"
)

// Open makes a new, empty store for one test. The second function opens the
// same store again; the suite calls it after closing what it had. The suite
// closes everything that it was given.
type Open func(t *testing.T) (checkpoint.Store, func() checkpoint.Store)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *fixture)
	}{
		{"LoadEnters", testLoadEnters},
		{"Persistence", testPersistence},
		{"ReplaceMessage", testReplaceMessage},
		{"ReplaceCopy", testReplaceCopy},
		{"ReplaceMark", testReplaceMark},
		{"ReplaceSinkAndStatus", testReplaceSinkAndStatus},
		{"Attempts", testAttempts},
		{"Weak", testWeak},
		{"Octets", testOctets},
		{"Digests", testDigests},
		{"Times", testTimes},
		{"CopiesBySinkName", testCopiesBySinkName},
		{"Refusals", testRefusals},
		{"Atomic", testAtomic},
		{"Order", testOrder},
		{"Counters", testCounters},
		{"Concurrent", testConcurrent},
		{"RefusalAmongOthers", testRefusalAmongOthers},
		{"LargeCommit", testLargeCommit},
		{"Context", testContext},
		{"Custody", testCustody},
		{"StatusOrder", testStatusOrder},
		{"Closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			store, reopen := open(t)
			f := &fixture{T: t, store: store, open: reopen}
			t.Cleanup(func() {
				if err := f.store.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			c.test(t, f)
		})
	}
}

// fixture is one test's store.
type fixture struct {
	*testing.T
	store checkpoint.Store
	open  func() checkpoint.Store
}

func (f *fixture) reopen() {
	f.Helper()
	if err := f.store.Close(); err != nil {
		f.Fatalf("close: %v", err)
	}
	f.store = f.open()
}

func (f *fixture) load(name string) *checkpoint.Maildrop {
	f.Helper()
	m, err := f.store.Load(context.Background(), Key(name))
	if err != nil {
		f.Fatalf("load %s: %v", name, err)
	}
	return m
}

func (f *fixture) commit(changes ...checkpoint.Change) {
	f.Helper()
	if err := f.store.Commit(context.Background(), changes...); err != nil {
		f.Fatalf("commit: %v", err)
	}
}

func (f *fixture) status(name string) checkpoint.Status {
	f.Helper()
	list, err := f.store.Status(context.Background())
	if err != nil {
		f.Fatalf("status: %v", err)
	}
	for _, s := range list {
		if s.Key.Name == name {
			return s
		}
	}
	f.Fatalf("status: no maildrop %s in %v", name, list)
	return checkpoint.Status{}
}

// Key is the key of a maildrop of the suite's job.
func Key(name string) checkpoint.Key {
	return checkpoint.Key{Job: "acme", Name: name, Server: "pop.example.net:995", User: "user of " + name}
}

// Message is a message with every field set, different for each ordinal.
func Message(ordinal int64) checkpoint.Message {
	return checkpoint.Message{
		Ordinal:      ordinal,
		UniqueID:     fmt.Sprintf("%016x%04d", ordinal*7919, ordinal),
		ListedOctets: 1000 + ordinal,
		Octets:       990 + ordinal,
		Digest:       digest.Of(fmt.Append(nil, "message ", ordinal)),
		Stable:       digest.Of(fmt.Append(nil, "stable ", ordinal)),
		Header:       digest.Of(fmt.Append(nil, "header ", ordinal)),
		Flags:        checkpoint.Short | checkpoint.Confirmed,
	}
}

// Copy is a verified copy with every field set.
func Copy(sink string) checkpoint.Copy {
	return checkpoint.Copy{
		Sink:    sink,
		Proof:   checkpoint.Verified,
		Where:   "000001.mbox.zst:4711:12:990",
		Session: "session-1",
		Reason:  "none",
		At:      At(1),
	}
}

// At is the nth instant of the suite, in whole milliseconds.
func At(n int) time.Time {
	return time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC).Add(time.Duration(n) * 1001 * time.Millisecond)
}

// Recount counts from the rows what Status keeps in counters.
func Recount(m *checkpoint.Maildrop) checkpoint.Status {
	s := checkpoint.Status{Key: m.Key, Failing: int64(len(m.Attempts))}
	for _, message := range m.Messages {
		s.Messages++
		s.Octets += message.Octets
		best, lost := checkpoint.Proof(0), false
		for _, c := range message.Copies {
			best, lost = max(best, c.Proof), lost || c.Proof == checkpoint.Lost
		}
		if lost {
			s.Lost++
		}
		switch best {
		case checkpoint.Verified:
			s.Verified++
		case checkpoint.Accepted:
			s.Accepted++
		}
		switch message.Mark.State {
		case checkpoint.Marking, checkpoint.Marked:
			s.Marked++
		case checkpoint.Gone:
			s.Gone++
		case checkpoint.Kept:
			s.Kept++
		}
	}
	return s
}

// counts leaves of a status what the store counts.
func counts(s checkpoint.Status) checkpoint.Status {
	s.State, s.Class, s.Reason, s.Listed, s.RunID, s.At = "", "", "", 0, "", time.Time{}
	return s
}
