// Package sqlitevfs lets SQLite keep its databases in a [durable.FS], so that
// a test can cut the power at any call that SQLite makes to the file system.
// It is for tests: nothing that users run may import it.
//
// What it does to the file system is what SQLite's own VFS for Unix does, its
// carelessness included: an error of a directory's sync after a new file's
// first sync is ignored, a file that cannot be opened for writing is opened
// for reading, one that cannot be described does not exist. Three things
// differ. Locks and shared memory live in this process and never fail, and so
// a crash forgets them. Symbolic links are not looked for. Temporary files are
// the system's.
package sqlitevfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"popmigrate/internal/durable"
)

// volume is one registered file system.
type volume struct {
	fsys   durable.FS
	system uintptr // the system's sqlite3_vfs

	mu     sync.Mutex
	inodes map[string]*inode // of the databases that are open, by name
	opened int               // files
}

var (
	registrations atomic.Uint64
	volumes       handles[*volume]
)

// Register makes fsys known to SQLite and returns the name that a connection
// string's vfs parameter takes. Names of files are those of fsys, absolute.
//
// unregister takes it back and frees all memory. While a file is open it
// refuses, because SQLite would still call what it frees.
func Register(fsys durable.FS) (name string, unregister func() error, err error) {
	tls := libc.NewTLS()
	defer tls.Close()
	v := &volume{fsys: fsys, system: sqlite3.Xsqlite3_vfs_find(tls, 0), inodes: map[string]*inode{}}
	if v.system == 0 {
		return "", nil, errors.New("register VFS: SQLite has none to build on")
	}
	name = fmt.Sprintf("durable-%d", registrations.Add(1))
	zName, err := libc.CString(name)
	if err != nil {
		return "", nil, fmt.Errorf("register VFS: %w", err)
	}
	vfs := sqlite3.Xsqlite3_malloc64(tls, uint64(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	if vfs == 0 {
		libc.Xfree(tls, zName)
		return "", nil, errors.New("register VFS: out of memory")
	}
	handle := volumes.add(v)
	describe(at[sqlite3.Tsqlite3_vfs](vfs), at[sqlite3.Tsqlite3_vfs](v.system), zName, handle)
	free := func(tls *libc.TLS) {
		volumes.remove(handle)
		sqlite3.Xsqlite3_free(tls, vfs)
		libc.Xfree(tls, zName)
	}
	if rc := sqlite3.Xsqlite3_vfs_register(tls, vfs, 0); rc != sqlite3.SQLITE_OK {
		free(tls)
		return "", nil, fmt.Errorf("register VFS: SQLite says %d", rc)
	}
	return name, func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.opened != 0 {
			return fmt.Errorf("unregister VFS %s: %d files are open", name, v.opened)
		}
		tls := libc.NewTLS()
		defer tls.Close()
		rc := sqlite3.Xsqlite3_vfs_unregister(tls, vfs)
		if rc != sqlite3.SQLITE_OK {
			return fmt.Errorf("unregister VFS %s: SQLite says %d", name, rc)
		}
		free(tls)
		return nil
	}, nil
}

// describe fills in a VFS. What has nothing to do with files is the system's:
// clock, randomness, sleep, extensions. Field by field, since FpNext belongs
// to SQLite, which links the next VFS into the system's at any moment.
func describe(vfs, system *sqlite3.Tsqlite3_vfs, zName, handle uintptr) {
	*vfs = sqlite3.Tsqlite3_vfs{
		FiVersion:          2,
		FszOsFile:          max(system.FszOsFile, int32(unsafe.Sizeof(openFile{}))),
		FmxPathname:        system.FmxPathname,
		FzName:             zName,
		FpAppData:          handle,
		FxOpen:             callback(xOpen),
		FxDelete:           callback(xDelete),
		FxAccess:           callback(xAccess),
		FxFullPathname:     callback(xFullPathname),
		FxDlOpen:           system.FxDlOpen,
		FxDlError:          system.FxDlError,
		FxDlSym:            system.FxDlSym,
		FxDlClose:          system.FxDlClose,
		FxRandomness:       system.FxRandomness,
		FxSleep:            system.FxSleep,
		FxCurrentTime:      system.FxCurrentTime,
		FxGetLastError:     system.FxGetLastError,
		FxCurrentTimeInt64: system.FxCurrentTimeInt64,
	}
}

func volumeOf(vfs uintptr) *volume {
	return volumes.get(at[sqlite3.Tsqlite3_vfs](vfs).FpAppData)
}

// Files of these kinds get their directory synced with their first sync.
const journals = sqlite3.SQLITE_OPEN_MAIN_JOURNAL | sqlite3.SQLITE_OPEN_SUPER_JOURNAL | sqlite3.SQLITE_OPEN_WAL

func xOpen(tls *libc.TLS, vfs, zName, pFile uintptr, flags int32, pOutFlags uintptr) int32 {
	v := volumeOf(vfs)
	if zName == 0 { // a temporary file: it need not survive anything
		open := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](
			at[sqlite3.Tsqlite3_vfs](v.system).FxOpen)
		return open(tls, v.system, zName, pFile, flags, pOutFlags)
	}
	*at[openFile](pFile) = openFile{} // no methods: SQLite will not close what did not open
	name := libc.GoString(zName)
	f, flags, err := v.open(name, flags)
	if err != nil {
		return sqlite3.SQLITE_CANTOPEN
	}
	opened := &file{File: f, volume: v, name: name}
	opened.syncDir = flags&sqlite3.SQLITE_OPEN_CREATE != 0 && flags&journals != 0
	v.mu.Lock()
	v.opened++
	if flags&sqlite3.SQLITE_OPEN_MAIN_DB != 0 {
		opened.inode = v.inode(name)
	}
	v.mu.Unlock()
	*at[openFile](pFile) = openFile{methods: addressOfMethods, handle: files.add(opened)}
	if pOutFlags != 0 {
		*at[int32](pOutFlags) = flags
	}
	return sqlite3.SQLITE_OK
}

