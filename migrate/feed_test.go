package migrate

import (
	"context"
	"slices"
	"syscall"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

func TestSinkFailures(t *testing.T) {
	third := message(2).UniqueID
	for name, test := range map[string]struct {
		fail  func(m *sinks.Message) (sinks.Proof, error)
		class Class
		want  map[string]int64
	}{
		"refuses one": {func(m *sinks.Message) (sinks.Proof, error) {
			if m.UniqueID == third {
				return sinks.Refused, nil
			}
			return sinks.Verified, nil
		}, ClassMessage, map[string]int64{"listed": 6, "stored": 5, "failed": 1, "gone": 5}},
		"disk full": {func(*sinks.Message) (sinks.Proof, error) {
			return 0, &sinks.Error{Op: "store", Object: "x", Err: syscall.ENOSPC}
		}, ClassSink, map[string]int64{"listed": 6, "stored": 0, "failed": 6, "marked": 0}},
		"reads back differently": {func(*sinks.Message) (sinks.Proof, error) {
			return 0, &sinks.Error{Op: "read back", Object: "x", Err: sinks.ErrDamaged}
		}, ClassArchive, map[string]int64{"listed": 6, "stored": 0, "failed": 6, "marked": 0}},
		"later": {func(m *sinks.Message) (sinks.Proof, error) {
			if m.UniqueID == third {
				return sinks.Later, nil
			}
			return sinks.Verified, nil
		}, ClassMessage, map[string]int64{"listed": 6, "stored": 5, "failed": 1, "gone": 5}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, pop3test.Config{}, mail(6)...)
			b.job.Delete = DeleteVerified
			b.sinks[0].fail = test.fail
			r := b.run()
			want(t, r, test.want)
			if test.want["stored"] == 0 && b.commands("QUIT") != 0 {
				t.Error("QUIT after a sink's failure")
			}
			if r.Class != test.class || r.Complete {
				t.Errorf("class %q, complete %v", r.Class, r.Complete)
			}
			if left := int64(len(b.drop.Contents())); left != 6-test.want["gone"] {
				t.Errorf("%d left on the server", left)
			}
			b.sinks[0].fail = nil
			r = b.run()
			if !r.Complete {
				t.Errorf("run after the cure: %+v", r)
			}
			b.holds(mail(6)...)
			if left := len(b.drop.Contents()); left != 0 {
				t.Errorf("%d left after the cure", left)
			}
		})
	}
}

// A sink that was added later is filled from the verified one, also with mail
// that the server has no more.
func TestSinkAddedLater(t *testing.T) {
	all := mail(30)
	b := newBench(t, pop3test.Config{}, all...)
	b.job.Delete = DeleteVerified
	b.run()
	b.drop.Deliver(message(100))
	b.addSink(newMemory("second"))
	delivering := newMemory("third")
	delivering.delivers = true
	b.addSink(delivering)
	want(t, b.run(), map[string]int64{"listed": 1, "stored": 1, "verified": 32, "accepted": 31, "gone": 1})
	if n := b.commands("RETR"); n != 31 {
		t.Errorf("%d RETR, want 31", n)
	}
	for _, sink := range b.sinks {
		if n := len(sink.contents()); n != 31 {
			t.Errorf("sink %s holds %d messages", sink.name, n)
		}
	}
}

// Only the sink that lacks a message is fed by a re-fetch.
func TestRefetchFeedsOnlyWhatLacks(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(6)...)
	second := newMemory("second")
	second.fail = func(m *sinks.Message) (sinks.Proof, error) { return sinks.Later, nil }
	b.addSink(second)
	b.job.Limits.Attempts = 1
	want(t, b.run(), map[string]int64{"listed": 6, "failed": 6, "stored": 0, "verified": 6})
	second.fail = nil
	want(t, b.run(), map[string]int64{"listed": 6, "stored": 6, "verified": 6})
	b.holds(mail(6)...)
	if n := b.sinks[0].next; n != 6 {
		t.Errorf("first sink stored %d times", n)
	}
}

func TestDeliveryIsRecordedBeforeItGoesOut(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	delivering := newMemory("mx")
	delivering.delivers = true
	ctx, cancel := context.WithCancel(t.Context())
	delivering.fail = func(m *sinks.Message) (sinks.Proof, error) {
		if m.UniqueID == message(1).UniqueID {
			cancel() // the process dies after the message went out
			return sinks.Accepted, context.Canceled
		}
		return sinks.Accepted, nil
	}
	b.sinks = []*memory{delivering}
	b.runCtx(ctx)
	var proofs []checkpoint.Proof
	for _, m := range b.ledger().Messages {
		for _, c := range m.Copies {
			proofs = append(proofs, c.Proof)
		}
	}
	if !slices.Equal(proofs, []checkpoint.Proof{checkpoint.Accepted, checkpoint.Sending}) {
		t.Errorf("ledger holds %v", proofs)
	}
	delivering.fail = nil
	want(t, b.run(), map[string]int64{"listed": 3, "known": 1, "stored": 2, "accepted": 2})
}

// A target that takes nothing is not asked for every message of a maildrop.
func TestTargetThatTakesNothing(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(100)...)
	asked := 0
	mx := newMemory("mx")
	mx.delivers = true
	mx.fail = func(*sinks.Message) (sinks.Proof, error) { asked++; return sinks.Later, nil }
	b.sinks = []*memory{mx}
	b.job.Limits.Attempts = 2
	want(t, b.run(), map[string]int64{"listed": 100, "failed": 100, "accepted": 0})
	if asked != 2*failedInARow {
		t.Errorf("asked %d times in two sessions", asked)
	}
}
