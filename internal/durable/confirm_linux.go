package durable

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

var _ Confirmer = OS{}

// Confirm asks ext4, and no other, to set the attributes of dir to what they
// are: that changes nothing, but it begins a transaction of the journal, which
// is refused once the journal was given up. XFS and Btrfs fail the sync itself.
//
// Nothing cheaper will do. A write, even of nothing, and a second sync are
// refused only a little later, when the file system has marked itself; the
// flags that statfs returns do not tell at all (Linux 6.15 and newer).
func (OS) Confirm(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	raw, err := d.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	if err := raw.Control(func(fd uintptr) { refused = restate(int(fd)) }); err != nil {
		return err
	}
	// Others are about the question, such as that dir belongs to somebody else.
	if errors.Is(refused, unix.EROFS) || errors.Is(refused, unix.EIO) {
		return &fs.PathError{Op: "sync", Path: dir, Err: refused}
	}
	return nil
}

// restate sets the attributes of a directory of ext4 to what they are.
func restate(fd int) error {
	var stat unix.Statfs_t
	if err := unix.Fstatfs(fd, &stat); err != nil || stat.Type != unix.EXT4_SUPER_MAGIC {
		return err
	}
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(int32(flags)))
}
