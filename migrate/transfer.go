package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
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
	doubted []int // entries passed over on a hint that turned out to be doubtful
	to      tee
	queued  []bool // by record known before this session: the settler was given the message as it was fetched
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
	m := &mover{visit: v, settler: startSettling(ctx, v, cancel), spool: v.env.Spool.NewWriter(), print: newFingerprint(),
		queued: make([]bool, v.known)}
	defer m.spool.Close()
	err := m.transfer(transferring, entries)
	for err == nil && len(m.doubted) > 0 {
		again := m.doubted
		m.doubted = nil
		err = m.transfer(transferring, again)
	}
	if err == nil {
		err = m.fill(transferring, fills)
	}
	awake := m.stayAwake
	if err != nil {
		awake = nil // the line is dropped
	}
	settling, idling := m.settler.finish(ctx, awake)
	v.apply(m.settler)
	return cmp.Or(settling, err, idling)
}

// stayAwake sends NOOP where the session needs it. Its refusal is a reply, too.
func (v *visit) stayAwake(ctx context.Context) error {
	session, ok := v.session.(Idler)
	if !ok {
		return nil
	}
	if err := session.Noop(ctx); err != nil && !refusedOne(err) {
		return &sessionError{"wait for the sinks", err}
	}
	return nil
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
	}
	// A new record that was not settled does not exist: the ledger has not got it.
	for i, r := range v.record {
		if int(r) >= v.known && !settled[int(r)] {
			v.record[i] = noRecord
			v.left[i] = fated{Failed, failure{"not stored", "the session ended before it was settled"}}
			v.loose = true
		} else if r != noRecord && v.proven[int(r)] && v.sinks.missing(&v.drop.Messages[r]) != 0 {
			v.loose = true
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

// transfer sends RETR for the entries and hands on what arrives. While the
// sinks are far behind it asks for no more, so that no reply waits on the line
// for minutes and the line can be kept awake.
func (m *mover) transfer(ctx context.Context, entries []int) error {
	for len(entries) > 0 && !m.stopping() {
		done, err := m.fetch(ctx, entries)
		if err != nil || done == 0 {
			return err
		}
		entries = entries[done:]
		if err := m.settler.calm(ctx, m.stayAwake); err != nil {
			return err
		}
	}
	return nil
}

// fetch is transfer until the settler is behind; it returns for how many
// entries there was a reply.
func (m *mover) fetch(ctx context.Context, entries []int) (done int, err error) {
	for message, err := range m.session.Retrieve(ctx, m.whileCalm(entries)) {
		if done == len(entries) {
			return done, &sessionError{"retrieve", err} // after the last message: of none
		}
		i := entries[done]
		if err != nil && !refusedOne(err) {
			return done, m.blame(ctx, i, err)
		}
		done++
		if err != nil {
			m.refused(i, "refused by the server", err)
			continue
		}
		m.print.reset()
		m.to = tee{mover: m}
		if err := m.copyOut(&m.to, i, message.Body); err != nil {
			if m.to.err != nil {
				return done, m.to.err
			}
			return done, m.blame(ctx, i, err)
		}
		if err := m.take(ctx, i); err != nil {
			return done, err
		}
	}
	return done, nil
}

// take keeps the message that was read last, unless it is not what the server
// holds.
func (m *mover) take(ctx context.Context, i int) error {
	print := m.print.finish(true)
	broken, altered := m.outOfStep(m.listing.Entries[i], &print)
	if broken != nil {
		return m.blame(ctx, i, broken)
	}
	if altered != nil {
		m.loose = true
		m.spool.Abandon()
		m.refused(i, "altered by the server", altered)
		return nil
	}
	if isNotes(m.listing.Entries[i], &print) {
		m.setAside(i)
		return nil
	}
	return m.arrived(ctx, i, &print, m.spool.Finish())
}

// whileCalm yields the numbers of entries until the settler is behind. The
// first is always given: transfer waited for it.
func (m *mover) whileCalm(entries []int) iter.Seq[pop3.Number] {
	return func(yield func(pop3.Number) bool) {
		first := true
		for number := range m.numbers(entries) {
			if (!first && m.settler.behind()) || !yield(number) {
				return
			}
			first = false
		}
	}
}

// copyOut reads the message of entry i to its end, unless none is in sight.
func (v *visit) copyOut(to io.Writer, i int, body io.Reader) error {
	_, err := body.(io.WriterTo).WriteTo(&bounded{to, v.octetsMost(v.listing.Entries[i])})
	return err
}

// refusedOne tells whether an error concerns one message and not the session.
func refusedOne(err error) bool {
	var refused *pop3.ReplyError
	return errors.As(err, &refused)
}

// refused notes that the server would not give a message, or not as it is.
func (m *mover) refused(i int, reason string, err error) {
	e := m.listing.Entries[i]
	h := hint{e.UniqueID, e.Octets}
	m.reck.try(h)
	m.pending = append(m.pending, m.attempts.fail(h, string(ClassServer), err.Error()))
	m.giveUp(i, failure{reason, err.Error()})
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
	if !matched && !m.audit && m.doubt(p) {
		record, matched = m.ids.match(e, p)
	}
	if m.audit {
		// Only fetched to learn whether it is one of those that were deleted.
		entry.Release()
		if matched {
			m.record[i] = int32(record)
			m.proven[record] = true
		} else {
			m.loose = true
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
	if matched {
		m.await(row)
	}
	return m.settler.add(ctx, m.item(record, put, missing, p, entry))
}

// doubt takes a record of the fetched message's digest back from the entry that
// was taken for it without a look, on its unique-id alone. Either there are two
// messages alike, or unique-ids have moved; the entry is fetched to tell.
func (m *mover) doubt(p *print) bool {
	for record := range m.ids.byDigest.all(p.digest) {
		if !m.ids.claimed[record] || m.proven[int(record)] {
			continue
		}
		if entry := slices.Index(m.record, record); entry >= 0 {
			m.ids.claimed[record], m.record[entry] = false, noRecord
			m.left[entry] = fated{Failed, failure{notReached, "the session ended before its turn"}}
			m.doubted = append(m.doubted, entry)
			return true
		}
	}
	return false
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
	default:
		row.Flags |= checkpoint.Short | checkpoint.Confirmed // two sessions gave the same octets, but for volatile fields
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
	if m.sinks.missing(row) != 0 {
		m.await(row)
	} else {
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
	if record < len(m.queued) {
		m.queued[record] = true
	}
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
