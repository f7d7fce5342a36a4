package sinktest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing/iotest"

	"popmigrate/sinks"
)

// testOneByOne stores every hostile message as a group of its own, so that a
// failure names the one to look at.
func testOneByOne(r *run) {
	s := r.open()
	for i, m := range Messages() {
		sample := Corpus()[i]
		receipts, err := s.Store(r.Context(), []sinks.Message{m})
		if err != nil {
			r.Fatalf("store message %q: %v", sample.Name, err)
		}
		if len(receipts) != 1 {
			r.Fatalf("store message %q: %d receipts", sample.Name, len(receipts))
		}
		if err := r.plausible(m, receipts[0]); err != nil {
			r.Fatalf("store message %q: %v: %+v", sample.Name, err, receipts[0])
		}
		r.record([]sinks.Message{m}, receipts)
		if err := s.Committed(r.Context()); err != nil {
			r.Fatalf("committed after message %q: %v", sample.Name, err)
		}
	}
	r.close(s)
	r.check()
}

func testOneGroup(r *run) {
	s := r.open()
	r.commit(s, Messages())
	r.close(s)
	r.check()
}

// testGroups stores groups of many lengths and looks at what the disk is said
// to have taken.
func testGroups(r *run) {
	s := r.open()
	next := int64(1)
	for _, n := range []int{1, 64, 400, 2, 1} {
		group := Batch(n, 2000, next)
		next += int64(n)
		receipts := r.store(s, group)
		r.record(group, receipts)
		if err := s.Committed(r.Context()); err != nil {
			r.Fatalf("committed: %v", err)
		}
		var wire, stored int64
		for i := range group {
			wire += group[i].Octets
			stored += receipts[i].StoredOctets
		}
		if !r.Delivers && (stored <= 0 || stored > 2*wire) {
			r.Errorf("a group of %d messages and %d octets is said to take %d on disk", n, wire, stored)
		}
	}
	r.close(s)
	r.check()
}

func testEmptyGroup(r *run) {
	s := r.open()
	r.commit(s, nil)
	r.commit(s, Batch(1, 100, 1))
	r.commit(s, []sinks.Message{})
	r.close(s)
	r.check()
}

// testIdentical stores messages of equal content: in one group, in another
// one, and after a reopening. Each is a message of its own.
func testIdentical(r *run) {
	content := Mail(500, 1)
	twin := func(n int64) sinks.Message {
		return Message(content, Ordinal(n), Occurrence(int(n-1)))
	}
	s := r.open()
	r.commit(s, []sinks.Message{twin(1), twin(2)})
	r.commit(s, []sinks.Message{twin(3)})
	r.close(s)
	s = r.open()
	r.commit(s, []sinks.Message{twin(4), Message(Mail(500, 2), Ordinal(5))})
	r.close(s)
	r.check()
	places := map[sinks.Where]bool{}
	for _, c := range r.ledger.Copies {
		places[c.Where] = true
	}
	if !r.Delivers && len(places) != 5 {
		r.Errorf("five copies lie in %d places", len(places))
	}
}

func testReopened(r *run) {
	for opening := range int64(4) {
		s := r.open()
		if opening != 2 { // one opening that stores nothing
			r.commit(s, Batch(3, 1000, 10*opening+1))
			r.commit(s, Batch(2, 1000, 10*opening+4))
		}
		r.close(s)
		r.check()
	}
}

// testUnreadable offers a message that fails to open, and one that breaks off:
// neither may be vouched for, and the next opening goes on.
func testUnreadable(r *run) {
	broken := errors.New("the spool broke")
	bad := Message(Mail(100_000, 1), Ordinal(1))
	openings := map[string]func() (io.ReadCloser, error){
		"does not open": func() (io.ReadCloser, error) { return nil, broken },
		"breaks off": func() (io.ReadCloser, error) {
			return halfBody{io.MultiReader(bytes.NewReader(Mail(100_000, 1)[:50_000]), iotest.ErrReader(broken))}, nil
		},
	}
	for name, open := range openings {
		m := bad
		m.Open = open
		s := r.open()
		group := []sinks.Message{Message(Mail(200, 2), Ordinal(2)), m}
		receipts, err := s.Store(r.Context(), group)
		if err == nil && (len(receipts) != 2 || receipts[1].Proof >= sinks.Accepted) {
			r.Fatalf("a message that %s was stored: %+v", name, receipts)
		}
		if err != nil {
			r.stayFailed(s)
		} else {
			r.record(group, receipts)
		}
		_ = s.Close() // after an error Close may report it again
	}
	if r.Delivers {
		return // the good message may have gone out, more than once
	}
	s := r.open()
	if r.stored == 0 {
		r.commit(s, []sinks.Message{bad, Message(Mail(200, 2), Ordinal(2))})
	}
	r.close(s)
	r.check()
}

