package durable

import (
	"io/fs"
	"os"
	"time"
)

// OS is the file system of the operating system. The zero value is ready.
//
// Sync of a file is fdatasync where the system has it, else fsync, on macOS a
// full flush of the drive. On Windows a directory cannot be synced and Sync
// of one does nothing: the file system's own journal orders its entries.
type OS struct{}

var _ FS = OS{}

// OpenFile opens name as os.OpenFile does.
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Mkdir makes one directory.
func (OS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// Rename moves oldName to newName, replacing a file that stands there.
func (OS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

// Remove removes a file or an empty directory.
func (OS) Remove(name string) error { return os.Remove(name) }

// Lstat describes name without following a symbolic link.
func (OS) Lstat(name string) (fs.FileInfo, error) { return os.Lstat(name) }

// Chtimes sets the times of name as os.Chtimes does. It is not part of [FS]:
// who wants it asks for it by a type assertion.
func (OS) Chtimes(name string, atime, mtime time.Time) error { return os.Chtimes(name, atime, mtime) }

// osFile is an *os.File whose Sync knows what the system offers.
type osFile struct{ *os.File }

func (f osFile) Sync() error { return syncFile(f.File) }

// DropCache asks the system to forget what it keeps in memory of a synced
// file, so that the next read comes from the device. It is advice: where the
// system or the file knows no such thing it does nothing.
func DropCache(f File) {
	if f, ok := f.(osFile); ok {
		dropCache(f.File)
	}
}
