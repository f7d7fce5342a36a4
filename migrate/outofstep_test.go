package migrate

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/checkpoint"
	"popmigrate/pop3"
	"popmigrate/pop3/pop3test"
	"popmigrate/sinks"
)

// A status line too many, that arrives when the next command is out already,
// makes that command's own the first line of its message. Such a message is
// fetched again; neither it nor another is lost, altered or stored twice.
func TestLateStatusLine(t *testing.T) {
	for name, do := range map[string]pop3test.Action{
		"bare":        pop3test.Before("+OK\r\n"),
		"with octets": pop3test.Before("+OK 17 octets\r\n"),
		"lower case":  pop3test.Before("+ok later\r\n"),
	} {
		for _, pipelining := range []pop3.Pipelining{pop3.PipelineAuto, pop3.PipelineOff} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					all := mail(30)
					p := newPair(t, pop3test.Config{}, all...)
					p.bad.Pipelining = pipelining
					p.mail.SetRules(pop3test.Rule{Command: "RETR", Message: 7, Times: 1, Do: do},
						pop3test.Rule{Command: "STAT", Session: 2, Skip: 3, Times: 1, Do: do})
					r := p.hold()
					p.whole(all)
					// Two sessions broke, one did the rest, two found all gone.
					if !r.Complete || r.Counts.Stored != 30 || r.Counts.Gone != 30 || r.Attempts != 5 {
						t.Errorf("complete %v, %d sessions, %+v", r.Complete, r.Attempts, r.Counts)
					}
				})
			})
		}
	}
}

// A server that repeats its status line in every reply to RETR alters every
// message: none is kept, none deleted.
func TestRepeatedStatusLine(t *testing.T) {
	for name, do := range map[string]pop3test.Action{
		"other words": pop3test.Before("+OK\r\n"),
		"no number":   pop3test.All(pop3test.Before("+OK\r\n"), pop3test.Say("+OK")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, pop3test.Config{}, mail(5)...)
				p.mail.SetRules(pop3test.Rule{Command: "RETR", Do: do})
				r := p.hold()
				p.whole(nil)
				if r.Complete || r.Counts.Failed != 5 || p.deletions() != 0 || !strings.Contains(r.Reason, "altered by the server") {
					t.Errorf("complete %v, %d DELE, %+v: %s", r.Complete, p.deletions(), r.Counts, r.Reason)
				}
			})
		})
	}
}

// A message that begins like a status line is a message as any other, whatever
// octets the server lists for it.
func TestGenuineStatusLine(t *testing.T) {
	for name, test := range map[string]struct {
		listed   func(int64) int64
		sessions int // before the two that find all gone
	}{
		"listed exactly":     {func(n int64) int64 { return n }, 1},
		"listed with LF":     {func(n int64) int64 { return n - 4 }, 2},
		"listed with fewer":  {func(n int64) int64 { return n / 2 }, 2},
		"listed with nought": {func(int64) int64 { return 0 }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := mail(5)
				for i, first := range []string{"+OK 120 octets\r\n", "-ERR no such message\r\n", "+OK\r\n"} {
					all[i+1].Content = append([]byte(first), all[i+1].Content...)
				}
				p := newPair(t, pop3test.Config{}, all...)
				p.mail.SetRules(pop3test.Rule{Command: "LIST", Do: pop3test.Listing(func(entries []pop3test.Entry) []pop3test.Entry {
					for i := range entries {
						entries[i].Octets = test.listed(entries[i].Octets)
					}
					return entries
				})})
				r := p.hold()
				p.whole(all)
				if !r.Complete || r.Counts.Stored != 5 || r.Counts.Gone != 5 || r.Attempts != test.sessions+2 {
					t.Errorf("complete %v, %d sessions, %+v: %s", r.Complete, r.Attempts, r.Counts, r.Reason)
				}
			})
		})
	}
}

// A TOP that breaks the session is not asked again: messages are read whole.
func TestTopThatBreaks(t *testing.T) {
	for name, do := range map[string]pop3test.Action{
		"never ends":     pop3test.Stall(40),
		"ends LF dot LF": pop3test.All(pop3test.Raw("+OK\r\nSubject: x\r\n\r\n\n.\r\n"), pop3test.Stall(-1)),
		"two replies":    pop3test.After("+OK\r\n"),
		"without end":    pop3test.Endless(strings.Repeat("x", 1022) + "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := mail(5)
				p := newPair(t, pop3test.Config{}, all...)
				p.job.Delete = DeleteNever
				p.job.Accounts = p.job.Accounts[:1]
				p.runOnly()
				p.job.Delete = DeleteVerified
				p.mail.SetRules(pop3test.Rule{Command: "TOP", Do: do})
				r := p.runOnly()
				p.whole(all)
				if !r.Complete || r.Counts.Known != 5 || r.Counts.Gone != 5 || r.Elapsed > 5*time.Minute {
					t.Errorf("complete %v after %v, %+v: %s", r.Complete, r.Elapsed, r.Counts, r.Reason)
				}
			})
		})
	}
}

