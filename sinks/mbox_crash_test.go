package sinks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
)

// crashGroups are two Store calls that take every path of the sink: a shared
// frame, a frame of its own, a streamed message and a sidecar.
var crashGroups = sync.OnceValue(func() [][]Message {
	return [][]Message{
		testGroup(1, "a\r\n", "b\nc\r\n", "From x\r\n"),
		testGroup(4, sampleMail(1, 5_000), "d", strings.Repeat("x", 80_000)+"\r\n", "\n"),
	}
})

// runUntilCrash opens, stores and closes until a call fails. What it commits
// to the ledger is what a ledger would hold, durably, at that point.
func runUntilCrash(cfg MboxConfig, l *mboxLedger, groups [][]Message) error {
	sink, err := OpenMbox(context.Background(), cfg, l.opening())
	if err != nil {
		return err
	}
	defer sink.Close()
	for _, group := range groups {
		receipts, err := sink.Store(context.Background(), group)
		if err != nil {
			return err
		}
		for i, r := range receipts {
			m := group[i]
			l.copies = append(l.copies, Copy{m.Ordinal, m.UniqueID, m.Session, m.Octets, m.Digest, r.Where})
		}
		if err := sink.Committed(context.Background()); err != nil {
			return err
		}
	}
	return sink.Close()
}

// TestMboxCrash cuts the power at every single call to the file system, lets
// unsynced changes meet many fates, and wants: nothing committed is lost, the
// archive opens, ends where the ledger says, and takes the rest.
func TestMboxCrash(t *testing.T) {
	for _, first := range []bool{true, false} {
		t.Run(fmt.Sprintf("new archive %v", first), func(t *testing.T) {
			for k := 1; ; k++ {
				if !crashAt(t, k, first) {
					if k < 30 {
						t.Fatalf("only %d calls", k)
					}
					return
				}
			}
		})
	}
}

// crashAt reports whether there was a k-th call to crash at.
func crashAt(t *testing.T, k int, first bool) bool {
	fsys := durabletest.New()
	cfg := testCfg(fsys)
	cfg.large = 50_000
	cfg.SegmentOctets = 100 // so that the second group rolls
	cfg.Compression = Uncompressed
	ledger := &mboxLedger{id: "one"}
	groups := crashGroups()
	if !first {
		if err := runUntilCrash(cfg, ledger, groups[:1]); err != nil {
			t.Fatal(err)
		}
		cfg.SegmentOctets = 1 << 30 // the second group appends
		groups = groups[1:]
	}
	fsys.Hook(durabletest.CrashAt(k))
	err := runUntilCrash(cfg, ledger, groups)
	if err != nil && !errors.Is(err, durabletest.ErrCrashed) {
		t.Fatalf("crash at call %d: %v", k, err)
	}
	fates := []durabletest.Fate{durabletest.LoseAll(), durabletest.KeepAll()}
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		fates = append(fates, durabletest.Random(seed))
	}
	for i, fate := range fates {
		recoverFrom(t, fmt.Sprintf("crash at call %d, fate %d", k, i), cfg, fsys.Crash(fate), ledger.clone())
		if t.Failed() {
			t.FailNow()
		}
	}
	return err != nil
}

func recoverFrom(t *testing.T, what string, cfg MboxConfig, fsys *durabletest.FS, l *mboxLedger) {
	cfg.FS = fsys
	held := len(l.copies)
	sink, err := OpenMbox(t.Context(), cfg, l.opening())
	if err != nil {
		t.Errorf("%s: open: %v", what, err)
		return
	}
	if held > 0 {
		wantSound(t, cfg, l) // also that each segment ends at its committed end
		wantIndexed(t, cfg, l)
	}
	for _, group := range crashGroups() {
		if int(group[0].Ordinal) > held {
			receipts, err := sink.Store(t.Context(), group)
			if err != nil {
				t.Errorf("%s: store: %v", what, err)
				return
			}
			l.commit(t, group, receipts)
			if err := sink.Committed(t.Context()); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	mustClose(t, sink)
	wantSound(t, cfg, l)
	wantIndexed(t, cfg, l)
	entries, _ := durable.ReadDir(fsys, cfg.Dir)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), durable.TempSuffix) {
			t.Errorf("%s: %s was left", what, e.Name())
		}
	}
}

