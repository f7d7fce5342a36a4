package migrate

import "context"

// fillable returns the records that a sink lacks and another sink of this
// machine holds verified: a sink that was added later is filled from there,
// whether or not the server still has the message.
func (v *visit) fillable() []int {
	if v.audit || v.sinks == nil {
		return nil
	}
	var records []int
	for i := range v.drop.Messages {
		if m := &v.drop.Messages[i]; v.wanting(m) != 0 && v.sinks.fillable(m) {
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
		if m.wanting(row) == 0 || m.queued[record] {
			continue
		}
		body, err := m.sinks.read(ctx, row)
		if err != nil {
			return err
		}
		it, err := m.stored(record, body)
		if err != nil {
			return err
		}
		it.from = fromSink
		if err := m.settler.add(ctx, it); err != nil {
			return err
		}
		if err := m.settler.calm(ctx, m.stayAwake); err != nil {
			return err
		}
	}
	return nil
}
