package migrate

import (
	"context"
	"errors"
	"iter"
	"os"
	"slices"

	"popmigrate/checkpoint"
	"popmigrate/pop3"
)

// plan says what a session is to do with its listing; the slices hold indexes
// of entries.
type plan struct {
	fetch []int // RETR
	last  []int // RETR after all others: these failed before
	probe []int // known by its hint; may be marked if TOP agrees
}

// plan compares the listing with the ledger.
func (v *visit) plan() *plan {
	v.findRepeats()
	p := &plan{}
	for i, e := range v.listing.Entries {
		record, ok := v.ids.hinted(e)
		if ok {
			v.stable++
		}
		switch {
		case ok && v.settledBefore(record):
			v.claim(i, record)
			if v.deletable(record) {
				p.probe = append(p.probe, i)
			}
		case !v.audit:
			v.schedule(p, i)
		}
	}
	if !v.audit {
		v.announce(p)
	}
	return p
}

// findRepeats makes the maildrop weak if a unique-id stands in the listing twice.
func (v *visit) findRepeats() {
	if !v.listing.HasUIDL {
		return
	}
	seen := make(map[string]struct{}, len(v.listing.Entries))
	for _, e := range v.listing.Entries {
		if e.UniqueID == "" {
			continue
		}
		if _, repeated := seen[e.UniqueID]; repeated {
			v.weaken()
			return
		}
		seen[e.UniqueID] = struct{}{}
	}
}

// weaken records that unique-ids prove nothing in this maildrop.
func (v *visit) weaken() {
	if !v.drop.Weak {
		v.drop.Weak = true
		v.pending = append(v.pending, checkpoint.PutWeak{Maildrop: v.drop.ID})
	}
}

// settledBefore tells whether a message known by its hint needs no RETR: its
// content is certain, and every sink holds it or can be filled from another.
func (v *visit) settledBefore(record int) bool {
	m := &v.drop.Messages[record]
	if m.Flags&checkpoint.Short != 0 && m.Flags&checkpoint.Confirmed == 0 {
		return false
	}
	if v.sinks == nil { // a dry run, which opens none
		return !slices.ContainsFunc(m.Copies, func(c checkpoint.Copy) bool { return c.Proof == checkpoint.Lost })
	}
	return v.wanting(m) == 0 || v.sinks.readable(m)
}

// wanting returns the sinks that are to be given m in this session.
func (v *visit) wanting(m *checkpoint.Message) uint64 {
	missing := v.sinks.missing(m)
	if missing != 0 && v.reck.tried(hint{m.UniqueID, m.ListedOctets}) > 0 {
		for i, spec := range v.sinks.specs {
			if proofIn(m, spec.Name) == checkpoint.Refused {
				missing &^= 1 << i // once a run is enough
			}
		}
	}
	return missing
}

// claim ties an entry to its record.
func (v *visit) claim(entry, record int) {
	v.ids.claimed[record] = true
	v.record[entry] = int32(record)
	m := &v.drop.Messages[record]
	switch {
	case v.sinks == nil || v.audit:
	case v.sinks.missing(m) == 0:
		v.reck.settle(m.Ordinal, Known, failure{})
		v.observeMessage(m.UniqueID, m.Octets, Known, "")
	default:
		v.await(m)
	}
}

// await notes that a message in the ledger waits for sinks that lack it.
func (v *visit) await(m *checkpoint.Message) {
	v.reck.settle(m.Ordinal, Failed, failure{notReached, "the session ended before its turn"})
}

// schedule puts an entry among those to be fetched, unless it failed too often.
func (v *visit) schedule(p *plan, i int) {
	e := v.listing.Entries[i]
	h := hint{e.UniqueID, e.Octets}
	before, now := v.attempts.count(h), v.reck.tried(h)
	switch {
	case now >= failedAfter, now > 0 && before > failedAfter:
		v.giveUp(i, failure{"failed repeatedly", v.attempts.reason(h)})
	case before >= lastAfter, now > 0:
		p.last = append(p.last, i)
	default:
		p.fetch = append(p.fetch, i)
	}
}

// giveUp notes that an entry failed.
func (v *visit) giveUp(i int, why failure) {
	v.left[i] = fated{Failed, why}
	e := v.listing.Entries[i]
	v.observeMessage(e.UniqueID, e.Octets, Failed, why.reason)
}

// announce tells whoever watches how much is to be fetched.
func (v *visit) announce(p *plan) {
	event := MaildropEvent{State: Listed, Messages: int64(len(p.fetch) + len(p.last))}
	for _, i := range slices.Concat(p.fetch, p.last) {
		event.Octets += max(v.listing.Entries[i].Octets, 0)
	}
	v.observe(event)
}

// preview is all that a dry run does.
func (v *visit) preview() {
	p := v.plan()
	for _, i := range slices.Concat(p.fetch, p.last) {
		v.left[i] = fated{Skipped, failure{"dry run", "would be fetched"}}
	}
	for i := range v.record {
		if r := v.record[i]; r != noRecord {
			v.reck.settle(v.drop.Messages[r].Ordinal, Known, failure{})
		}
	}
	v.account()
}

// probe asks for the header sections of messages that an earlier session
// stored: one whose header digest agrees may be marked. The others, and all
// where the server has no TOP, are fetched and compared whole.
func (v *visit) probe(ctx context.Context, p *plan) error {
	if len(p.probe) == 0 {
		return nil
	}
	reader, ok := v.session.(HeaderReader)
	if !ok || v.reck.headless || v.tuning().NoTop {
		v.refetch(p, p.probe)
		return nil
	}
	done := 0
	print := newFingerprint()
	for m, err := range reader.Headers(ctx, v.numbers(p.probe)) {
		if done == len(p.probe) {
			return v.beheaded(err) // after the last message
		}
		entry := p.probe[done]
		if err != nil && !refusedOne(err) {
			return v.beheaded(err)
		}
		done++
		record := int(v.record[entry])
		if err == nil {
			print.reset()
			if err := v.copyOut(print, entry, m.Body); err != nil {
				return v.beheaded(err)
			}
			if print.finish(false).header == v.drop.Messages[record].Header {
				v.proven[record] = true
				continue
			}
		}
		v.refetch(p, []int{entry})
	}
	v.unprobed = done < len(p.probe)
	return nil
}

// beheaded notes that TOP broke the session. Where that was no accident of the
// line, the sessions that follow do without it: some servers never end it.
func (v *visit) beheaded(err error) error {
	var protocol *pop3.ProtocolError
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &protocol) {
		v.reck.headless = true
	}
	return &sessionError{"read header sections", err}
}

// refetch takes entries back from their records, to be fetched and compared.
func (v *visit) refetch(p *plan, entries []int) {
	for _, i := range entries {
		v.ids.claimed[v.record[i]] = false
		v.record[i] = noRecord
		v.schedule(p, i)
	}
}

// numbers yields the message-numbers of entries until the session is to stop.
func (v *visit) numbers(entries []int) iter.Seq[pop3.Number] {
	return func(yield func(pop3.Number) bool) {
		for _, i := range entries {
			if v.stopping() || !yield(v.listing.Entries[i].Number) {
				return
			}
		}
	}
}

// all yields the message-numbers of entries until the run is to end.
func (v *visit) all(entries []int) iter.Seq[pop3.Number] {
	return func(yield func(pop3.Number) bool) {
		for _, i := range entries {
			if v.env.quiescing() || !yield(v.listing.Entries[i].Number) {
				return
			}
		}
	}
}
