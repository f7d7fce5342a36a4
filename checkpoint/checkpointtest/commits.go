package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"popmigrate/checkpoint"
)

func testRefusals(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(1)})
	nameless, proofless := Copy(""), Copy("archive")
	proofless.Proof = 0
	negative := Message(2)
	negative.Octets = -1
	for name, c := range map[string]checkpoint.Change{
		"message of an unknown maildrop": checkpoint.PutMessage{Maildrop: id + 1000, Message: Message(1)},
		"copy of an unknown maildrop":    checkpoint.PutCopy{Maildrop: id + 1000, Ordinal: 1, Copy: Copy("archive")},
		"attempt of an unknown maildrop": checkpoint.PutAttempt{Maildrop: id + 1000, Attempt: checkpoint.Attempt{Count: 1}},
		"sink of an unknown maildrop":    checkpoint.PutSink{Maildrop: id + 1000, Name: "archive"},
		"status of an unknown maildrop":  checkpoint.PutStatus{Maildrop: id + 1000},
		"weakness of an unknown one":     checkpoint.PutWeak{Maildrop: id + 1000},
		"custody of an unknown maildrop": checkpoint.AddCustody{Entry: checkpoint.CustodyEntry{Maildrop: id + 1000}},
		"maildrop 0":                     checkpoint.PutWeak{},
		"ordinal 0":                      checkpoint.PutMessage{Maildrop: id},
		"a gap":                          checkpoint.PutMessage{Maildrop: id, Message: Message(3)},
		"negative octets":                checkpoint.PutMessage{Maildrop: id, Message: negative},
		"copy of an unknown message":     checkpoint.PutCopy{Maildrop: id, Ordinal: 2, Copy: Copy("archive")},
		"mark of an unknown message":     checkpoint.PutMark{Maildrop: id, Ordinal: 2},
		"sink without a name":            checkpoint.PutCopy{Maildrop: id, Ordinal: 1, Copy: nameless},
		"copy without a proof":           checkpoint.PutCopy{Maildrop: id, Ordinal: 1, Copy: proofless},
		"unknown mark":                   checkpoint.PutMark{Maildrop: id, Ordinal: 1, Mark: checkpoint.Mark{State: 9}},
		"negative attempts":              checkpoint.PutAttempt{Maildrop: id, Attempt: checkpoint.Attempt{Count: -1}},
		"no change":                      nil,
	} {
		if err := f.store.Commit(context.Background(), c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	// A refusal is the caller's mistake: the store goes on.
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(2)})
	equal(t, "messages", f.load("alice").Messages, []checkpoint.Message{Message(1), Message(2)})
}

// testAtomic: what is wrong with the last change undoes the first.
func testAtomic(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(1)})
	before, status := f.load("alice"), f.status("alice")
	other := Message(7)
	other.Ordinal = 1
	err := f.store.Commit(context.Background(),
		checkpoint.PutMessage{Maildrop: id, Message: other},
		checkpoint.PutMessage{Maildrop: id, Message: Message(2)},
		checkpoint.PutCopy{Maildrop: id, Ordinal: 2, Copy: Copy("archive")},
		checkpoint.PutMark{Maildrop: id, Ordinal: 1, Mark: checkpoint.Mark{State: checkpoint.Gone}},
		checkpoint.PutWeak{Maildrop: id},
		checkpoint.PutAttempt{Maildrop: id, Attempt: checkpoint.Attempt{UniqueID: "x", Count: 1}},
		checkpoint.PutSink{Maildrop: id, Name: "archive"},
		checkpoint.PutStatus{Maildrop: id, Status: checkpoint.Status{State: "complete"}},
		checkpoint.AddCustody{Entry: checkpoint.CustodyEntry{Maildrop: id, Kind: "opened"}},
		checkpoint.PutCopy{Maildrop: id, Ordinal: 3, Copy: Copy("archive")})
	if err == nil {
		t.Fatal("accepted")
	}
	equal(t, "maildrop", f.load("alice"), before)
	equal(t, "status", f.status("alice"), status)
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(2)})
	f.reopen()
	before.Messages = append(before.Messages, Message(2))
	equal(t, "maildrop", f.load("alice"), before)
	for e, err := range f.store.Custody(context.Background()) {
		t.Errorf("custody %+v, %v", e, err)
	}
}

