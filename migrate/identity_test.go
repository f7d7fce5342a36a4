package migrate

import (
	"context"
	"slices"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// Another message under a known unique-id, of another length: fetched.
func TestUniqueIDWithOtherOctets(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	b.run()
	other := message(70)
	other.UniqueID = message(1).UniqueID
	b.drop.Remove(other.UniqueID)
	b.drop.Deliver(other)
	want(t, b.run(), map[string]int64{"listed": 3, "known": 2, "stored": 1})
	b.holds(append(mail(3), other)...)
	if !b.ledger().Weak {
		t.Error("maildrop is not weak after a reused unique-id")
	}
}

// A unique-id whose message was seen gone says nothing when it comes back.
func TestGoneUniqueIDComesBack(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	b.job.Delete = DeleteVerified
	b.run()
	other := message(1)
	other.Content = append([]byte(nil), other.Content...)
	other.Content[len(other.Content)-3] = '!' // same length
	b.drop.Deliver(other, message(2))
	want(t, b.run(), map[string]int64{"listed": 2, "stored": 1, "known": 1, "gone": 2})
	b.holds(append(mail(3), other)...)
}

// Every sink of the job must hold at least an accepted copy.
func TestOneSinkLacksTheMessage(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(4)...)
	b.job.Delete = DeleteVerified
	second := newMemory("second")
	second.fail = func(m *sinks.Message) (sinks.Proof, error) {
		if m.UniqueID == message(2).UniqueID {
			return sinks.Refused, nil
		}
		return sinks.Verified, nil
	}
	b.addSink(second)
	want(t, b.run(), map[string]int64{"listed": 4, "stored": 3, "failed": 1, "gone": 3})
	if left := b.drop.UniqueIDs(); len(left) != 1 || left[0] != message(2).UniqueID {
		t.Errorf("left on the server: %v", left)
	}
}

// STAT and LIST that contradict each other license nothing.
func TestContradictoryListing(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(4)...)
	b.job.Delete = DeleteVerified
	b.drop.SetRules(pop3test.Rule{Command: "STAT", Do: pop3test.Listing(func(all []pop3test.Entry) []pop3test.Entry { return all[:min(1, len(all))] })})
	want(t, b.run(), map[string]int64{"listed": 4, "stored": 4, "marked": 0})
	if n := b.commands("DELE"); n != 0 {
		t.Errorf("%d DELE on a doubtful listing", n)
	}
}

// A session that ends before it looked at a known message does not delete it,
// and does not call the maildrop done.
func TestNothingUnprovenIsDeleted(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(4)...)
	b.run()
	b.job.Delete = DeleteVerified
	b.job.Limits.SliceTime = 1 // every session is over at once
	r := b.run()
	want(t, r, map[string]int64{"known": 4, "marked": 0})
	if n := b.commands("DELE"); n != 0 {
		t.Errorf("%d DELE without a look at the messages", n)
	}
	if r.Class == ClassNone {
		t.Error("reported as done")
	}
}

// A copy that reads back differently is no source for another sink.
func TestFillFromDamagedCopy(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(3)...)
	b.run()
	first := b.sinks[0].spec()
	second := newMemory("second")
	b.job.Accounts = []Account{{Name: "alice", User: "alice", Connector: &b.source, Host: "h", Sinks: []SinkSpec{first, second.spec()}}}
	b.sinks[0].damaged = true
	r := b.run()
	if r.Class != ClassArchive || len(second.contents()) != 0 {
		t.Errorf("class %q, %d messages in the second sink", r.Class, len(second.contents()))
	}
}

func TestGenerationIsRaisedBeforeEachOpening(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(2)...)
	for n := int64(1); n <= 3; n++ {
		b.run()
		if got := b.sinks[0].opened; got.Generation != n || got.ArchiveID == "" {
			t.Errorf("opening %d: %+v", n, got)
		}
		if state := b.ledger().Sinks["archive"]; state.Generation != n || state.ArchiveID != b.sinks[0].opened.ArchiveID {
			t.Errorf("ledger after opening %d: %+v", n, state)
		}
	}
}

