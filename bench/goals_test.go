//go:build linux

package bench

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"popmigrate/internal/realservers"
)

var (
	goals   = flag.Bool("goals", false, "measure the goals of docs/performance.md; takes about half an hour")
	quickly = flag.Bool("quickly", false, "without the clients that take minutes")
	rounds  = flag.Int("rounds", 5, "rounds of each contest")
)

func wantGoals(t *testing.T) {
	t.Helper()
	if !*goals {
		t.Skip("a measurement, not a check: with -goals")
	}
}

// dovecot starts a Dovecot whose maildrop "alice" holds so many letters.
func dovecot(t *testing.T, messages, octets int) (*realservers.Dovecot, int64) {
	t.Helper()
	d := realservers.StartDovecot(t, "alice")
	total := int64(0)
	for i := range messages {
		content := letter(i, octets)
		total += int64(len(content))
		d.Seed("alice", fmt.Sprintf("17%08d.bench%d.host", i, i), content)
	}
	warm := discardClient{addr: d.Addr, user: "alice", pass: "pw-alice", window: 64}
	if n, _, err := warm.fetch(); n != messages || err != nil {
		t.Fatal(n, err)
	}
	return d, total
}

// discard is the contender that only reads.
func discard(t *testing.T, d discardClient) func() cost {
	d.user, d.pass = "alice", "pw-alice"
	return func() cost {
		begin := time.Now()
		if _, _, err := d.fetch(); err != nil {
			t.Fatal(err)
		}
		return cost{wall: time.Since(begin)}
	}
}

// popmigrate is the contender that is measured: each time a job of its own.
func popmigrate(t *testing.T, source, sink string, messages int) func() cost {
	return func() cost {
		j := job{source: source, accounts: []string{"alice"}, sink: sink}
		return run(t, j.write(t), fmt.Sprintf(`"stored":%d,"known":0`, messages))
	}
}

// Goal 1: many small messages.
func TestGoalsSmallMessages(t *testing.T) {
	wantGoals(t)
	const n = 10_000
	d, octets := dovecot(t, n, 5000)
	contenders := []contender{
		{name: "discard", once: discard(t, discardClient{addr: d.Addr, window: 64})},
		{name: "popmigrate, mbox.zst", once: popmigrate(t, clear(d.Addr), mboxZstd, n)},
		{name: "popmigrate, mbox", once: popmigrate(t, clear(d.Addr), mboxPlain, n)},
		{name: "popmigrate, maildir", once: popmigrate(t, clear(d.Addr), maildir, n)},
	}
	for _, p := range peers {
		if p.installed() {
			most := 0
			if p.program != "mpop" {
				most = 1
			}
			if *quickly && p.program != "mpop" {
				continue
			}
			contenders = append(contenders, contender{p.name, most, func() cost { return p.run(t, d.Addr) }})
		}
	}
	w := race(t, "10,000 × 5 KB, clear text", n, octets, *rounds, contenders...)
	goal(t, "1: mbox.zst / discard", w.ratio("popmigrate, mbox.zst", "discard"), 0.6)
	goal(t, "1: mbox / discard", w.ratio("popmigrate, mbox", "discard"), 0.8)
	goal(t, "1: mbox.zst / mpop", w.ratio("popmigrate, mbox.zst", "mpop, maildir"), 6)
	goal(t, "1: mbox.zst / mpop's mbox", w.ratio("popmigrate, mbox.zst", "mpop, mbox"), 6)
	goal(t, "1: mbox.zst / fetchmail", w.ratio("popmigrate, mbox.zst", "fetchmail, MDA that discards"), 40)
	goal(t, "1: mbox.zst / getmail", w.ratio("popmigrate, mbox.zst", "getmail, maildir"), 150)
	goal(t, "1: maildir / mpop's maildir", w.ratio("popmigrate, maildir", "mpop, maildir"), 2)
}

// goal says what was reached of a goal: a figure, no verdict of a test.
func goal(t *testing.T, name string, got, want float64) {
	verdict := "reached"
	switch {
	case got == 0:
		verdict = "not measured"
	case got < want:
		verdict = "MISSED"
	}
	line := fmt.Sprintf("goal %s: %.2f, wanted at least %.2f: %s\n", name, got, want, verdict)
	fmt.Print(line)
	keep(t, "goals.txt", line)
}
