package migrate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"

	"popmigrate/checkpoint"
	"popmigrate/sinks"
)

// sinkSet is the open sinks of one maildrop, in the job's order.
type sinkSet struct {
	specs   []SinkSpec
	open    []sinks.Sink
	readers []sinks.Reader // opened when first needed
}

// openSinks opens every sink of the account. The ledger holds an archive's id
// and the raised generation before the archive learns of them, so that an
// archive is never ahead of its own ledger.
func openSinks(ctx context.Context, env *Env, acct *Account, drop *checkpoint.Maildrop) (*sinkSet, error) {
	var changes []checkpoint.Change
	for _, spec := range acct.Sinks {
		state := drop.Sinks[spec.Name]
		if state.ArchiveID == "" {
			var id [16]byte
			rand.Read(id[:])
			state.ArchiveID = hex.EncodeToString(id[:])
		}
		state.Generation++
		if drop.Sinks == nil {
			drop.Sinks = map[string]checkpoint.Sink{}
		}
		drop.Sinks[spec.Name] = state
		changes = append(changes, checkpoint.PutSink{Maildrop: drop.ID, Name: spec.Name, Sink: state})
	}
	if err := commit(ctx, env, changes...); err != nil {
		return nil, err
	}
	set := &sinkSet{specs: acct.Sinks, readers: make([]sinks.Reader, len(acct.Sinks))}
	for _, spec := range acct.Sinks {
		sink, err := spec.Open(ctx, sinks.Opening{
			Maildrop: acct.Name, ArchiveID: drop.Sinks[spec.Name].ArchiveID,
			Generation: drop.Sinks[spec.Name].Generation,
			Copies:     VerifiedCopies(drop, spec.Name), Torn: env.TornDir,
			Lost: LostCopies(drop, spec.Name), Quarantine: env.quarantine(spec.Name),
		})
		if err != nil {
			return nil, errors.Join(err, set.close())
		}
		set.open = append(set.open, sink)
	}
	return set, nil
}

// VerifiedCopies yields the copies that a sink vouched for as verified, in the
// order of their ordinals.
func VerifiedCopies(drop *checkpoint.Maildrop, sink string) iter.Seq[sinks.Copy] {
	return copiesWith(drop, sink, checkpoint.Verified)
}

func copiesWith(drop *checkpoint.Maildrop, sink string, proof checkpoint.Proof) iter.Seq[sinks.Copy] {
	return func(yield func(sinks.Copy) bool) {
		for i := range drop.Messages {
			m := &drop.Messages[i]
			for _, c := range m.Copies {
				if c.Sink == sink && c.Proof == proof && !yield(sinkCopy(m, &c)) {
					return
				}
			}
		}
	}
}

func sinkCopy(m *checkpoint.Message, c *checkpoint.Copy) sinks.Copy {
	return sinks.Copy{Ordinal: m.Ordinal, UniqueID: m.UniqueID, Session: c.Session,
		Octets: m.Octets, Digest: m.Digest, Where: sinks.Where(c.Where)}
}

// missing returns the sinks that hold no accepted or verified copy of m, as a
// bit for each.
func (s *sinkSet) missing(m *checkpoint.Message) (missing uint64) {
	for i := range s.specs {
		if proofIn(m, s.specs[i].Name) < checkpoint.Accepted {
			missing |= 1 << i
		}
	}
	return missing
}

// proofIn returns the proof of m's copy in a sink, 0 where there is none.
func proofIn(m *checkpoint.Message, sink string) checkpoint.Proof {
	for i := range m.Copies {
		if m.Copies[i].Sink == sink {
			return m.Copies[i].Proof
		}
	}
	return 0
}

// read opens a verified local copy of m, for a sink that lacks the message.
// It returns nil where there is none.
func (s *sinkSet) read(ctx context.Context, m *checkpoint.Message) (io.ReadCloser, error) {
	for i := range s.specs {
		for k := range m.Copies {
			if c := &m.Copies[k]; c.Sink == s.specs[i].Name && c.Proof == checkpoint.Verified && s.specs[i].OpenRead != nil {
				if s.readers[i] == nil {
					reader, err := s.specs[i].OpenRead(ctx)
					if err != nil {
						return nil, err
					}
					s.readers[i] = reader
				}
				return s.readers[i].Read(ctx, sinkCopy(m, c))
			}
		}
	}
	return nil, nil
}

// readable tells whether read would find a copy.
func (s *sinkSet) readable(m *checkpoint.Message) bool {
	for i := range s.specs {
		if s.specs[i].OpenRead != nil && proofIn(m, s.specs[i].Name) == checkpoint.Verified {
			return true
		}
	}
	return false
}

// fillable tells whether the sinks that lack m can be given it from a copy.
func (s *sinkSet) fillable(m *checkpoint.Message) bool {
	return s.missing(m)&s.enveloped() == 0 && s.readable(m)
}

// enveloped returns the sinks that need each message's envelope, which only
// the server tells, as a bit for each.
func (s *sinkSet) enveloped() (those uint64) {
	for i := range s.specs {
		if s.specs[i].Envelope {
			those |= 1 << i
		}
	}
	return those
}

func (s *sinkSet) close() error {
	if s == nil {
		return nil
	}
	var all error
	for i, sink := range s.open {
		if err := sink.Close(); err != nil {
			all = errors.Join(all, fmt.Errorf("close sink %s: %w", s.specs[i].Name, err))
		}
	}
	for _, reader := range s.readers {
		if reader != nil {
			all = errors.Join(all, reader.Close())
		}
	}
	return all
}

// ledgerError is a failure of the ledger: the run cannot go on.
type ledgerError struct{ err error }

func (e *ledgerError) Error() string { return e.err.Error() }
func (e *ledgerError) Unwrap() error { return e.err }

func commit(ctx context.Context, env *Env, changes ...checkpoint.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if err := env.Ledger.Commit(ctx, changes...); err != nil {
		return &ledgerError{err}
	}
	return nil
}
