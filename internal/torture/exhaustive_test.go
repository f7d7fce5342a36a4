package torture

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"popmigrate/internal/durable/durabletest"
	"popmigrate/migrate"
	"popmigrate/sinks"
)

// letter is a plain message with all that quoting and stuffing are about.
func letter(i int) []byte {
	return fmt.Appendf(nil, "Message-ID: <%d@example.org>\r\nSubject: letter %d\r\n\r\n.dot\r\nFrom here\r\n>From there\r\nbody %d\r\n", i, i, i)
}

func letters(n int) (all [][]byte) {
	for i := range n {
		all = append(all, letter(i+1))
	}
	return all
}

var plainJob = setting{policy: migrate.DeleteVerified, compression: sinks.Uncompressed}

// fates are what a power cut may leave, so far as one can list it.
func fates(seed int) map[string]durabletest.Fate {
	all := map[string]durabletest.Fate{"lose all": durabletest.LoseAll(), "keep all": durabletest.KeepAll()}
	for k := range 2 {
		all[fmt.Sprintf("random %d", k)] = durabletest.Random(uint64(2*seed + k))
	}
	return all
}

// every returns 1 in the long form, else how many cases at a time a short run
// passes over. Another seed has it pass over others.
func every(stride int) (step, first int) {
	if *long {
		return 1, 0
	}
	if testing.Short() {
		stride *= 7
	}
	return stride, int(*seed % uint64(stride))
}

// lifetime is how many events a process has that nothing befalls.
func lifetime(t *testing.T, s setting, mail [][]byte) (events int) {
	score("untroubled").trial(t, "", s, mail, func(w *world) {
		e := w.live(plan{})
		events = e.events
		if !e.done() {
			t.Errorf("an untroubled run: %s", e.why())
		}
	})
	return events
}

// TestCrashAtEveryEvent kills the process at each file-system call and each
// read and write on the wire.
func TestCrashAtEveryEvent(t *testing.T) {
	n := lifetime(t, plainJob, letters(3)) + 20
	y := score("crash at every event")
	step, first := every(3)
	spread(t, n/step, func(t *testing.T, i int) {
		at := 1 + i*step + first
		for name, fate := range fates(i) {
			if !*long && name != []string{"lose all", "keep all", "random 0"}[i%3] {
				continue
			}
			y.trial(t, fmt.Sprintf("event %d, %s", at, name), plainJob, letters(3), func(w *world) {
				w.live(plan{crashAt: at, fate: fate})
			})
		}
	})
}

// TestCrashInRecovery kills the process, and then the one that cleans up.
func TestCrashInRecovery(t *testing.T) {
	n := lifetime(t, plainJob, letters(2))
	y := score("crash at an event, then in the recovery")
	apart := 23 // events between the first crashes
	if *long {
		apart = 19
	}
	step, first := every(41)
	spread(t, n/apart*n/step, func(t *testing.T, i int) {
		i = i*step + first
		at, then := 1+i/n*apart, 1+i%n
		y.trial(t, fmt.Sprintf("events %d, %d", at, then), plainJob, letters(2), func(w *world) {
			w.live(plan{crashAt: at, fate: durabletest.Random(uint64(i))})
			w.live(plan{crashAt: then, fate: durabletest.Random(uint64(i) + 1)})
		})
	})
}

// TestCutAtEveryOctet breaks the line behind each octet that the server sends.
func TestCutAtEveryOctet(t *testing.T) {
	var octets int64
	score("untroubled").trial(t, "", plainJob, letters(3), func(w *world) { octets = w.live(plan{}).received })
	y := score("line cut behind every octet")
	step, first := every(13)
	spread(t, int(octets)/step, func(t *testing.T, i int) {
		at := int64(i*step + first)
		for _, lose := range []bool{false, true} {
			y.trial(t, fmt.Sprintf("octet %d, lose=%v", at, lose), plainJob, letters(3), func(w *world) {
				w.live(plan{cuts: map[int]cut{1: {at, lose}, 2: {at, lose}}})
			})
		}
	})
}

// TestCrashAtEveryOctet kills the process behind each octet that it receives.
func TestCrashAtEveryOctet(t *testing.T) {
	var events int
	score("untroubled").trial(t, "", plainJob, letters(2), func(w *world) { events = w.live(plan{piece: 1}).events })
	y := score("crash behind every octet received")
	step, first := every(11)
	spread(t, events/step, func(t *testing.T, i int) {
		at := 1 + i*step + first
		y.trial(t, fmt.Sprintf("event %d", at), plainJob, letters(2), func(w *world) {
			w.live(plan{piece: 1, crashAt: at, fate: durabletest.LoseAll()})
		})
	})
}

