package migrate

import (
	"context"
	"errors"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/internal/spool"
	"popmigrate/pop3/pop3test"
)

// unable is a ledger that cannot record that a session was opened.
type unable struct{ checkpoint.Store }

func (u unable) Commit(ctx context.Context, changes ...checkpoint.Change) error {
	for _, c := range changes {
		if _, ok := c.(checkpoint.AddCustody); ok {
			return errors.New("cannot")
		}
	}
	return u.Store.Commit(ctx, changes...)
}

// A maildrop whose session ended before its listing was accounted for is not
// an empty one, and not complete.
func TestSessionThatCouldNotBeRecorded(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	ledger, err := checkpoint.OpenSQLite(t.Context(), b.dir+"/state", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	room, err := spool.Open(b.dir+"/spool", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	b.job.Accounts = []Account{{Name: "alice", User: "alice", Connector: &b.source, Server: b.source.Server, Host: "127.0.0.1",
		Sinks: []SinkSpec{b.sinks[0].spec()}}}
	report, err := Run(t.Context(), &b.job, &Env{Ledger: unable{ledger}, Spool: room, RunID: "run"})
	if a := report.Accounts[0]; err == nil || a.EverSeen || a.Complete {
		t.Errorf("%v, %+v", err, a)
	}
}
