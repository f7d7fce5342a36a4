package checkpointtest

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"popmigrate/checkpoint"
)

func testLoadEnters(t *testing.T, f *fixture) {
	a, b := f.load("alice"), f.load("bob")
	if a.ID == b.ID || a.ID == 0 {
		t.Fatalf("ids %d and %d", a.ID, b.ID)
	}
	if a.Key != Key("alice") || a.Weak || len(a.Messages)+len(a.Sinks)+len(a.Attempts) != 0 || a.Sinks == nil {
		t.Errorf("new maildrop %+v", a)
	}
	s := f.status("alice")
	if want := (checkpoint.Status{Key: Key("alice"), Listed: -1}); s != want {
		t.Errorf("status of a new maildrop\n got %+v\nwant %+v", s, want)
	}
	f.reopen()
	elsewhere := Key("alice")
	elsewhere.Server, elsewhere.User = "elsewhere:110", "other"
	again, err := f.store.Load(context.Background(), elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	if again.ID != a.ID || again.Key != a.Key {
		t.Errorf("again: id %d, key %+v; want %d, %+v", again.ID, again.Key, a.ID, a.Key)
	}
	other := Key("alice")
	other.Job = "other"
	o, err := f.store.Load(context.Background(), other)
	if err != nil {
		t.Fatal(err)
	}
	if o.ID == a.ID {
		t.Error("maildrops of one name in two jobs are one")
	}
}

func testPersistence(t *testing.T, f *fixture) {
	want := f.load("alice")
	id := want.ID
	var changes []checkpoint.Change
	for n := int64(1); n <= 40; n++ {
		m := Message(n)
		m.Copies = []checkpoint.Copy{Copy("archive"), Copy("spare")}
		m.Mark = checkpoint.Mark{State: checkpoint.Marked, Tries: 2, Session: "session-2", Reply: "+OK marked", At: At(int(n))}
		want.Messages = append(want.Messages, m)
		changes = append(changes,
			checkpoint.PutMessage{Maildrop: id, Message: m},
			checkpoint.PutCopy{Maildrop: id, Ordinal: n, Copy: m.Copies[0]},
			checkpoint.PutCopy{Maildrop: id, Ordinal: n, Copy: m.Copies[1]},
			checkpoint.PutMark{Maildrop: id, Ordinal: n, Mark: m.Mark})
	}
	want.Sinks["archive"] = checkpoint.Sink{ArchiveID: "0123abcd", Generation: 3}
	want.Attempts = []checkpoint.Attempt{{UniqueID: "x", ListedOctets: -1, Count: 2, Class: "server", Reason: "-ERR no"}}
	want.Weak = true
	changes = append(changes,
		checkpoint.PutSink{Maildrop: id, Name: "archive", Sink: want.Sinks["archive"]},
		checkpoint.PutAttempt{Maildrop: id, Attempt: want.Attempts[0]},
		checkpoint.PutWeak{Maildrop: id})
	f.commit(changes...)
	equal(t, "before reopening", f.load("alice"), want)
	f.reopen()
	equal(t, "after reopening", f.load("alice"), want)
}

func testReplaceMessage(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(1)},
		checkpoint.PutCopy{Maildrop: id, Ordinal: 1, Copy: Copy("archive")},
		checkpoint.PutMark{Maildrop: id, Ordinal: 1, Mark: checkpoint.Mark{State: checkpoint.Kept}})
	next := Message(9)
	next.Ordinal = 1
	next.Copies = []checkpoint.Copy{Copy("not looked at")}
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: next})
	next.Copies = []checkpoint.Copy{Copy("archive")}
	next.Mark.State = checkpoint.Kept
	equal(t, "replaced", f.load("alice").Messages, []checkpoint.Message{next})
	if s := f.status("alice"); s.Messages != 1 || s.Octets != next.Octets || s.Verified != 1 || s.Kept != 1 {
		t.Errorf("status %+v", s)
	}
}

