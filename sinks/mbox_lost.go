package sinks

import (
	"maps"
	"slices"
)

// readLost finds out what of lost copies is still in the archive: a repair
// records the loss first and may be killed before anything was moved. A
// segment is lost as a whole: where it holds a committed copy it is another one.
func (m *mboxOpening) readLost() error {
	for _, s := range m.segments {
		if len(s.places) > 0 {
			m.newest = max(m.newest, s.number)
		}
	}
	if m.opening.Lost == nil {
		return nil
	}
	for c := range m.opening.Lost {
		p, err := parsePlace(c.Where)
		if err != nil {
			continue // checked when it was committed
		}
		if s := m.segments[p.segment]; s == nil || len(s.places) == 0 {
			m.lost[p.segment], m.lost[indexName(p.segment)] = true, true
		}
		if name := rawName(c.Digest, p.segment); p.raw && m.sidecars[name] == 0 {
			m.lost[name] = true
		}
		number, _ := segmentNumber(p.segment)
		m.newest = max(m.newest, number) // its number is not used again while a copy of it is lost
	}
	for name := range m.lost {
		delete(m.segments, name)
	}
	return nil
}

// setAside moves what is left of lost copies to quarantine: sidecars first,
// for without its segment a lost sidecar has nothing to be found by.
func (m *mboxOpening) setAside() error {
	a := newAside(m.cfg.FS, m.cfg.Dir, m.opening.Quarantine, m.opening.Maildrop)
	names := slices.Sorted(maps.Keys(m.lost))
	slices.Reverse(names) // "raw/…" before digits
	for _, name := range names {
		if err := a.move(name); err != nil {
			return m.fail(name, err, "")
		}
	}
	return nil
}
