package sqlitevfs

import (
	"sync"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// inode is what the connections to one database share: its locks and its
// shared memory, the index of the write-ahead log.
type inode struct {
	name  string
	files int // open; guarded by the volume's mutex

	mu      sync.Mutex
	readers int   // files that hold a lock of any level
	writer  *file // the one that holds more than a shared lock
	pending bool  // the writer waits for the readers, or has none: no new ones

	attached int // files
	regions  []uintptr
	locks    [sqlite3.SQLITE_SHM_NLOCK]int // holders of each lock there; -1: one, exclusively
}

// inode returns the inode of the database of that name, for one more file.
// The caller holds v.mu.
func (v *volume) inode(name string) *inode {
	i := v.inodes[name]
	if i == nil {
		i = &inode{name: name}
		v.inodes[name] = i
	}
	i.files++
	return i
}

// leave undoes inode.
func (v *volume) leave(i *inode) {
	if i.files--; i.files == 0 {
		delete(v.inodes, i.name)
	}
}

func xLock(_ *libc.TLS, pFile uintptr, level int32) int32 {
	f := fileOf(pFile)
	if f.inode == nil || f.level >= level {
		return sqlite3.SQLITE_OK
	}
	i := f.inode
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case level == sqlite3.SQLITE_LOCK_SHARED && i.pending,
		level > sqlite3.SQLITE_LOCK_SHARED && i.writer != nil && i.writer != f:
		return sqlite3.SQLITE_BUSY
	case level == sqlite3.SQLITE_LOCK_SHARED:
		i.readers++
	case level == sqlite3.SQLITE_LOCK_RESERVED:
		i.writer = f
	default: // exclusive
		i.writer, i.pending = f, true
		if i.readers > 1 {
			f.level = sqlite3.SQLITE_LOCK_PENDING
			return sqlite3.SQLITE_BUSY
		}
	}
	f.level = level
	return sqlite3.SQLITE_OK
}

func xUnlock(_ *libc.TLS, pFile uintptr, level int32) int32 {
	if f := fileOf(pFile); f.inode != nil {
		f.unlock(level)
	}
	return sqlite3.SQLITE_OK
}

// unlock lowers the lock to level: shared or none.
func (f *file) unlock(level int32) {
	i := f.inode
	i.mu.Lock()
	defer i.mu.Unlock()
	if f.level <= level {
		return
	}
	if i.writer == f {
		i.writer, i.pending = nil, false
	}
	if level == sqlite3.SQLITE_LOCK_NONE {
		i.readers--
	}
	f.level = level
}

func xCheckReservedLock(_ *libc.TLS, pFile, pResult uintptr) int32 {
	*at[int32](pResult) = 0
	if f := fileOf(pFile); f.inode != nil {
		f.inode.mu.Lock()
		defer f.inode.mu.Unlock()
		if f.inode.writer != nil {
			*at[int32](pResult) = 1
		}
	}
	return sqlite3.SQLITE_OK
}

func xShmMap(tls *libc.TLS, pFile uintptr, region, octetsEach, extend int32, ppRegion uintptr) int32 {
	f := fileOf(pFile)
	i := f.inode
	i.mu.Lock()
	defer i.mu.Unlock()
	if !f.attached {
		f.attached = true
		i.attached++
	}
	*at[uintptr](ppRegion) = 0
	for int(region) >= len(i.regions) {
		if extend == 0 {
			return sqlite3.SQLITE_OK
		}
		p := sqlite3.Xsqlite3_malloc64(tls, uint64(octetsEach))
		if p == 0 {
			return sqlite3.SQLITE_NOMEM
		}
		clear(octets(p, octetsEach))
		i.regions = append(i.regions, p)
	}
	*at[uintptr](ppRegion) = i.regions[region]
	return sqlite3.SQLITE_OK
}

func xShmLock(_ *libc.TLS, pFile uintptr, first, n, flags int32) int32 {
	f := fileOf(pFile)
	i := f.inode
	i.mu.Lock()
	defer i.mu.Unlock()
	mask := uint16(1<<(first+n) - 1<<first)
	locks := i.locks[first : first+n]
	switch {
	case flags&sqlite3.SQLITE_SHM_UNLOCK != 0:
		f.releaseShm(mask)
	case flags&sqlite3.SQLITE_SHM_SHARED != 0: // always one lock
		if f.shared&mask != 0 {
			return sqlite3.SQLITE_OK
		}
		if locks[0] < 0 {
			return sqlite3.SQLITE_BUSY
		}
		locks[0]++
		f.shared |= mask
	default:
		for _, holders := range locks {
			if holders != 0 {
				return sqlite3.SQLITE_BUSY
			}
		}
		for n := range locks {
			locks[n] = -1
		}
		f.exclusive |= mask
	}
	return sqlite3.SQLITE_OK
}

// releaseShm gives up what f holds of the locks in mask. The inode is locked.
func (f *file) releaseShm(mask uint16) {
	for n := range f.inode.locks {
		switch bit := uint16(1) << n & mask; {
		case f.exclusive&bit != 0:
			f.inode.locks[n] = 0
		case f.shared&bit != 0:
			f.inode.locks[n]--
		}
	}
	f.exclusive &^= mask
	f.shared &^= mask
}

func xShmBarrier(_ *libc.TLS, pFile uintptr) {
	i := fileOf(pFile).inode
	i.mu.Lock()
	defer i.mu.Unlock()
}

func xShmUnmap(tls *libc.TLS, pFile uintptr, _ int32) int32 {
	fileOf(pFile).detach(tls)
	return sqlite3.SQLITE_OK
}

// detach leaves the shared memory, which goes with the last file. The
// system's VFS keeps it in a file, but empties that when it comes first.
func (f *file) detach(tls *libc.TLS) {
	i := f.inode
	i.mu.Lock()
	defer i.mu.Unlock()
	if !f.attached {
		return
	}
	f.releaseShm(^uint16(0))
	f.attached = false
	if i.attached--; i.attached == 0 {
		for _, p := range i.regions {
			sqlite3.Xsqlite3_free(tls, p)
		}
		i.regions = nil
	}
}
