package migrate

import (
	"context"
	"sync"
	"syscall"
	"testing"

	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// whenFinished closes done when a maildrop has come to its end.
type whenFinished struct {
	name string
	once sync.Once
	done chan struct{}
}

func (w *whenFinished) Maildrop(e MaildropEvent) {
	if e.State == Finished && e.Account.Name == w.name {
		w.once.Do(func() { close(w.done) })
	}
}
func (w *whenFinished) Message(MessageEvent) {}
func (w *whenFinished) Octets(int64)         {}
func (w *whenFinished) Host(HostEvent)       {}

// Once a disk was full, no maildrop of the run is deleted from: not even one
// whose own copies are safe.
func TestFullDiskEndsDeletionEverywhere(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(5)...)
	bob := b.server.AddMaildrop("bob", "secret", mail(5)...)
	finished := &whenFinished{name: "alice", done: make(chan struct{})}
	b.watch = finished
	bob.SetRules(pop3test.Rule{Command: "RETR", Message: 5, Do: pop3test.Until(finished.done)})
	full := newMemory("archive")
	full.fail = func(*sinks.Message) (sinks.Proof, error) {
		return 0, &sinks.Error{Op: "store", Object: "x", Err: syscall.ENOSPC}
	}
	source := b.source
	source.Login.User = "bob"
	source.Login.Password = func(context.Context) (string, error) { return "secret", nil }
	b.job.Delete = DeleteVerified
	b.job.Accounts = []Account{
		{Name: "alice", User: "alice", Connector: &b.source, Server: b.source.Server, Host: "127.0.0.1", Sinks: []SinkSpec{full.spec()}},
		{Name: "bob", User: "bob", Connector: &source, Server: b.source.Server, Host: "127.0.0.1", Sinks: []SinkSpec{b.sinks[0].spec()}},
	}
	report, err := b.runCtx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, report.Accounts[1], map[string]int64{"listed": 5, "stored": 5, "marked": 0})
	if left := len(bob.Contents()); left != 5 {
		t.Errorf("%d of bob's messages left, want all", left)
	}
	full.fail = nil
	if report, err = b.runCtx(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, a := range report.Accounts {
		want(t, a, map[string]int64{"listed": 5, "gone": 5})
	}
}
