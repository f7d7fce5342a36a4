package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"popmigrate/checkpoint"
	"popmigrate/internal/spool"
	"popmigrate/pop3"
	"popmigrate/sinks"
)

// mover brings messages from the wire to the settler.
type mover struct {
	*visit
	settler *settler
	spool   *spool.Writer
	print   *fingerprint
}

// move fetches what the plan says, fills sinks that were added later, and
// returns when everything that arrived whole is settled.
func (v *visit) move(ctx context.Context, p *plan) error {
	entries := slices.Concat(p.fetch, p.last)
	fills := v.fillable()
	if len(entries) == 0 && len(fills) == 0 {
		return nil
	}
	transferring, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := &mover{visit: v, settler: startSettling(ctx, v, cancel), spool: v.env.Spool.NewWriter(), print: newFingerprint()}
	defer m.spool.Close()
	err := m.transfer(transferring, entries)
	if err == nil {
		err = m.fill(transferring, fills)
	}
	settling := m.settler.finish()
	v.apply(m.settler)
	if settling != nil {
		return settling
	}
	return err
}

// apply takes over what the settler did.
func (v *visit) apply(s *settler) {
	v.later, v.sinkWhy, v.settled = s.later, s.why, s.stored
	settled := map[int]bool{}
	for _, r := range s.results {
		settled[r.record] = true
		m := &v.drop.Messages[r.record]
		for _, copied := range r.copies {
			i := slices.IndexFunc(m.Copies, func(c checkpoint.Copy) bool { return c.Sink == copied.Sink })
			if i < 0 {
				m.Copies = append(m.Copies, copied)
			} else {
				m.Copies[i] = copied
			}
		}
		// One that was filled from an archive may be deleted only now, and was
		// not looked at: another session has to do that.
		if r.record < v.known && v.ids.claimed[r.record] && !v.proven[r.record] && v.wantsDeletion() && v.deletable(r.record) {
			v.unprobed = true
		}
	}
	// A new record that was not settled does not exist: the ledger has not got it.
	for i, r := range v.record {
		if int(r) >= v.known && !settled[int(r)] {
			v.record[i] = noRecord
			v.left[i] = fated{Failed, failure{"not stored", "the session ended before it was settled"}}
		}
	}
}

// tee passes a message's octets to the fingerprint and the spool, and keeps
// the spool's error apart from the wire's.
type tee struct {
	*mover
	err error
}

func (t *tee) Write(p []byte) (int, error) {
	t.print.Write(p)
	if _, err := t.spool.Write(p); err != nil {
		t.err = err
		return 0, err
	}
	if t.env.Observer != nil {
		t.env.Observer.Octets(int64(len(p)))
	}
	return len(p), nil
}

// transfer sends RETR for the entries and hands on what arrives.
func (m *mover) transfer(ctx context.Context, entries []int) error {
	done := 0
	for message, err := range m.session.Retrieve(ctx, m.numbers(entries)) {
		if done == len(entries) {
			break
		}
		i := entries[done]
		if err != nil && !refusedOne(err) {
			return m.blame(ctx, i, err)
		}
		done++
		if err != nil {
			m.refused(i, err)
			continue
		}
		m.print.reset()
		to := &tee{mover: m}
		if err := copyOut(to, message.Body); err != nil {
			if to.err != nil {
				return to.err
			}
			return m.blame(ctx, i, err)
		}
		print := m.print.finish(true)
		if err := m.arrived(ctx, i, &print, m.spool.Finish()); err != nil {
			return err
		}
	}
	return nil
}

// copyOut reads a message to its end.
func copyOut(to io.Writer, body io.Reader) error {
	_, err := body.(io.WriterTo).WriteTo(to)
	return err
}

// refusedOne tells whether an error concerns one message and not the session.
func refusedOne(err error) bool {
	var refused *pop3.ReplyError
	return errors.As(err, &refused)
}

// refused notes that the server would not give a message.
func (m *mover) refused(i int, err error) {
	e := m.listing.Entries[i]
	h := hint{e.UniqueID, e.Octets}
	m.reck.try(h)
	m.pending = append(m.pending, m.attempts.fail(h, string(ClassServer), err.Error()))
	m.giveUp(i, failure{"refused by the server", err.Error()})
}

// blame notes at which message the session broke. If it was the settler that
// ended it, nobody is to blame.
func (m *mover) blame(ctx context.Context, i int, err error) error {
	if ctx.Err() != nil {
		return &sessionError{"retrieve", context.Cause(ctx)}
	}
	e := m.listing.Entries[i]
	h := hint{e.UniqueID, e.Octets}
	m.reck.try(h)
	m.pending = append(m.pending, m.attempts.fail(h, string(ClassNetwork), err.Error()))
	m.left[i] = fated{Failed, failure{"session broke", err.Error()}}
	return &sessionError{fmt.Sprintf("retrieve message %d", e.Number), err}
}

