package sqlitevfs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"popmigrate/internal/durable"
)

// openFile is an open file as SQLite holds it: an sqlite3_file with a handle.
type openFile struct {
	methods uintptr
	handle  uintptr
}

// file is what the handle stands for. SQLite uses it from one goroutine at a time.
type file struct {
	durable.File
	volume  *volume
	name    string
	syncDir bool // its directory is to be synced with its first sync

	inode     *inode // of a database; else nil
	level     int32  // of the lock that it holds
	attached  bool   // to the shared memory
	shared    uint16 // locks it holds there, a bit each
	exclusive uint16
}

var (
	files   handles[*file]
	methods = sqlite3.Tsqlite3_io_methods{
		FiVersion:               2,
		FxClose:                 callback(xClose),
		FxRead:                  callback(xRead),
		FxWrite:                 callback(xWrite),
		FxTruncate:              callback(xTruncate),
		FxSync:                  callback(xSync),
		FxFileSize:              callback(xFileSize),
		FxLock:                  callback(xLock),
		FxUnlock:                callback(xUnlock),
		FxCheckReservedLock:     callback(xCheckReservedLock),
		FxFileControl:           callback(xFileControl),
		FxSectorSize:            callback(xSectorSize),
		FxDeviceCharacteristics: callback(xDeviceCharacteristics),
		FxShmMap:                callback(xShmMap),
		FxShmLock:               callback(xShmLock),
		FxShmBarrier:            callback(xShmBarrier),
		FxShmUnmap:              callback(xShmUnmap),
	}
	addressOfMethods = uintptr(unsafe.Pointer(&methods)) // a variable of the package does not move
)

func fileOf(pFile uintptr) *file { return files.get(at[openFile](pFile).handle) }

func xClose(tls *libc.TLS, pFile uintptr) int32 {
	f := fileOf(pFile)
	if f.inode != nil {
		f.unlock(sqlite3.SQLITE_LOCK_NONE)
		f.detach(tls)
	}
	f.volume.mu.Lock()
	f.volume.opened--
	if f.inode != nil {
		f.volume.leave(f.inode)
	}
	f.volume.mu.Unlock()
	files.remove(at[openFile](pFile).handle)
	*at[openFile](pFile) = openFile{}
	f.File.Close() // what must be durable was synced
	return sqlite3.SQLITE_OK
}

func xRead(_ *libc.TLS, pFile, pBuffer uintptr, amount int32, offset int64) int32 {
	buffer := octets(pBuffer, amount)
	n, err := fileOf(pFile).ReadAt(buffer, offset)
	switch {
	case n == len(buffer):
		return sqlite3.SQLITE_OK
	case errors.Is(err, io.EOF):
		clear(buffer[n:])
		return sqlite3.SQLITE_IOERR_SHORT_READ
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ERANGE):
		return sqlite3.SQLITE_IOERR_CORRUPTFS
	}
	return sqlite3.SQLITE_IOERR_READ
}

func xWrite(_ *libc.TLS, pFile, pBuffer uintptr, amount int32, offset int64) int32 {
	_, err := fileOf(pFile).WriteAt(octets(pBuffer, amount), offset)
	switch {
	case err == nil:
		return sqlite3.SQLITE_OK
	case errors.Is(err, syscall.ENOSPC):
		return sqlite3.SQLITE_FULL
	}
	return sqlite3.SQLITE_IOERR_WRITE
}

func xTruncate(_ *libc.TLS, pFile uintptr, length int64) int32 {
	if fileOf(pFile).Truncate(length) != nil {
		return sqlite3.SQLITE_IOERR_TRUNCATE
	}
	return sqlite3.SQLITE_OK
}

// xSync syncs the file and, the first time, its directory, whose errors do
// not count: see unixSync of SQLite's os_unix.c.
func xSync(_ *libc.TLS, pFile uintptr, _ int32) int32 {
	f := fileOf(pFile)
	if f.Sync() != nil {
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	if f.syncDir {
		if d, err := f.volume.fsys.OpenFile(filepath.Dir(f.name), os.O_RDONLY, 0); err == nil {
			d.Sync()
			d.Close()
		}
		f.syncDir = false
	}
	return sqlite3.SQLITE_OK
}

// xFileSize takes a file of one octet for empty, as the system's VFS does.
func xFileSize(_ *libc.TLS, pFile, pSize uintptr) int32 {
	info, err := fileOf(pFile).Stat()
	if err != nil {
		return sqlite3.SQLITE_IOERR_FSTAT
	}
	*at[int64](pSize) = info.Size()
	if info.Size() == 1 {
		*at[int64](pSize) = 0
	}
	return sqlite3.SQLITE_OK
}

func xFileControl(*libc.TLS, uintptr, int32, uintptr) int32 { return sqlite3.SQLITE_NOTFOUND }

func xSectorSize(*libc.TLS, uintptr) int32 { return 4096 }

// xDeviceCharacteristics promises what the system's VFS promises. Without
// SQLITE_IOCAP_POWERSAFE_OVERWRITE SQLite would pad each commit in the log to
// a whole sector, and a test would be kinder than what users run.
func xDeviceCharacteristics(*libc.TLS, uintptr) int32 {
	return sqlite3.SQLITE_IOCAP_POWERSAFE_OVERWRITE | sqlite3.SQLITE_IOCAP_SUBPAGE_READ
}
