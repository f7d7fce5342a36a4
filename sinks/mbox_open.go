package sinks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"popmigrate/internal/durable"
)

// segmentState is what is known of a segment when an archive is opened.
type segmentState struct {
	name   string
	number int
	places []place // committed, in the order they lie
	end    int64   // up to which the ledger has committed it
	octets int64   // length of the file
	exists bool

	indexed indexExtent // how far its index is right
}

// mboxOpening carries an opening through its steps. Those up to the claim
// change nothing.
type mboxOpening struct {
	cfg      MboxConfig
	opening  Opening
	segments map[string]*segmentState // by file name; those on disk and those that copies name
	indexes  map[string]bool          // names of the index files on disk
	temps    []string                 // what an unfinished publication left, relative to Dir
	rebuild  []*segmentState          // whose index does not list exactly the committed copies
	sidecars map[string]int64         // name of each sidecar that a copy needs, and an ordinal that does
	lost     map[string]bool          // segments and sidecars of which only lost copies are known
	newest   int                      // highest number of a segment that ever held a copy
	readme   bool                     // is there
}

// OpenMbox opens the mbox archive of one maildrop for writing. It refuses an
// archive that does not belong to the ledger behind o, or that lacks what the
// ledger holds, before it changes anything. Then it takes off what a crash
// left uncommitted, moving it to o.Torn, and rebuilds what is missing of the
// index. o.Copies is iterated more than once.
func OpenMbox(ctx context.Context, cfg MboxConfig, o Opening) (Sink, error) {
	cfg, codec, err := cfg.withDefaults()
	if err != nil {
		return nil, &Error{Op: "open", Object: cfg.Dir, Err: err}
	}
	m := &mboxOpening{cfg: cfg, opening: o, segments: map[string]*segmentState{}, indexes: map[string]bool{}, sidecars: map[string]int64{}, lost: map[string]bool{}}
	for _, step := range []func() error{m.list, m.readCopies, m.readLost, m.checkOwner, m.checkSegments, m.checkIndexes, m.claim, m.setAside, m.sweep, m.cutTails} {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if err := step(); err != nil {
			return nil, err
		}
	}
	for _, s := range m.rebuild {
		if err := rebuildIndex(ctx, cfg, s, o.Copies); err != nil {
			return nil, err
		}
	}
	return m.sink(codec), nil
}

func (m *mboxOpening) fail(name string, err error, hint string) error {
	return &Error{Op: "open", Object: m.cfg.path(name), Err: err, Hint: hint}
}

// list finds out what is on disk.
func (m *mboxOpening) list() error {
	entries, err := durable.ReadDir(m.cfg.FS, m.cfg.Dir)
	if err != nil {
		return m.fail("", err, "")
	}
	for _, e := range entries {
		name := e.Name()
		if number, ok := segmentNumber(name); ok {
			info, err := e.Info()
			if err != nil {
				return m.fail(name, err, "")
			}
			m.segments[name] = &segmentState{name: name, number: number, octets: info.Size(), exists: true}
		} else if _, ok := indexNumber(name); ok && !e.IsDir() {
			m.indexes[name] = true
		} else if strings.HasSuffix(name, durable.TempSuffix) {
			m.temps = append(m.temps, name)
		}
		m.readme = m.readme || name == readmeFile
	}
	entries, err = durable.ReadDir(m.cfg.FS, m.cfg.path(rawDir))
	if err != nil {
		return m.fail(rawDir, err, "")
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), durable.TempSuffix) {
			m.temps = append(m.temps, rawDir+"/"+e.Name())
		}
	}
	return nil
}

// readCopies finds out what the ledger has committed.
func (m *mboxOpening) readCopies() error {
	if m.opening.Copies == nil {
		return nil
	}
	for c := range m.opening.Copies {
		p, err := parsePlace(c.Where)
		if err != nil {
			return m.fail("", fmt.Errorf("%w: copy %d: %v", ErrForeign, c.Ordinal, err), "was the ledger made by another kind of sink, or a newer popmigrate?")
		}
		s := m.segments[p.segment]
		if s == nil {
			number, _ := segmentNumber(p.segment)
			s = &segmentState{name: p.segment, number: number}
			m.segments[p.segment] = s
		}
		p.segment = s.name // one string for all
		s.places = append(s.places, p)
		s.end = max(s.end, p.frame.end())
		if p.raw {
			m.sidecars[rawName(c.Digest, p.segment)] = c.Ordinal
		}
	}
	for _, s := range m.segments {
		slices.SortFunc(s.places, func(a, b place) int {
			return cmp.Or(cmp.Compare(a.frame.at, b.frame.at), cmp.Compare(a.text.at, b.text.at))
		})
	}
	return nil
}

