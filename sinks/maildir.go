package sinks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"

	"popmigrate/internal/durable"
)

// MaildirConfig describes a maildir. Dir itself becomes the Maildir: its
// folders tmp, new and cur are made where they are missing, and beside them
// stands popmigrate.id. A Maildir that already holds other mail is welcome;
// no file is touched that this sink did not write.
//
// A maildir needs file names with a colon and so does not exist on Windows.
type MaildirConfig struct {
	FS  durable.FS // nil means the operating system's
	Dir string
}

const (
	maildirFormat = "maildir"
	maildirTmp    = "tmp"
	maildirNew    = "new"
	maildirCur    = "cur"
)

func (c MaildirConfig) path(elements ...string) string {
	return filepath.Join(append([]string{c.Dir}, elements...)...)
}

// withDefaults fills what is not set.
func (c MaildirConfig) withDefaults() (MaildirConfig, error) {
	if c.FS == nil {
		c.FS = durable.OS{}
	}
	if runtime.GOOS == "windows" {
		return c, &Error{Op: "open", Object: c.Dir,
			Err:  errors.New("a maildir needs file names with a colon, which Windows does not allow"),
			Hint: "use an mbox sink, or run popmigrate on another system"}
	}
	return c, nil
}

// OpenMaildir opens a maildir for writing. It refuses one that belongs to
// another ledger, or that is gone although the ledger holds copies in it,
// before it changes anything. Then it removes the unfinished files that a
// crash left in tmp (they were never part of the maildir), and moves aside, to
// o.Torn, those that it left in new or cur without the ledger's knowledge.
//
// It does not look for each committed copy: whoever uses a Maildir moves and
// deletes mail in it. Only verify, through [OpenMaildirReader], reports a copy
// that is missing.
func OpenMaildir(ctx context.Context, cfg MaildirConfig, o Opening) (Sink, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &maildirSink{cfg: cfg, maildrop: o.Maildrop}
	for _, step := range []func(Opening) error{s.check, s.claim, s.sweep, s.setAside, s.moveUncommittedAside} {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if err := step(o); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *maildirSink) fail(path string, err error, hint string) error {
	return &Error{Op: "open", Object: path, Err: err, Hint: hint}
}

// check judges the maildir and changes nothing.
func (s *maildirSink) check(o Opening) error {
	// Mail in it is no reason to refuse: it is somebody's, and stays so.
	if err := checkArchive(s.cfg.FS, s.cfg.Dir, maildirFormat, o, false); err != nil {
		return err
	}
	if !holdsCopies(o) {
		return nil
	}
	for _, folder := range []string{maildirNew, maildirCur} {
		if _, err := s.cfg.FS.Lstat(s.cfg.path(folder)); err != nil {
			return s.fail(s.cfg.path(folder), damaged(err),
				"mail may leave a maildir, its folders may not: "+putBackHint)
		}
	}
	for c := range o.Copies {
		if _, err := parseMaildirPlace(c.Where); err != nil {
			return s.fail(s.cfg.Dir, fmt.Errorf("%w: copy %d: %v", ErrForeign, c.Ordinal, err),
				"was the ledger made by another kind of sink, or a newer popmigrate?")
		}
	}
	return nil
}

// claim makes the maildir this ledger's, and its folders.
func (s *maildirSink) claim(o Opening) error {
	if err := claimArchive(s.cfg.FS, s.cfg.Dir, maildirFormat, o); err != nil {
		return err
	}
	for _, folder := range []string{maildirTmp, maildirNew, maildirCur} {
		if err := durable.MkdirAll(s.cfg.FS, s.cfg.path(folder)); err != nil {
			return s.fail(s.cfg.path(folder), err, "")
		}
	}
	return nil
}

// sweep removes what a crash left unfinished: it was not read back, and no
// ledger knows of it.
func (s *maildirSink) sweep(Opening) error {
	entries, err := durable.ReadDir(s.cfg.FS, s.cfg.path(maildirTmp))
	if err != nil {
		return s.fail(s.cfg.path(maildirTmp), err, "")
	}
	for _, e := range entries {
		if _, ours := maildirID(e.Name()); !ours {
			continue
		}
		if err := s.cfg.FS.Remove(s.cfg.path(maildirTmp, e.Name())); err != nil {
			return s.fail(s.cfg.path(maildirTmp, e.Name()), err, "")
		}
	}
	return nil
}

// setAside moves to quarantine the files of lost copies: those that hold
// something else, and sound ones, which a repair that was killed has written or
// which came back. From there they are stored anew, if nothing better is at hand.
func (s *maildirSink) setAside(o Opening) error {
	if o.Lost == nil {
		return nil
	}
	a := newAside(s.cfg.FS, s.cfg.Dir, o.Quarantine, o.Maildrop)
	index := maildirIndex{cfg: s.cfg}
	if err := index.scan(); err != nil {
		return s.fail(s.cfg.Dir, err, "")
	}
	for c := range o.Lost {
		p, err := parseMaildirPlace(c.Where)
		if err != nil || !index.has(p.id) {
			continue
		}
		if err := a.move(index.files[p.id]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.fail(s.cfg.path(index.files[p.id]), err, "")
		}
	}
	return nil
}
