//go:build linux

package bench

import (
	"fmt"
	"testing"
	"time"
)

// Goal 2: large messages.
func TestGoalsLargeMessages(t *testing.T) {
	wantGoals(t)
	const n = 100
	d, octets := dovecot(t, n, 5_000_000)
	contenders := []contender{
		{name: "discard", once: discard(t, discardClient{addr: d.Addr, window: 64})},
		{name: "popmigrate, mbox.zst", once: popmigrate(t, clear(d.Addr), mboxZstd, n)},
		{name: "popmigrate, mbox", once: popmigrate(t, clear(d.Addr), mboxPlain, n)},
		{name: "popmigrate, maildir", once: popmigrate(t, clear(d.Addr), maildir, n)},
	}
	for _, p := range peers {
		if p.installed() && p.program == "mpop" {
			contenders = append(contenders, contender{p.name, 0, func() cost { return p.run(t, d.Addr) }})
		}
	}
	w := race(t, "100 × 5 MB, clear text", n, octets, *rounds, contenders...)
	goal(t, "2: mbox.zst / discard", w.ratio("popmigrate, mbox.zst", "discard"), 0.6)
	goal(t, "2: mbox / discard", w.ratio("popmigrate, mbox", "discard"), 0.85)
	goal(t, "2: mbox.zst / mpop's maildir", w.ratio("popmigrate, mbox.zst", "mpop, maildir"), 1)
	goal(t, "2: mbox / mpop's mbox", w.ratio("popmigrate, mbox", "mpop, mbox"), 1)
	goal(t, "2: maildir / mpop's maildir", w.ratio("popmigrate, maildir", "mpop, maildir"), 1)
}

// Goal 3: TLS 1.3.
func TestGoalsTLS(t *testing.T) {
	wantGoals(t)
	for _, c := range []struct{ n, octets int }{{10_000, 5000}, {100, 5_000_000}} {
		d, octets := dovecot(t, c.n, c.octets)
		source := fmt.Sprintf("server = %q\n tls_ca = %q\n tls_server_name = \"localhost\"\n tls_min = \"1.3\"", d.TLSAddr, d.CAFile)
		w := race(t, fmt.Sprintf("%d × %d octets, TLS 1.3", c.n, c.octets), c.n, octets, *rounds,
			contender{name: "discard", once: discard(t, discardClient{addr: d.TLSAddr, window: 64, trust: d.CAs})},
			contender{name: "popmigrate, mbox.zst", once: popmigrate(t, source, mboxZstd, c.n)},
			contender{name: "popmigrate, mbox", once: popmigrate(t, source, mboxPlain, c.n)})
		goal(t, fmt.Sprintf("3: %d × %d octets, mbox.zst / discard with TLS", c.n, c.octets), w.ratio("popmigrate, mbox.zst", "discard"), 0.85)
		goal(t, fmt.Sprintf("3: %d × %d octets, mbox / discard with TLS", c.n, c.octets), w.ratio("popmigrate, mbox", "discard"), 0.85)
	}
}

// Goal 4: long lines. The relay delays, as a line would; peers see the same.
func TestGoalsRoundTrips(t *testing.T) {
	wantGoals(t)
	const n = 500
	d, octets := dovecot(t, n, 5000)
	for _, rtt := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond} {
		far := relay(t, d.Addr, rtt)
		contenders := []contender{
			{name: "discard", once: discard(t, discardClient{addr: far, window: 64})},
			{name: "popmigrate, mbox.zst", once: popmigrate(t, clear(far), mboxZstd, n)},
			{name: "popmigrate, lock-step", most: 2, once: popmigrate(t, clear(far)+"\n pipelining = \"off\"", mboxZstd, n)},
		}
		for _, p := range peers {
			if p.installed() && p.name == "mpop, maildir" {
				contenders = append(contenders, contender{p.name, 0, func() cost { return p.run(t, far) }})
			}
		}
		w := race(t, fmt.Sprintf("500 × 5 KB at %v round trip", rtt), n, octets, min(*rounds, 3), contenders...)
		goal(t, fmt.Sprintf("4: %v, mbox.zst / discard", rtt), w.ratio("popmigrate, mbox.zst", "discard"), 0.95)
		if lockstep := w.of("popmigrate, lock-step"); lockstep != nil {
			trips := lockstep.wall().Seconds() / rtt.Seconds() / n
			goal(t, fmt.Sprintf("4: %v, 1.1 / round trips a message in lock-step (%.3f)", rtt, trips), 1.1/trips, 1)
		}
	}
}
