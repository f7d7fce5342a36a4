package sinks

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"popmigrate/internal/durable"
)

// VerifyMaildir verifies a maildir and changes nothing. Each copy that is
// picked is read and compared with its digest; of the others it checks that
// their files are there. Mail that is not popmigrate's is nobody's business
// here. What is wrong is told to check.Found; the error is ctx's, or says why
// the maildir could not be looked at.
func VerifyMaildir(ctx context.Context, cfg MaildirConfig, check Check) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	v := &maildirInspection{inspection: inspection{&check, cfg.FS, cfg.Dir}, index: maildirIndex{cfg: cfg}, known: map[string]bool{}}
	if err := v.index.scan(); err != nil {
		return &Error{Op: "verify", Object: cfg.Dir, Err: err}
	}
	if gone, err := v.owner(); gone || err != nil {
		return err
	}
	for c := range check.Copies {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := v.copy(ctx, c); err != nil {
			return err
		}
	}
	return v.strays()
}

type maildirInspection struct {
	inspection
	index maildirIndex
	known map[string]bool // ids of the copies
}

// owner checks the id, and whether anything is there at all.
func (v *maildirInspection) owner() (gone bool, err error) {
	marked, err := v.checkMark(maildirFormat)
	if err != nil {
		return false, err
	}
	if marked {
		for _, folder := range []string{maildirNew, maildirCur} {
			if _, err := v.fsys.Lstat(v.path(folder)); isAbsent(err) {
				v.derived(folder, "the folder is missing")
			}
		}
		return false, nil
	}
	copies, there := 0, false
	for c := range v.check.Copies {
		if p, err := parseMaildirPlace(c.Where); err == nil {
			copies++
			there = there || v.index.has(p.id)
		}
	}
	switch {
	case copies == 0:
	case !there:
		v.absent(copies)
		return true, nil
	default:
		v.unmarked()
	}
	return false, nil
}

func (v *maildirInspection) copy(ctx context.Context, c Copy) error {
	p, err := parseMaildirPlace(c.Where)
	if err != nil {
		v.found(Finding{File: v.dir, Copy: &c, Err: damaged(err)})
		return nil
	}
	v.known[p.id] = true
	if !v.picked(c) {
		if !v.index.has(p.id) {
			v.missing(c, p)
		}
		return nil
	}
	file, err := v.index.open(p.id)
	if err == nil {
		err = v.compare(ctx, file, c, p)
	} else if isAbsent(err) {
		v.missing(c, p)
	} else {
		v.found(Finding{File: v.path(maildirPattern(p.id)), Copy: &c, Err: err})
	}
	if context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	v.read(c, err == nil)
	return nil
}

// maildirPattern finds a file wherever a mail program has moved it.
func maildirPattern(id string) string { return "*/*." + id + ".*" }

func (v *maildirInspection) missing(c Copy, p maildirPlace) {
	err := fmt.Errorf("%w: message %d (unique-id %.80q): no such file is in new or cur; a mail program may have moved or deleted it",
		ErrDamaged, c.Ordinal, c.UniqueID)
	v.found(Finding{File: v.path(maildirPattern(p.id)), Copy: &c, Err: err})
	v.lost(c, err)
}

// compare reads a copy's file, which it closes, and tells what is wrong with it.
func (v *maildirInspection) compare(ctx context.Context, file durable.File, c Copy, p maildirPlace) error {
	defer file.Close()
	same, err := sameMail(ctx, file, c, p)
	if err == nil && !same {
		err = fmt.Errorf("message %d (unique-id %.80q): %w", c.Ordinal, c.UniqueID, errCopyDiffers)
	}
	if err != nil && context.Cause(ctx) == nil {
		v.found(Finding{File: file.Name(), Copy: &c, Err: err})
		if !same && errors.Is(err, ErrDamaged) {
			v.lost(c, err)
		}
	}
	return err
}

// sameMail tells whether a file holds the copy's octets. Of one that is longer
// it reads little more than them.
func sameMail(ctx context.Context, file io.Reader, c Copy, p maildirPlace) (bool, error) {
	decoder := &maildirDecoder{file: file, asIs: p.wire, buffer: make([]byte, 32<<10)}
	hash := sha256.New()
	octets, err := io.Copy(hash, io.LimitReader(&contextReader{ctx, decoder}, c.Octets+1))
	return err == nil && octets == c.Octets && Digest(hash.Sum(nil)) == c.Digest, err
}

// contextReader ends when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// strays tells of files of ours that no copy explains.
func (v *maildirInspection) strays() error {
	seen := map[string]bool{}
	for _, folder := range []string{maildirTmp, maildirNew, maildirCur} {
		entries, err := durable.ReadDir(v.fsys, v.path(folder))
		if err != nil {
			return &Error{Op: "verify", Object: v.path(folder), Err: err}
		}
		for _, e := range entries {
			id, ours := maildirID(e.Name())
			switch name := folder + "/" + e.Name(); {
			case !ours:
			case folder == maildirTmp:
				v.note(name, "a write that was not finished left this file; the next run removes it")
			case !v.known[id]:
				v.note(name, "popmigrate wrote this file and no committed message lies in it; a crash may have left it")
			case seen[id]:
				v.note(name, "another file has the same id; somebody copied it")
			default:
				seen[id] = true
			}
		}
	}
	return nil
}