// halfBody is a body that may break off.
type halfBody struct{ io.Reader }

func (b halfBody) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, b.Reader) }
func (halfBody) Close() error                         { return nil }

// stayFailed checks that a sink whose Store failed stores nothing more.
func (r *run) stayFailed(s sinks.Sink) {
	r.Helper()
	receipts, err := s.Store(r.Context(), Batch(1, 100, 1000))
	if err == nil && vouched(receipts) > 0 {
		r.Errorf("a sink that had failed vouched for a message")
	}
}

// testWrongDigest offers octets that differ from what digest, octets or traits
// say: reading back has to notice.
func testWrongDigest(r *run) {
	content := Mail(5000, 1)
	changed := bytes.Replace(content, []byte("Subject"), []byte("sUBJECT"), 1)
	lie := func(content []byte, as sinks.Message) sinks.Message {
		as.Open = Message(content).Open
		return as
	}
	truth := Message(content, Ordinal(1))
	shorter, mixed := truth, Message([]byte("a\r\nb\nc\rd\r\r\n"))
	shorter.Octets--
	plain := mixed
	plain.Traits = sinks.Traits{LongestLine: 2}
	for name, m := range map[string]sinks.Message{
		"changed octets": lie(changed, truth),
		"cut octets":     lie(content[:len(content)-1], truth),
		"an extra octet": lie(append(content[:len(content):len(content)], '\n'), truth),
		"wrong octets":   shorter,
		"wrong traits":   plain,
	} {
		s := r.open()
		receipts, err := s.Store(r.Context(), []sinks.Message{m})
		if err == nil && vouched(receipts) > 0 && name != "wrong traits" {
			r.Errorf("%s: the sink vouches for them", name)
		}
		if err == nil && vouched(receipts) > 0 { // it carried them in spite of the traits: fine, if true
			r.record([]sinks.Message{m}, receipts)
		}
		if err != nil {
			r.stayFailed(s)
		}
		_ = s.Close() // after an error Close may report it again
	}
	s := r.open()
	r.commit(s, []sinks.Message{truth})
	r.close(s)
	if err := CheckCopies(r.Context(), r.Read, r.ledger.Copies); err != nil {
		r.Error(err)
	}
}

// testCanceled stores under a canceled context: nothing is vouched for, and
// the next opening stores all of it once.
func testCanceled(r *run) {
	s := r.open()
	r.commit(s, Batch(1, 1000, 1))
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	group := Batch(20, 1000, 2)
	receipts, err := s.Store(ctx, group)
	if vouched(receipts) > 0 {
		r.Errorf("a canceled Store vouches for %d messages", vouched(receipts))
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		r.Errorf("a canceled Store returns %v", err)
	}
	_ = s.Close() // after an error Close may report it again
	s = r.open()
	r.commit(s, group)
	r.close(s)
	r.check()
}

// testCommittedWithoutStore calls what a run calls that had nothing to store.
func testCommittedWithoutStore(r *run) {
	s := r.open()
	for range 2 {
		if err := s.Committed(r.Context()); err != nil {
			r.Fatalf("committed without store: %v", err)
		}
	}
	r.commit(s, Batch(2, 1000, 1))
	for range 2 {
		if err := s.Committed(r.Context()); err != nil {
			r.Fatalf("committed again: %v", err)
		}
	}
	r.close(s)
	r.check()
}

// testReadWhileOpen reads copies back while their sink is open and goes on.
func testReadWhileOpen(r *run) {
	s := r.open()
	for _, first := range []int64{1, 11, 21} {
		r.commit(s, Batch(5, 1000, first))
		r.check()
	}
	r.close(s)
	r.check()
}

// testUnknownCopy asks for copies that do not exist.
func testUnknownCopy(r *run) {
	s := r.open()
	r.commit(s, Batch(3, 1000, 1))
	r.close(s)
	reader, err := r.Read()
	if err != nil {
		r.Fatalf("open reader: %v", err)
	}
	missing := r.ledger.Copies[1]
	for _, where := range []sinks.Where{"", "nowhere", "../../etc/passwd", missing.Where + "x", missing.Where[:len(missing.Where)/2]} {
		missing.Where = where
		err := checkCopy(r.Context(), reader, missing)
		if !errors.Is(err, sinks.ErrDamaged) {
			r.Errorf("a copy at %q: %v, want an error that wraps %q", where, err, sinks.ErrDamaged)
		}
	}
	if err := reader.Close(); err != nil {
		r.Error(err)
	}
}
