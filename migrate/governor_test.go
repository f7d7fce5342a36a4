package migrate

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"popmigrate/pop3/pop3test"
)

func TestHostGrowsAndShrinks(t *testing.T) {
	now := time.Unix(1000, 0)
	h := newHost("h", &Limits{SessionsPerHost: 6, HostPause: time.Minute})
	enter := func(n int) (entered int) {
		for range n {
			if ok, _ := h.admit(now); ok {
				h.enter(now)
				entered++
			}
		}
		return entered
	}
	if n := enter(100); n != firstCap {
		t.Fatalf("%d sessions to begin with, want %d", n, firstCap)
	}
	for range firstCap {
		h.leave(now, &Outcome{LoggedIn: true})
	}
	if n := enter(100); n != 6 {
		t.Fatalf("%d sessions after all was well, want the most: 6", n)
	}
	h.leave(now, &Outcome{Class: ClassNetwork, Silent: true})
	if h.cap != 3 {
		t.Errorf("cap %d after an end before the greeting, want half of 6", h.cap)
	}
}

func TestAlikeFailuresPauseTheHost(t *testing.T) {
	now := time.Unix(1000, 0)
	h := newHost("h", &Limits{SessionsPerHost: 4, HostPause: time.Minute})
	refused := &Outcome{Class: ClassCredential}
	try := func(o *Outcome) {
		t.Helper()
		if ok, _ := h.admit(now); !ok {
			t.Fatal("not admitted")
		}
		h.enter(now)
		h.leave(now, o)
	}
	for range alikeMost - 1 {
		try(refused)
	}
	try(&Outcome{Class: ClassTLS}) // another kind of failure begins anew
	for range alikeMost - 1 {
		try(refused)
	}
	try(refused)
	ok, at := h.admit(now)
	if ok || !at.Equal(now.Add(time.Minute)) {
		t.Fatalf("admitted %v until %v after %d alike failures", ok, at, alikeMost)
	}
	for n := range pausesMost {
		now = h.pausedUntil
		if ok, _ := h.admit(now); !ok {
			t.Fatal("not admitted after the pause")
		}
		h.enter(now)
		if ok, _ := h.admit(now); ok {
			t.Error("a second session while the first one tries whether the pause helped")
		}
		h.leave(now, refused)
		if h.givenUp != (n == pausesMost-1) {
			t.Errorf("given up %v after %d pauses in vain", h.givenUp, n+1)
		}
	}
}

func TestSuccessEndsThePause(t *testing.T) {
	now := time.Unix(1000, 0)
	h := newHost("h", &Limits{SessionsPerHost: 4, HostPause: time.Minute})
	for range alikeMost {
		h.enter(now)
		h.leave(now, &Outcome{Class: ClassBusy})
	}
	now = h.pausedUntil
	h.enter(now)
	h.leave(now, &Outcome{LoggedIn: true})
	if ok, _ := h.admit(now); !ok || h.pauses != 0 {
		t.Errorf("after a success: admitted %v, %d pauses", ok, h.pauses)
	}
}

func TestLoginSpacing(t *testing.T) {
	now := time.Unix(1000, 0)
	h := newHost("h", &Limits{SessionsPerHost: 4, LoginSpacing: time.Second})
	h.enter(now)
	if ok, at := h.admit(now.Add(time.Second / 2)); ok || !at.Equal(now.Add(time.Second)) {
		t.Errorf("admitted %v, next at %v", ok, at)
	}
	if ok, _ := h.admit(now.Add(time.Second)); !ok {
		t.Error("not admitted after the spacing")
	}
}

// counted counts the sessions that are open at once. (The server sees the end
// of one a little later than the client.)
type counted struct {
	*POP3Source
	open, most *atomic.Int64
}

func (c *counted) Connect(ctx context.Context) (Session, *Facts, error) {
	for n, most := c.open.Add(1), c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	session, facts, err := c.POP3Source.Connect(ctx)
	if err != nil {
		c.open.Add(-1)
		return nil, nil, err
	}
	return &countedSession{session, c.open}, facts, nil
}

type countedSession struct {
	Session
	open *atomic.Int64
}

func (s *countedSession) Close() error {
	s.open.Add(-1)
	return s.Session.Close()
}

// Many accounts on one host: never more sessions than allowed, one per
// maildrop, and with a host that refuses all, far fewer logins than accounts.
func TestRunKeepsToTheLimits(t *testing.T) {
	b := newBench(t, pop3test.Config{})
	const accounts = 40
	var open, most atomic.Int64
	for i := range accounts {
		user := fmt.Sprintf("user%d", i)
		b.server.AddMaildrop(user, "secret", mail(3)...)
		source := b.source
		source.Login.User = user
		b.job.Accounts = append(b.job.Accounts, Account{Name: user, User: user, Connector: &counted{&source, &open, &most}, Host: "h",
			Sinks: []SinkSpec{newMemory("archive").spec()}})
	}
	b.job.Limits.SessionsPerHost = 5
	report, err := b.runCtx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c := report.Total(); c.Stored != 3*accounts || !c.Balanced() {
		t.Errorf("%+v", c)
	}
	if n := most.Load(); n != 5 {
		t.Errorf("%d sessions at once, 5 allowed", n)
	}
	var logins atomic.Int64
	for i := range b.job.Accounts {
		b.job.Accounts[i].Connector.(*counted).Login.Password = func(context.Context) (string, error) {
			logins.Add(1)
			return "wrong", nil
		}
	}
	report, err = b.runCtx(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	given := 0
	for _, r := range report.Accounts {
		if r.Class == ClassHost {
			given++
		}
	}
	if n := logins.Load(); n > 20 || given != accounts-int(n) {
		t.Errorf("%d logins with a wrong password on one host, %d accounts left alone", n, given)
	}
}