// open opens for reading what it cannot open for writing.
func (v *volume) open(name string, flags int32) (durable.File, int32, error) {
	how := os.O_RDONLY
	if flags&sqlite3.SQLITE_OPEN_READWRITE != 0 {
		how = os.O_RDWR
	}
	if flags&sqlite3.SQLITE_OPEN_CREATE != 0 {
		how |= os.O_CREATE
	}
	if flags&sqlite3.SQLITE_OPEN_EXCLUSIVE != 0 {
		how |= os.O_EXCL
	}
	f, err := v.fsys.OpenFile(name, how, durable.FilePerm)
	if err != nil && flags&sqlite3.SQLITE_OPEN_READWRITE != 0 && !errors.Is(err, syscall.EISDIR) {
		flags &^= sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE
		flags |= sqlite3.SQLITE_OPEN_READONLY
		f, err = v.fsys.OpenFile(name, os.O_RDONLY, 0)
	}
	return f, flags, err
}

func xDelete(_ *libc.TLS, vfs, zName uintptr, syncDir int32) int32 {
	v, name := volumeOf(vfs), libc.GoString(zName)
	switch err := v.fsys.Remove(name); {
	case errors.Is(err, fs.ErrNotExist):
		return sqlite3.SQLITE_IOERR_DELETE_NOENT
	case err != nil:
		return sqlite3.SQLITE_IOERR_DELETE
	}
	if syncDir&1 == 0 {
		return sqlite3.SQLITE_OK
	}
	d, err := v.fsys.OpenFile(filepath.Dir(name), os.O_RDONLY, 0)
	if err != nil {
		return sqlite3.SQLITE_OK // as the system's VFS has it
	}
	defer d.Close()
	if d.Sync() != nil {
		return sqlite3.SQLITE_IOERR_DIR_FSYNC
	}
	return sqlite3.SQLITE_OK
}

// xAccess takes an empty file for none, as the system's VFS does.
func xAccess(_ *libc.TLS, vfs, zName uintptr, flags int32, pResult uintptr) int32 {
	info, err := volumeOf(vfs).fsys.Lstat(libc.GoString(zName))
	found := err == nil
	if found && flags == sqlite3.SQLITE_ACCESS_EXISTS && info.Mode().IsRegular() {
		found = info.Size() > 0
	}
	*at[int32](pResult) = 0
	if found {
		*at[int32](pResult) = 1
	}
	return sqlite3.SQLITE_OK
}

// xFullPathname leaves a name as it is: it is absolute.
func xFullPathname(_ *libc.TLS, _, zName uintptr, room int32, zFull uintptr) int32 {
	name := libc.GoString(zName)
	if len(name) >= int(room) {
		return sqlite3.SQLITE_CANTOPEN
	}
	octets(zFull, room)[copy(octets(zFull, room), name)] = 0
	return sqlite3.SQLITE_OK
}