// testOrder: within a commit the last change to a row wins.
func testOrder(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	const last = 40
	var changes []checkpoint.Change
	for n := range last + 1 {
		m := Message(int64(n + 100))
		m.Ordinal = 1
		c := Copy("archive")
		c.Proof = checkpoint.Proof(1 + n%4)
		c.Where = fmt.Sprint(n)
		changes = append(changes, checkpoint.PutMessage{Maildrop: id, Message: m},
			checkpoint.PutCopy{Maildrop: id, Ordinal: 1, Copy: c},
			checkpoint.PutMark{Maildrop: id, Ordinal: 1, Mark: checkpoint.Mark{State: checkpoint.MarkState(n % 5), Tries: n}},
			checkpoint.PutAttempt{Maildrop: id, Attempt: checkpoint.Attempt{UniqueID: "x", Count: n}},
			checkpoint.PutSink{Maildrop: id, Name: "archive", Sink: checkpoint.Sink{Generation: int64(n)}},
			checkpoint.PutStatus{Maildrop: id, Status: checkpoint.Status{Listed: int64(n)}})
	}
	f.commit(changes...)
	m := f.load("alice")
	got := m.Messages[0]
	if got.Digest != Message(last+100).Digest || got.Copies[0].Where != fmt.Sprint(last) || got.Mark.Tries != last ||
		m.Attempts[0].Count != last || m.Sinks["archive"].Generation != last || f.status("alice").Listed != last {
		t.Errorf("not the last: %+v", m)
	}
	equal(t, "counters", counts(f.status("alice")), Recount(m))
}

// testCounters compares the counters with a recount along a random walk.
func testCounters(t *testing.T, f *fixture) {
	random := rand.New(rand.NewPCG(1, 2))
	id := f.load("alice").ID
	messages := int64(0)
	for step := range 60 {
		var changes []checkpoint.Change
		for range 1 + random.IntN(40) {
			ordinal := 1 + random.Int64N(messages+1)
			if ordinal > messages || random.IntN(8) == 0 {
				m := Message(ordinal)
				m.Octets = random.Int64N(1 << 30)
				messages = max(messages, ordinal)
				changes = append(changes, checkpoint.PutMessage{Maildrop: id, Message: m})
				continue
			}
			switch random.IntN(4) {
			case 0, 1:
				c := Copy([]string{"archive", "maildir", "smtp"}[random.IntN(3)])
				c.Proof = checkpoint.Proof(1 + random.IntN(4))
				changes = append(changes, checkpoint.PutCopy{Maildrop: id, Ordinal: ordinal, Copy: c})
			case 2:
				changes = append(changes, checkpoint.PutMark{Maildrop: id, Ordinal: ordinal,
					Mark: checkpoint.Mark{State: checkpoint.MarkState(random.IntN(5))}})
			case 3:
				changes = append(changes, checkpoint.PutAttempt{Maildrop: id,
					Attempt: checkpoint.Attempt{UniqueID: fmt.Sprint(random.IntN(9)), Count: random.IntN(3)}})
			}
		}
		f.commit(changes...)
		if step%20 == 10 {
			f.reopen()
		}
		if got, want := counts(f.status("alice")), Recount(f.load("alice")); got != want {
			t.Fatalf("step %d\n got %+v\nwant %+v", step, got, want)
		}
	}
}

// testConcurrent: many sessions at once, each with its own maildrop.
func testConcurrent(t *testing.T, f *fixture) {
	const sessions, commits, batch = 200, 4, 5
	var wg sync.WaitGroup
	for n := range sessions {
		wg.Go(func() {
			name := fmt.Sprintf("drop%03d", n)
			m, err := f.store.Load(context.Background(), Key(name))
			if err != nil {
				t.Errorf("load %s: %v", name, err)
				return
			}
			for c := range int64(commits) {
				var changes []checkpoint.Change
				for i := range int64(batch) {
					ordinal := c*batch + i + 1
					changes = append(changes, checkpoint.PutMessage{Maildrop: m.ID, Message: Message(ordinal)},
						checkpoint.PutCopy{Maildrop: m.ID, Ordinal: ordinal, Copy: Copy("archive")})
				}
				changes = append(changes, checkpoint.AddCustody{Entry: checkpoint.CustodyEntry{Maildrop: m.ID, Session: name, Kind: "closed"}})
				if err := f.store.Commit(context.Background(), changes...); err != nil {
					t.Errorf("commit %s: %v", name, err)
					return
				}
			}
		})
	}
	wg.Wait()
	f.reopen()
	list, err := f.store.Status(context.Background())
	if err != nil || len(list) != sessions {
		t.Fatalf("status: %d rows, %v", len(list), err)
	}
	for _, s := range list {
		if s.Messages != commits*batch || s.Verified != commits*batch {
			t.Errorf("%+v", s)
		}
		equal(t, s.Key.Name, counts(s), Recount(f.load(s.Key.Name)))
	}
	entries := 0
	for _, err := range f.store.Custody(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		entries++
	}
	if entries != sessions*commits {
		t.Errorf("%d custody entries, want %d", entries, sessions*commits)
	}
}

