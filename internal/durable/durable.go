// Package durable is the seam to the file system for everything that must
// survive a crash, and the one place where a file is published atomically.
// Package durabletest has a double that forgets what was not synced.
//
// It knows nothing of mail.
package durable

import (
	"io"
	"io/fs"
)

// FS is the file system as sinks use it. Paths are those of package os.
// Errors are *fs.PathError (or *os.LinkError) as package os returns them.
type FS interface {
	// OpenFile opens name as os.OpenFile does. A directory may be opened
	// read-only: its Sync makes the directory's own entries durable.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Mkdir(name string, perm fs.FileMode) error
	Rename(oldName, newName string) error
	Remove(name string) error
	Lstat(name string) (fs.FileInfo, error)
}

// File is an open file or directory.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	ReadDir(n int) ([]fs.DirEntry, error)
	Truncate(octets int64) error
	// Sync returns when the file's octets and length (of a directory: its
	// entries) are durable. After an error the file is to be abandoned: the
	// system may have forgotten what it could not write.
	Sync() error
}