// A session that ended early in a renumbered maildrop does not take for gone
// what it did not come to look at.
func TestRenumberedAndReadInSlices(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(6)...)
	b.job.Delete = DeleteVerified
	b.source.Pipelining = pop3.PipelineOff
	ctx, cancel := context.WithCancel(t.Context())
	b.drop.SetRules(pop3test.Rule{Command: "QUIT", Times: 1, Do: pop3test.All(pop3test.Update(0), pop3test.Call(cancel))})
	b.runCtx(ctx)
	b.drop.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.View(func(messages []pop3test.Message) []pop3test.Message {
		for i := range messages {
			messages[i].UniqueID = "new-" + messages[i].UniqueID
		}
		return messages
	})})
	b.addSink(newMemory("second")) // something to settle, so that slices end
	b.job.Limits.SliceMessages = 2
	r := b.run()
	want(t, r, map[string]int64{"listed": 6, "gone": 6, "kept": 0, "unaudited": 0})
	if n := len(b.drop.Contents()); n != 0 {
		t.Errorf("%d left", n)
	}
}

// An archive that is refused leaves every message where it is, and counted.
func TestRefusedArchive(t *testing.T) {
	b := newBench(t, pop3test.Config{}, mail(4)...)
	b.job.Delete = DeleteVerified
	spec := b.sinks[0].spec()
	spec.Open = func(context.Context, sinks.Opening) (sinks.Sink, error) {
		return nil, &sinks.Error{Op: "open", Object: "archive", Err: sinks.ErrForeign, Hint: "name another directory"}
	}
	b.job.Accounts = []Account{{Name: "alice", User: "alice", Connector: &b.source, Host: "h", Sinks: []SinkSpec{spec}}}
	r := b.run()
	want(t, r, map[string]int64{"listed": 4, "failed": 4, "marked": 0})
	if r.Class != ClassArchive || r.Hint == "" || b.commands("RETR")+b.commands("QUIT") != 0 {
		t.Errorf("class %q, hint %q, %d RETR, %d QUIT", r.Class, r.Hint, b.commands("RETR"), b.commands("QUIT"))
	}
}

// Messages alike in every octet are all kept, though the first of them was
// deleted before the next slice came to the others.
func TestTwinsInSlices(t *testing.T) {
	twin := mail(1)[0].Content
	b := newBench(t, pop3test.Config{})
	var want []pop3test.Message
	for i := range 7 {
		m := message(i)
		if i%2 == 0 {
			m.Content = twin
		}
		b.drop.Deliver(m)
		want = append(want, m)
	}
	b.job.Delete = DeleteVerified
	b.job.Limits.SliceMessages = 2
	b.source.Pipelining = pop3.PipelineOff
	b.run()
	b.holds(want...)
	if n := len(b.drop.Contents()); n != 0 {
		t.Errorf("%d left", n)
	}
}

// A sink that was added later gets each message once, though it is fetched
// again because unique-ids prove nothing and could be filled from the other
// sink too.
func TestWeakMaildropAndSinkAddedLater(t *testing.T) {
	messages := mail(4)
	messages[1].UniqueID = messages[0].UniqueID
	b := newBench(t, pop3test.Config{}, messages...)
	b.run()
	later := newMemory("later")
	b.addSink(later)
	r := b.run()
	want(t, r, map[string]int64{"listed": 4, "stored": 4, "verified": 4})
	if n := len(later.contents()); n != 4 {
		t.Errorf("%d messages in the sink that was added", n)
	}
}

