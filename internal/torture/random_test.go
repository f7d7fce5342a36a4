package torture

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"popmigrate/internal/durable"
	"popmigrate/internal/durable/durabletest"
	"popmigrate/migrate"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

var (
	runs = flag.Int("torture.runs", 300, "number of random runs")
	seed = flag.Uint64("torture.seed", 1, "seed of the first random run, the next one has the next seed; and of what a short run leaves out of the exhaustive set")
)

// TestRandom puts together what the other scenarios do one at a time: several
// lives, each with its own death, cuts, faults and power cuts, against a
// server that strays anew in each session.
func TestRandom(t *testing.T) {
	y := score("random")
	n := *runs
	if testing.Short() {
		n = min(n, 40)
	}
	spread(t, n, func(t *testing.T, i int) {
		s := *seed + uint64(i)
		r := rand.New(rand.NewPCG(s, 0x746f7274))
		set := randomSetting(r)
		mail := randomMail(r, set)
		y.trial(t, fmt.Sprintf("-torture.seed=%d -torture.runs=1 (%+v, %d messages)", s, set, len(mail)), set, mail, func(w *world) {
			for range 1 + r.IntN(5) {
				w.drop.SetRules(randomRules(w, r)...)
				w.smtpTrouble(r)
				w.live(randomPlan(r))
				if r.IntN(4) == 0 {
					w.deliver(letter(1000 + r.IntN(1000)))
				}
			}
			w.smtpHeals()
		})
	})
}

func one(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

func randomSetting(r *rand.Rand) setting {
	s := setting{policy: migrate.DeleteVerified, compression: sinks.Uncompressed,
		noUIDL: one(r, 10), noTOP: one(r, 6), lockStep: one(r, 4), smtp: one(r, 4)}
	if one(r, 8) {
		s.policy = migrate.DeleteNever
	}
	if one(r, 8) {
		s.compression = sinks.Zstd
	}
	if one(r, 4) {
		s.slice = 1 + r.IntN(4)
	}
	return s
}

// randomMail is mail with twins, near twins and what formats find hard.
func randomMail(r *rand.Rand, s setting) (mail [][]byte) {
	for i := range 1 + r.IntN(7) {
		m := letter(i)
		kind := r.IntN(10)
		if s.smtp && kind < 4 {
			kind = 9 // SMTP can carry none of these
		}
		switch kind {
		case 0:
			m = fmt.Appendf(m, "bare \n line feed\r\n")
		case 1:
			m = fmt.Appendf(m, "bare \r return, NUL \x00, eight bit \xe4\r\n")
		case 2:
			m = fmt.Appendf(m, "no end of line")
		case 3:
			m = fmt.Appendf(m, "%0*d\r\n", 1+r.IntN(3000), i)
		case 4:
			m = letter(0) // a twin of the first, perhaps
		case 5:
			m = []byte("\r\n")
		}
		mail = append(mail, m)
	}
	return mail
}

// randomRules lets the server stray in about every other session.
func randomRules(w *world, r *rand.Rand) (rules []pop3test.Rule) {
	session := w.drop.Stats().Logins
	for k := range 12 {
		var lies lie
		for one(r, 2) {
			h := whims[r.IntN(len(whims))]
			if lies |= h.lie; lies&(aboutOctets|aboutContent) == aboutOctets|aboutContent {
				break // nobody could see that a message was cut short
			}
			w.lies |= lies
			if *trace {
				w.t.Logf("session %d: %s", session+1+k, h.name)
			}
			for _, rule := range h.rules(w, r) {
				if rule.Command == pop3test.OnConnect || rule.Command == pop3test.OnGreeting {
					rule.Times = 1
				} else {
					rule.Session = session + 1 + k
				}
				rules = append(rules, rule)
			}
		}
	}
	return rules
}

// randomPlan is what befalls one process.
func randomPlan(r *rand.Rand) plan {
	p := plan{fate: randomFate(r), cutOff: one(r, 3), cuts: map[int]cut{}, smtp: map[int]cut{}}
	if !one(r, 4) {
		p.crashAt = 1 + r.IntN(600)
	}
	if one(r, 3) {
		p.piece = 1 + r.IntN(60)
	}
	for one(r, 2) {
		p.cuts[1+r.IntN(6)] = cut{r.Int64N(2500), one(r, 2)}
	}
	for one(r, 3) {
		p.smtp[1+r.IntN(3)] = cut{r.Int64N(700), true}
	}
	switch r.IntN(7) {
	case 0:
		at, lasts := 1+r.IntN(400), 1+r.IntN(40)
		err := []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS}[r.IntN(3)]
		p.fault = func(n int, c durabletest.Call) error {
			if n >= at && n < at+lasts && (err == syscall.EIO || c.Op != "read" && c.Op != "lstat" && c.Op != "stat") {
				return err
			}
			return nil
		}
	case 1:
		at := 1 + r.IntN(400)
		flipped := false
		p.fault = func(n int, c durabletest.Call) error {
			if n < at || flipped || c.Op != "write" || !holdsMail(c.Name) {
				return nil
			}
			flipped = true
			return durabletest.ErrFlipped
		}
	case 2:
		p.cutOff = true // nothing can be done with that disk
		p.fault = givesUpAt(1+r.IntN(60), one(r, 2))
	}
	return p
}

