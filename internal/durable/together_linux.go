package durable

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// wholeDisk is a GroupSync by syncfs.
type wholeDisk struct{ dir *os.File }

// worthAll is how many files are worth a sync of the whole file system.
const worthAll = 8

// flushing is held by the one syncfs that is under way: whoever waits for it
// finds most of its own files written.
var flushing sync.Mutex

// BeginSync uses syncfs where that is known to write everything to the device
// and to report what it could not write.
//
// The directory is opened now since syncfs reports the errors that came after
// the opening.
func (OS) BeginSync(dir string, files int) GroupSync {
	if files < worthAll || !reportsErrors() {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil // whoever writes there finds out
	}
	var stat unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &stat); err != nil || !isLocal(int64(stat.Type)) {
		f.Close()
		return nil
	}
	return &wholeDisk{f}
}

// isLocal tells whether a file system is one whose syncfs is as good as an
// fsync of each file. Those of networks and of user space need not be.
func isLocal(kind int64) bool {
	switch kind {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		return true
	}
	return false
}

// reportsErrors tells whether this is Linux 5.8 or newer: before, syncfs said
// nothing of what could not be written.
var reportsErrors = sync.OnceValue(func() bool {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return false
	}
	return atLeast(unix.ByteSliceToString(name.Release[:]), 5, 8)
})

func atLeast(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	second := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	a, err1 := strconv.Atoi(first)
	b, err2 := strconv.Atoi(second)
	return err1 == nil && err2 == nil && (a > major || a == major && b >= minor)
}

func (d *wholeDisk) Sync() error {
	flushing.Lock()
	defer flushing.Unlock()
	for {
		switch err := unix.Syncfs(int(d.dir.Fd())); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return &fs.PathError{Op: "sync", Path: d.dir.Name(), Err: err}
		}
	}
}

func (d *wholeDisk) Close() error { return d.dir.Close() }

// startWriting asks the system to begin to write a file, and not to wait.
func startWriting(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { // advice only: Sync tells of errors
		unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	})
}
