package durabletest

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"sort"
	"syscall"
	"time"
)

// file is an open file or directory.
type file struct {
	fsys                   *FS
	node                   *node
	name                   string
	offset                 int64
	reads, writes, appends bool
	listed                 int // entries that ReadDir has returned
	closed                 bool
}

// begin locks the file system, counts the call and refuses what cannot be.
// The caller unlocks, whatever begin returns.
func (f *file) begin(op string, needs bool) error {
	f.fsys.mu.Lock()
	if f.closed {
		return &fs.PathError{Op: op, Path: f.name, Err: fs.ErrClosed}
	}
	if err := f.fsys.enter(op, f.name); err != nil {
		return err
	}
	if !needs {
		return &fs.PathError{Op: op, Path: f.name, Err: syscall.EBADF}
	}
	return nil
}

func (f *file) Name() string { return f.name }

func (f *file) Stat() (fs.FileInfo, error) {
	err := f.begin("stat", true)
	defer f.fsys.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return f.node.info(filepath.Base(f.name)), nil
}

func (f *file) Read(p []byte) (int, error) {
	err := f.begin("read", f.reads)
	defer f.fsys.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := f.node.readAt(f.name, p, f.offset)
	f.offset += int64(n)
	if n > 0 && err == io.EOF {
		err = nil // as os.File: what there is, and io.EOF at the next Read
	}
	return n, err
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	err := f.begin("read", f.reads)
	defer f.fsys.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return f.node.readAt(f.name, p, offset)
}

func (f *file) Write(p []byte) (int, error) {
	err := f.begin("write", f.writes)
	defer f.fsys.mu.Unlock()
	if err == nil {
		err = f.fsys.takes("write", f.name)
	}
	if f.appends {
		f.offset = int64(len(f.node.data))
	}
	n, err := f.write(p, f.offset, err)
	f.offset += int64(n)
	return n, err
}

func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	err := f.begin("write", f.writes && !f.appends)
	defer f.fsys.mu.Unlock()
	if err == nil {
		err = f.fsys.takes("write", f.name)
	}
	return f.write(p, offset, err)
}

// write leaves the first half of p behind when the disk is full.
func (f *file) write(p []byte, offset int64, err error) (int, error) {
	flipped := errors.Is(err, ErrFlipped)
	switch {
	case flipped:
		err = nil
	case isFull(err):
		p = p[:len(p)/2]
	case err != nil:
		return 0, err
	}
	op := writeOp{offset: offset, data: slices.Clone(p)}
	if flipped && len(p) > 0 {
		op.data[len(p)/2] ^= 1
	}
	f.node.data = op.apply(f.node.data)
	f.node.pending = append(f.node.pending, op)
	f.node.modTime = f.fsys.now()
	return len(p), err
}

func (f *file) Truncate(octets int64) error {
	err := f.begin("truncate", f.writes)
	defer f.fsys.mu.Unlock()
	if err == nil {
		err = f.fsys.journal("truncate", f.name)
	}
	if err != nil {
		return err
	}
	f.node.truncate(octets)
	return nil
}

func (f *file) Sync() error {
	err := f.begin("sync", true)
	defer f.fsys.mu.Unlock()
	switch {
	case f.closed:
	case f.fsys.disk(f.name) != nil:
		err = errors.Join(err, f.fsys.takes("sync", f.name))
	case errors.Is(err, ErrCrashed): // nobody learns what became of it
	case err != nil:
		for i := range f.node.pending {
			f.node.pending[i].lost = true
		}
	case f.node.mode.IsDir():
		f.fsys.syncDir(f.node)
	default:
		f.node.sync()
	}
	return err
}

func (f *file) ReadDir(n int) ([]fs.DirEntry, error) {
	err := f.begin("readdir", f.node.mode.IsDir())
	defer f.fsys.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var all []fs.DirEntry
	for name, child := range f.node.entries {
		all = append(all, fs.FileInfoToDirEntry(child.info(name)))
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name() < all[j].Name() })
	rest := all[min(f.listed, len(all)):]
	if n > 0 && len(rest) == 0 {
		return nil, io.EOF
	}
	if n > 0 {
		rest = rest[:min(n, len(rest))]
	}
	f.listed += len(rest)
	return rest, nil
}

func (f *file) Close() error {
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	f.closed = true
	return nil
}

func (n *node) readAt(name string, p []byte, offset int64) (int, error) {
	if n.mode.IsDir() {
		return 0, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	if len(p) == 0 {
		return 0, nil
	}
	if offset >= int64(len(n.data)) {
		return 0, io.EOF
	}
	read := copy(p, n.data[offset:])
	if read < len(p) {
		return read, io.EOF
	}
	return read, nil
}

func (n *node) truncate(octets int64) {
	op := writeOp{truncate: true, offset: octets}
	n.data = op.apply(n.data)
	n.pending = append(n.pending, op)
}

// sync makes durable what no failed Sync has given up.
func (n *node) sync() {
	var lost []writeOp
	for _, op := range n.pending {
		if op.lost {
			lost = append(lost, op)
			continue
		}
		n.synced = op.apply(n.synced)
		lost = op.cover(lost)
	}
	n.pending = lost
}

// cover returns what is left of older operations once op is durable: they can
// still survive a crash, but not where op came after them.
func (op writeOp) cover(older []writeOp) (left []writeOp) {
	begin, end := op.offset, op.offset+int64(len(op.data))
	if op.truncate {
		end = math.MaxInt64
	}
	for _, old := range older {
		if old.truncate {
			continue // it would cut off what op wrote
		}
		oldEnd := old.offset + int64(len(old.data))
		if octets := min(oldEnd, begin) - old.offset; octets > 0 {
			left = append(left, writeOp{offset: old.offset, data: old.data[:octets], lost: true})
		}
		if octets := oldEnd - max(old.offset, end); octets > 0 {
			rest := old.data[int64(len(old.data))-octets:]
			left = append(left, writeOp{offset: oldEnd - octets, data: rest, lost: true})
		}
	}
	return left
}

// syncDir makes the entries of dir durable; the other half of a rename into
// or out of it may stay undone.
func (f *FS) syncDir(dir *node) {
	f.moves = slices.DeleteFunc(f.moves, func(op *entryOp) bool {
		op.parts = slices.DeleteFunc(op.parts, func(p entryPart) bool {
			if p.dir != dir {
				return false
			}
			p.apply(dir.durable)
			return true
		})
		return len(op.parts) == 0
	})
}

// apply returns data with the operation done; holes read as zeros.
func (op writeOp) apply(data []byte) []byte {
	end := op.offset + int64(len(op.data))
	if grow := end - int64(len(data)); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	if op.truncate {
		return data[:end:end] // full: what is appended later must not uncover old octets
	}
	copy(data[op.offset:], op.data)
	return data
}

func (n *node) info(name string) fs.FileInfo {
	return info{name: name, octets: int64(len(n.data)), mode: n.mode, modTime: n.modTime}
}

type info struct {
	name    string
	octets  int64
	mode    fs.FileMode
	modTime time.Time
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.octets }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.modTime }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
