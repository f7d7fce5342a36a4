package migrate

import (
	"strings"
	"testing"
	"time"

	"popmigrate/internal/profiles"
	"popmigrate/pop3/pop3test"
)

// withProfile returns a bench whose server says that it is one that a row of
// the table with this tuning recognises.
func withProfile(t *testing.T, tuning string, messages ...pop3test.Message) *bench {
	t.Helper()
	set, err := profiles.Parse("own.hcl", []byte(`profile "odd" {
  title    = "Odd Server"
  source   = "the test"
  as_of    = "2026"
  certain  = "sure"
  greeting = "odd server ready"
  tuning {
`+tuning+`
  }
}`))
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, pop3test.Config{Greeting: "Odd Server ready"}, messages...)
	b.source.Profiles = set
	return b
}

// Where fetching alone may hide or delete mail nothing is fetched unless the
// job allows it.
func TestRetrHides(t *testing.T) {
	expiring := newBench(t, pop3test.Config{LoggedInCapabilities: []string{"UIDL", "TOP", "EXPIRE 0"}}, mail(3)...)
	for name, b := range map[string]*bench{"EXPIRE 0": expiring, "Odd Server": withProfile(t, "retr_hides = true", mail(3)...)} {
		r := b.run()
		if r.Class != ClassServer || !strings.Contains(r.Reason, name) || !strings.Contains(r.Hint, "allow_retr_hides = true") {
			t.Errorf("%s: class %q, reason %q, hint %q", name, r.Class, r.Reason, r.Hint)
		}
		if n := b.commands("RETR") + b.commands("TOP") + b.commands("LIST"); n != 0 {
			t.Errorf("%s: %d commands that look at mail", name, n)
		}
		b.source.AllowRetrHides = true
		want(t, b.run(), map[string]int64{"stored": 3})
	}
}

// A listing that is a part of the mail is asked for again until nothing new
// turns up.
func TestWindow(t *testing.T) {
	for _, tuning := range []string{"window = true", ""} {
		b := withProfile(t, tuning, mail(6)...)
		b.drop.SetRules(
			pop3test.Rule{Command: pop3test.OnLogin, Session: 1, Do: pop3test.View(func(all []pop3test.Message) []pop3test.Message { return all[:4] })},
			pop3test.Rule{Command: pop3test.OnLogin, Session: 2, Do: pop3test.View(func(all []pop3test.Message) []pop3test.Message { return all[4:] })})
		want(t, b.run(), map[string]int64{"stored": map[bool]int64{true: 6, false: 4}[tuning != ""]})
	}
}

// A server whose TOP does harm is not asked for header sections.
func TestNoTop(t *testing.T) {
	for _, tuning := range []string{"no_top = true", ""} {
		b := withProfile(t, tuning, mail(3)...)
		b.run()
		b.job.Delete = DeleteVerified
		want(t, b.run(), map[string]int64{"gone": 3})
		if n := b.commands("TOP"); (n == 0) != (tuning != "") {
			t.Errorf("%q: %d TOP", tuning, n)
		}
	}
}

// What a server says when it refuses a login is explained by its row.
func TestKnownRefusal(t *testing.T) {
	b := withProfile(t, `refusal {
    match = "come back"
    means = "busy"
    help  = "this server counts logins"
  }
  help = "read the odd server's page"`, mail(1)...)
	b.drop.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Times: 1, Do: pop3test.Instead("-ERR [AUTH] invalid password, come back")})
	want(t, b.run(), map[string]int64{"stored": 1}) // tried again
	b.drop.SetRules(pop3test.Rule{Command: pop3test.OnLogin, Do: pop3test.Instead("-ERR [AUTH] invalid password")})
	if r := b.run(); r.Class != ClassCredential || r.Hint != "read the odd server's page" {
		t.Errorf("class %q, hint %q", r.Class, r.Hint)
	}
}

// The governor keeps to the stricter of a host's own limits and the job's.
func TestHeed(t *testing.T) {
	for _, test := range []struct {
		limits      Limits
		tuning      *profiles.Tuning
		first, most int
		spacing     time.Duration
	}{
		{Limits{SessionsPerHost: 8}, nil, 4, 8, 0},
		{Limits{SessionsPerHost: 8}, &profiles.Tuning{SessionsPerHost: 2, LoginSpacing: "1s"}, 2, 2, time.Second},
		{Limits{SessionsPerHost: 3, LoginSpacing: time.Minute}, &profiles.Tuning{SessionsPerHost: 5, LoginSpacing: "1s"}, 3, 3, time.Minute},
	} {
		h := newHost("h", &test.limits)
		h.heed(test.tuning)
		if h.cap != test.first || h.max != test.most || h.spacing != test.spacing {
			t.Errorf("%+v, %+v: begins with %d of %d, spacing %s", test.limits, test.tuning, h.cap, h.max, h.spacing)
		}
	}
	job := Job{Accounts: []Account{{Host: "h"}, {Host: "h", Tuning: &profiles.Tuning{SessionsPerHost: 1}}}}
	if h := newRunner(&job, &Env{}).tasks[0].host; h.max != 1 {
		t.Errorf("the run takes %d sessions", h.max)
	}
}
