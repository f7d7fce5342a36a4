package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"

	"popmigrate/checkpoint"
	"popmigrate/sinks"
)

// quarantine is the directory for what is damaged in a sink's archives.
func (e *Env) quarantine(sink string) string {
	if e.QuarantineDir == "" {
		return ""
	}
	return filepath.Join(e.QuarantineDir, sink)
}

// LostCopies yields the copies that a sink once vouched for and that were
// found damaged or missing since, in the order of their ordinals.
func LostCopies(drop *checkpoint.Maildrop, sink string) iter.Seq[sinks.Copy] {
	return copiesWith(drop, sink, checkpoint.Lost)
}

// restorable returns the records of which a local sink's copy is lost.
func (v *visit) restorable() (records []int) {
	for i := range v.drop.Messages {
		for _, spec := range v.acct.Sinks {
			if spec.OpenRead != nil && proofIn(&v.drop.Messages[i], spec.Name) == checkpoint.Lost {
				records = append(records, i)
				break
			}
		}
	}
	return records
}

// restore replaces lost copies from what is at hand: another sink's verified
// copy, else a sound one in quarantine. It needs no server, and a server would
// not wait for it, so it comes before the session. What it cannot replace is
// fetched like a message that no sink ever had.
func (v *visit) restore(ctx context.Context) (err error) {
	records := v.restorable()
	if len(records) == 0 || v.audit || v.env.DryRun {
		return nil
	}
	local := *v.acct
	local.Sinks = nil
	for _, spec := range v.acct.Sinks {
		if !spec.Delivers {
			local.Sinks = append(local.Sinks, spec)
		}
	}
	if v.sinks, err = openSinks(ctx, v.env, &local, v.drop); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, v.sinks.close())
		v.sinks, v.moved, v.later = nil, 0, 0 // what it moved is no part of the slice
	}()
	restoring, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := &mover{visit: v, settler: startSettling(ctx, v, cancel), spool: v.env.Spool.NewWriter(), print: newFingerprint()}
	defer m.spool.Close()
	err = m.restore(restoring, records)
	settling, _ := m.settler.finish(ctx, nil) // no session waits
	v.apply(m.settler)
	return cmp.Or(settling, err)
}

func (m *mover) restore(ctx context.Context, records []int) error {
	from := &salvages{set: m.sinks, env: m.env, maildrop: m.acct.Name}
	defer from.close()
	for _, record := range records {
		if m.env.quiescing() {
			return nil
		}
		row := &m.drop.Messages[record]
		source, body, session, err := from.open(ctx, row)
		if err != nil {
			return err
		}
		if body == nil {
			continue // only the server may have it
		}
		it, err := m.stored(record, body)
		if err != nil {
			return err
		}
		it.from, it.message.Session = source, session
		if err := m.settler.add(ctx, it); err != nil {
			return err
		}
	}
	return nil
}

// stored brings a stored message, which it closes, into the spool, and
// compares it with its record.
func (m *mover) stored(record int, body io.ReadCloser) (*item, error) {
	defer body.Close()
	row := &m.drop.Messages[record]
	m.print.reset()
	m.told = nil
	if _, err := io.Copy(io.MultiWriter(m.print, m.spool), body); err != nil {
		m.spool.Abandon()
		return nil, err
	}
	print := m.print.finish(true)
	entry := m.spool.Finish()
	if print.digest != row.Digest || print.octets != row.Octets {
		entry.Release()
		return nil, &sinks.Error{Op: "fill from", Object: "archive of " + m.acct.Name,
			Err:  fmt.Errorf("%w: message %d (unique-id %q) reads back differently", sinks.ErrDamaged, row.Ordinal, row.UniqueID),
			Hint: "popmigrate verify tells what is damaged, popmigrate run --repair replaces it"}
	}
	return m.item(record, false, m.wanting(row), &print, entry), nil
}

// source says where the octets of an item come from.
type source int

const (
	fromServer source = iota
	fromSink
	fromQuarantine
)

// salvages finds copies of lost messages.
type salvages struct {
	set      *sinkSet
	env      *Env
	maildrop string
	opened   map[string]*sinks.Salvage // by the sink's name
}

// open opens a sound copy of m and tells where it comes from and which
// session retrieved it; body is nil where there is none.
func (s *salvages) open(ctx context.Context, m *checkpoint.Message) (from source, body io.ReadCloser, session string, err error) {
	if body, err := s.set.read(ctx, m); body != nil || err != nil {
		return fromSink, body, sessionOf(m, checkpoint.Verified), err
	}
	for i := range s.set.specs {
		spec := &s.set.specs[i]
		if spec.Salvage == nil || proofIn(m, spec.Name) != checkpoint.Lost {
			continue
		}
		salvage, err := s.of(ctx, spec)
		if err != nil {
			return 0, nil, "", err
		}
		for _, c := range m.Copies {
			if c.Sink != spec.Name {
				continue
			}
			body, err := salvage.Read(ctx, sinkCopy(m, &c))
			if err == nil {
				return fromQuarantine, body, c.Session, nil
			}
			if ctx.Err() != nil {
				return 0, nil, "", context.Cause(ctx)
			}
		}
	}
	return 0, nil, "", nil
}

// of returns what was set aside of a sink.
func (s *salvages) of(ctx context.Context, spec *SinkSpec) (*sinks.Salvage, error) {
	if salvage := s.opened[spec.Name]; salvage != nil {
		return salvage, nil
	}
	salvage, err := spec.Salvage(ctx, s.env.quarantine(spec.Name), s.maildrop)
	if err != nil {
		return nil, err
	}
	if s.opened == nil {
		s.opened = map[string]*sinks.Salvage{}
	}
	s.opened[spec.Name] = salvage
	return salvage, nil
}

func (s *salvages) close() {
	for _, salvage := range s.opened {
		salvage.Close() // only read from
	}
}

func sessionOf(m *checkpoint.Message, proof checkpoint.Proof) string {
	for _, c := range m.Copies {
		if c.Proof == proof {
			return c.Session
		}
	}
	return ""
}

// countLost tells the reckoning which copies could not be replaced.
func (v *visit) countLost(ctx context.Context) {
	var lost []LostMessage
	n := int64(0)
	from := &salvages{env: v.env, maildrop: v.acct.Name}
	defer from.close()
	for _, record := range v.restorable() {
		m := &v.drop.Messages[record]
		for i := range v.acct.Sinks {
			spec := &v.acct.Sinks[i]
			for k := range m.Copies {
				c := &m.Copies[k]
				if c.Sink != spec.Name || c.Proof != checkpoint.Lost {
					continue
				}
				if n++; v.env.Repair != RepairNothing && len(lost) < MaxFailuresReported {
					lost = append(lost, v.lostMessage(ctx, from, m, c, spec))
				}
			}
		}
	}
	v.reck.lost(n, lost)
}

func (v *visit) lostMessage(ctx context.Context, from *salvages, m *checkpoint.Message, c *checkpoint.Copy, spec *SinkSpec) LostMessage {
	l := LostMessage{Sink: c.Sink, Message: m.Ordinal, UniqueID: m.UniqueID, Octets: m.Octets, Where: c.Where, Damage: c.Reason,
		Elsewhere: sessionOf(m, checkpoint.Verified)+sessionOf(m, checkpoint.Accepted) != ""}
	if spec.Salvage != nil {
		if salvage, err := from.of(ctx, spec); err == nil {
			l.MessageID = salvage.MessageID(sinkCopy(m, c))
		}
	}
	return l
}
