package migrate

import (
	"testing"

	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// A run that is to end delivers no further message: a group that takes a disk
// a moment may take a server minutes. What was not offered is no failure of
// the messages, and the next run delivers it from the verified copies.
func TestQuiesceEndsDelivery(t *testing.T) {
	messages := mail(100)
	b := newBench(t, pop3test.Config{}, messages...)
	b.job.Delete = DeleteVerified
	target := newMemory("target")
	target.delivers = true
	b.addSink(target)
	b.quiesce = make(chan struct{})
	delivered := 0
	target.fail = func(*sinks.Message) (sinks.Proof, error) {
		if delivered++; delivered == 3 {
			close(b.quiesce)
		}
		return sinks.Accepted, nil
	}
	r := b.run()
	if delivered != 3 || r.Class != ClassInterrupted {
		t.Errorf("%d delivered, class %q", delivered, r.Class)
	}
	want(t, r, map[string]int64{"listed": 100, "accepted": 3, "marked": 0})
	if attempts := b.ledger().Attempts; len(attempts) > 0 {
		t.Errorf("messages that were not offered count as failed: %v", attempts)
	}
	b.quiesce = nil
	want(t, b.run(), map[string]int64{"listed": 100, "stored": 97, "known": 3, "gone": 100})
	if delivered != 100 {
		t.Errorf("%d delivered", delivered)
	}
	b.holds(messages...)
}
