package durable

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Modes of everything that is made here: mail is nobody else's business.
const (
	FilePerm fs.FileMode = 0o600
	DirPerm  fs.FileMode = 0o700
)

// TempSuffix ends the name of a file that [Publish] has not published. After
// a crash such a file is rubbish and may be removed.
const TempSuffix = ".tmp"

// Publish makes name hold, atomically and durably, what write writes: after a
// crash name has its old content (or does not exist) or all of its new one.
// The content is prepared in a file beside it, name+[TempSuffix], which is
// removed when anything fails. Two Publish calls for one name must not overlap.
func Publish(fsys FS, name string, write func(io.Writer) error) error {
	temp := name + TempSuffix
	if err := fsys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeSynced(fsys, temp, write); err != nil {
		fsys.Remove(temp) // best effort: the first error is the one to tell
		return err
	}
	if err := fsys.Rename(temp, name); err != nil {
		fsys.Remove(temp)
		return err
	}
	dir := filepath.Dir(name)
	if err := SyncDir(fsys, dir); err != nil {
		return err
	}
	return Confirm(fsys, dir)
}

func writeSynced(fsys FS, name string, write func(io.Writer) error) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, FilePerm)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 64<<10)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// SyncDir makes the entries of a directory durable.
func SyncDir(fsys FS, dir string) error {
	d, err := fsys.OpenFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

// MkdirAll makes dir and the parents it lacks, durably.
//
// A directory that is there already may be the last thing that a killed
// process made, so the entry of the deepest one found is synced too.
func MkdirAll(fsys FS, dir string) error {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	exists, err := isDir(fsys, dir)
	switch {
	case err != nil:
		return err
	case parent == dir:
		return nil // a root
	case exists:
		err := SyncDir(fsys, parent)
		if errors.Is(err, fs.ErrPermission) {
			return nil // above what is ours: it was not made by us
		}
		return err
	}
	if err := MkdirAll(fsys, parent); err != nil {
		return err
	}
	if err := fsys.Mkdir(dir, DirPerm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(fsys, parent)
}

// isDir opens rather than asks Lstat, so that a symbolic link to a directory counts.
func isDir(fsys FS, dir string) (bool, error) {
	d, err := fsys.OpenFile(dir, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		if info, statErr := fsys.Lstat(dir); statErr == nil && info.IsDir() {
			return true, nil // there, but not for us to read
		}
		return false, err
	}
	defer d.Close()
	info, err := d.Stat()
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return false, &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("not a directory")}
	}
	return true, nil
}

// ReadFile returns the content of a file of at most limit octets; a longer
// one is an error.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("longer than %d octets", limit)}
	}
	return content, nil
}

// ReadDir returns the entries of a directory, in no particular order; none
// where the directory does not exist.
func ReadDir(fsys FS, dir string) ([]fs.DirEntry, error) {
	d, err := fsys.OpenFile(dir, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}
