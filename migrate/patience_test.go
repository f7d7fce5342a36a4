package migrate

import (
	"testing"
	"testing/synctest"
	"time"

	"popmigrate/pop3/pop3test"
)

// A maildrop that another session holds is tried again, each time on a new
// connection and after a longer wait.
func TestBusyMaildrop(t *testing.T) {
	for name, test := range map[string]struct {
		reply    string
		times    int
		least    time.Duration // of the whole course
		complete bool
	}{
		"free at the fourth try": {"-ERR [IN-USE] maildrop locked", 3, (30 + 60 + 120) * time.Second, true},
		"login delay":            {"-ERR [LOGIN-DELAY] too soon", 2, (60 + 120) * time.Second, true},
		"never free":             {"-ERR Can't get lock.  Mailbox in use", 1000, 50 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := mail(3)
				p := newPair(t, pop3test.Config{}, all...)
				p.mail.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Times: test.times, Do: pop3test.Instead(test.reply)})
				r := p.hold()
				p.whole(all)
				if r.Complete != test.complete || r.Elapsed < test.least {
					t.Errorf("complete %v after %v, at least %v: %s", r.Complete, r.Elapsed, test.least, r.Reason)
				}
				stats := p.mail.Stats()
				if connections := p.hostile.Stats().Connections; connections != r.Attempts || stats.MaxSessions > 1 {
					t.Errorf("%d connections for %d tries, %d sessions at once", connections, r.Attempts, stats.MaxSessions)
				}
			})
		})
	}
}

// Where a server says how long it wants to be left alone between two logins no
// session comes too soon.
func TestLoginDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := mail(3)
		p := newPair(t, pop3test.Config{LoginDelay: time.Minute,
			LoggedInCapabilities: []string{"UIDL", "TOP", "PIPELINING", "LOGIN-DELAY 60 USER"}}, all...)
		r := p.hold()
		p.whole(all)
		if stats := p.mail.Stats(); !r.Complete || r.Counts.Gone != 3 || stats.Refused != 0 || stats.Logins < 2 {
			t.Errorf("complete %v, %+v, %d logins, %d refused", r.Complete, r.Counts, stats.Logins, stats.Refused)
		}
	})
}

// A server may end a session with a word or without one, also right behind the
// login: then the maildrop is not taken for an empty one. The same run goes on.
func TestServerEndsTheSession(t *testing.T) {
	for name, rule := range map[string]pop3test.Rule{
		"without a word":   {Command: "RETR", Message: 2, Do: pop3test.Cut(0)},
		"with one":         {Command: "RETR", Message: 2, Do: pop3test.All(pop3test.Instead("-ERR Disconnected for inactivity."), pop3test.Cut(-1))},
		"with one besides": {Command: "RETR", Message: 2, Do: pop3test.All(pop3test.After("-ERR Disconnected for inactivity.\r\n"), pop3test.Cut(-1))},
		"behind the login": {Command: pop3test.OnLogin, Do: pop3test.All(pop3test.After("-ERR [SYS/TEMP] Internal error occurred.\r\n"), pop3test.Cut(-1))},
		"in the listing":   {Command: "LIST", Do: pop3test.All(pop3test.Instead("-ERR [SYS/TEMP] Internal error occurred."), pop3test.Cut(-1))},
	} {
		t.Run(name, func(t *testing.T) {
			all := mail(5)
			b := newBench(t, pop3test.Config{}, all...)
			rule.Times = 1
			b.drop.SetRules(rule)
			r := b.run()
			want(t, r, map[string]int64{"listed": 5, "stored": 5, "failed": 0})
			b.holds(all...)
			if !r.Complete || r.Attempts != 2 {
				t.Errorf("complete %v, %d sessions: %s", r.Complete, r.Attempts, r.Reason)
			}
		})
	}
}

// A server that is known to delete some time after it answered QUIT is given
// that time: nothing is asked of it twice.
func TestLateDeletion(t *testing.T) {
	known := withProfile(t, `deletions = "5s"`).source.Profiles
	synctest.Test(t, func(t *testing.T) {
		all := mail(5)
		p := newPair(t, pop3test.Config{Greeting: "Odd Server ready"}, all...)
		p.bad.Profiles = known
		p.mail.SetRules(pop3test.Rule{Command: "QUIT", Do: pop3test.UpdateLate(5 * time.Second)})
		r := p.hold()
		p.whole(all)
		if !r.Complete || r.Counts.Gone != 5 || p.deletions() != 5 {
			t.Errorf("complete %v, %d DELE, %+v: %s", r.Complete, p.deletions(), r.Counts, r.Reason)
		}
	})
}
