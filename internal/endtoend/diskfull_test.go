//go:build linux

package endtoend

import (
	"slices"
	"strings"
	"testing"
)

// A disk that fills up, whatever is on it: no DELE from then on, the disk is
// named, and with more room the same command completes.
func TestDiskFull(t *testing.T) {
	notShort(t)
	for _, test := range []struct {
		name            string
		disk            string // what has a small disk of its own, relative to the job file
		kib             int
		letters, octets int
		exits           []int
		words           []string
	}{
		{"archive", "archive", 600, 400, 5000, []int{3, 7}, []string{"archive/alice", "no space left on device", "make room"}},
		{"maildir", "Maildir", 600, 400, 5000, []int{3, 7}, []string{"Maildir/", "no space left on device", "make room"}},
		{"ledger", "test.popmigrate", 320, 1500, 700, []int{1}, []string{"ledger.db", "disk full", "make room", `"class":"local"`}},
		{"spool", "test.popmigrate/spool", 1024, 3, 3 << 20, []int{7}, []string{"spool/", "no space left on device", "make room"}},
		{"everything", ".", 1500, 400, 5000, []int{1, 3, 7}, []string{"make room"}}, // whichever is hit first

	} {
		t.Run(test.name, func(t *testing.T) {
			r := newTrial(t, test.letters, test.octets)
			memoryDisk(t, r.path(test.disk), test.kib)
			if test.disk == "." {
				r.change()
			}
			before := r.marked.Load()
			_, exit, output := r.attempt()
			if !slices.Contains(test.exits, exit) || r.marked.Load() != before {
				t.Errorf("exit %d, %d DELE, want exit %d and none", exit, r.marked.Load()-before, test.exits)
			}
			for _, word := range test.words {
				if !strings.Contains(output, word) {
					t.Errorf("nothing is said of %q", word)
				}
			}
			if t.Failed() {
				t.Logf("%s", brief(output))
			}
			r.safe()
			if r.attempt(); r.marked.Load() != before {
				t.Errorf("%d DELE in the second run", r.marked.Load()-before)
			}
			r.safe()
			enlarge(t, r.path(test.disk))
			r.completes()
		})
	}
}
