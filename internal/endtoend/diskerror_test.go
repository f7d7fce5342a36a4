//go:build linux

package endtoend

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"popmigrate/internal/durable"
	"popmigrate/pop3/pop3test"
)

// places are what may lie on a disk of its own, and what is to be named when
// that disk fails: the file, so far as the system tells.
var places = []struct {
	name, disk, object string
	kib                int // of a disk that is too small for it
}{
	{"archive", "archive", "archive/alice", 3000},
	{"maildir", "Maildir", "Maildir", 3000},
	{"ledger", "test.popmigrate", "ledger.db", 1200},
}

// A disk that takes what is written and then cannot keep it: that is seen in
// the sync, and nothing that was to be kept there is deleted.
func TestDiskFailsBehindTheCache(t *testing.T) {
	notShort(t)
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			r := newTrial(t, 1500, 5000)
			d := newSickDisk(t, r.path(place.disk), place.kib)
			r.stops(place.object)
			d.heal()
			r.completes()
		})
	}
}

// stops runs the job on a sick disk and wants that it says where it hurts,
// and that nothing is deleted that is not safe.
func (r *trial) stops(object string) {
	r.t.Helper()
	before := r.marked.Load()
	_, exit, output := r.attempt()
	if !slices.Contains([]int{1, 3, 6, 7}, exit) {
		r.t.Errorf("exit %d\n%s", exit, brief(output))
	}
	if !strings.Contains(output, object) {
		r.t.Errorf("nothing is said of %s:\n%s", object, brief(output))
	}
	if marked := r.marked.Load() - before; marked > 0 {
		r.t.Errorf("%d DELE", marked)
	}
	if r.t.Failed() {
		return
	}
	r.t.Logf("exit %d: %s", exit, firstReason(output))
	r.safe()
}

func firstReason(output string) string {
	_, reason, _ := strings.Cut(brief(output), `"reason":"`)
	reason, _, _ = strings.Cut(reason, `","`)
	return reason
}

// during calls f once while message n is being fetched.
func (r *trial) during(n int, f func()) {
	var once sync.Once
	r.server.SetRules(pop3test.Rule{Command: "RETR", Message: n, Do: pop3test.Call(func() { once.Do(f) })})
}

// The system makes a disk read-only in the middle of a run.
func TestDiskTurnsReadOnly(t *testing.T) {
	notShort(t)
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			r := newTrial(t, 1500, 2000)
			d := newSickDisk(t, r.path(place.disk), 80_000)
			r.during(700, func() { freeze(t, r.path(place.disk)) })
			r.stops(place.object)
			r.stops("") // and at once, while it is read-only
			d.heal()
			r.completes()
		})
	}
}

// A file system that gives itself up while a sync is under way may call it a
// success. What was confirmed behind a sync is there after the next mount; what
// was only synced need not be.
func TestConfirmedSyncsAreKept(t *testing.T) {
	notShort(t)
	dir := t.TempDir()
	d := newSickDisk(t, dir, 80_000)
	name := filepath.Join(dir, "file")
	lies := 0
	for round := range 20 {
		var synced, confirmed int64
		writeUntilItGivesUp(t, name, 10+round, &synced, &confirmed)
		d.heal()
		kept, err := os.ReadFile(name)
		if err != nil && confirmed > 0 {
			t.Fatal(err)
		}
		kept = kept[:min(int64(len(kept)), synced)]
		sound := int64(len(bytes.TrimRight(kept, "\x00"))) // octets that were never written are zeros
		if sound < confirmed {
			t.Errorf("round %d: %d octets were confirmed, %d are there", round, confirmed, sound)
		}
		if sound < synced {
			lies++
		}
		must(t, "rm", "-f", name)
	}
	t.Logf("%d of 20 times a sync that succeeded had kept nothing", lies)
}

// writeUntilItGivesUp appends to a file, syncs and confirms, until the disk
// refuses. It has it give itself up beside append number at.
func writeUntilItGivesUp(t *testing.T, name string, at int, synced, confirmed *int64) {
	f, err := durable.OS{}.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := durable.SyncDir(durable.OS{}, filepath.Dir(name)); err != nil {
		t.Fatal(err)
	}
	piece := bytes.Repeat([]byte("mail"), 32_000)
	var frozen sync.WaitGroup
	defer frozen.Wait()
	for k := 0; ; k++ {
		if k == at {
			frozen.Go(func() { freeze(t, filepath.Dir(name)) })
		}
		if _, err := f.WriteAt(piece, *synced); err != nil || f.Sync() != nil {
			return
		}
		*synced += int64(len(piece))
		if durable.Confirm(durable.OS{}, filepath.Dir(name)) != nil {
			return
		}
		*confirmed = *synced
	}
}

// A disk is gone in the middle of a run: everything on it is an input/output
// error from then on.
func TestDiskDisappears(t *testing.T) {
	notShort(t)
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			r := newTrial(t, 1500, 2000)
			d := newSickDisk(t, r.path(place.disk), 80_000)
			r.during(700, func() { shutDown(t, r.path(place.disk)) })
			r.stops(place.object)
			r.stops("")
			d.heal()
			r.completes()
		})
	}
}

// shutDown makes a mounted ext4 fail from now on, losing what was not synced
// (EXT4_IOC_SHUTDOWN without a flush of its journal).
func shutDown(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	const shutdown, noFlush = 0x8004587d, 2
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noFlush); err != nil {
		t.Errorf("shut down %s: %v", dir, err)
	}
}

// Octets that were verified cannot be read any more: verify says so, and a run
// that would delete by them does not.
func TestDiskCannotBeReadAgain(t *testing.T) {
	notShort(t)
	r := newTrial(t, 800, 5000)
	d := newSickDisk(t, r.path("archive"), 80_000)
	r.change("@DELETE@", "never")
	r.run(0)
	// The image is cut where the archive's octets are: what lies behind cannot
	// be read, once it is not in memory any more.
	d.unmount()
	at := firstBlock(t, d, "/alice/000001.mbox.zst")
	d.mount()
	if err := os.Truncate(d.image, at); err != nil {
		t.Fatal(err)
	}
	out, err := r.command("verify").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 6 || !strings.Contains(string(out), "000001.mbox.zst") {
		t.Errorf("verify: %v\n%.2000s", err, out)
	}
	r.change()
	r.stops("")
	if left := len(r.drop.Contents()); left != len(r.served) {
		t.Errorf("%d of %d messages left on the server", left, len(r.served))
	}
}

// firstBlock returns where in the image a file begins.
func firstBlock(t *testing.T, d *sickDisk, path string) int64 {
	t.Helper()
	block := must(t, "debugfs", "-R", "bmap "+path+" 0", d.image)
	lines := strings.Fields(block)
	size := must(t, "sh", "-c", "dumpe2fs -h "+d.image+" 2>/dev/null | sed -n 's/^Block size: *//p'")
	number, err1 := strconv.ParseInt(lines[len(lines)-1], 10, 64)
	octets, err2 := strconv.ParseInt(size, 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return number * octets
}
