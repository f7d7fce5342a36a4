package sinktest

import (
	"errors"
	"slices"

	"popmigrate/sinks"
)

// testCrashBeforeLedger ends after Store returned and before the ledger knew.
// The same messages come again: each is in the sink once.
func testCrashBeforeLedger(r *run) {
	s := r.open()
	r.commit(s, Batch(3, 1000, 1))
	lost := append(Batch(10, 1000, 4), Message([]byte("bare\nLF"), Ordinal(14)),
		Message(Mail(100, 4), Ordinal(15), Occurrence(1)))
	lost[0] = Message(Mail(100, 4), Ordinal(4))
	for range 3 { // and crashes again, and again
		r.store(s, lost)
		r.close(s)
		s = r.open()
	}
	r.commit(s, lost)
	r.close(s)
	r.check()
}

// testCrashOtherGroups crashes likewise, and then the messages come back in
// another order, in other groups and among new ones.
func testCrashOtherGroups(r *run) {
	s := r.open()
	r.commit(s, Batch(2, 1000, 1))
	lost := Batch(10, 1000, 3)
	r.store(s, lost[:6])
	r.store(s, lost[6:])
	r.close(s)

	slices.Reverse(lost)
	s = r.open()
	r.commit(s, slices.Concat(Batch(3, 1000, 50), lost[:3], Batch(1, 1000, 60)))
	r.commit(s, lost[3:5])
	r.close(s)
	s = r.open()
	r.commit(s, slices.Concat(lost[5:], Batch(2, 1000, 70)))
	r.close(s)
	r.check()
}

// testCrashBeforeCommitted ends after the ledger was written and before the
// sink was told.
func testCrashBeforeCommitted(r *run) {
	for opening := range int64(3) {
		s := r.open()
		r.commit(s, Batch(2, 1000, 10*opening+1))
		group := Batch(3, 1000, 10*opening+3)
		r.record(group, r.store(s, group))
		r.close(s)
		r.check()
	}
	s := r.open()
	r.close(s)
	r.check()
}

// testOtherLedger opens with a ledger that never saw the archive, and with one
// that holds another id.
func testOtherLedger(r *run) {
	s := r.open()
	r.commit(s, Batch(3, 1000, 1))
	r.close(s)

	lost := NewLedger(r.ledger.Maildrop, r.ledger.Torn)
	lost.ArchiveID = "ffffffffffffffffffffffffffffffff"
	r.refused(lost, sinks.ErrForeign)

	other := r.ledger.Snapshot()
	other.ArchiveID = lost.ArchiveID
	r.refused(other, sinks.ErrForeign)
	r.check()
}

// testOlderLedger opens with a ledger that was put back from before some openings.
func testOlderLedger(r *run) {
	older := r.ledger.Snapshot()
	for opening := range int64(3) {
		s := r.open()
		r.commit(s, Batch(3, 1000, 10*opening+1))
		r.close(s)
		r.refused(older.Snapshot(), sinks.ErrForeign)
		older = r.ledger.Snapshot()
		older.Generation--
	}
	r.check()
}

// testMissingArchive opens after the archive was lost, with and without copies.
func testMissingArchive(r *run) {
	s := r.open()
	r.commit(s, Batch(3, 1000, 1))
	r.close(s)
	if err := r.Destroy(); err != nil {
		r.Fatal(err)
	}
	for range 2 { // a refusal leaves nothing that would be taken for an archive
		r.refused(r.ledger, sinks.ErrDamaged)
	}
}

// testMissingEmpty loses an archive that held nothing: it is made again.
func testMissingEmpty(r *run) {
	r.close(r.open())
	if err := r.Destroy(); err != nil {
		r.Fatal(err)
	}
	s := r.open()
	r.commit(s, Batch(3, 1000, 1))
	r.close(s)
	r.check()
}

// refused checks that opening with the ledger fails for the reason wanted, and
// that a person is told what can be done.
func (r *run) refused(l *Ledger, want error) {
	r.Helper()
	s, err := r.Open(l.Opening())
	if err == nil {
		_ = s.Close()
		r.Fatalf("opened, want an error that wraps %q", want)
	}
	if !errors.Is(err, want) {
		r.Errorf("open: %v, want an error that wraps %q", err, want)
	}
	var e *sinks.Error
	if !errors.As(err, &e) || e.Hint == "" {
		r.Errorf("open: %v: no hint says what can be done", err)
	}
}
