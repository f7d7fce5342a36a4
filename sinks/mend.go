package sinks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"popmigrate/internal/durable"
)

// Mending is what an archive is mended with, before it is opened for writing.
// The copies that are lost are not its business: see [Opening].Lost.
type Mending struct {
	Maildrop   string
	Mark       Mark     // as the ledger holds it
	Quarantine string   // directory that takes what is damaged; made when needed
	Files      []string // paths of derived files that are damaged, as findings name them
	Recorded   bool     // the ledger holds that what is lost is lost: what hid nothing else may be made anew
}

// MendMbox moves damaged indexes aside, which the next opening makes anew, and
// makes a damaged or missing id anew. Call it only for an archive whose copies
// show that it is the ledger's.
func MendMbox(_ context.Context, cfg MboxConfig, m Mending) error {
	cfg, _, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	a := newAside(cfg.FS, cfg.Dir, m.Quarantine, m.Maildrop)
	for _, file := range m.Files {
		name := filepath.Base(file)
		if _, isIndex := indexNumber(name); isIndex && file == cfg.path(name) {
			if err := a.move(name); err != nil {
				return &Error{Op: "repair", Object: file, Err: err}
			}
		}
	}
	return a.mendMark(mboxFormat, m)
}

// MendMaildir makes a damaged or missing id anew, and, once the loss is
// recorded, folders that are missing: until then only their absence keeps a
// run from relying on the mail that was in them.
func MendMaildir(_ context.Context, cfg MaildirConfig, m Mending) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	for _, folder := range []string{maildirTmp, maildirNew, maildirCur} {
		if !m.Recorded {
			break
		}
		if err := durable.MkdirAll(cfg.FS, cfg.path(folder)); err != nil {
			return &Error{Op: "repair", Object: cfg.path(folder), Err: err}
		}
	}
	return newAside(cfg.FS, cfg.Dir, m.Quarantine, m.Maildrop).mendMark(maildirFormat, m)
}

// mendMark makes popmigrate.id anew unless it is there and sound.
func (a *aside) mendMark(format string, m Mending) error {
	path := filepath.Join(a.archive, archiveFile)
	content, err := durable.ReadFile(a.fsys, path, maxArchiveFile)
	if err == nil {
		if _, err = parseMark(content); err == nil {
			return nil
		}
		err = a.move(archiveFile)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = claimArchive(a.fsys, a.archive, format, Opening{Maildrop: m.Maildrop, ArchiveID: m.Mark.ArchiveID, Generation: m.Mark.Generation})
	}
	if err != nil {
		return &Error{Op: "repair", Object: path, Err: fmt.Errorf("make it anew: %w", err)}
	}
	return nil
}
