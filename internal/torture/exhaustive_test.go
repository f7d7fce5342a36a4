package torture

import (
	"fmt"
	"math/rand/v2"
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
	spread(t, n, func(t *testing.T, i int) {
		for name, fate := range fates(i) {
			y.trial(t, fmt.Sprintf("event %d, %s", i+1, name), plainJob, letters(3), func(w *world) {
				w.live(plan{crashAt: i + 1, fate: fate})
			})
		}
	})
}

// TestCrashInRecovery kills the process, and then the one that cleans up.
func TestCrashInRecovery(t *testing.T) {
	n := lifetime(t, plainJob, letters(2))
	y := score("crash at an event, then in the recovery")
	stride := 23
	if *long {
		stride = 3
	}
	first := 1 + (n-1)/stride
	spread(t, first*n, func(t *testing.T, i int) {
		at, then := 1+i/n*stride, 1+i%n
		if !*long && then%5 != 0 {
			return
		}
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
	spread(t, int(octets)+1, func(t *testing.T, i int) {
		for _, lose := range []bool{false, true} {
			y.trial(t, fmt.Sprintf("octet %d, lose=%v", i, lose), plainJob, letters(3), func(w *world) {
				w.live(plan{cuts: map[int]cut{1: {int64(i), lose}, 2: {int64(i), lose}}})
			})
		}
	})
}

// TestCrashAtEveryOctet kills the process behind each octet that it receives.
func TestCrashAtEveryOctet(t *testing.T) {
	var events int
	score("untroubled").trial(t, "", plainJob, letters(2), func(w *world) { events = w.live(plan{piece: 1}).events })
	y := score("crash behind every octet received")
	stride := 5
	if *long {
		stride = 1
	}
	spread(t, events/stride, func(t *testing.T, i int) {
		y.trial(t, fmt.Sprintf("event %d", i*stride+1), plainJob, letters(2), func(w *world) {
			w.live(plan{piece: 1, crashAt: i*stride + 1, fate: durabletest.LoseAll()})
		})
	})
}

// TestFaultAtEveryCall lets each file-system call fail: an input/output error,
// then a full disk.
func TestFaultAtEveryCall(t *testing.T) {
	var calls int
	score("untroubled").trial(t, "", plainJob, letters(3), func(w *world) { calls = w.live(plan{}).calls })
	for name, fault := range map[string]error{"input/output error": syscall.EIO, "disk full": syscall.ENOSPC} {
		y := score(name + " at every call")
		spread(t, calls, func(t *testing.T, i int) {
			for _, lasting := range []bool{false, true} {
				y.trial(t, fmt.Sprintf("call %d, lasting=%v", i+1, lasting), plainJob, letters(3), func(w *world) {
					w.live(plan{cutOff: i%2 == 0, fate: durabletest.LoseAll(), fault: func(n int, c durabletest.Call) error {
						if n == i+1 || lasting && n > i && (c.Op == "write" || c.Op == "sync") {
							return fault
						}
						return nil
					}})
				})
			}
		})
	}
}

// TestWhimsAndCrashes has the server stray in one way, all the time, and kills
// the process at every event of its dealings with it.
func TestWhimsAndCrashes(t *testing.T) {
	y := score("each whim of the server × crash at an event")
	stride := 29
	if *long {
		stride = 1
	}
	spread(t, len(whims)*450/stride, func(t *testing.T, i int) {
		h, at := whims[i%len(whims)], 1+i/len(whims)*stride
		y.trial(t, fmt.Sprintf("%s, event %d", h.name, at), plainJob, letters(3), func(w *world) {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			w.drop.SetRules(h.rules(w, random)...)
			w.live(plan{crashAt: at, fate: durabletest.Random(uint64(i))})
			w.drop.SetRules(h.rules(w, random)...)
			w.live(plan{})
		})
	})
}
