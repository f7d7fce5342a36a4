package migrate

import (
	"context"
	"slices"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/pop3/pop3test"
)

func TestDeleteVerified(t *testing.T) {
	all := mail(120)
	b := newBench(t, pop3test.Config{}, all...)
	b.job.Delete = DeleteVerified
	r := b.run()
	want(t, r, map[string]int64{"listed": 120, "stored": 120, "marked": 120, "gone": 120, "unaudited": 0})
	b.holds(all...)
	if left := b.drop.Contents(); len(left) != 0 {
		t.Errorf("%d messages left on the server", len(left))
	}
	if !r.Complete || r.Class != ClassNone {
		t.Errorf("complete=%v class=%q", r.Complete, r.Class)
	}
}

// What an earlier run stored is deleted only after TOP agreed.
func TestDeleteInALaterRun(t *testing.T) {
	all := mail(50)
	b := newBench(t, pop3test.Config{}, all...)
	b.run()
	b.job.Delete = DeleteVerified
	r := b.run()
	want(t, r, map[string]int64{"listed": 50, "known": 50, "marked": 50, "gone": 50})
	if retr, top := b.commands("RETR"), b.commands("TOP"); retr != 50 || top != 50 {
		t.Errorf("%d RETR and %d TOP, want 50 each", retr, top)
	}
}

// +OK to QUIT proves nothing: what is still listed is marked again, and at
// last reported as kept.
func TestQuitThatLies(t *testing.T) {
	for name, do := range map[string]pop3test.Action{
		"keeps all":           pop3test.Update(0),
		"keeps some":          pop3test.Update(2),
		"refuses":             pop3test.All(pop3test.Update(0), pop3test.Say("-ERR some deleted messages not removed")),
		"refuses and deletes": pop3test.Say("-ERR but all were deleted"),
		"cuts":                pop3test.Cut(0),
	} {
		t.Run(name, func(t *testing.T) {
			all := mail(5)
			b := newBench(t, pop3test.Config{}, all...)
			b.job.Delete = DeleteVerified
			b.drop.SetRules(pop3test.Rule{Command: "QUIT", Times: 1, Do: do})
			want(t, b.run(), map[string]int64{"stored": 5, "gone": 5, "kept": 0, "unaudited": 0})
			b.holds(all...)
			if n := len(b.drop.Contents()); n != 0 {
				t.Errorf("%d left", n)
			}
		})
	}
	t.Run("always", func(t *testing.T) {
		b := newBench(t, pop3test.Config{}, mail(3)...)
		b.job.Delete = DeleteVerified
		b.drop.SetRules(pop3test.Rule{Command: "QUIT", Do: pop3test.Update(0)})
		want(t, b.run(), map[string]int64{"stored": 3, "gone": 0, "kept": 3, "unaudited": 0})
		if n := b.commands("DELE"); n != 9 {
			t.Errorf("%d DELE for 3 messages, want 9", n)
		}
	})
}

// A message that the server will not delete stays, and keeps no other from being
// deleted.
func TestRefusedMark(t *testing.T) {
	for times, kept := range map[int]int64{1: 0, 9: 1} {
		all := mail(5)
		b := newBench(t, pop3test.Config{}, all...)
		b.job.Delete = DeleteVerified
		b.drop.SetRules(pop3test.Rule{Command: "DELE", UniqueID: all[1].UniqueID, Times: times, Do: pop3test.Instead("-ERR not this one")})
		want(t, b.run(), map[string]int64{"stored": 5, "gone": 5 - kept, "kept": kept})
		if n := len(b.drop.Contents()); int64(n) != kept {
			t.Errorf("%d left", n)
		}
	}
}

// A listing that lost all unique-ids is no proof of deletion.
func TestRenumberedAfterQuit(t *testing.T) {
	all := mail(6)
	b := newBench(t, pop3test.Config{}, all...)
	b.job.Delete = DeleteVerified
	b.drop.SetRules(
		pop3test.Rule{Command: "QUIT", Times: 1, Do: pop3test.Update(0)},
		pop3test.Rule{Command: pop3test.OnLogin, Since: 2, Do: pop3test.View(func(messages []pop3test.Message) []pop3test.Message {
			for i := range messages {
				messages[i].UniqueID = "new-" + messages[i].UniqueID
			}
			return messages
		})})
	want(t, b.run(), map[string]int64{"stored": 6, "gone": 6, "kept": 0})
	b.holds(all...)
	if n := len(b.drop.Contents()); n != 0 {
		t.Errorf("%d left on the server though reported as gone", n)
	}
}

// A maildrop that suddenly shows nothing is asked again.
func TestSuddenlyEmpty(t *testing.T) {
	all := mail(6)
	b := newBench(t, pop3test.Config{}, all...)
	b.job.Delete = DeleteVerified
	nothing := pop3test.View(func([]pop3test.Message) []pop3test.Message { return nil })
	b.drop.SetRules(
		pop3test.Rule{Command: "QUIT", Times: 1, Do: pop3test.Update(0)},
		pop3test.Rule{Command: pop3test.OnLogin, Session: 2, Do: nothing})
	want(t, b.run(), map[string]int64{"stored": 6, "gone": 6})
	if n := len(b.drop.Contents()); n != 0 {
		t.Errorf("%d left on the server though reported as gone", n)
	}
	b.holds(all...)
}

