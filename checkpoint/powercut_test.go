package checkpoint_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"popmigrate/internal/durable/durabletest"
)

// fate is one outcome of a power cut.
type fate struct {
	name string
	of   func() durabletest.Fate // a new one each time, as a random one is used up
}

var fates = []fate{
	{"lose all", durabletest.LoseAll},
	{"keep all", durabletest.KeepAll},
	{"random 1", func() durabletest.Fate { return durabletest.Random(1) }},
	{"random 2", func() durabletest.Fate { return durabletest.Random(2) }},
	{"random 3", func() durabletest.Fate { return durabletest.Random(3) }},
	{"random 4", func() durabletest.Fate { return durabletest.Random(4) }},
}

// everyCall runs test with 1, 2, 3… until it reports that there was no such
// call; a short run leaves some out.
func everyCall(t *testing.T, short int, test func(t *testing.T, n int) (reached bool)) {
	t.Helper()
	stride := 1
	if testing.Short() {
		stride = short
	}
	points := 0
	for n := 1; ; n += stride {
		reached := true
		if !t.Run(fmt.Sprint("call ", n), func(t *testing.T) { reached = test(t, n) }) {
			// t.FailNow()
		}
		if !reached {
			t.Logf("%d points", points)
			return
		}
		points++
	}
}

// until plays the script on disk, where hook spoils call n and perhaps later
// ones. It reports whether there were so many.
func (p *progress) until(t *testing.T, disk *durabletest.FS, n int, hook func(durabletest.Call) error) (reached bool) {
	t.Helper()
	before := disk.Calls()
	disk.Hook(hook)
	defer disk.Hook(nil)
	err := p.live(disk, func() {})
	reached = disk.Calls()-before >= n
	if errors.Is(err, errBroken) || err != nil && !reached {
		t.Fatal(err)
	}
	return reached
}

// TestPowerCut cuts the power at every call that a ledger makes in its life:
// while it is created, written, closed and opened again.
func TestPowerCut(t *testing.T) {
	everyCall(t, 17, func(t *testing.T, n int) bool {
		disk, p := newDisk(t), progress{}
		if !p.until(t, disk, n, durabletest.CrashAt(n)) {
			return false
		}
		for _, f := range fates {
			t.Run(f.name, func(t *testing.T) {
				left := disk.Crash(f.of())
				p.check(t, left)
				next := p
				if err := next.live(left, func() {}); err != nil {
					t.Fatalf("went on: %v", err)
				}
				next.check(t, left.Crash(durabletest.LoseAll()))
			})
		}
		return true
	})
}

// TestKillThenPowerCut kills the process at every call, lets another go on
// with what the system still holds in memory, and cuts the power then.
func TestKillThenPowerCut(t *testing.T) {
	everyCall(t, 17, func(t *testing.T, n int) bool {
		disk, p := newDisk(t), progress{}
		if !p.until(t, disk, n, durabletest.CrashAt(n)) {
			return false
		}
		goOn(t, disk, p)
		return true
	})
}

// goOn lives on, and looks after each step at what a power cut would leave.
func goOn(t *testing.T, disk *durabletest.FS, p progress) {
	t.Helper()
	if err := p.live(disk, func() {
		for _, f := range fates[:3] {
			p.check(t, disk.Crash(f.of()))
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// TestFailingCall lets one call fail, goes on after it as a person would who
// runs the program again, and cuts the power.
func TestFailingCall(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		t.Run(cause.Error(), func(t *testing.T) {
			everyCall(t, 17, func(t *testing.T, n int) bool {
				disk, p := newDisk(t), progress{}
				if !p.until(t, disk, n, durabletest.FailAt("", n, cause)) {
					return false
				}
				for _, f := range fates {
					p.check(t, disk.Crash(f.of()))
				}
				goOn(t, disk, p)
				return true
			})
		})
	}
}

// TestDiskGone lets all calls from one on fail, until the program runs again:
// a cable, a storage network. What the last syncs could not write is still in
// the system's memory then, and never written.
func TestDiskGone(t *testing.T) {
	everyCall(t, 17, func(t *testing.T, n int) bool {
		disk, p := newDisk(t), progress{}
		seen := 0
		if !p.until(t, disk, n, func(durabletest.Call) error {
			if seen++; seen >= n {
				return syscall.EIO
			}
			return nil
		}) {
			return false
		}
		goOn(t, disk, p)
		return true
	})
}
