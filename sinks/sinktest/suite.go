package sinktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"popmigrate/internal/digest"
	"popmigrate/sinks"
)

// Harness is one sink that keeps, at first, nothing.
type Harness struct {
	// Open opens the sink for writing, as a run does. It is called again after
	// Close, and also after a crash: a sink that was closed without its
	// receipts being committed.
	Open func(sinks.Opening) (sinks.Sink, error)

	// Read opens a reader; nil where copies cannot be read back.
	Read func() (sinks.Reader, error)

	// Count returns how many messages stand in the sink, as a program that
	// knows nothing of popmigrate counts them.
	Count func() (int, error)

	// Destroy removes the archive as if its disk were lost; nil for a sink
	// that delivers.
	Destroy func() error

	// Delivers says that the sink hands mail over: receipts are Accepted, and a
	// crash may leave an extra copy.
	Delivers bool

	// CanCarry says whether the sink can keep a message unchanged; what it
	// cannot, it is to refuse. Nil: every message.
	CanCarry func(sinks.Message) bool
}

// Run runs the suite. Every test gets a harness of its own from fresh, which
// registers what is to be cleaned up with t.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	tests := []struct {
		name    string
		archive bool // only for sinks that can be read back
		run     func(*run)
	}{
		{"hostile messages one by one", false, testOneByOne},
		{"hostile messages in one group", false, testOneGroup},
		{"groups", false, testGroups},
		{"empty group", false, testEmptyGroup},
		{"identical messages", false, testIdentical},
		{"reopened", false, testReopened},
		{"message that cannot be read", false, testUnreadable},
		{"message that is not what its digest says", true, testWrongDigest},
		{"canceled", false, testCanceled},
		{"committed without store", false, testCommittedWithoutStore},
		{"read while open", true, testReadWhileOpen},
		{"unknown copy", true, testUnknownCopy},
		{"crash before the ledger", true, testCrashBeforeLedger},
		{"crash before the ledger, other groups after", true, testCrashOtherGroups},
		{"crash before Committed", true, testCrashBeforeCommitted},
		{"other ledger", true, testOtherLedger},
		{"older ledger", true, testOlderLedger},
		{"missing archive", true, testMissingArchive},
		{"missing archive without copies", true, testMissingEmpty},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := fresh(t)
			if test.archive && h.Delivers {
				return // says nothing about a sink that delivers
			}
			test.run(&run{
				T: t, Harness: h,
				ledger: NewLedger("alice@example.net", filepath.Join(t.TempDir(), "torn")),
			})
		})
	}
}

// run is one test's sink and ledger.
type run struct {
	*testing.T
	Harness
	ledger *Ledger
	stored int // messages that Count is to find
}

// open opens the sink as the ledger's next generation.
func (r *run) open() sinks.Sink {
	r.Helper()
	s, err := r.Open(r.ledger.Opening())
	if err != nil {
		r.Fatalf("open: %v", err)
	}
	return s
}

// store stores a group, checks the receipts, and does not tell the ledger.
func (r *run) store(s sinks.Sink, group []sinks.Message) []sinks.Receipt {
	r.Helper()
	receipts, err := s.Store(r.Context(), group)
	if err != nil {
		r.Fatalf("store %d messages: %v", len(group), err)
	}
	if len(receipts) != len(group) {
		r.Fatalf("store: %d receipts for %d messages", len(receipts), len(group))
	}
	for i, receipt := range receipts {
		if err := r.plausible(group[i], receipt); err != nil {
			r.Fatalf("receipt %d of %d: %v: %+v", i+1, len(group), err, receipt)
		}
	}
	return receipts
}

// plausible tells what is wrong with a receipt.
func (r *run) plausible(m sinks.Message, receipt sinks.Receipt) error {
	want := sinks.Verified
	if r.Delivers {
		want = sinks.Accepted
	}
	if r.CanCarry != nil && !r.CanCarry(m) {
		want = sinks.Refused
	}
	switch {
	case receipt.Proof != want:
		return fmt.Errorf("proof is %v, want %v", receipt.Proof, want)
	case want >= sinks.Accepted && receipt.Where == "":
		return errors.New("it does not say where the copy is")
	case want == sinks.Refused && receipt.Reason == "":
		return errors.New("refused without a reason")
	case receipt.StoredOctets < 0, r.Delivers && receipt.StoredOctets != 0:
		return errors.New("implausible stored octets")
	}
	return nil
}

// commit stores a group and sees it into the ledger.
func (r *run) commit(s sinks.Sink, group []sinks.Message) {
	r.Helper()
	r.record(group, r.store(s, group))
	if err := s.Committed(r.Context()); err != nil {
		r.Fatalf("committed: %v", err)
	}
}

// record enters receipts into the ledger.
func (r *run) record(group []sinks.Message, receipts []sinks.Receipt) {
	r.Helper()
	before := len(r.ledger.Copies)
	if err := r.ledger.Commit(group, receipts); err != nil {
		r.Fatal(err)
	}
	r.stored += len(r.ledger.Copies) - before
}

// close closes a sink.
func (r *run) close(s sinks.Sink) {
	r.Helper()
	if err := s.Close(); err != nil {
		r.Fatalf("close: %v", err)
	}
}

// check reads every copy of the ledger back and counts what stands in the sink.
func (r *run) check() {
	r.Helper()
	if got, err := r.Count(); err != nil || got != r.stored {
		r.Errorf("the sink holds %d messages (%v), want %d", got, err, r.stored)
	}
	if r.Read == nil {
		return
	}
	if err := CheckCopies(r.Context(), r.Read, r.ledger.Copies); err != nil {
		r.Error(err)
	}
}

// CheckCopies reads every copy back with a new reader and compares octets and
// digest. The error names every copy that is not what the ledger says.
func CheckCopies(ctx context.Context, open func() (sinks.Reader, error), copies []sinks.Copy) error {
	reader, err := open()
	if err != nil {
		return fmt.Errorf("open reader: %w", err)
	}
	var wrong []error
	for _, c := range copies {
		if err := checkCopy(ctx, reader, c); err != nil {
			wrong = append(wrong, fmt.Errorf("copy of message %d (%s): %w", c.Ordinal, c.Where, err))
		}
	}
	return errors.Join(append(wrong, reader.Close())...)
}

// checkCopy compares one copy with what the ledger says of it.
func checkCopy(ctx context.Context, reader sinks.Reader, c sinks.Copy) error {
	rc, err := reader.Read(ctx, c)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	content, err := io.ReadAll(rc)
	if err := errors.Join(err, rc.Close()); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if int64(len(content)) != c.Octets || digest.Of(content) != c.Digest {
		return fmt.Errorf("reads back as %d octets %.40q, want %d octets with digest %v",
			len(content), content, c.Octets, c.Digest)
	}
	return nil
}

// vouched counts the receipts that vouch for a copy.
func vouched(receipts []sinks.Receipt) int {
	n := 0
	for _, r := range receipts {
		if r.Proof >= sinks.Accepted {
			n++
		}
	}
	return n
}
