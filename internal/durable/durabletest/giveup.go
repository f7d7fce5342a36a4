package durabletest

import (
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"popmigrate/internal/durable"
)

// GivesUp, from a hook on a sync, has the disk that is mounted at Disk give
// itself up: this sync and the later ones succeed, and make nothing durable.
// Files take writes as if nothing had happened. The first call that needs the
// journal is refused, one that makes, moves, removes or cuts something or
// [FS.Confirm]; from then on the disk refuses whatever would change it, and
// syncs. See [durable.Confirmer].
type GivesUp struct{ Disk string }

func (g *GivesUp) Error() string { return g.Disk + " gives itself up" }

// givenUp is a disk that gave itself up.
type givenUp struct {
	path  string
	known bool // to the file system itself
}

var _ durable.Confirmer = (*FS)(nil)

// Confirm implements durable.Confirmer. It counts as a call "confirm" of dir.
func (f *FS) Confirm(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.enter("confirm", dir); err != nil {
		return err
	}
	return f.journal("confirm", dir)
}

// disk returns the disk of that name if it gave itself up, else nil.
func (f *FS) disk(name string) *givenUp {
	for _, disk := range f.given {
		if below, err := filepath.Rel(disk.path, name); err == nil && below != ".." && !strings.HasPrefix(below, ".."+string(filepath.Separator)) {
			return disk
		}
	}
	return nil
}

// journal refuses what needs the journal of a disk that gave itself up.
func (f *FS) journal(op, name string) error {
	disk := f.disk(name)
	if disk == nil {
		return nil
	}
	disk.known = true
	return &fs.PathError{Op: op, Path: name, Err: syscall.EROFS}
}

// takes refuses what a disk that knows that it gave itself up does not do.
func (f *FS) takes(op, name string) error {
	if disk := f.disk(name); disk != nil && disk.known {
		return f.journal(op, name)
	}
	return nil
}
