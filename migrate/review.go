package migrate

import (
	"cmp"
	"context"
	"slices"

	"popmigrate/checkpoint"
)

// review settles the deletions of earlier sessions by this session's listing:
// what it lacks is gone, what it still has is marked again or, at last, kept.
// +OK to QUIT proves nothing, and neither does a listing that is not credible.
func (v *visit) review(ctx context.Context) error {
	pending := v.unsettledMarks()
	entries := v.listing.Entries
	if v.audit {
		v.observe(MaildropEvent{State: Auditing})
	}
	if len(entries) == 0 {
		// An empty listing may be a server's failure. Two in a row agree.
		suspicious := len(pending) > 0 || v.present() > 0
		v.reck.emptied = suspicious && !v.reck.emptied
		if v.reck.emptied {
			return nil
		}
	} else {
		v.reck.emptied = false
	}
	if len(pending) == 0 || v.listing.Doubt != "" {
		v.countLate()
		return nil
	}
	credible, err := v.credible(ctx, pending)
	if err != nil {
		return err
	}
	listed := v.listedUIDs(len(pending))
	for _, record := range pending {
		m := &v.drop.Messages[record]
		_, uidListed := listed[m.UniqueID]
		switch {
		case v.ids.claimed[record]:
			if m.Mark.Tries >= marksMost {
				v.pending = append(v.pending, v.setMark(record, checkpoint.Kept, 0, m.Mark.Reply))
				v.reck.count(func(c *Counts) { c.Kept++ })
			}
		case credible.of(m) && (!uidListed || v.drop.Weak):
			v.pending = append(v.pending, v.setMark(record, checkpoint.Gone, 0, m.Mark.Reply))
			v.reck.count(func(c *Counts) { c.Gone++ })
		}
	}
	v.countLate()
	return v.flush(ctx)
}

// unsettledMarks returns the records whose deletion is not known to have happened.
func (v *visit) unsettledMarks() (records []int) {
	for i := range v.drop.Messages {
		if s := v.drop.Messages[i].Mark.State; s == checkpoint.Marking || s == checkpoint.Marked {
			records = append(records, i)
		}
	}
	return records
}

// present counts the records that the server should still list, so far as is known.
func (v *visit) present() (n int) {
	for i := range v.drop.Messages {
		if v.drop.Messages[i].Mark.State == checkpoint.Unmarked {
			n++
		}
	}
	return n
}

// credibility is what the absence of messages from a listing proves.
type credibility struct {
	all  bool // every listed message was tied to a record or is a stranger
	uids bool // unique-ids are what they were, so that one that is absent is gone
}

// of tells whether a message that the listing lacks is gone. One that was
// marked in a session without unique-ids may be listed under one now.
func (c credibility) of(m *checkpoint.Message) bool {
	return c.all || c.uids && m.UniqueID != ""
}

// credible tells whether the absence of pending records from this listing means
// that they are gone. It does where every listed message was tied to a
// record, or where the maildrop's unique-ids have shown themselves to be
// stable. A listing in which nothing is known may only be renumbered: then
// every message is read and compared.
func (v *visit) credible(ctx context.Context, pending []int) (credibility, error) {
	found := credibility{uids: !v.drop.Weak && v.stable > 0}
	unknown := v.unknown(pending)
	found.all = len(unknown) == 0
	enough := func(record int) bool { return found.of(&v.drop.Messages[record]) }
	if !v.audit || !slices.ContainsFunc(pending, func(record int) bool { return !enough(record) }) {
		return found, nil // while the work goes on, strangers were asked for and did not come
	}
	all, err := v.compare(ctx, unknown)
	found.all = all
	return found, err
}

// unknown returns the entries that might be one of the pending records.
func (v *visit) unknown(pending []int) (unknown []int) {
	nameless := slices.ContainsFunc(pending, func(record int) bool { return v.drop.Messages[record].UniqueID == "" })
	for i, record := range v.record {
		e := v.listing.Entries[i]
		// One that failed before under this unique-id has no record, unless it
		// got one in a session without unique-ids.
		failedBefore := e.UniqueID != "" && !nameless && !v.drop.Weak && v.attempts.count(hint{e.UniqueID, e.Octets}) > 0
		// One that was set aside was read: it is none of those in the ledger.
		aside := v.left[i].fate == Skipped
		if record == noRecord && !failedBefore && !aside {
			unknown = append(unknown, i)
		}
	}
	return unknown
}

// compare reads messages that nothing is known of and ties them to the records
// that are theirs. It tells whether that was possible for all of them.
func (v *visit) compare(ctx context.Context, unknown []int) (bool, error) {
	done := 0
	print := newFingerprint()
	for message, err := range v.session.Retrieve(ctx, v.all(unknown)) {
		if err != nil && !refusedOne(err) {
			return false, &sessionError{"retrieve", err}
		}
		i := unknown[done]
		done++
		if err != nil {
			return false, nil
		}
		print.reset()
		if err := v.copyOut(print, i, message.Body); err != nil {
			return false, &sessionError{"retrieve", err}
		}
		p := print.finish(false)
		if broken, altered := v.outOfStep(v.listing.Entries[i], &p); broken != nil || altered != nil {
			return false, &sessionError{"retrieve", cmp.Or(broken, altered)}
		}
		if record, ok := v.ids.match(v.listing.Entries[i], &p); ok {
			v.record[i] = int32(record)
			v.proven[record] = true
		} else {
			v.loose = true
		}
	}
	return true, nil
}

// listedUIDs is the set of unique-ids in the listing, for many look-ups.
func (v *visit) listedUIDs(lookups int) map[string]struct{} {
	set := make(map[string]struct{}, min(lookups, len(v.listing.Entries)))
	for _, e := range v.listing.Entries {
		if e.UniqueID != "" {
			set[e.UniqueID] = struct{}{}
		}
	}
	return set
}

// countLate counts the mail that arrived after the work was done.
func (v *visit) countLate() {
	if !v.audit {
		return
	}
	late, open := int64(0), v.reck.leftOpen()
	for i, record := range v.record {
		e := v.listing.Entries[i]
		h := hint{e.UniqueID, e.Octets}
		if record == noRecord && open[h] == 0 {
			late++
		} else if record == noRecord {
			open[h]--
		}
	}
	v.reck.count(func(c *Counts) { c.Late = late })
}

// unreached tells whether messages wait for another session.
func (v *visit) unreached() bool {
	if v.unprobed || v.unfilled {
		return true
	}
	for i, left := range v.left {
		if v.record[i] == noRecord && left.reason == notReached {
			return true
		}
	}
	return false
}

// notReached is why an entry has no record when its session ended before its turn.
const notReached = "not reached"