// holdsMail tells whether a file is one whose octets are compared before a
// message in it counts as kept.
func holdsMail(name string) bool {
	return strings.Contains(name, ".mbox") || strings.Contains(name, "Maildir/tmp/") || strings.Contains(name, "/raw/")
}

func randomFate(r *rand.Rand) durabletest.Fate {
	switch r.IntN(4) {
	case 0:
		return durabletest.LoseAll()
	case 1:
		return durabletest.KeepAll()
	}
	return durabletest.Random(r.Uint64())
}

// TestDamageAndRepair damages an archive whose mail is still on the server, or
// in the other sink alone, and kills the repair.
func TestDamageAndRepair(t *testing.T) {
	y := score("damage, then a repair that is killed")
	n := 60
	if testing.Short() {
		n = 10
	}
	if *long {
		n = 5000
	}
	spread(t, n, func(t *testing.T, i int) {
		r := rand.New(rand.NewPCG(*seed+uint64(i), 0x72657061))
		set := plainJob
		if set.policy = migrate.DeleteVerified; one(r, 2) {
			set.policy = migrate.DeleteNever
		}
		y.trial(t, fmt.Sprintf("case %d", i), set, randomMail(r, set), func(w *world) {
			if e := w.live(plan{}); !e.done() {
				w.violate("first run: %s", e.why())
			}
			w.damage(r)
			for range r.IntN(3) {
				p := randomPlan(r)
				p.repair, p.fault = true, nil
				w.live(p)
			}
			for range 4 {
				if e := w.live(plan{repair: true}); e.done() {
					break
				}
			}
			w.setting.policy = migrate.DeleteVerified
		})
	})
}

// damage changes, cuts or removes a file of one of the two archives.
func (w *world) damage(r *rand.Rand) {
	dir := []string{archiveDir, maildirDir}[r.IntN(2)]
	all := files(w.fs, dir)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasSuffix(name, "README.txt") && len(all[name]) > 0 {
			names = append(names, name)
		}
	}
	name := names[r.IntN(len(names))]
	content := []byte(all[name])
	at := r.IntN(len(content))
	switch kind := r.IntN(3); {
	case kind == 0 && !strings.HasSuffix(name, "popmigrate.id"): // an archive without its id counts as gone
		w.fs.Remove(name)
		return
	case kind == 1:
		content = content[:at]
	default:
		content[at] ^= 1 << r.IntN(8)
	}
	w.fs.Remove(name)
	if err := durable.Publish(w.fs, name, func(out io.Writer) error {
		_, err := out.Write(content)
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
}
