package migrate

import (
	"context"
	"errors"

	"popmigrate/checkpoint"
)

// marksMost bounds the sessions in which DELE is sent for one message and
// QUIT after it: once, and twice more if the server still lists the message.
// Then it is kept.
const marksMost = 3

// markReply is what a session's DELE for one message came to.
type markReply struct {
	record int
	number int
	reply  string
	ok     bool
}

// deletable tells whether the job wants a record's message deleted on the
// server, proof of its identity in this session apart.
func (v *visit) deletable(record int) bool {
	m := &v.drop.Messages[record]
	switch {
	case v.acct.Hold || !v.licensed(m),
		m.Flags&checkpoint.Short != 0 && m.Flags&checkpoint.Confirmed == 0,
		m.Mark.State == checkpoint.Kept,
		v.audit && m.Mark.State != checkpoint.Marking && m.Mark.State != checkpoint.Marked:
		return false
	}
	return true
}

// licensed tells whether the copies that the ledger holds license a deletion.
func (v *visit) licensed(m *checkpoint.Message) bool {
	verified := 0
	for _, spec := range v.acct.Sinks {
		proof := proofIn(m, spec.Name)
		if proof < checkpoint.Accepted {
			return false
		}
		if proof == checkpoint.Verified {
			verified++
		}
	}
	switch v.job.Delete {
	case DeleteVerified:
		return verified > 0
	case DeleteAccepted:
		return true
	}
	return false
}

// mark deletes what may be deleted. The ledger durably holds "marking" before
// the first DELE goes out: a DELE that was sent is final.
func (v *visit) mark(ctx context.Context) error {
	entries := v.markable()
	if len(entries) == 0 || v.env.quiescing() || v.env.noMoreMarks.Load() {
		return nil
	}
	v.observe(MaildropEvent{State: Deleting, Messages: int64(len(entries))})
	changes := make([]checkpoint.Change, 0, len(entries))
	for _, i := range entries {
		changes = append(changes, v.setMark(int(v.record[i]), checkpoint.Marking, 0, ""))
	}
	if err := commit(ctx, v.env, changes...); err != nil {
		return err
	}
	next := 0
	for reply, err := range v.session.Mark(ctx, v.all(entries)) {
		if err != nil && !refusedOne(err) {
			return &sessionError{"delete", err}
		}
		i := entries[next]
		next++
		done := markReply{record: int(v.record[i]), number: int(v.listing.Entries[i].Number), reply: reply.Text, ok: err == nil}
		if err != nil {
			done.reply = err.Error()
		}
		v.marks = append(v.marks, done)
	}
	return nil
}

// markable returns the entries that may be marked now, and counts those on hold.
func (v *visit) markable() (entries []int) {
	held := int64(0)
	for i, record := range v.record {
		if record == noRecord {
			continue
		}
		r := int(record)
		if v.acct.Hold && v.job.Delete != DeleteForbidden && v.licensed(&v.drop.Messages[r]) {
			held++
		}
		if v.listing.Doubt == "" && v.proven[r] && v.deletable(r) {
			entries = append(entries, i)
		}
	}
	v.reck.count(func(c *Counts) { c.Held = max(c.Held, held) })
	return entries
}

// unproven tells whether a message could be marked if this session had proven
// that it is the recorded one: it lacked a copy when the session began.
func (v *visit) unproven() bool {
	if v.audit || v.listing.Doubt != "" || v.env.quiescing() || v.env.noMoreMarks.Load() {
		return false
	}
	for _, record := range v.record {
		if r := int(record); record != noRecord && !v.proven[r] && v.deletable(r) {
			return true
		}
	}
	return false
}

// setMark changes a record's mark and returns the change for the ledger.
func (v *visit) setMark(record int, state checkpoint.MarkState, tries int, reply string) checkpoint.Change {
	m := &v.drop.Messages[record]
	m.Mark = checkpoint.Mark{State: state, Tries: m.Mark.Tries + tries, Session: v.id, Reply: reply, At: v.now()}
	return checkpoint.PutMark{Maildrop: v.drop.ID, Ordinal: m.Ordinal, Mark: m.Mark}
}

// marksQuit records what the server answered to the marks and to QUIT. +OK is
// a claim; only a later listing settles it. Only now the session counts as a
// try: one that broke off before QUIT says nothing of the server's will.
func (v *visit) marksQuit(said string, err error) {
	for _, reply := range v.marks {
		m := &v.drop.Messages[reply.record]
		switch {
		case reply.ok:
			v.pending = append(v.pending, v.setMark(reply.record, checkpoint.Marked, 1, reply.reply))
			v.reck.count(func(c *Counts) { c.Marked++ })
		case m.Mark.Tries+1 >= marksMost:
			v.pending = append(v.pending, v.setMark(reply.record, checkpoint.Kept, 1, reply.reply))
			v.reck.count(func(c *Counts) { c.Kept++ })
		default:
			v.pending = append(v.pending, v.setMark(reply.record, checkpoint.Marking, 1, reply.reply))
		}
	}
	v.quitReply = said
	if err != nil {
		v.quitReply = errors.Join(errors.New(said), err).Error()
	}
}
