package checkpoint_test

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"popmigrate/internal/durable/durabletest"
)

// fates are outcomes of a power cut. They are functions because a random fate
// is used up.
var fates = []func() durabletest.Fate{
	durabletest.LoseAll,
	durabletest.KeepAll,
	func() durabletest.Fate { return durabletest.Random(1) },
	func() durabletest.Fate { return durabletest.Random(2) },
	func() durabletest.Fate { return durabletest.Random(3) },
	func() durabletest.Fate { return durabletest.Random(4) },
}

// everyEnv makes the tests spoil every call. Otherwise they leave out those
// that read and those that write: a cut at the sync that follows has the
// writes still undecided.
const everyEnv = "POPMIGRATE_EVERY_CALL"

// everyCall runs test with the number of each call to the file system that
// counts, until test reports that there are not so many.
func everyCall(t *testing.T, test func(n int) (reached bool)) {
	t.Helper()
	stride := 1
	if testing.Short() {
		stride = 7
	}
	points := 0
	for n := 1; test(n); n += stride {
		points++
	}
	t.Logf("%d points", points)
}

// spoiler fails call n of those that count, and all after it where forever is
// set. It is a hook.
type spoiler struct {
	n       int
	err     error
	forever bool

	seen int
	op   string // what call n was
}

func (s *spoiler) hook(c durabletest.Call) error {
	if s.forever && s.op != "" {
		return s.err
	}
	if os.Getenv(everyEnv) == "" && (reads(c.Op) || c.Op == "write") {
		return nil
	}
	if s.seen++; s.seen == s.n {
		s.op = c.Op
		return s.err
	}
	return nil
}

// spoil plays the script on disk. It returns what the call was that it
// spoiled; "" if there were not so many.
func (p *progress) spoil(t *testing.T, disk *durabletest.FS, s spoiler) (op string) {
	t.Helper()
	disk.Hook(s.hook)
	err := p.live(disk, func() {})
	disk.Hook(nil)
	if errors.Is(err, errBroken) || err != nil && s.op == "" {
		t.Fatalf("call %d: %v", s.n, err)
	}
	return s.op
}

// crashAt is the end of the machine, or of the process.
func crashAt(n int) spoiler { return spoiler{n: n, err: durabletest.ErrCrashed, forever: true} }

// reads reports whether a call of that kind leaves everything as it is.
func reads(op string) bool { return slices.Contains([]string{"read", "stat", "lstat", "readdir"}, op) }

// goOn lives on after what happened at call n and looks at what a power cut
// would leave: after opening, after the first steps, at the end.
func (p progress) goOn(t *testing.T, disk *durabletest.FS, n int) {
	t.Helper()
	seen := 0
	look := func() {
		if seen++; seen > 3 && p.acked < len(script()) {
			return
		}
		for _, fate := range fates[:3] {
			if err := p.check(disk.Crash(fate())); err != nil {
				t.Fatalf("call %d, went on to %+v: %v", n, p, err)
			}
		}
	}
	if err := p.live(disk, look); err != nil {
		t.Fatalf("call %d, going on: %v", n, err)
	}
}

// TestPowerCut cuts the power at every call that a ledger makes in its life:
// while it is created, written, closed and opened again.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	everyCall(t, func(n int) bool {
		disk, p := newDisk(t), progress{}
		op := p.spoil(t, disk, crashAt(n))
		for i, fate := range fates {
			if i > 0 && reads(op) {
				break // as at the call before
			}
			left := disk.Crash(fate())
			if err := p.check(left); err != nil {
				t.Fatalf("call %d, fate %d: %+v: %v", n, i, p, err)
			}
			if i == n%len(fates) {
				p.goOn(t, left, n)
			}
		}
		return op != ""
	})
}

// TestPowerCutTwice cuts the power again while the ledger recovers from a cut.
func TestPowerCutTwice(t *testing.T) {
	t.Parallel()
	const apart = 10 // calls between the first cuts
	points := 0
	for first := 3; ; first += apart {
		disk, once := newDisk(t), progress{}
		op := once.spoil(t, disk, crashAt(first))
		if op == "" {
			break
		}
		fate := fates[first%len(fates)]
		everyCall(t, func(n int) bool {
			disk, p := disk.Crash(fate()), once
			op := p.spoil(t, disk, crashAt(n))
			for i, fate := range fates[:4] {
				if i > 0 && reads(op) {
					break
				}
				if err := p.check(disk.Crash(fate())); err != nil {
					t.Fatalf("calls %d and %d, fate %d: %+v: %v", first, n, i, p, err)
				}
			}
			points++
			return op != "" && n < 40 // by then it has long recovered
		})
	}
	t.Logf("%d pairs", points)
}

// TestKillThenPowerCut kills the process at every call, lets another go on
// with what the system still holds in memory, and cuts the power then.
func TestKillThenPowerCut(t *testing.T) {
	t.Parallel()
	everyCall(t, func(n int) bool {
		disk, p := newDisk(t), progress{}
		op := p.spoil(t, disk, crashAt(n))
		if !reads(op) {
			p.goOn(t, disk, n)
		}
		return op != ""
	})
}

// TestFailingCall lets one call fail, goes on after it as a person would who
// runs the program again, and cuts the power.
func TestFailingCall(t *testing.T) {
	for _, cause := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
		t.Run(cause.Error(), func(t *testing.T) {
			t.Parallel()
			everyCall(t, func(n int) bool {
				disk, p := newDisk(t), progress{}
				op := p.spoil(t, disk, spoiler{n: n, err: cause})
				if reads(op) && cause == syscall.ENOSPC {
					return true // that cannot be
				}
				for i, fate := range fates[:4] {
					if err := p.check(disk.Crash(fate())); err != nil {
						t.Fatalf("call %d (%s), fate %d: %+v: %v", n, op, i, p, err)
					}
				}
				p.goOn(t, disk, n)
				return op != ""
			})
		})
	}
}

// TestDiskGone lets all calls from one on fail, until the program runs again:
// a cable, a storage network. What the last syncs could not write is still in
// the system's memory then, and never written.
func TestDiskGone(t *testing.T) {
	t.Parallel()
	everyCall(t, func(n int) bool {
		disk, p := newDisk(t), progress{}
		op := p.spoil(t, disk, spoiler{n: n, err: syscall.EIO, forever: true})
		if !reads(op) {
			p.goOn(t, disk, n)
		}
		return op != ""
	})
}

// TestFailingSyncThenPowerCut lets a sync fail while the ledger is made, and
// cuts the power where the run after it has only begun: the entries of one
// directory that no sync made durable are kept and lost each for itself.
func TestFailingSyncThenPowerCut(t *testing.T) {
	t.Parallel()
	failed := 0
	for first := 1; first < 60; first++ {
		made := func() (*durabletest.FS, progress, string) {
			disk, p := newDisk(t), progress{}
			op := p.spoil(t, disk, spoiler{n: first, err: syscall.EIO})
			return disk, p, op
		}
		if _, p, op := made(); op != "sync" || p.acked > 0 {
			continue
		}
		failed++
		everyCall(t, func(n int) bool {
			for seed := range uint64(4) {
				disk, p, _ := made()
				op := p.spoil(t, disk, crashAt(n))
				if err := p.check(disk.Crash(durabletest.Random(seed))); err != nil {
					t.Fatalf("sync %d, call %d (%s), seed %d: %+v: %v", first, n, op, seed, p, err)
				}
			}
			return n < 12 // by then it has long opened
		})
	}
	if failed < 3 {
		t.Errorf("%d syncs failed", failed)
	}
}
