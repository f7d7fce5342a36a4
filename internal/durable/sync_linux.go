package durable

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// syncFile uses fdatasync: it spares the journal write for times nobody reads,
// and still makes the length durable. On a directory it is as good as fsync.
func syncFile(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	err = raw.Control(func(fd uintptr) {
		for {
			if syncErr = unix.Fdatasync(int(fd)); syncErr != unix.EINTR {
				return
			}
		}
	})
	if err == nil {
		err = syncErr
	}
	if err != nil {
		return &fs.PathError{Op: "sync", Path: f.Name(), Err: err}
	}
	return nil
}

func dropCache(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { // advice only: an error changes nothing
		unix.Fadvise(int(fd), 0, 0, unix.FADV_DONTNEED)
	})
}
