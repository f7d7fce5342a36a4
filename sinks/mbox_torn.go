package sinks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"popmigrate/internal/durable"
)

// cutTails takes off each segment what the ledger has not committed. It is
// the tail that one crash can leave: nobody was ever told that it is kept.
func (m *mboxOpening) cutTails() error {
	for _, name := range slices.Sorted(maps.Keys(m.segments)) {
		s := m.segments[name]
		if len(s.places) > 0 && s.octets == s.end {
			continue
		}
		if err := m.cutTail(s); err != nil {
			return err
		}
	}
	return nil
}

// cutTail copies the tail of s aside, durably, before it takes it off; a
// segment without any committed copy goes as a whole.
func (m *mboxOpening) cutTail(s *segmentState) error {
	path := m.cfg.path(s.name)
	if s.octets > s.end {
		if err := m.moveAside(s); err != nil {
			return err
		}
	}
	if len(s.places) == 0 {
		err := m.cfg.FS.Remove(path)
		if err == nil {
			err = durable.SyncDir(m.cfg.FS, m.cfg.Dir)
		}
		if err != nil {
			return m.fail(s.name, err, "")
		}
		return nil
	}
	f, err := m.cfg.FS.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return m.fail(s.name, err, "")
	}
	err = f.Truncate(s.end)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return m.fail(s.name, err, "")
	}
	return nil
}

// moveAside copies the tail of s to a file of its own in the torn directory.
func (m *mboxOpening) moveAside(s *segmentState) error {
	if m.opening.Torn == "" {
		return m.fail(s.name, errors.New("no directory was given for its uncommitted tail"), "")
	}
	from, err := m.cfg.FS.OpenFile(m.cfg.path(s.name), os.O_RDONLY, 0)
	if err != nil {
		return m.fail(s.name, err, "")
	}
	defer from.Close()
	err = durable.MkdirAll(m.cfg.FS, m.opening.Torn)
	if err == nil {
		base := fmt.Sprintf("%s-%s-%d", fileName(m.opening.Maildrop), s.name, s.end)
		err = copyAside(m.cfg.FS, m.opening.Torn, base, io.NewSectionReader(from, s.end, s.octets-s.end))
	}
	if err != nil {
		return m.fail(s.name, fmt.Errorf("move uncommitted tail aside: %w", err), "")
	}
	return nil
}

// copyAside never replaces what an earlier crash left under the same name.
func copyAside(fsys durable.FS, dir, base string, content io.Reader) error {
	path := filepath.Join(dir, base)
	for i := 2; ; i++ {
		_, err := fsys.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		path = filepath.Join(dir, fmt.Sprintf("%s-%d", base, i))
	}
	return durable.Publish(fsys, path, func(w io.Writer) error {
		_, err := io.Copy(w, content)
		return err
	})
}

// fileName makes a maildrop's name fit for a file name: what is not plainly
// harmless is encoded as in a URL.
func fileName(maildrop string) string {
	var b strings.Builder
	for i := range len(maildrop) {
		c := maildrop[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '@', c == '-', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() > 150 {
		return b.String()[:150]
	}
	return b.String()
}
