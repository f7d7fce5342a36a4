package sinks

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"popmigrate/internal/durable"
)

// Salvage reads copies that an archive no longer holds from what was moved to
// quarantine when it was found damaged.
type Salvage struct {
	fsys    durable.FS
	folders []string // the newest first
	readers []salvageReader

	messageIDs map[Where]string // nil until it is needed
}

// salvageReader reads one folder of the quarantine.
type salvageReader interface {
	Reader
	sound(ctx context.Context, c Copy) bool
}

// OpenMboxSalvage opens what was moved to the directory quarantine of a
// maildrop's mbox archive.
func OpenMboxSalvage(cfg MboxConfig, quarantine, maildrop string) (*Salvage, error) {
	cfg, _, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return openSalvage(cfg.FS, quarantineOf(quarantine, maildrop), func(folder string) (salvageReader, error) {
		cfg := cfg
		cfg.Dir = folder
		r, err := newMboxReader(cfg)
		if err != nil {
			return nil, err
		}
		r.salvaging = true
		return mboxSalvage{r}, nil
	})
}

// OpenMaildirSalvage is the same for a maildir. It looks in the maildir too:
// a file that was missing may have come back.
func OpenMaildirSalvage(cfg MaildirConfig, quarantine, maildrop string) (*Salvage, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	open := func(folder string) (salvageReader, error) {
		cfg := cfg
		cfg.Dir = folder
		return maildirSalvage{&maildirReader{maildirIndex{cfg: cfg}}}, nil
	}
	s, err := openSalvage(cfg.FS, quarantineOf(quarantine, maildrop), open)
	if err != nil {
		return nil, err
	}
	own, err := open(cfg.Dir)
	s.readers = append(s.readers, own)
	return s, err
}

func openSalvage(fsys durable.FS, dir string, open func(folder string) (salvageReader, error)) (*Salvage, error) {
	s := &Salvage{fsys: fsys}
	entries, err := durable.ReadDir(fsys, dir)
	if err != nil {
		return nil, &Error{Op: "open quarantine", Object: dir, Err: err}
	}
	for _, e := range entries {
		if e.IsDir() {
			s.folders = append(s.folders, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(s.folders)
	slices.Reverse(s.folders)
	for _, folder := range s.folders {
		r, err := open(folder)
		if err != nil {
			return nil, err
		}
		s.readers = append(s.readers, r)
	}
	return s, nil
}

// Read implements [Reader]. It reads a copy twice: what is returned was found
// to have the copy's digest. Where there is no sound copy the error wraps
// [ErrDamaged].
func (s *Salvage) Read(ctx context.Context, c Copy) (io.ReadCloser, error) {
	for _, r := range s.readers {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if r.sound(ctx, c) {
			return r.Read(ctx, c)
		}
	}
	return nil, &Error{Op: "salvage", Object: "quarantine",
		Err: fmt.Errorf("%w: no sound copy of message %d (unique-id %.80q) is there", ErrDamaged, c.Ordinal, c.UniqueID)}
}

// Close implements [Reader].
func (s *Salvage) Close() error {
	var first error
	for _, r := range s.readers {
		if err := r.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// MessageID returns the Message-ID of a copy, if an index in quarantine tells.
func (s *Salvage) MessageID(c Copy) string {
	if s.messageIDs == nil {
		s.messageIDs = map[Where]string{}
		for _, folder := range s.folders {
			entries, err := durable.ReadDir(s.fsys, folder)
			if err != nil {
				continue // it is a courtesy
			}
			for _, e := range entries {
				if _, ok := indexNumber(e.Name()); ok {
					s.readMessageIDs(filepath.Join(folder, e.Name()))
				}
			}
		}
	}
	return s.messageIDs[c.Where]
}

func (s *Salvage) readMessageIDs(index string) {
	file, err := s.fsys.OpenFile(index, os.O_RDONLY, 0)
	if err != nil {
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxIndexLine)
	for lines.Scan() {
		if l, p, err := parseLine(lines.Bytes()); err == nil && l.MessageID != "" {
			s.messageIDs[p.where()] = l.MessageID
		}
	}
}

type mboxSalvage struct{ *mboxReader }

func (r mboxSalvage) sound(ctx context.Context, c Copy) bool {
	body, err := r.Read(ctx, c)
	if err != nil {
		return false
	}
	octets, wire, _, err := digestsOf(body)
	return err == nil && octets == c.Octets && wire == c.Digest
}

type maildirSalvage struct{ *maildirReader }

func (r maildirSalvage) sound(ctx context.Context, c Copy) bool {
	p, err := parseMaildirPlace(c.Where)
	if err != nil {
		return false
	}
	file, err := r.index.open(p.id)
	if err != nil {
		return false
	}
	defer file.Close()
	same, err := sameMail(ctx, file, c, p)
	return err == nil && same
}
