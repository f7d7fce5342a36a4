package sinks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"popmigrate/internal/durable"
)

// What is damaged leaves the archive and is never destroyed. It is moved to
//
//	<quarantine>/<maildrop>/<time>/000001.mbox.zst
//
// with the names that it had in the archive, so that each such folder can be
// read as the archive was: sound copies are salvaged from it. See OpenSalvage.

// aside moves files of an archive to quarantine. Everything that one opening
// moves goes to one folder.
type aside struct {
	fsys     durable.FS
	archive  string // directory that the files are in
	dir      string // of this maildrop in the quarantine; "" where there is none
	folder   string // in dir; "" until the first file goes there
	maildrop string
}

func newAside(fsys durable.FS, archive, quarantine, maildrop string) *aside {
	a := &aside{fsys: fsys, archive: archive, maildrop: maildrop}
	if quarantine != "" {
		a.dir = quarantineOf(quarantine, maildrop)
	}
	return a
}

// quarantineOf is where what was damaged of a maildrop lies.
func quarantineOf(quarantine, maildrop string) string {
	return filepath.Join(quarantine, fileName(maildrop))
}

// move takes a file, named relative to the archive, out of it. One that is not
// there is nothing to move: an earlier opening may have been killed after it.
func (a *aside) move(name string) error {
	from := filepath.Join(a.archive, name)
	if _, err := a.fsys.Lstat(from); isAbsent(err) {
		return nil
	} else if err != nil {
		return err
	}
	if err := a.begin(); err != nil {
		return fmt.Errorf("move %s aside: %w", from, err)
	}
	to := filepath.Join(a.folder, name)
	if err := moveFile(a.fsys, from, to); err != nil {
		return fmt.Errorf("move %s aside to %s: %w", from, to, err)
	}
	return nil
}

// begin makes a folder that was not there: nothing in quarantine is ever
// overwritten.
func (a *aside) begin() error {
	if a.folder != "" {
		return nil
	}
	if a.dir == "" {
		return errors.New("no directory was given for what is damaged")
	}
	stamp := filepath.Join(a.dir, time.Now().UTC().Format("20060102T150405.000Z"))
	for i := 1; ; i++ {
		folder := stamp
		if i > 1 {
			folder = fmt.Sprintf("%s-%d", stamp, i)
		}
		if _, err := a.fsys.Lstat(folder); err == nil {
			continue
		} else if !isAbsent(err) {
			return err
		}
		if err := durable.MkdirAll(a.fsys, folder); err != nil {
			return err
		}
		a.folder = folder
		return nil
	}
}

// moveFile moves a file durably, at each moment leaving it under at least one
// of the names. It is renamed where that is possible, for what is damaged may
// not be readable and the disk may be full; else it is copied.
func moveFile(fsys durable.FS, from, to string) error {
	if err := durable.MkdirAll(fsys, filepath.Dir(to)); err != nil {
		return err
	}
	if err := fsys.Rename(from, to); err != nil {
		copying := copyFile(fsys, from, to)
		if copying == nil {
			copying = fsys.Remove(from)
		}
		if copying != nil {
			return errors.Join(copying, err)
		}
	}
	if err := durable.SyncDir(fsys, filepath.Dir(to)); err != nil {
		return err
	}
	return durable.SyncDir(fsys, filepath.Dir(from))
}

func copyFile(fsys durable.FS, from, to string) error {
	file, err := fsys.OpenFile(from, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	return durable.Publish(fsys, to, func(w io.Writer) error {
		_, err := io.Copy(w, file)
		return err
	})
}