// TestFaultAtEveryCall lets each file-system call fail: an input/output error,
// then a full disk; once, or from then on.
func TestFaultAtEveryCall(t *testing.T) {
	var calls int
	score("untroubled").trial(t, "", plainJob, letters(3), func(w *world) { calls = w.live(plan{}).calls })
	for name, fault := range map[string]error{"input/output error": syscall.EIO, "disk full": syscall.ENOSPC} {
		y := score(name + " at every call")
		step, first := every(7)
		spread(t, calls/step, func(t *testing.T, i int) {
			at := 1 + i*step + first
			for _, lasting := range []bool{false, true} {
				y.trial(t, fmt.Sprintf("call %d, lasting=%v", at, lasting), plainJob, letters(3), func(w *world) {
					w.live(plan{cutOff: i%2 == 0, fate: durabletest.LoseAll(), fault: func(n int, c durabletest.Call) error {
						if n == at || lasting && n > at && (c.Op == "write" || c.Op == "sync") {
							return fault
						}
						return nil
					}})
				})
			}
		})
	}
}

// TestDiskGivesUpAtEverySync has the disk that a sync is for give itself up in
// that moment: the sync says that all is well, and nothing is kept any more.
// Archive, maildir and ledger have disks of their own, or one for all.
func TestDiskGivesUpAtEverySync(t *testing.T) {
	syncs := 0
	score("untroubled").trial(t, "", plainJob, letters(3), func(w *world) {
		w.live(plan{fault: func(_ int, c durabletest.Call) error {
			if c.Op == "sync" {
				syncs++
			}
			return nil
		}})
	})
	if syncs < 20 {
		t.Fatalf("a run syncs %d times", syncs)
	}
	y := score("disk gives itself up at every sync")
	spread(t, syncs, func(t *testing.T, i int) {
		for _, shared := range []bool{false, true} {
			for name, fate := range map[string]durabletest.Fate{"lose all": durabletest.LoseAll(), "random": durabletest.Random(uint64(i))} {
				y.trial(t, fmt.Sprintf("sync %d, shared=%v, %s", i+1, shared, name), plainJob, letters(3), func(w *world) {
					w.live(plan{cutOff: true, fate: fate, fault: givesUpAt(i+1, shared)})
				})
			}
		}
	})
}

// givesUpAt is the fault of a disk that gives itself up at sync k.
func givesUpAt(k int, shared bool) func(int, durabletest.Call) error {
	return func(_ int, c durabletest.Call) error {
		if c.Op != "sync" {
			return nil
		}
		if k--; k != 0 {
			return nil
		}
		for _, disk := range []string{archiveDir, maildirDir, stateDir} {
			if !shared && strings.HasPrefix(c.Name, disk) {
				return &durabletest.GivesUp{Disk: disk}
			}
		}
		return &durabletest.GivesUp{Disk: "/job"}
	}
}

// TestWhimsAndCrashes has the server stray in one way, all the time, and kills
// the process at every event of its dealings with it.
func TestWhimsAndCrashes(t *testing.T) {
	y := score("each whim of the server, crash at an event")
	const events = 700
	step, first := every(101)
	spread(t, len(whims)*max(1, events/step), func(t *testing.T, i int) {
		h, at := whims[i%len(whims)], 1+i/len(whims)*step+first
		y.trial(t, fmt.Sprintf("%s, event %d", h.name, at), plainJob, letters(3), func(w *world) {
			w.lies = h.lie
			random := rand.New(rand.NewPCG(uint64(i), 1))
			w.drop.SetRules(h.rules(w, random)...)
			w.live(plan{crashAt: at, fate: durabletest.Random(uint64(i))})
			w.drop.SetRules(h.rules(w, random)...)
			w.live(plan{})
		})
	})
}

// TestCrashAndCut kills one process at every event after its line was cut in
// each kind of place: in a greeting, a listing, a header, a body, before and
// in the termination line, behind the answers to DELE and QUIT.
func TestCrashAndCut(t *testing.T) {
	n := lifetime(t, plainJob, letters(2)) + 100
	y := score("crash at every event after a cut in each place")
	cuts := []int64{0, 1, 40, 90, 140, 230, 260, 300, 330, 352, 353, 354, 355, 356, 357, 440, 448, 470, 500, 530, 560, 600}
	step, first := every(83)
	spread(t, n*len(cuts)/step, func(t *testing.T, i int) {
		i = i*step + first
		at, where := 1+i/len(cuts), cuts[i%len(cuts)]
		y.trial(t, fmt.Sprintf("octet %d, event %d", where, at), plainJob, letters(2), func(w *world) {
			w.live(plan{crashAt: at, fate: durabletest.Random(uint64(i)), cuts: map[int]cut{1: {where, i%2 == 0}}})
		})
	})
}
