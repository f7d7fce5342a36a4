// Package durabletest has a file system in memory that forgets, at a crash,
// what was not synced, and that fails on demand.
//
// Its model is that of the systems people run. A write that was not synced may
// survive a crash whole, cut, as zeros (where nothing durable was) or not at
// all, and independently of every other write. A directory entry that was made,
// moved or removed is durable only once its directory was synced; syncing the
// file is not enough.
// After a Sync that failed, the octets it could not write are taken for clean:
// a further Sync succeeds and does not make them durable.
package durabletest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"popmigrate/internal/durable"
)

// FS is the file system. Make it with [New]. It may be used from many
// goroutines. Relative and absolute names mean the same.
type FS struct {
	mu    sync.Mutex
	root  *node
	moves []*entryOp // directory changes not yet durable, oldest first
	calls int
	hook  func(Call) error
	now   func() time.Time
	given []*givenUp
}

var _ durable.FS = (*FS)(nil)

// New returns an empty file system.
func New() *FS { return &FS{root: newDir(fs.ModeDir | durable.DirPerm), now: time.Now} }

// SetClock makes now the source of modification times.
func (f *FS) SetClock(now func() time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

// node is a file or a directory.
type node struct {
	mode    fs.FileMode
	modTime time.Time

	data    []byte    // of a file: as processes see it
	synced  []byte    // as it is durable
	pending []writeOp // made since, oldest first

	entries map[string]*node // of a directory: as processes see it
	durable map[string]*node
}

func newDir(mode fs.FileMode) *node {
	return &node{mode: mode, entries: map[string]*node{}, durable: map[string]*node{}}
}

// writeOp is one write or truncation of a file.
type writeOp struct {
	truncate bool
	offset   int64 // of a truncation: the new length
	data     []byte
	lost     bool // a Sync failed on it: no later one makes it durable
}

// entryOp is one change of directory entries; a rename has two parts.
type entryOp struct{ parts []entryPart }

type entryPart struct {
	dir    *node
	name   string
	target *node // nil: the entry is gone
}

// locate returns the directory that holds name, and name's last element.
func (f *FS) locate(op, name string) (*node, string, error) {
	clean := strings.Trim(filepath.ToSlash(strings.TrimPrefix(filepath.Clean(name), filepath.VolumeName(name))), "/")
	if clean == "" || clean == "." {
		return nil, "", nil // the root
	}
	dir := f.root
	elements := strings.Split(clean, "/")
	for _, element := range elements[:len(elements)-1] {
		next := dir.entries[element]
		if next == nil {
			return nil, "", &fs.PathError{Op: op, Path: name, Err: syscall.ENOENT}
		}
		if !next.mode.IsDir() {
			return nil, "", &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
		}
		dir = next
	}
	return dir, elements[len(elements)-1], nil
}

// find returns the node of that name, nil where there is none.
func (f *FS) find(op, name string) (dir *node, base string, n *node, err error) {
	dir, base, err = f.locate(op, name)
	if err != nil {
		return nil, "", nil, err
	}
	if dir == nil {
		return nil, "", f.root, nil
	}
	return dir, base, dir.entries[base], nil
}

// change carries out an entry operation as processes see it.
func (f *FS) change(parts ...entryPart) {
	for _, p := range parts {
		p.apply(p.dir.entries)
		p.dir.modTime = f.now()
	}
	f.moves = append(f.moves, &entryOp{parts: parts})
}

func (p entryPart) apply(entries map[string]*node) {
	if p.target == nil {
		delete(entries, p.name)
		return
	}
	entries[p.name] = p.target
}

// OpenFile implements durable.FS.
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter("open", name); err != nil {
		return nil, err
	}
	dir, base, n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (durable.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: err} }
	writes := flag&(os.O_WRONLY|os.O_RDWR) != 0
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return fail(syscall.ENOENT)
	case n == nil && f.disk(name) != nil:
		return nil, f.journal("open", name)
	case n == nil:
		n = &node{mode: perm & fs.ModePerm, modTime: f.now()}
		f.change(entryPart{dir, base, n})
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return fail(syscall.EEXIST)
	case n.mode.IsDir() && writes:
		return fail(syscall.EISDIR)
	case flag&os.O_TRUNC != 0 && writes:
		n.truncate(0)
	}
	return &file{fsys: f, node: n, name: name, reads: flag&os.O_WRONLY == 0, writes: writes, appends: flag&os.O_APPEND != 0}, nil
}

// Mkdir implements durable.FS.
func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter("mkdir", name); err != nil {
		return err
	}
	if err := f.journal("mkdir", name); err != nil {
		return err
	}
	dir, base, n, err := f.find("mkdir", name)
	if err != nil {
		return err
	}
	if n != nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.EEXIST}
	}
	n = newDir(fs.ModeDir | perm&fs.ModePerm)
	n.modTime = f.now()
	f.change(entryPart{dir, base, n})
	return nil
}

// Rename implements durable.FS.
func (f *FS) Rename(oldName, newName string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter("rename", oldName); err != nil {
		return err
	}
	if err := errors.Join(f.journal("rename", oldName), f.journal("rename", newName)); err != nil {
		return err
	}
	oldDir, oldBase, n, err := f.find("rename", oldName)
	if err != nil {
		return err
	}
	newDir, newBase, replaced, err := f.find("rename", newName)
	if err != nil {
		return err
	}
	fail := func(err error) error { return &os.LinkError{Op: "rename", Old: oldName, New: newName, Err: err} }
	switch {
	case n == nil:
		return fail(syscall.ENOENT)
	case oldDir == nil || newDir == nil:
		return fail(syscall.EBUSY) // the root
	case replaced == n:
		return nil
	case replaced != nil && replaced.mode.IsDir():
		return fail(syscall.EEXIST)
	case replaced != nil && n.mode.IsDir():
		return fail(syscall.ENOTDIR)
	}
	f.change(entryPart{oldDir, oldBase, nil}, entryPart{newDir, newBase, n})
	return nil
}

// Remove implements durable.FS.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter("remove", name); err != nil {
		return err
	}
	if err := f.journal("remove", name); err != nil {
		return err
	}
	dir, base, n, err := f.find("remove", name)
	switch {
	case err != nil:
		return err
	case n == nil:
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOENT}
	case dir == nil:
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.EBUSY}
	case len(n.entries) > 0:
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	f.change(entryPart{dir, base, nil})
	return nil
}

// Lstat implements durable.FS.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter("lstat", name); err != nil {
		return nil, err
	}
	_, base, n, err := f.find("lstat", name)
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: syscall.ENOENT}
	}
	return n.info(base), nil
}

// ErrCrashed is what every call returns once the machine has crashed.
var ErrCrashed = errors.New("the machine has crashed")