func (m *mboxOpening) checkOwner() error {
	holdsMail := false
	for _, s := range m.segments {
		holdsMail = holdsMail || s.exists && !m.lost[s.name]
	}
	return checkArchive(m.cfg.FS, m.cfg.Dir, mboxFormat, m.opening, holdsMail)
}

const restoreHint = "restore it from a backup, or have popmigrate run --repair replace what it held; nothing of this maildrop is deleted on the server until then"

// checkSegments wants all that the ledger has committed to be there.
func (m *mboxOpening) checkSegments() error {
	for _, name := range slices.Sorted(maps.Keys(m.segments)) {
		s := m.segments[name]
		switch {
		case !s.exists:
			return m.fail(name, fmt.Errorf("%w: the file is missing; the ledger holds %d messages in it", ErrDamaged, len(s.places)), restoreHint)
		case s.octets < s.end:
			return m.fail(name, fmt.Errorf("%w: the file has %d octets, the ledger committed %d", ErrDamaged, s.octets, s.end), restoreHint)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.sidecars)) {
		_, err := m.cfg.FS.Lstat(m.cfg.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			return m.fail(name, fmt.Errorf("%w: the file is missing; message %d needs it", ErrDamaged, m.sidecars[name]), restoreHint)
		}
		if err != nil {
			return m.fail(name, err, "")
		}
	}
	return nil
}

// checkIndexes finds the indexes that are to be rebuilt. One that knows more
// than the ledger shows that this is an older ledger: an index is only
// written after the ledger.
func (m *mboxOpening) checkIndexes() error {
	byIndex := map[string]*segmentState{}
	for _, s := range m.segments {
		name := indexName(s.name)
		if other := byIndex[name]; other == nil || len(other.places) == 0 {
			byIndex[name] = s
		} else if len(s.places) > 0 {
			return m.fail(s.name, fmt.Errorf("%w: two segments have this number", ErrDamaged), "")
		}
	}
	for name := range m.indexes {
		if byIndex[name] == nil && !m.lost[name] {
			byIndex[name] = &segmentState{name: name} // of a segment that is gone
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byIndex)) {
		s := byIndex[name]
		state, err := compareIndex(m.cfg, name, s)
		if err != nil {
			return m.fail(name, err, "")
		}
		switch {
		case state == indexAhead:
			return m.fail(name, fmt.Errorf("%w: the index lists messages that this ledger, an older copy, does not know", ErrForeign),
				"restore the newest copy of the ledger, or choose an empty directory for the sink and fetch again")
		case state == indexDiffers && len(s.places) > 0:
			m.rebuild = append(m.rebuild, s)
		case len(s.places) == 0 && m.indexes[name]:
			m.temps = append(m.temps, name) // nothing readable in it, and no segment
		}
	}
	slices.SortFunc(m.rebuild, func(a, b *segmentState) int { return cmp.Compare(a.number, b.number) })
	return nil
}

// claim makes the archive this ledger's.
func (m *mboxOpening) claim() error {
	if err := claimArchive(m.cfg.FS, m.cfg.Dir, mboxFormat, m.opening); err != nil {
		return err
	}
	if m.readme {
		return nil
	}
	err := durable.Publish(m.cfg.FS, m.cfg.path(readmeFile), func(w io.Writer) error {
		_, err := io.WriteString(w, readme)
		return err
	})
	if err != nil {
		return m.fail(readmeFile, err, "")
	}
	return nil
}

// sweep removes what was never part of the archive.
func (m *mboxOpening) sweep() error {
	for _, name := range m.temps {
		if err := m.cfg.FS.Remove(m.cfg.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return m.fail(name, err, "")
		}
	}
	return nil
}

// sink returns the opened sink. The next group goes to the newest segment if
// it was whole, compressed as configured and has room; else to a new one. A
// segment that had a torn tail is left alone from then on: it may lie on a
// sick part of the device, and this process may have failed to sync it.
func (m *mboxOpening) sink(codec codec) *mboxSink {
	sink := &mboxSink{cfg: m.cfg, codec: codec, number: m.newest}
	var newest *segmentState
	for _, s := range m.segments {
		if len(s.places) > 0 && (newest == nil || s.number > newest.number) {
			newest = s
		}
	}
	if newest != nil && newest.number == m.newest {
		if newest.octets == newest.end && compressionOf(newest.name) == m.cfg.Compression {
			sink.segment, sink.end = newest.name, newest.end
		}
	}
	return sink
}