// arrived finds the record of a complete message and queues it for the sinks
// that lack it.
func (m *mover) arrived(ctx context.Context, i int, p *print, entry *spool.Entry) error {
	e := m.listing.Entries[i]
	short := e.Octets >= 0 && p.octets < e.Octets
	if !short && m.ids.contradicted(e, p) {
		m.weakened = m.weakened || !m.drop.Weak
		m.weaken()
	}
	record, matched := m.ids.match(e, p)
	if m.audit {
		// Only fetched to learn whether it is one of those that were deleted.
		entry.Release()
		if matched {
			m.record[i] = int32(record)
			m.proven[record] = true
		}
		return nil
	}
	put := true
	if matched {
		put = m.refresh(record, e, p, short)
	} else {
		record = m.ids.add(newRow(e, p, short))
	}
	m.record[i] = int32(record)
	m.proven[record] = true
	row := &m.drop.Messages[record]
	m.shorts = m.shorts || (row.Flags&checkpoint.Short != 0 && row.Flags&checkpoint.Confirmed == 0)
	missing := m.wanting(row)
	if missing != 0 && row.Digest != p.digest && m.sinks.readable(row) {
		missing = 0 // filled from the copy that the record describes
	}
	if missing == 0 {
		entry.Release()
		m.knownAgain(row, put)
		return nil
	}
	return m.settler.add(ctx, m.item(record, put, missing, p, entry))
}

// newRow is the record of a message seen for the first time.
func newRow(e Entry, p *print, short bool) checkpoint.Message {
	row := checkpoint.Message{UniqueID: e.UniqueID, ListedOctets: e.Octets, Octets: p.octets,
		Digest: p.digest, Stable: p.stable, Header: p.header}
	if short {
		row.Flags |= checkpoint.Short
	}
	return row
}

// refresh brings a matched record's hints up to date; it tells whether the row changed.
func (m *mover) refresh(record int, e Entry, p *print, short bool) bool {
	row := &m.drop.Messages[record]
	before := *row
	row.UniqueID, row.ListedOctets = e.UniqueID, e.Octets
	switch {
	case !short:
		row.Flags &^= checkpoint.Short | checkpoint.Confirmed
	case row.Digest == p.digest:
		row.Flags |= checkpoint.Short | checkpoint.Confirmed // two sessions gave the same octets
	}
	if row.Digest != p.digest && !m.sinks.readable(row) {
		row.Digest, row.Stable, row.Header, row.Octets = p.digest, p.stable, p.header, p.octets
	}
	if row.Mark.State == checkpoint.Gone {
		// It is back: a restored backup, or a deletion undone.
		row.Mark = checkpoint.Mark{At: m.now()}
		m.pending = append(m.pending, checkpoint.PutMark{Maildrop: m.drop.ID, Ordinal: row.Ordinal, Mark: row.Mark})
	}
	return before.UniqueID != row.UniqueID || before.ListedOctets != row.ListedOctets ||
		before.Flags != row.Flags || before.Digest != row.Digest
}

// knownAgain notes a fetched message that every sink held already.
func (m *mover) knownAgain(row *checkpoint.Message, put bool) {
	if put {
		m.pending = append(m.pending, checkpoint.PutMessage{Maildrop: m.drop.ID, Message: *row})
	}
	if m.sinks.missing(row) == 0 {
		m.reck.settle(row.Ordinal, Known, failure{})
		m.observeMessage(row.UniqueID, row.Octets, Known, "")
		if change, ok := m.attempts.clear(hint{row.UniqueID, row.ListedOctets}); ok {
			m.pending = append(m.pending, change)
		}
	}
}

// item is what the settler gets of a message.
func (m *mover) item(record int, put bool, missing uint64, p *print, entry *spool.Entry) *item {
	m.moved++
	row := m.drop.Messages[record]
	received := p.fields.Received
	if received.IsZero() {
		received = m.now()
	}
	return &item{record: record, row: row, put: put, missing: missing, entry: entry,
		hint: hint{row.UniqueID, row.ListedOctets},
		message: sinks.Message{
			Ordinal: row.Ordinal, Occurrence: m.ids.occurrence(record), UniqueID: row.UniqueID, Session: m.id,
			Envelope: sinks.Envelope{Sender: p.fields.ReturnPath, Received: received},
			Summary:  sinks.Summary{MessageID: p.fields.MessageID, From: p.fields.From, Date: p.fields.Date},
			Traits:   p.traits, Octets: p.octets, Digest: p.digest, Open: entry.Open,
		}}
}
