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
		"never free":             {"-ERR Can't get lock.  Mailbox in use", 1000, time.Hour, false},
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

// What another client took away between listing and RETR is no failure.
func TestVanished(t *testing.T) {
	all := mail(5)
	b := newBench(t, pop3test.Config{Shared: true}, all...)
	b.drop.SetRules(pop3test.Rule{Command: "RETR", Message: 1, Do: pop3test.Call(func() { b.drop.Remove(all[2].UniqueID) })})
	r := b.run()
	want(t, r, map[string]int64{"listed": 5, "stored": 4, "skipped": 1, "failed": 0})
	if !r.Complete || r.Counts.Reasons["vanished"] != 1 {
		t.Errorf("complete %v, %v", r.Complete, r.Counts.Reasons)
	}
}