// Fewer octets than listed: stored and flagged, but not deleted until a second
// session gives the same.
func TestShortMessage(t *testing.T) {
	t.Run("once", func(t *testing.T) {
		all := mail(8)
		b := newBench(t, pop3test.Config{}, all...)
		b.job.Delete = DeleteVerified
		b.drop.SetRules(pop3test.Rule{Command: "RETR", UniqueID: all[7].UniqueID, Times: 1, Do: pop3test.Short(60)})
		b.run()
		cut := pop3test.Message{Content: append(slices.Clone(all[7].Content[:60]), "\r\n"...)}
		b.holds(append(slices.Clone(all), cut)...)
		if n := len(b.drop.Contents()); n != 0 {
			t.Errorf("%d left", n)
		}
	})
	t.Run("always", func(t *testing.T) {
		all := mail(8)
		b := newBench(t, pop3test.Config{}, all...)
		b.job.Delete = DeleteVerified
		sent := 0
		b.drop.SetRules(
			pop3test.Rule{Command: "DELE", UniqueID: all[7].UniqueID, Do: pop3test.Call(func() { sent = b.commands("RETR") })},
			pop3test.Rule{Command: "RETR", UniqueID: all[7].UniqueID, Do: pop3test.Short(60)})
		want(t, b.run(), map[string]int64{"gone": 8})
		if sent != 9 {
			t.Errorf("short message deleted after %d RETR in all, want 9: its second session", sent)
		}
	})
}

func TestHold(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(4)...)
	b.job.Delete = DeleteVerified
	b.job.Accounts = []Account{{Name: "alice", User: "alice", Connector: &b.source, Host: "h", Hold: true, Sinks: []SinkSpec{b.sinks[0].spec()}}}
	want(t, b.run(), map[string]int64{"stored": 4, "held": 4, "marked": 0, "gone": 0})
	if n := b.commands("DELE"); n != 0 {
		t.Errorf("%d DELE on a maildrop on hold", n)
	}
}

func TestDeletePolicies(t *testing.T) {
	archive, mx := newMemory("archive"), newMemory("mx")
	mx.delivers = true
	for name, test := range map[string]struct {
		sinks  []*memory
		policy DeletePolicy
		gone   int64
	}{
		"never":                 {[]*memory{archive}, DeleteNever, 0},
		"forbidden":             {[]*memory{archive}, DeleteForbidden, 0},
		"verified and archive":  {[]*memory{archive, mx}, DeleteVerified, 3},
		"verified, only smtp":   {[]*memory{mx}, DeleteVerified, 0},
		"accepted is licence":   {[]*memory{mx}, DeleteAccepted, 3},
		"accepted with archive": {[]*memory{archive, mx}, DeleteAccepted, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, pop3test.Config{}, mail(3)...)
			b.sinks, b.job.Delete = nil, test.policy
			for _, sink := range test.sinks {
				fresh := newMemory(sink.name)
				fresh.delivers = sink.delivers
				b.addSink(fresh)
			}
			want(t, b.run(), map[string]int64{"stored": 3, "gone": test.gone, "marked": test.gone})
		})
	}
}

// Mail that arrives during the run is counted and is no error.
func TestLateMail(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(5)...)
	b.job.Delete = DeleteVerified
	b.drop.SetRules(pop3test.Rule{Command: "QUIT", Times: 1, Do: pop3test.Call(func() { b.drop.Deliver(message(50), message(51)) })})
	r := b.run()
	want(t, r, map[string]int64{"listed": 5, "stored": 5, "gone": 5, "late": 2})
	if !r.Complete {
		t.Error("late mail makes a run incomplete")
	}
	want(t, b.run(), map[string]int64{"listed": 2, "stored": 2, "gone": 2, "late": 0})
}

// No DELE goes out before the ledger holds the copy.
func TestLedgerBeforeDele(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(5)...)
	b.job.Delete = DeleteVerified
	ctx, cancel := context.WithCancelCause(t.Context())
	b.drop.SetRules(
		pop3test.Rule{Command: "DELE", Message: 1, Times: 1, Do: pop3test.All(pop3test.Update(pop3test.Marks), pop3test.Stall(0), pop3test.Call(func() { cancel(nil) }))},
		pop3test.Rule{Command: pop3test.OnDrop, Do: pop3test.Update(pop3test.Marks)})
	b.runCtx(ctx)
	for _, m := range b.ledger().Messages {
		if len(m.Copies) != 1 || m.Copies[0].Proof != checkpoint.Verified || m.Mark.State == checkpoint.Unmarked {
			t.Errorf("ledger when DELE went out: %+v", m)
		}
	}
	b.drop.SetRules()
	r := b.run()
	if !r.Complete || r.Unaudited != 0 || len(b.drop.Contents()) != 0 {
		t.Errorf("after the restart: %+v, %d left", r, len(b.drop.Contents()))
	}
	b.holds(mail(5)...)
}
