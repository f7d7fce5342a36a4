//go:build linux

package endtoend

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"popmigrate/pop3/pop3test"
)

// midway is a job whose second run was killed in the middle: some messages are
// deleted, some stored, some not yet fetched, and the ledger's newest changes
// are in its write-ahead log.
func midway(t *testing.T) *trial {
	t.Helper()
	r := newTrial(t, 150, 1500)
	r.run(0)
	r.arrive(300, 1500)
	c := r.command("run", "--quiet")
	r.during(280, func() { _ = c.Process.Signal(syscall.SIGKILL) })
	if err := c.Run(); err == nil {
		t.Fatal("the run was not killed")
	}
	r.server.SetRules()
	return r
}

// saved is a trial's state, to go back to.
type saved struct {
	*trial
	copy string
}

func (r *trial) save() *saved {
	r.t.Helper()
	s := &saved{r, filepath.Join(r.t.TempDir(), "copy")}
	must(r.t, "cp", "-a", r.dir, s.copy)
	return s
}

// restore brings files and maildrop back; it returns a trial of their own.
func (s *saved) restore(t *testing.T, server []pop3test.Message) *trial {
	t.Helper()
	must(t, "sh", "-c", `rm -rf "$1"/* && cp -a "$2"/. "$1"`, "sh", s.dir, s.copy)
	s.drop.Remove(s.drop.UniqueIDs()...)
	s.drop.Deliver(server...)
	s.trial.t, s.job.t = t, t
	return s.trial
}

// flip changes octets of a file at random places.
func flip(t *testing.T, path string, random *rand.Rand, octets int) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range octets {
		content[random.IntN(len(content))] ^= byte(1 + random.IntN(255))
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Noise in the ledger: the run refuses it, or goes on rightly. It never
// deletes what is not safe, and loses nothing.
func TestNoiseInTheLedger(t *testing.T) {
	notShort(t)
	s := midway(t).save()
	server := s.drop.Contents()
	exits := map[string]int{}
	for seed := range rounds(t, 25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := s.restore(t, server)
			random := rand.New(rand.NewPCG(uint64(seed), 3))
			names := [][]string{{"ledger.db"}, {"ledger.db-wal"}, {"ledger.db", "ledger.db-wal"}}[random.IntN(3)]
			for _, name := range names {
				flip(t, r.path("test.popmigrate", name), random, 1+random.IntN(1<<random.IntN(8)))
			}
			before := r.marked.Load()
			_, exit, output := r.attempt()
			r.safe()
			switch {
			case exit == 0:
				// What the noise hit may be a record of the past: then verify
				// names it, and the mail itself is as it should be.
				r.arrived()
			case r.marked.Load() > before:
			case exit == 1 && !strings.Contains(output, `"hint":"`):
				t.Errorf("no remedy is named:\n%s", brief(output))
			case !slices.Contains([]int{1, 3, 6, 7}, exit):
				t.Errorf("exit %d\n%s", exit, brief(output))
			}
			exits[fmt.Sprintf("exit %d, noise in %v", exit, names)]++
			if t.Failed() {
				t.Logf("exit %d, noise in %v\n%s", exit, names, brief(output))
			}
		})
	}
	for _, what := range slices.Sorted(maps.Keys(exits)) {
		t.Logf("%5d  %s", exits[what], what)
	}
}

// A write-ahead log that lost its end, or all of it, is an older ledger.
func TestWriteAheadLogLost(t *testing.T) {
	notShort(t)
	s := midway(t).save()
	server := s.drop.Contents()
	wal := s.path("test.popmigrate", "ledger.db-wal")
	info, err := os.Stat(wal)
	if err != nil {
		t.Fatal(err)
	}
	exits := map[int]int{}
	for part := range 12 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			r := s.restore(t, server)
			err := os.Truncate(wal, info.Size()*int64(part)/12)
			if part == 0 {
				err = errors.Join(err, os.Remove(wal))
			}
			if err != nil {
				t.Fatal(err)
			}
			_, exit, output := r.attempt()
			exits[exit]++
			r.safe()
			if exit == 0 {
				r.complete()
			}
			if t.Failed() {
				t.Logf("exit %d\n%s", exit, brief(output))
			}
		})
	}
	t.Logf("exits %v", exits)
}