// testRefusalAmongOthers: one caller's mistake is not the others'.
func testRefusalAmongOthers(t *testing.T, f *fixture) {
	const sessions = 50
	var ids [sessions]int64
	for n := range ids {
		ids[n] = f.load(fmt.Sprint(n)).ID
	}
	var wg sync.WaitGroup
	for n, id := range ids {
		wg.Go(func() {
			wrong := n%2 == 0
			changes := []checkpoint.Change{checkpoint.PutMessage{Maildrop: id, Message: Message(1)}}
			if wrong {
				changes = append(changes, checkpoint.PutMark{Maildrop: id, Ordinal: 2})
			}
			if err := f.store.Commit(context.Background(), changes...); (err != nil) != wrong {
				t.Errorf("session %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	for n := range ids {
		if got, want := len(f.load(fmt.Sprint(n)).Messages), n%2; got != want {
			t.Errorf("session %d: %d messages, want %d", n, got, want)
		}
	}
}

func testLargeCommit(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	const messages = 3001
	sinks := []string{"a", "b", "c"}
	var changes []checkpoint.Change
	for n := int64(1); n <= messages; n++ {
		changes = append(changes, checkpoint.PutMessage{Maildrop: id, Message: Message(n)})
	}
	for n := int64(messages); n > 0; n-- {
		for _, sink := range sinks {
			changes = append(changes, checkpoint.PutCopy{Maildrop: id, Ordinal: n, Copy: Copy(sink)})
		}
	}
	f.commit(changes...)
	m := f.load("alice")
	if len(m.Messages) != messages {
		t.Fatalf("%d messages", len(m.Messages))
	}
	for i := range m.Messages {
		want := Message(int64(i + 1))
		for _, sink := range sinks {
			want.Copies = append(want.Copies, Copy(sink))
		}
		if !reflect.DeepEqual(m.Messages[i], want) {
			t.Fatalf("message %d: %+v", i+1, m.Messages[i])
		}
	}
	equal(t, "counters", counts(f.status("alice")), Recount(m))
}

func testContext(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	err := f.store.Commit(ended, checkpoint.PutMessage{Maildrop: id, Message: Message(1)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("commit: %v", err)
	}
	if _, err := f.store.Load(ended, Key("alice")); !errors.Is(err, context.Canceled) {
		t.Errorf("load: %v", err)
	}
	if _, err := f.store.Status(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("status: %v", err)
	}
	if n := len(f.load("alice").Messages); n != 0 {
		t.Errorf("%d messages after a commit that was called off", n)
	}
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(1)})
}

func testStatusOrder(t *testing.T, f *fixture) {
	for _, name := range []string{"m", "z", "a"} {
		f.load(name)
	}
	list, err := f.store.Status(context.Background())
	if err != nil || len(list) != 3 || list[0].Key.Name != "a" || list[2].Key.Name != "z" {
		t.Errorf("%+v, %v", list, err)
	}
}

func testClosed(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.store.Commit(context.Background(), checkpoint.PutWeak{Maildrop: id}); !errors.Is(err, checkpoint.ErrClosed) {
		t.Errorf("commit: %v", err)
	}
	if _, err := f.store.Load(context.Background(), Key("alice")); !errors.Is(err, checkpoint.ErrClosed) {
		t.Errorf("load: %v", err)
	}
	if _, err := f.store.Status(context.Background()); !errors.Is(err, checkpoint.ErrClosed) {
		t.Errorf("status: %v", err)
	}
	for _, err := range f.store.Custody(context.Background()) {
		if !errors.Is(err, checkpoint.ErrClosed) {
			t.Errorf("custody: %v", err)
		}
	}
}

func testCustody(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	var want []checkpoint.CustodyEntry
	for n := range 5 {
		e := checkpoint.CustodyEntry{
			Maildrop: id,
			Session:  fmt.Sprintf("session-%d", n),
			Kind:     "opened",
			At:       At(n),
			Body:     fmt.Appendf(nil, `{"n": %d,  "text": "ü"}`, n),
		}
		if n == 3 { // an entry of no maildrop, and of no body
			e.Maildrop, e.Body = 0, nil
		}
		f.commit(checkpoint.AddCustody{Entry: e})
		e.Seq = int64(n + 1)
		if n > 0 {
			e.Prev = want[n-1].Hash
		}
		e.Hash = e.Sum()
		want = append(want, e)
		if n == 2 {
			f.reopen()
		}
	}
	var got []checkpoint.CustodyEntry
	for e, err := range f.store.Custody(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Body) == 0 {
			e.Body = nil
		}
		got = append(got, e)
	}
	equal(t, "custody", got, want)
	for range f.store.Custody(context.Background()) {
		break // must not leave anything open
	}
}
