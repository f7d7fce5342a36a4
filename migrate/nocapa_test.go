package migrate

import (
	"testing"

	"popmigrate/pop3/pop3test"
)

// A server that closes the line at CAPA, before the login or after it, is
// dialed once more and asked without it.
func TestClosedAtCAPA(t *testing.T) {
	all := mail(3)
	for name, rule := range map[string]pop3test.Rule{
		"always":          {Command: "CAPA", Do: pop3test.Cut(0)},
		"after the login": {Command: "CAPA", Skip: 1, Do: pop3test.Cut(0)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, pop3test.Config{}, all...)
			b.server.SetRules(rule)
			b.job.Limits.Attempts = 1
			r := b.run()
			want(t, r, map[string]int64{"listed": 3, "stored": 3})
			if !r.Complete || r.Attempts != 1 {
				t.Errorf("%+v", r)
			}
			b.holds(all...)
		})
	}
}

// A line that ends at CAPA and again at the login is no reason for a third one.
func TestClosedAtCAPAAndLogin(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(1)...)
	b.server.SetRules(pop3test.Rule{Command: "CAPA", Do: pop3test.Cut(0)}, pop3test.Rule{Command: "USER", Do: pop3test.Cut(0)})
	if session, _, err := b.source.Connect(t.Context()); err == nil {
		session.Close()
		t.Error("logged in")
	}
	sent := map[string]int{}
	for _, line := range b.server.Commands("") { // of connections without a login
		sent[firstWord(line)]++
	}
	if sent["CAPA"] != 1 || sent["USER"] != 1 {
		t.Errorf("sent %v", sent)
	}
}
