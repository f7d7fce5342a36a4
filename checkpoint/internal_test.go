package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// WriterPragma returns a setting of the connection that writes.
func WriterPragma(t *testing.T, name string) string {
	t.Helper()
	s := openTest(t, t.TempDir())
	var value string
	if err := s.writer.conn.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func openTest(t *testing.T, dir string) *SQLite {
	t.Helper()
	s, err := OpenSQLite(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestDiskFull lets SQLite believe that the disk is full.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	m, err := s.Load(t.Context(), Key{Job: "j", Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), PutMessage{m.ID, Message{Ordinal: 1}}); err != nil {
		t.Fatal(err)
	}
	var pages int
	if err := s.writer.conn.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.conn.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages+1)); err != nil {
		t.Fatal(err)
	}
	var big []Change
	for n := range int64(500) {
		big = append(big, PutMessage{m.ID, Message{Ordinal: n + 2, UniqueID: strings.Repeat("x", 100)}})
	}
	first := s.Commit(t.Context(), big...)
	var e *Error
	if !errors.Is(first, ErrFull) || !errors.As(first, &e) || e.Hint == "" || !strings.Contains(first.Error(), "disk full") {
		t.Fatalf("first: %v", first)
	}
	if err := s.Commit(t.Context(), PutWeak{m.ID}); !errors.Is(err, ErrFull) {
		t.Errorf("later: %v", err)
	}
	if _, err := s.Load(t.Context(), Key{Job: "j", Name: "bob"}); !errors.Is(err, ErrFull) {
		t.Errorf("entering a maildrop: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	s = openTest(t, dir)
	m, err = s.Load(t.Context(), Key{Job: "j", Name: "alice"})
	if err != nil || len(m.Messages) != 1 || m.Weak {
		t.Errorf("afterwards: %+v, %v", m, err)
	}
}

// TestWriterForgets: what a transaction needed does not stay in memory.
func TestWriterForgets(t *testing.T) {
	s := openTest(t, t.TempDir())
	m, err := s.Load(t.Context(), Key{Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Commit(t.Context(), PutMessage{m.ID, Message{Ordinal: 1}},
		PutCopy{m.ID, 1, Copy{Sink: "archive", Proof: Verified}}, PutMark{m.ID, 1, Mark{State: Marked}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // after which the writer's memory may be looked at
		t.Fatal(err)
	}
	kept := s.writer.stage.tally
	if len(kept.octets)+len(kept.proofs)+len(kept.marks)+len(kept.changed)+s.writer.stage.copies.rows() != 0 {
		t.Errorf("still there: %+v", kept)
	}
}

// TestUpgrade adds a step that succeeds and one that fails.
func TestUpgrade(t *testing.T) {
	s := openTest(t, t.TempDir())
	conn := s.writer.conn
	version := func() (n int) {
		if err := conn.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	now := len(migrations)
	steps := append(append([]migration{}, migrations...), "ALTER TABLE sink ADD COLUMN added TEXT")
	for range 2 { // the second time there is nothing to do
		if err := upgrade(t.Context(), conn, steps); err != nil {
			t.Fatal(err)
		}
		if version() != now+1 {
			t.Fatalf("version %d", version())
		}
	}
	if _, err := conn.ExecContext(t.Context(), "SELECT added FROM sink"); err != nil {
		t.Error(err)
	}
	steps = append(steps, "CREATE TABLE half (x); CREATE TABLE half (x)")
	if err := upgrade(t.Context(), conn, steps); err == nil {
		t.Error("a failing step passed")
	}
	if version() != now+1 {
		t.Errorf("version %d after a failed step", version())
	}
	if _, err := conn.ExecContext(t.Context(), "SELECT x FROM half"); err == nil {
		t.Error("half a step stayed")
	}
	if err := upgrade(t.Context(), conn, migrations); !errors.Is(err, ErrNewer) {
		t.Errorf("with the steps of an older program: %v", err)
	}
}

// TestUpgradeFromFirst opens a ledger of the first schema, with rows in it.
func TestUpgradeFromFirst(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	m, err := s.Load(t.Context(), Key{Job: "j", Name: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	copied := Copy{Sink: "archive", Proof: Verified, Where: "here"}
	if err := s.Commit(t.Context(), PutMessage{m.ID, Message{Ordinal: 1, Octets: 5}}, PutCopy{m.ID, 1, copied}); err != nil {
		t.Fatal(err)
	}
	for _, back := range []string{"ALTER TABLE maildrop DROP COLUMN lost", "PRAGMA user_version = 1"} {
		if _, err := s.writer.conn.ExecContext(t.Context(), back); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReadOnly(t.Context(), dir); !errors.Is(err, errOlder) {
		t.Errorf("to look at: %v", err)
	}
	s = openTest(t, dir)
	copied.Proof = Lost
	if err := s.Commit(t.Context(), PutCopy{m.ID, 1, copied}); err != nil {
		t.Fatal(err)
	}
	list, err := s.Status(t.Context())
	if err != nil || len(list) != 1 || list[0].Messages != 1 || list[0].Verified != 0 || list[0].Lost != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	if m, err = s.Load(t.Context(), m.Key); err != nil || len(m.Messages) != 1 || m.Messages[0].Copies[0].Proof != Lost {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestQueuedCommitEnds: a commit whose context ends before the writer has it
// returns at once; one that the writer has waits.
func TestQueuedCommitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &writer{requests: make(chan *request)} // nobody serves yet
		s := &SQLite{place: place{path: filepath.Join("x", ledgerName)}, writer: w, closing: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		queued := make(chan error, 1)
		go func() { queued <- s.Commit(ctx, PutWeak{1}) }()
		synctest.Wait()
		cancel()
		if err := <-queued; !errors.Is(err, context.Canceled) {
			t.Errorf("queued: %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		taken := make(chan error, 1)
		go func() { taken <- s.Commit(ctx, PutWeak{1}) }()
		r := <-w.requests
		cancel()
		synctest.Wait()
		select {
		case err := <-taken:
			t.Errorf("taken over, and it did not wait: %v", err)
		default:
		}
		r.done <- nil
		if err := <-taken; err != nil {
			t.Errorf("taken over: %v", err)
		}
		go func() { queued <- s.Commit(t.Context(), PutWeak{1}) }()
		synctest.Wait()
		close(s.closing)
		if err := <-queued; !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// TestGroup: commits that wait share a transaction, and a bounded one.
func TestGroup(t *testing.T) {

	synctest.Test(t, func(t *testing.T) {
		w := &writer{requests: make(chan *request)}
		for range 30 {
			go func() { w.requests <- &request{changes: make([]Change, mostTogether/10)} }()
		}
		synctest.Wait()
		var sizes []int
		for range 3 {
			sizes = append(sizes, len(w.gather(<-w.requests)))
		}
		if fmt.Sprint(sizes) != "[11 11 8]" {
			t.Errorf("groups of %v", sizes)
		}
	})
}
