package durabletest

import (
	"errors"

	"popmigrate/internal/durable"
)

var _ durable.GroupSyncer = (*FS)(nil)

// BeginSync makes files durable together where their number is even, so that
// tests see both ways. A Sync of the group counts as a call "sync" of dir.
//
// A real one makes much else durable as well, which nobody may rely on: here
// it leaves everything else as it was.
func (f *FS) BeginSync(dir string, files int) durable.GroupSync {
	if files%2 != 0 {
		return nil
	}
	return &groupSync{f, dir}
}

type groupSync struct {
	fsys *FS
	dir  string
}

func (g *groupSync) Sync() error {
	g.fsys.mu.Lock()
	defer g.fsys.mu.Unlock()
	failed := g.fsys.enter("sync", g.dir)
	if errors.Is(failed, ErrCrashed) {
		return failed
	}
	if g.fsys.disk(g.dir) != nil {
		return errors.Join(failed, g.fsys.takes("sync", g.dir))
	}
	_, _, dir, err := g.fsys.find("sync", g.dir)
	if err != nil || dir == nil {
		return errors.Join(failed, err)
	}
	for _, n := range dir.entries {
		if failed == nil {
			n.sync()
			continue
		}
		for i := range n.pending {
			n.pending[i].lost = true
		}
	}
	return failed
}

func (g *groupSync) Close() error { return nil }