// TestMboxCrashWithoutSync shows that TestMboxCrash would notice: with syncs
// that do nothing, committed mail is lost.
func TestMboxCrashWithoutSync(t *testing.T) {
	fsys := durabletest.New()
	ledger := &mboxLedger{id: "one"}
	if err := runUntilCrash(testCfg(syncless{fsys}), ledger, crashGroups()); err != nil {
		t.Fatal(err)
	}
	_, err := OpenMbox(t.Context(), testCfg(fsys.Crash(durabletest.LoseAll())), ledger.opening())
	if !errors.Is(err, ErrDamaged) {
		t.Fatalf("nothing was synced, and yet: %v", err)
	}
}

type syncless struct{ *durabletest.FS }

func (s syncless) OpenFile(name string, flag int, perm os.FileMode) (durable.File, error) {
	f, err := s.FS.OpenFile(name, flag, perm)
	return synclessFile{f}, err
}

type synclessFile struct{ durable.File }

func (synclessFile) Sync() error { return nil }

// TestMboxFaults fails each call once, with an input/output error and with a
// full disk: the group is not vouched for, or it is and lies there soundly.
func TestMboxFaults(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		failed := 0
		for k := 1; ; k++ {
			fsys := durabletest.New()
			cfg := testCfg(fsys)
			cfg.large = 50_000
			ledger := &mboxLedger{id: "one"}
			if err := runUntilCrash(cfg, ledger, crashGroups()[:1]); err != nil {
				t.Fatal(err)
			}
			before := fsys.Calls()
			fsys.Hook(durabletest.FailAt("", k, fault))
			err := runUntilCrash(cfg, ledger, crashGroups()[1:])
			if err != nil && !errors.Is(err, fault) {
				t.Fatalf("%v at call %d: %v", fault, k, err)
			}
			if err != nil {
				failed++
			}
			calls := fsys.Calls() - before
			fsys.Hook(nil)
			survivor := fsys.Crash(durabletest.LoseAll())
			recoverFrom(t, fmt.Sprintf("%v at call %d, machine runs on", fault, k), cfg, fsys, ledger.clone())
			recoverFrom(t, fmt.Sprintf("%v at call %d, then power cut", fault, k), cfg, survivor, ledger.clone())
			if t.Failed() {
				t.FailNow()
			}
			if k > calls {
				break
			}
		}
		if failed < 20 {
			t.Errorf("%v: only %d calls failed the run", fault, failed)
		}
	}
}

// TestMboxSyncErrorAbandonsSegment: after a failed sync nothing is written to
// that file again, not by this sink and, once its tail is cut, not by the next.
func TestMboxSyncErrorAbandonsSegment(t *testing.T) {
	fsys := durabletest.New()
	cfg := testCfg(fsys)
	ledger := &mboxLedger{id: "one"}
	sink := mustOpen(t, cfg, ledger)
	mustStore(t, sink, ledger, testGroup(1, "a\r\n"))
	fsys.Hook(durabletest.FailAt("sync", 1, syscall.EIO))
	if _, err := sink.Store(t.Context(), testGroup(2, "b\r\n")); !errors.Is(err, syscall.EIO) {
		t.Fatalf("store: %v", err)
	}
	fsys.Hook(func(c durabletest.Call) error {
		t.Errorf("%s %s", c.Op, c.Name)
		return nil
	})
	if _, err := sink.Store(t.Context(), testGroup(2, "b\r\n")); !errors.Is(err, syscall.EIO) {
		t.Fatalf("second store: %v", err)
	}
	fsys.Hook(nil)
	mustClose(t, sink)

	sink = mustOpen(t, cfg, ledger)
	fsys.Hook(func(c durabletest.Call) error {
		if c.Op != "read" && strings.HasSuffix(c.Name, "000001.mbox.zst") {
			t.Errorf("%s %s", c.Op, c.Name)
		}
		return nil
	})
	mustStore(t, sink, ledger, testGroup(2, "b\r\n"))
	mustClose(t, sink)
	wantSound(t, testCfg(fsys.Crash(durabletest.LoseAll())), ledger)
}
