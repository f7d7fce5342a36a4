package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"popmigrate/checkpoint"
	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/internal/spool"
	"popmigrate/pop3/pop3test"
)

// broken is a state to begin repairs from again and again: a ledger, and an
// archive on a file system in memory with a damaged frame and sidecar.
type broken struct {
	state   string // directory of the ledger
	fsys    *durabletest.FS
	keep    func(fsys durable.FS) *keep
	damaged [][]byte // contents that must never be destroyed
}

func newBroken(t *testing.T, keep func(fsys durable.FS) *keep, spoil func(b *bench, name string, content []byte) []byte) *broken {
	b := newBench(t, pop3test.Config{}, repairMail()...)
	fsys := durabletest.New()
	k := keep(fsys)
	b.use(k)
	if r := b.run(); !r.Complete {
		t.Fatalf("%+v", r)
	}
	s := &broken{state: b.dir + "/state", keep: keep}
	for name, content := range files(t, fsys, k.dir) {
		if changed := spoil(b, name, slices.Clone(content)); !bytes.Equal(changed, content) {
			f, err := fsys.OpenFile(name, os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt(changed, 0)
				err = errors.Join(err, f.Sync(), f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			s.damaged = append(s.damaged, changed)
		}
	}
	if len(s.damaged) == 0 {
		t.Fatal("nothing was spoiled")
	}
	s.fsys = fsys.Crash(durabletest.KeepAll())
	return s
}

// files returns the files in and below a directory.
func files(t *testing.T, fsys durable.FS, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	entries, err := durable.ReadDir(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			for name, content := range files(t, fsys, name) {
				all[name] = content
			}
			continue
		}
		if all[name], err = durable.ReadFile(fsys, name, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// again returns a bench with a copy of the state, and a server that has all.
func (s *broken) again(t *testing.T, fsys *durabletest.FS) *bench {
	b := newBench(t, pop3test.Config{}, repairMail()...)
	b.source.Server = b.server.Addr()
	if err := os.CopyFS(b.dir+"/state", os.DirFS(s.state)); err != nil {
		t.Fatal(err)
	}
	b.job.Delete = DeleteVerified
	b.use(s.keep(fsys))
	return b
}

// recover runs again, with or without a repair, until nothing is left to do,
// and wants every message to be kept once and nothing to be destroyed.
func (s *broken) recover(t *testing.T, what string, b *bench, fsys *durabletest.FS, mode RepairMode) {
	t.Helper()
	k := s.keep(fsys)
	b.use(k)
	recorded := len(slices.Collect(LostCopies(b.ledger(), k.spec.Name))) > 0
	if b.repair = mode; !recorded {
		b.repair = RepairDamaged // an ordinary run does not look for this damage
	}
	r := b.run()
	if !r.Complete {
		t.Errorf("%s: the run after it: %s %s", what, r.Class, r.Reason)
	}
	if got := b.verified(k); !slices.Equal(got, allUIDs()) {
		t.Errorf("%s: the archive holds %q; %s %s", what, got, r.Class, r.Reason)
	}
	all := files(t, fsys, "/")
	for _, damaged := range s.damaged {
		found := false
		for name, content := range all {
			found = found || bytes.Equal(content, damaged) && strings.Contains(name, "/quarantine/")
		}
		if !found {
			t.Errorf("%s: what was damaged is not in quarantine", what)
		}
	}
}

var brokenArchives = map[string]func(t *testing.T) *broken{
	"mbox": func(t *testing.T) *broken {
		keep := func(fsys durable.FS) *keep { return mboxKeep("/", "archive", fsys) }
		return newBroken(t, keep, func(b *bench, name string, content []byte) []byte {
			if strings.HasSuffix(name, ".mbox.zst") || strings.HasSuffix(name, ".eml.zst") {
				content[len(content)/2] ^= 4
			}
			return content
		})
	},
	"maildir": func(t *testing.T) *broken {
		keep := func(fsys durable.FS) *keep { return maildirKeep("/", "archive", fsys) }
		return newBroken(t, keep, func(b *bench, name string, content []byte) []byte {
			if bytes.Contains(content, []byte("<3@")) || bytes.Contains(content, []byte("<5@")) {
				content[len(content)/2] ^= 4
			}
			return content
		})
	},
}

// TestRepairCrash ends the repair at each call to the file system, with
// everything, nothing or some of what was not synced kept.
func TestRepairCrash(t *testing.T) {
	for name, make := range brokenArchives {
		t.Run(name, func(t *testing.T) {
			s := make(t)
			step := 1
			if testing.Short() {
				step = 17
			}
			const parts = 4 // side by side: most of the time is the ledger's syncs
			for part := range parts {
				t.Run(fmt.Sprint(part), func(t *testing.T) {
					t.Parallel()
					n := 1 + part*step
					for s.crashAt(t, n) && !t.Failed() {
						n += parts * step
					}
					t.Logf("%d calls", n)
				})
			}
		})
	}
}

// crashAt ends a repair at the n-th call; false where there are fewer.
func (s *broken) crashAt(t *testing.T, n int) bool {
	fsys := s.fsys.Crash(durabletest.KeepAll())
	b := s.again(t, fsys)
	b.repair = RepairDamaged
	calls := 0
	crash := durabletest.CrashAt(n)
	fsys.Hook(func(c durabletest.Call) error { calls++; return crash(c) })
	if _, err := b.runCtx(t.Context()); err != nil {
		t.Fatal(err)
	}
	if calls < n {
		return false
	}
	fates := []durabletest.Fate{durabletest.LoseAll(), durabletest.KeepAll(), durabletest.Random(uint64(n))}
	what := fmt.Sprintf("crash at call %d, fate %d", n, n%3)
	s.recover(t, what, b, fsys.Crash(fates[n%3]), RepairMode(n/3%2))
	return true
}

// TestRepairLedgerCrash ends the repair before, or after, each commit.
func TestRepairLedgerCrash(t *testing.T) {
	for name, make := range brokenArchives {
		t.Run(name, func(t *testing.T) {
			s := make(t)
			for n := 1; ; n++ {
				for _, after := range []bool{false, true} {
					fsys := s.fsys.Crash(durabletest.KeepAll())
					b := s.again(t, fsys)
					if ended := b.repairUntil(n, after); !ended {
						t.Logf("%d commits", n-1)
						return
					}
					what := fmt.Sprintf("commit %d, after it: %v", n, after)
					s.recover(t, what, b, fsys.Crash(durabletest.LoseAll()), RepairMode(n%2))
				}
			}
		})
	}
}

// repairUntil runs a repair that ends at the n-th commit; false where there
// are fewer.
func (b *bench) repairUntil(n int, after bool) bool {
	b.t.Helper()
	store, err := checkpoint.OpenSQLite(b.t.Context(), b.dir+"/state", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer store.Close()
	room, err := spool.Open(b.dir+"/spool", 1<<20)
	if err != nil {
		b.t.Fatal(err)
	}
	ledger := &endingLedger{Store: store, left: n, after: after}
	_, err = Run(b.t.Context(), &b.job, &Env{Ledger: ledger, Spool: room, RunID: "run", TornDir: b.dir + "/torn",
		QuarantineDir: b.dir + "/quarantine", Repair: RepairDamaged})
	if err != nil && !errors.Is(err, errEnded) {
		b.t.Fatal(err)
	}
	return err != nil
}

var errEnded = errors.New("the process was killed")

// endingLedger fails at a commit, before or after it is durable, and from then on.
type endingLedger struct {
	checkpoint.Store
	left  int
	after bool
}

func (l *endingLedger) Commit(ctx context.Context, changes ...checkpoint.Change) error {
	if l.left--; l.left > 0 {
		return l.Store.Commit(ctx, changes...)
	}
	if l.left == 0 && l.after {
		if err := l.Store.Commit(ctx, changes...); err != nil {
			return err
		}
	}
	return errEnded
}
