//go:build linux

package endtoend

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// sickDisk is an ext4 file system in a file that lies on a small tmpfs: once
// that is full, writing fails where a real disk fails, behind the page cache.
type sickDisk struct {
	t      *testing.T
	dir    string // where it is mounted
	image  string
	device string
}

// newSickDisk mounts a disk on dir that takes about so many KiB until healed.
func newSickDisk(t *testing.T, dir string, kib int) *sickDisk {
	t.Helper()
	below := t.TempDir()
	memoryDisk(t, below, kib)
	d := &sickDisk{t: t, dir: dir, image: filepath.Join(below, "image")}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 64<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	must(t, "mkfs.ext4", "-q", "-m", "0", d.image)
	device, err := exec.Command("losetup", "-f", "--show", d.image).Output()
	if err != nil {
		t.Skipf("no loop device here: %v", err)
	}
	d.device = string(device[:len(device)-1])
	t.Cleanup(func() { must(t, "losetup", "-d", d.device) })
	d.mount()
	t.Cleanup(d.unmount)
	return d
}

func (d *sickDisk) mount() {
	d.t.Helper()
	must(d.t, "mount", d.device, d.dir)
}

func (d *sickDisk) unmount() {
	_ = exec.Command("umount", d.dir).Run() // not mounted is fine
}

// heal is a new disk with what was on the sick one.
func (d *sickDisk) heal() {
	d.t.Helper()
	d.unmount()
	enlarge(d.t, filepath.Dir(d.image))
	_ = exec.Command("fsck.ext4", "-f", "-y", d.device).Run() // ends with 1 where it mended something
	d.mount()
}

// freeze makes a mounted ext4 read-only although files are open for writing:
// what the system does when it finds an error on it.
func freeze(t *testing.T, dir string) {
	t.Helper()
	must(t, "mount", "-o", "remount,abort", dir)
}