func testReplaceCopy(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(1)})
	for _, c := range []checkpoint.Copy{
		{Sink: "smtp", Proof: checkpoint.Sending, Session: "s1", At: At(1)},
		{Sink: "smtp", Proof: checkpoint.Refused, Reason: "552 too big", Session: "s2", At: At(2)},
		{Sink: "smtp", Proof: checkpoint.Accepted, Where: "250 queued", At: At(3)},
	} {
		f.commit(checkpoint.PutCopy{Maildrop: id, Ordinal: 1, Copy: c})
		equal(t, c.Proof.String(), f.load("alice").Messages[0].Copies, []checkpoint.Copy{c})
	}
	// A copy that is lost vouches for nothing, until it is replaced.
	archived := checkpoint.Copy{Sink: "archive", Proof: checkpoint.Verified, Where: "here", Session: "s3", At: At(4)}
	lost := archived
	lost.Proof, lost.Reason = checkpoint.Lost, "damaged"
	for _, c := range []checkpoint.Copy{archived, lost, lost, archived, lost} {
		f.commit(checkpoint.PutCopy{Maildrop: id, Ordinal: 1, Copy: c})
		m := f.load("alice")
		equal(t, c.Proof.String(), m.Messages[0].Copies[0], c)
		s := f.status("alice")
		if want := Recount(m); s.Lost != want.Lost || s.Verified != want.Verified || s.Accepted != want.Accepted || (s.Lost == 1) != (c.Proof == checkpoint.Lost) {
			t.Errorf("%v: status %+v", c.Proof, s)
		}
	}
}

func testReplaceMark(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(1)})
	for _, mark := range []checkpoint.Mark{
		{State: checkpoint.Marking, Tries: 1, Session: "s1", At: At(1)},
		{State: checkpoint.Marked, Tries: 1, Session: "s1", Reply: "+OK", At: At(2)},
		{State: checkpoint.Gone, Tries: 1, Session: "s2", At: At(3)},
		{},
	} {
		f.commit(checkpoint.PutMark{Maildrop: id, Ordinal: 1, Mark: mark})
		equal(t, mark.State.String(), f.load("alice").Messages[0].Mark, mark)
	}
}

func testReplaceSinkAndStatus(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	for n := range int64(2) {
		f.commit(checkpoint.PutSink{Maildrop: id, Name: "archive", Sink: checkpoint.Sink{ArchiveID: "a", Generation: n}})
		equal(t, "sinks", f.load("alice").Sinks, map[string]checkpoint.Sink{"archive": {ArchiveID: "a", Generation: n}})
	}
	want := checkpoint.Status{State: "incomplete", Class: "auth", Reason: "no", Listed: 12, RunID: "r1", At: At(7)}
	f.commit(checkpoint.PutStatus{Maildrop: id, Status: want})
	want.Key = Key("alice")
	equal(t, "status", f.status("alice"), want)
	// The counters and the key in a status that is put are not looked at.
	f.commit(checkpoint.PutStatus{Maildrop: id, Status: checkpoint.Status{Key: Key("x"), Messages: 5, Kept: 6, Listed: 1}})
	equal(t, "status", f.status("alice"), checkpoint.Status{Key: Key("alice"), Listed: 1})
}

func testAttempts(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	put := func(uniqueID string, listed int64, count int) checkpoint.Change {
		return checkpoint.PutAttempt{Maildrop: id, Attempt: checkpoint.Attempt{UniqueID: uniqueID, ListedOctets: listed, Count: count, Class: "server"}}
	}
	f.commit(put("a", 1, 1), put("a", 2, 1), put("b", 1, 1), put("b", 1, 2))
	if s := f.status("alice"); s.Failing != 3 {
		t.Errorf("%d failing, want 3", s.Failing)
	}
	f.commit(put("a", 2, 0), put("never there", 1, 0), put("c", 1, 1), put("c", 1, 0))
	f.reopen()
	equal(t, "attempts", f.load("alice").Attempts, []checkpoint.Attempt{
		{UniqueID: "a", ListedOctets: 1, Count: 1, Class: "server"},
		{UniqueID: "b", ListedOctets: 1, Count: 2, Class: "server"}})
	if s := f.status("alice"); s.Failing != 2 {
		t.Errorf("%d failing, want 2", s.Failing)
	}
}

