package migrate

import (
	"testing"

	"popmigrate/pop3/pop3test"
)

// Sessions that break off before QUIT, however often, are not taken for a
// server that will not delete.
func TestBrokenSessionsAreNoTries(t *testing.T) {
	messages := mail(20)
	b := newBench(t, pop3test.Config{}, messages...)
	b.job.Delete = DeleteVerified
	b.job.Limits.Attempts = 2
	b.drop.SetRules(pop3test.Rule{Command: "DELE", Message: 11, Do: pop3test.Cut(0)})
	for range 4 {
		want(t, b.run(), map[string]int64{"listed": 20, "gone": 0, "kept": 0, "marked": 0, "unaudited": 20})
	}
	b.drop.SetRules()
	want(t, b.run(), map[string]int64{"listed": 20, "known": 20, "gone": 20, "kept": 0, "unaudited": 0})
	b.holds(messages...)
}
