package sinks

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"popmigrate/internal/durable"
)

// maildirIndex knows where in a maildir the files of ours are. Mail programs
// move them from new to cur and change their flags at any time.
type maildirIndex struct {
	cfg   MaildirConfig
	mu    sync.Mutex
	files map[string]string // path relative to the maildir, by id; nil before the first scan
	seen  [2]time.Time      // modification times of new and cur before the last scan
	sure  bool              // a change since that scan would show in them
}

// scan lists new, then cur: a file that is moved meanwhile is seen at least once.
func (x *maildirIndex) scan() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.rescan()
}

func (x *maildirIndex) rescan() error {
	seen, err := x.modTimes()
	if err != nil {
		return err
	}
	files := map[string]string{}
	for _, folder := range []string{maildirNew, maildirCur} {
		entries, err := durable.ReadDir(x.cfg.FS, x.cfg.path(folder))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if id, ours := maildirID(e.Name()); ours {
				files[id] = filepath.Join(folder, e.Name())
			}
		}
	}
	x.files, x.seen = files, seen
	// Two changes within one tick of the file system's clock leave one time.
	const tick = 2 * time.Second
	x.sure = time.Since(seen[0]) > tick && time.Since(seen[1]) > tick
	return nil
}

func (x *maildirIndex) modTimes() (times [2]time.Time, err error) {
	for i, folder := range []string{maildirNew, maildirCur} {
		info, err := x.cfg.FS.Lstat(x.cfg.path(folder))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return times, err
		}
		times[i] = info.ModTime()
	}
	return times, nil
}

// has tells whether a file with the id was there at the last scan.
func (x *maildirIndex) has(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, ok := x.files[id]
	return ok
}

// open opens the file with the id, wherever it is by now. A file that is in
// neither folder is an fs.ErrNotExist.
func (x *maildirIndex) open(id string) (durable.File, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f, err := x.openSeen(id)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	now, err := x.modTimes()
	if err != nil {
		return nil, err
	}
	if x.files == nil || !x.sure || now != x.seen {
		if err := x.rescan(); err != nil {
			return nil, err
		}
	}
	return x.openSeen(id)
}

// openSeen opens the file where the last scan saw it.
func (x *maildirIndex) openSeen(id string) (durable.File, error) {
	path, ok := x.files[id]
	if !ok {
		return nil, &fs.PathError{Op: "find", Path: x.cfg.path("*", "*."+id+".*"), Err: fs.ErrNotExist}
	}
	return x.cfg.FS.OpenFile(x.cfg.path(path), os.O_RDONLY, 0)
}
