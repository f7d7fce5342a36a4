package migrate

import (
	"context"
	"errors"
	"slices"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
)

func TestCopyThenResume(t *testing.T) {
	for name, pipelining := range map[string]pop3.Pipelining{"pipelined": pop3.PipelineAuto, "lock-step": pop3.PipelineOff} {
		t.Run(name, func(t *testing.T) {
			all := mail(300)
			b := newBench(t, pop3test.Config{}, all...)
			b.source.Pipelining = pipelining
			r := b.run()
			want(t, r, map[string]int64{"listed": 300, "stored": 300, "verified": 300})
			if !r.Complete {
				t.Error("not complete")
			}
			b.holds(all...)
			r = b.run()
			want(t, r, map[string]int64{"listed": 300, "known": 300, "stored": 0, "verified": 0})
			if n := b.commands("RETR"); n != 300 {
				t.Errorf("%d RETR in two runs", n)
			}
			if n := b.commands("DELE"); n != 0 {
				t.Errorf("%d DELE without being told to delete", n)
			}
		})
	}
}

// A line that drops in the middle of a message leaves no part of it anywhere.
func TestCutInRetrieve(t *testing.T) {
	for _, octets := range []int64{0, 3, 20, 120} {
		all := mail(40)
		b := newBench(t, pop3test.Config{}, all...)
		b.job.Delete = DeleteVerified
		b.drop.SetRules(pop3test.Rule{Command: "RETR", Message: 20, Times: 2, Do: pop3test.Cut(octets)})
		r := b.run()
		want(t, r, map[string]int64{"listed": 40, "stored": 40, "gone": 40})
		b.holds(all...)
		if b.drop.Stats().Logins < 3 {
			t.Errorf("%d sessions", b.drop.Stats().Logins)
		}
	}
}

// One poison message never starves the rest.
func TestPoisonMessage(t *testing.T) {
	all := mail(30)
	b := newBench(t, pop3test.Config{}, all...)
	b.job.Limits.Attempts = 8
	b.drop.SetRules(pop3test.Rule{Command: "RETR", UniqueID: all[4].UniqueID, Do: pop3test.Cut(10)})
	r := b.run()
	want(t, r, map[string]int64{"listed": 30, "stored": 29, "failed": 1})
	if r.Complete {
		t.Error("complete with a failed message")
	}
	b.holds(append(slices.Clone(all[:4]), all[5:]...)...)
}

func TestRefusedRetrieve(t *testing.T) {
	all := mail(10)
	b := newBench(t, pop3test.Config{}, all...)
	b.job.Delete = DeleteVerified
	b.drop.SetRules(pop3test.Rule{Command: "RETR", UniqueID: all[3].UniqueID, Do: pop3test.Instead("-ERR [SYS/PERM] cannot read")})
	r := b.run()
	want(t, r, map[string]int64{"listed": 10, "stored": 9, "failed": 1, "gone": 9})
	if left := b.drop.UniqueIDs(); !slices.Equal(left, []string{all[3].UniqueID}) {
		t.Errorf("left on the server: %v", left)
	}
	if len(r.Failures) != 1 || r.Failures[0].UniqueID != all[3].UniqueID {
		t.Errorf("failures: %+v", r.Failures)
	}
}

func TestCredentialIsTriedOnce(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	b.source.Login.Password = func(context.Context) (string, error) { return "wrong", nil }
	r := b.run()
	if r.Class != ClassCredential || r.EverSeen || r.Complete || r.Attempts != 1 {
		t.Errorf("report %+v", r)
	}
	if n := b.drop.Stats().Refused; n != 1 {
		t.Errorf("%d logins with a wrong password", n)
	}
}

func TestLockedMaildropIsTriedAgain(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	b.drop.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Times: 2, Do: pop3test.Instead("-ERR maildrop is locked")})
	b.source.Timeouts = pop3.Timeouts{}
	patient := &hurried{Connector: &b.source}
	b.job.Accounts = []Account{{Name: "alice", User: "alice", Connector: patient, Host: "h", Sinks: []SinkSpec{b.sinks[0].spec()}}}
	want(t, b.run(), map[string]int64{"stored": 3})
	if patient.waits != 2 {
		t.Errorf("%d refusals were heeded, want 2", patient.waits)
	}
}

// hurried shortens the waits that a server asks for.
type hurried struct {
	Connector
	waits int
}

func (h *hurried) Connect(ctx context.Context) (Session, *Facts, error) {
	s, f, err := h.Connector.Connect(ctx)
	var refused *ConnectError
	if errors.As(err, &refused) && refused.After > 0 {
		h.waits++
		refused.After = 1
	}
	return s, f, err
}

func TestSlices(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(100)...)
	b.job.Delete = DeleteVerified
	b.job.Limits.SliceMessages = 30
	b.source.Pipelining = pop3.PipelineOff
	want(t, b.run(), map[string]int64{"listed": 100, "stored": 100, "gone": 100})
	b.holds(mail(100)...)
	if n := b.drop.Stats().Logins; n < 5 {
		t.Errorf("%d sessions", n)
	}
}

func TestQuiesce(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(100)...)
	b.job.Delete = DeleteVerified
	b.quiesce = make(chan struct{})
	b.source.Pipelining = pop3.PipelineOff
	b.drop.SetRules(pop3test.Rule{Command: "RETR", Message: 40, Times: 1, Do: pop3test.Call(func() { close(b.quiesce) })})
	report, err := b.runCtx(t.Context())
	if err != nil || !report.Interrupted {
		t.Errorf("%v, interrupted %v", err, report.Interrupted)
	}
	want(t, report.Accounts[0], map[string]int64{"listed": 100, "stored": 40, "failed": 60, "marked": 0})
	if n := b.commands("QUIT"); n != 1 {
		t.Errorf("%d QUIT", n)
	}
	b.quiesce = nil
	want(t, b.run(), map[string]int64{"listed": 100, "known": 40, "stored": 60, "gone": 100})
	b.holds(mail(100)...)
}

func TestDryRunTouchesNothing(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(4)...)
	b.job.Delete = DeleteVerified
	ledger, err := checkpoint.OpenSQLite(t.Context(), b.dir+"/state", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	b.job.Accounts = []Account{{Name: "alice", User: "alice", Connector: &b.source, Host: "h", Sinks: []SinkSpec{b.sinks[0].spec()}}}
	report, err := Run(t.Context(), &b.job, &Env{Ledger: ledger, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	want(t, report.Accounts[0], map[string]int64{"listed": 4, "skipped": 4, "stored": 0})
	if b.commands("RETR")+b.commands("DELE") != 0 {
		t.Error("a dry run sent RETR or DELE")
	}
}