func testWeak(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	f.commit(checkpoint.PutWeak{Maildrop: id})
	f.commit(checkpoint.PutWeak{Maildrop: id}, checkpoint.PutStatus{Maildrop: id},
		checkpoint.PutMessage{Maildrop: id, Message: Message(1)})
	f.reopen()
	if !f.load("alice").Weak {
		t.Error("no longer weak")
	}
	if f.load("bob").Weak {
		t.Error("another maildrop is weak")
	}
}

// testOctets: unique-ids come from servers of all kinds and are compared octet
// for octet.
func testOctets(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	ids := []string{"", "a", "A", "a ", "\x00", "a\x00b", "123", "1e3", "ü", "u\u0308", "\xff\xfe", "日本語",
		string(all), strings.Repeat("x", 1024), strings.Repeat("\xf0", 1024)}
	var changes []checkpoint.Change
	for i, uniqueID := range ids {
		m := Message(int64(i + 1))
		m.UniqueID = uniqueID
		changes = append(changes, checkpoint.PutMessage{Maildrop: id, Message: m},
			checkpoint.PutAttempt{Maildrop: id, Attempt: checkpoint.Attempt{UniqueID: uniqueID, Count: 1}})
	}
	f.commit(changes...)
	f.reopen()
	m := f.load("alice")
	for i, uniqueID := range ids {
		if m.Messages[i].UniqueID != uniqueID {
			t.Errorf("unique-id %q came back as %q", uniqueID, m.Messages[i].UniqueID)
		}
	}
	if len(m.Attempts) != len(ids) {
		t.Errorf("%d attempts, want %d: some unique-ids were taken for equal", len(m.Attempts), len(ids))
	}
	f.load("Ünïcode 日本 %_'\"")
	f.status("Ünïcode 日本 %_'\"")
}

func testDigests(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	same, unknown, none := Message(1), Message(2), Message(3)
	same.Stable = same.Digest
	unknown.Stable = checkpoint.Digest{}
	none.Digest, none.Stable, none.Header = checkpoint.Digest{}, checkpoint.Digest{}, checkpoint.Digest{}
	none.ListedOctets, none.Octets = -1, 0
	want := []checkpoint.Message{same, unknown, none}
	for _, m := range want {
		f.commit(checkpoint.PutMessage{Maildrop: id, Message: m})
	}
	equal(t, "messages", f.load("alice").Messages, want)
}

// testTimes: whole milliseconds, UTC; none stays none.
func testTimes(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(1)})
	berlin := time.FixedZone("CET", 3600)
	for _, c := range []struct{ put, want time.Time }{
		{time.Time{}, time.Time{}},
		{At(3).In(berlin), At(3)},
		{At(3).Add(999 * time.Microsecond), At(3)},
		{time.UnixMilli(0), time.UnixMilli(0).UTC()},
	} {
		put := Copy("archive")
		put.At = c.put
		f.commit(checkpoint.PutCopy{Maildrop: id, Ordinal: 1, Copy: put})
		if got := f.load("alice").Messages[0].Copies[0].At; got != c.want {
			t.Errorf("%v came back as %v", c.put, got)
		}
	}
}

func testCopiesBySinkName(t *testing.T, f *fixture) {
	id := f.load("alice").ID
	for n := int64(1); n <= 3; n++ {
		f.commit(checkpoint.PutMessage{Maildrop: id, Message: Message(n)})
		for _, sink := range []string{"m", "z", "a", "k"} {
			f.commit(checkpoint.PutCopy{Maildrop: id, Ordinal: n, Copy: Copy(sink)})
		}
	}
	for _, m := range f.load("alice").Messages {
		equal(t, "copies", m.Copies, []checkpoint.Copy{Copy("a"), Copy("k"), Copy("m"), Copy("z")})
		// Who appends to one message's copies must not write into another's.
		_ = append(m.Copies, checkpoint.Copy{Sink: "overwritten"})
	}
}

func equal[V any](t *testing.T, what string, got, want V) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got %+v\nwant %+v", what, got, want)
	}
}