// A unique-id that two records have points to neither.
func TestHintOfTwo(t *testing.T) {
	ids := newIdentities(&checkpoint.Maildrop{Messages: []checkpoint.Message{
		{Ordinal: 1, UniqueID: "one", ListedOctets: 7}, {Ordinal: 2, UniqueID: "two", ListedOctets: 7}, {Ordinal: 3, UniqueID: "two", ListedOctets: 7},
	}}, NewReckoning())
	if record, ok := ids.hinted(Entry{UniqueID: "one", Octets: 7}); !ok || record != 0 {
		t.Errorf("one: %d, %v", record, ok)
	}
	if record, ok := ids.hinted(Entry{UniqueID: "two", Octets: 7}); ok {
		t.Errorf("two: %d", record)
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

// A message that was marked in a session without unique-ids, and stayed, is
// neither gone nor another one when it is listed under its own again: not
// though one that is known beside it shows that unique-ids are stable, and not
// though both were listed in an earlier session.
func TestMarkedWithoutUniqueID(t *testing.T) {
	t.Run("not come to before", func(t *testing.T) { markedWithoutUniqueID(t, false) })
	t.Run("refused before", func(t *testing.T) { markedWithoutUniqueID(t, true) })
}

func markedWithoutUniqueID(t *testing.T, refused bool) {
	b := newBench(t, pop3test.Config{}, message(0))
	b.run()
	b.drop.Deliver(message(1), message(2), message(3))
	b.job.Delete = DeleteVerified
	b.job.Limits.SliceMessages = 1
	b.source.Pipelining = pop3.PipelineOff
	first := b.commands("QUIT") + 1
	order := func(uids ...int) pop3test.Action {
		return pop3test.View(func(messages []pop3test.Message) (view []pop3test.Message) {
			for _, n := range uids {
				for _, m := range messages {
					if m.UniqueID == message(n).UniqueID {
						view = append(view, m)
					}
				}
			}
			return view
		})
	}
	stays := pop3test.Instead("+OK but not done")
	atFirst := order(3, 2, 1, 0)
	if refused {
		atFirst = order(1, 3, 2, 0)
	}
	b.drop.SetRules(
		pop3test.Rule{Command: pop3test.OnLogin, Session: first, Do: atFirst},
		pop3test.Rule{Command: pop3test.OnLogin, Session: first + 1, Do: order(1, 2, 3, 0)},
		pop3test.Rule{Command: pop3test.OnLogin, Do: order(3, 2, 1, 0)},
		pop3test.Rule{Command: "DELE", Session: first, Message: 4, Do: stays},
		pop3test.Rule{Command: "RETR", Session: first, UniqueID: message(1).UniqueID, Do: pop3test.Instead("-ERR not now")},
		pop3test.Rule{Command: "UIDL", Session: first + 1, Do: pop3test.Instead("-ERR not now")},
		pop3test.Rule{Command: "DELE", Session: first + 1, Do: stays})
	want(t, b.run(), map[string]int64{"known": 1, "stored": 3, "gone": 4, "kept": 0})
	b.holds(mail(4)...)
	if n := len(b.drop.Contents()); n != 0 {
		t.Errorf("%d left", n)
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

// Two messages of one length change their unique-ids while nothing is deleted.
// The known one turns up under the new unique-id, and so the other is not
// taken for it.
func TestExchangedUniqueIDs(t *testing.T) {
	known, fresh := message(10), message(60)
	if len(known.Content) != len(fresh.Content) {
		t.Fatal("the messages differ in length")
	}
	b := newBench(t, pop3test.Config{}, known)
	b.run()
	b.drop.Deliver(fresh)
	b.drop.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.View(func(all []pop3test.Message) []pop3test.Message {
		all[0].UniqueID, all[1].UniqueID = all[1].UniqueID, all[0].UniqueID
		return all
	})})
	want(t, b.run(), map[string]int64{"listed": 2, "failed": 0})
	b.holds(known, fresh)
	b.drop.SetRules()
	want(t, b.run(), map[string]int64{"listed": 2, "known": 2, "failed": 0})
	b.holds(known, fresh)
}
