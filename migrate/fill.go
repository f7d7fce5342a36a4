package migrate

import (
	"context"
	"fmt"
	"io"

	"popmigrate/checkpoint"
	"popmigrate/sinks"
)

// fillable returns the records that a sink lacks and another sink of this
// machine holds verified: a sink that was added later is filled from there,
// whether or not the server still has the message.
func (v *visit) fillable() []int {
	if v.audit || v.sinks == nil {
		return nil
	}
	var records []int
	for i := range v.drop.Messages {
		if m := &v.drop.Messages[i]; v.wanting(m) != 0 && v.sinks.readable(m) {
			records = append(records, i)
		}
	}
	return records
}

// fill copies messages from a verified local copy to the sinks that lack them.
func (m *mover) fill(ctx context.Context, records []int) error {
	for _, record := range records {
		if m.stopping() {
			m.unfilled = true
			return nil
		}
		row := &m.drop.Messages[record]
		missing := m.wanting(row)
		if missing == 0 || m.queued[record] {
			continue
		}
		if err := m.reread(ctx, row); err != nil {
			return err
		}
		print := m.print.finish(true)
		entry := m.spool.Finish()
		if print.digest != row.Digest || print.octets != row.Octets {
			entry.Release()
			return &sinks.Error{Op: "fill from", Object: "archive of " + m.acct.Name,
				Err:  fmt.Errorf("%w: message %d (unique-id %q) reads back differently", sinks.ErrDamaged, row.Ordinal, row.UniqueID),
				Hint: "run popmigrate verify to see what is damaged"}
		}
		if err := m.settler.add(ctx, m.item(record, false, missing, &print, entry)); err != nil {
			return err
		}
		if err := m.settler.calm(ctx, m.stayAwake); err != nil {
			return err
		}
	}
	return nil
}

// reread brings a stored message into the spool.
func (m *mover) reread(ctx context.Context, row *checkpoint.Message) error {
	body, err := m.sinks.read(ctx, row)
	if err != nil {
		return err
	}
	defer body.Close()
	m.print.reset()
	_, err = io.Copy(io.MultiWriter(m.print, m.spool), body)
	return err
}