// While a sink is slow the server hears NOOP, so that it does not end the
// session, and only then.
func TestSessionIsKeptAwake(t *testing.T) {
	for name, messages := range map[string]int{"at the end": 5, "in the middle": waitingItems/2 + 500} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && messages > 1000 {
				t.Skip("thousands of messages")
			}
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, pop3test.Config{}, mail(messages)...)
				p.job.Limits.SliceTime = 24 * time.Hour
				slow := true
				p.caught.fail = func(*sinks.Message) (sinks.Proof, error) {
					if slow {
						<-time.After(10 * time.Minute)
					}
					slow = false
					return sinks.Verified, nil
				}
				r := p.hold()
				if !r.Complete || r.Counts.Gone != int64(messages) || r.Attempts != 3 {
					t.Errorf("complete %v, %d sessions, %+v: %s", r.Complete, r.Attempts, r.Counts, r.Reason)
				}
				noops, retrs := 0, 0 // before the last NOOP
				for n, line := range p.hostile.Commands("mallory") {
					if line == "NOOP" {
						noops, retrs = noops+1, n
					}
				}
				// 10 minutes are 20 times 30 seconds; the last one ends with the wait.
				if noops < 19 || noops > 20 {
					t.Errorf("%d NOOP", noops)
				}
				if all := retrs > messages; all == (name == "in the middle") {
					t.Errorf("%d commands before the last NOOP, %d messages", retrs, messages)
				}
			})
		})
	}
}

// A session that ends while its sinks are slow costs another session, no mail.
func TestSessionLostWhileSinksAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := mail(5)
		p := newPair(t, pop3test.Config{}, all...)
		p.mail.SetRules(pop3test.Rule{Command: "NOOP", Times: 1, Do: pop3test.Cut(0)})
		slow := true
		p.caught.fail = func(*sinks.Message) (sinks.Proof, error) {
			if slow {
				<-time.After(time.Minute)
			}
			slow = false
			return sinks.Verified, nil
		}
		r := p.hold()
		p.whole(all)
		if !r.Complete || r.Counts.Stored != 5 || r.Counts.Gone != 5 || p.deletions() != 5 {
			t.Errorf("complete %v, %d DELE, %+v: %s", r.Complete, p.deletions(), r.Counts, r.Reason)
		}
		store, err := checkpoint.OpenReadOnly(t.Context(), p.dir+"/state")
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		drop, err := store.Load(t.Context(), checkpoint.Key{Job: "test", Name: "mallory"})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range drop.Messages {
			if m.Mark.Tries != 1 { // the lost session did not even try
				t.Errorf("message %d: %+v", m.Ordinal, m.Mark)
			}
		}
	})
}

// What a server says behind its reply to QUIT does no harm.
func TestNoiseAfterQuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := mail(5)
		p := newPair(t, pop3test.Config{}, all...)
		p.mail.SetRules(pop3test.Rule{Command: "QUIT", Do: pop3test.After(strings.Repeat("+OK \x00\x1b[2J more\r\n", 5000))})
		r := p.hold()
		p.whole(all)
		if !r.Complete || r.Counts.Gone != 5 {
			t.Errorf("complete %v, %+v: %s", r.Complete, r.Counts, r.Reason)
		}
	})
}

func TestReadStatusLine(t *testing.T) {
	for text, want := range map[string]statusLine{
		"": {}, "+OK": {}, "-ERR": {}, "Subject: x\r\n": {}, "+O\r\n": {}, "-ER\r\n": {}, "x+OK\r\n": {}, "\r\n+OK\r\n": {},
		"+OK\r\n":               {5, -1},
		"+ok\n":                 {4, -1},
		"-Err no\r\n\r\nbody":   {9, -1},
		"+OK 120 octets\r\n":    {16, 120},
		"+OK120 octets\r\n":     {15, 120},
		"+OK -5 x\r\n":          {10, -1},
		"+OK\t0\r\nFrom: a\r\n": {7, 0},
	} {
		if got := readStatusLine([]byte(text)); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}
