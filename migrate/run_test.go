package migrate

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
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

// A unique-id that was given to another message of equal length must not
// license its deletion.
func TestReusedUniqueID(t *testing.T) {
	old, other := message(1), message(2)
	other.UniqueID = old.UniqueID
	other.Content = slices.Clone(old.Content)
	copy(other.Content[len("Message-ID: <"):], "9")
	b := newBench(t, pop3test.Config{}, old, message(5))
	b.run()
	b.drop.Remove(old.UniqueID)
	b.drop.Deliver(other)
	b.job.Delete = DeleteVerified
	r := b.run()
	want(t, r, map[string]int64{"gone": 2})
	b.holds(old, other, message(5))
	if !b.ledger().Weak {
		t.Error("maildrop is not weak after a reused unique-id")
	}
}

func TestRepeatedUniqueIDs(t *testing.T) {
	all := []pop3test.Message{message(1), message(2), message(3), message(3)}
	all[1].UniqueID = all[0].UniqueID
	b := newBench(t, pop3test.Config{}, all...)
	b.job.Delete = DeleteVerified
	r := b.run()
	want(t, r, map[string]int64{"listed": 4, "stored": 4, "gone": 4})
	b.holds(all...)
	if !b.ledger().Weak {
		t.Error("maildrop is not weak after a repeated unique-id")
	}
}

// A weak maildrop is fetched whole each time.
func TestWeakMaildropIsFetchedAgain(t *testing.T) {
	all := mail(4)
	all[1].UniqueID = all[0].UniqueID
	b := newBench(t, pop3test.Config{}, all...)
	b.run()
	b.drop.Remove(all[0].UniqueID)
	b.drop.Deliver(message(0), message(1))
	want(t, b.run(), map[string]int64{"listed": 4, "known": 4, "stored": 0})
	if n := b.commands("RETR"); n != 8 {
		t.Errorf("%d RETR in two runs of 4 messages", n)
	}
}

func TestNoUniqueIDs(t *testing.T) {
	all := append(mail(20), message(3), message(3))
	b := newBench(t, pop3test.Config{Without: []string{"UIDL"}}, all...)
	want(t, b.run(), map[string]int64{"listed": 22, "stored": 22})
	want(t, b.run(), map[string]int64{"listed": 22, "known": 22, "stored": 0})
	b.holds(all...)
	b.job.Delete = DeleteVerified
	want(t, b.run(), map[string]int64{"known": 22, "gone": 22})
	b.holds(all...)
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

func TestCredentialIsTriedOnce(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	b.source.Password = func(context.Context) (string, error) { return "wrong", nil }
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

// Volatile header fields that a server writes in do not make a message new.
func TestVolatileHeaders(t *testing.T) {
	all := mail(5)
	b := newBench(t, pop3test.Config{}, all...)
	b.run()
	b.job.Delete = DeleteVerified
	b.drop.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Since: 2, Do: pop3test.View(func(messages []pop3test.Message) []pop3test.Message {
		for i := range messages {
			messages[i].Content = append([]byte("Status: RO\r\n"), messages[i].Content...)
		}
		return messages
	})})
	want(t, b.run(), map[string]int64{"listed": 5, "known": 5, "stored": 0, "gone": 5})
	b.holds(all...)
}
